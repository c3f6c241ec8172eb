"""Body, lungs, thoracic cage and bones on the coarse grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from axilla.anatomy import morphology
from axilla.anatomy.settings import AnatomySettings
from axilla.volume import BoolArray, FloatArray, TripleFloat

_CENTERINGS = 5
"""Steps that move a window over the spine to the middle of its bone; it stands still after three or four."""


@dataclass(frozen=True)
class Chest:
    """The thorax: everything the axilla hangs on. All arrays on the coarse grid."""

    lungs: BoolArray
    """The air in both lungs."""
    pleural: BoolArray
    """The lungs with what effusion, consolidation or collapse has taken of them."""
    hull: BoolArray
    """Convex hull of both lungs per slice."""
    cage: BoolArray
    """The hull out to the ribs' outer side."""
    bones: BoolArray
    shoulder: BoolArray
    """Bones clearly outside the cage: scapula, humerus, lateral clavicle."""
    midline_vox: float
    apex_vox: int
    half_width_vox: float

    def depth_limits(self, window_vox: float) -> tuple[FloatArray, FloatArray]:
        """First and last row of the lungs' hull per slice, taken over the slices up to `window_vox` further down."""
        n = self.hull.shape[0]
        rows = np.asarray(self.hull.any(axis=2))
        has = np.asarray(rows.any(axis=1))
        front = np.where(has, rows.argmax(axis=1), np.inf)
        back = np.where(has, rows.shape[1] - 1 - rows[:, ::-1].argmax(axis=1), -np.inf)
        span = max(1, round(window_vox))
        low = np.array([front[max(0, z - span) : z + 1].min() for z in range(n)])
        high = np.array([back[max(0, z - span) : z + 1].max() for z in range(n)])
        return np.where(np.isfinite(low), low, n * 1e3), np.where(np.isfinite(high), high, -1e3)


def find_body(hu: npt.NDArray[np.float32], spacing: TripleFloat, settings: AnatomySettings) -> BoolArray:
    """The patient without table and clothes, cavities filled."""
    solid = morphology.opened(hu > settings.body_hu, settings.body_opening_mm, spacing, in_plane=True)
    return morphology.filled_slices(morphology.largest_component(solid))


def find_chest(
    hu: npt.NDArray[np.float32], body: BoolArray, spacing: TripleFloat, settings: AnatomySettings
) -> tuple[Chest | None, str]:
    """The thorax, or ``None`` and the reason why there is none to be found."""
    if not body.any():
        return None, "No body was found in the field of view."
    voxel_ml = float(np.prod(spacing)) / 1000
    air = (hu < settings.air_hu) & body
    lungs = morphology.large_components(air, settings.min_lung_ml / voxel_ml)
    if lungs.any() and float(np.median(hu[lungs])) < settings.gas_hu:
        return None, "The air in the field of view is no lung but gas: this is not a chest CT."
    if np.count_nonzero(lungs) * voxel_ml < settings.min_lungs_ml:
        return None, "No lungs were found in the field of view: this is not a chest CT, or it ends outside the chest."
    cut = _cut_through(body, lungs, settings)
    if cut:
        return None, f"The chest is cut by the {cut} border of the field of view: without its midline the axillae cannot be told."
    midline = _midline(hu, body, lungs, spacing, settings)
    lungs = _without_midline_air(lungs, midline, spacing, settings)
    lateral = _off_midline(lungs, midline, settings.apex_from_midline_mm / spacing[2])
    areas = np.count_nonzero(lateral, axis=(1, 2)) * spacing[1] * spacing[2]
    in_lung = np.flatnonzero(areas > settings.apex_area_mm2)
    if in_lung.size * spacing[0] < 20:
        return None, "The lungs in the field of view are too short to tell where the axillae are."
    apex = int(in_lung[-1])
    lungs = _mirrored(lungs, midline, spacing, settings)
    hull = morphology.hull_slices(lungs)
    if not _has_spine_behind(hu, body, hull, midline, spacing, settings):
        return None, "No spine lies behind the lungs: the image's orientation (front to back) is not what its header says."
    cage = morphology.dilate(hull, settings.cage_margin_mm, spacing, in_plane=True) & body
    columns = np.flatnonzero(hull.any(axis=(0, 1)))
    half_width = max(midline - columns[0], columns[-1] - midline)
    bones = _bones(hu, body, hull, midline, spacing, settings)
    outside = ~morphology.dilate(cage, settings.scapula_gap_mm, spacing, in_plane=True)
    shoulder = bones & outside & (np.abs(np.arange(hu.shape[2]) - midline) > settings.medial_share * half_width)[None, None, :]
    levels = np.zeros((hu.shape[0], 1, 1), dtype=bool)
    levels[max(0, int(apex - settings.below_apex_mm * 1.5 / spacing[0])) :] = True
    shoulder = morphology.large_components(shoulder & levels, 0.5 / voxel_ml)
    pleural = _without_airways(lungs & body & ~bones, midline, spacing, settings)
    return Chest(lungs & air, pleural, hull, cage, bones, shoulder, midline, apex, float(half_width)), ""


def _cut_through(body: BoolArray, lungs: BoolArray, settings: AnatomySettings) -> str:
    """The side on which the field ends inside the chest (``right`` or ``left``), or empty.

    There the body is nearly as deep at the field's border as anywhere.
    """
    depth = body[lungs.any(axis=(1, 2))].sum(axis=1)
    deepest = np.maximum(depth.max(axis=1), 1)
    for side, column in (("right", 0), ("left", -1)):
        if np.mean(depth[:, column] > settings.chest_cut_depth * deepest) > settings.chest_cut_share:
            return side
    return ""


def _midline(
    hu: npt.NDArray[np.float32], body: BoolArray, lungs: BoolArray, spacing: TripleFloat, settings: AnatomySettings
) -> float:
    """Column of the midline: median over lung slices of the middle of the lungs' extent, which no arm disturbs.

    Where most of one lung is missing (effusion, consolidation, a cut field) it is the column of the spine.
    """
    columns = np.asarray(lungs.any(axis=1))
    slices = np.flatnonzero(columns.sum(axis=1) > 0.5 * columns.sum(axis=1).max())
    first = columns[slices].argmax(axis=1)
    last = columns.shape[1] - 1 - columns[slices][:, ::-1].argmax(axis=1)
    by_lungs = float(np.median((first + last) / 2))
    by_spine = _spine_column(hu, body, lungs, slices, spacing, settings)
    left, right = (np.count_nonzero(part) for part in (lungs[:, :, round(by_spine) :], lungs[:, :, : round(by_spine)]))
    return by_lungs if min(left, right) > settings.balanced_lungs * max(left, right) else by_spine


def _spine_column(
    hu: npt.NDArray[np.float32],
    body: BoolArray,
    lungs: BoolArray,
    slices: npt.NDArray[np.intp],
    spacing: TripleFloat,
    settings: AnatomySettings,
) -> float:
    """Middle of the bone around the column with most bone within the width of a vertebra, behind the lungs' middle."""
    rows = np.flatnonzero(lungs.any(axis=(0, 2)))
    behind = slice((int(rows[0]) + int(rows[-1])) // 2, None)
    bone = (hu[slices, behind] > settings.bone_hu) & body[slices, behind]
    counts = bone.sum(axis=(0, 1)).astype(np.float64)
    width = max(1, round(settings.vertebra_mm / spacing[2]))
    column = float(np.convolve(counts, np.ones(width), mode="same").argmax())
    place = np.arange(len(counts))
    for _ in range(_CENTERINGS):
        near = counts * (np.abs(place - column) <= width / 2)
        column = float((near * place).sum() / near.sum()) if near.any() else column
    return column


def _off_midline(mask: BoolArray, midline: float, gap_vox: float) -> BoolArray:
    return np.asarray(mask & (np.abs(np.arange(mask.shape[2]) - midline) > gap_vox)[None, None, :])


def _without_midline_air(lungs: BoolArray, midline: float, spacing: TripleFloat, settings: AnatomySettings) -> BoolArray:
    """Drop the trachea above the lungs: slices without air away from the midline hold no lung."""
    lateral = _off_midline(lungs, midline, settings.apex_from_midline_mm / spacing[2])
    areas = np.count_nonzero(lateral, axis=(1, 2)) * spacing[1] * spacing[2]
    return np.asarray(lungs & (areas > settings.apex_area_mm2 / 5)[:, None, None])


def _without_airways(lungs: BoolArray, midline: float, spacing: TripleFloat, settings: AnatomySettings) -> BoolArray:
    """Lungs without the pieces of a slice that reach nowhere away from the midline."""
    kept = np.zeros_like(lungs)
    is_beside = np.abs(np.arange(lungs.shape[2]) - midline) * spacing[2] > settings.airway_mm
    for z in np.flatnonzero(lungs.any(axis=(1, 2))):
        labels, n = ndimage.label(lungs[z])
        keep = np.zeros(n + 1, dtype=bool)
        keep[labels[:, is_beside]] = True
        keep[0] = False
        kept[z] = keep[labels]
    return kept


def _mirrored(lungs: BoolArray, midline: float, spacing: TripleFloat, settings: AnatomySettings) -> BoolArray:
    """Both lungs; what is mostly missing of one (effusion, consolidation, collapse) is replaced by the other's mirror image.

    That is the whole lung, or its lower part where it ends too far above the other for a high diaphragm.
    """
    columns = np.arange(lungs.shape[2])
    sides = {False: lungs & (columns <= midline), True: lungs & (columns > midline)}
    volumes = {is_left: np.count_nonzero(side) for is_left, side in sides.items()}
    areas = {is_left: np.count_nonzero(side, axis=(1, 2)) * spacing[1] * spacing[2] for is_left, side in sides.items()}
    lowest = {
        is_left: int(np.append(np.flatnonzero(area > settings.apex_area_mm2), len(area))[0]) for is_left, area in areas.items()
    }
    poor = min(volumes, key=lambda is_left: volumes[is_left])
    short = max(lowest, key=lambda is_left: lowest[is_left])
    source = np.round(2 * midline - columns).astype(int)
    inside = (source >= 0) & (source < len(columns))
    missing = np.zeros(len(lungs), dtype=bool)
    if volumes[poor] < settings.mirror_below * volumes[not poor]:
        missing[:] = True
        short = poor
    elif (lowest[short] - lowest[not short]) * spacing[0] > settings.high_diaphragm_mm:
        missing = (areas[short] < settings.mirror_below * areas[not short]) & (np.arange(len(lungs)) < lowest[short] + 1)
    image = sides[not short][:, :, np.clip(source, 0, len(columns) - 1)] & inside & missing[:, None, None]
    return np.asarray(lungs | image)


def _has_spine_behind(
    hu: npt.NDArray[np.float32], body: BoolArray, hull: BoolArray, midline: float, spacing: TripleFloat, settings: AnatomySettings
) -> bool:
    """Whether more bone lies near the midline in the back half of the lungs' depth than in the front half."""
    rows = np.flatnonzero(hull.any(axis=(0, 2)))
    middle = (rows[0] + rows[-1]) / 2
    slices = np.flatnonzero(hull.any(axis=(1, 2)))
    columns = slice(max(0, round(midline - 30 / spacing[2])), round(midline + 30 / spacing[2]) + 1)
    dense = (hu > settings.bone_hu)[slices][:, :, columns] & body[slices][:, :, columns]
    by_row = dense.sum(axis=(0, 2))
    row = np.arange(hu.shape[1])
    reach = (rows[-1] - rows[0]) / 4
    return bool(by_row[row > middle + reach].sum() > by_row[row < middle - reach].sum())


def _bones(
    hu: npt.NDArray[np.float32], body: BoolArray, hull: BoolArray, midline: float, spacing: TripleFloat, settings: AnatomySettings
) -> BoolArray:
    """Dense tissue of at least 1 ml with its marrow, without enhanced heart and vessels inside the cage."""
    dense = (hu > settings.bone_hu) & body
    deep = morphology.erode(hull, 10.0, spacing, in_plane=True)
    rows = np.flatnonzero(hull.any(axis=(0, 2)))
    _, y, x = np.ogrid[tuple(slice(0, n) for n in hu.shape)]
    spine = (np.abs(x - midline) * spacing[2] < 35) & (y > rows[0] + 0.6 * (rows[-1] - rows[0]))
    bones = dense & (~deep | spine)
    voxel_ml = float(np.prod(spacing)) / 1000
    bones = morphology.large_components(bones, 1.0 / voxel_ml, fully_connected=True)
    return np.asarray(ndimage.binary_closing(bones, iterations=1) | bones) & body
