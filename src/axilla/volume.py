"""The grid, the CT on it, and the labels on it.

Conventions, which no other module repeats:

* arrays are indexed ``(z, y, x)``;
* points are millimeters in the DICOM patient system LPS (x to the patient's left, y to the back, z to the head), as
  ``(x, y, z)``;
* an index is the *center* of a voxel; only :class:`Geometry` converts between index and millimeters.
"""

from __future__ import annotations

import copyreg
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from axilla.errors import InvalidValueError


def _read_only(items: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(items)


# Nouns hold read-only mappings, are copied, and travel to worker processes; the standard library can pickle every part but this.
copyreg.pickle(MappingProxyType, lambda mapping: (_read_only, (dict(mapping),)))

FloatArray: TypeAlias = npt.NDArray[np.float64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
SlicesZYX: TypeAlias = tuple[slice, slice, slice]
TripleFloat: TypeAlias = tuple[float, float, float]
TripleInt: TypeAlias = tuple[int, int, int]

AIR_HU = -1024
"""HU written where the scanner reconstructed nothing (padding); the usual lower end of a 12-bit CT."""

_ORTHOGONALITY_TOLERANCE = 1e-4
"""Largest error of the direction cosines' Gram matrix; DICOM writes cosines with about six decimals."""

_SAME_GRID_TOLERANCE_MM = 1e-2
"""Two grids are the same when no corner moves by more than this: file formats round, anatomy does not care."""


@dataclass(frozen=True)
class Geometry:
    """A regular grid in patient space.

    Parameters
    ----------
    shape_zyx : tuple of int
        Number of voxels along z, y, x; each at least 1.
    spacing_xyz_mm : tuple of float
        Distance between voxel centers along the x, y and z index, mm, positive.
    origin_xyz_mm : tuple of float
        LPS position of the center of voxel ``(0, 0, 0)``, mm.
    direction : tuple of tuple of float
        3 x 3 row-major matrix whose *columns* are the LPS unit vectors of increasing x, y and z index
        (SimpleITK's convention). Orthonormal; a left-handed grid is allowed.

    Raises
    ------
    InvalidValueError
        If a value is not finite, not positive where it must be, or the direction is not orthonormal.
    """

    shape_zyx: TripleInt
    spacing_xyz_mm: TripleFloat = (1.0, 1.0, 1.0)
    origin_xyz_mm: TripleFloat = (0.0, 0.0, 0.0)
    direction: tuple[TripleFloat, TripleFloat, TripleFloat] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape_zyx)
        if len(shape) != 3 or min(shape) < 1 or shape != tuple(self.shape_zyx):
            raise InvalidValueError(f"A grid needs three positive sizes (z, y, x), not {self.shape_zyx}.")
        spacing = np.asarray(self.spacing_xyz_mm, dtype=np.float64)
        if spacing.shape != (3,) or not np.isfinite(spacing).all() or (spacing <= 0).any():
            raise InvalidValueError(f"Voxel spacing must be three positive numbers in mm, not {self.spacing_xyz_mm}.")
        origin = np.asarray(self.origin_xyz_mm, dtype=np.float64)
        if origin.shape != (3,) or not np.isfinite(origin).all():
            raise InvalidValueError(f"The grid's origin must be three finite numbers in mm, not {self.origin_xyz_mm}.")
        direction = np.asarray(self.direction, dtype=np.float64)
        if direction.shape != (3, 3) or not np.isfinite(direction).all():
            raise InvalidValueError(f"The grid's direction must be a finite 3 x 3 matrix, not {self.direction}.")
        if np.abs(direction.T @ direction - np.eye(3)).max() > _ORTHOGONALITY_TOLERANCE:
            raise InvalidValueError(
                "The grid's axes are not at right angles (sheared or tilted image); resample it on a rectangular grid."
            )
        object.__setattr__(self, "shape_zyx", shape)
        object.__setattr__(self, "spacing_xyz_mm", tuple(spacing.tolist()))
        object.__setattr__(self, "origin_xyz_mm", tuple(origin.tolist()))
        object.__setattr__(self, "direction", tuple(tuple(row) for row in direction.tolist()))

    @property
    def spacing_zyx_mm(self) -> TripleFloat:
        """Voxel spacing in array order."""
        x, y, z = self.spacing_xyz_mm
        return (z, y, x)

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel, mm3."""
        x, y, z = self.spacing_xyz_mm
        return x * y * z

    @property
    def affine_lps(self) -> FloatArray:
        """4 x 4 matrix from homogeneous ``(x, y, z)`` index to LPS mm."""
        affine = np.eye(4)
        affine[:3, :3] = np.asarray(self.direction) * np.asarray(self.spacing_xyz_mm)
        affine[:3, 3] = self.origin_xyz_mm
        return affine

    def to_mm(self, index_zyx: npt.ArrayLike) -> FloatArray:
        """LPS points ``(..., 3)`` in mm as ``(x, y, z)`` of fractional array indices ``(..., 3)`` as ``(z, y, x)``."""
        index_xyz = np.asarray(index_zyx, dtype=np.float64)[..., ::-1]
        affine = self.affine_lps
        return np.asarray(index_xyz @ affine[:3, :3].T + affine[:3, 3])

    def to_index(self, points_xyz_mm: npt.ArrayLike) -> FloatArray:
        """Fractional array indices ``(..., 3)`` as ``(z, y, x)`` of LPS points ``(..., 3)`` in mm as ``(x, y, z)``."""
        affine = self.affine_lps
        inverse = np.linalg.inv(affine[:3, :3])
        offset = np.asarray(points_xyz_mm, dtype=np.float64) - affine[:3, 3]
        return np.asarray((offset @ inverse.T)[..., ::-1])

    def contains(self, points_xyz_mm: npt.ArrayLike) -> BoolArray:
        """Whether LPS points ``(..., 3)`` in mm lie inside the grid, voxel edges included."""
        index = self.to_index(points_xyz_mm)
        inside = (index >= -0.5) & (index <= np.asarray(self.shape_zyx) - 0.5)
        return np.asarray(inside.all(axis=-1))

    def corners_mm(self) -> FloatArray:
        """The eight corner voxel centers, ``(8, 3)`` LPS mm."""
        last = np.asarray(self.shape_zyx) - 1
        index = np.array(list(np.ndindex(2, 2, 2))) * last
        return self.to_mm(index)

    def is_same_grid(self, other: Geometry) -> bool:
        """Whether both grids have the same shape and no corner differs by more than 0.01 mm."""
        if self.shape_zyx != other.shape_zyx:
            return False
        return bool(np.abs(self.corners_mm() - other.corners_mm()).max() <= _SAME_GRID_TOLERANCE_MM)

    def crop(self, slices_zyx: SlicesZYX) -> Geometry:
        """The grid of ``array[slices_zyx]``; steps must be 1 and the box not empty."""
        start, stop = _bounds(slices_zyx, self.shape_zyx)
        return replace(self, shape_zyx=tuple(stop - start), origin_xyz_mm=tuple(self.to_mm(start)))

    def resampled(self, spacing_xyz_mm: TripleFloat) -> Geometry:
        """A grid of another spacing over the same corner-to-corner extent (its outer voxel edges start together)."""
        new, old = np.asarray(spacing_xyz_mm, dtype=np.float64)[::-1], np.asarray(self.spacing_zyx_mm)
        shape = np.maximum(1, np.ceil(np.asarray(self.shape_zyx) * old / new - 1e-9)).astype(int)
        first = (new / old - 1) / 2
        return replace(
            self, shape_zyx=tuple(shape.tolist()), spacing_xyz_mm=spacing_xyz_mm, origin_xyz_mm=tuple(self.to_mm(first))
        )

    def canonical_permutation(self) -> tuple[TripleInt, tuple[bool, bool, bool]]:
        """Array axes and flips that bring the grid closest to LPS order.

        Returns
        -------
        axes : tuple of int
            ``np.transpose(array, axes)`` has array axis 0 along head-feet, 1 along back-front, 2 along left-right.
        flips : tuple of bool
            Which of the *transposed* array's axes to flip so that indices grow toward head, back and left.
        """
        direction_zyx = np.asarray(self.direction)[::-1, ::-1]  # rows: LPS z, y, x; columns: array axes z, y, x
        best = max(_PERMUTATIONS, key=lambda axes: sum(abs(direction_zyx[row, axis]) for row, axis in enumerate(axes)))
        flips = tuple(bool(direction_zyx[row, axis] < 0) for row, axis in enumerate(best))
        return best, (flips[0], flips[1], flips[2])

    def canonical(self) -> Geometry:
        """The grid of ``to_canonical(array, geometry)``."""
        axes, flips = self.canonical_permutation()
        start = np.zeros(3)
        for row, axis in enumerate(axes):
            start[axis] = self.shape_zyx[axis] - 1 if flips[row] else 0
        spacing, direction = self.spacing_zyx_mm, np.asarray(self.direction)[:, ::-1]
        signs = np.where(flips, -1.0, 1.0)
        columns = np.stack([direction[:, axis] * sign for axis, sign in zip(axes, signs, strict=True)], axis=1)
        return Geometry(
            shape_zyx=_triple_int([self.shape_zyx[axis] for axis in axes]),
            spacing_xyz_mm=_triple_float([spacing[axis] for axis in axes][::-1]),
            origin_xyz_mm=_triple_float(self.to_mm(start)),
            direction=tuple(_triple_float(row) for row in columns[:, ::-1]),  # type: ignore[arg-type]
        )


_PERMUTATIONS: tuple[TripleInt, ...] = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))


def to_canonical(array: npt.NDArray[Any], geometry: Geometry) -> npt.NDArray[Any]:
    """View of a ``(z, y, x)`` array with indices growing toward head, back and left (grid: ``geometry.canonical()``)."""
    axes, flips = geometry.canonical_permutation()
    return np.asarray(np.flip(np.transpose(array, axes), tuple(axis for axis, flip in enumerate(flips) if flip)))


def from_canonical(array: npt.NDArray[Any], geometry: Geometry) -> npt.NDArray[Any]:
    """Undo :func:`to_canonical`; `geometry` is the original grid."""
    axes, flips = geometry.canonical_permutation()
    flipped = np.flip(array, tuple(axis for axis, flip in enumerate(flips) if flip))
    return np.asarray(np.transpose(flipped, tuple(np.argsort(axes).tolist())))


@dataclass(frozen=True)
class SliceReference:
    """The DICOM instance a CT slice came from (array index along z)."""

    instance_number: int
    sop_instance_uid: str


@dataclass(frozen=True)
class Acquisition:
    """What is known about how a CT was made; ``None`` or empty where the file does not say. Holds no identity."""

    modality: str = "CT"
    manufacturer: str = ""
    model_name: str = ""
    kernel: str = ""
    kvp: float | None = None
    slice_thickness_mm: float | None = None
    patient_position: str = ""
    contrast_agent: str = ""
    is_synthetic: bool = False
    """Made by a simulator; results from it are labeled so everywhere."""


@dataclass(frozen=True)
class Volume:
    """A CT in Hounsfield units on a grid.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
        HU; an integer dtype when the file's rescaled values are integers, else floating. Stored read-only.
    geometry : Geometry
        Its grid; shapes must agree.
    acquisition : Acquisition
        How it was made.
    slices : tuple of SliceReference
        One per index along array axis 0, or empty when the source is not DICOM.
    warnings : tuple of str
        Sentences a reader of any result made from this CT must see (thick slices, sharp kernel, ...).

    Raises
    ------
    InvalidValueError
        If shapes disagree, or values are not finite numbers.
    """

    array: npt.NDArray[Any]
    geometry: Geometry
    acquisition: Acquisition = field(default_factory=Acquisition)
    slices: tuple[SliceReference, ...] = ()
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        array = np.asarray(self.array)
        if array.shape != self.geometry.shape_zyx:
            raise InvalidValueError(f"CT of shape {array.shape} does not fit its grid {self.geometry.shape_zyx}.")
        if array.dtype.kind not in "iuf":
            raise InvalidValueError(f"CT values must be numbers, not {array.dtype}.")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InvalidValueError("CT values must be finite; this image holds NaN or infinity.")
        if self.slices and len(self.slices) != array.shape[0]:
            raise InvalidValueError(f"{len(self.slices)} slice references for {array.shape[0]} slices.")
        object.__setattr__(self, "array", _frozen(array))

    def crop(self, slices_zyx: SlicesZYX) -> Volume:
        """The CT inside a box (a view, no copy)."""
        start, stop = _bounds(slices_zyx, self.geometry.shape_zyx)
        return replace(
            self,
            array=self.array[slices_zyx],
            geometry=self.geometry.crop(slices_zyx),
            slices=self.slices[start[0] : stop[0]],
        )

    def with_warnings(self, *sentences: str) -> Volume:
        """A copy with further warnings."""
        return replace(self, warnings=(*self.warnings, *sentences))


@dataclass(frozen=True)
class Labels:
    """A label map: 0 is background, each other value one object.

    Parameters
    ----------
    array : ndarray of uint16, shape (z, y, x)
        Stored read-only.
    geometry : Geometry
        Its grid; shapes must agree.
    names : mapping of int to str
        Names of labels where the source gave them.
    """

    array: npt.NDArray[np.uint16]
    geometry: Geometry
    names: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        array = np.asarray(self.array)
        if array.shape != self.geometry.shape_zyx:
            raise InvalidValueError(f"Labels of shape {array.shape} do not fit their grid {self.geometry.shape_zyx}.")
        if array.dtype.kind not in "iub":
            raise InvalidValueError(f"Labels must be integers, not {array.dtype}.")
        if array.size and (array.min() < 0 or array.max() > np.iinfo(np.uint16).max):
            raise InvalidValueError(f"Labels must lie in 0..65535, not {array.min()}..{array.max()}.")
        object.__setattr__(self, "array", _frozen(array.astype(np.uint16, copy=False)))
        object.__setattr__(self, "names", MappingProxyType(dict(self.names)))

    @property
    def values(self) -> tuple[int, ...]:
        """The labels present, ascending, without the background."""
        present = np.flatnonzero(np.bincount(self.array.ravel()))
        return tuple(int(value) for value in present if value)


def bounding_box(mask: npt.NDArray[Any], margin_vox: int | Sequence[int] = 0) -> SlicesZYX:
    """Smallest box around the non-zero voxels, widened by `margin_vox` and clipped to the array.

    Raises
    ------
    InvalidValueError
        If the mask is empty.
    """
    margin = np.broadcast_to(np.asarray(margin_vox), (3,))
    slices = []
    for axis in range(3):
        other = tuple(a for a in range(3) if a != axis)
        hit = np.flatnonzero(np.any(mask, axis=other))
        if not hit.size:
            raise InvalidValueError("An empty mask has no bounding box.")
        low, high = max(0, hit[0] - margin[axis]), min(mask.shape[axis], hit[-1] + 1 + margin[axis])
        slices.append(slice(int(low), int(high)))
    return (slices[0], slices[1], slices[2])


def _bounds(slices_zyx: SlicesZYX, shape_zyx: TripleInt) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_]]:
    """First and one-past-last index of a box, checked."""
    resolved = [s.indices(n) for s, n in zip(slices_zyx, shape_zyx, strict=True)]
    start, stop = np.array([r[0] for r in resolved]), np.array([r[1] for r in resolved])
    if any(r[2] != 1 for r in resolved) or (stop <= start).any():
        raise InvalidValueError(f"A crop needs a box of at least one voxel with steps of 1, not {slices_zyx}.")
    return start, stop


def _frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A read-only view; the caller's own array stays writable."""
    view = array.view()
    view.flags.writeable = False
    return view


def _triple_float(values: Sequence[float] | FloatArray) -> TripleFloat:
    x, y, z = (float(v) for v in values)
    return (x, y, z)


def _triple_int(values: Sequence[int]) -> TripleInt:
    z, y, x = (int(v) for v in values)
    return (z, y, x)
