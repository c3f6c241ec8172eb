"""Slow twin of `axilla.kernels.sums`."""

import numpy as np

EPSILON = 2.0**-52


def _entropy(p):
    return -np.sum(p * np.log2(p + EPSILON))


def pair_sums(cells, n_cells, levels):
    n, highest = len(levels), int(levels[-1])
    sums, q = np.full((len(cells), 26), np.nan), np.zeros((len(cells), n, n))
    i, j = levels[:, None], levels[None, :]
    for step, (own, length) in enumerate(zip(cells, n_cells, strict=True)):
        if not length:
            continue
        p = np.zeros((n, n))
        for row, column, count in own[:length]:
            p[row, column] = count
        p /= p.sum()
        px, py = p.sum(axis=1), p.sum(axis=0)
        mean_i, mean_j = np.sum(p * i), np.sum(p * j)
        cluster = i + j - mean_i - mean_j
        k, k_sum = np.arange(highest), np.arange(2 * highest + 1)
        difference = np.array([p[np.abs(i - j) == value].sum() for value in k])
        total = np.array([p[i + j == value].sum() for value in k_sum])
        mean_k = np.sum(difference * k)
        independent = px[:, None] * py
        sums[step] = [
            *(mean_i, mean_j, np.sum(p * (i - mean_i) ** 2), np.sum(p * (j - mean_j) ** 2)),
            *(np.sum(p * (i - mean_i) * (j - mean_j)), np.sum(p * i * j)),
            *(np.sum(p * cluster**power) for power in (4, 3, 2)),
            *(np.sum(p**2), p.max(), _entropy(p), _entropy(px), _entropy(py)),
            *(-np.sum(p * np.log2(independent + EPSILON)), _entropy(independent)),
            *(mean_k, np.sum(difference * k**2), np.sum(difference * (k - mean_k) ** 2), _entropy(difference)),
            *(np.sum(difference / (1 + k)), np.sum(difference / (1 + k**2))),
            *(np.sum(difference / (1 + k / highest)), np.sum(difference / (1 + k**2 / highest**2))),
            *(np.sum(difference[1:] / k[1:] ** 2), _entropy(total)),
        ]
        for a, b in np.argwhere((px[:, None] * px) > 0):
            q[step, a, b] = np.sum(p[a] * p[b] / (px[a] * py + EPSILON))
    return sums, q


def size_sums(cells, n_cells, levels):
    sums = np.full((len(cells), 15), np.nan)
    for matrix, (own, length) in enumerate(zip(cells, n_cells, strict=True)):
        if not length:
            continue
        counts = np.zeros((len(levels), max(column for _, column, _ in own[:length])))
        for row, column, count in own[:length]:
            counts[row, column - 1] = count
        total = counts.sum()
        p, i, j = counts / total, levels[:, None], np.arange(1.0, counts.shape[1] + 1)
        sums[matrix] = [
            *(total, np.sum(counts * j)),
            *(np.sum(p * i**2), np.sum(p / i**2), np.sum(p * j**2), np.sum(p / j**2)),
            *(np.sum(p * i**2 * j**2), np.sum(p * i**2 / j**2), np.sum(p * j**2 / i**2), np.sum(p / (i**2 * j**2))),
            *(np.sum(counts.sum(axis=1) ** 2) / total, np.sum(counts.sum(axis=0) ** 2) / total),
            *(np.sum(p * (i - np.sum(p * i)) ** 2), np.sum(p * (j - np.sum(p * j)) ** 2)),
            _entropy(p),
        ]
    return sums


def difference_sums(count, difference, levels):
    p = count / count.sum()
    out = np.array([count.sum(), np.count_nonzero(count), difference.sum(), np.sum(p * difference), 0, 0, 0, 0])
    occurring = np.flatnonzero(count)
    for a in occurring:
        for b in occurring:
            i, j = levels[a], levels[b]
            out[4] += abs(i * p[a] - j * p[b])
            out[5] += abs(i - j) * (p[a] * difference[a] + p[b] * difference[b]) / (p[a] + p[b])
            out[6] += p[a] * p[b] * (i - j) ** 2
            out[7] += (p[a] + p[b]) * (i - j) ** 2
    return out
