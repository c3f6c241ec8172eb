"""Trees against their slow twin."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.naive import trees as naive

from axilla.kernels.trees import sum_of_leaves


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 4), st.integers(1, 5))
def test_leaves_are_the_twins(seed, depth, n_trees):
    """Full trees of some depth, some of their nodes cut short to leaves; values often exactly at a threshold."""
    rng = np.random.default_rng(seed)
    n_nodes = 2 ** (depth + 1) - 1
    inner = np.arange(n_nodes) < 2**depth - 1
    feature = np.where(inner & (rng.uniform(size=(n_trees, n_nodes)) < 0.8), rng.integers(0, 3, (n_trees, n_nodes)), -1)
    left = np.broadcast_to(np.where(inner, 2 * np.arange(n_nodes) + 1, 0), feature.shape).copy()
    threshold = rng.integers(-2, 3, feature.shape).astype(np.float64)
    value = rng.normal(size=feature.shape)
    values = rng.integers(-3, 4, (11, 3)).astype(np.float64)
    arguments = (values, feature, threshold, left, left + 1, value)
    np.testing.assert_allclose(sum_of_leaves(*arguments), naive.sum_of_leaves(*arguments), rtol=1e-12, atol=1e-12)
