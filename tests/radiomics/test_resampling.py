"""The grid, the spline, and what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from axilla.errors import InputRefusedError
from axilla.kernels.grid import sample_mask
from axilla.node import Segment, Segmentation
from axilla.radiomics import RadiomicsSettings, extract, resampling, sample_region
from axilla.volume import Geometry, Volume

SETTINGS = RadiomicsSettings()


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@pytest.mark.parametrize("spacing", [(0.8, 0.8, 1.0), (0.5, 0.5, 0.5), (3.0, 1.0, 1.0), (0.7, 2.0, 5.0)])
def test_the_spline_equals_itk_on_the_whole_image(cases: ModuleType, dtype: Any, spacing: tuple[float, float, float]) -> None:
    array = cases.texture((90, 80, 85), 3).astype(dtype)
    image = sitk.GetImageFromArray(array.astype(np.float64))
    image.SetSpacing(spacing)
    image.SetOrigin((-12.3, 45.6, 7.89))
    geometry = Geometry(array.shape, spacing, (-12.3, 45.6, 7.89))
    start, size = np.array([38, 40, 44]), np.array([6, 5, 4])
    grid = resampling.sample_grid(geometry, start, size, np.ones(3), "pyradiomics")
    n_xyz, everywhere = grid.n_xyz.tolist(), np.ones(array.shape, dtype=bool)
    _, index_xyz = sample_mask(
        everywhere, np.zeros(3, dtype=int), np.array(array.shape[::-1]), grid.n_xyz, grid.to_point, grid.to_index
    )
    origin = grid.to_point[:, 3].tolist()
    whole = sitk.Resample(image, n_xyz, sitk.Transform(), sitk.sitkBSpline, origin, (1.0, 1.0, 1.0), image.GetDirection(), 0.0)
    ours = resampling.interpolate_spline(array, index_xyz).reshape(n_xyz[::-1])
    np.testing.assert_array_equal(ours, sitk.GetArrayFromImage(whole))


@pytest.mark.parametrize("axis", [None, 0, 1, 2])
@pytest.mark.parametrize("value", [60, 37])
def test_where_nothing_changes_rounding_falls_as_in_the_whole_image(axis: int | None, value: int) -> None:
    """A flat image, and images that change along one axis only."""
    array = np.full((110, 100, 105), value, dtype=np.int16)
    if axis is not None:
        array += (np.indices(array.shape)[axis] * 7 % 90).astype(np.int16)
    image = sitk.GetImageFromArray(array.astype(np.float64))
    index_xyz = np.stack(np.meshgrid(*[np.arange(48, 58, 0.5)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    whole = sitk.Resample(image, (20, 20, 20), sitk.Transform(), sitk.sitkBSpline, (48.0,) * 3, (0.5,) * 3)
    ours = resampling.interpolate_spline(array, index_xyz).reshape(20, 20, 20).transpose(2, 1, 0)
    np.testing.assert_array_equal(np.trunc(ours), np.trunc(sitk.GetArrayFromImage(whole)))


def test_a_node_far_from_the_edge_does_not_feel_the_rest_of_the_ct(cases: ModuleType) -> None:
    array = cases.texture((130, 130, 130), 3)
    changed = array.copy()
    changed[:12] = changed[-12:] = changed[:, :12] = 3000
    index = np.random.default_rng(0).uniform(62, 68, (200, 3))
    np.testing.assert_array_equal(resampling.interpolate_spline(array, index), resampling.interpolate_spline(changed, index))


def test_an_integer_ct_is_cut_toward_zero_and_a_float_ct_is_not(cases: ModuleType, on_volume: Callable[..., Any]) -> None:
    case = cases.make_cases()["node_thin"]
    volume, segmentation = on_volume(case)
    whole = sample_region(volume, segmentation.segments[0], SETTINGS)
    exact = sample_region(Volume(case.array.astype(np.float64), volume.geometry), segmentation.segments[0], SETTINGS)
    assert whole.values.dtype == np.int16
    assert (exact.voxels < 0).any()
    np.testing.assert_array_equal(whole.voxels, np.trunc(exact.voxels))


def test_unsigned_values_do_not_wrap() -> None:
    array = np.zeros((20, 20, 20), dtype=np.uint8)
    array[10:] = 255  # the spline overshoots below 0 and above 255
    geometry = Geometry(array.shape, (0.8, 0.8, 0.8))
    mask = np.zeros(array.shape, dtype=bool)
    mask[6:14, 6:14, 6:14] = True
    region = sample_region(Volume(array, geometry), Segmentation.from_masks(geometry, [("a", mask)]).segments[0], SETTINGS)
    assert {0, 255} <= set(region.voxels.tolist())


def test_the_grid_hangs_on_the_whole_image() -> None:
    """New voxel k lies at (k + 1/2) mm from the corner of the CT's first voxel, wherever the node is."""
    geometry = Geometry((40, 40, 40), (0.8, 0.7, 3.0))
    grid = resampling.sample_grid(geometry, np.array([17, 22, 9]), np.array([6, 5, 4]), np.ones(3), "pyradiomics")
    from_corner_mm = grid.to_point[:, 3] + 0.5 * np.asarray(geometry.spacing_xyz_mm)
    np.testing.assert_allclose(from_corner_mm % 1, 0.5, atol=1e-9)


def test_an_axis_one_voxel_thick_keeps_its_spacing() -> None:
    geometry = Geometry((9, 20, 20), (0.8, 0.8, 4.0))
    segment = Segment(1, (4, 5, 5), np.ones((1, 8, 8), dtype=bool))
    region = sample_region(Volume(np.zeros(geometry.shape_zyx, dtype=np.int16), geometry), segment, SETTINGS)
    assert region.spacing_zyx_mm == (4.0, 1.0, 1.0)
    assert region.mask.shape[0] == 1


@pytest.mark.parametrize(
    ("shape", "spacing", "reason"),
    [
        ((1, 1, 1), (1.0, 1.0, 1.0), "single voxel"),
        ((1, 1, 8), (1.0, 1.0, 1.0), "too few dimensions"),
        ((2, 2, 2), (0.4, 0.4, 0.4), "single voxel"),
        ((2, 1, 1), (0.3, 0.3, 0.3), "vanishes"),
    ],
)
def test_regions_that_are_refused(shape: tuple[int, int, int], spacing: tuple[float, float, float], reason: str) -> None:
    geometry = Geometry((30, 30, 30), spacing)
    segment = Segment(7, (12, 12, 12), np.ones(shape, dtype=bool), "R01")
    volume = Volume(np.zeros(geometry.shape_zyx, dtype=np.int16), geometry)
    row = extract(volume, Segmentation(geometry, (segment,))).frame.iloc[0]
    assert (row["node_id"], row["label"], row["feature_status"]) == ("R01", 7, "refused")
    assert reason in row["reason"]


def test_a_mask_on_another_grid_is_refused_with_both_grids_shown() -> None:
    volume = Volume(np.zeros((5, 6, 7), dtype=np.int16), Geometry((5, 6, 7)))
    with pytest.raises(InputRefusedError, match=r"\(5, 6, 7\).*\(5, 6, 8\)"):
        extract(volume, Segmentation(Geometry((5, 6, 8))))


def test_no_segments_make_an_empty_table() -> None:
    volume = Volume(np.zeros((5, 6, 7), dtype=np.int16), Geometry((5, 6, 7)))
    assert len(extract(volume, Segmentation(volume.geometry))) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("spacing", [(0.8, 0.8, 1.0), (1.0, 1.0, 1.0)])
def test_a_ct_that_is_not_finite_near_the_region_is_refused(
    cases: ModuleType, on_volume: Callable[..., Any], bad: float, spacing: tuple[float, float, float]
) -> None:
    case = cases.make_cases()["crescent_float"]
    volume, segmentation = on_volume(dataclasses.replace(case, spacing_xyz_mm=spacing))
    array = case.array.copy()
    array[tuple(np.argwhere(case.mask)[7])] = bad
    object.__setattr__(volume, "array", array)  # as if a reader had let it through
    row = extract(volume, segmentation).frame.iloc[0]
    assert row["feature_status"] == "refused"
    assert "not finite" in row["reason"]


@pytest.mark.parametrize(("scale", "reason"), [(1e30, "over more than 1000000 bins"), (1, "gray levels occur")])
def test_more_bins_than_can_be_measured_are_refused(scale: float, reason: str) -> None:
    array = np.random.default_rng(0).uniform(0, 100, (14, 14, 14)) * scale
    volume = Volume(array, Geometry(array.shape))
    mask = Segmentation.from_masks(volume.geometry, [("a", np.ones(array.shape, dtype=bool))])
    row = extract(volume, mask, RadiomicsSettings(bin_width=0.001)).frame.iloc[0]
    assert row["feature_status"] == "refused"
    assert reason in row["reason"]


def test_ibsi_rounds_and_centers() -> None:
    """The centers of both grids coincide; the mask holds where its linear interpolation reaches 1/2."""
    ramp = np.broadcast_to(np.arange(10, dtype=np.int16)[:, None, None] * 10, (10, 10, 10))
    geometry = Geometry(ramp.shape, (1.0, 1.0, 1.0))
    mask = np.zeros(ramp.shape, dtype=bool)
    mask[2:6, 2:6, 2:6] = True
    settings = RadiomicsSettings(voxel_spacing_xyz_mm=(2.0, 2.0, 1.5), interpolator="linear", convention="ibsi")
    region = sample_region(Volume(ramp, geometry), Segmentation.from_masks(geometry, [("a", mask)]).segments[0], settings)
    # seven samples along z at 4.5 + 1.5 k, k = -3..3: 0, 1.5, 3, 4.5, 6, ...; five along x at 4.5 + 2 k: 0.5, 2.5, 4.5, ...
    assert region.mask.shape == (3, 2, 2)
    assert region.mask.all()
    assert region.values[:, 0, 0].tolist() == [15, 30, 45]
