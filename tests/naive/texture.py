"""Slow twin of `axilla.kernels.texture`."""

from collections import Counter

import numpy as np


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
