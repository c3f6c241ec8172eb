"""What must not change a feature, and how it changes where it must."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axilla.errors import UsageError
from axilla.node import Segment, Segmentation
from axilla.radiomics import FEATURE_NAMES, RadiomicsSettings, Region, extract, measure
from axilla.volume import Geometry, Volume

ROUNDING = {"rel": 1e-9, "abs": 1e-9}
IN_PLANE = {"original_shape_Maximum2DDiameter" + name for name in ("Slice", "Column", "Row")}
MESH = {"original_shape_" + name for name in ("MeshVolume", "SurfaceArea", "SurfaceVolumeRatio", "Sphericity")}
SHIFTED = ("10Percentile", "90Percentile", "Maximum", "Mean", "Median", "Minimum")
INTENSITY = {"original_firstorder_" + name for name in (*SHIFTED, "Energy", "RootMeanSquared", "TotalEnergy")}
"""Features that a shift of all gray values changes."""


@pytest.fixture(scope="module")
def node(cases: ModuleType) -> Region:
    shape = (15, 13, 14)
    mask = cases.ellipsoid(shape, (7, 6, 7), (6, 5, 4))
    return Region(np.where(mask, cases.texture(shape, 11), 0), mask, (1.0, 1.0, 1.0))


def assert_same(ours: dict[str, float], other: dict[str, float], names: set[str]) -> None:
    assert {n: ours[n] for n in names} == pytest.approx({n: other[n] for n in names}, **ROUNDING)


@pytest.mark.parametrize("axes", [(0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_permuting_the_axes(node: Region, axes: tuple[int, int, int]) -> None:
    turned = Region(node.values.transpose(axes), node.mask.transpose(axes), node.spacing_zyx_mm)
    before, after = measure(node), measure(turned)
    assert_same(before, after, set(FEATURE_NAMES) - IN_PLANE)
    planes = ["original_shape_Maximum2DDiameter" + name for name in ("Slice", "Column", "Row")]  # equal z, y, x
    assert [after[name] for name in planes] == pytest.approx([before[planes[axis]] for axis in axes])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_flipping_an_axis(node: Region, axis: int) -> None:
    turned = Region(np.flip(node.values, axis), np.flip(node.mask, axis), node.spacing_zyx_mm)
    assert_same(measure(node), measure(turned), set(FEATURE_NAMES))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), axis=st.integers(0, 2))
def test_flipping_any_region_changes_at_most_its_mesh(seed: int, axis: int) -> None:
    """Where the mesh has ambiguous cubes, the corner that decides about them moves with a flip."""
    rng = np.random.default_rng(seed)
    mask = rng.random((5, 6, 5)) < 0.7
    mask[0, 0, 0] = mask[-1, -1, -1] = True
    region = Region(np.where(mask, rng.integers(0, 200, mask.shape), 0), mask, (1.0, 1.0, 1.0))
    turned = Region(np.flip(region.values, axis), np.flip(mask, axis), region.spacing_zyx_mm)
    rounding = {"original_glcm_MCC"}  # the root of a small eigenvalue
    assert_same(measure(region), measure(turned), set(FEATURE_NAMES) - MESH - rounding)


@settings(max_examples=10, deadline=None)
@given(bins=st.integers(-20, 20))
def test_shifting_the_gray_values_by_whole_bins(node: Region, bins: int) -> None:
    shifted = Region(np.where(node.mask, node.values + 25 * bins, 0), node.mask, node.spacing_zyx_mm)
    before, after = measure(node), measure(shifted)
    assert_same(before, after, set(FEATURE_NAMES) - INTENSITY)
    for name in SHIFTED:
        assert after[f"original_firstorder_{name}"] == pytest.approx(before[f"original_firstorder_{name}"] + 25 * bins)


@settings(max_examples=6, deadline=None)
@given(steps=st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 3)))
def test_moving_a_node_by_whole_voxels_of_both_grids(
    cases: ModuleType, on_volume: Callable[..., Any], steps: tuple[int, int, int]
) -> None:
    """5 voxels of 0.8 mm are 4 of 1 mm: the node meets the same samples."""
    case = cases.make_cases()["node_thin"]

    def placed(front_zyx: tuple[int, ...]) -> Any:
        widths = [(front, 80 - front) for front in front_zyx]
        moved = cases.Case(np.pad(case.array, widths), np.pad(case.mask, widths), case.spacing_xyz_mm)
        return extract(*on_volume(moved)).values()[0]

    shifted = tuple(35 + step * voxels for step, voxels in zip(steps, (1, 5, 5), strict=True))
    assert placed(shifted) == pytest.approx(placed((35, 35, 35)), **ROUNDING)


def test_labels_and_their_order_change_nothing_but_the_order_of_rows(cases: ModuleType) -> None:
    array = cases.texture((20, 24, 26), 4)
    geometry = Geometry(array.shape, (0.8, 0.8, 1.5))
    masks = [cases.ellipsoid(array.shape, center, (3, 4, 4)) for center in ((5, 6, 7), (12, 15, 15), (13, 14, 18))]
    boxes = [Segment(label, (0, 0, 0), mask, f"N{n}") for n, (label, mask) in enumerate(zip((4, 9, 2), masks, strict=True))]
    other = [Segment(label, (0, 0, 0), mask, f"N{n}") for n, (label, mask) in enumerate(zip((1, 2, 3), masks, strict=True))]
    volume = Volume(array, geometry)
    ours = extract(volume, Segmentation(geometry, tuple(boxes))).frame
    relabeled = extract(volume, Segmentation(geometry, tuple(reversed(other)))).frame
    assert list(ours["node_id"]) == ["N2", "N0", "N1"]  # rows follow the labels
    assert list(relabeled["node_id"]) == ["N0", "N1", "N2"]
    columns = list(FEATURE_NAMES)
    np.testing.assert_array_equal(
        ours.set_index("node_id").loc[["N0", "N1", "N2"], columns].to_numpy(), relabeled[columns].to_numpy()
    )


def test_the_same_call_gives_the_same_bits(cases: ModuleType, on_volume: Callable[..., Any]) -> None:
    volume, segmentation = on_volume(cases.make_cases()["crescent_float"])
    first, second = (extract(volume, segmentation).values().tobytes() for _ in range(2))
    assert first == second


@pytest.mark.parametrize("jobs", [2, 5])
def test_any_number_of_jobs_gives_the_same_bits(cases: ModuleType, jobs: int) -> None:
    array = cases.texture((30, 40, 40), 9)
    geometry = Geometry(array.shape, (0.8, 0.8, 1.5))
    centers = itertools.product((8, 20), (10, 28), (10, 28))
    masks = [(f"N{n}", cases.ellipsoid(array.shape, center, (4, 5 + n % 3, 6))) for n, center in enumerate(centers)]
    segmentation = Segmentation.from_masks(geometry, [*masks, ("empty", np.zeros(array.shape, dtype=bool))])
    alone, together = (extract(Volume(array, geometry), segmentation, jobs=n).frame for n in (1, jobs))
    pd.testing.assert_frame_equal(alone, together, check_exact=True)
    assert alone["feature_status"].tolist() == ["ok"] * 8 + ["refused"]


def test_a_node_measured_alone_or_among_others_has_the_same_bits(cases: ModuleType) -> None:
    array = cases.texture((30, 40, 40), 9)
    geometry = Geometry(array.shape, (0.8, 0.8, 1.5))
    masks = [(f"N{n}", cases.ellipsoid(array.shape, (12, 12 + 5 * n, 20), (4, 3 + n, 6))) for n in range(4)]
    volume = Volume(array, geometry)
    together = extract(volume, Segmentation.from_masks(geometry, masks)).values()
    alone = [extract(volume, Segmentation.from_masks(geometry, [mask])).values()[0] for mask in masks]
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("jobs", [1, 2])
def test_batches_give_the_same_bits(cases: ModuleType, monkeypatch: pytest.MonkeyPatch, jobs: int) -> None:
    array = cases.texture((20, 24, 26), 4)
    geometry = Geometry(array.shape, (0.8, 0.8, 1.5))
    masks = [(f"N{n}", cases.ellipsoid(array.shape, (8, 8 + n, 12), (n % 4, 4, 3 + n))) for n in range(7)]
    segmentation = Segmentation.from_masks(geometry, masks)
    at_once = extract(Volume(array, geometry), segmentation).frame
    monkeypatch.setattr("axilla.radiomics.extraction._BATCH", 3)
    pd.testing.assert_frame_equal(extract(Volume(array, geometry), segmentation, jobs=jobs).frame, at_once, check_exact=True)


def test_no_jobs_are_refused(cases: ModuleType, on_volume: Callable[..., Any]) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        extract(*on_volume(cases.make_cases()["line"]), jobs=0)


def test_bin_width_and_spacing_are_settings(cases: ModuleType, on_volume: Callable[..., Any]) -> None:
    volume, segmentation = on_volume(cases.make_cases()["node_thin"])
    coarse = RadiomicsSettings(voxel_spacing_xyz_mm=(2.0, 2.0, 2.0), bin_width=50)
    default, other = extract(volume, segmentation).frame.iloc[0], extract(volume, segmentation, coarse).frame.iloc[0]
    assert other["original_firstorder_Entropy"] < default["original_firstorder_Entropy"]
    assert other["original_shape_VoxelVolume"] % 8 == 0
