"""Nodes found on a synthetic chest, whatever way the CT is stored; and none where there is no axilla."""

from dataclasses import replace

import numpy as np
import pytest

from axilla.detectors import BUILT_IN, Detector, detector_names, get_detector
from axilla.errors import InvalidValueError, UsageError
from axilla.locate import LocateSettings, describe, locate
from axilla.locate.features import GROUPS
from axilla.locate.likeness import node_model
from axilla.node import Segment, Segmentation
from axilla.phantom import CasePlan, NodePlan, PhantomSettings, render_case
from axilla.segment import grow
from axilla.volume import Geometry, SliceReference, Volume

SETTINGS = PhantomSettings(shape_zyx=(100, 200, 300), spacing_xyz_mm=(1.5, 1.5, 1.5), sex="male", habitus=0.6)


def _plan(side, kind, long, middle, short, cortex):
    return NodePlan(side, "I", "benign", kind, (long, middle, short), cortex, 75.0, 4.0, "free")


@pytest.fixture(scope="module")
def case():
    nodes = (
        _plan("R", "solid", 16.0, 13.0, 11.0, 5.5),
        _plan("R", "ring", 15.0, 13.0, 12.0, 3.5),
        _plan("L", "solid", 12.0, 10.0, 9.0, 4.5),
        _plan("L", "crescent", 18.0, 14.0, 12.0, 4.0),
    )
    return render_case(CasePlan(SETTINGS, nodes, seed=3))


@pytest.fixture(scope="module")
def location(case):
    return locate(case.volume)


def test_planted_nodes_are_found_and_little_else(case, location):
    found = location.segmentation.to_labels().array
    truth = case.truth.to_labels().array
    for node in case.nodes:
        mask = truth == node.label
        labels, counts = np.unique(found[mask], return_counts=True)
        best = labels[labels > 0][counts[labels > 0].argmax()] if (labels > 0).any() else 0
        assert best, f"{node.kind} node of {node.short_axis_mm:.0f} mm on the {node.side} was missed"
        own = found == best
        assert 2 * np.count_nonzero(own & mask) / (own.sum() + mask.sum()) > 0.7
        assert location.nodes[best - 1].side == node.side
    false = [n for n in location.nodes if not truth[found == n.label].any()]
    assert len(false) <= 2


def test_numbering_runs_right_then_left_and_head_to_foot(location):
    assert [node.label for node in location.nodes] == list(range(1, len(location.nodes) + 1))
    assert [node.side for node in location.nodes] == sorted((node.side for node in location.nodes), reverse=True)
    for side in "RL":
        own = [node for node in location.nodes if node.side == side]
        assert [node.node_id for node in own] == [f"{side}{i:02d}" for i in range(1, len(own) + 1)]
        heights = [node.center_xyz_mm[2] for node in own]
        assert heights == sorted(heights, reverse=True)
    names = {segment.label: segment.name for segment in location.segmentation.segments}
    assert names == {node.label: node.node_id for node in location.nodes}


def test_the_score_is_explained(location):
    for node in location.nodes:
        parts = {k: v for k, v in node.measurements.items() if k.startswith("score_")}
        evidence = {k: v for k, v in node.measurements.items() if k.startswith("evidence_")}
        assert set(parts) == {"score_likeness", "score_size"}
        assert set(evidence) == {f"evidence_{group}" for group in (*GROUPS, "crescent")}
        assert node.detection_score == pytest.approx(parts["score_likeness"] * parts["score_size"])
        assert node.detection_score >= LocateSettings().min_score
        log_odds = np.log(parts["score_likeness"] / (1 - parts["score_likeness"]))
        assert log_odds == pytest.approx(node_model().intercept + sum(evidence.values()))


@pytest.mark.parametrize(("axes", "flips"), [((0, 1, 2), (0,)), ((2, 1, 0), (1, 2))])
def test_the_same_nodes_however_the_ct_is_stored(case, location, axes, flips):
    turned = _reorient(case.volume, axes, flips)
    other = locate(turned)
    assert [n.node_id for n in other.nodes] == [n.node_id for n in location.nodes]
    for a, b in zip(location.nodes, other.nodes, strict=True):
        np.testing.assert_allclose(a.center_xyz_mm, b.center_xyz_mm, atol=1e-6)
        assert b.volume_mm3 == pytest.approx(a.volume_mm3)
        assert (b.short_axis_mm, b.long_axis_mm) == pytest.approx((a.short_axis_mm, a.long_axis_mm))


def test_moving_the_field_moves_nothing_in_the_patient(case, location):
    moved = case.volume.crop((slice(1, None), slice(5, None), slice(4, None)))
    other = locate(moved)
    assert len(other.nodes) == len(location.nodes)
    for a, b in zip(location.nodes, other.nodes, strict=True):
        np.testing.assert_allclose(a.center_xyz_mm, b.center_xyz_mm, atol=1.0)
        assert b.volume_mm3 == pytest.approx(a.volume_mm3, rel=0.05)


def test_no_axilla_no_nodes(case):
    top = locate(case.volume.crop((slice(94, 100), slice(0, 200), slice(0, 300))))
    assert top.nodes == ()
    assert dict(top.coverage) == {"R": "absent", "L": "absent"}
    assert top.warnings
    water = np.full((40, 60, 60), -1000, dtype=np.int16)
    y, x = np.mgrid[:60, :60]
    water[:, np.hypot(y - 30, x - 30) < 25] = 0
    assert locate(Volume(water, Geometry(water.shape, (3.0, 3.0, 3.0)))).nodes == ()


def test_thick_slices_are_warned_about(case):
    geometry = replace(case.volume.geometry, shape_zyx=(50, 200, 300), spacing_xyz_mm=(1.5, 1.5, 3.0))
    thick = Volume(np.ascontiguousarray(case.volume.array[::2]), geometry)
    assert any("3 mm apart" in sentence for sentence in locate(thick).warnings)


def test_the_slice_of_a_node_is_the_one_where_it_is_largest(case, location):
    slices = tuple(SliceReference(500 - i, f"1.2.{i}") for i in range(case.volume.array.shape[0]))
    nodes = describe(replace(case.volume, slices=slices), location.segmentation, anatomy=location.anatomy)
    labels = location.segmentation.to_labels().array
    for node in nodes:
        areas = np.count_nonzero(labels == node.label, axis=(1, 2))
        assert areas[node.slice_index] == areas.max()
        assert node.instance_number == 500 - node.slice_index
        assert node.sop_instance_uid == f"1.2.{node.slice_index}"


def test_describe_bears_odd_masks(case, location):
    geometry = case.volume.geometry
    masks = [
        ("voxel", np.ones((1, 1, 1), dtype=bool)),
        ("line", np.ones((1, 1, 5), dtype=bool)),
        ("plane", np.ones((6, 1, 4), dtype=bool)),
        ("", np.ones((2, 3, 2), dtype=bool)),
        ("empty", np.zeros((2, 2, 2), dtype=bool)),
        ("voxel", np.ones((2, 1, 1), dtype=bool)),
    ]
    segments = tuple(Segment(i, (50, 80, 20 + 30 * i), mask, name) for i, (name, mask) in enumerate(masks, start=1))
    nodes = describe(case.volume, Segmentation(geometry, segments), anatomy=location.anatomy)
    assert [node.node_id for node in nodes] == ["voxel_1", "line", "plane", "4", "voxel_6"]
    assert nodes[0].short_axis_mm == pytest.approx(1.5)
    assert all(node.detection_score == 1 and node.volume_mm3 > 0 for node in nodes)
    assert describe(case.volume, Segmentation(geometry, ())) == ()


def test_describe_refuses_another_grid(case):
    other = Segmentation(Geometry((4, 4, 4)), ())
    with pytest.raises(InvalidValueError, match="grid"):
        describe(case.volume, other)


def test_a_click_grows_into_the_node(case):
    truth = case.truth.to_labels().array
    for node in case.nodes:
        segment = grow(case.volume, node.center_xyz_mm)
        mask = np.zeros(truth.shape, dtype=bool)
        mask[segment.slices_zyx] = segment.mask
        own = truth == node.label
        assert 2 * np.count_nonzero(mask & own) / (mask.sum() + own.sum()) > 0.6, node.kind


def test_a_click_into_nothing_is_refused(case):
    with pytest.raises(InvalidValueError, match="outside the CT"):
        grow(case.volume, (9999.0, 0.0, 0.0))
    corner = tuple(case.volume.geometry.to_mm((50, 2, 2)))
    with pytest.raises(InvalidValueError, match="No soft tissue"):
        grow(case.volume, corner)


def test_detectors_are_found_by_name():
    detector = get_detector()
    assert isinstance(detector, Detector)
    assert detector.provenance.name == BUILT_IN
    assert detector_names()[0] == BUILT_IN
    with pytest.raises(UsageError, match="no detector 'nope'"):
        get_detector("nope")


@pytest.fixture(scope="module")
def real(shared):
    from axilla.io import read_ct

    return read_ct(shared / "data" / "ct_chest_C3N-00249.zip").volume


@pytest.fixture(scope="module")
def real_location(real):
    return locate(real)


def test_the_real_ct_shows_its_three_larger_nodes(real_location):
    labels = real_location.segmentation.to_labels().array
    owners = {
        name: labels[z, y, x] for name, (x, y, z) in {"L1": (380, 234, 85), "L2": (417, 242, 88), "R1": (114, 235, 87)}.items()
    }
    assert all(owners.values()), owners
    assert len(set(owners.values())) == 3
    for side in "RL":
        assert sum(node.side == side for node in real_location.nodes) <= {"R": 6, "L": 5}[side]


@pytest.mark.parametrize(("first", "last"), [(0, 32), (96, 102)])
def test_the_real_cts_abdomen_and_neck_hold_no_axilla(real, first, last):
    rows, columns = real.array.shape[1:]
    part = locate(real.crop((slice(first, last), slice(0, rows), slice(0, columns))))
    assert part.nodes == ()
    assert set(part.coverage.values()) == {"absent"}


def _reorient(volume, axes, flips):
    """The same CT stored with other axis order and directions."""
    geometry = volume.geometry
    array = np.flip(np.transpose(volume.array, axes), flips)
    start = np.zeros(3)
    for new, old in enumerate(axes):
        start[old] = geometry.shape_zyx[old] - 1 if new in flips else 0
    columns = np.asarray(geometry.direction)[:, ::-1]
    turned = np.stack([columns[:, old] * (-1 if new in flips else 1) for new, old in enumerate(axes)], axis=1)
    spacing = [geometry.spacing_zyx_mm[old] for old in axes]
    other = Geometry(array.shape, tuple(spacing[::-1]), tuple(geometry.to_mm(start)), tuple(map(tuple, turned[:, ::-1])))
    return replace(volume, array=np.ascontiguousarray(array), geometry=other, slices=())
