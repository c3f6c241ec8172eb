"""Cutting, joining and counting: tiny scenes anyone can check by eye."""

import numpy as np
import pytest

from axilla.locate.crop import SideCrop
from axilla.locate.features import NAMES, high_density, measurements, principal_lengths_of_moments
from axilla.locate.hypotheses import hypotheses
from axilla.locate.partition import HU_EDGES, SURFACES, partitions
from axilla.locate.settings import LocateSettings
from axilla.locate.star import Star
from axilla.locate.tissue import Tissue

SHAPE = (40, 40, 80)
SPACING = (1.0, 1.0, 1.0)
SETTINGS = LocateSettings()
BALL = Star(8.0, 8.0, 0.0, 0.0)


def _ball(center, radius):
    index = np.indices(SHAPE)
    return sum((axis - c) ** 2 for axis, c in zip(index, center, strict=True)) <= radius**2


def _partitions(soft, muscle=None, vessels=None):
    """Each way to cut a scene of fat (-100 HU) with soft tissue (50 HU) in it."""
    nothing = np.zeros(SHAPE, dtype=bool)
    muscle = nothing if muscle is None else muscle
    vessels = nothing if vessels is None else vessels
    hu = np.where(soft | muscle, 50, np.where(vessels, 200, -100)).astype(np.float32)
    everywhere = ~nothing
    wall_depth = np.where(soft, 2.0, 0.0).astype(np.float32)
    crop = SideCrop("R", hu, everywhere, nothing, SPACING, 1, (slice(0, 40), slice(0, 40), slice(0, 80)), 1.0, -100, 50, 200)
    tissue = Tissue(soft | muscle | vessels, muscle, vessels, everywhere, everywhere, soft & ~vessels, wall_depth)
    return crop, {part.source: part for part in partitions(tissue, crop, SETTINGS)}


def _unions(part):
    """Masks of all hypotheses on the whole grid."""
    masks = []
    for item in hypotheses(part, SETTINGS):
        offset, mask = item.mask()
        whole = np.zeros(SHAPE, dtype=bool)
        whole[tuple(slice(o, o + n) for o, n in zip(offset, mask.shape, strict=True))] = mask
        masks.append(whole)
    return masks


def _best(masks, truth):
    return max((np.count_nonzero(m & truth) / np.count_nonzero(m | truth) for m in masks), default=0.0)


def test_two_balls_that_touch_are_each_a_hypothesis_and_so_are_both_together():
    first, second = _ball((20, 20, 24), 7), _ball((20, 20, 36), 7)
    _, parts = _partitions(first | second)
    masks = _unions(parts["islands"])
    assert _best(masks, first) > 0.9
    assert _best(masks, second) > 0.9
    assert _best(masks, first | second) == 1.0


def test_a_node_as_dense_as_a_vessel_is_looked_at_too():
    node = _ball((20, 20, 40), 6)
    _, parts = _partitions(np.zeros(SHAPE, dtype=bool), vessels=node)
    assert _unions(parts["islands"]) == []
    assert _best(_unions(parts["all"]), node) == 1.0


def test_a_node_taken_for_muscle_is_looked_at_where_it_bulges_into_the_fat():
    wall = np.indices(SHAPE)[2] < 20
    node = _ball((20, 20, 26), 7)
    _, parts = _partitions(np.zeros(SHAPE, dtype=bool), muscle=wall | node)
    masks = _unions(parts["walls"])
    assert _best(masks, node & ~wall) > 0.6
    assert all(np.count_nonzero(mask) <= SETTINGS.max_volume_mm3 < np.count_nonzero(wall) for mask in masks)


def test_what_is_counted_of_a_union_is_what_its_voxels_say():
    first, second = _ball((20, 20, 24), 7), _ball((20, 20, 36), 7)
    crop, parts = _partitions(first | second)
    part = parts["islands"]
    items = hypotheses(part, SETTINGS)
    whole = max(range(len(items)), key=lambda i: len(items[i].pieces))
    values = measurements(items, [BALL] * len(items), [BALL] * len(items), [0.1] * len(items), crop)
    row = dict(zip(NAMES, values[whole], strict=True))
    mask = first | second
    assert row["diameter_mm"] == pytest.approx((6 * mask.sum() / np.pi) ** (1 / 3))
    assert row["fat_contact"] == 1.0
    assert row["neck"] == 0.0
    assert row["elongation"] == pytest.approx(row["length_mm"] / np.sqrt(5) / 2 / np.sqrt(np.argwhere(mask)[:, 0].var() + 1 / 12))
    assert row["density"] == pytest.approx(1.0, abs=0.03)
    alone = dict(zip(NAMES, values[next(i for i, item in enumerate(items) if len(item.pieces) == 1)], strict=True))
    assert 0.3 < alone["neck"] < 1
    assert alone["fat_contact"] + alone["contact"] == pytest.approx(1.0)


def test_faces_are_counted_by_what_they_face():
    box = np.zeros(SHAPE, dtype=bool)
    box[10:16, 10:16, 20:26] = True
    wall, vessel = np.zeros(SHAPE, dtype=bool), np.zeros(SHAPE, dtype=bool)
    wall[10:16, 10:16, 14:20] = True
    vessel[10:16, 16:20, 20:26] = True
    _, parts = _partitions(box, muscle=wall, vessels=vessel)
    faces = parts["islands"].surface_mm2.sum(axis=0)
    assert dict(zip(SURFACES, faces, strict=True)) == {"fat": 4 * 36.0, "wall": 36.0, "vessel": 36.0, "soft": 0.0}


def test_ellipsoids_have_the_lengths_of_their_axes():
    index = np.indices((60, 60, 60)).reshape(3, -1).T - 30.0
    inside = index[((index / (20, 12, 6)) ** 2).sum(axis=1) <= 1]
    z, y, x = inside.T
    sums = np.array([[len(z), len(z), 0, *inside.sum(axis=0), z @ z, y @ y, x @ x, z @ y, z @ x, y @ x]])
    assert principal_lengths_of_moments(sums, (1, 1, 1))[0] == pytest.approx((40, 24, 12), rel=0.02)


def test_high_density_is_the_ninetieth_percentile():
    values = np.random.default_rng(3).normal(60, 20, 5000)
    histogram = np.histogram(values, HU_EDGES)[0][None].astype(float)
    assert high_density(histogram)[0] == pytest.approx(np.percentile(values, 90), abs=1.0)
