"""Soft tissue split into lumps at its necks, and one click grown into one node."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.interpolate import make_interp_spline
from skimage.segmentation import watershed
from threadpoolctl import threadpool_limits

from axilla.anatomy import morphology
from axilla.anatomy.morphology import DistanceMap
from axilla.errors import InvalidValueError
from axilla.node import Segment
from axilla.volume import BoolArray, TripleFloat, TripleInt, Volume, bounding_box, from_canonical, to_canonical

LabelArray = npt.NDArray[np.int32]


@dataclass(frozen=True)
class SegmentSettings:
    """How soft tissue is cut into lumps, and how far a click reaches."""

    min_peak_mm: float = 1.1
    """Inscribed radius below which nothing is a lump of its own."""

    merge_saddle: float = 0.75
    """Neighboring lumps whose connection is this share of the smaller one's radius are one object: tubes re-join into
    long tubes, nodes keep a neck."""

    tube_ratio: float = 1.4
    """A lump this many times thicker than what runs into it keeps apart from it: a vessel ends at a node."""

    bump_volume: float = 2.5
    """... unless that is smaller than this many of its own inscribed balls: a bump of the lump."""

    reach_mm: float = 24.0
    """A click looks this far around: a node of 36 mm with room for its surroundings."""

    snap_mm: float = 5.0
    """A click into a fatty hilum or beside a small node goes to the nearest soft tissue within this distance."""

    wall_core_mm: float = 3.5
    """Soft tissue a ball of this radius fits into is muscle where it reaches the border of the reach."""

    max_cortex_mm: float = 5.5
    """Thicker lumps are no crescent's cortex and are not joined to the one clicked."""

    cortex_saddle: float = 0.6
    """Fragments of a crescent are joined where their passage is at least this share of the thinner one's radius."""

    cortex_hu: float = 13.0
    """Fragments of one cortex differ less than this; partial volume alone makes about 10 HU."""

    hole_mm: float = 7.0
    """Mouth of a fatty hilum that is closed."""


_DEFAULTS = SegmentSettings()


@dataclass(frozen=True)
class Pieces:
    """Lumps of soft tissue on a working grid.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        1..n.
    depth : ndarray of float32
        Distance to the islands' outside, mm.
    peaks : ndarray of float64, shape (n + 1,)
        Largest depth of each piece: its inscribed radius.
    saddles : mapping of pair to float
        Depth of the deepest passage between two touching pieces (smaller label first), mm.
    """

    labels: LabelArray
    depth: DistanceMap
    peaks: npt.NDArray[np.float64]
    saddles: dict[tuple[int, int], float]


def cut_at_necks(islands: BoolArray, spacing: TripleFloat, settings: SegmentSettings) -> Pieces:
    """Watershed of the depth map: one piece around every maximum of depth, however shallow the passages between them."""
    depth = morphology.distance_to(~islands, spacing)
    raw = _lumps(depth, islands, spacing, settings)
    return Pieces(raw, depth, _peaks(raw, depth), passages(raw, depth))


def split(islands: BoolArray, spacing: TripleFloat, settings: SegmentSettings) -> Pieces:
    """Lumps: pieces joined again where their passage is nearly as wide as they are."""
    cut = cut_at_necks(islands, spacing, settings)
    raw, depth, peaks, saddles = cut.labels, cut.depth, cut.peaks, cut.saddles
    volumes = np.asarray(np.bincount(raw.ravel(), minlength=len(peaks)) * np.prod(spacing), dtype=np.float64)
    mapping = _join(peaks, volumes, saddles, settings)
    labels = mapping[raw].astype(np.int32)
    return Pieces(labels, depth, _peaks(labels, depth), passages(labels, depth))


def passages(labels: LabelArray, depth: DistanceMap) -> dict[tuple[int, int], float]:
    """Deepest passage between each pair of touching pieces."""
    found: dict[tuple[int, int], float] = {}
    n = int(labels.max(initial=0)) + 1
    for axis in range(3):
        low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        touching = (labels[low] != labels[high]) & (labels[low] > 0) & (labels[high] > 0)
        first, second = labels[low][touching].astype(np.int64), labels[high][touching].astype(np.int64)
        height = np.minimum(depth[low][touching], depth[high][touching])
        keys, place = np.unique(np.minimum(first, second) * n + np.maximum(first, second), return_inverse=True)
        best = np.zeros(len(keys))
        np.maximum.at(best, place, height)
        for key, value in zip(keys.tolist(), best.tolist(), strict=True):
            pair = (key // n, key % n)
            found[pair] = max(found.get(pair, 0.0), value)
    return found


def _lumps(depth: DistanceMap, islands: BoolArray, spacing: TripleFloat, settings: SegmentSettings) -> LabelArray:
    size = [2 * max(1, round(settings.min_peak_mm / s)) + 1 for s in spacing]
    is_peak = (depth >= settings.min_peak_mm) & (depth == ndimage.maximum_filter(depth, size=size))
    markers, _ = morphology.components(is_peak, fully_connected=True)
    flooded: LabelArray = watershed(-depth, markers, mask=islands)  # type: ignore[no-untyped-call]
    return flooded.astype(np.int32)


def _peaks(labels: LabelArray, depth: DistanceMap) -> npt.NDArray[np.float64]:
    peaks = np.zeros(int(labels.max(initial=0)) + 1)
    inside = labels > 0
    np.maximum.at(peaks, labels[inside], depth[inside])
    return peaks


def _join(
    peaks: npt.NDArray[np.float64],
    volumes: npt.NDArray[np.float64],
    saddles: dict[tuple[int, int], float],
    settings: SegmentSettings,
) -> npt.NDArray[np.int64]:
    """New labels 1..m after joining pieces, widest passages first.

    A thin tube that ends in a thick lump stays apart, unless it is so short that it is a bump of the lump.
    """
    parent = np.arange(len(peaks))
    top, size = peaks.copy(), volumes.copy()

    def root(label: int) -> int:
        while parent[label] != label:
            parent[label] = parent[parent[label]]
            label = int(parent[label])
        return label

    for (a, b), saddle in sorted(saddles.items(), key=lambda item: (-item[1], item[0])):
        thin, thick = sorted((root(a), root(b)), key=lambda label: (top[label], label))
        if thin == thick or saddle < settings.merge_saddle * top[thin]:
            continue
        is_bump = size[thin] < settings.bump_volume * 4 / 3 * np.pi * top[thin] ** 3
        if top[thick] <= settings.tube_ratio * top[thin] or is_bump:
            parent[thin] = thick
            size[thick] += size[thin]
    roots = np.array([root(label) for label in range(len(peaks))])
    _, compact = np.unique(roots, return_inverse=True)
    return np.asarray(compact, dtype=np.int64)


def grow(volume: Volume, point_mm: TripleFloat, settings: SegmentSettings = _DEFAULTS, label: int = 1) -> Segment:
    """One click, one node: the lump of soft tissue at a point, fatty hilum included.

    Parameters
    ----------
    volume : Volume
        CT in HU, any orientation.
    point_mm : tuple of float
        LPS ``(x, y, z)``; in the node, in its hilum, or beside it.
    settings : SegmentSettings
    label : int
        Label of the answer.

    Returns
    -------
    Segment
        On the CT's own grid.

    Raises
    ------
    InvalidValueError
        If the point lies outside the CT, or no soft tissue lies near it.
    """
    geometry = volume.geometry
    if not geometry.contains(point_mm):
        raise InvalidValueError(f"The point {tuple(point_mm)} mm lies outside the CT; click inside the image.")
    fine = geometry.canonical()
    seed = fine.to_index(point_mm)
    spacing = fine.spacing_zyx_mm
    reach = [int(np.ceil(settings.reach_mm / s)) for s in spacing]
    low = [max(0, round(float(c)) - r) for c, r in zip(seed, reach, strict=True)]
    high = [min(n, round(float(c)) + r + 1) for c, r, n in zip(seed, reach, fine.shape_zyx, strict=True)]
    box = (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))
    native = to_canonical(volume.array, geometry)[box].astype(np.float32)
    steps = slice_steps(spacing[0])
    inside = (seed - np.asarray(low)) * (steps, 1, 1)
    mask = _lump_at(finer_slices(native, steps), inside, (spacing[0] / steps, *spacing[1:]), settings)[::steps]
    if not mask.any():
        raise InvalidValueError("What lies at the point is thinner than a slice; click on a slice where it is seen.")
    whole = np.zeros(fine.shape_zyx, dtype=bool)
    whole[box] = mask
    own = from_canonical(whole, geometry)
    inner = bounding_box(own)
    return Segment(label, _start(inner), np.ascontiguousarray(own[inner]))


def slice_steps(slice_mm: float, finest_mm: float = 1.5) -> int:
    """Working slices per native slice: about 1 mm apart where slices are thicker than `finest_mm`."""
    return round(slice_mm) if slice_mm > finest_mm else 1


def finer_slices(native: npt.NDArray[np.float32], steps: int) -> npt.NDArray[np.float32]:
    """Cubic-spline interpolation along z with `steps` rows per slice; row ``i * steps`` is slice ``i``, unchanged.

    The product is taken by one thread: with several, the last digits would hang on their number.
    """
    n = native.shape[0]
    if steps == 1 or n < 4:
        return np.repeat(native, steps, axis=0)[: (n - 1) * steps + 1]
    rows = np.arange((n - 1) * steps + 1) / steps
    weights = make_interp_spline(np.arange(n), np.eye(n), k=3)(rows).astype(np.float32)
    with threadpool_limits(1, user_api="blas"):
        product = weights @ native.reshape(n, -1)
    return np.ascontiguousarray(product.reshape(len(rows), *native.shape[1:]))


def _same_cortex(chosen: int, pieces: Pieces, hu: npt.NDArray[np.float32], settings: SegmentSettings) -> list[int]:
    """Thin neighbors of like density through a wide passage: fragments of the same crescent."""

    def density(label: int) -> float:
        return float(np.percentile(hu[pieces.labels == label], 90))

    found, queue, own = [], [chosen], density(chosen)
    while queue:
        label = queue.pop()
        for (a, b), saddle in sorted(pieces.saddles.items()):
            other = b if a == label else a if b == label else 0
            if not other or other == chosen or other in found:
                continue
            thin, thick = sorted((pieces.peaks[label], pieces.peaks[other]))
            is_passage = thick <= settings.max_cortex_mm / 2 and saddle >= settings.cortex_saddle * thin
            if is_passage and abs(density(other) - own) < settings.cortex_hu:
                found.append(other)
                queue.append(other)
    return found


def _start(box: tuple[slice, slice, slice]) -> TripleInt:
    return (box[0].start, box[1].start, box[2].start)


def _lump_at(
    hu: npt.NDArray[np.float32], seed: npt.NDArray[np.float64], spacing: TripleFloat, settings: SegmentSettings
) -> BoolArray:
    """The lump at a fractional index of a crop."""
    soft = hu > _threshold(hu)
    place = _nearest(soft, seed, spacing, settings.snap_mm)
    wall = _walls(soft, spacing, settings)
    free = soft if wall[place] else soft & ~wall
    pieces = split(free, spacing, settings)
    chosen = int(pieces.labels[place])
    if chosen:
        lump = np.isin(pieces.labels, [chosen, *_same_cortex(chosen, pieces, hu, settings)])
    else:
        labels = morphology.components(free)[0]
        lump = labels == labels[place]
    closed = morphology.closed(lump, settings.hole_mm / 2, spacing, in_plane=True) & ~(soft & ~lump)
    return np.asarray(ndimage.binary_fill_holes(closed)) & ~(soft & ~lump)


def _threshold(hu: npt.NDArray[np.float32]) -> float:
    """Halfway between the crop's fat and soft-tissue modes; their usual values where one is missing."""
    counts, edges = np.histogram(hu, bins=np.arange(-150, 151, 10))
    centers = (edges[:-1] + edges[1:]) / 2
    fat, soft = counts[centers < -50], counts[centers > 10]
    fat_hu = float(centers[centers < -50][fat.argmax()]) if fat.max() > 50 else -100.0
    soft_hu = float(centers[centers > 10][soft.argmax()]) if soft.max() > 50 else 45.0
    return (fat_hu + soft_hu) / 2


def _nearest(soft: BoolArray, seed: npt.NDArray[np.float64], spacing: TripleFloat, limit_mm: float) -> TripleInt:
    points = np.argwhere(soft)
    if points.size:
        distance = np.sqrt((((points - seed) * spacing) ** 2).sum(axis=1))
        best = int(distance.argmin())
        if distance[best] <= limit_mm:
            z, y, x = (int(i) for i in points[best])
            return (z, y, x)
    raise InvalidValueError(f"No soft tissue lies within {limit_mm:g} mm of the point; click on the node.")


def _walls(soft: BoolArray, spacing: TripleFloat, settings: SegmentSettings) -> BoolArray:
    """Thick soft tissue that reaches the border of the crop."""
    core = morphology.erode(soft, settings.wall_core_mm, spacing)
    labels, n = morphology.components(core)
    at_border = np.zeros(n + 1, dtype=bool)
    for axis in range(3):
        for end in (0, -1):
            at_border[np.unique(np.take(labels, end, axis=axis))] = True
    at_border[0] = False
    grown = morphology.dilate(np.asarray(at_border[labels]), settings.wall_core_mm + max(spacing[1:]), spacing)
    return np.asarray(grown & soft)
