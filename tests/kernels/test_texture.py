"""Texture against its slow twin, and tiny cases to check by eye."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.naive import texture as naive

from axilla.kernels import texture
from axilla.radiomics.texture.steps import UNIT_STEPS_ZYX, steps_at

ROW = np.array([[[1, 1, 2, 0, 2]]])  # one line along x with a gap
ALONG_X = UNIT_STEPS_ZYX.tolist().index([0, 0, 1])


def random_region(seed):
    """Padded ranks of a small region, and its levels, some of which are skipped."""
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 6, 3)
    values = rng.integers(1, 5, shape) * (rng.random(shape) < rng.uniform(0.2, 1))
    values.flat[0] = 1
    levels = np.unique(values[values > 0])
    ranks = np.where(values > 0, np.searchsorted(levels, values) + 1, 0)
    return np.pad(ranks, 2), (levels * rng.integers(1, 3)).astype(float)


def as_lists(cells):
    return [[tuple(cell) for cell in own[:n].tolist()] for own, n in zip(*cells, strict=True)]


def count(ranks, levels, distances=(1,), alpha=0.0, is_symmetrical=True):
    return texture.texture_cells(ranks, levels, steps_at(distances), UNIT_STEPS_ZYX, alpha, is_symmetrical)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(1,), (2,), (1, 2)]), st.sampled_from([0.0, 1.0]), st.booleans())
def test_cells_are_the_twins(seed, distances, alpha, is_symmetrical):
    ranks, levels = random_region(seed)
    got = count(ranks, levels, distances, alpha, is_symmetrical)
    expected = naive.texture_cells(ranks, levels, steps_at(distances), UNIT_STEPS_ZYX, alpha, is_symmetrical)
    for ours, other in zip(got[:4], expected[:4], strict=True):
        assert as_lists(ours) == other
    np.testing.assert_allclose(got[4], expected[4], rtol=1e-12, atol=1e-12)


def test_a_row():
    pairs, runs, zones, dependences, differences = count(np.pad(ROW, 1), np.array([1.0, 2.0]))
    assert as_lists(pairs)[ALONG_X] == [(0, 0, 2), (0, 1, 1), (1, 0, 1)]  # 1-1, counted both ways, and 1-2
    assert as_lists(runs)[ALONG_X] == [(0, 2, 1), (1, 1, 2)]  # the gap parts the twos
    assert as_lists(zones) == [[(0, 2, 1), (1, 1, 2)]]
    assert as_lists(dependences) == [[(0, 2, 2), (1, 1, 2)]]  # both ones have one neighbor alike, neither two has
    assert differences.tolist() == [[2, 2, 0.5], [2, 1, 1.0]]  # |1 - 1.5|; |2 - 1|, and none for the lonely voxel
    others = [k for k in range(13) if k != ALONG_X]
    assert not pairs[1][others].any()
    assert not runs[1][others].any()


def test_a_direction_along_which_no_line_has_two_voxels_has_no_runs():
    ranks = np.zeros((5, 5, 5), dtype=int)
    ranks[1, 1, 1] = ranks[3, 3, 3] = 1  # two apart on the diagonal
    runs = count(ranks, np.array([1.0]))[1]
    diagonal = UNIT_STEPS_ZYX.tolist().index([1, 1, 1])
    assert as_lists(runs)[diagonal] == [(0, 1, 2)]
    assert runs[1].sum() == 1


@pytest.mark.parametrize(("distances", "n"), [((1,), 13), ((2,), 49), ((1, 2), 62)])
def test_steps_are_half_of_all_neighbors(distances, n):
    steps = {tuple(step) for step in steps_at(distances).tolist()}
    assert len(steps) == n
    assert not steps & {tuple(-s for s in step) for step in steps}
