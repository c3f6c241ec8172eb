"""Rays against their slow twin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.naive import rays as naive

from axilla.kernels.rays import ray_lengths


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_lengths_are_the_twins(seed):
    rng = np.random.default_rng(seed)
    image = rng.normal(0, 100, rng.integers(1, 9, 3)).astype(np.float32)
    places = rng.uniform(-2, 10, (4, 3))
    directions = rng.normal(size=(7, 3))
    reach, levels = rng.uniform(0.5, 12, 4), rng.uniform(-150, 100, 4)
    got = ray_lengths(image, places, directions, reach, levels, 24)
    np.testing.assert_allclose(got, naive.ray_lengths(image, places, directions, reach, levels, 24), rtol=1e-5, atol=1e-5)


def test_a_ray_ends_between_two_samples():
    image = np.zeros((1, 1, 40), dtype=np.float32)
    image[..., :11] = 100.0
    (length,) = ray_lengths(
        image, np.array([[0.0, 0.0, 0.0]]), np.array([[0.0, 0.0, 1.0]]), np.array([24.0]), np.array([50.0]), 24
    )[0]
    assert length == pytest.approx(10.5)
