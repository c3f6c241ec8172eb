"""Closed planar contours to voxels: even-odd fill, with the outline itself inside.

A voxel belongs to a region when a ray from its center crosses the region's outlines an odd number of times, all contours
of a slice counted together (so a contour within a contour is a hole), or when its center lies on an outline. Software that
traces label maps puts its points on the centers of the outermost voxels; without the second rule those voxels would be lost. A
contour that encloses no center still counts as the voxel nearest to its middle: a tiny region is not dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from axilla.errors import InputRefusedError
from axilla.volume import BoolArray, FloatArray, Geometry

_ON_OUTLINE_VOX = 0.01
"""A center closer to an outline than this lies on it: files write contour points with two to four decimals of a mm."""

_IN_PLANE_VOX = 0.1
"""Contours may leave the plane of a slice by this fraction of the slice spacing before they count as off the grid."""


@dataclass(frozen=True)
class Contour:
    """Points ``(n, 3)`` of one closed contour, LPS mm."""

    points_xyz_mm: FloatArray


@dataclass(frozen=True)
class Drawn:
    """Voxels ``(n, 3)`` of each region, and remarks."""

    indices_zyx: Mapping[int, npt.NDArray[np.int64]]
    notes: tuple[str, ...] = ()


def draw(regions: Mapping[int, tuple[Contour, ...]], geometry: Geometry, snap_to_slices: bool = False) -> Drawn:
    """Fill the contours of each region on a grid.

    Raises
    ------
    InputRefusedError
        If contours lie between the grid's slices or across them (unless `snap_to_slices`), or all lie outside.
    """
    found: dict[int, npt.NDArray[np.int64]] = {}
    n_all, n_outside, n_between = 0, 0, 0
    for number, contours in regions.items():
        by_slice: dict[int, list[FloatArray]] = {}
        for contour in contours:
            index = geometry.to_index(contour.points_xyz_mm)
            z = float(np.median(index[:, 0]))
            n_all += 1
            n_between += bool(np.abs(index[:, 0] - round(z)).max() > _IN_PLANE_VOX)
            if not -0.5 <= z <= geometry.shape_zyx[0] - 0.5:
                n_outside += 1
                continue
            by_slice.setdefault(min(max(round(z), 0), geometry.shape_zyx[0] - 1), []).append(index[:, 1:])
        found[number] = _fill_slices(by_slice, geometry.shape_zyx[1:])
    if n_outside == n_all:
        raise InputRefusedError("All contours of the RTSTRUCT lie outside the CT; give the CT they were drawn on.")
    if n_between and not snap_to_slices:
        raise InputRefusedError(
            f"{n_between} of {n_all} contours of the RTSTRUCT do not lie in the CT's slices (drawn on another CT or "
            "grid); give that CT, or ask for resampling (--resample-mask) to move them to the nearest slice."
        )
    notes = []
    if n_between:
        notes.append(f"{n_between} of {n_all} contours were moved to the nearest slice of the CT.")
    if n_outside:
        notes.append(f"{n_outside} of {n_all} contours lie outside the CT and were left out.")
    return Drawn(found, tuple(notes))


def fill(contours_yx: list[FloatArray], shape_yx: tuple[int, int]) -> BoolArray:
    """Even-odd fill of closed polygons given as ``(n, 2)`` fractional ``(y, x)`` indices; outlines belong inside."""
    odd = np.zeros(shape_yx, dtype=bool)
    outline = np.zeros(shape_yx, dtype=bool)
    for points_yx in contours_yx:
        inside, border = _crossings(points_yx, shape_yx), _on_outline(points_yx, shape_yx)
        if not inside.any() and not border.any():
            inside = _nearest_voxel(points_yx, shape_yx)
        odd ^= inside
        outline |= border
    return odd | outline


def _fill_slices(by_slice: Mapping[int, list[FloatArray]], shape_yx: tuple[int, int]) -> npt.NDArray[np.int64]:
    pieces = []
    for z, contours in sorted(by_slice.items()):
        every = np.concatenate(contours)
        low = np.clip(np.floor(every.min(axis=0)).astype(int) - 1, 0, shape_yx)
        high = np.clip(np.ceil(every.max(axis=0)).astype(int) + 2, 0, shape_yx)
        if (high <= low).any():
            continue
        mask = fill([points - low for points in contours], (int(high[0] - low[0]), int(high[1] - low[1])))
        places = np.argwhere(mask) + low
        pieces.append(np.column_stack([np.full(len(places), z), places]))
    return np.concatenate(pieces).astype(np.int64) if pieces else np.zeros((0, 3), dtype=np.int64)


def _edges(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    return points, np.roll(points, -1, axis=0)


def _crossings(points_yx: FloatArray, shape_yx: tuple[int, int]) -> BoolArray:
    """Parity of outline crossings left of each center; half-open in y, so that a vertex counts once."""
    start, end = _edges(points_yx)
    first = np.ceil(np.minimum(start[:, 0], end[:, 0])).astype(int)
    last = np.ceil(np.maximum(start[:, 0], end[:, 0])).astype(int)
    first, last = np.clip(first, 0, shape_yx[0]), np.clip(last, 0, shape_yx[0])
    edge, row = _spread(first, last)
    slope = (row - start[edge, 0]) / (end[edge, 0] - start[edge, 0])
    column = np.ceil(start[edge, 1] + slope * (end[edge, 1] - start[edge, 1])).astype(int)
    toggles = np.zeros((shape_yx[0], shape_yx[1] + 1), dtype=np.int64)
    np.add.at(toggles, (row, np.clip(column, 0, shape_yx[1])), 1)
    return np.asarray(np.cumsum(toggles, axis=1)[:, :-1] % 2 == 1)


def _on_outline(points_yx: FloatArray, shape_yx: tuple[int, int]) -> BoolArray:
    """Centers on an outline: edges are followed along the axis they run along most, so that no center is passed by."""
    start, end = _edges(points_yx)
    is_steep = np.abs(end[:, 0] - start[:, 0]) >= np.abs(end[:, 1] - start[:, 1])
    mask = np.zeros(shape_yx, dtype=bool)
    for along, chosen in ((0, is_steep), (1, ~is_steep)):
        across = 1 - along
        a, b = start[chosen], end[chosen]
        low = np.ceil(np.minimum(a[:, along], b[:, along]) - _ON_OUTLINE_VOX).astype(int)
        high = np.floor(np.maximum(a[:, along], b[:, along]) + _ON_OUTLINE_VOX).astype(int) + 1
        edge, line = _spread(np.clip(low, 0, shape_yx[along]), np.clip(high, 0, shape_yx[along]))
        length = b[edge, along] - a[edge, along]
        part = np.divide(line - a[edge, along], length, out=np.zeros(len(edge)), where=length != 0)
        place = a[edge, across] + np.clip(part, 0, 1) * (b[edge, across] - a[edge, across])
        nearest = np.rint(place).astype(int)
        is_on = (np.abs(place - nearest) <= _ON_OUTLINE_VOX) & (nearest >= 0) & (nearest < shape_yx[across])
        rows, columns = (line, nearest) if along == 0 else (nearest, line)
        mask[rows[is_on], columns[is_on]] = True
    return mask


def _spread(first: npt.NDArray[np.int_], last: npt.NDArray[np.int_]) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_]]:
    """Every pair (edge, line) with ``first[edge] <= line < last[edge]``."""
    counts = np.maximum(last - first, 0)
    edge = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    return edge, first[edge] + within


def _nearest_voxel(points_yx: FloatArray, shape_yx: tuple[int, int]) -> BoolArray:
    mask = np.zeros(shape_yx, dtype=bool)
    row, column = np.rint(points_yx.mean(axis=0)).astype(int)
    if 0 <= row < shape_yx[0] and 0 <= column < shape_yx[1]:
        mask[row, column] = True
    return mask
