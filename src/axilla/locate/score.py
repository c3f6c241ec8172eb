"""Is it a node: the model's evidence, a rule for crescents, and a limit of size, each of which can be read on its own."""

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


CRESCENT_EVIDENCE = 3.0
"""Most log odds that the look of a crescent adds: odds times 20. Thin cortices around wide open hila are rare among the synthetic
nodes the model is fitted to, and common among benign ones."""

_SURE_CRESCENT = 0.375
"""From this value of :func:`crescent` on, all of it is added."""


def node_score(log_odds: float, crescent: float, values: Mapping[str, float]) -> Score:
    """What the fitted model and the look of a crescent say together, less dots no larger than slices are thick.

    Parameters
    ----------
    log_odds : float
        Of the fitted model.
    crescent : float
        Of :func:`crescent`.
    values : mapping of str to float
        By `axilla.locate.features.NAMES`.
    """
    together = log_odds + crescent_evidence(crescent)
    parts = {"likeness": float(1 / (1 + np.exp(-together))), "size": _size(values)}
    return Score(parts["likeness"] * parts["size"], parts)


def crescent_evidence(crescent: float) -> float:
    """Log odds that a value of :func:`crescent` adds."""
    return CRESCENT_EVIDENCE * min(1.0, crescent / _SURE_CRESCENT)


_HOPELESS = 0.02
"""A crescent whose other limits make less than this is not measured along its inside: that is the slowest measurement."""


def crescent(hypothesis: Hypothesis, values: Mapping[str, float]) -> float:
    """How much it looks like the thin bent cortex around a fatty hilum that opens wide, 0-1: a product of soft limits.

    Below about 3.2 mm of thickness (measured between voxels) bent vessels outnumber cortices: a chord of one real cortex read
    3.9 mm, those of the curved veins and strips beside it 2.9 to 3.2 mm.
    """
    radius, diameter = values["radius_mm"], values["diameter_mm"]
    middle = values["length_mm"] / values["elongation"]
    limits = (
        below(-values["fat_contact"], -0.84, 0.02),
        below(values["neck"], 0.7, 0.05),
        below(values["wall_neck"], 0.7, 0.06),
        below(-middle / (2 * radius), -1.6, 0.1) * below(-values["bend"], -1.45, 0.1),
        below(radius, 3.0, 0.2) * below(-radius, -1.45, 0.05) * below(-np.pi / 6 * diameter**3, -110, 15),
        (0.05 + 0.95 * below(values["enhancement"], 0.75, 0.1)) * below(-values["density"], -0.76, 0.03),
        below(-values["pad_share"], -0.3, 0.05),
        below(-values["thickness_mm"], -3.2, 0.15),
    )
    value = float(np.prod(limits))
    if value < _HOPELESS:
        return 0.0
    mask = hypothesis.mask()[1]
    tube = np.pi * radius**2 * geodesic_length(mask, hypothesis.partition.spacing)
    return value * below(-np.pi / 6 * diameter**3 / tube, -1.0, 0.06)


def _size(values: Mapping[str, float]) -> float:
    """Low for what is smaller than 3.3 mm or than two slices can show."""
    smallest = max(3.3, 1.75 * values["slice_mm"])
    return below(-values["diameter_mm"], -smallest, 0.05 * smallest)
