"""Is it a node: a product of soft limits, each of which can be read on its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from axilla.locate.crop import SideCrop
from axilla.locate.features import Lump


@dataclass(frozen=True)
class Score:
    """A detection score with the parts it is the product of, all 0-1."""

    value: float
    parts: dict[str, float]


def below(value: float, limit: float, width: float) -> float:
    """Soft "value < limit": 0.5 at the limit, 0.88 at two widths below."""
    return float(1 / (1 + np.exp(np.clip((value - limit) / width, -50, 50))))


def ramp(value: float, low: tuple[float, float], high: tuple[float, float]) -> float:
    """Line through two (value, result) points, constant beyond them."""
    return float(np.interp(value, [low[0], high[0]], [low[1], high[1]]))


def enhancement(lump: Lump, crop: SideCrop) -> float:
    """Density above muscle, as a share of what a vessel of the same caliber would show on this scan.

    Partial volume lets a vessel of inscribed radius R keep about R^2 / (R^2 + b^2) of its enhancement, where b grows with
    the slice distance. 0 is muscle, 1 is a vessel; NaN where the scan is not enhanced.
    """
    if not crop.is_enhanced:
        return float("nan")
    step = crop.blood_hu - crop.muscle_hu
    blur = 0.8 + 0.6 * crop.native_slice_mm
    kept = lump.radius_mm**2 / (lump.radius_mm**2 + blur**2)
    return (lump.peak_hu - crop.muscle_hu) / (step * kept)


def score(lump: Lump, crop: SideCrop) -> Score:
    """Better of the two models, ball and crescent."""
    compact, crescent = _compact(lump, crop), _crescent(lump, crop)
    return compact if compact.value >= crescent.value else crescent


def node_score(likeness: float, lump: Lump, crop: SideCrop) -> Score:
    """The fitted model's answer, less what no phantom teaches it: muscle tips, and dots no larger than the slices are thick."""
    parts = {"likeness": likeness, "size": float(np.sqrt(_size(lump, crop))), "wall": _wall(lump)}
    return Score(float(np.prod(list(parts.values()))) * _possible(lump, crop), parts)


def crescent_score(lump: Lump, thickness_mm: float, crop: SideCrop) -> Score:
    """The thin bent cortex around a fatty hilum, which a model of mostly round nodes does not know.

    Below about 3.2 mm of thickness (measured between voxels) bent vessels outnumber cortices: a chord of one real cortex read
    3.9 mm, those of the curved veins and strips beside it 2.9 to 3.2 mm.
    """
    crescent = _crescent(lump, crop)
    parts = crescent.parts | {"thick": below(-thickness_mm, -3.2, 0.15)}
    return Score(crescent.value * parts["thick"], parts)


def is_possible(lump: Lump, crop: SideCrop) -> bool:
    """Whether size and density allow a node at all."""
    return _possible(lump, crop) > 0


def _compact(lump: Lump, crop: SideCrop) -> Score:
    r = lump.radius_mm
    parts = {
        "fat": below(-lump.fat_contact, -ramp(r, (2.5, 0.82), (4.5, 0.5)), 0.04),
        "neck": below(lump.neck, ramp(r, (1.6, 0.6), (2.4, 0.63)), 0.06),
        "wall": _wall(lump),
        "round": below(lump.elongation, 2.8, 0.3),
        "solid": below(-lump.solidity, -0.45, 0.03) * below(-lump.ballness, -0.14, 0.02),
    } | _common(lump, crop, ramp(lump.ballness, (0.3, 0.25), (0.6, 0.75)))
    return Score(float(np.prod(list(parts.values()))) * _possible(lump, crop), parts)


_HOPELESS = 0.02
"""A crescent whose other parts make less than this is not measured along its inside: that is the slowest measurement."""


def _crescent(lump: Lump, crop: SideCrop) -> Score:
    parts = {
        "fat": below(-lump.fat_contact, -0.84, 0.02),
        "neck": below(lump.neck, 0.7, 0.05),
        "wall": below(lump.wall_neck, 0.7, 0.06),
        "round": below(-lump.lengths_mm[1] / (2 * lump.radius_mm), -1.6, 0.1) * below(-lump.bend, -1.45, 0.1),
        "solid": below(lump.radius_mm, 3.0, 0.2) * below(-lump.radius_mm, -1.45, 0.05) * below(-lump.volume_mm3, -110, 15),
    } | _common(lump, crop, 0.05)
    value = 0.8 * float(np.prod(list(parts.values()))) * _possible(lump, crop)
    if value < _HOPELESS:
        return Score(value, parts)
    parts["sheet"] = below(-lump.sheetness, -1.0, 0.06)
    return Score(value * parts["sheet"], parts)


def _common(lump: Lump, crop: SideCrop, density_floor: float) -> dict[str, float]:
    """Limits that balls and crescents share."""
    darkness = (lump.peak_hu - crop.fat_hu) / (crop.muscle_hu - crop.fat_hu)
    share = enhancement(lump, crop)
    density = 1.0 if np.isnan(share) else density_floor + (1 - density_floor) * below(share, 0.75, 0.1)
    return {
        "size": _size(lump, crop),
        "density": density * below(-darkness, -0.76, 0.03),
        "pad": below(-lump.pad_share, -0.3, 0.05),
    }


def _wall(lump: Lump) -> float:
    """Low for what widens into a wall: the tip of a muscle."""
    return 0.45 + 0.55 * below(lump.wall_neck, 0.85, 0.06)


def _size(lump: Lump, crop: SideCrop) -> float:
    """Low for what is smaller than 3.3 mm or than two slices can show."""
    diameter = (6 * lump.volume_mm3 / np.pi) ** (1 / 3)
    smallest = max(3.3, 1.75 * crop.native_slice_mm)
    return below(-lump.radius_mm, -1.12, 0.08) * below(-diameter, -smallest, 0.05 * smallest)


def _possible(lump: Lump, crop: SideCrop) -> float:
    """0 for what cannot be a node."""
    too_small = lump.volume_mm3 < 12 or lump.radius_mm < 1.1
    too_large = lump.lengths_mm[0] > 42 or lump.radius_mm > 15
    too_dense = lump.peak_hu > max(250.0, crop.blood_hu if np.isfinite(crop.blood_hu) else 0)
    return 0.0 if too_small or too_large or too_dense else 1.0
