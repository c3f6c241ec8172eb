"""A region of a CT on the grid its features are measured on.

1. The new grid hangs on the outer corner of the origin voxel of the *whole* CT, as PyRadiomics 3 places it
   (``imageoperations.resampleImage``); positions are computed in float64 from the whole CT's geometry by the arithmetic of
   ITK's resampling filter, so that samples halfway between two voxels fall to the same side.
2. The mask is sampled by nearest neighbor.
3. The image is sampled at the mask's voxels only, by cubic B-spline interpolation (Unser 1999, IEEE Signal Process Mag
   16(6):22-38, as in ITK's ``BSplineInterpolateImageFunction``). The spline's coefficients are computed on a crop; what lies
   further than its margin changes no bit of them. The cost of a node does not depend on the size of the CT.
4. For an integer CT the result is cut back to an integer, toward zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK

from axilla.errors import InputRefusedError
from axilla.node import Segment
from axilla.radiomics.settings import RadiomicsSettings
from axilla.volume import BoolArray, FloatArray, Geometry, TripleFloat, Volume, bounding_box

_sitk: Any = SimpleITK  # has no type hints

_PADDING_VOX = 5
"""Voxels PyRadiomics resamples around the region's box (its default ``padDistance``); decides where ITK's scan lines start."""

_SPLINE_MARGIN_VOX = 48
"""Margin of the crop the spline coefficients are computed on. A voxel's influence falls by 0.268 per voxel, so that 32 voxels
away it is below the last bit of a float64 (0.268**32 = 5e-19). Where all values are exactly equal, rounding alone decides
whether 60 is cut to 59, and settles more slowly: 32 voxels were seen to be too few there, 40 enough."""

_SINGLE_VOXEL = "the region is a single voxel, of which no features can be measured"


@dataclass(frozen=True)
class Region:
    """The voxels of one region, on the grid its features are measured on.

    Parameters
    ----------
    values : ndarray, shape (z, y, x)
        Gray values inside the mask, 0 outside; the CT's dtype. Exactly the mask's box.
    mask : ndarray of bool, shape (z, y, x)
        The region.
    spacing_zyx_mm : tuple of float
        Voxel spacing.
    """

    values: npt.NDArray[Any]
    mask: BoolArray
    spacing_zyx_mm: TripleFloat

    @cached_property
    def voxels(self) -> npt.NDArray[Any]:
        """Gray values of the region's voxels, ``(n,)``, in array order."""
        return np.asarray(self.values[self.mask])


@dataclass(frozen=True)
class _SampleGrid:
    """Where the samples lie: continuous indices ``(nz, ny, nx, 3)`` as (x, y, z) on the CT's grid, and the new spacing."""

    index_xyz: FloatArray
    spacing_xyz_mm: TripleFloat


def sample_region(volume: Volume, segment: Segment, settings: RadiomicsSettings) -> Region:
    """Resample one segment and the CT under it.

    Raises
    ------
    InputRefusedError
        If the region is empty, vanishes on the new grid, is a single voxel, or has too few dimensions.
    """
    if not segment.mask.any():
        raise InputRefusedError("the region is empty: no voxel is segmented")
    box = bounding_box(segment.mask)
    mask = segment.mask[box]
    start_zyx = np.add(segment.offset_zyx, [s.start for s in box])
    old = np.asarray(volume.geometry.spacing_xyz_mm)
    asked = old if settings.voxel_spacing_xyz_mm is None else settings.voxel_spacing_xyz_mm
    new = np.where(np.asarray(mask.shape)[::-1] == 1, old, asked)
    if np.allclose(old, new):
        stop = start_zyx + mask.shape
        values = volume.array[tuple(slice(a, b) for a, b in zip(start_zyx, stop, strict=True))]
        region = Region(np.where(mask, values, values.dtype.type(0)), mask, volume.geometry.spacing_zyx_mm)
    else:
        grid = _sample_grid(volume.geometry, start_zyx[::-1], np.asarray(mask.shape)[::-1], new)
        region = _resample(volume, mask, start_zyx, grid)
    _check_dimensions(region.mask, settings.minimum_dimensions)
    return region


def _check_dimensions(mask: BoolArray, minimum: int) -> None:
    """Refuse what PyRadiomics' ``checkMask`` refuses."""
    n_dimensions = sum(size > 1 for size in mask.shape)
    if n_dimensions == 0:
        raise InputRefusedError(_SINGLE_VOXEL)
    if n_dimensions < minimum:
        raise InputRefusedError(
            f"the region has too few dimensions: it is longer than one voxel along {n_dimensions} axis, needed are {minimum}"
        )


def _sample_grid(
    geometry: Geometry, box_start_xyz: npt.NDArray[Any], box_size_xyz: npt.NDArray[Any], spacing_xyz_mm: FloatArray
) -> _SampleGrid:
    """Continuous indices of the new grid's voxels around a box of the old grid.

    The new voxel 0 begins at the corner of the old voxel 0, so that its center lies at ``(new - old) / (2 old)``.
    """
    old = np.asarray(geometry.spacing_xyz_mm)
    size = np.asarray(geometry.shape_zyx)[::-1]
    ratio = old / spacing_xyz_mm
    first = np.maximum(np.floor((box_start_xyz - 0.5) * ratio - _PADDING_VOX), 0)
    last = np.ceil((box_start_xyz + box_size_xyz - 0.5) * ratio + _PADDING_VOX)
    last = np.minimum(last, np.ceil(size * ratio) - 1)
    n_xyz = (last - first + 1).astype(int)
    origin_index = 0.5 * (spacing_xyz_mm - old) / old + first / ratio
    whole = _itk_grid(geometry.origin_xyz_mm, geometry.spacing_xyz_mm, geometry)
    new_origin = whole.TransformContinuousIndexToPhysicalPoint(origin_index.tolist())
    spacing: TripleFloat = tuple(spacing_xyz_mm.tolist())
    return _SampleGrid(_scan_positions(whole, _itk_grid(new_origin, spacing, geometry), n_xyz), spacing)


def _itk_grid(origin_xyz_mm: TripleFloat, spacing_xyz_mm: TripleFloat, geometry: Geometry) -> Any:
    """An ITK image of one voxel that knows a grid's geometry: ITK's own arithmetic rounds as ITK rounds."""
    grid = _sitk.Image([1, 1, 1], _sitk.sitkUInt8)
    grid.SetOrigin(origin_xyz_mm)
    grid.SetSpacing(spacing_xyz_mm)
    grid.SetDirection(tuple(np.ravel(geometry.direction).tolist()))
    return grid


def _scan_positions(whole: Any, target: Any, n_xyz: npt.NDArray[np.int_]) -> FloatArray:
    """Positions of the target's voxels on the whole grid, interpolated along x as ITK's resampling filter does it."""
    nx, ny, nz = n_xyz.tolist()
    ends = np.empty((nz, ny, 2, 3))
    for z, y, side in np.ndindex(nz, ny, 2):
        point = target.TransformIndexToPhysicalPoint((nx * side, y, z))
        ends[z, y, side] = whole.TransformPhysicalPointToContinuousIndex(point)
    start, end = ends[:, :, None, 0], ends[:, :, None, 1]
    alpha = (np.arange(nx) / float(nx))[None, None, :, None]
    return np.asarray(start + alpha * (end - start))


def _resample(volume: Volume, mask: BoolArray, mask_start_zyx: npt.NDArray[Any], grid: _SampleGrid) -> Region:
    """Nearest mask, then the B-spline at its voxels."""
    inside = _nearest_mask(grid.index_xyz, mask, mask_start_zyx[::-1], np.asarray(volume.geometry.shape_zyx)[::-1])
    if not inside.any():
        raise InputRefusedError("the region vanishes when resampled: no voxel center of the new grid lies in it")
    box = bounding_box(inside)
    inside = inside[box]
    values = np.zeros(inside.shape, dtype=volume.array.dtype)
    values[inside] = _cast(spline_values(volume.array, grid.index_xyz[box][inside]), volume.array.dtype)
    return Region(values, inside, (grid.spacing_xyz_mm[2], grid.spacing_xyz_mm[1], grid.spacing_xyz_mm[0]))


def _nearest_mask(
    index_xyz: FloatArray, mask: BoolArray, mask_start_xyz: npt.NDArray[Any], size_xyz: npt.NDArray[Any]
) -> BoolArray:
    """The mask at the samples; halves round up, samples beyond the outer voxel edges of the CT are outside."""
    in_image = ((index_xyz >= -0.5) & (index_xyz < size_xyz - 0.5)).all(axis=-1)
    # ITK rounds x as floor((2x + 1/2) rounded half-even / 2): unlike floor(x + 1/2), right for the number just below 1/2.
    nearest = (np.rint(index_xyz + index_xyz + 0.5).astype(np.int64) >> 1) - mask_start_xyz
    in_box = in_image & ((nearest >= 0) & (nearest < np.asarray(mask.shape)[::-1])).all(axis=-1)
    clipped = np.clip(nearest, 0, np.asarray(mask.shape)[::-1] - 1)
    return np.asarray(in_box & mask[clipped[..., 2], clipped[..., 1], clipped[..., 0]])


def spline_values(array: npt.NDArray[Any], index_xyz: FloatArray) -> FloatArray:
    """Cubic B-spline interpolation of a whole image at some points, from a crop around them.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
        The whole image; mirrored at its outer voxel centers.
    index_xyz : ndarray, shape (n, 3)
        Continuous indices (x, y, z) inside the image.

    Returns
    -------
    ndarray, shape (n,)
    """
    size_xyz = np.asarray(array.shape)[::-1]
    # ITK finds the first tap in single precision: just below a voxel center it takes that voxel's taps, which the last bit shows.
    first = np.floor(index_xyz.astype(np.float32)).astype(np.int64) - 1
    low = np.maximum(first.min(axis=0) - _SPLINE_MARGIN_VOX, 0)
    high = np.minimum(first.max(axis=0) + 4 + _SPLINE_MARGIN_VOX, size_xyz)
    crop = array[low[2] : high[2], low[1] : high[1], low[0] : high[0]].astype(np.float64)
    coefficients = _sitk.GetArrayFromImage(_sitk.BSplineDecomposition(_sitk.GetImageFromArray(crop), 3))
    taps = [_mirror(first[:, axis, None] + np.arange(4), int(size_xyz[axis])) - low[axis] for axis in range(3)]
    weights = [_cubic_weights(index_xyz[:, axis] - (first[:, axis] + 1)) for axis in range(3)]
    total = np.zeros(len(index_xyz))
    for z, y, x in np.ndindex(4, 4, 4):
        weight = weights[0][x] * weights[1][y] * weights[2][z]
        total += weight * coefficients[taps[2][:, z], taps[1][:, y], taps[0][:, x]]
    return total


def _mirror(index: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    """Indices reflected at the first and the last voxel center."""
    if size == 1:
        return np.zeros_like(index)
    period = 2 * (size - 1)
    folded = np.abs(index) % period
    return np.asarray(np.minimum(folded, period - folded))


def _cubic_weights(fraction: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """The cubic B-spline at the four voxels around a point, `fraction` beyond the second of them.

    Summed in ITK's order, so that a value which is an integer in exact arithmetic is cut to the same side.
    """
    last = (1.0 / 6.0) * fraction * fraction * fraction
    first = (1.0 / 6.0) + 0.5 * fraction * (fraction - 1.0) - last
    third = fraction + first - 2.0 * last
    second = 1.0 - first - third - last
    return first, second, third, last


def _cast(values: FloatArray, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Back to the CT's type: integers are cut toward zero and held within the type's range, as ITK does."""
    if dtype.kind == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.trunc(values), limits.min, limits.max).astype(dtype)
