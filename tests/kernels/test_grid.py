"""Sample positions against their slow twin, and bit for bit against ITK."""

import numpy as np
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from tests.naive import grid as naive

from axilla.kernels.grid import sample_mask
from axilla.radiomics import resampling
from axilla.volume import Geometry

SPACINGS = [0.4, 0.5, 0.7, 0.80000001, 0.9765625, 1.0, 1.25, 3.0, 5.0]


def random_grid(seed):
    """A geometry, a box on it, and the new grid around the box."""
    rng = np.random.default_rng(seed)
    turns = [np.eye(3), np.diag([-1.0, -1.0, 1.0]), np.eye(3)[[1, 2, 0]], Rotation.random(random_state=seed % 1000).as_matrix()]
    geometry = Geometry(
        tuple(rng.integers(12, 30, 3).tolist()),
        tuple(rng.choice(SPACINGS, 3).tolist()),
        tuple(rng.uniform(-500, 500, 3).tolist()),
        tuple(map(tuple, turns[seed % 4])),
    )
    start, new = rng.integers(0, 8, 3), rng.choice([0.6, 1.0, 2.0], 3)
    mask = rng.random(rng.integers(1, 5, 3)) < 0.8
    return geometry, start, mask, new, resampling.sample_grid(geometry, start, np.array(mask.shape[::-1]), new, "pyradiomics")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_positions_are_the_twins(seed):
    geometry, start, mask, _, grid = random_grid(seed)
    arguments = mask, start, np.array(geometry.shape_zyx[::-1]), grid.n_xyz, grid.to_point, grid.to_index
    inside, index_xyz = sample_mask(*arguments)
    _, everywhere = naive.sample_mask(np.ones(geometry.shape_zyx, dtype=bool), np.zeros(3, dtype=int), *arguments[2:])
    is_tie = (np.abs((everywhere + 0.5) - np.rint(everywhere + 0.5)) < 1e-9).any()
    if not is_tie:  # the last bit decides about a sample halfway between two voxels
        expected_inside, expected_index = naive.sample_mask(*arguments)
        np.testing.assert_array_equal(inside, expected_inside)
        np.testing.assert_allclose(index_xyz, expected_index, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_positions_and_mask_have_itks_bits(seed):
    geometry, start, mask, new, grid = random_grid(seed)
    size = np.array(geometry.shape_zyx[::-1])
    whole = np.zeros(geometry.shape_zyx, dtype=np.uint8)
    box = tuple(slice(a, a + n) for a, n in zip(start[::-1], mask.shape, strict=True))
    whole[box] = mask[tuple(slice(0, s.stop - s.start) for s in box)]
    image = sitk.GetImageFromArray(whole)
    image.SetSpacing(geometry.spacing_xyz_mm)
    image.SetOrigin(geometry.origin_xyz_mm)
    image.SetDirection(np.ravel(geometry.direction).tolist())
    target = sitk.Image(grid.n_xyz.tolist(), sitk.sitkUInt8)
    target.SetSpacing(new.tolist())
    target.SetDirection(image.GetDirection())
    old = np.asarray(geometry.spacing_xyz_mm)
    first = np.maximum(np.floor((start - 0.5) * (old / new) - 5), 0)
    target.SetOrigin(image.TransformContinuousIndexToPhysicalPoint((0.5 * (new - old) / old + first / (old / new)).tolist()))
    inside, index_xyz = sample_mask(mask, start, size, grid.n_xyz, grid.to_point, grid.to_index)
    resampled = sitk.Resample(image, target, sitk.Transform(), sitk.sitkNearestNeighbor)
    np.testing.assert_array_equal(inside, sitk.GetArrayFromImage(resampled) > 0)
    nx = int(grid.n_xyz[0])
    for (z, y, x), position in zip(np.argwhere(inside).tolist(), index_xyz, strict=True):
        ends = [
            np.array(image.TransformPhysicalPointToContinuousIndex(target.TransformIndexToPhysicalPoint((end, y, z))))
            for end in (0, nx)
        ]
        assert position.tolist() == (ends[0] + x / nx * (ends[1] - ends[0])).tolist()
