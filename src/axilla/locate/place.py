"""Where a node lies among its surroundings: level by the borders of pectoralis minor, distance to skin and axillary vessels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from axilla.anatomy import Anatomy
from axilla.node import SIDES
from axilla.volume import FloatArray


@dataclass(frozen=True)
class PlaceSettings:
    """Landmarks of the levels and of the axillary vessels."""

    lateral_border: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 0.84), (120.0, 0.55))
    """Lateral border of pectoralis minor: two points (mm below the lung apex, distance from the midline as a share of the
    cage's half width). It runs from the coracoid process down to the costochondral junction of the fifth rib; level I lies
    lateral to it."""

    medial_border: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 0.61), (60.0, 0.45))
    """Medial border, from the coracoid process to the third rib; level III lies medial to it, level II between the two."""

    landmark_spread_mm: float = 6.0
    """How surely a border estimated from lungs and cage is the muscle's: 0.88 at two of these from it."""

    outline_spread_mm: float = 4.0
    """The same where the muscle is outlined; wider the less sure the outline."""

    outline_weight: float = 0.75
    """Share of the outline in a border that both it and the landmarks tell: the inverse of their variances."""

    outline_heights_mm: tuple[float, float] = (-15.0, 55.0)
    """Heights below the lung apex where the outline's edges are the borders: from the coracoid process to the third rib. Further
    down the muscle lies on the ribs, and what lies beside it is level I."""

    medial_quantile: float = 0.25
    """The medial border is the one of this share of the outline's slices: where both pectorals adhere, the others end early."""

    most_correction_mm: float = 32.0
    """An edge of the outline farther than this from the landmarks is not believed; without its lateral one, no outline is."""

    min_confidence: float = 0.8
    """A level less sure than this is left empty."""

    below_apex_mm: float = 120.0
    """Further down lies the chest wall, where pectoralis minor has ended: no level is given."""


_DEFAULTS = PlaceSettings()


@dataclass(frozen=True)
class Level:
    """Level of a place in the axilla: I, II or III, or empty where it is not sure enough."""

    name: str
    confidence: float
    """0-1; NaN without a chest, and where the lung apex is not in the field."""
    source: str
    """``pectoralis minor`` (outlined) or ``landmarks`` (estimated); empty where none is given."""


@dataclass(frozen=True)
class _Outline:
    """What an outlined pectoralis minor corrects of the borders told by the landmarks."""

    medial_mm: float
    lateral_mm: float
    span_mm: tuple[float, float]
    """Heights below the lung apex where it does."""
    confidence: float


class Surroundings:
    """Places in one patient's anatomy."""

    def __init__(self, anatomy: Anatomy, settings: PlaceSettings = _DEFAULTS) -> None:
        self.anatomy, self.settings = anatomy, settings

    def level(self, center_xyz_mm: FloatArray, side: str) -> Level:
        """Level of a point: lateral to pectoralis minor (I), behind or before it (II), medial to it (III).

        By the borders of the outlined muscle, where it was outlined and the point lies at its height; else by borders
        estimated from the lung apex and the cage's width, which are less sure.
        """
        anatomy = self.anatomy
        if not np.isfinite(anatomy.apex_mm) or anatomy.coverage[side] == "absent":
            return Level("", float("nan"), "")
        height, _, column = anatomy.grid.geometry.to_index(center_xyz_mm) * anatomy.grid.spacing_zyx_mm
        below, lateral = anatomy.apex_mm - float(height), abs(float(column) - anatomy.midline_mm)
        medial, edge = self._landmarks(below)
        spread, source = self.settings.landmark_spread_mm, "landmarks"
        outline = self._outlines[side]
        if outline is not None and outline.span_mm[0] <= below <= outline.span_mm[1]:
            medial, edge = medial + outline.medial_mm, edge + outline.lateral_mm
            spread, source = self.settings.outline_spread_mm / outline.confidence, "pectoralis minor"
        name, confidence = _level(lateral, (medial, edge), spread)
        is_sure = confidence >= self.settings.min_confidence and below <= self.settings.below_apex_mm
        return Level(name if is_sure else "", confidence, source)

    def _landmarks(self, below_mm: float) -> tuple[float, float]:
        """Medial and lateral border estimated from lungs and cage, mm from the midline."""
        medial, lateral = self.settings.medial_border, self.settings.lateral_border
        return self._half_width_mm * _share(medial, below_mm), self._half_width_mm * _share(lateral, below_mm)

    def skin_mm(self, center_xyz_mm: FloatArray) -> float:
        """Shortest way from a point out of the body within its axial slice, mm; 0 outside it."""
        coarse = self.anatomy.grid
        index = np.clip(np.round(coarse.geometry.to_index(center_xyz_mm)), 0, np.asarray(coarse.shape_zyx) - 1).astype(int)
        z, y, x = (int(i) for i in index)
        plane = self.anatomy.masks["body"][z]
        outside = np.argwhere(~np.pad(plane, 1)) - 1
        steps = (outside - (y, x)) * np.asarray(coarse.spacing_zyx_mm[1:])
        return float(np.sqrt((steps**2).sum(axis=1).min())) if plane[y, x] else 0.0

    def vessel_mm(self, points_xyz_mm: FloatArray, side: str) -> float:
        """Distance from a node's nearest voxel to the wall of the side's traced axillary artery or vein, mm (to about 2 mm).

        0 where they touch; NaN where none was traced (no contrast, or blood could not be followed).
        """
        vessels = self._vessels[side]
        if vessels is None:
            return float("nan")
        tree, radii = vessels
        distance, nearest = tree.query(points_xyz_mm)
        return float(np.maximum(distance - radii[nearest], 0).min())

    def vessel_names(self, side: str) -> str:
        """Which of the axillary vessels :meth:`vessel_mm` knows: ``artery, vein``, one, or none."""
        return ", ".join(sorted(trace.name for trace in self.anatomy.traces.get(side, ())))

    @cached_property
    def _half_width_mm(self) -> float:
        columns = np.flatnonzero(self.anatomy.masks["cage"].any(axis=(0, 1)))
        return float((columns[-1] - columns[0] + 1) / 2 * self.anatomy.grid.spacing_zyx_mm[2])

    @cached_property
    def _vessels(self) -> dict[str, tuple[cKDTree, FloatArray] | None]:
        found: dict[str, tuple[cKDTree, FloatArray] | None] = dict.fromkeys(SIDES)
        for side, traces in self.anatomy.traces.items():
            if traces:
                points = np.concatenate([trace.points_xyz_mm for trace in traces])
                found[side] = (cKDTree(points), np.concatenate([trace.radii_mm for trace in traces]))
        return found

    @cached_property
    def _outlines(self) -> dict[str, _Outline | None]:
        return {side: self._outline(side) for side in SIDES}

    def _outline(self, side: str) -> _Outline | None:
        """How far the outlined muscle's edges lie from the borders that the landmarks tell."""
        anatomy, settings = self.anatomy, self.settings
        confidence = anatomy.minor_confidence.get(side, 0.0)
        if confidence == 0:
            return None
        minor = anatomy.masks[f"pectoralis_minor_{side}"]
        dz, _, dx = anatomy.grid.spacing_zyx_mm
        low, high = settings.outline_heights_mm
        heights, off = [], []
        for z in np.flatnonzero(minor.any(axis=(1, 2))):
            below = anatomy.apex_mm - float(z) * dz
            if low <= below <= high:
                away = np.abs(np.flatnonzero(minor[z].any(axis=0)) * dx - anatomy.midline_mm)
                medial, lateral = self._landmarks(below)
                heights.append(below)
                off.append((away.min() - dx / 2 - medial, away.max() + dx / 2 - lateral))
        if not off:
            return None
        medial_mm = float(np.quantile([m for m, _ in off], settings.medial_quantile))
        lateral_mm = float(np.median([edge for _, edge in off]))
        if abs(lateral_mm) > settings.most_correction_mm:
            return None
        if abs(medial_mm) > settings.most_correction_mm:
            medial_mm = 0.0
        weight = settings.outline_weight
        return _Outline(weight * medial_mm, weight * lateral_mm, (min(heights), max(heights)), confidence)


def _level(lateral_mm: float, borders_mm: tuple[float, float], spread_mm: float) -> tuple[str, float]:
    """The likeliest level between two borders each known to `spread_mm`, and how likely it is."""
    outside = _sure(lateral_mm - borders_mm[1], spread_mm)
    inside = 1 - _sure(lateral_mm - borders_mm[0], spread_mm)
    shares = {"I": outside, "II": (1 - outside) * (1 - inside), "III": (1 - outside) * inside}
    best = max(shares, key=lambda name: shares[name])
    return best, shares[best]


def _share(border: tuple[tuple[float, float], tuple[float, float]], below_mm: float) -> float:
    return float(np.interp(below_mm, [border[0][0], border[1][0]], [border[0][1], border[1][1]]))


def _sure(distance_mm: float, spread_mm: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(distance_mm / spread_mm, -50, 50))))
