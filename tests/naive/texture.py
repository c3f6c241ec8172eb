"""Slow twin of `axilla.kernels.texture`."""

from collections import Counter

import numpy as np

EPSILON = 2.0**-52


def _moved(voxel, step, times=1):
    return tuple(v + times * s for v, s in zip(voxel, step, strict=True))


def _inside(ranks):
    """Rank by voxel."""
    return {tuple(voxel): int(ranks[tuple(voxel)]) for voxel in np.argwhere(ranks > 0).tolist()}


def _cells(counters):
    """Per counter, its cells as an ascending list of (row, column, count)."""
    return [sorted((row, column, count) for (row, column), count in counter.items()) for counter in counters]


def texture_cells(ranks, levels, steps, unit_steps, alpha, is_symmetrical):
    """Cells as lists per matrix, where the kernel has padded arrays."""
    inside = _inside(ranks)
    steps, unit_steps = [tuple(s) for s in np.asarray(steps).tolist()], [tuple(s) for s in np.asarray(unit_steps).tolist()]
    pairs = [_pairs(inside, step, is_symmetrical) for step in steps]
    runs = [_runs(inside, step, max(ranks.shape)) for step in unit_steps]
    around = steps + [tuple(-s for s in step) for step in steps]
    dependences, differences = Counter(), np.zeros((len(levels), 3))
    for voxel, rank in inside.items():
        level = levels[rank - 1]
        others = [levels[inside[n] - 1] for n in (_moved(voxel, step) for step in around) if n in inside]
        dependences[rank - 1, 1 + sum(abs(other - level) <= alpha for other in others)] += 1
        differences[rank - 1] += (1, bool(others), abs(level - np.mean(others)) if others else 0)
    return _cells(pairs), _cells(runs), _cells([_zones(inside, unit_steps)]), _cells([dependences]), differences


def _pairs(inside, step, is_symmetrical):
    found = Counter()
    for voxel, rank in inside.items():
        other = inside.get(_moved(voxel, step))
        if other:
            found[rank - 1, other - 1] += 1
            if is_symmetrical:
                found[other - 1, rank - 1] += 1
    return found


def _runs(inside, step, reach):
    """Longest lines of one level; none where no line along the step holds two voxels of the region."""
    if not any(_moved(voxel, step, k) in inside for voxel in inside for k in range(1, reach)):
        return Counter()
    found = Counter()
    for voxel, rank in inside.items():
        if inside.get(_moved(voxel, step, -1)) != rank:
            length = 1
            while inside.get(_moved(voxel, step, length)) == rank:
                length += 1
            found[rank - 1, length] += 1
    return found


def _zones(inside, unit_steps):
    """Floods from every voxel not reached yet."""
    left, found = set(inside), Counter()
    around = unit_steps + [tuple(-s for s in step) for step in unit_steps]
    while left:
        stack = [left.pop()]
        rank, size = inside[stack[0]], 0
        while stack:
            voxel = stack.pop()
            size += 1
            alike = [n for n in (_moved(voxel, step) for step in around) if n in left and inside[n] == rank]
            left.difference_update(alike)
            stack.extend(alike)
        found[rank - 1, size] += 1
    return found


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
