"""Texture: five matrices of a region's gray levels, counted in one scan, and the sums their features are made of.

Matrices are kept as *cells* ``(row, column, count)``, only what occurs, ascending by row. A row is the rank of a gray level among
those that occur (from 0), so that the cost follows the number of voxels, not the range of the values.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit

Cells: TypeAlias = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Cells ``(n_matrices, capacity, 3)`` and how many of them each matrix has ``(n_matrices,)``."""

EPSILON = 2.0**-52
"""Added inside every logarithm and to some divisors, as PyRadiomics does: 0 log 0 becomes 0, and nothing else changes."""

N_UNIT_STEPS = 13


@njit(cache=True, nogil=True)
def texture_cells(
    ranks: npt.NDArray[np.int64],
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
    run_row = np.zeros((N_UNIT_STEPS, longest + 1), np.int64)
    zone_row = np.zeros((1, n_voxels + 1), np.int64)
    dependence_row = np.zeros((1, 2 * n_steps + 2), np.int64)
    parent = np.arange(len(flat))
    has_line = np.zeros(N_UNIT_STEPS, np.bool_)
    for rank in range(1, n_levels + 1):
        group = voxels[first[rank - 1] : first[rank]]
        differences[rank - 1, 0] = len(group)
        differences[rank - 1, 1:] = _neighborhoods(flat, levels, offsets, alpha, is_symmetrical, group, pair_row, dependence_row)
        _runs(flat, unit_offsets, group, run_row, parent, has_line)
        largest = _zone_sizes(parent, group, zone_row)
        _flush(pair_row, rank - 1, n_levels, pairs)
        _flush(run_row, rank - 1, longest, runs)
        _flush(zone_row, rank - 1, largest, zones)
        _flush(dependence_row, rank - 1, 2 * n_steps + 1, dependences)
    for step in range(N_UNIT_STEPS):
        if not has_line[step] and not _line_has_two(ranks, voxels, unit_steps[step]):
            runs[1][step] = 0
    pairs[0][:, :, 1] -= 1  # columns become ranks from 0, like rows
    return pairs, runs, zones, dependences, differences


@njit(cache=True, nogil=True)
def _no_cells(n_matrices: int, capacity: int) -> Cells:
    return np.empty((n_matrices, capacity, 3), np.int64), np.zeros(n_matrices, np.int64)


@njit(cache=True, nogil=True)
def _by_rank(flat: npt.NDArray[np.int64], n_levels: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
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


@njit(cache=True, nogil=True)
def _neighborhoods(
    flat: npt.NDArray[np.int64],
    levels: npt.NDArray[np.float64],
    offsets: npt.NDArray[np.int64],
    alpha: float,
    is_symmetrical: bool,
    group: npt.NDArray[np.int64],
    pair_row: npt.NDArray[np.int64],
    dependence_row: npt.NDArray[np.int64],
) -> tuple[float, float]:
    """Count one level's pairs and dependences; how many voxels have neighbors, and how far they are from their mean level."""
    n_social, distance = 0.0, 0.0
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
        if n:
            n_social += 1.0
            distance += abs(level - total / n)
    return n_social, distance


@njit(cache=True, nogil=True)
def _runs(
    flat: npt.NDArray[np.int64],
    offsets: npt.NDArray[np.int64],
    group: npt.NDArray[np.int64],
    run_row: npt.NDArray[np.int64],
    parent: npt.NDArray[np.int64],
    has_line: npt.NDArray[np.bool_],
) -> None:
    """Count the runs of one level's voxels, and join neighbors of one level to zones."""
    for voxel in group:
        rank = flat[voxel]
        for step, offset in enumerate(offsets):
            before = flat[voxel - offset]
            if before:
                has_line[step] = True
            if before == rank:
                a, b = _root(parent, voxel), _root(parent, voxel - offset)
                parent[max(a, b)] = min(a, b)
            else:
                length, end = 1, voxel + offset
                while flat[end] == rank:
                    length += 1
                    end += offset
                run_row[step, length] += 1


@njit(cache=True, nogil=True)
def _root(parent: npt.NDArray[np.int64], voxel: int) -> int:
    while parent[voxel] != voxel:
        parent[voxel] = parent[parent[voxel]]
        voxel = parent[voxel]
    return voxel


@njit(cache=True, nogil=True)
def _zone_sizes(parent: npt.NDArray[np.int64], group: npt.NDArray[np.int64], zone_row: npt.NDArray[np.int64]) -> int:
    """Count one level's zones by size; the largest size."""
    roots = np.empty(len(group), np.int64)
    for k, voxel in enumerate(group):
        roots[k] = _root(parent, voxel)
    roots.sort()
    largest, start = 0, 0
    for k in range(1, len(roots) + 1):
        if k == len(roots) or roots[k] != roots[start]:
            zone_row[0, k - start] += 1
            largest = max(largest, k - start)
            start = k
    return largest


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def _line_has_two(ranks: npt.NDArray[np.int64], voxels: npt.NDArray[np.int64], step: npt.NDArray[np.int64]) -> bool:
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


@njit(cache=True, nogil=True)
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
        own = cells[step, : n_cells[step]]
        total = own[:, 2].sum()
        if total:
            p = np.zeros((n_levels, n_levels))
            for c in range(len(own)):
                p[own[c, 0], own[c, 1]] = own[c, 2] / total
            px, py = p.sum(axis=1), p.sum(axis=0)
            _moment_sums(p, px, py, levels, sums[step])
            _entropy_sums(p, px, py, sums[step])
            _diagonal_sums(p, levels, sums[step])
            _second_eigenvalue_matrix(p, px, py, q[step])
    return sums, q


@njit(cache=True, nogil=True)
def _moment_sums(
    p: npt.NDArray[np.float64],
    px: npt.NDArray[np.float64],
    py: npt.NDArray[np.float64],
    levels: npt.NDArray[np.float64],
    sums: npt.NDArray[np.float64],
) -> None:
    """Sums 0-10: means, variances, covariance, product, cluster moments 4, 3, 2, energy, maximum."""
    mean_i, mean_j = (px * levels).sum(), (py * levels).sum()
    sums[0], sums[1] = mean_i, mean_j
    sums[2:11] = 0.0
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


@njit(cache=True, nogil=True)
def _information(p: float) -> float:
    return -p * math.log2(p + EPSILON)


@njit(cache=True, nogil=True)
def _entropy_sums(
    p: npt.NDArray[np.float64], px: npt.NDArray[np.float64], py: npt.NDArray[np.float64], sums: npt.NDArray[np.float64]
) -> None:
    """Sums 11-15: entropies of p, px and py; of p under px py; of px py."""
    sums[11:16] = 0.0
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


@njit(cache=True, nogil=True)
def _diagonal_sums(p: npt.NDArray[np.float64], levels: npt.NDArray[np.float64], sums: npt.NDArray[np.float64]) -> None:
    """Sums 16-25: of ``|i - j|`` mean, mean square, variance, entropy and four inverse means and one more; entropy of i + j."""
    highest = int(levels[-1])
    p_sum, p_difference = np.zeros(2 * highest + 1), np.zeros(highest)
    for i in range(len(levels)):
        for j in range(len(levels)):
            if p[i, j]:
                p_sum[int(levels[i] + levels[j])] += p[i, j]
                p_difference[int(abs(levels[i] - levels[j]))] += p[i, j]
    sums[16:26] = 0.0
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
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
        own, out = cells[matrix, : n_cells[matrix]], sums[matrix]
        if not len(own):
            continue
        by_level, by_size = np.zeros(len(levels)), np.zeros(own[:, 1].max() + 1)
        total = own[:, 2].sum()
        out[:] = 0.0
        for c in range(len(own)):
            i, j, count = levels[own[c, 0]], float(own[c, 1]), float(own[c, 2])
            by_level[own[c, 0]] += count
            by_size[own[c, 1]] += count
            out[1] += count * j
            out[2] += count * i * i
            out[3] += count / (i * i)
            out[4] += count * j * j
            out[5] += count / (j * j)
            out[6] += count * i * i * j * j
            out[7] += count * i * i / (j * j)
            out[8] += count * j * j / (i * i)
            out[9] += count / (i * i * j * j)
            out[14] += _information(count / total)
        out[10], out[11] = (by_level * by_level).sum(), (by_size * by_size).sum()
        out[12] = _variance(by_level, levels, total)
        out[13] = _variance(by_size, np.arange(float(len(by_size))), total)
        out[0] = total
        out[2:12] /= total
    return sums


@njit(cache=True, nogil=True)
def _variance(counts: npt.NDArray[np.float64], values: npt.NDArray[np.float64], total: int) -> float:
    mean = (counts * values).sum() / total
    variance = 0.0
    for k in range(len(counts)):
        variance += counts[k] / total * (values[k] - mean) ** 2
    return variance


DIFFERENCE_SUMS = 8


@njit(cache=True, nogil=True)
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
    out[0], out[1], out[2] = count.sum(), np.count_nonzero(count), difference.sum()
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
