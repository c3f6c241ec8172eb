"""The bones by name: every bone-dense voxel goes to the landmark it is nearest to along bone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import watershed

from axilla.anatomy import morphology
from axilla.anatomy.chest import Chest
from axilla.anatomy.scan import Scan
from axilla.anatomy.settings import SkeletonSettings
from axilla.node import SIDES
from axilla.volume import BoolArray, TripleFloat

_DEFAULTS = SkeletonSettings()

_KINDS = ("ribs", "scapula", "clavicle", "humerus")
"""Bones of which each side has its own, in the order of their labels."""


def name_bones(scan: Scan, settings: SkeletonSettings = _DEFAULTS) -> dict[str, BoolArray]:
    """Masks ``spine, sternum`` and per side ``ribs_R, scapula_R, clavicle_R, humerus_R, humeral_head_R`` (and ``_L``)."""
    chest, spacing = scan.chest, scan.spacing
    spine, sternum = _axial(chest, spacing, settings)
    rest = chest.bones & ~spine & ~sternum
    humerus = _humerus(rest | (scan.hu > scan.muscle_hu + settings.marrow_hu) & ~spine, chest, spacing, settings)
    markers = _landmarks(rest, humerus, chest, spacing, settings)
    inside = rest | humerus
    flat = np.zeros(rest.shape, dtype=np.uint8)
    labels = watershed(flat, markers, connectivity=np.ones((3, 3, 3)), mask=inside)  # type: ignore[no-untyped-call]
    head = morphology.opened(labels == 4, settings.head_mm, spacing)
    masks = {"spine": spine, "sternum": sternum}
    offset = np.arange(rest.shape[2]) - chest.midline_vox
    for side in SIDES:
        half = offset > 0 if side == "L" else offset <= 0
        for label, kind in enumerate(_KINDS, start=1):
            masks[f"{kind}_{side}"] = np.asarray((labels == label) & half)
        masks[f"humeral_head_{side}"] = np.asarray(head & half)
    return masks


def _axial(chest: Chest, spacing: TripleFloat, settings: SkeletonSettings) -> tuple[BoolArray, BoolArray]:
    """Spine and sternum: the bones at the midline, behind and in front."""
    rows = np.flatnonzero(chest.hull.any(axis=(0, 2)))
    z, y, x = np.ogrid[tuple(slice(0, n) for n in chest.bones.shape)]
    off_midline = np.abs(x - chest.midline_vox) * spacing[2]
    depth = (y - rows[0]) / max(1, rows[-1] - rows[0])
    above = (z - chest.apex_vox) * spacing[0]
    spine = (
        chest.bones & (off_midline < settings.spine_mm) & (depth > np.where(above > 0, settings.neck_depth, settings.spine_depth))
    )
    sternum = chest.bones & (off_midline < settings.sternum_mm) & (depth < settings.sternum_depth)
    return np.asarray(spine), np.asarray(sternum & (above < -settings.sternum_below_mm))


def _humerus(dense: BoolArray, chest: Chest, spacing: TripleFloat, settings: SkeletonSettings) -> BoolArray:
    """Thick round bone beside the chest: with a head, or far out in the arm; scapula and clavicle are thinner."""
    x = np.abs(np.arange(dense.shape[2]) - chest.midline_vox)[None, None, :]
    lateral = dense & (x > settings.humerus_share * chest.half_width_vox) & ~chest.cage
    filled = morphology.filled_slices(morphology.closed(lateral, settings.closing_mm, spacing, in_plane=True))
    core = morphology.opened(filled, settings.shaft_mm, spacing)
    labels, n = morphology.components(core)
    heads = np.unique(labels[morphology.opened(core, settings.head_mm, spacing)])
    middles = np.asarray(ndimage.mean(np.broadcast_to(x, labels.shape), labels, np.arange(1, n + 1)))
    far = 1 + np.flatnonzero(middles > settings.arm_share * chest.half_width_vox)
    return np.isin(labels, np.append(heads[heads > 0], far))


def _landmarks(
    rest: BoolArray, humerus: BoolArray, chest: Chest, spacing: TripleFloat, settings: SkeletonSettings
) -> npt.NDArray[np.int32]:
    """Voxels whose bone is plain from where they lie."""
    rows = np.flatnonzero(chest.hull.any(axis=(0, 2)))
    z, y, x = np.ogrid[tuple(slice(0, n) for n in rest.shape)]
    lateral = np.abs(x - chest.midline_vox) / chest.half_width_vox
    depth = (y - rows[0]) / max(1, rows[-1] - rows[0])
    above = (z - chest.apex_vox) * spacing[0]
    away = rest & ~morphology.dilate(chest.hull, settings.off_cage_mm, spacing)
    near = morphology.dilate(chest.hull, settings.rib_mm, spacing)
    markers = np.zeros(rest.shape, dtype=np.int32)
    markers[away & (lateral > 0.4) & (depth > 0.5) & (above < 0) & (above > -settings.scapula_below_mm)] = 2
    markers[away & (lateral < settings.clavicle_share) & (depth < 0.35) & (above > -settings.sternum_below_mm)] = 3
    markers[rest & (near | (above < -settings.ribs_only_mm))] = 1
    markers[humerus] = 4
    return np.where(ndimage.binary_dilation(humerus), np.where(humerus, 4, 0), markers).astype(np.int32)
