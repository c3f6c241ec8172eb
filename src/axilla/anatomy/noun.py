"""The anatomy of one CT: masks on a coarse grid, tissue gray values, and per side how much of the axilla is in the field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from axilla.errors import InvalidValueError
from axilla.node import SIDES
from axilla.volume import BoolArray, FloatArray, Geometry, TripleFloat, TripleInt, from_canonical

COVERAGES = ("whole", "partial", "absent")
"""How much of an axilla is in the field of view."""


@dataclass(frozen=True)
class CoarseGrid:
    """Blocks of the CT's voxels in canonical order (indices grow toward head, back and left).

    Parameters
    ----------
    ct : Geometry
        The CT's own grid.
    factors_zyx : tuple of int
        Voxels per block along each canonical axis.
    """

    ct: Geometry
    factors_zyx: TripleInt

    @classmethod
    def near(cls, ct: Geometry, spacing_mm: float) -> CoarseGrid:
        """Blocks as near to `spacing_mm` cubed as whole voxels allow."""
        z, y, x = (max(1, round(spacing_mm / s)) for s in ct.canonical().spacing_zyx_mm)
        return cls(ct, (z, y, x))

    @property
    def shape_zyx(self) -> TripleInt:
        """Number of blocks."""
        z, y, x = (-(-n // f) for n, f in zip(self.ct.canonical().shape_zyx, self.factors_zyx, strict=True))
        return (z, y, x)

    @property
    def spacing_zyx_mm(self) -> TripleFloat:
        """Size of a block, mm."""
        z, y, x = (s * f for s, f in zip(self.ct.canonical().spacing_zyx_mm, self.factors_zyx, strict=True))
        return (z, y, x)

    @property
    def geometry(self) -> Geometry:
        """The blocks as a grid of their own."""
        fine = self.ct.canonical()
        first = [(f - 1) / 2 for f in self.factors_zyx]
        z, y, x = self.spacing_zyx_mm
        origin = fine.to_mm(first)
        return Geometry(self.shape_zyx, (x, y, z), (float(origin[0]), float(origin[1]), float(origin[2])), fine.direction)

    def to_fine(self, mask: BoolArray) -> BoolArray:
        """A coarse mask on the CT's canonical grid."""
        for axis, factor in enumerate(self.factors_zyx):
            mask = np.repeat(mask, factor, axis=axis)
        z, y, x = self.ct.canonical().shape_zyx
        return mask[:z, :y, :x]

    def to_ct(self, mask: BoolArray) -> BoolArray:
        """A coarse mask on the CT's own grid, contiguous."""
        return np.ascontiguousarray(from_canonical(self.to_fine(mask), self.ct))


@dataclass(frozen=True)
class VesselTrace:
    """The center line of an axillary trunk vessel.

    Parameters
    ----------
    name : str
        ``artery``, ``vein``, or ``vessel`` where only one was traced or the two could not be told apart.
    points_xyz_mm : ndarray of float64, shape (n, 3)
        From the midline outward, LPS mm.
    radii_mm : ndarray of float64, shape (n,)
    """

    name: str
    points_xyz_mm: FloatArray
    radii_mm: FloatArray

    def __post_init__(self) -> None:
        n = len(self.points_xyz_mm)
        if self.points_xyz_mm.shape != (n, 3) or self.radii_mm.shape != (n,) or n == 0:
            raise InvalidValueError(
                f"A vessel trace needs n x 3 points and n radii, not {self.points_xyz_mm.shape} and {self.radii_mm.shape}."
            )
        for array in (self.points_xyz_mm, self.radii_mm):
            array.flags.writeable = False


@dataclass(frozen=True)
class Anatomy:
    """What :func:`axilla.anatomy.find_anatomy` found.

    Parameters
    ----------
    grid : CoarseGrid
        Grid of `masks`.
    masks : mapping of str to ndarray of bool, shape ``grid.shape_zyx``
        ``body, lungs, cage, bones, spine, sternum, muscle, vessels`` and per side ``axilla_R, fat_R, lung_R, ribs_R, scapula_R,
        clavicle_R, humerus_R, humeral_head_R, shoulder_R, pectoralis_major_R, pectoralis_minor_R`` (and ``_L``): see
        docs/locate.md. What could not be told is empty. :meth:`mask` gives one on the CT's own grid.
    coverage : mapping of str to str
        Per side one of :data:`COVERAGES`.
    reasons : mapping of str to str
        Per side one sentence saying why; empty for a whole axilla.
    fat_hu, muscle_hu : float
        The patient's modes of fat and muscle, HU.
    blood_hu : float
        Upper part of the mediastinal blood pool, HU; NaN where none is in the field.
    is_enhanced : bool
        Blood measurably denser than muscle.
    midline_mm : float
        Distance of the body's midline from the grid's first canonical column, mm; NaN without a chest.
    apex_mm : float
        Height of the lung apex above the most caudal slice, mm; NaN without a chest, and where the apex lies above the field.
    minor_confidence : mapping of str to float
        Per side how surely ``pectoralis_minor`` is that muscle, 0-1; 0 (or no entry) where it could not be told.
    traces : mapping of str to tuple of VesselTrace
        Per side the axillary artery and vein; none without contrast, and where blood could not be followed.
    """

    grid: CoarseGrid
    masks: Mapping[str, BoolArray]
    coverage: Mapping[str, str]
    reasons: Mapping[str, str]
    fat_hu: float
    muscle_hu: float
    blood_hu: float
    is_enhanced: bool
    midline_mm: float
    apex_mm: float
    minor_confidence: Mapping[str, float] = field(default_factory=dict)
    traces: Mapping[str, tuple[VesselTrace, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, mask in self.masks.items():
            if mask.shape != self.grid.shape_zyx:
                raise InvalidValueError(f"Anatomy mask '{name}' of shape {mask.shape} is not on the grid {self.grid.shape_zyx}.")
            mask.flags.writeable = False
        for side in SIDES:
            if self.coverage.get(side) not in COVERAGES:
                raise InvalidValueError(f"Coverage of side {side} must be one of {COVERAGES}, not {self.coverage.get(side)!r}.")
        for name in ("masks", "coverage", "reasons", "minor_confidence", "traces"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def mask(self, name: str) -> BoolArray:
        """One mask on the CT's own grid (nearest block: about 3 mm coarse).

        Raises
        ------
        InvalidValueError
            If there is no mask of that name.
        """
        return self.grid.to_ct(self._coarse(name))

    def coarse(self, name: str) -> tuple[BoolArray, Geometry]:
        """One mask on the coarse grid with that grid: enough for surfaces and distances, at a thousandth of the memory."""
        return self._coarse(name), self.grid.geometry

    def _coarse(self, name: str) -> BoolArray:
        if name not in self.masks:
            raise InvalidValueError(f"Anatomy has no mask '{name}'; it has {sorted(self.masks)}.")
        return self.masks[name]
