"""Geometry is right for every orientation and spacing; volumes and labels check themselves."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from axilla.errors import InvalidValueError
from axilla.volume import (
    Geometry,
    Labels,
    SliceReference,
    Volume,
    bounding_box,
    from_canonical,
    to_canonical,
)

spacings = st.floats(0.2, 6.0)
offsets = st.floats(-800, 800)


@st.composite
def geometries(draw, max_size=6):
    """Grids of any orientation, left-handed ones included."""
    quaternion = [draw(st.floats(-1, 1)) for _ in range(3)] + [draw(st.floats(0.1, 1))]
    rotation = Rotation.from_quat(quaternion).as_matrix()
    axes = draw(st.permutations(range(3)))
    signs = np.array([draw(st.sampled_from([-1.0, 1.0])) for _ in range(3)])
    direction = np.round(rotation[:, axes] * signs, 12)  # no denormal numbers: SimpleITK, the witness, cannot invert those
    return Geometry(
        shape_zyx=tuple(draw(st.integers(1, max_size)) for _ in range(3)),
        spacing_xyz_mm=tuple(draw(spacings) for _ in range(3)),
        origin_xyz_mm=tuple(draw(offsets) for _ in range(3)),
        direction=tuple(map(tuple, direction.tolist())),
    )


points = st.lists(st.tuples(*[st.floats(-500, 500)] * 3), min_size=1, max_size=5)


def numbered(geometry):
    return np.arange(np.prod(geometry.shape_zyx)).reshape(geometry.shape_zyx)


def centers_mm(geometry):
    """LPS position of every voxel, ``(z, y, x, 3)``."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in geometry.shape_zyx], indexing="ij"), axis=-1)
    return geometry.to_mm(index)


def as_image(geometry):
    image = sitk.Image(*[int(n) for n in geometry.shape_zyx[::-1]], sitk.sitkUInt8)
    image.SetSpacing(geometry.spacing_xyz_mm)
    image.SetOrigin(geometry.origin_xyz_mm)
    image.SetDirection(np.ravel(geometry.direction).tolist())
    return image


class TestGeometry:
    @settings(deadline=None)
    @given(geometries(), points)
    def test_round_trips(self, geometry, index_zyx):
        index = np.array(index_zyx)
        assert np.allclose(geometry.to_index(geometry.to_mm(index)), index, atol=1e-8)
        assert np.allclose(geometry.to_mm(geometry.to_index(index)), index, atol=1e-8)

    @settings(deadline=None)
    @given(geometries(), st.tuples(*[st.floats(-20, 20)] * 3))
    def test_it_is_simpleitks(self, geometry, index_zyx):
        """Positions as SimpleITK computes them (it speaks x, y, z)."""
        image = as_image(geometry)
        expected = image.TransformContinuousIndexToPhysicalPoint(index_zyx[::-1])
        assert np.allclose(geometry.to_mm(index_zyx), expected, atol=1e-9)
        back = image.TransformPhysicalPointToContinuousIndex(expected)
        assert np.allclose(geometry.to_index(expected), back[::-1], atol=1e-7)

    def test_axes_of_a_plain_ct(self):
        """Array axis 0 runs to the head (z), 1 to the back (y), 2 to the patient's left (x)."""
        geometry = Geometry((40, 50, 60), spacing_xyz_mm=(0.5, 0.75, 3.0), origin_xyz_mm=(-100, -200, 300))
        assert geometry.to_mm([0, 0, 0]).tolist() == [-100, -200, 300]
        assert geometry.to_mm([1, 0, 0]).tolist() == [-100, -200, 303]
        assert geometry.to_mm([0, 1, 0]).tolist() == [-100, -199.25, 300]
        assert geometry.to_mm([0, 0, 1]).tolist() == [-99.5, -200, 300]
        assert geometry.spacing_zyx_mm == (3.0, 0.75, 0.5)
        assert geometry.voxel_volume_mm3 == 0.5 * 0.75 * 3.0

    @settings(deadline=None)
    @given(geometries(), points)
    def test_distances_scale_with_spacing_only(self, geometry, index_zyx):
        index = np.array(index_zyx)
        moved = geometry.to_mm(index) - geometry.to_mm(np.zeros(3))
        assert np.allclose(np.linalg.norm(moved, axis=-1), np.linalg.norm(index * geometry.spacing_zyx_mm, axis=-1), atol=1e-8)

    @settings(deadline=None)
    @given(geometries(), st.data())
    def test_crop_keeps_every_voxel_in_place(self, geometry, data):
        starts = [data.draw(st.integers(0, n - 1)) for n in geometry.shape_zyx]
        box = tuple(slice(s, data.draw(st.integers(s + 1, n))) for s, n in zip(starts, geometry.shape_zyx, strict=True))
        cropped = geometry.crop(box)
        assert cropped.shape_zyx == numbered(geometry)[box].shape
        assert np.allclose(centers_mm(cropped), centers_mm(geometry)[box], atol=1e-8)

    @settings(deadline=None)
    @given(geometries())
    def test_canonical_keeps_every_voxel_in_place(self, geometry):
        array, canonical = numbered(geometry), geometry.canonical()
        turned = to_canonical(array, geometry)
        assert turned.shape == canonical.shape_zyx
        position = {int(v): p for v, p in zip(array.ravel(), centers_mm(geometry).reshape(-1, 3), strict=True)}
        for value, place in zip(turned.ravel(), centers_mm(canonical).reshape(-1, 3), strict=True):
            assert np.allclose(place, position[int(value)], atol=1e-8)

    @settings(deadline=None)
    @given(geometries())
    def test_canonical_points_to_head_back_and_left(self, geometry):
        """Each canonical axis is the one closest to its LPS axis, and points the positive way; twice changes nothing."""
        canonical = geometry.canonical()
        direction = np.asarray(canonical.direction)
        assert (np.diag(direction) >= 0).all()
        for axes in itertools.permutations(range(3)):
            assert np.trace(direction) >= np.abs(direction[[0, 1, 2], axes]).sum() - 1e-9
        axes, flips = canonical.canonical_permutation()
        assert (axes, flips) == ((0, 1, 2), (False, False, False))
        assert canonical.canonical() == canonical

    @settings(deadline=None)
    @given(geometries())
    def test_from_canonical_undoes(self, geometry):
        array = numbered(geometry)
        assert (from_canonical(to_canonical(array, geometry), geometry) == array).all()

    @settings(deadline=None)
    @given(geometries(), st.tuples(spacings, spacings, spacings))
    def test_resampled_covers_the_same_extent_from_the_same_corner(self, geometry, spacing_xyz_mm):
        finer = geometry.resampled(spacing_xyz_mm)
        assert finer.spacing_xyz_mm == spacing_xyz_mm
        assert np.allclose(finer.to_mm([-0.5] * 3), geometry.to_mm([-0.5] * 3), atol=1e-8)
        extent = np.asarray(geometry.shape_zyx) * geometry.spacing_zyx_mm
        covered = np.asarray(finer.shape_zyx) * finer.spacing_zyx_mm
        assert (covered >= extent - 1e-6).all()
        assert (covered - extent < np.asarray(finer.spacing_zyx_mm) + 1e-6).all()

    @settings(deadline=None)
    @given(geometries())
    def test_contains_its_voxels_and_not_what_lies_beyond(self, geometry):
        assert geometry.contains(centers_mm(geometry)).all()
        last = np.asarray(geometry.shape_zyx) - 1
        for axis in range(3):
            beyond = np.zeros(3)
            beyond[axis] = 0.51
            assert not geometry.contains(geometry.to_mm(-beyond))
            assert not geometry.contains(geometry.to_mm(last + beyond))

    @settings(deadline=None)
    @given(geometries())
    def test_same_grid(self, geometry):
        def moved(mm):
            x, y, z = geometry.origin_xyz_mm
            return replace(geometry, origin_xyz_mm=(x + mm, y, z))

        assert geometry.is_same_grid(moved(0.005))
        assert not geometry.is_same_grid(moved(0.05))
        z, y, x = geometry.shape_zyx
        assert not geometry.is_same_grid(
            Geometry((z + 1, y, x), geometry.spacing_xyz_mm, geometry.origin_xyz_mm, geometry.direction)
        )

    @settings(deadline=None)
    @given(geometries())
    def test_corners(self, geometry):
        corners = geometry.corners_mm()
        assert corners.shape == (8, 3)
        last = np.asarray(geometry.shape_zyx) - 1
        assert np.allclose(corners[0], geometry.origin_xyz_mm)
        assert np.allclose(corners[7], geometry.to_mm(last))

    @pytest.mark.parametrize(
        ("arguments", "match"),
        [
            ({"shape_zyx": (0, 2, 2)}, "three positive sizes"),
            ({"shape_zyx": (2, 2)}, "three positive sizes"),
            ({"shape_zyx": (2, 2, 2.5)}, "three positive sizes"),
            ({"spacing_xyz_mm": (1, 0, 1)}, "spacing"),
            ({"spacing_xyz_mm": (1, np.nan, 1)}, "spacing"),
            ({"spacing_xyz_mm": (1, -1, 1)}, "spacing"),
            ({"origin_xyz_mm": (0, np.inf, 0)}, "origin"),
            ({"direction": ((1, 0, 0), (0, 1, 0))}, "3 x 3"),
            ({"direction": ((1, 0, 0), (0, 1, 0.01), (0, 0, 1))}, "right angles"),
            ({"direction": ((2, 0, 0), (0, 1, 0), (0, 0, 1))}, "right angles"),
        ],
    )
    def test_impossible_grids_are_refused(self, arguments, match):
        with pytest.raises(InvalidValueError, match=match):
            Geometry(**{"shape_zyx": (2, 2, 2), **arguments})

    @pytest.mark.parametrize("box", [(slice(1, 1), slice(0, 2), slice(0, 2)), (slice(0, 2, 2), slice(0, 2), slice(0, 2))])
    def test_empty_or_stepped_crops_are_refused(self, box):
        with pytest.raises(InvalidValueError, match="at least one voxel with steps of 1"):
            Geometry((2, 2, 2)).crop(box)


class TestVolume:
    def test_crop_takes_grid_and_slices_along(self):
        array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
        slices = tuple(SliceReference(i, f"1.2.{i}") for i in range(3))
        volume = Volume(array, Geometry((3, 4, 5)), slices=slices).with_warnings("thick")
        cropped = volume.crop((slice(1, 3), slice(2, 4), slice(0, 1)))
        assert (cropped.array == array[1:3, 2:4, :1]).all()
        assert cropped.slices == slices[1:]
        assert cropped.warnings == ("thick",)
        assert cropped.geometry.origin_xyz_mm == (0, 2, 1)

    def test_it_is_read_only(self):
        array = np.zeros((2, 2, 2), dtype=np.int16)
        volume = Volume(array, Geometry((2, 2, 2)))
        with pytest.raises(ValueError, match="read-only"):
            volume.array[0, 0, 0] = 1
        array[0, 0, 0] = 1

    @pytest.mark.parametrize(
        ("array", "match"),
        [
            (np.zeros((2, 2, 3)), "does not fit its grid"),
            (np.full((2, 2, 2), np.nan), "finite"),
            (np.full((2, 2, 2), np.inf, dtype=np.float32), "finite"),
            (np.zeros((2, 2, 2), dtype=bool), "must be numbers"),
        ],
    )
    def test_impossible_volumes_are_refused(self, array, match):
        with pytest.raises(InvalidValueError, match=match):
            Volume(array, Geometry((2, 2, 2)))

    def test_slice_references_must_match(self):
        with pytest.raises(InvalidValueError, match="1 slice references for 2 slices"):
            Volume(np.zeros((2, 2, 2)), Geometry((2, 2, 2)), slices=(SliceReference(1, "1.2"),))


class TestLabels:
    def test_values(self):
        array = np.zeros((2, 2, 2), dtype=np.int64)
        array[0, 0, 0], array[1, 1, 1] = 7, 65535
        labels = Labels(array, Geometry((2, 2, 2)), {7: "R01"})
        assert labels.values == (7, 65535)
        assert labels.array.dtype == np.uint16

    @pytest.mark.parametrize(
        ("array", "match"),
        [
            (np.zeros((2, 2, 3), dtype=int), "do not fit"),
            (np.zeros((2, 2, 2)), "integers"),
            (np.full((2, 2, 2), -1), "0..65535"),
            (np.full((2, 2, 2), 65536), "0..65535"),
        ],
    )
    def test_impossible_labels_are_refused(self, array, match):
        with pytest.raises(InvalidValueError, match=match):
            Labels(array, Geometry((2, 2, 2)))


@settings(deadline=None)
@given(st.sets(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=6), st.integers(0, 3))
def test_bounding_box(voxels, margin):
    mask = np.zeros((5, 5, 5), dtype=bool)
    mask[tuple(np.array(sorted(voxels)).T)] = True
    box = bounding_box(mask)
    assert mask[box].sum() == mask.sum()
    for axis, (tight, wide) in enumerate(zip(box, bounding_box(mask, margin), strict=True)):
        coordinates = [v[axis] for v in voxels]
        assert (tight.start, tight.stop) == (min(coordinates), max(coordinates) + 1)
        assert (wide.start, wide.stop) == (max(0, tight.start - margin), min(5, tight.stop + margin))


def test_an_empty_mask_has_no_box():
    with pytest.raises(InvalidValueError, match="no bounding box"):
        bounding_box(np.zeros((2, 2, 2)))
