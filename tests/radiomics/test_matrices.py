"""Texture matrices: tiny cases to check by eye, and random ones against loops over voxels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axilla.radiomics.texture import matrices
from axilla.radiomics.texture.matrices import DIRECTIONS_ZYX, NEIGHBORS_ZYX

ROW = np.array([[[1, 1, 2, 0, 2]]])  # one line along x with a gap


def random_levels(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 6, 3)
    levels = rng.integers(1, 4, shape) * (rng.random(shape) < rng.uniform(0.2, 1))
    levels.flat[0] = 1
    return levels


def level_at(levels: np.ndarray, index: tuple[int, ...]) -> int:
    inside = all(0 <= i < n for i, n in zip(index, levels.shape, strict=True))
    return int(levels[index]) if inside else 0


def add(index: tuple[int, ...], step: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(i + s for i, s in zip(index, step, strict=True))


def test_thirteen_directions_are_half_of_26_neighbors() -> None:
    assert len(DIRECTIONS_ZYX) == 13
    assert len(NEIGHBORS_ZYX) == 26
    assert {tuple(-s for s in step) for step in DIRECTIONS_ZYX} | set(DIRECTIONS_ZYX) == set(NEIGHBORS_ZYX)


def test_a_row_has_one_direction_a_slice_four() -> None:
    assert matrices.directions_within((1, 1, 5)) == ((0, 0, 1),)
    assert len(matrices.directions_within((1, 4, 5))) == 4


def test_cooccurrences_of_a_row() -> None:
    # pairs: 1-1 (counted both ways) and 1-2
    assert matrices.cooccurrences(ROW, 2).tolist() == [[[2, 1], [1, 0]]]


def test_runs_of_a_row() -> None:
    # level 1: one run of two; level 2: two runs of one, parted by the gap
    assert matrices.runs(ROW, 2).tolist() == [[[0, 1, 0, 0, 0], [2, 0, 0, 0, 0]]]


def test_zones_of_a_row() -> None:
    assert [column.tolist() for column in matrices.zones(ROW, 2)] == [[1, 2], [2, 1], [1, 2]]


def test_dependences_of_a_row() -> None:
    counts = matrices.dependences(ROW, 2)
    assert counts[0, 1] == 2  # both ones have one neighbor alike
    assert counts[1, 0] == 2  # neither two has
    assert counts.sum() == 4


def test_neighborhood_differences_of_a_row() -> None:
    count, difference = matrices.neighborhood_differences(ROW, 2)
    assert count.tolist() == [2, 2]
    assert difference.tolist() == [0.5, 1.0]  # |1 - 1.5|; |2 - 1|, and none for the lonely voxel


def test_a_direction_without_two_voxels_in_line_has_no_runs() -> None:
    diagonal = np.zeros((2, 2, 2), dtype=int)
    diagonal[0, 0, 0] = diagonal[1, 1, 1] = 1
    totals = matrices.runs(diagonal, 1).sum(axis=(1, 2))
    assert dict(zip(matrices.directions_within((2, 2, 2)), totals, strict=True))[(1, 1, 1)] == 1
    assert totals.sum() == 1


def naive_cooccurrences(levels: np.ndarray, highest: int, step: tuple[int, ...]) -> np.ndarray:
    matrix = np.zeros((highest, highest), dtype=int)
    for index in np.ndindex(levels.shape):
        i, j = levels[index], level_at(levels, add(index, step))
        if i and j:
            matrix[i - 1, j - 1] += 1
            matrix[j - 1, i - 1] += 1
    return matrix


def naive_runs(levels: np.ndarray, highest: int, step: tuple[int, ...]) -> np.ndarray:
    matrix = np.zeros((highest, max(levels.shape)), dtype=int)
    back = tuple(-s for s in step)
    for index in np.ndindex(levels.shape):
        level = levels[index]
        if not level or level_at(levels, add(index, back)) == level:
            continue
        length, here = 1, add(index, step)
        while level_at(levels, here) == level:
            length, here = length + 1, add(here, step)
        matrix[level - 1, length - 1] += 1
    inside = {tuple(index) for index in np.argwhere(levels > 0).tolist()}
    in_line = any(add(index, tuple(k * s for s in step)) in inside for index in inside for k in range(1, max(levels.shape)))
    return matrix if in_line else np.zeros_like(matrix)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_directional_matrices_equal_loops(seed: int) -> None:
    levels = random_levels(seed)
    steps = matrices.directions_within(levels.shape)
    for step, pairs, runs in zip(steps, matrices.cooccurrences(levels, 3), matrices.runs(levels, 3), strict=True):
        np.testing.assert_array_equal(pairs, naive_cooccurrences(levels, 3, step))
        np.testing.assert_array_equal(runs, naive_runs(levels, 3, step))


def naive_zones(levels: np.ndarray) -> list[tuple[int, int]]:
    left = {tuple(index) for index in np.argwhere(levels > 0).tolist()}
    found = []
    while left:
        stack = [left.pop()]
        level, size = levels[stack[0]], 0
        while stack:
            index = stack.pop()
            size += 1
            alike = [n for n in (add(index, step) for step in NEIGHBORS_ZYX) if n in left and levels[n] == level]
            left.difference_update(alike)
            stack.extend(alike)
        found.append((int(level), size))
    return sorted(found)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_zones_equal_flooding(seed: int) -> None:
    levels = random_levels(seed)
    zones = zip(*matrices.zones(levels, 3), strict=True)
    found = itertools.chain.from_iterable([(int(level), int(size))] * int(count) for level, size, count in zones)
    assert sorted(found) == naive_zones(levels)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_neighborhood_matrices_equal_loops(seed: int) -> None:
    levels = random_levels(seed)
    dependence, count, difference = np.zeros((3, 27), dtype=int), np.zeros(3, dtype=int), np.zeros(3)
    for index in map(tuple, np.argwhere(levels > 0).tolist()):
        around = [level for level in (level_at(levels, add(index, step)) for step in NEIGHBORS_ZYX) if level]
        level = int(levels[index])
        dependence[level - 1, sum(other == level for other in around)] += 1
        count[level - 1] += 1
        difference[level - 1] += abs(level - np.mean(around)) if around else 0
    np.testing.assert_array_equal(matrices.dependences(levels, 3), dependence)
    np.testing.assert_array_equal(matrices.neighborhood_differences(levels, 3)[0], count)
    assert matrices.neighborhood_differences(levels, 3)[1] == pytest.approx(difference)
