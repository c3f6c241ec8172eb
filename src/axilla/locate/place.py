"""Where a node lies among its surroundings: level by the borders of pectoralis minor, distance to skin and axillary vessels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from axilla.anatomy import Anatomy
from axilla.anatomy.morphology import components
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

    border_spread_mm: float = 6.0
    """How surely a border estimated from lungs and cage is the muscle's: 0.88 at two of these from it."""

    min_confidence: float = 0.8
    """A level less sure than this is left empty."""

    below_apex_mm: float = 120.0
    """Further down lies the chest wall, where pectoralis minor has ended: no level is given."""

    min_vessel_length_mm: float = 30.0
    """The axillary vessels are the largest enhanced structure beside the cage at least this long."""


_DEFAULTS = PlaceSettings()


class Surroundings:
    """Places in one patient's anatomy."""

    def __init__(self, anatomy: Anatomy, settings: PlaceSettings = _DEFAULTS) -> None:
        self.anatomy, self.settings = anatomy, settings

    def level(self, center_xyz_mm: FloatArray, side: str) -> tuple[str, float]:
        """Level and how sure it is, 0-1 (NaN without a chest); empty where it is not sure enough.

        Pectoralis minor itself is not outlined: its borders are estimated from the lung apex and the cage's width.
        """
        settings, anatomy = self.settings, self.anatomy
        if not np.isfinite(anatomy.midline_mm) or anatomy.coverage[side] == "absent":
            return "", float("nan")
        height, _, column = anatomy.grid.geometry.to_index(center_xyz_mm) * anatomy.grid.spacing_zyx_mm
        below = anatomy.apex_mm - float(height)
        lateral = abs(float(column) - anatomy.midline_mm)
        from_lateral = lateral - self._half_width_mm * _share(settings.lateral_border, below)
        from_medial = lateral - self._half_width_mm * _share(settings.medial_border, below)
        outside, inside = _sure(from_lateral, settings), 1 - _sure(from_medial, settings)
        shares = {"I": outside, "II": (1 - outside) * (1 - inside), "III": (1 - outside) * inside}
        best = max(shares, key=lambda name: shares[name])
        is_sure = shares[best] >= settings.min_confidence and below <= settings.below_apex_mm
        return (best if is_sure else ""), shares[best]

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
        """Distance from a node's nearest voxel to the side's axillary vessels, mm (to about 3 mm); NaN where none are enhanced.

        Artery and vein run together and are not told apart.
        """
        tree = self._vessels[side]
        if tree is None:
            return float("nan")
        return float(np.min(tree.query(points_xyz_mm)[0]))

    @cached_property
    def _half_width_mm(self) -> float:
        columns = np.flatnonzero(self.anatomy.masks["cage"].any(axis=(0, 1)))
        return float((columns[-1] - columns[0] + 1) / 2 * self.anatomy.grid.spacing_zyx_mm[2])

    @cached_property
    def _vessels(self) -> dict[str, cKDTree | None]:
        return {side: self._vessel_tree(side) for side in SIDES}

    def _vessel_tree(self, side: str) -> cKDTree | None:
        """The largest enhanced structure in the upper axilla."""
        anatomy = self.anatomy
        region = anatomy.masks[f"axilla_{side}"]
        if not region.any():
            return None
        labels, n = components(anatomy.masks["vessels"] & region, fully_connected=True)
        if n == 0:
            return None
        best = int(np.bincount(labels.ravel())[1:].argmax()) + 1
        points = anatomy.grid.geometry.to_mm(np.argwhere(labels == best).astype(np.float64))
        is_long = float(np.linalg.norm(np.ptp(points, axis=0))) >= self.settings.min_vessel_length_mm
        return cKDTree(points) if is_long else None


def _share(border: tuple[tuple[float, float], tuple[float, float]], below_mm: float) -> float:
    return float(np.interp(below_mm, [border[0][0], border[1][0]], [border[0][1], border[1][1]]))


def _sure(distance_mm: float, settings: PlaceSettings) -> float:
    return float(1 / (1 + np.exp(-np.clip(distance_mm / settings.border_spread_mm, -50, 50))))
