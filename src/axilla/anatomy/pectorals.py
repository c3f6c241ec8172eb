"""Pectoralis major and minor: the two layers of muscle before the chest wall, told apart by the fat between them.

1. One side is sampled along parallel rays that run from the chest forward and somewhat outward, across both muscles.
2. A place on a ray is likely the front of pectoralis minor when fat lies there, muscle of its thickness behind it, an edge
   (fat, bone, chest wall) behind that, and more muscle before it.
3. Semi-global matching (Hirschmueller, IEEE PAMI 2008;30:328-341) chooses on every ray the place that fits its neighbors too.
4. The largest connected sheet of sure places is pectoralis minor; from it the front of pectoralis major is followed the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse

from axilla.anatomy import morphology
from axilla.anatomy.noun import CoarseGrid
from axilla.anatomy.scan import SIGN, Scan
from axilla.anatomy.settings import PectoralSettings
from axilla.volume import BoolArray, FloatArray

_F32 = npt.NDArray[np.float32]
_Index = npt.NDArray[np.intp]

_Scalar = TypeVar("_Scalar", np.float32, np.intp)

_DEFAULTS = PectoralSettings()


@dataclass(frozen=True)
class Pectorals:
    """The pectoral muscles of one side on the coarse grid."""

    major: BoolArray
    minor: BoolArray
    confidence: float
    """Of pectoralis minor, 0-1; 0 where it cannot be told, and then its mask is empty."""

    @classmethod
    def none(cls, like: BoolArray) -> Pectorals:
        """Neither muscle told, on the grid of `like`."""
        return cls(np.zeros_like(like), np.zeros_like(like), 0.0)


@dataclass(frozen=True)
class _Frame:
    """Rays of one side: `u` runs across them (outward), `r` along them (forward), both mm from `origin_yx_mm`."""

    slices: slice
    u_mm: FloatArray
    r_mm: FloatArray
    origin_yx_mm: tuple[float, float]
    sign: float
    tilt: float

    def to_yx_mm(self) -> tuple[FloatArray, FloatArray]:
        """Positions of all samples, (u, r)."""
        u, r = np.meshgrid(self.u_mm, self.r_mm, indexing="ij")
        y = self.origin_yx_mm[0] + u * np.sin(self.tilt) - r * np.cos(self.tilt)
        x = self.origin_yx_mm[1] + self.sign * (u * np.cos(self.tilt) + r * np.sin(self.tilt))
        return y, x

    def from_yx_mm(self, y_mm: FloatArray, x_mm: FloatArray) -> tuple[FloatArray, FloatArray]:
        """`u` and `r` of positions."""
        y, x = y_mm - self.origin_yx_mm[0], self.sign * (x_mm - self.origin_yx_mm[1])
        return y * np.sin(self.tilt) + x * np.cos(self.tilt), x * np.sin(self.tilt) - y * np.cos(self.tilt)


@dataclass(frozen=True)
class _Rays:
    """What lies along the rays; all arrays ``(z, u, r)``."""

    fat: _F32
    """Share of fat, 0 in muscle."""
    bone: BoolArray
    wall: BoolArray
    is_other: BoolArray
    """Chest wall, bone, or denser than muscle: not pectoral."""


def find_pectorals(scan: Scan, side: str, settings: PectoralSettings = _DEFAULTS) -> Pectorals:
    """Outline both pectoral muscles of one side."""
    frame = _frame(scan, side, settings)
    rays = _sampled(scan, frame, settings)
    heights_mm, step = scan.above_apex_mm(frame.slices), settings.step_mm
    fit, thickness = _minor_fit(rays, settings)
    front = _smoothest(1 - fit, settings)
    support = np.asarray(ndimage.gaussian_filter(_at(fit, front), 1.0))
    is_near = _lateral_mm(frame, front) < _limit_mm(scan, heights_mm, settings)[:, None]
    is_seed = np.broadcast_to((heights_mm > -settings.seed_mm)[:, None], front.shape)
    sheet = _largest_sheet((support > settings.min_support) & is_near, is_seed, front, settings)
    confidence = _confidence(sheet & (heights_mm < 0)[:, None], support, scan.spacing[0], settings)
    if confidence < settings.min_confidence:
        sheet, confidence = np.zeros_like(sheet), 0.0
    deep = np.maximum(_at(thickness, front), 1)
    minor = _to_coarse(scan.grid, frame, sheet, (front - deep) * step, front * step) & ~scan.chest.bones
    outer, run, is_major = _major(rays, sheet, front, heights_mm, settings)
    major = _to_coarse(scan.grid, frame, is_major, (outer - run) * step, outer * step) & ~scan.chest.bones
    return Pectorals(major & ~minor, minor, confidence)


def _frame(scan: Scan, side: str, settings: PectoralSettings) -> _Frame:
    """Rays hang on the midline and the lungs' middle depth some way below the apex, where it is steady."""
    rows = np.flatnonzero(scan.chest.hull[scan.slices(settings.middle_mm, -settings.middle_mm / 2)].any(axis=(0, 2)))
    if not rows.size:
        rows = np.flatnonzero(scan.chest.hull.any(axis=(0, 2)))
    origin = (float(rows[0] + rows[-1]) / 2 * scan.spacing[1], scan.chest.midline_vox * scan.spacing[2])
    u, r = (np.arange(*span, settings.step_mm) for span in (settings.across_mm, settings.along_mm))
    slices = scan.slices(settings.below_apex_mm, settings.above_apex_mm)
    return _Frame(slices, u, r, origin, SIGN[side], float(np.deg2rad(settings.tilt_degrees)))


def _sampled(scan: Scan, frame: _Frame, settings: PectoralSettings) -> _Rays:
    """The CT along the rays: coarse in z, as fine as the CT within the slice."""
    fine, (fz, fy, fx) = scan.grid.ct.canonical().spacing_zyx_mm, scan.grid.factors_zyx
    y, x = frame.to_yx_mm()
    coarse_at = np.stack([y / scan.spacing[1], x / scan.spacing[2]])
    fine_at = np.stack([y / fine[1] + (fy - 1) / 2, x / fine[2] + (fx - 1) / 2])
    walls = morphology.dilate(scan.chest.hull[frame.slices], settings.wall_mm, scan.spacing, in_plane=True)
    shape = (walls.shape[0], *y.shape)
    hu, wall, inside = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=bool), np.empty(shape, dtype=bool)
    for k, z in enumerate(range(frame.slices.start, frame.slices.stop)):
        slab = scan.canonical_hu[z * fz : (z + 1) * fz].mean(axis=0, dtype=np.float32)
        hu[k] = ndimage.map_coordinates(slab, fine_at, order=1, mode="constant", cval=-1000)
        wall[k] = ndimage.map_coordinates(walls[k].astype(np.float32), coarse_at, order=1) > 0.5
        inside[k] = ndimage.map_coordinates(scan.inner[z].astype(np.float32), coarse_at, order=1) > 0.5
    hu = np.asarray(ndimage.gaussian_filter(hu, (0.5, 0.7, 0.0)))
    fat = np.clip((scan.muscle_hu - settings.muscle_spread_hu - hu) / (scan.muscle_hu - scan.fat_hu), 0, 1)
    share = np.where(inside, fat, 1).astype(np.float32)
    bone = np.asarray(hu > scan.muscle_hu + settings.bone_above_muscle_hu)
    return _Rays(share, bone, wall, np.asarray(wall | (hu > scan.muscle_hu + settings.vessel_above_muscle_hu)))


def _lateral_mm(frame: _Frame, place: _Index) -> FloatArray:
    """Distance of every ray's place from the midline, mm."""
    return np.asarray(frame.u_mm * np.cos(frame.tilt) + frame.r_mm[place] * np.sin(frame.tilt))


def _limit_mm(scan: Scan, heights_mm: FloatArray, settings: PectoralSettings) -> FloatArray:
    """Farthest place of pectoralis minor from the midline on every slice, mm."""
    (high, wide), (low, narrow) = settings.lateral_limit
    return np.asarray(np.interp(-heights_mm, [high, low], [wide, narrow]) * scan.half_width_mm)


def _minor_fit(rays: _Rays, settings: PectoralSettings) -> tuple[_F32, _Index]:
    """How well each place suits the front of pectoralis minor, 0-1, and the muscle's thickness there in steps."""
    step, n = settings.step_mm, rays.fat.shape[2]
    plane = np.where(rays.is_other, 0, np.minimum(1, rays.fat / settings.front_plane_share)).astype(np.float32)
    edge = np.maximum(np.minimum(1, rays.fat / settings.back_plane_share), settings.bone_edge * rays.bone).astype(np.float32)
    edge_or_wall = np.maximum(edge, settings.wall_edge * rays.wall).astype(np.float32)
    foreign = np.where(rays.is_other, np.float32(1), rays.fat)
    thin, thick, bare = (round(mm / step) for mm in (*settings.minor_mm, settings.minor_on_wall_mm))
    fit, thickness, most = np.zeros_like(plane), np.zeros(plane.shape, dtype=np.intp), np.zeros_like(plane)
    for t in range(1, thick + 1):
        most[:, :, t:] = np.maximum(most[:, :, t:], foreign[:, :, : n - t])
        most[:, :, :t] = 1
        if t < thin:
            continue
        behind = np.zeros_like(plane)
        behind[:, :, t + 1 :] = (edge_or_wall if t >= bare else edge)[:, :, : n - t - 1]
        new = (1 - most) * behind
        better = new > fit
        fit[better], thickness[better] = new[better], t
    return fit * plane * _muscle_before(foreign, settings), thickness


def _muscle_before(foreign: _F32, settings: PectoralSettings) -> _F32:
    """Whether a layer of muscle lies before each place, the nearer the better."""
    step, n = settings.step_mm, foreign.shape[2]
    layer = 1 - ndimage.uniform_filter1d(foreign, 3, axis=2)
    before = np.zeros_like(foreign)
    for gap in range(2, round(settings.most_gap_mm / step) + 1):
        weight = np.float32(1 - settings.gap_cost_per_mm * step * (gap - 2))
        np.maximum(before[:, :, : n - gap], weight * layer[:, :, gap:], out=before[:, :, : n - gap])
    return before


def _smoothest(cost: _F32, settings: PectoralSettings) -> _Index:
    """The place on every ray with the least cost along four directions over neighboring rays, ``(z, u)``."""
    total = np.zeros_like(cost)
    for axis in (0, 1):
        lines = np.moveaxis(cost, axis, 0)
        for order in (slice(None), slice(None, None, -1)):
            path = _swept(lines[order], settings)[order]
            total += np.moveaxis(path, 0, axis)
    return np.asarray(total.argmin(axis=2))


def _swept(lines: _F32, settings: PectoralSettings) -> _F32:
    """Accumulated cost from the first to the last line: a step sideways costs little, a jump more."""
    path = np.empty_like(lines)
    path[0] = lines[0]
    for k in range(1, len(lines)):
        last = path[k - 1] - path[k - 1].min(axis=-1, keepdims=True)
        best = np.minimum(last, settings.jump_cost)
        for d in range(1, settings.most_slope + 1):
            cost = np.float32(settings.slope_cost * d)
            np.minimum(best[..., d:], last[..., :-d] + cost, out=best[..., d:])
            np.minimum(best[..., :-d], last[..., d:] + cost, out=best[..., :-d])
        path[k] = lines[k] + best
    return path


def _at(values: npt.NDArray[_Scalar], place: _Index) -> npt.NDArray[_Scalar]:
    return np.asarray(np.take_along_axis(values, place[..., None], axis=2)[..., 0])


def _sheets(is_sure: BoolArray, place: _Index, settings: PectoralSettings) -> npt.NDArray[np.int32]:
    """Labels of sheets: neighboring sure rays whose places differ by no more than the steepest slope; -1 outside."""
    index = np.arange(is_sure.size).reshape(is_sure.shape)
    pairs = []
    for axis, lean in ((0, settings.most_slope), (1, settings.most_slope - 1)):
        a, b = (np.moveaxis(part, axis, 0) for part in (is_sure, place))
        near = a[1:] & a[:-1] & (np.abs(np.diff(b, axis=0)) <= lean)
        own = np.moveaxis(index, axis, 0)
        pairs.append(np.stack([own[1:][near], own[:-1][near]]))
    i, j = np.concatenate(pairs, axis=1)
    graph = sparse.coo_matrix((np.ones(i.size, dtype=bool), (i, j)), shape=(is_sure.size, is_sure.size))
    labels = sparse.csgraph.connected_components(graph, directed=False)[1].reshape(is_sure.shape)
    return np.where(is_sure, labels, -1)


def _largest_sheet(is_sure: BoolArray, counted: BoolArray, place: _Index, settings: PectoralSettings) -> BoolArray:
    """The sheet with most sure rays among the `counted` ones, without spurs, its holes filled."""
    labels = _sheets(is_sure, place, settings)
    if not (is_sure & counted).any():
        return np.zeros_like(is_sure)
    sheet = labels == np.bincount(labels[is_sure & counted]).argmax()
    sheet = ndimage.binary_opening(sheet, np.ones((2, 3), dtype=bool))
    parts, n = ndimage.label(sheet)
    if n == 0:
        return np.asarray(sheet)
    return np.asarray(ndimage.binary_fill_holes(parts == np.bincount(parts[parts > 0]).argmax()))


def _confidence(sheet: BoolArray, support: _F32, dz_mm: float, settings: PectoralSettings) -> float:
    """How surely the sheet is pectoralis minor: how well it fits, and whether it is large and tall enough."""
    if not sheet.any():
        return 0.0
    area = np.count_nonzero(sheet) * settings.step_mm * dz_mm
    height = np.count_nonzero(sheet.any(axis=1)) * dz_mm
    fits = float(support[sheet].mean()) / settings.good_support
    return float(min(1.0, fits) * min(1.0, area / settings.sure_area_mm2) * min(1.0, height / settings.sure_height_mm))


def _major(
    rays: _Rays, minor: BoolArray, minor_front: _Index, heights_mm: FloatArray, settings: PectoralSettings
) -> tuple[_Index, _Index, BoolArray]:
    """Front of pectoralis major on every ray, its thickness in steps, and where it is."""
    step = settings.step_mm
    n = rays.fat.shape[2]
    foreign = np.where(rays.is_other, np.float32(1), rays.fat)
    layer = 1 - ndimage.uniform_filter1d(foreign, 3, axis=2)
    inside = np.zeros_like(layer)
    inside[:, :, 2:] = layer[:, :, :-2]
    outside = np.zeros_like(layer)
    outside[:, :, :-1] = ndimage.uniform_filter1d(rays.fat, 3, axis=2)[:, :, 1:]
    fit = inside * np.where(rays.is_other, 0, np.minimum(1, rays.fat / 0.5)) * outside
    depth = np.arange(n)
    first = _first_front(fit, minor_front)
    seed = minor & (first > 0)
    fit = np.where(seed[..., None] & (depth != first[..., None]), 0, fit).astype(np.float32)
    front = _smoothest(1 - fit, settings)
    support = np.asarray(ndimage.gaussian_filter(_at(fit, front), 0.7))
    labels = _sheets((support > 0.4) & (front * step > settings.major_front_mm - settings.along_mm[0]), front, settings)
    is_seed = seed & (labels >= 0)
    if not is_seed.any():
        is_seed = (heights_mm > -settings.seed_mm)[:, None] & (labels >= 0)
    if not is_seed.any():
        return front, front, np.zeros_like(minor)
    is_major = _medial(labels == np.bincount(labels[is_seed]).argmax(), heights_mm, settings)
    back = np.where((depth < front[..., None]) & (foreign > 0.45), depth, -1).max(axis=2)
    run = np.minimum(front - 1 - back, round(settings.major_mm / step))
    return front, run, is_major & (run > 1)


def _medial(sheet: BoolArray, heights_mm: FloatArray, settings: PectoralSettings) -> BoolArray:
    """On every slice the run of rays nearest the midline: beyond a gap lie the arm's muscles.

    Above the axilla no gap parts them; there the muscle reaches as far out as below, and some more.
    """
    kept = np.zeros_like(sheet)
    ends = np.full(len(sheet), -1)
    for k, row in enumerate(ndimage.binary_opening(sheet, np.ones((1, 5), dtype=bool))):
        if row.any():
            first = int(row.argmax())
            ends[k] = first + int(np.append(~row[first:], True).argmax())
            kept[k, first : ends[k]] = True
    open_low, open_high = settings.open_axilla_mm
    below = (ends > 0) & (heights_mm < -open_low) & (heights_mm > -open_high)
    if below.any():
        last = int(np.median(ends[below]) + settings.above_wider_mm / settings.step_mm)
        kept[heights_mm >= -open_low, last:] = False
    return kept


def _first_front(fit: _F32, minor_front: _Index) -> _Index:
    """The first likely front of a layer beyond pectoralis minor on every ray; 0 where there is none."""
    beyond = (np.arange(fit.shape[2]) > minor_front[..., None] + 2) & (fit > 0.5)
    return np.where(beyond.any(axis=2), beyond.argmax(axis=2), 0)


def _to_coarse(
    grid: CoarseGrid, frame: _Frame, where: BoolArray, back_mm: npt.NDArray[np.floating], front_mm: npt.NDArray[np.floating]
) -> BoolArray:
    """The layer between two places on the rays `where`, as a coarse mask; places are mm from the first sample."""
    mask = np.zeros(grid.shape_zyx, dtype=bool)
    y, x = (np.arange(n, dtype=np.float64) * s for n, s in zip(grid.shape_zyx[1:], grid.spacing_zyx_mm[1:], strict=True))
    u, r = frame.from_yx_mm(y[:, None], x[None, :])
    step = float(frame.u_mm[1] - frame.u_mm[0])
    ray = np.rint((u - frame.u_mm[0]) / step).astype(int)
    is_ray = (ray >= 0) & (ray < len(frame.u_mm))
    ray, depth = ray[is_ray], r[is_ray] - frame.r_mm[0]
    plane = np.zeros(is_ray.shape, dtype=bool)
    for k in np.flatnonzero(where.any(axis=1)):
        plane[is_ray] = where[k, ray] & (depth > back_mm[k, ray] - step / 2) & (depth < front_mm[k, ray] - step / 2)
        mask[frame.slices.start + k] = plane
    return mask
