"""The five texture matrices, counted straight from their definitions. Arrays only.

`levels` is an integer array ``(z, y, x)`` of gray levels 1, 2, ... inside the region and 0 outside. Rows of every matrix are
the levels 1..highest; levels that do not occur have empty rows. Voxels outside the region have no part in anything.
"""

from __future__ import annotations

import itertools
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from axilla.volume import FloatArray, TripleInt

LevelArray: TypeAlias = npt.NDArray[np.int64]
CountArray: TypeAlias = npt.NDArray[np.int64]
_Scalar = TypeVar("_Scalar", np.int64, np.float64)

NEIGHBORS_ZYX: tuple[TripleInt, ...] = tuple(
    (z, y, x) for z, y, x in itertools.product((1, 0, -1), repeat=3) if (z, y, x) != (0, 0, 0)
)
"""Steps to the 26 voxels around a voxel (Chebyshev distance 1)."""

DIRECTIONS_ZYX: tuple[TripleInt, ...] = tuple(o for o in NEIGHBORS_ZYX if o > (0, 0, 0))
"""One step of each opposite pair: the 13 directions of a 3D texture matrix."""


def directions_within(shape_zyx: TripleInt) -> tuple[TripleInt, ...]:
    """The directions along which a box has two voxels: a region one slice thick has 4, not 13."""
    return tuple(d for d in DIRECTIONS_ZYX if all(abs(step) < size for step, size in zip(d, shape_zyx, strict=True)))


def _pair(array: npt.NDArray[_Scalar], step: TripleInt) -> tuple[npt.NDArray[_Scalar], npt.NDArray[_Scalar]]:
    """Views of the voxels that have a voxel one `step` on, and of those voxels."""
    here, there = [], []
    for offset, size in zip(step, array.shape, strict=True):
        here.append(slice(max(0, -offset), size - max(0, offset)))
        there.append(slice(max(0, offset), size - max(0, -offset)))
    return array[tuple(here)], array[tuple(there)]


def cooccurrences(levels: LevelArray, highest: int) -> CountArray:
    """Gray-level co-occurrence: how often levels i and j lie one step apart, counted both ways.

    Returns
    -------
    ndarray, shape (n_directions, highest, highest)
        Symmetric; one matrix per direction, empty ones included.
    """
    steps = directions_within(_shape(levels))
    counts = np.zeros((len(steps), highest, highest), dtype=np.int64)
    for matrix, step in zip(counts, steps, strict=True):
        here, there = _pair(levels, step)
        both = (here > 0) & (there > 0)
        code = (here[both] - 1) * highest + there[both] - 1
        one_way = np.bincount(code, minlength=highest * highest).reshape(highest, highest)
        matrix[:] = one_way + one_way.T
    return counts


def runs(levels: LevelArray, highest: int) -> CountArray:
    """Gray-level run lengths: how many runs of level i are j voxels long.

    A run is a longest line of neighbors of equal level along a direction. A direction along which no line holds two voxels of
    the region says nothing; its matrix stays empty, as in PyRadiomics.

    Returns
    -------
    ndarray, shape (n_directions, highest, longest side)
    """
    steps = directions_within(_shape(levels))
    longest = max(levels.shape)
    counts = np.zeros((len(steps), highest, longest), dtype=np.int64)
    where = np.argwhere(levels > 0)
    value = levels[levels > 0]
    for matrix, step in zip(counts, steps, strict=True):
        line, place = _lines(where, step)
        order = np.lexsort((place, line))
        line, place, level = line[order], place[order], value[order]
        same_line = line[1:] == line[:-1]
        if not same_line.any():
            continue
        continues = same_line & (place[1:] == place[:-1] + 1) & (level[1:] == level[:-1])
        starts = np.flatnonzero(np.concatenate(([True], ~continues)))
        length = np.diff(np.append(starts, level.size))
        code = (level[starts] - 1) * longest + length - 1
        matrix[:] = np.bincount(code, minlength=highest * longest).reshape(highest, longest)
    return counts


def _lines(where_zyx: npt.NDArray[np.int64], step: TripleInt) -> tuple[CountArray, CountArray]:
    """Number of the line along `step` each voxel lies on, and its place on that line."""
    lead = next(axis for axis, offset in enumerate(step) if offset)
    place = where_zyx[:, lead] * step[lead]
    foot = where_zyx - place[:, None] * np.asarray(step)
    foot = foot - foot.min(axis=0)
    line = np.ravel_multi_index(tuple(foot.T), tuple(foot.max(axis=0) + 1))
    return np.asarray(line, dtype=np.int64), place


def zones(levels: LevelArray, highest: int) -> tuple[CountArray, CountArray, CountArray]:
    """Gray-level size zones: connected voxels (26 neighbors) of one level.

    Returns
    -------
    level, size, count : ndarray, shape (n,)
        `count` zones have that level and that many voxels; only what occurs, ascending.
    """
    found: list[tuple[int, CountArray]] = []
    connectivity = np.ones((3, 3, 3), dtype=bool)
    for level in range(1, highest + 1):
        labels, n_zones = ndimage.label(levels == level, structure=connectivity)
        if n_zones:
            found.append((level, np.bincount(np.ravel(labels))[1:]))
    pairs = np.concatenate([np.stack([np.full(sizes.size, level), sizes], axis=1) for level, sizes in found])
    kinds, count = np.unique(pairs, axis=0, return_counts=True)
    return kinds[:, 0], kinds[:, 1], count


def dependences(levels: LevelArray, highest: int) -> CountArray:
    """Gray-level dependence: how many voxels of level i have j - 1 neighbors (of 26) of the same level.

    Returns
    -------
    ndarray, shape (highest, 27)
    """
    dependence = np.ones(levels.shape, dtype=np.int64)
    for step in NEIGHBORS_ZYX:
        here, there = _pair(levels, step)
        _pair(dependence, step)[0][...] += here == there
    inside = levels > 0
    code = (levels[inside] - 1) * 27 + dependence[inside] - 1
    return np.asarray(np.bincount(code, minlength=highest * 27).reshape(highest, 27), dtype=np.int64)


def neighborhood_differences(levels: LevelArray, highest: int) -> tuple[CountArray, FloatArray]:
    """Neighborhood gray-tone difference: how far each voxel's level is from the mean of its neighbors.

    Returns
    -------
    count : ndarray, shape (highest,)
        Voxels of each level.
    difference : ndarray, shape (highest,)
        Sum over them of ``|level - mean level of the neighbors inside the region|``; 0 for a voxel without neighbors.
    """
    total: FloatArray = np.zeros(levels.shape)
    number: FloatArray = np.zeros(levels.shape)
    for step in NEIGHBORS_ZYX:
        there = _pair(levels, step)[1]
        _pair(total, step)[0][...] += there
        _pair(number, step)[0][...] += there > 0
    inside = levels > 0
    level, n, s = levels[inside], number[inside], total[inside]
    difference = np.where(n > 0, np.abs(level - s / np.maximum(n, 1)), 0.0)
    count = np.bincount(level - 1, minlength=highest).astype(np.int64)
    return count, np.bincount(level - 1, weights=difference, minlength=highest).astype(np.float64)


def _shape(array: LevelArray) -> TripleInt:
    z, y, x = array.shape
    return (z, y, x)
