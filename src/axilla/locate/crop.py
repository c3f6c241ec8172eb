"""The working copy of one side: finer slices, less noise, and the way back to the CT's grid."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from axilla.anatomy import Anatomy
from axilla.locate.settings import LocateSettings
from axilla.segment import finer_slices, slice_steps
from axilla.volume import BoolArray, Geometry, SlicesZYX, TripleFloat, TripleInt, Volume, bounding_box, to_canonical

HuArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class SideCrop:
    """One side's box of the CT in canonical order, with slices interpolated where they are thick.

    Parameters
    ----------
    side : str
    hu : ndarray of float32, shape (z, y, x)
        Row ``i * steps`` is native slice ``i`` of the box, unchanged but for noise.
    region : ndarray of bool
        The axilla on the same grid.
    walls : ndarray of bool
        Bones, and the thorax out to the ribs, on the same grid (coarse).
    spacing : tuple of float
        Working spacing (z, y, x), mm.
    steps : int
        Working slices per native slice.
    box : tuple of slice
        The box in the canonical array.
    native_slice_mm : float
        Slice distance of the CT.
    fat_hu, muscle_hu, blood_hu : float
        The patient's tissue modes.
    """

    side: str
    hu: HuArray
    region: BoolArray
    walls: BoolArray
    spacing: TripleFloat
    steps: int
    box: SlicesZYX
    native_slice_mm: float
    fat_hu: float
    muscle_hu: float
    blood_hu: float

    @property
    def threshold_hu(self) -> float:
        """Soft tissue against fat: halfway between the patient's own modes."""
        return (self.fat_hu + self.muscle_hu) / 2

    @property
    def is_enhanced(self) -> bool:
        """Whether vessels can be told by their density."""
        return bool(self.blood_hu > self.muscle_hu + 25)

    @property
    def voxel_mm3(self) -> float:
        """Volume of a working voxel, mm3."""
        return float(np.prod(self.spacing))


def crop_side(volume: Volume, anatomy: Anatomy, side: str, settings: LocateSettings) -> SideCrop:
    """The working copy around one side's axilla, which must not be absent."""
    fine = anatomy.grid.ct.canonical()
    region = anatomy.grid.to_fine(anatomy.masks[f"axilla_{side}"])
    margin = [int(np.ceil(settings.margin_mm / s)) for s in fine.spacing_zyx_mm]
    box = bounding_box(region, margin)
    native = to_canonical(volume.array, volume.geometry)[box].astype(np.float32)
    dz, dy, dx = fine.spacing_zyx_mm
    steps = slice_steps(dz, settings.fine_slice_mm)
    hu = finer_slices(native, steps)
    spacing = (dz / steps, dy, dx)
    hu = _denoised(hu, region[box], spacing, steps, anatomy.fat_hu, settings)
    walls = anatomy.grid.to_fine(anatomy.masks["bones"] | anatomy.masks["cage"])[box]
    return SideCrop(
        side=side, hu=hu, region=_nearest_slices(region[box], steps), walls=_nearest_slices(walls, steps), spacing=spacing,
        steps=steps, box=box, native_slice_mm=dz, fat_hu=anatomy.fat_hu, muscle_hu=anatomy.muscle_hu, blood_hu=anatomy.blood_hu,
    )  # fmt: skip


def narrowed(crop: SideCrop, box: SlicesZYX) -> SideCrop:
    """The part of a working copy inside a box of working voxels, whose first slice must be a native one."""
    z, y, x = box
    first = [z.start // crop.steps, y.start, x.start]
    last = [-(-z.stop // crop.steps), y.stop, x.stop]
    native = [slice(own.start + a, own.start + b) for own, a, b in zip(crop.box, first, last, strict=True)]
    return replace(
        crop, hu=crop.hu[box], region=crop.region[box], walls=crop.walls[box], box=(native[0], native[1], native[2])
    )  # fmt: skip


def to_canonical_crop(mask: BoolArray, offset_zyx: TripleInt, crop: SideCrop) -> tuple[TripleInt, BoolArray]:
    """A working mask's native rows, with its offset in the canonical array."""
    first = -(-offset_zyx[0] // crop.steps)
    native = mask[first * crop.steps - offset_zyx[0] :: crop.steps]
    start = (first + crop.box[0].start, offset_zyx[1] + crop.box[1].start, offset_zyx[2] + crop.box[2].start)
    return start, native


def to_own_grid(mask: BoolArray, offset_zyx: TripleInt, geometry: Geometry) -> tuple[TripleInt, BoolArray]:
    """A canonical crop mask and its offset on the CT's own grid."""
    axes, flips = geometry.canonical_permutation()
    shape = [geometry.shape_zyx[axis] for axis in axes]
    flip_axes = tuple(axis for axis, flip in enumerate(flips) if flip)
    start = [shape[a] - offset_zyx[a] - mask.shape[a] if flips[a] else offset_zyx[a] for a in range(3)]
    order = np.argsort(axes).tolist()
    own = np.ascontiguousarray(np.transpose(np.flip(mask, flip_axes), order))
    z, y, x = (int(start[a]) for a in order)
    return (z, y, x), own


def _nearest_slices(mask: BoolArray, steps: int) -> BoolArray:
    rows = np.arange((mask.shape[0] - 1) * steps + 1)
    return np.ascontiguousarray(mask[np.round(rows / steps).astype(int)])


def _denoised(
    hu: HuArray, region: BoolArray, spacing: TripleFloat, steps: int, fat_hu: float, settings: LocateSettings
) -> HuArray:
    """Smoothed just enough to bring the noise in fat down to the target; quiet scans pass unchanged."""
    rows = hu[::steps]
    fat = region & (np.abs(rows - fat_hu) < 40)
    if np.count_nonzero(fat) < 1000:
        return hu
    pairs = (rows[:, :, 1:] - rows[:, :, :-1])[fat[:, :, 1:] & fat[:, :, :-1]]
    noise = 1.4826 * float(np.median(np.abs(pairs))) / np.sqrt(2)
    if noise <= settings.target_noise_hu:
        return hu
    sigma_mm = 0.5 * max(spacing[1:]) * noise / settings.target_noise_hu
    sigma = [min(sigma_mm, 1.2) / s for s in spacing]
    return ndimage.gaussian_filter(hu, sigma).astype(np.float32)
