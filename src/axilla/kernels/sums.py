"""Sums over texture matrices: what their features are made of."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from axilla.kernels._compile import kernel

EPSILON = 2.0**-52
"""Added inside every logarithm and to some divisors, as PyRadiomics does: 0 log 0 becomes 0, and nothing else changes."""

PAIR_SUMS = 26


@kernel
def pair_sums(
    cells: npt.NDArray[np.int64], n_cells: npt.NDArray[np.int64], levels: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """What the co-occurrence features are made of, per step.

    Parameters
    ----------
    cells, n_cells
        Pairs, of `axilla.kernels.texture.texture_cells`.
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
    """Sums 16-25: of ``k = |i - j|`` mean, mean square, variance, entropy, five means of inverses; entropy of i + j."""
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
        Of `axilla.kernels.texture.texture_cells`.
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
        In the order of the fields of `axilla.radiomics.texture.ngtdm.Ngtdm`; NaN where there is no voxel.
    """
    out = np.zeros(DIFFERENCE_SUMS)
    for i in range(len(levels)):
        out[0] += count[i]
        out[1] += count[i] > 0
        out[2] += difference[i]
    if not out[0]:
        return np.full(DIFFERENCE_SUMS, np.nan)
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
