"""Texture: five matrices of a region's gray levels, counted in one scan.

Matrices are kept as *cells* ``(row, column, count)``, only what occurs, ascending by row. A row is the rank of a gray level among
those that occur (from 0), so that the cost follows the number of voxels, not the range of the values.
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
        The levels that occur, ascending.
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
    flat, n_levels, n_steps = ranks.ravel(), len(levels), len(steps)
    offsets, unit_offsets = _offsets(ranks, steps), _offsets(ranks, unit_steps)
    ahead = unit_offsets[unit_steps[:, 2] < 0]
    voxels, first = _by_rank(flat, n_levels)
    longest, n_voxels = max(ranks.shape), len(voxels)
    pairs = _no_cells(n_steps, min(n_levels * n_levels, 2 * n_voxels))
    runs = _no_cells(N_UNIT_STEPS, min(n_levels * longest, n_voxels))
    zones = _no_cells(1, n_voxels)
    dependences = _no_cells(1, min(n_levels * (2 * n_steps + 1), n_voxels))
    differences = np.zeros((n_levels, 3))
    pair_row = np.zeros((n_steps, n_levels + 1), np.int64)
    run_row = np.zeros((N_UNIT_STEPS, longest + 2), np.int64)
    zone_row = np.zeros((1, n_voxels + 1), np.int64)
    dependence_row = np.zeros((1, 2 * n_steps + 2), np.int64)
    parent, place = np.zeros(len(flat), np.int32), np.zeros(len(flat), np.int32)
    has_line = np.zeros(N_UNIT_STEPS, np.bool_)
    for rank in range(1, n_levels + 1):
        group = voxels[first[rank - 1] : first[rank]]
        _neighborhoods(flat, levels, offsets, alpha, is_symmetrical, group, pair_row, dependence_row, differences[rank - 1])
        _runs(flat, unit_offsets, group, place, run_row, has_line)
        _join(flat, unit_offsets, ahead, group, parent)
        largest = _zone_sizes(parent, group, place, zone_row)
        _flush(pair_row, rank - 1, n_levels, 1, pairs)
        _flush(run_row, rank - 1, longest, 0, runs)
        _flush(zone_row, rank - 1, largest, 0, zones)
        _flush(dependence_row, rank - 1, 2 * n_steps + 1, 0, dependences)
    for step in range(N_UNIT_STEPS):
        if not has_line[step] and not _line_has_two(ranks, voxels, unit_steps[step]):
            runs[1][step] = 0
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
def _by_rank(flat: npt.NDArray[np.int32], n_levels: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Indices of the voxels, rank by rank and ascending in each, and where each rank begins."""
    first = np.zeros(n_levels + 1, np.int64)
    for rank in flat:
        first[rank] += 1
    first[0] = 0
    for rank in range(1, n_levels + 1):
        first[rank] += first[rank - 1]
    place, voxels = first[:-1].copy(), np.empty(first[-1], np.int64)
    for voxel, rank in enumerate(flat):
        if rank:
            voxels[place[rank - 1]] = voxel
            place[rank - 1] += 1
    return voxels, first


@kernel
def _neighborhoods(
    flat: npt.NDArray[np.int32],
    levels: npt.NDArray[np.float64],
    offsets: npt.NDArray[np.int64],
    alpha: float,
    is_symmetrical: bool,
    group: npt.NDArray[np.int64],
    pair_row: npt.NDArray[np.int64],
    dependence_row: npt.NDArray[np.int64],
    difference: npt.NDArray[np.float64],
) -> None:
    """Count one level's pairs and dependences, and its row of the differences."""
    for voxel in group:
        level = levels[flat[voxel] - 1]
        n, n_alike, total = 0, 0, 0.0
        for step, offset in enumerate(offsets):
            after, before = flat[voxel + offset], flat[voxel - offset]
            if after:
                pair_row[step, after] += 1
                n += 1
                total += levels[after - 1]
                n_alike += abs(levels[after - 1] - level) <= alpha
            if before:
                if is_symmetrical:
                    pair_row[step, before] += 1
                n += 1
                total += levels[before - 1]
                n_alike += abs(levels[before - 1] - level) <= alpha
        dependence_row[0, 1 + n_alike] += 1
        difference[0] += 1.0
        if n:
            difference[1] += 1.0
            difference[2] += abs(level - total / n)


@kernel
def _runs(
    flat: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int64],
    group: npt.NDArray[np.int64],
    place: npt.NDArray[np.int32],
    run_row: npt.NDArray[np.int64],
    has_line: npt.NDArray[np.bool_],
) -> None:
    """Count the runs of one level's voxels.

    `place` is scratch: a voxel's place in its run. There are as many runs of at least n voxels as voxels at place n.
    """
    rank = flat[group[0]]
    for step, offset in enumerate(offsets):
        row, is_beside = run_row[step], False
        for voxel in group:
            before = flat[voxel - offset]
            is_beside |= before > 0
            here = (before == rank) * place[voxel - offset] + 1
            place[voxel] = here
            row[here] += 1
        has_line[step] |= is_beside
        for length in range(1, len(row) - 1):
            row[length] -= row[length + 1]


@kernel
def _join(
    flat: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int64],
    ahead: npt.NDArray[np.int64],
    group: npt.NDArray[np.int64],
    parent: npt.NDArray[np.int32],
) -> None:
    """Join neighbors of one level to zones, each known by its first voxel (union-find).

    A voxel whose predecessor in the row is alike already belongs with all that are beside that one; left are those `ahead`.
    """
    for voxel in group:
        rank, root = flat[voxel], voxel
        follows = flat[voxel - 1] == rank
        if follows:
            root = _root(parent, voxel - 1)
        for offset in ahead if follows else offsets:
            if (flat[voxel - offset] == rank) & (parent[voxel - offset] != root):
                other = _root(parent, voxel - offset)
                root, other = min(root, other), max(root, other)
                parent[other] = root
        parent[voxel] = root


@kernel
def _root(parent: npt.NDArray[np.int32], voxel: int) -> int:
    while parent[voxel] != voxel:
        parent[voxel] = parent[parent[voxel]]
        voxel = parent[voxel]
    return voxel


@kernel
def _zone_sizes(
    parent: npt.NDArray[np.int32], group: npt.NDArray[np.int64], size: npt.NDArray[np.int32], zone_row: npt.NDArray[np.int64]
) -> int:
    """Count one level's zones by size; the largest size. `size` is scratch."""
    for voxel in group:
        size[voxel] = 0
    for voxel in group:
        size[_root(parent, voxel)] += 1
    largest = 0
    for voxel in group:
        if size[voxel]:
            zone_row[0, size[voxel]] += 1
            largest = max(largest, size[voxel])
    return largest


@kernel
def _flush(rows: npt.NDArray[np.int64], rank: int, last: int, base: int, cells: Cells) -> None:
    """Append what the rows hold in columns 1..last to the cells, columns counted from `base`, and empty them."""
    values, n = cells
    for matrix in range(len(rows)):
        row = rows[matrix]
        for column in range(1, last + 1):
            if row[column]:
                values[matrix, n[matrix], 0] = rank
                values[matrix, n[matrix], 1] = column - base
                values[matrix, n[matrix], 2] = row[column]
                n[matrix] += 1
                row[column] = 0


@kernel
def _line_has_two(ranks: npt.NDArray[np.int32], voxels: npt.NDArray[np.int64], step: npt.NDArray[np.int64]) -> bool:
    """Whether some line along a step holds two voxels of the region, however far apart."""
    nz, ny, nx = ranks.shape
    for voxel in voxels:
        z, y, x = voxel // (ny * nx) + step[0], voxel // nx % ny + step[1], voxel % nx + step[2]
        while 0 <= z < nz and 0 <= y < ny and 0 <= x < nx:
            if ranks[z, y, x]:
                return True
            z, y, x = z + step[0], y + step[1], x + step[2]
    return False
