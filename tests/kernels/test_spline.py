"""The spline against its slow twin, and bit for bit against ITK."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.naive import spline as naive

from axilla.kernels import spline

MARGIN = 40


def read_only(array):
    array.flags.writeable = False
    return array


def of_itk(array):
    image = sitk.GetImageFromArray(array.astype(np.float64))
    return sitk.GetArrayFromImage(sitk.BSplineDecomposition(image, 3))


def filling(low, high):
    """First taps (x, y, z) of points that need all of a box (z, y, x)."""
    return np.array([(x, y, z) for z in range(low[0], high[0]) for x, y in ((low[2], low[1]), (high[2] - 4, high[1] - 4))])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_values_are_the_twins(seed):
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 9, 3)
    array = read_only(rng.integers(-500, 500, size).astype(np.int16))
    low, high = np.zeros(3, dtype=np.int64), size.astype(np.int64)
    asked = array, filling(low, high), low, high, MARGIN
    coefficients = spline.spline_coefficients(*asked)
    np.testing.assert_allclose(coefficients, naive.spline_coefficients(*asked), atol=1e-8)
    index_xyz = rng.uniform(-0.5, size[::-1] - 0.5, (6, 3))
    first, *box = spline.spline_taps(index_xyz, high)
    for ours, other in zip((first, *box), naive.spline_taps(index_xyz, high), strict=True):
        np.testing.assert_array_equal(ours, other)
    arguments = coefficients, low, high, index_xyz, first
    np.testing.assert_allclose(spline.spline_values(*arguments), naive.spline_values(*arguments), atol=1e-8)


@pytest.mark.parametrize("shape", [(5, 30, 19), (18, 17, 2), (1, 18, 19), (3, 1, 40)])
def test_short_axes_have_itks_bits(shape):
    array = read_only(np.random.default_rng(0).integers(-200, 300, shape).astype(np.int16))
    low, high = np.zeros(3, dtype=np.int64), np.array(shape)
    got = spline.spline_coefficients(array, filling(low, high), low, high, MARGIN)
    np.testing.assert_array_equal(got, of_itk(array))


@pytest.mark.parametrize(("low", "size"), [((60, 55, 62), (9, 12, 8)), ((0, 50, 110), (6, 30, 20)), ((95, 0, 0), (25, 5, 9))])
def test_a_box_has_the_bits_of_the_whole_image(low, size):
    array = read_only(np.random.default_rng(1).integers(-1000, 1500, (120, 130, 130)).astype(np.int16))
    low, high = np.array(low), np.add(low, size)
    whole = of_itk(array)[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    np.testing.assert_array_equal(spline.spline_coefficients(array, filling(low, high), low, high, MARGIN), whole)


@pytest.mark.parametrize("center", [(60, 55, 62), (9, 60, 121), (112, 7, 8)])
def test_a_ball_has_the_values_of_the_whole_image(center):
    array = read_only(np.random.default_rng(2).integers(-1000, 1500, (120, 130, 130)).astype(np.int16))
    size, steps = np.array(array.shape), np.random.default_rng(3).uniform(-8, 8, (3000, 3))
    index_xyz = (np.array(center) + steps[np.linalg.norm(steps, axis=1) < 8])[:, ::-1].copy()
    first, low, high = spline.spline_taps(index_xyz, size)
    ours = spline.spline_coefficients(array, first, low, high, MARGIN)
    none = np.zeros(3, dtype=np.int64)
    np.testing.assert_array_equal(
        spline.spline_values(ours, low, size, index_xyz, first),
        spline.spline_values(of_itk(array), none, size, index_xyz, first),
    )
