"""Texture: five matrices of a region's gray levels, counted in one scan, and the sums their features are made of.

Matrices are kept as *cells* ``(row, column, count)``, only what occurs, ascending by row. A row is the rank of a gray level among
those that occur (from 0), so that the cost follows the number of voxels, not the range of the values.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from axilla.kernels._compile import kernel

Cells: TypeAlias = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Cells ``(n_matrices, capacity, 3)`` and how many of them each matrix has ``(n_matrices,)``."""

EPSILON = 2.0**-52
"""Added inside every logarithm and to some divisors, as PyRadiomics does: 0 log 0 becomes 0, and nothing else changes."""

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
    _, ny, nx = ranks.shape
    offsets = (steps[:, 0] * ny + steps[:, 1]) * nx + steps[:, 2]
    unit_offsets = (unit_steps[:, 0] * ny + unit_steps[:, 1]) * nx + unit_steps[:, 2]
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
    parent, place = np.arange(len(flat)).astype(np.int32), np.zeros(len(flat), np.int32)
    has_line = np.zeros(N_UNIT_STEPS, np.bool_)
    for rank in range(1, n_levels + 1):
        group = voxels[first[rank - 1] : first[rank]]
        _neighborhoods(flat, levels, offsets, alpha, is_symmetrical, group, pair_row, dependence_row, differences[rank - 1])
        _runs(flat, unit_offsets, group, place, run_row, has_line)
        _join(flat, unit_offsets, group, parent)
        largest = _zone_sizes(parent, group, place, zone_row)
        _flush(pair_row, rank - 1, n_levels, pairs)
        _flush(run_row, rank - 1, longest, runs)
        _flush(zone_row, rank - 1, largest, zones)
        _flush(dependence_row, rank - 1, 2 * n_steps + 1, dependences)
    for step in range(N_UNIT_STEPS):
        if not has_line[step] and not _line_has_two(ranks, voxels, unit_steps[step]):
            runs[1][step] = 0
    pairs[0][:, :, 1] -= 1  # columns become ranks from 0, like rows
    return pairs, runs, zones, dependences, differences


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
    flat: npt.NDArray[np.int32], offsets: npt.NDArray[np.int64], group: npt.NDArray[np.int64], parent: npt.NDArray[np.int32]
) -> None:
    """Join neighbors of one level to zones, each known by its first voxel (union-find)."""
    for voxel in group:
        rank, root = flat[voxel], voxel
        for offset in offsets:
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
def _flush(rows: npt.NDArray[np.int64], rank: int, last: int, cells: Cells) -> None:
    """Append what the rows hold in columns 1..last to the cells, and empty them."""
    values, n = cells
    for matrix in range(len(rows)):
        row = rows[matrix]
        for column in range(1, last + 1):
            if row[column]:
                values[matrix, n[matrix], 0] = rank
                values[matrix, n[matrix], 1] = column
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


PAIR_SUMS = 26


@kernel
def pair_sums(
    cells: npt.NDArray[np.int64], n_cells: npt.NDArray[np.int64], levels: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """What the co-occurrence features are made of, per step.

    Parameters
    ----------
    cells, n_cells
        Pairs, of `texture_cells`.
    levels : ndarray, shape (n_levels,)

    Returns
    -------
    sums : ndarray, shape (n_steps, 26)
        In the order of the fields of `axilla.radiomics.texture.glcm.Glcm`; NaN where a step has no pair.
    q : ndarray, shape (n_steps, n_levels, n_levels)
        The matrices whose second largest eigenvalues are the squares of the maximal correlation coefficients.
    """
    n_steps, n_levels = len(cells), len(levels)
    sums, q = np.full((n_steps, PAIR_SUMS), np.nan), np.zeros((n_steps, n_levels, n_levels))
    for step in range(n_steps):
        if n_cells[step]:
            p, px, py = _probabilities(cells[step], n_cells[step], n_levels)
            _moment_sums(p, px, py, levels, sums[step])
            _entropy_sums(p, px, py, sums[step])
            _diagonal_sums(p, levels, sums[step])
            _second_eigenvalue_matrix(p, px, py, q[step])
    return sums, q


@kernel
def _probabilities(
    cells: npt.NDArray[np.int64], n_cells: int, n_levels: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """One step's probabilities, and their row and column sums."""
    p, px, py, total = np.zeros((n_levels, n_levels)), np.zeros(n_levels), np.zeros(n_levels), 0.0
    for c in range(n_cells):
        total += cells[c, 2]
    for c in range(n_cells):
        i, j = cells[c, 0], cells[c, 1]
        p[i, j] = cells[c, 2] / total
        px[i] += p[i, j]
        py[j] += p[i, j]
    return p, px, py


@kernel
def _moment_sums(
    p: npt.NDArray[np.float64],
    px: npt.NDArray[np.float64],
    py: npt.NDArray[np.float64],
    levels: npt.NDArray[np.float64],
    sums: npt.NDArray[np.float64],
) -> None:
    """Sums 0-10: means, variances, covariance, product, cluster moments 4, 3, 2, energy, maximum."""
    for k in range(11):
        sums[k] = 0.0
    for i in range(len(levels)):
        sums[0] += px[i] * levels[i]
        sums[1] += py[i] * levels[i]
    mean_i, mean_j = sums[0], sums[1]
    for i in range(len(levels)):
        di = levels[i] - mean_i
        for j in range(len(levels)):
            value = p[i, j]
            if value:
                dj = levels[j] - mean_j
                cluster = (di + dj) * (di + dj)
                sums[2] += value * di * di
                sums[3] += value * dj * dj
                sums[4] += value * di * dj
                sums[5] += value * levels[i] * levels[j]
                sums[6] += value * cluster * cluster
                sums[7] += value * cluster * (di + dj)
                sums[8] += value * cluster
                sums[9] += value * value
                sums[10] = max(sums[10], value)


@kernel
def _information(p: float) -> float:
    return -p * math.log2(p + EPSILON)


@kernel
def _entropy_sums(
    p: npt.NDArray[np.float64], px: npt.NDArray[np.float64], py: npt.NDArray[np.float64], sums: npt.NDArray[np.float64]
) -> None:
    """Sums 11-15: entropies of p, px and py; of p under px py; of px py."""
    for k in range(11, 16):
        sums[k] = 0.0
    for i in range(len(px)):
        sums[12] += _information(px[i])
        sums[13] += _information(py[i])
        for j in range(len(py)):
            independent = px[i] * py[j]
            logarithm = math.log2(independent + EPSILON)
            sums[15] -= independent * logarithm
            if p[i, j]:
                sums[11] += _information(p[i, j])
                sums[14] -= p[i, j] * logarithm


@kernel
def _diagonal_sums(p: npt.NDArray[np.float64], levels: npt.NDArray[np.float64], sums: npt.NDArray[np.float64]) -> None:
    """Sums 16-25: of ``|i - j|`` mean, mean square, variance, entropy and four inverse means and one more; entropy of i + j."""
    highest = int(levels[-1])
    p_sum, p_difference = np.zeros(2 * highest + 1), np.zeros(highest)
    for i in range(len(levels)):
        for j in range(len(levels)):
            if p[i, j]:
                p_sum[int(levels[i] + levels[j])] += p[i, j]
                p_difference[int(abs(levels[i] - levels[j]))] += p[i, j]
    for k in range(16, 26):
        sums[k] = 0.0
    for k in range(highest):
        sums[16] += p_difference[k] * k
    for k in range(highest):
        value = p_difference[k]
        if value:
            sums[17] += value * k * k
            sums[18] += value * (k - sums[16]) ** 2
            sums[19] += _information(value)
            sums[20] += value / (1 + k)
            sums[21] += value / (1 + k * k)
            sums[22] += value / (1 + k / highest)
            sums[23] += value / (1 + k * k / highest**2)
            if k:
                sums[24] += value / (k * k)
    for value in p_sum:
        if value:
            sums[25] += _information(value)


@kernel
def _second_eigenvalue_matrix(
    p: npt.NDArray[np.float64], px: npt.NDArray[np.float64], py: npt.NDArray[np.float64], q: npt.NDArray[np.float64]
) -> None:
    """``q(i, j) = sum_k p(i, k) p(j, k) / (px(i) py(k) + eps)``, summed in PyRadiomics' order."""
    n = len(p)
    for i in range(n):
        for k in range(n):
            if p[i, k]:
                divisor = px[i] * py[k] + EPSILON
                for j in range(n):
                    q[i, j] += p[i, k] * p[j, k] / divisor


SIZE_SUMS = 15


@kernel
def size_sums(
    cells: npt.NDArray[np.int64], n_cells: npt.NDArray[np.int64], levels: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """What the features of matrices of level and size (runs, zones, dependences) are made of, per matrix.

    Parameters
    ----------
    cells, n_cells
        Of `texture_cells`.
    levels : ndarray, shape (n_levels,)

    Returns
    -------
    ndarray, shape (n_matrices, 15)
        In the order of the fields of `axilla.radiomics.texture.table.SizeTable`; NaN for an empty matrix.
    """
    sums = np.full((len(cells), SIZE_SUMS), np.nan)
    for matrix in range(len(cells)):
        if n_cells[matrix]:
            _size_sums(cells[matrix], n_cells[matrix], levels, sums[matrix])
    return sums


@kernel
def _size_sums(cells: npt.NDArray[np.int64], n_cells: int, levels: npt.NDArray[np.float64], out: npt.NDArray[np.float64]) -> None:
    total, largest = 0.0, 0
    for c in range(n_cells):
        total += cells[c, 2]
        largest = max(largest, cells[c, 1])
    by_level, by_size = np.zeros(len(levels)), np.zeros(largest + 1)
    for k in range(SIZE_SUMS):
        out[k] = 0.0
    for c in range(n_cells):
        i, j, count = levels[cells[c, 0]], float(cells[c, 1]), float(cells[c, 2])
        i2, j2, p = i * i, j * j, count / total
        by_level[cells[c, 0]] += count
        by_size[cells[c, 1]] += count
        out[0] += count
        out[1] += count * j
        out[2] += p * i2
        out[3] += p / i2
        out[4] += p * j2
        out[5] += p / j2
        out[6] += p * i2 * j2
        out[7] += p * i2 / j2
        out[8] += p * j2 / i2
        out[9] += p / (i2 * j2)
        out[14] += _information(p)
    mean_i, mean_j = 0.0, 0.0
    for row in range(len(levels)):
        mean_i += by_level[row] / total * levels[row]
        out[10] += by_level[row] * by_level[row] / total
    for size in range(largest + 1):
        mean_j += by_size[size] / total * size
        out[11] += by_size[size] * by_size[size] / total
    for row in range(len(levels)):
        out[12] += by_level[row] / total * (levels[row] - mean_i) ** 2
    for size in range(largest + 1):
        out[13] += by_size[size] / total * (size - mean_j) ** 2


DIFFERENCE_SUMS = 8


@kernel
def difference_sums(
    count: npt.NDArray[np.float64], difference: npt.NDArray[np.float64], levels: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """What the features of the neighborhood gray-tone difference are made of.

    Parameters
    ----------
    count, difference : ndarray, shape (n_levels,)
        Number of voxels of each level, sum of their differences.
    levels : ndarray, shape (n_levels,)

    Returns
    -------
    ndarray, shape (8,)
        In the order of the fields of `axilla.radiomics.texture.ngtdm.Ngtdm`.
    """
    out = np.zeros(DIFFERENCE_SUMS)
    for i in range(len(levels)):
        out[0] += count[i]
        out[1] += count[i] > 0
        out[2] += difference[i]
    for i in range(len(levels)):
        p_i = count[i] / out[0]
        out[3] += p_i * difference[i]
        for j in range(len(levels)):
            p_j, squared = count[j] / out[0], (levels[i] - levels[j]) ** 2
            if p_i and p_j:
                out[4] += abs(levels[i] * p_i - levels[j] * p_j)
                out[5] += abs(levels[i] - levels[j]) * (p_i * difference[i] + p_j * difference[j]) / (p_i + p_j)
                out[6] += p_i * p_j * squared
                out[7] += (p_i + p_j) * squared
    return out
