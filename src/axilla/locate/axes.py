"""Lengths of a mask: its diameters as a radiologist measures them in the axial plane, along its axes, along its own inside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import ConvexHull
from skimage.measure import find_contours

from axilla.volume import BoolArray, FloatArray, TripleFloat

_HALF_NEIGHBORS = np.array([s for s in np.ndindex(3, 3, 3) if s > (1, 1, 1)]) - 1


@dataclass(frozen=True)
class AxialAxes:
    """RECIST's two diameters.

    Parameters
    ----------
    long_mm, short_mm : float
        Longest diameter of any axial slice; longest diameter at right angles to it on the same slice.
    slice_index : int
        That slice, as a row of the mask.
    largest_slice_index : int
        Row of the slice with the largest area.
    """

    long_mm: float
    short_mm: float
    slice_index: int
    largest_slice_index: int


def axial_axes(mask: BoolArray, spacing_yx_mm: tuple[float, float]) -> AxialAxes:
    """Long and short axis as RECIST 1.1 (Eisenhauer et al., Eur J Cancer 2009;45:228-247) measures nodes.

    The outline runs halfway between the centers of inside and outside pixels, so a row of n pixels measures n pixels and
    a digitized ellipse measures its diameters without bias.

    Parameters
    ----------
    mask : ndarray of bool, shape (z, y, x)
        At least one voxel; axis 0 must run from feet to head.
    spacing_yx_mm : tuple of float
    """
    areas = np.count_nonzero(mask, axis=(1, 2))
    best: tuple[float, int, int] = (0.0, 0, 0)
    outline = np.zeros((0, 2))
    for z in np.flatnonzero(areas):
        points = np.concatenate(_contours(mask[z], spacing_yx_mm))
        length = _longest(points)[0]
        if (length, int(areas[z])) > best[:2]:
            best, outline = (length, int(areas[z]), int(z)), points
    long_mm, direction = _longest(outline)
    short_mm = _widest_chord(_contours(mask[best[2]], spacing_yx_mm), direction)
    return AxialAxes(long_mm, min(short_mm, long_mm), best[2], int(areas.argmax()))


def _contours(pixels: BoolArray, spacing_yx_mm: tuple[float, float]) -> list[FloatArray]:
    """Closed outlines of a 2D mask, points (y, x) in mm."""
    padded = np.pad(pixels, 1).astype(np.float64)
    contours = find_contours(padded, 0.5)  # type: ignore[no-untyped-call]
    return [np.asarray(c, dtype=np.float64) * spacing_yx_mm for c in contours]


def _longest(points: FloatArray) -> tuple[float, FloatArray]:
    """Largest distance between two points, and its direction."""
    corners = points[ConvexHull(points).vertices]
    difference = corners[:, None] - corners[None]
    distance = np.sqrt((difference**2).sum(axis=2))
    i, j = np.unravel_index(int(distance.argmax()), distance.shape)
    return float(distance[i, j]), np.asarray(difference[i, j] / distance[i, j])


def _widest_chord(contours: list[FloatArray], direction: FloatArray) -> float:
    """Longest extent of the outline along a line at right angles to `direction`.

    Between two of the outline's points the extent is linear, so it is largest on a line through one of them.
    """
    across = np.array([-direction[1], direction[0]])
    start = np.concatenate([c[:-1] for c in contours])
    end = np.concatenate([c[1:] for c in contours])
    t_start, t_end, s_start, s_end = start @ direction, end @ direction, start @ across, end @ across
    step = t_end - t_start
    is_flat = np.abs(step) < 1e-12
    widest = 0.0
    for t in np.unique(t_start):
        share = (t - t_start) / np.where(is_flat, 1.0, step)
        crossed = ~is_flat & (share >= -1e-9) & (share <= 1 + 1e-9)
        places = s_start[crossed] + share[crossed] * (s_end - s_start)[crossed]
        flat = is_flat & (np.abs(t - t_start) < 1e-9)
        places = np.concatenate([places, s_start[flat], s_end[flat]])
        if places.size:
            widest = max(widest, float(np.ptp(places)))
    return widest


def principal_lengths(mask: BoolArray, spacing: TripleFloat) -> TripleFloat:
    """Extents of a mask along its principal axes, one voxel included, longest first, mm."""
    points = np.argwhere(mask) * np.asarray(spacing)
    points = points - points.mean(axis=0)
    _, axes = np.linalg.eigh(points.T @ points)
    along = points @ axes
    voxel = np.abs(axes.T) @ np.asarray(spacing)
    lengths = sorted((np.ptp(along, axis=0) + voxel).tolist(), reverse=True)
    return (lengths[0], lengths[1], lengths[2])


def geodesic_length(mask: BoolArray, spacing: TripleFloat) -> float:
    """Length of a mask along its own inside, end to end with half a voxel at both ends, mm.

    The longest shortest path found by two sweeps through its largest connected part (26 neighbors): exact for trees,
    a close lower bound for lumps.
    """
    index = np.full(np.add(mask.shape, 2), -1)
    inner = index[1:-1, 1:-1, 1:-1]
    inner[mask] = np.arange(np.count_nonzero(mask))
    points = np.argwhere(mask) + 1
    starts, ends, lengths = [], [], []
    for step in _HALF_NEIGHBORS:
        other = index[tuple((points + step).T)]
        linked = other >= 0
        starts.append(np.flatnonzero(linked))
        ends.append(other[linked])
        lengths.append(np.full(int(linked.sum()), np.linalg.norm(step * np.asarray(spacing))))
    n = len(points)
    values = (np.concatenate(lengths), (np.concatenate(starts), np.concatenate(ends)))
    graph = coo_array(values, shape=(n, n)).tocsr()
    source, reach = 0, 0.0
    for _ in range(2):
        distance = dijkstra(graph, directed=False, indices=np.array([source]))[0]
        distance[~np.isfinite(distance)] = -1
        source, reach = int(distance.argmax()), float(distance.max())
    return reach + min(spacing)
