"""Ball morphology in millimeters against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axilla.anatomy import morphology

SPACING = (2.0, 0.8, 1.1)


def _brute_distance(mask, spacing):
    points = np.argwhere(mask) * spacing
    every = np.argwhere(np.ones_like(mask)) * spacing
    return np.sqrt(((every[:, None] - points[None]) ** 2).sum(axis=2)).min(axis=1).reshape(mask.shape)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.floats(0.02, 0.9))
def test_distance_is_exact(seed, share):
    mask = np.random.default_rng(seed).random((5, 9, 8)) < share
    if not mask.any():
        assert np.isinf(morphology.distance_to(mask, SPACING)).all()
        return
    np.testing.assert_allclose(morphology.distance_to(mask, SPACING), _brute_distance(mask, SPACING), atol=1e-4)


def test_in_plane_distance_ignores_other_slices():
    mask = np.zeros((3, 7, 7), dtype=bool)
    mask[0, 3, 3] = True
    mask[1, 0, 0] = True
    grown = morphology.dilate(mask, 1.0, SPACING, in_plane=True)
    assert not grown[2].any()
    assert grown[0].sum() == 3  # 0.8 mm up and down reach it, 1.1 mm sideways does not


def test_opening_drops_the_thin_and_closing_fills_the_narrow():
    mask = np.zeros((9, 30, 30), dtype=bool)
    mask[2:7, 5:20, 5:20] = True
    mask[4, 12, 20:29] = True
    opened = morphology.opened(mask, 1.6, (1.0, 1.0, 1.0))
    assert not opened[4, 12, 23:].any()
    assert opened[4, 12, 12]
    mask[4, 10, 10] = False
    assert morphology.closed(mask, 1.0, (1.0, 1.0, 1.0))[4, 10, 10]


def test_hull_of_a_ring_is_its_disk():
    y, x = np.mgrid[:41, :41]
    radius = np.hypot(y - 20, x - 20)
    ring = ((radius < 15) & (radius > 12))[None]
    hull = morphology.hull_slices(ring)[0]
    assert hull[radius < 14].all()
    assert not hull[radius > 16.1].any()


@pytest.mark.parametrize("shape", [(4, 6, 8), (5, 7, 9)])
def test_block_mean_keeps_the_mean_and_pads_with_the_edge(shape):
    array = np.random.default_rng(0).normal(size=shape)
    mean = morphology.block_mean(array, (1, 2, 3))
    assert mean.shape == (shape[0], -(-shape[1] // 2), -(-shape[2] // 3))
    assert mean[0, 0, 0] == pytest.approx(array[0, :2, :3].mean(), abs=1e-5)
