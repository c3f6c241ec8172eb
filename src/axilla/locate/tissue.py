"""What of one side is muscle, what is fat pad, and what lies in the pad."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from axilla.anatomy import morphology
from axilla.anatomy.morphology import DistanceMap
from axilla.locate.crop import SideCrop, narrowed
from axilla.locate.settings import LocateSettings
from axilla.volume import BoolArray, SlicesZYX, bounding_box


@dataclass(frozen=True)
class Tissue:
    """Masks on one side's working grid."""

    soft: BoolArray
    """Denser than the patient's fat-muscle threshold."""
    muscle: BoolArray
    """Muscle, bone and skin: walls."""
    vessels: BoolArray
    """Densely enhanced vessels with their rims."""
    pad: BoolArray
    """The fat pad with everything in it."""
    near: BoolArray
    """The pad and what lies within reach of it."""
    islands: BoolArray
    """Soft tissue in or near the pad that is not wall, hila filled."""
    wall_depth: DistanceMap
    """Distance into islands and walls taken together, mm."""


def find_tissue(crop: SideCrop, settings: LocateSettings) -> tuple[SideCrop, Tissue]:
    """Walls, pad and islands of one side, and the part of the working copy they lie in: the pad's surroundings.

    A side without a pad gives a Tissue without islands.
    """
    soft = np.asarray(crop.hu > crop.threshold_hu)
    muscle = _muscle(soft, crop, settings)
    pad, near = _pad(crop.region & ~muscle & (crop.hu < 400), crop, settings)
    if near.any():
        box = _on_native_slice(bounding_box(near, 2), crop)
        crop = narrowed(crop, box)
        soft, muscle, pad, near = soft[box], muscle[box], pad[box], near[box]
    vessels = _vessels(soft, muscle, crop, settings)
    islands = with_hila(soft & ~muscle & ~vessels & near, crop, settings) & ~muscle & ~vessels
    wall_depth = morphology.distance_to(~(islands | muscle), crop.spacing)
    return crop, Tissue(soft, muscle, vessels, pad, near, islands, wall_depth)


def _on_native_slice(box: SlicesZYX, crop: SideCrop) -> SlicesZYX:
    """The box with its first slice moved down to a native one."""
    return (slice(box[0].start - box[0].start % crop.steps, box[0].stop), box[1], box[2])


def _pad(space: BoolArray, crop: SideCrop, settings: LocateSettings) -> tuple[BoolArray, BoolArray]:
    """The roomy part of the space between walls, and what lies near it; on every other voxel, which is fine enough."""
    thin = space[::2, ::2, ::2]
    spacing = (2 * crop.spacing[0], 2 * crop.spacing[1], 2 * crop.spacing[2])
    pad = morphology.opened(thin, settings.pad_opening_mm, spacing)
    pad = morphology.large_components(pad, settings.min_pad_ml * 1000 / (8 * crop.voxel_mm3))
    near = morphology.dilate(pad, settings.near_pad_mm, spacing)
    return _doubled(pad, space.shape) & space, _doubled(near, space.shape)


def _doubled(mask: BoolArray, shape: tuple[int, ...]) -> BoolArray:
    for axis in range(3):
        mask = np.repeat(mask, 2, axis=axis)
    return mask[: shape[0], : shape[1], : shape[2]]


def _muscle(soft: BoolArray, crop: SideCrop, settings: LocateSettings) -> BoolArray:
    """Large cores a ball fits into, grown back to their surface; node-sized cores stay outside even where they touch."""
    inside = soft | crop.walls
    labels, n = morphology.components(morphology.erode(inside, settings.muscle_core_mm, crop.spacing))
    sizes = np.bincount(labels.ravel(), minlength=n + 1) * crop.voxel_mm3
    keep = np.zeros(n + 1, dtype=bool)
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        extent = [(s.stop - s.start) * mm for s, mm in zip(box, crop.spacing, strict=True)]
        at_edge = any(s.start == 0 or s.stop == size for s, size in zip(box, labels.shape, strict=True))
        keep[label] = max(extent) > settings.muscle_core_length_mm or at_edge
        if sizes[label] > settings.muscle_core_ml * 1000 and not keep[label]:
            core = np.pad(labels[box] == label, 1)
            radius = float(morphology.distance_to(~core, crop.spacing).max())
            keep[label] = 4 / 3 * np.pi * radius**3 < settings.node_core_ballness * sizes[label]
    grown = morphology.dilate(np.asarray(keep[labels]), settings.muscle_core_mm + max(crop.spacing), crop.spacing)
    return np.asarray((grown & inside) | crop.walls)


def _vessels(soft: BoolArray, muscle: BoolArray, crop: SideCrop, settings: LocateSettings) -> BoolArray:
    """Cores nearly as dense as the great vessels, with the rim that partial volume gives them; none without contrast."""
    if not crop.is_enhanced:
        return np.zeros_like(soft)
    level = crop.muscle_hu + settings.vessel_share * (crop.blood_hu - crop.muscle_hu)
    core = morphology.large_components(
        (crop.hu > level) & ~muscle, settings.min_vessel_mm3 / crop.voxel_mm3, fully_connected=True
    )
    return morphology.dilate(core, settings.vessel_rim_mm, crop.spacing) & soft & ~muscle


def with_hila(islands: BoolArray, crop: SideCrop, settings: LocateSettings) -> BoolArray:
    """Islands with fatty hila filled: closed by a small ball, then enclosed in 3D, then enclosed in an axial slice."""
    filled = morphology.closed(islands, settings.closing_mm, crop.spacing)
    filled |= _small_holes(filled, settings.max_hole_mm3 / crop.voxel_mm3)
    area = crop.spacing[1] * crop.spacing[2]
    for z in np.flatnonzero(filled.any(axis=(1, 2))):
        holes = ndimage.binary_fill_holes(filled[z]) & ~filled[z]
        if holes.any():
            labels, n = ndimage.label(holes)
            keep = np.bincount(labels.ravel(), minlength=n + 1) * area <= settings.max_hole_area_mm2
            keep[0] = False
            filled[z] |= np.asarray(keep[labels])
    return filled


def _small_holes(mask: BoolArray, max_voxels: float) -> BoolArray:
    """Parts of the outside, enclosed in 3D, of at most `max_voxels` voxels."""
    labels, n = morphology.components(~mask)
    keep = np.bincount(labels.ravel(), minlength=n + 1) <= max_voxels
    keep[0] = False
    return np.asarray(np.asarray(keep[labels]))
