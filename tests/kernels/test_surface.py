"""Surface against its slow twin."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.naive import surface as naive

from axilla.kernels import surface

HALF_ZYX = np.array([0.65, 0.35, 1.05])


def random_mask(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random(rng.integers(1, 7, 3)) < rng.uniform(0.1, 0.9)
    mask.flat[0] = True
    return np.pad(mask, 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_counts_are_the_twins(seed):
    padded = random_mask(seed)
    for ours, other in zip(surface.mesh_counts(padded), naive.mesh_counts(padded), strict=True):
        np.testing.assert_array_equal(ours, other)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_diameters_are_the_twins(seed):
    padded = random_mask(seed)
    got, expected = surface.squared_diameters(padded, HALF_ZYX), naive.squared_diameters(padded, HALF_ZYX)
    np.testing.assert_allclose(got, expected, rtol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.tuples(st.floats(0.2, 1), st.floats(0.2, 1), st.floats(0.2, 1)), st.tuples(*[st.floats(-0.5, 0.5)] * 3))
def test_diameters_of_ellipsoids_are_the_twins(axes, center):
    grid = np.moveaxis(np.indices((15, 15, 15)), 0, -1) - 7 - np.array(center)
    padded = np.pad(((grid / np.array(axes)) ** 2).sum(axis=-1) <= 49, 1)
    got, expected = surface.squared_diameters(padded, HALF_ZYX), naive.squared_diameters(padded, HALF_ZYX)
    np.testing.assert_allclose(got, expected, rtol=1e-12)
