"""Sums against their slow twins."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.naive import sums as naive

from axilla.kernels import sums

CLOSE = {"rtol": 1e-11, "atol": 1e-12}


def random_cells(seed, n_columns):
    """Cells of a few matrices, one of them empty, and their levels."""
    rng = np.random.default_rng(seed)
    levels = np.unique(rng.integers(1, 12, rng.integers(1, 6))).astype(float)
    capacity = len(levels) * n_columns
    cells, n_cells = np.zeros((4, capacity, 3), dtype=np.int64), rng.integers(1, capacity + 1, 4)
    n_cells[rng.integers(4)] = 0
    for own, n in zip(cells, n_cells, strict=True):
        places = np.sort(rng.permutation(capacity)[:n])
        own[:n, 0], own[:n, 1], own[:n, 2] = places // n_columns, places % n_columns, rng.integers(1, 50, n)
    return cells, n_cells, levels


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_pair_sums_are_the_twins(seed):
    n_levels = len(random_cells(seed, 1)[2])
    arguments = random_cells(seed, n_levels)
    for ours, other in zip(sums.pair_sums(*arguments), naive.pair_sums(*arguments), strict=True):
        np.testing.assert_allclose(ours, other, **CLOSE)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_size_sums_are_the_twins(seed, n_sizes):
    cells, n_cells, levels = random_cells(seed, n_sizes)
    cells[:, :, 1] += 1
    np.testing.assert_allclose(sums.size_sums(cells, n_cells, levels), naive.size_sums(cells, n_cells, levels), **CLOSE)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_difference_sums_are_the_twins(seed):
    rng = np.random.default_rng(seed)
    levels = np.unique(rng.integers(1, 12, 5)).astype(float)
    count, difference = rng.integers(0, 9, len(levels)).astype(float), rng.uniform(0, 9, len(levels))
    count[0] = 1
    arguments = count, difference, levels
    np.testing.assert_allclose(sums.difference_sums(*arguments), naive.difference_sums(*arguments), **CLOSE)


def test_no_voxel_has_no_difference():
    assert np.isnan(sums.difference_sums(np.zeros(2), np.zeros(2), np.array([1.0, 2.0]))).all()


def test_one_pair():
    """Levels 1 and 3 once each way: all but the constant sums are known by heart."""
    cells = np.array([[[0, 1, 1], [1, 0, 1]]])
    (got,), _ = sums.pair_sums(cells, np.array([2]), np.array([1.0, 3.0]))
    assert got[[0, 1, 2, 3, 4, 5]].tolist() == [2, 2, 1, 1, -1, 3]
    assert got[[9, 10, 16, 17, 18]].tolist() == [0.5, 0.5, 2, 4, 0]
