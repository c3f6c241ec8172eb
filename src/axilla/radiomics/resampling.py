"""A region of a CT on the grid its features are measured on.

1. The new grid hangs on the outer corner of the origin voxel of the *whole* CT, as PyRadiomics 3 places it
   (``imageoperations.resampleImage``); positions are computed in float64 from the whole CT's geometry by the arithmetic of
   ITK's resampling filter, so that samples halfway between two voxels fall to the same side.
2. The mask is sampled by nearest neighbor.
3. The image is sampled at the mask's voxels only, by cubic B-spline interpolation (Unser 1999, IEEE Signal Process Mag
   16(6):22-38, as in ITK's ``BSplineInterpolateImageFunction``) unless the settings say otherwise. The spline's coefficients are
   computed around the node; what lies further than the margin changes no bit of them. The cost of a node does not depend on
   the size of the CT.
4. For an integer CT the result is cut back to an integer, toward zero.

The convention ``ibsi`` differs: the new grid's center is the CT's, the mask is interpolated linearly and holds where it reaches
1/2, and the values of an integer CT are rounded to the nearest integer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK

from axilla.errors import InputRefusedError
from axilla.kernels.grid import sample_mask
from axilla.kernels.spline import spline_coefficients, spline_taps, spline_values
from axilla.node import Segment
from axilla.radiomics.settings import RadiomicsSettings
from axilla.volume import BoolArray, FloatArray, Geometry, TripleFloat, Volume, bounding_box

_sitk: Any = SimpleITK  # has no type hints

IntArray = npt.NDArray[np.int64]

_PADDING_VOX = 5
"""Voxels PyRadiomics resamples around the region's box (its default ``padDistance``); decides where ITK's scan lines start."""

_SPLINE_MARGIN_VOX = 44
"""Steps around the samples within which voxels count in the spline. A voxel's influence falls by 0.268 per step, so that 32
steps away it is below the last bit of a float64 (0.268**32 = 5e-19). Rounding takes longer: with 32 steps, 1 in 1000 coefficients
of a noisy CT had another last bit than those of the whole CT; every step makes that 0.27 times as frequent."""

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


def sample_region(volume: Volume, segment: Segment, settings: RadiomicsSettings) -> Region:
    """Resample one segment and the CT under it.

    Raises
    ------
    InputRefusedError
        If the region is empty, vanishes on the new grid, is a single voxel, has too few dimensions or voxels, or if the CT is not
        finite there.
    """
    if not segment.mask.any():
        raise InputRefusedError("the region is empty: no voxel is segmented")
    box = bounding_box(segment.mask)
    mask = np.array(segment.mask[box], order="C")
    start_zyx = np.add(segment.offset_zyx, [s.start for s in box])
    old = np.asarray(volume.geometry.spacing_xyz_mm)
    asked = old if settings.voxel_spacing_xyz_mm is None else settings.voxel_spacing_xyz_mm
    new = np.where(np.asarray(mask.shape)[::-1] == 1, old, asked)
    if np.allclose(old, new):
        stop = start_zyx + mask.shape
        values = volume.array[tuple(slice(a, b) for a, b in zip(start_zyx, stop, strict=True))]
        region = Region(np.where(mask, values, values.dtype.type(0)), mask, volume.geometry.spacing_zyx_mm)
    else:
        region = _resample(volume, mask, start_zyx, new, settings)
    if not np.isfinite(region.values).all():
        raise InputRefusedError("the CT holds values that are not finite numbers in or near the region")
    check_mask(region.mask, settings)
    return region


def check_mask(mask: BoolArray, settings: RadiomicsSettings) -> None:
    """Refuse what PyRadiomics' ``checkMask`` refuses.

    Raises
    ------
    InputRefusedError
        If the mask is a single voxel, or has too few dimensions or voxels.
    """
    n_dimensions = sum(size > 1 for size in mask.shape)
    if n_dimensions == 0:
        raise InputRefusedError(_SINGLE_VOXEL)
    if n_dimensions < settings.minimum_dimensions:
        raise InputRefusedError(
            f"the region has too few dimensions: it is longer than one voxel along {n_dimensions} axis, "
            f"needed are {settings.minimum_dimensions}"
        )
    n_voxels = np.count_nonzero(mask)
    if settings.minimum_size is not None and n_voxels <= settings.minimum_size:
        raise InputRefusedError(f"the region is too small: {n_voxels} voxels, needed are more than {settings.minimum_size}")


@dataclass(frozen=True)
class SampleGrid:
    """The part of the new grid around a region.

    Parameters
    ----------
    n_xyz : ndarray, shape (3,)
        Its size.
    to_point, to_index : ndarray, shape (3, 4)
        As `axilla.kernels.grid.sample_mask` takes them.
    """

    n_xyz: IntArray
    to_point: FloatArray
    to_index: FloatArray


@lru_cache(maxsize=8)
def _itk_transforms(geometry: Geometry) -> tuple[FloatArray, FloatArray]:
    """ITK's matrices from index to point and back with the origin beside them ``(3, 4)``.

    ITK inverts the matrix by its own singular value decomposition, so that the columns are asked of ITK, at the origin.
    """
    image = _sitk.Image([1, 1, 1], _sitk.sitkUInt8)
    image.SetSpacing(geometry.spacing_xyz_mm)
    image.SetDirection(tuple(np.ravel(geometry.direction).tolist()))
    to_point = np.column_stack([np.asarray(geometry.direction) * geometry.spacing_xyz_mm, geometry.origin_xyz_mm])
    columns = [image.TransformPhysicalPointToContinuousIndex(unit) for unit in np.eye(3).tolist()]
    return to_point, np.column_stack([*columns, geometry.origin_xyz_mm])


def sample_grid(
    geometry: Geometry, box_start_xyz: IntArray, box_size_xyz: IntArray, spacing_xyz_mm: FloatArray, convention: str
) -> SampleGrid:
    """The new grid's voxels around a box of the old grid.

    The new voxel 0 begins at the corner of the old voxel 0, so that its center lies at ``(new - old) / (2 old)``; with the
    convention ``ibsi`` the centers of both grids coincide.
    """
    old = np.asarray(geometry.spacing_xyz_mm)
    size = np.asarray(geometry.shape_zyx)[::-1]
    ratio = old / spacing_xyz_mm
    n_new = np.ceil(size * ratio)
    first = np.maximum(np.floor((box_start_xyz - 0.5) * ratio - _PADDING_VOX), 0)
    last = np.minimum(np.ceil((box_start_xyz + box_size_xyz - 0.5) * ratio + _PADDING_VOX), n_new - 1)
    origin_index = 0.5 * (spacing_xyz_mm - old) / old
    if convention == "ibsi":
        origin_index = 0.5 * ((size - 1) - (n_new - 1) / ratio)
    matrix, to_index = _itk_transforms(geometry)
    index = origin_index + first / ratio
    origin = (matrix[:, 0] * index[0] + matrix[:, 1] * index[1] + matrix[:, 2] * index[2]) + matrix[:, 3]
    to_point = np.column_stack([np.asarray(geometry.direction) * spacing_xyz_mm, origin])
    return SampleGrid((last - first + 1).astype(np.int64), to_point, to_index)


def _resample(
    volume: Volume, mask: BoolArray, start_zyx: IntArray, spacing_xyz_mm: FloatArray, settings: RadiomicsSettings
) -> Region:
    """The mask, then the image at its voxels."""
    size_xyz = np.array(volume.geometry.shape_zyx[::-1])
    start_xyz, box_xyz = start_zyx[::-1].copy(), np.array(mask.shape[::-1])
    grid = sample_grid(volume.geometry, start_xyz, box_xyz, spacing_xyz_mm, settings.convention)
    if settings.convention == "ibsi":
        grown = np.ones(np.add(mask.shape, 2), dtype=bool)
        inside, index_xyz = sample_mask(grown, start_xyz - 1, size_xyz, grid.n_xyz, grid.to_point, grid.to_index)
        holds = _interpolate_linear(np.pad(mask, 1).astype(np.float64), index_xyz - (start_xyz - 1)) >= 0.5
        inside[inside], index_xyz = holds, index_xyz[holds]
    else:
        inside, index_xyz = sample_mask(mask, start_xyz, size_xyz, grid.n_xyz, grid.to_point, grid.to_index)
    if not len(index_xyz):
        raise InputRefusedError("the region vanishes when resampled: no voxel center of the new grid lies in it")
    box = bounding_box(inside)
    inside = np.ascontiguousarray(inside[box])
    values = np.zeros(inside.shape, dtype=volume.array.dtype)
    values[inside] = _cast(
        _INTERPOLATORS[settings.interpolator](volume.array, index_xyz), volume.array.dtype, settings.convention
    )
    spacing = spacing_xyz_mm.tolist()
    return Region(values, inside, (spacing[2], spacing[1], spacing[0]))


def interpolate_spline(array: npt.NDArray[Any], index_xyz: FloatArray) -> FloatArray:
    """Cubic B-spline interpolation of a whole image at some points.

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
    size = np.asarray(array.shape)
    first, low, high = spline_taps(index_xyz, size)
    margin = _margin(array, low, high)
    image, offset = _for_kernel(array, low - margin, high + margin)
    coefficients = spline_coefficients(image, first - offset[::-1], low - offset, high - offset, margin)
    return np.asarray(spline_values(coefficients, low, size, index_xyz, first))


def _margin(array: npt.NDArray[Any], low: IntArray, high: IntArray) -> int:
    """Steps around a box within which voxels count: all where an integer image does not change along an axis.

    There the recursion comes to rest, one bit up or down, as it began at the image's border, and that bit decides whether 60 is
    cut to 59.
    """
    center = [slice(middle, middle + 1) for middle in (low + high) // 2]
    for axis in range(3):
        reach = slice(max(low[axis] - _SPLINE_MARGIN_VOX, 0), high[axis] + _SPLINE_MARGIN_VOX)
        line = array[tuple(reach if other == axis else center[other] for other in range(3))].ravel()
        if array.dtype.kind in "iu" and len(line) > 2 and (line == line[0]).all():
            return sum(array.shape)
    return _SPLINE_MARGIN_VOX


def _for_kernel(array: npt.NDArray[Any], low: IntArray, high: IntArray) -> tuple[npt.NDArray[Any], IntArray]:
    """What the kernel is compiled for: a CT of 16-bit integers as it is, a box of anything else as float64; read-only."""
    offset = np.zeros(3, dtype=np.int64)
    if array.dtype != np.int16 or not array.flags.c_contiguous:
        offset = np.maximum(low, 0)
        array = array[tuple(slice(a, b) for a, b in zip(offset, high, strict=True))].astype(np.float64, order="C")
    view = array.view()
    view.flags.writeable = False
    return view, offset


def _interpolate_linear(array: npt.NDArray[Any], index_xyz: FloatArray) -> FloatArray:
    """Linear interpolation ``(n,)``, along x first as ITK does; beyond the outer voxel centers the nearest."""
    last = np.asarray(array.shape)[::-1] - 1
    first = np.clip(np.floor(index_xyz), 0, last).astype(np.int64)
    fraction = np.maximum(index_xyz - first, 0)
    second = np.minimum(first + 1, last)

    def corner(z: IntArray, y: IntArray, x: IntArray) -> FloatArray:
        return np.asarray(array[z[:, 2], y[:, 1], x[:, 0]].astype(np.float64))

    def along_x(z: IntArray, y: IntArray) -> FloatArray:
        low = corner(z, y, first)
        return np.asarray(low + (corner(z, y, second) - low) * fraction[:, 0])

    def along_y(z: IntArray) -> FloatArray:
        low = along_x(z, first)
        return np.asarray(low + (along_x(z, second) - low) * fraction[:, 1])

    low = along_y(first)
    return np.asarray(low + (along_y(second) - low) * fraction[:, 2])


def _interpolate_nearest(array: npt.NDArray[Any], index_xyz: FloatArray) -> FloatArray:
    x, y, z = (np.rint(index_xyz + index_xyz + 0.5).astype(np.int64) >> 1).T
    return np.asarray(array[z, y, x].astype(np.float64))


_INTERPOLATORS = {"bspline": interpolate_spline, "linear": _interpolate_linear, "nearest": _interpolate_nearest}


def _cast(values: FloatArray, dtype: np.dtype[Any], convention: str) -> npt.NDArray[Any]:
    """Back to the CT's type: integers are cut toward zero (IBSI: rounded) and held within the type's range, as ITK does."""
    if dtype.kind == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    whole = np.rint(values) if convention == "ibsi" else np.trunc(values)
    return np.clip(whole, limits.min, limits.max).astype(dtype)
