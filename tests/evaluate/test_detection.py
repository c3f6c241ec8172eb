"""Located against true nodes, on cases that can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axilla.errors import InvalidValueError
from axilla.evaluate import (
    DetectionCase,
    DetectionSettings,
    at_most,
    compare,
    detection_summary,
    froc,
    match,
    mean_surface_distance_mm,
)
from axilla.node import Segment, Segmentation
from axilla.volume import Geometry

GRID = Geometry((20, 30, 40), (1.0, 1.0, 2.0))


def cube(label: int, z: int, y: int, x: int, size: int = 4) -> Segment:
    return Segment(label, (z, y, x), np.ones((size, size, size), dtype=bool))


def segmentation(*segments: Segment) -> Segmentation:
    return Segmentation(GRID, segments)


def test_overlap_of_shifted_cubes_is_what_one_counts() -> None:
    case = compare(segmentation(cube(1, 2, 2, 2)), segmentation(cube(7, 2, 2, 3)), {1: 4.0})
    (row,) = case.pairs.itertuples()
    assert (row.truth_label, row.found_label) == (1, 7)
    assert row.iou == pytest.approx(48 / 80)  # 4 x 4 x 3 shared of 64 + 64 - 48
    assert row.dice == pytest.approx(96 / 128)
    assert row.has_center


def test_surface_distance_of_points_is_their_distance_in_mm() -> None:
    point = np.ones((1, 1, 1), dtype=bool)
    one, other = Segment(1, (3, 3, 3), point), Segment(1, (5, 3, 6), point)
    assert mean_surface_distance_mm(one, other, GRID) == pytest.approx(5.0)  # 2 slices of 2 mm and 3 columns
    assert mean_surface_distance_mm(one, one, GRID) == 0
    with pytest.raises(InvalidValueError):
        mean_surface_distance_mm(one, Segment(2, (0, 0, 0), np.zeros((0, 0, 0), dtype=bool)), GRID)


def test_surface_distance_of_slabs_averages_both_ways() -> None:
    slab = Segment(1, (0, 0, 0), np.ones((1, 1, 3), dtype=bool))
    longer = Segment(1, (0, 0, 0), np.ones((1, 1, 5), dtype=bool))
    assert mean_surface_distance_mm(slab, longer, GRID) == pytest.approx((0 + 0 + 0 + 0 + 0 + 0 + 1 + 2) / 8)


def test_a_center_inside_is_a_hit_without_overlap_to_speak_of() -> None:
    big = Segment(1, (2, 2, 2), np.ones((9, 9, 9), dtype=bool))
    core = cube(3, 6, 6, 6, 1)
    assert compare(segmentation(big), segmentation(core), {1: 9.0}).pairs["has_center"].all()
    beside = cube(3, 2, 2, 2, 1)
    case = compare(segmentation(big), segmentation(beside), {1: 9.0})
    assert len(match(case)) == 0
    assert math.isnan(case.pairs["surface_mm"][0])


def test_a_node_found_twice_is_one_hit_and_one_false_positive() -> None:
    truth = segmentation(cube(1, 2, 2, 2, 6))
    found = segmentation(cube(1, 2, 2, 2, 5), cube(2, 3, 3, 3, 5))
    summary = detection_summary([compare(truth, found, {1: 6.0})])
    assert summary["sensitivity 5-10"] == 1
    assert summary["false_positives_per_axilla"] == 0.5


def test_one_label_over_two_nodes_finds_one() -> None:
    truth = segmentation(cube(1, 2, 2, 2), cube(2, 2, 2, 6))
    found = segmentation(Segment(1, (2, 2, 2), np.ones((4, 4, 8), dtype=bool)))
    case = compare(truth, found, {1: 4.0, 2: 4.0})
    assert len(match(case)) == 1
    assert detection_summary([case])["sensitivity 3-5"] == 0.5


def test_the_pairing_finds_most_nodes_before_best_overlap() -> None:
    """Greedy by overlap would give found 1 to truth 1 and leave truth 2 alone."""
    truth = segmentation(cube(1, 2, 2, 2, 6), cube(2, 2, 2, 8, 6))
    middle = Segment(1, (2, 2, 4), np.ones((6, 6, 7), dtype=bool))
    only_first = Segment(2, (2, 2, 2), np.ones((6, 6, 3), dtype=bool))
    matched = match(compare(truth, segmentation(middle, only_first), {1: 6.0, 2: 6.0}))
    assert dict(zip(matched["truth_label"], matched["found_label"], strict=True)) == {1: 2, 2: 1}


def test_nodes_below_the_smallest_class_are_neither_asked_for_nor_false() -> None:
    summary = detection_summary([compare(segmentation(cube(1, 2, 2, 2, 2)), segmentation(cube(1, 2, 2, 2, 2)), {1: 2.0})])
    assert summary["false_positives_per_axilla"] == 0
    assert (summary["n <3"], summary["n >=3"]) == (1, 0)
    assert math.isnan(summary["sensitivity >=3"])
    assert math.isnan(summary["dice"])


@pytest.mark.parametrize(("size", "name"), [(2.99, "<3"), (3.0, "3-5"), (5.0, "5-10"), (10.0, "5-10"), (10.01, ">10")])
def test_edges_of_size_classes(size: float, name: str) -> None:
    assert DetectionSettings().size_class(size) == name


def two_nodes_three_finds() -> DetectionCase:
    truth = segmentation(cube(1, 2, 2, 2), cube(2, 10, 10, 10, 6))
    found = segmentation(cube(1, 2, 2, 2), cube(2, 10, 10, 10, 6), cube(3, 14, 20, 30))
    return compare(truth, found, {1: 4.0, 2: 6.0}, {1: 0.3, 2: 0.9, 3: 0.5}, n_axillae=1)


def test_froc_by_hand() -> None:
    curve = froc([two_nodes_three_finds()])
    assert curve["threshold"].tolist() == [0.9, 0.5, 0.3]
    assert curve["false_positives_per_axilla"].tolist() == [0, 1, 1]
    assert curve["sensitivity 5-10"].tolist() == [1, 1, 1]
    assert curve["sensitivity 3-5"].tolist() == [0, 0, 1]
    assert curve["sensitivity >=3"].tolist() == [0.5, 0.5, 1]
    assert curve["dice"].tolist() == [1, 1, 1]
    assert curve["surface_mm"].tolist() == [0, 0, 0]
    assert at_most(curve, 0.5)["threshold"] == 0.9
    assert at_most(curve, 1)["threshold"] == 0.3
    with pytest.raises(InvalidValueError):
        at_most(curve.iloc[1:], 0.5)


def test_nothing_located_is_a_result() -> None:
    case = compare(segmentation(cube(1, 2, 2, 2)), segmentation(), {1: 4.0})
    summary = detection_summary([case])
    assert (summary["sensitivity 3-5"], summary["false_positives_per_axilla"]) == (0, 0)
    assert froc([case]).empty
    with pytest.raises(InvalidValueError):
        at_most(froc([case]), 1)


def test_misuse_is_refused() -> None:
    other = Segmentation(Geometry((20, 30, 40), (1.0, 1.0, 3.0)))
    with pytest.raises(InvalidValueError, match="one grid"):
        compare(segmentation(), other, {})
    with pytest.raises(InvalidValueError, match="short axis"):
        compare(segmentation(cube(1, 2, 2, 2)), segmentation(), {})
    with pytest.raises(InvalidValueError):
        DetectionSettings(size_edges_mm=(5.0, 3.0))
    with pytest.raises(InvalidValueError):
        DetectionSettings(hit_iou=0)


@given(st.lists(st.tuples(*[st.integers(0, 14)] * 3, st.integers(1, 6)), min_size=1, max_size=6), st.integers(0, 2**16))
def test_matching_is_one_to_one_and_blind_to_order(boxes: list[tuple[int, int, int, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = segmentation(*(cube(i, z, y, x, s) for i, (z, y, x, s) in enumerate(boxes, start=1)))
    steps = rng.integers(0, 3, (len(boxes), 3))
    moved = [(min(z + a, 14), y + b, x + c, s) for (z, y, x, s), (a, b, c) in zip(boxes, steps, strict=True)]
    order = rng.permutation(len(moved))
    sizes = {i: float(s) for i, (*_, s) in enumerate(boxes, start=1)}
    first = match(compare(truth, segmentation(*(cube(i + 1, *moved[i]) for i in range(len(moved)))), sizes))
    second = match(compare(truth, segmentation(*(cube(n + 1, *moved[i]) for n, i in enumerate(order))), sizes))
    assert first["truth_label"].is_unique
    assert first["found_label"].is_unique
    assert len(first) == len(second)
    assert first["iou"].sum() == pytest.approx(second["iou"].sum())
