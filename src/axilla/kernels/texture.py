"""Texture: five matrices of a region's gray levels.

Matrices are handed on as *cells* ``(row, column, count)``, only what occurs, ascending by row. A row is the rank of a gray level
among those that occur (from 0), so that the cost follows the number of voxels, not the range of the values.

A neighbor lies a fixed way off in the flat array: the array as seen from there is a slice, and loops over slices in step are what
a processor does many at a time. Indices are unsigned where it tells: Numba then does not ask whether to count from the end.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from axilla.kernels._compile import kernel

Cells: TypeAlias = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Cells ``(n_matrices, capacity, 3)`` and how many of them each matrix has ``(n_matrices,)``."""

N_UNIT_STEPS = 13


@kernel
def texture_cells(
    ranks: npt.NDArray[np.int32],
    levels: npt.NDArray[np.float64],
    steps: npt.NDArray[np.int64],
    unit_steps: npt.NDArray[np.int64],
    alpha: float,
    is_symmetrical: bool,
) -> tuple[Cells, Cells, Cells, Cells, npt.NDArray[np.float64]]:
    """Count the five matrices of one region.

    Parameters
    ----------
    ranks : ndarray, shape (z, y, x)
        Rank from 1 of each voxel's level, 0 outside; outside all around as far as the longest step.
    levels : ndarray, shape (n_levels,)
        The levels that occur, ascending; positive whole numbers, at most 65535 of them.
    steps : ndarray, shape (n_steps, 3)
        Steps (z, y, x) to the neighbors, one of each opposite pair.
    unit_steps : ndarray, shape (13, 3)
        The same at distance 1, for runs and zones; lexicographically positive.
    alpha : float
        Largest difference of level at which neighbors are alike.
    is_symmetrical : bool
        Whether a pair counts both ways.

    Returns
    -------
    pairs : Cells
        Per step: level, level one step on.
    runs : Cells
        Per unit step: level, length. None where no line along the step holds two voxels.
    zones : Cells
        One matrix: level, number of voxels.
    dependences : Cells
        One matrix: level, 1 + number of neighbors alike.
    differences : ndarray, shape (n_levels, 3)
        Number of voxels of each level; how many of them have a neighbor; sum of ``|level - mean level of the neighbors|``.
    """
    flat = ranks.ravel().astype(np.uint16)
    offsets, unit_offsets = _offsets(ranks, steps), _offsets(ranks, unit_steps)
    reach = max(offsets.max(), unit_offsets.max())
    voxels = np.flatnonzero(flat[reach : len(flat) - reach]).astype(np.uint32)
    pairs = _pairs(flat, len(levels), voxels, offsets, reach, is_symmetrical)
    runs = _runs(flat, len(levels), voxels, unit_offsets, reach, max(ranks.shape))
    for step in range(N_UNIT_STEPS):
        if not _line_has_two(ranks, voxels, reach, unit_steps[step]):
            runs[1][step] = 0
    zones = _zones(flat, len(levels), voxels, unit_steps, unit_offsets, reach)
    dependences, differences = _neighborhoods(flat, levels, voxels, offsets, reach, alpha)
    return pairs, runs, zones, dependences, differences


@kernel
def _offsets(ranks: npt.NDArray[np.int32], steps: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The steps in the flat array."""
    _, ny, nx = ranks.shape
    offsets = np.empty(len(steps), np.int64)
    for step in range(len(steps)):
        offsets[step] = (steps[step, 0] * ny + steps[step, 1]) * nx + steps[step, 2]
    return offsets


@kernel
def _no_cells(n_matrices: int, capacity: int) -> Cells:
    return np.empty((n_matrices, capacity, 3), np.int64), np.zeros(n_matrices, np.int64)


@kernel
def _pairs(
    flat: npt.NDArray[np.uint16],
    n_levels: int,
    voxels: npt.NDArray[np.uint32],
    offsets: npt.NDArray[np.int64],
    reach: int,
    is_symmetrical: bool,
) -> Cells:
    """Levels of neighbors."""
    cells = _no_cells(len(offsets), min(n_levels * n_levels, 2 * len(voxels)))
    counts, here = np.zeros((n_levels + 1, n_levels + 1), np.int32), flat[reach:]
    for step, offset in enumerate(offsets):
        ahead = flat[reach + offset :]
        for voxel in voxels:
            counts[here[voxel], ahead[voxel]] += 1
        if is_symmetrical:
            for row in range(n_levels + 1):
                for column in range(row + 1):
                    both = counts[row, column] + counts[column, row]
                    counts[row, column] = counts[column, row] = both
        _move(counts, 1, step, cells)
    return cells


@kernel
def _runs(
    flat: npt.NDArray[np.uint16],
    n_levels: int,
    voxels: npt.NDArray[np.uint32],
    offsets: npt.NDArray[np.int64],
    reach: int,
    longest: int,
) -> Cells:
    """Lengths of runs: there are as many of at least n voxels as voxels at place n of their run."""
    cells = _no_cells(len(offsets), min(n_levels * longest, len(voxels)))
    counts, places = np.zeros((n_levels + 1, longest + 2), np.int32), np.zeros(len(flat), np.uint16)
    here, place = flat[reach:], places[reach:]
    one = np.uint16(1)
    for step, offset in enumerate(offsets):
        before, place_before = flat[reach - offset :], places[reach - offset :]
        for voxel in voxels:
            rank = here[voxel]
            at = np.uint16(one + place_before[voxel] * np.uint16(before[voxel] == rank))
            place[voxel] = at
            counts[rank, at] += 1
        counts[:, :-1] -= counts[:, 1:]
        counts[:, 0] = 0
        _move(counts, 0, step, cells)
    return cells


@kernel
def _zones(
    flat: npt.NDArray[np.uint16],
    n_levels: int,
    voxels: npt.NDArray[np.uint32],
    steps: npt.NDArray[np.int64],
    offsets: npt.NDArray[np.int64],
    reach: int,
) -> Cells:
    """Sizes of zones."""
    sizes, first = _sizes_by_rank(_first_of_zone(flat, voxels, steps, offsets, reach), flat[reach:], n_levels, voxels)
    cells, counts = _no_cells(1, len(voxels)), np.zeros(len(voxels) + 1, np.int32)
    for rank in range(1, n_levels + 1):
        largest = 0
        for size in sizes[first[rank] : first[rank + 1]]:
            counts[size] += 1
            largest = max(largest, size)
        _move_row(counts[: largest + 1], rank, 0, 0, cells)
    return cells


@kernel
def _first_of_zone(
    flat: npt.NDArray[np.uint16],
    voxels: npt.NDArray[np.uint32],
    steps: npt.NDArray[np.int64],
    offsets: npt.NDArray[np.int64],
    reach: int,
) -> npt.NDArray[np.int32]:
    """The first voxel of the zone of every voxel, found by joining zones (union-find)."""
    back, offset_of = _alike_before(flat, steps, offsets, reach)
    parent = np.arange(len(back)).astype(np.int32)
    for voxel in voxels:
        root, left = parent[voxel], back[voxel]
        while left:
            bit = left & -left
            other = _root(parent, voxel - offset_of[bit])
            root, other = min(root, other), max(root, other)
            parent[other] = root
            left ^= bit
        parent[voxel] = root
    for voxel in voxels:
        parent[voxel] = parent[parent[voxel]]  # the parent comes before and has its root already
    return parent


@kernel
def _sizes_by_rank(
    zone: npt.NDArray[np.int32], rank_of: npt.NDArray[np.uint16], n_levels: int, voxels: npt.NDArray[np.uint32]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Sizes of the zones, rank by rank, and where each rank's begin, ``(n_levels + 2,)``."""
    size_of, first = np.zeros(len(zone), np.int32), np.zeros(n_levels + 2, np.int64)
    for voxel in voxels:
        size_of[zone[voxel]] += 1
        first[rank_of[voxel] + 1] += zone[voxel] == voxel
    for rank in range(n_levels + 1):
        first[rank + 1] += first[rank]
    place, sizes = first.copy(), np.empty(first[-1], np.int32)
    for voxel in voxels:
        if zone[voxel] == voxel:
            sizes[place[rank_of[voxel]]] = size_of[voxel]
            place[rank_of[voxel]] += 1
    return sizes, first


@kernel
def _alike_before(
    flat: npt.NDArray[np.uint16], steps: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64], reach: int
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int64]]:
    """A bit for each step back from a voxel that ends in its own level, and the offset of each bit.

    Of several that are each other's neighbors one is enough: they belong together already.
    """
    here, offset_of = flat[reach:], np.zeros(1 << len(steps), np.int64)
    bits = np.zeros(len(here), np.int16)
    for step in range(len(steps) - 1, -1, -1):
        offset_of[1 << step], near = offsets[step], 0
        for other in range(step + 1, len(steps)):
            if np.abs(steps[step] - steps[other]).max() == 1:
                near |= 1 << other
        before = flat[reach - offsets[step] :]
        for k in range(len(here)):
            bits[k] |= ((before[k] == here[k]) & (bits[k] & near == 0)) << step
    return bits, offset_of


@kernel
def _root(parent: npt.NDArray[np.int32], voxel: int) -> int:
    while parent[voxel] != voxel:
        parent[voxel] = parent[parent[voxel]]
        voxel = parent[voxel]
    return voxel


@kernel
def _neighborhoods(
    flat: npt.NDArray[np.uint16],
    levels: npt.NDArray[np.float64],
    voxels: npt.NDArray[np.uint32],
    offsets: npt.NDArray[np.int64],
    reach: int,
    alpha: float,
) -> tuple[Cells, npt.NDArray[np.float64]]:
    """Numbers of neighbors alike, and differences from the neighbors' mean."""
    grays, rank_of = np.zeros(len(flat), np.int32), flat[reach:]
    gray = grays[reach : len(flat) - reach]
    for voxel in voxels:
        gray[voxel] = levels[rank_of[voxel] - 1]
    n, n_alike, total = np.zeros(len(gray), np.int32), np.zeros(len(gray), np.int32), np.zeros(len(gray), np.int64)
    for offset in offsets:
        _meet(gray, grays[reach - offset :], grays[reach + offset :], np.int32(min(alpha, 1e9)), n, n_alike, total)
    difference = np.abs(gray - total / np.maximum(n, 1)) * (n > 0)
    counts, sums = np.zeros((len(levels) + 1, 2 * len(offsets) + 2), np.int32), np.zeros((len(levels) + 1, 3))
    for voxel in voxels:
        rank = rank_of[voxel]
        counts[rank, np.uint32(1 + n_alike[voxel])] += 1
        sums[rank, 0] += 1.0
        sums[rank, 1] += n[voxel] > 0
        sums[rank, 2] += difference[voxel]
    cells = _no_cells(1, min(len(levels) * (2 * len(offsets) + 1), len(voxels)))
    _move(counts, 0, 0, cells)
    return cells, sums[1:].copy()


@kernel
def _meet(
    gray: npt.NDArray[np.int32],
    before: npt.NDArray[np.int32],
    after: npt.NDArray[np.int32],
    alpha: np.int32,
    n: npt.NDArray[np.int32],
    n_alike: npt.NDArray[np.int32],
    total: npt.NDArray[np.int64],
) -> None:
    """Let every voxel meet the neighbors on both ends of a step; 0 is none."""
    for k in range(len(gray)):
        is_before, is_after = before[k] > 0, after[k] > 0
        n[k] += np.int32(is_before) + np.int32(is_after)
        n_alike[k] += (is_before & (abs(before[k] - gray[k]) <= alpha)) + (is_after & (abs(after[k] - gray[k]) <= alpha))
        total[k] += before[k] + after[k]


@kernel
def _move(counts: npt.NDArray[np.int32], base: int, matrix: int, cells: Cells) -> None:
    """Move what a table ``(1 + n_levels, 1 + n_columns)`` holds to the cells of a matrix; columns count from `base`."""
    for rank in range(1, len(counts)):
        _move_row(counts[rank], rank, base, matrix, cells)
    counts[0] = 0


@kernel
def _move_row(counts: npt.NDArray[np.int32], rank: int, base: int, matrix: int, cells: Cells) -> None:
    values, n = cells
    for column in range(1, len(counts)):
        if counts[column]:
            values[matrix, n[matrix], 0] = rank - 1
            values[matrix, n[matrix], 1] = column - base
            values[matrix, n[matrix], 2] = counts[column]
            n[matrix] += 1
    counts[:] = 0


@kernel
def _line_has_two(ranks: npt.NDArray[np.int32], voxels: npt.NDArray[np.uint32], reach: int, step: npt.NDArray[np.int64]) -> bool:
    """Whether some line along a step holds two voxels of the region, however far apart."""
    nz, ny, nx = ranks.shape
    for voxel in voxels:
        place = reach + np.int64(voxel)
        z, y, x = place // (ny * nx) + step[0], place // nx % ny + step[1], place % nx + step[2]
        while 0 <= z < nz and 0 <= y < ny and 0 <= x < nx:
            if ranks[z, y, x]:
                return True
            z, y, x = z + step[0], y + step[1], x + step[2]
    return False
