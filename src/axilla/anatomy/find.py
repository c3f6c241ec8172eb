"""The anatomy stage: from a CT to body parts and the axilla of each side, on a coarse copy of the CT."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from axilla.anatomy import morphology
from axilla.anatomy.chest import Chest, find_body, find_chest
from axilla.anatomy.noun import Anatomy, CoarseGrid
from axilla.anatomy.pectorals import Pectorals, find_pectorals
from axilla.anatomy.scan import Scan
from axilla.anatomy.settings import AnatomySettings
from axilla.anatomy.skeleton import name_bones
from axilla.anatomy.vessels import trace_vessels
from axilla.node import SIDES
from axilla.volume import BoolArray, TripleFloat, Volume, to_canonical

_DEFAULTS = AnatomySettings()

_PARTS = ("lungs", "cage", "muscle", "vessels", "spine", "sternum")
_SIDE_PARTS = (
    "axilla", "fat", "shoulder", "lung", "ribs", "scapula", "clavicle", "humerus", "humeral_head",
    "pectoralis_major", "pectoralis_minor",
)  # fmt: skip
"""Masks that need a chest, besides body and bones."""


def find_anatomy(volume: Volume, settings: AnatomySettings = _DEFAULTS) -> Anatomy:
    """Find body, lungs, bones, muscle, vessels and the axilla of each side.

    Works on a copy of about 3 mm in canonical order, so that flipped, feet-first or re-oriented CTs give the same answer.

    Parameters
    ----------
    volume : Volume
        CT in HU, any orientation.
    settings : AnatomySettings

    Returns
    -------
    Anatomy
        Per side also whether the axilla is wholly in the field, partly, or not at all; a side that is absent has empty masks.
    """
    grid = CoarseGrid.near(volume.geometry, settings.coarse_spacing_mm)
    canonical = to_canonical(volume.array, volume.geometry)
    hu = morphology.block_mean(canonical, grid.factors_zyx)
    spacing = grid.spacing_zyx_mm
    body = find_body(hu, spacing, settings)
    chest, reason = find_chest(hu, body, spacing, settings)
    if chest is None:
        return _without_chest(grid, hu, body, reason, settings)
    tissue = _tissue_modes(hu, body)
    blood_hu = _blood_hu(hu, chest, spacing, tissue[1], settings)
    is_enhanced = bool(blood_hu > tissue[1] + settings.enhancement_hu)
    muscle = _deep_muscle(hu, body, chest, spacing, settings)
    vessel_hu = tissue[1] + settings.enhancement_hu
    vessels = (hu > vessel_hu) & ~chest.bones & body & ~chest.lungs if is_enhanced else np.zeros_like(body)
    masks = {"body": body, "lungs": chest.lungs, "cage": chest.cage, "bones": chest.bones, "muscle": muscle, "vessels": vessels}
    inner = morphology.erode(body, settings.skin_mm, spacing, in_plane=True)
    scan = Scan(canonical, grid, hu, inner, chest, *tissue, blood_hu)
    masks |= name_bones(scan, settings.skeleton)
    humerus = masks["humerus_R"] | masks["humerus_L"]
    under_skin = morphology.erode(body, settings.skin_mm / 2, spacing, in_plane=True)
    is_cut = _is_apex_cut(chest, spacing, settings)
    coverage, reasons, minor_confidence, traces = {}, {}, {}, {}
    for side in SIDES:
        view = _Side(side, hu, body, under_skin, muscle, chest, spacing, tissue)
        region = _axilla(view, settings)
        coverage[side], reasons[side] = _coverage(view, region, settings)
        if coverage[side] == "absent":
            region = np.zeros_like(region)
        masks[f"axilla_{side}"] = region
        masks[f"fat_{side}"] = region & view.is_fat
        masks[f"shoulder_{side}"] = view.half & chest.shoulder
        masks[f"lung_{side}"] = view.half & chest.pleural
        is_told = coverage[side] != "absent" and not is_cut
        pectorals = find_pectorals(scan, side, settings.pectorals) if is_told else Pectorals.none(body)
        masks[f"pectoralis_major_{side}"], masks[f"pectoralis_minor_{side}"] = pectorals.major, pectorals.minor
        minor_confidence[side] = pectorals.confidence
        traces[side] = trace_vessels(scan, humerus, side, settings.vessels) if is_told and is_enhanced else ()
    return Anatomy(
        grid=grid, masks=masks, coverage=coverage, reasons=reasons, fat_hu=tissue[0], muscle_hu=tissue[1], blood_hu=blood_hu,
        is_enhanced=is_enhanced, midline_mm=chest.midline_vox * spacing[2],
        apex_mm=float("nan") if is_cut else chest.apex_vox * spacing[0],
        minor_confidence=minor_confidence, traces=traces,
    )  # fmt: skip


def _is_apex_cut(chest: Chest, spacing: TripleFloat, settings: AnatomySettings) -> bool:
    """Whether the lungs reach the uppermost slice: their apex lies above it, and heights cannot be told."""
    return bool((chest.hull.shape[0] - 1 - chest.apex_vox) * spacing[0] < settings.cut_above_mm)


@dataclass(frozen=True)
class _Side:
    """What the steps for one side share."""

    side: str
    hu: npt.NDArray[np.float32]
    body: BoolArray
    under_skin: BoolArray
    muscle: BoolArray
    chest: Chest
    spacing: TripleFloat
    tissue: tuple[float, float]

    @property
    def half(self) -> BoolArray:
        """The side's columns, broadcastable; canonical x grows to the patient's left."""
        x = np.arange(self.hu.shape[2])
        is_left = x > self.chest.midline_vox
        return (is_left if self.side == "L" else ~is_left)[None, None, :]

    @property
    def is_fat(self) -> BoolArray:
        """Voxels nearer to the fat mode than to muscle or air."""
        fat, muscle = self.tissue
        return np.asarray((self.hu < (fat + muscle) / 2) & (self.hu > fat - (muscle - fat) / 2))


def _without_chest(
    grid: CoarseGrid, hu: npt.NDArray[np.float32], body: BoolArray, reason: str, settings: AnatomySettings
) -> Anatomy:
    empty = np.zeros_like(body)
    names = (*_PARTS, *(f"{part}_{side}" for part in _SIDE_PARTS for side in SIDES))
    masks = dict.fromkeys(names, empty) | {"body": body, "bones": (hu > settings.bone_hu) & body}
    fat, muscle = _tissue_modes(hu, body)
    answer = dict.fromkeys(SIDES, "absent")
    return Anatomy(
        grid, masks, answer, dict.fromkeys(SIDES, reason), fat, muscle, float("nan"), False, float("nan"), float("nan")
    )


def _tissue_modes(hu: npt.NDArray[np.float32], body: BoolArray) -> tuple[float, float]:
    """Modes of fat and of muscle, HU: peaks of the smoothed histogram of the body in the ranges both always lie in."""
    values = hu[body]
    counts, edges = np.histogram(values, bins=np.arange(-160, 121, 2))
    centers = (edges[:-1] + edges[1:]) / 2
    kernel = np.exp(-0.5 * (np.arange(-6, 7) / 2.5) ** 2)
    smooth = np.convolve(counts, kernel / kernel.sum(), mode="same")
    fat, muscle = (centers > -150) & (centers < -60), (centers > 15) & (centers < 90)
    return float(centers[fat][smooth[fat].argmax()]), float(centers[muscle][smooth[muscle].argmax()])


def _blood_hu(
    hu: npt.NDArray[np.float32], chest: Chest, spacing: TripleFloat, muscle_hu: float, settings: AnatomySettings
) -> float:
    """Upper quartile of the soft tissue between the lungs, heart and great vessels; without contrast its median."""
    z = np.arange(hu.shape[0])[:, None, None]
    near_apex = (z < chest.apex_vox - 20 / spacing[0]) & (z > chest.apex_vox - 120 / spacing[0])
    x = np.arange(hu.shape[2])[None, None, :]
    central = np.abs(x - chest.midline_vox) * spacing[2] < 60
    inner = morphology.erode(chest.hull, 15.0, spacing, in_plane=True)
    values = hu[inner & near_apex & central & (hu > muscle_hu - 30) & (hu < 600) & ~chest.bones & ~chest.pleural]
    if values.size <= 200:
        return float("nan")
    median, upper = np.percentile(values, [50, 75])
    return float(upper if median > muscle_hu + settings.unenhanced_hu else median)


def _deep_muscle(
    hu: npt.NDArray[np.float32], body: BoolArray, chest: Chest, spacing: TripleFloat, settings: AnatomySettings
) -> BoolArray:
    """Muscles and the bones in them, without skin; what is thinner than a muscle is left out."""
    soft = (hu > 0) & morphology.erode(body, settings.skin_mm, spacing, in_plane=True) & ~chest.lungs
    soft = morphology.opened(soft, settings.muscle_opening_mm, spacing, in_plane=True)
    voxel_ml = float(np.prod(spacing)) / 1000
    return morphology.large_components(soft | chest.cage, settings.min_muscle_ml / voxel_ml) & ~chest.cage


def _axilla(view: _Side, settings: AnatomySettings) -> BoolArray:
    """The space between chest wall, pectoral and latissimus edge: hull of the deep muscles per slice, less the cage."""
    chest, spacing = view.chest, view.spacing
    shoulder = chest.shoulder & view.half
    levels = _levels(shoulder, chest, spacing, settings)
    region = np.zeros_like(view.body)
    hull = morphology.hull_slices(((view.muscle | chest.cage) & view.half)[levels])
    wide = morphology.dilate(hull, settings.hull_margin_mm, spacing, in_plane=True)
    region[levels] = wide & (~chest.cage & view.under_skin & view.half)[levels]
    _, y, x = np.ogrid[tuple(slice(0, n) for n in view.hu.shape)]
    front, back = chest.depth_limits(60 / spacing[0])
    below_mm = (chest.apex_vox - np.arange(len(front))) * spacing[0]
    medial = np.where(below_mm < settings.level_three_mm, settings.apical_medial_share, settings.medial_share)
    region &= np.abs(x - chest.midline_vox) > (medial * chest.half_width_vox)[:, None, None]
    share = np.interp(below_mm, [settings.below_apex_mm / 2, settings.below_apex_mm], settings.front_shares)
    region &= y >= (front + share * (back - front))[:, None, None]
    region &= y <= (front + settings.depth_share * (back - front))[:, None, None]
    region &= ~_behind(shoulder, (front + back) / 2, settings.behind_scapula_mm / spacing[1])
    return np.asarray(region)


def _levels(shoulder: BoolArray, chest: Chest, spacing: TripleFloat, settings: AnatomySettings) -> slice:
    """The slices from the axilla's lower to its upper limit."""
    top = chest.apex_vox + settings.above_apex_mm / spacing[0]
    bottom = chest.apex_vox - settings.below_apex_mm / spacing[0]
    slices = np.flatnonzero(shoulder.any(axis=(1, 2)))
    if slices.size:
        bottom = max(bottom, slices[0] - settings.below_scapula_mm / spacing[0])
    return slice(max(0, int(np.ceil(bottom))), max(0, int(np.floor(top)) + 1))


def _behind(shoulder: BoolArray, middle: npt.NDArray[np.float64], margin_vox: float) -> BoolArray:
    """What lies behind the scapula and humerus: behind the bone of the same column, or of the nearest column that has bone.

    Bone wholly in front of the lungs' middle depth (row `middle` of each slice) is clavicle or coracoid and hides nothing.
    """
    behind = np.zeros_like(shoulder)
    n_rows = shoulder.shape[1]
    rows = np.arange(n_rows)[:, None]
    fronts: dict[int, npt.NDArray[np.float64]] = {}
    for z in np.flatnonzero(shoulder.any(axis=(1, 2))):
        labels, n = ndimage.label(shoulder[z])
        last = ndimage.maximum(np.broadcast_to(rows, labels.shape), labels, np.arange(1, n + 1))
        plane = np.isin(labels, 1 + np.flatnonzero(np.asarray(last) > middle[z]))
        columns = np.flatnonzero(plane.any(axis=0))
        if columns.size:
            front = plane.argmax(axis=0)
            fronts[int(z)] = np.interp(np.arange(plane.shape[1]), columns, front[columns])
    slices = np.array(sorted(fronts))
    for level in range(shoulder.shape[0] if slices.size else 0):
        behind[level] = rows > fronts[int(slices[np.abs(slices - level).argmin()])] + margin_vox
    return behind


def _coverage(view: _Side, region: BoolArray, settings: AnatomySettings) -> tuple[str, str]:
    """How much of the side's axilla is in the field, and why not all of it."""
    chest, spacing = view.chest, view.spacing
    voxel_ml = float(np.prod(spacing)) / 1000
    word = {"R": "right", "L": "left"}[view.side]
    if np.count_nonzero(chest.shoulder & view.half) * voxel_ml < settings.min_scapula_ml:
        return "absent", f"No shoulder bone lies beside the {word} chest wall: the field does not reach the {word} axilla."
    if np.count_nonzero(region & view.is_fat) * voxel_ml < settings.min_fat_ml:
        return "absent", f"No axillary fat lies between the {word} chest wall and arm in the field of view."
    faults = []
    if _is_apex_cut(chest, spacing, settings):
        top = (chest.shoulder & view.half)[-max(1, round(settings.top_mm / spacing[0])) :]
        if np.count_nonzero(top) * voxel_ml < settings.min_top_scapula_ml:
            return "absent", f"The field of view begins below the {word} axilla: only the tip of the shoulder blade is in it."
        faults.append("its upper part lies above the first slice (the lung apex is cut)")
    if chest.apex_vox * spacing[0] < settings.min_length_mm:
        faults.append("its lower part lies below the last slice")
    slices = np.flatnonzero(region.any(axis=(1, 2)))
    border = view.body[slices, :, 0 if view.side == "R" else -1]
    if border.any(axis=1).mean() > settings.lateral_cut_share:
        faults.append("the body is cut by the lateral border of the field")
    if faults:
        return "partial", f"The {word} axilla is not wholly in the field: " + "; ".join(faults) + "."
    return "whole", ""
