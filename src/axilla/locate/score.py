"""Is it a node: a product of soft limits, each of which can be read on its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from axilla.locate.axes import geodesic_length
from axilla.locate.hypotheses import Hypothesis


@dataclass(frozen=True)
class Score:
    """A detection score with the parts it is the product of, all 0-1."""

    value: float
    parts: dict[str, float]


def below(value: float, limit: float, width: float) -> float:
    """Soft "value < limit": 0.5 at the limit, 0.88 at two widths below."""
    return float(1 / (1 + np.exp(np.clip((value - limit) / width, -50, 50))))


def node_score(likeness: float, values: Mapping[str, float]) -> Score:
    """The fitted model's answer, less what no phantom teaches it: dots no larger than the slices are thick."""
    parts = {"likeness": likeness, "size": _size(values)}
    return Score(float(np.prod(list(parts.values()))), parts)


_HOPELESS = 0.02
"""A crescent whose other parts make less than this is not measured along its inside: that is the slowest measurement."""


def crescent_score(hypothesis: Hypothesis, values: Mapping[str, float]) -> Score:
    """The thin bent cortex around a fatty hilum that opens wide, which a model of mostly round nodes does not know.

    Below about 3.2 mm of thickness (measured between voxels) bent vessels outnumber cortices: a chord of one real cortex read
    3.9 mm, those of the curved veins and strips beside it 2.9 to 3.2 mm.
    """
    radius, diameter = values["radius_mm"], values["diameter_mm"]
    middle = values["length_mm"] / values["elongation"]
    parts = {
        "fat": below(-values["fat_contact"], -0.84, 0.02),
        "neck": below(values["neck"], 0.7, 0.05),
        "wall": below(values["wall_neck"], 0.7, 0.06),
        "round": below(-middle / (2 * radius), -1.6, 0.1) * below(-values["bend"], -1.45, 0.1),
        "solid": below(radius, 3.0, 0.2) * below(-radius, -1.45, 0.05) * below(-np.pi / 6 * diameter**3, -110, 15),
        "density": (0.05 + 0.95 * below(values["enhancement"], 0.75, 0.1)) * below(-values["density"], -0.76, 0.03),
        "pad": below(-values["pad_share"], -0.3, 0.05),
        "thick": below(-values["thickness_mm"], -3.2, 0.15),
        "size": _size(values),
    }
    value = 0.8 * float(np.prod(list(parts.values())))
    if value < _HOPELESS:
        return Score(value, parts)
    mask = hypothesis.mask()[1]
    tube = np.pi * radius**2 * geodesic_length(mask, hypothesis.partition.spacing)
    parts["sheet"] = below(-np.pi / 6 * diameter**3 / tube, -1.0, 0.06)
    return Score(value * parts["sheet"], parts)


def _size(values: Mapping[str, float]) -> float:
    """Low for what is smaller than 3.3 mm or than two slices can show."""
    smallest = max(3.3, 1.75 * values["slice_mm"])
    return below(-values["diameter_mm"], -smallest, 0.05 * smallest)
