"""Gray values against their slow twin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.naive import gray as naive

from axilla.kernels import gray


def random_values(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random(rng.integers(1, 6, 3)) < 0.7
    mask.flat[0] = True
    values = rng.normal(0, 60, np.count_nonzero(mask))
    return (np.round(values) if seed % 2 else values), mask


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 3, 25]))
def test_levels_are_the_twins(seed, width):
    values, mask = random_values(seed)
    edges = np.arange(values.min() - values.min() % width, values.max() + 2 * width, width)
    for ours, other in zip(gray.discretize(values, edges, mask, 2), naive.discretize(values, edges, mask, 2), strict=True):
        np.testing.assert_array_equal(ours, other)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1000.0]))
def test_sums_are_the_twins(seed, shift):
    values = np.sort(random_values(seed)[0])
    arguments = values, values.mean(), shift
    np.testing.assert_allclose(gray.value_sums(*arguments), naive.value_sums(*arguments), rtol=1e-9, atol=1e-9)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=40))
def test_percentiles_have_numpys_bits(values):
    ascending = np.sort(values)
    got = gray.value_sums(ascending, ascending.mean(), 0.0)[3:8]
    assert got.tolist() == np.percentile(ascending, (10, 25, 50, 75, 90)).tolist()


def test_two_values_leave_none_between_their_percentiles():
    assert np.isnan(gray.value_sums(np.array([1.0, 2.0]), 1.5, 0.0)[14])
    assert gray.value_sums(np.array([2.0, 2.0]), 2.0, 0.0)[14] == pytest.approx(0)
