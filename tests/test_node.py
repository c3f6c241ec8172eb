"""Segments, segmentations, candidates and nodes check themselves and lose nothing on the way to a label map and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from axilla.errors import InvalidValueError
from axilla.node import Candidate, Node, Segment, Segmentation
from axilla.volume import Geometry, Labels, bounding_box

GRID = Geometry((4, 5, 6))


class TestSegmentation:
    @settings(deadline=None)
    @given(arrays(np.uint16, (4, 5, 6), elements=st.sampled_from([0, 0, 0, 1, 2, 9])))
    def test_label_map_round_trip(self, array):
        names = {int(v): f"R{v:02d}" for v in np.unique(array) if v}
        labels = Labels(array, GRID, names)
        again = Segmentation.from_labels(labels).to_labels()
        assert (again.array == array).all()
        assert dict(again.names) == names

    @settings(deadline=None)
    @given(arrays(np.uint16, (4, 5, 6), elements=st.sampled_from([0, 1, 2])))
    def test_segments_are_tight_and_know_their_voxels(self, array):
        for segment in Segmentation.from_labels(Labels(array, GRID)).segments:
            assert (segment.indices_zyx() == np.argwhere(array == segment.label)).all()
            assert segment.n_voxels == (array == segment.label).sum()
            assert bounding_box(segment.mask) == tuple(slice(0, n) for n in segment.mask.shape)

    def test_masks_may_overlap_but_then_make_no_label_map(self):
        first, second = np.zeros(GRID.shape_zyx, dtype=bool), np.zeros(GRID.shape_zyx, dtype=bool)
        first[0, 0, :3], second[0, 0, 2:] = True, True
        segmentation = Segmentation.from_masks(GRID, [("a", first), ("b", second), ("none", np.zeros_like(first))])
        assert [(s.label, s.name, s.n_voxels) for s in segmentation.segments] == [(1, "a", 3), (2, "b", 4), (3, "none", 0)]
        with pytest.raises(InvalidValueError, match="Segments 1 and 2 overlap"):
            segmentation.to_labels()

    def test_segments_are_ordered_by_label(self):
        segments = [Segment(label, (0, 0, label), np.ones((1, 1, 1), dtype=bool)) for label in (3, 1, 2)]
        assert [s.label for s in Segmentation(GRID, tuple(segments)).segments] == [1, 2, 3]

    def test_refusals(self):
        one = np.ones((1, 1, 1), dtype=bool)
        with pytest.raises(InvalidValueError, match="must be unique"):
            Segmentation(GRID, (Segment(1, (0, 0, 0), one), Segment(1, (1, 0, 0), one)))
        with pytest.raises(InvalidValueError, match="outside the grid"):
            Segmentation(GRID, (Segment(1, (4, 0, 0), one),))
        with pytest.raises(InvalidValueError, match="does not fit the grid"):
            Segmentation.from_masks(GRID, [("a", one)])

    @pytest.mark.parametrize(
        ("label", "offset", "shape"),
        [(0, (0, 0, 0), (1, 1, 1)), (65536, (0, 0, 0), (1, 1, 1)), (1, (0, -1, 0), (1, 1, 1)), (1, (0, 0, 0), (1, 1))],
    )
    def test_impossible_segments_are_refused(self, label, offset, shape):
        with pytest.raises(InvalidValueError, match=r"label must lie|3D crop"):
            Segment(label, offset, np.ones(shape, dtype=bool))

    def test_masks_are_read_only(self):
        segment = Segment(1, (0, 0, 0), np.ones((1, 1, 1), dtype=bool))
        with pytest.raises(ValueError, match="read-only"):
            segment.mask[0, 0, 0] = False


def node(**changes):
    values = {
        "node_id": "R01",
        "label": 1,
        "side": "R",
        "level": "I",
        "center_xyz_mm": (1.0, 2.0, 3.0),
        "short_axis_mm": 5.0,
        "long_axis_mm": 9.0,
        "volume_mm3": 120.0,
        "mean_hu": 40.0,
        "detection_score": 0.8,
        "slice_index": 12,
    }
    return Node(**{**values, **changes})


class TestNode:
    def test_a_round_node_has_equal_axes(self):
        assert node(short_axis_mm=7.0, long_axis_mm=7.0).short_axis_mm == 7.0

    @pytest.mark.parametrize(
        ("changes", "match"),
        [
            ({"side": "B"}, "side is one of"),
            ({"level": "IV"}, "level is one of"),
            ({"detection_score": 1.1}, "0..1"),
            ({"detection_score": float("nan")}, "0..1"),
            ({"short_axis_mm": 10.0}, "short axis <= long axis"),
            ({"short_axis_mm": float("nan")}, "short axis <= long axis"),
            ({"short_axis_mm": 0.0}, "short axis <= long axis"),
            ({"volume_mm3": 0.0}, "positive volume"),
            ({"center_xyz_mm": (0.0, float("nan"), 0.0)}, "finite center"),
            ({"mean_hu": float("inf")}, "finite center and mean HU"),
        ],
    )
    def test_impossible_nodes_are_refused(self, changes, match):
        with pytest.raises(InvalidValueError, match=match):
            node(**changes)

    def test_measurements_are_read_only(self):
        with pytest.raises(TypeError):
            node(measurements={"a": 1.0}).measurements["a"] = 2.0


@pytest.mark.parametrize(("side", "score"), [("X", 0.5), ("R", -0.1), ("L", float("nan"))])
def test_impossible_candidates_are_refused(side, score):
    with pytest.raises(InvalidValueError):
        Candidate(side, (0, 0, 0), np.ones((1, 1, 1), dtype=bool), score)
