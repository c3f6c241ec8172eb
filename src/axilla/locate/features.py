"""What is measured on each hypothesis to tell a node from a vessel, a muscle's tip or a strand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from axilla.locate.crop import SideCrop
from axilla.locate.hypotheses import Hypothesis
from axilla.locate.partition import HU_EDGES, SURFACES
from axilla.locate.star import Star
from axilla.volume import FloatArray

_WIDE = 0.35
"""A passage of this share of the radius counts as a neighbor; narrower ones are strands of fascia."""

_VESSEL_SHARE = 0.03
"""Share of the surface that must face a dense vessel, or other soft tissue, for it to count as a neighbor."""

GROUPS: dict[str, tuple[str, ...]] = {
    "size": ("radius_mm", "diameter_mm", "slices", "thickness_mm", "width_mm"),
    "shape": (
        "elongation", "flatness", "ballness", "fill", "bend", "length_mm", "width_ratio", "open_share", "through_share",
        "faint_open_share", "faint_through_share", "formed",
    ),
    "fat": ("fat_contact", "wall_contact", "vessel_contact", "soft_contact", "pad_share", "hilum_share", "crowding"),
    "neck": (
        "neck", "second_neck", "neck_gain", "behind", "wall_neck", "opposition", "n_neighbors", "contact", "second_contact",
    ),
    "density": ("density", "median_density", "low_density", "spread", "enhancement", "step_to_neighbor"),
    "scan": ("slice_mm", "blood"),
}  # fmt: skip
"""The measurements by what a person would call them."""

NAMES = tuple(name for names in GROUPS.values() for name in names)


def principal_lengths_of_moments(sums: FloatArray, voxel_mm: Sequence[float]) -> FloatArray:
    """Axes of the ellipsoids with the same second moments, longest first, ``(n, 3)`` mm; one voxel's own moment included."""
    count = sums[:, :1]
    mean = sums[:, 3:6] / count
    second = sums[:, 6:12] / count
    z, y, x = mean.T
    zz, yy, xx, zy, zx, yx = second.T
    own = np.asarray(voxel_mm) ** 2 / 12
    matrix = np.array([
        [zz - z * z + own[0], zy - z * y, zx - z * x],
        [zy - z * y, yy - y * y + own[1], yx - y * x],
        [zx - z * x, yx - y * x, xx - x * x + own[2]],
    ]).transpose(2, 0, 1)  # fmt: skip
    variances = np.linalg.eigvalsh(matrix)[:, ::-1]
    return np.asarray(2 * np.sqrt(5 * np.maximum(variances, own.min())))


def measurements(
    items: Sequence[Hypothesis], stars: Sequence[Star], faint: Sequence[Star], crowding: Sequence[float], crop: SideCrop
) -> npt.NDArray[np.float64]:
    """Values of all `NAMES`, ``(n, len(NAMES))``, of hypotheses of one partition.

    Parameters
    ----------
    items : sequence of Hypothesis
    stars, faint : sequence of Star
        The rays from each one's deepest place, to half its density and to a fainter level.
    crowding : sequence of float
        Share of soft tissue around it.
    crop : SideCrop
    """
    part = items[0].partition
    sums = np.array([part.sums[list(h.pieces)].sum(axis=0) for h in items])
    surface = np.array([part.surface_mm2[list(h.pieces)].sum(axis=0) for h in items])
    histograms = np.array([part.histograms[list(h.pieces)].sum(axis=0) for h in items])
    volume = sums[:, 0] * crop.voxel_mm3
    radius = np.array([h.radius_mm for h in items])
    lengths = principal_lengths_of_moments(sums, crop.spacing)
    neighbors = [_Neighbors(h, sums[i, 3:6] / sums[i, 0]) for i, h in enumerate(items)]
    total = surface.sum(axis=1) + np.array([n.area for n in neighbors])
    facing = surface / np.maximum(total, 1e-9)[:, None]
    low, median, high = (_quantile(histograms, q) for q in (0.1, 0.5, 0.9))
    step = crop.muscle_hu - crop.fat_hu
    half = min(crop.spacing[1:]) / 2
    necks = np.array([[max(0.0, depth - half) for depth, _ in (*h.passages, (0, 0), (0, 0))][:2] for h in items])
    own_room = np.maximum(radius - half, half)
    thickness = np.array([star.thickness_mm for star in stars])
    width = np.array([star.width_mm for star in stars])
    diameter = (6 * volume / np.pi) ** (1 / 3)
    columns = {
        "radius_mm": radius,
        "diameter_mm": diameter,
        "slices": diameter / crop.native_slice_mm,
        "thickness_mm": thickness,
        "width_mm": width,
        "elongation": lengths[:, 0] / lengths[:, 1],
        "flatness": lengths[:, 1] / lengths[:, 2],
        "ballness": np.minimum(1.0, 4 / 3 * np.pi * radius**3 / volume),
        "fill": volume / (np.pi / 6 * lengths.prod(axis=1)),
        "bend": lengths[:, 2] / (2 * radius),
        "length_mm": lengths[:, 0],
        "width_ratio": width / np.maximum(thickness, 0.5),
        "open_share": np.array([star.open_share for star in stars]),
        "through_share": np.array([star.through_share for star in stars]),
        "faint_open_share": np.array([star.open_share for star in faint]),
        "faint_through_share": np.array([star.through_share for star in faint]),
        "formed": np.array([h.formed for h in items]),
        "fat_contact": facing[:, SURFACES.index("fat")],
        "wall_contact": facing[:, SURFACES.index("wall")],
        "vessel_contact": facing[:, SURFACES.index("vessel")],
        "soft_contact": facing[:, SURFACES.index("soft")],
        "pad_share": sums[:, 2] / sums[:, 0],
        "hilum_share": 1 - sums[:, 1] / sums[:, 0],
        "crowding": np.asarray(crowding),
        "neck": necks[:, 0] / own_room,
        "second_neck": necks[:, 1] / own_room,
        "neck_gain": np.array([h.formed for h in items]) - necks[:, 0] / own_room,
        "behind": np.array([h.passages[0][1] if h.passages else 0.0 for h in items]) / radius,
        "wall_neck": np.array([part.wall_neck_mm[list(h.pieces)].max() for h in items]) / radius,
        "n_neighbors": np.array([sum(depth >= _WIDE * h.radius_mm for depth, _ in h.passages) for h in items]),
        "density": (high - crop.fat_hu) / step,
        "median_density": (median - crop.fat_hu) / step,
        "low_density": (low - crop.fat_hu) / step,
        "spread": (high - low) / step,
        "enhancement": enhancement(high, radius, crop),
        "slice_mm": np.full(len(items), crop.native_slice_mm),
        "blood": np.full(len(items), (crop.blood_hu - crop.fat_hu) / step if crop.is_enhanced else 1.0),
    }
    columns |= _around(neighbors, total, facing, high, high_density(part.histograms), step)
    return np.column_stack([columns[name] for name in NAMES])


def _around(
    neighbors: Sequence[_Neighbors], total: FloatArray, facing: FloatArray, high: FloatArray, pieces_high: FloatArray, step: float
) -> dict[str, FloatArray]:
    """What the pieces around each hypothesis tell; densities `high` and `pieces_high` in HU, `total` surface in mm2."""
    contact = np.array([n.largest for n in neighbors]) / np.maximum(total, 1e-9)[:, None]
    return {
        "opposition": np.array([n.opposition(row) for n, row in zip(neighbors, facing, strict=True)]),
        "contact": contact[:, 0],
        "second_contact": contact[:, 1],
        "step_to_neighbor": np.array([own - n.density(pieces_high, own) for n, own in zip(neighbors, high, strict=True)]) / step,
    }


def enhancement(peak_hu: FloatArray, radius_mm: FloatArray, crop: SideCrop) -> FloatArray:
    """Density above muscle, as a share of what a vessel of the same caliber would show on this scan.

    Partial volume lets a vessel of inscribed radius R keep about R^2 / (R^2 + b^2) of its enhancement, where b grows with
    the slice distance. 0 is muscle, 1 is a vessel; 0 where the scan is not enhanced.
    """
    if not crop.is_enhanced:
        return np.zeros_like(radius_mm)
    blur = 0.8 + 0.6 * crop.native_slice_mm
    kept = radius_mm**2 / (radius_mm**2 + blur**2)
    return np.clip((peak_hu - crop.muscle_hu) / ((crop.blood_hu - crop.muscle_hu) * kept), -1.0, 2.0)


def high_density(histograms: FloatArray) -> FloatArray:
    """90th percentile of binned densities, HU: what partial volume leaves of a piece's own density."""
    return _quantile(histograms, 0.9)


def _quantile(histograms: FloatArray, q: float) -> FloatArray:
    """Quantiles of binned densities, linear within a bin; the lowest edge where a row is empty."""
    cumulated = np.cumsum(histograms, axis=1)
    wanted = q * cumulated[:, -1:]
    index = np.minimum((cumulated < wanted).sum(axis=1), histograms.shape[1] - 1)
    rows = np.arange(len(histograms))
    inside = histograms[rows, index]
    before = cumulated[rows, index] - inside
    share = np.where(inside > 0, (wanted[:, 0] - before) / np.maximum(inside, 1e-9), 0.0)
    return np.asarray(HU_EDGES[index] + np.clip(share, 0, 1) * np.diff(HU_EDGES)[0])


class _Neighbors:
    """The pieces around one hypothesis."""

    def __init__(self, hypothesis: Hypothesis, middle: FloatArray) -> None:
        self.hypothesis, self.middle = hypothesis, middle
        own = set(hypothesis.pieces)
        self.faces: dict[int, FloatArray] = {}
        self.depth: dict[int, float] = {}
        for label in hypothesis.pieces:
            for other, depth, row in hypothesis.partition.contacts[label]:
                if other not in own:
                    self.faces[other] = self.faces[other] + row if other in self.faces else row
                    self.depth[other] = max(depth, self.depth.get(other, 0.0))
        areas = sorted((float(row[0]) for row in self.faces.values()), reverse=True)
        self.area = float(sum(areas))
        first, second, *_ = (*areas, 0.0, 0.0)
        self.largest = (first, second)

    def opposition(self, facing: FloatArray) -> float:
        """Least cosine between the directions to two neighbors: -1 where something runs through, 1 with fewer than two."""
        part, pieces = self.hypothesis.partition, list(self.hypothesis.pieces)
        wide = [self.faces[other] for other, depth in self.depth.items() if depth >= _WIDE * self.hypothesis.radius_mm]
        places = [row[1:] / row[0] for row in wide]
        for name, sums in (("vessel", part.vessel_place), ("soft", part.soft_place)):
            kind = SURFACES.index(name)
            if facing[kind] > _VESSEL_SHARE:
                places.append(sums[pieces].sum(axis=0) / part.surface_mm2[pieces, kind].sum())
        if len(places) < 2:
            return 1.0
        steps = np.asarray(places) - self.middle
        directions = steps / np.maximum(np.sqrt((steps**2).sum(axis=1, keepdims=True)), 1e-6)
        return float((directions @ directions.T).min())

    def density(self, high_hu: FloatArray, default_hu: float) -> float:
        """90th percentile of the neighbor with the largest contact, HU."""
        if not self.faces:
            return default_hu
        return float(high_hu[max(self.faces, key=lambda other: (self.faces[other][0], other))])
