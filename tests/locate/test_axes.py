"""RECIST's axes on shapes whose diameters are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axilla.locate import axial_axes
from axilla.locate.axes import geodesic_length, principal_lengths


def _ellipse(long_mm, short_mm, angle, spacing, shift=(0.0, 0.0)):
    n_y, n_x = (int(np.ceil(long_mm / s)) + 4 for s in spacing)
    y, x = np.mgrid[:n_y, :n_x].astype(float)
    y, x = (y - n_y / 2 - shift[0]) * spacing[0], (x - n_x / 2 - shift[1]) * spacing[1]
    along, across = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    return (along / (long_mm / 2)) ** 2 + (across / (short_mm / 2)) ** 2 <= 1


@settings(deadline=None, max_examples=40)
@given(st.floats(8, 30), st.floats(0.5, 0.9), st.floats(0, np.pi), st.floats(0.5, 1.0), st.floats(0.5, 1.0), st.floats(0, 0.99))
def test_digitized_ellipses_measure_their_diameters(long_mm, ratio, angle, dy, dx, shift):
    mask = _ellipse(long_mm, ratio * long_mm, angle, (dy, dx), (shift, shift / 2))
    axes = axial_axes(mask[None], (dy, dx))
    assert axes.long_mm == pytest.approx(long_mm, abs=1.2 * max(dy, dx))
    assert axes.short_mm == pytest.approx(ratio * long_mm, abs=1.5 * max(dy, dx))


def test_no_bias_on_average():
    errors = []
    for angle in np.linspace(0, np.pi, 25, endpoint=False):
        axes = axial_axes(_ellipse(14.0, 9.0, angle, (0.8, 0.8), (angle / 7, angle / 5))[None], (0.8, 0.8))
        errors.append((axes.long_mm - 14.0, axes.short_mm - 9.0))
    assert np.abs(np.mean(errors, axis=0)).max() < 0.4


@pytest.mark.parametrize(("shape", "long_mm", "short_mm"), [((1, 1), 0.9, 0.7), ((1, 6), 5.4, 0.7), ((5, 1), 3.5, 0.9)])
def test_pixels_and_lines_measure_from_edge_to_edge(shape, long_mm, short_mm):
    axes = axial_axes(np.ones((1, *shape), dtype=bool), (0.7, 0.9))
    assert (axes.long_mm, axes.short_mm) == pytest.approx((long_mm, short_mm))


def test_the_longest_slice_gives_the_axes_and_the_largest_its_index():
    mask = np.zeros((3, 12, 20), dtype=bool)
    mask[0, 5, 1:19] = True
    mask[2, 2:10, 4:12] = True
    axes = axial_axes(mask, (1.0, 1.0))
    assert (axes.slice_index, axes.largest_slice_index) == (0, 2)
    assert (axes.long_mm, axes.short_mm) == pytest.approx((18.0, 1.0))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.95))
def test_any_mask_gives_ordered_positive_axes(seed, share):
    mask = np.random.default_rng(seed).random((3, 7, 6)) < share
    if mask.any():
        axes = axial_axes(mask, (0.8, 1.3))
        assert 0 < axes.short_mm <= axes.long_mm <= np.hypot(7 * 0.8, 6 * 1.3)


def test_lengths_in_space():
    bar = np.ones((4, 3, 10), dtype=bool)
    assert principal_lengths(bar, (2.0, 1.0, 1.0)) == pytest.approx((10.0, 8.0, 3.0), abs=0.01)
    hook = np.zeros((1, 12, 12), dtype=bool)
    hook[0, 0, :] = hook[0, :, 0] = True
    assert geodesic_length(hook, (1.0, 1.0, 1.0)) == pytest.approx(10 + 10 + np.sqrt(2) + 1, abs=0.01)
