"""The axillary artery and vein: center lines from the great vessels to the arm, as the paths of least cost through enhanced blood.

1. Around one axilla's upper part the CT is taken at about 1.5 mm; a voxel costs less the nearer its density is to blood.
2. From the vessels beside the trachea, where they cross a sagittal plane, the least costs to everywhere else are found (fast
   marching on the voxels' graph: Cohen & Kimmel, Int J Comput Vis 1997;24:57-78).
3. The cheapest way to a lateral plane is a vessel, if blood lies on nearly all of it; with that one taken out, the second is sought.
4. Of two, the vein is the one more in front and below.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.graph import MCP_Geometric

from axilla.anatomy import morphology
from axilla.anatomy.chest import Chest
from axilla.anatomy.noun import CoarseGrid, VesselTrace
from axilla.anatomy.settings import VesselSettings
from axilla.volume import BoolArray, FloatArray, TripleFloat

_F32 = npt.NDArray[np.float32]

_DEFAULTS = VesselSettings()


@dataclass(frozen=True)
class _Bed:
    """The surroundings of one side's trunk vessels, canonical order."""

    blood: _F32
    """0 muscle and less, 1 blood."""
    radius_mm: _F32
    """Distance to where there is no blood."""
    passable: BoolArray
    spacing: TripleFloat
    first_mm: TripleFloat
    """Position of the first voxel, mm from the canonical CT's first."""
    lateral_mm: FloatArray
    """Distance of each column from the midline, mm."""


def trace_vessels(
    canonical_hu: npt.NDArray[np.generic],
    coarse_hu: _F32,
    grid: CoarseGrid,
    inner: BoolArray,
    chest: Chest,
    levels_hu: tuple[float, float],
    side: str,
    settings: VesselSettings = _DEFAULTS,
) -> tuple[VesselTrace, ...]:
    """Trace the trunk vessels of one side of an enhanced CT: none, one or two, those found first first.

    Parameters
    ----------
    canonical_hu : ndarray, shape (z, y, x)
    coarse_hu : ndarray of float32
        The CT on `grid`.
    grid : CoarseGrid
        Grid of `inner` and `chest` too.
    inner : ndarray of bool
        The body without skin.
    chest : Chest
    levels_hu : tuple of float
        Muscle and blood, HU.
    side : str
    settings : VesselSettings
    """
    bed = _bed(canonical_hu, coarse_hu, grid, inner, chest, levels_hu, side, settings)
    half_width = chest.half_width_vox * grid.spacing_zyx_mm[2]
    paths: list[tuple[FloatArray, FloatArray]] = []
    passable = bed.passable.copy()
    while len(paths) < 2:
        path = _cheapest(bed, passable, half_width, settings)
        if path is None:
            break
        radii = np.clip(bed.radius_mm[tuple(path.T)], min(bed.spacing), settings.most_radius_mm)
        paths.append((path * np.asarray(bed.spacing), radii))
        passable &= ~_around(path, radii, bed, settings)
    return _named(paths, bed, grid, settings)


def _bed(
    canonical_hu: npt.NDArray[np.generic],
    coarse_hu: _F32,
    grid: CoarseGrid,
    inner: BoolArray,
    chest: Chest,
    levels_hu: tuple[float, float],
    side: str,
    settings: VesselSettings,
) -> _Bed:
    dz, dy, dx = grid.spacing_zyx_mm
    nz, ny, nx = inner.shape
    z = slice(
        max(0, round(chest.apex_vox - settings.below_apex_mm / dz)),
        min(nz, round(chest.apex_vox + settings.above_apex_mm / dz) + 1),
    )
    half = chest.half_width_vox
    near, far = settings.start_share * half, settings.end_shares[0] * half + 3
    columns = (
        (chest.midline_vox + near, chest.midline_vox + far)
        if side == "L"
        else (chest.midline_vox - far, chest.midline_vox - near)
    )
    x = slice(max(0, round(columns[0])), min(nx, round(columns[1]) + 1))
    rows = np.flatnonzero(inner[z, :, x].any(axis=(0, 2)))
    lungs = np.flatnonzero(chest.hull.any(axis=(0, 2)))
    last = int(lungs[0] + settings.depth_share * (lungs[-1] - lungs[0]))
    y = slice(int(rows[0]), max(int(rows[0]), last) + 1) if rows.size else slice(0, ny)
    box = tuple(slice(part.start * f, part.stop * f) for part, f in zip((z, y, x), grid.factors_zyx, strict=True))
    fine = grid.ct.canonical().spacing_zyx_mm
    factors = tuple(
        max(1, f // max(1, round(settings.spacing_mm / s)) and round(settings.spacing_mm / s))
        for f, s in zip(grid.factors_zyx, fine, strict=True)
    )
    hu = morphology.block_mean(canonical_hu[box], factors)
    spacing = tuple(s * f for s, f in zip(fine, factors, strict=True))
    first = tuple(part.start * s + (f - 1) / 2 * s for part, s, f in zip(box, fine, factors, strict=True))
    smooth = ndimage.gaussian_filter(hu, [settings.smoothing_mm / s for s in spacing])
    muscle, blood = levels_hu
    share = np.clip((smooth - muscle - settings.above_muscle_hu) / (settings.sure_share * (blood - muscle)), 0, 1)
    centers = [
        np.clip(np.rint((f0 + np.arange(n) * s - (g - 1) / 2 * fs) / c).astype(int), 0, m - 1)
        for f0, n, s, g, fs, c, m in zip(
            first, hu.shape, spacing, grid.factors_zyx, fine, grid.spacing_zyx_mm, inner.shape, strict=True
        )
    ]
    coarse = (inner & ~chest.lungs & ~_bones(coarse_hu, chest, blood, grid, settings))[np.ix_(*centers)]
    lateral = np.abs(
        first[2] - (grid.factors_zyx[2] - 1) / 2 * fine[2] + np.arange(hu.shape[2]) * spacing[2] - chest.midline_vox * dx
    )
    passable = np.asarray(coarse & (share > settings.least_share))
    radius = morphology.distance_to(~(passable & (share > settings.core_share)), spacing)
    return _Bed(share.astype(np.float32), radius, passable, spacing, first, lateral)


def _bones(coarse_hu: _F32, chest: Chest, blood_hu: float, grid: CoarseGrid, settings: VesselSettings) -> BoolArray:
    """Bones with their rims, without arteries as dense as marrow: what is near something denser than blood can be."""
    cortex = chest.bones & (coarse_hu > settings.denser_than_blood * blood_hu)
    near = morphology.dilate(cortex, settings.marrow_mm, grid.spacing_zyx_mm)
    return morphology.dilate(chest.bones & near, settings.bone_rim_mm, grid.spacing_zyx_mm, in_plane=True)


def _cheapest(bed: _Bed, passable: BoolArray, half_width_mm: float, settings: VesselSettings) -> npt.NDArray[np.intp] | None:
    """Voxels of the cheapest way from the start plane to the farthest lateral plane that blood leads to, or ``None``."""
    start_mm = settings.start_share * half_width_mm
    is_start = passable & (bed.radius_mm >= settings.start_radius_mm)
    is_start &= (bed.lateral_mm < start_mm + settings.start_mm)[None, None, :]
    if not is_start.any():
        return None
    width = np.minimum(1, bed.radius_mm.astype(np.float64) / settings.trunk_radius_mm)
    cost = np.where(passable, 1 / (settings.floor + bed.blood.astype(np.float64) ** 2 * width), -1)
    search = MCP_Geometric(cost, sampling=bed.spacing)
    total, _ = search.find_costs(np.argwhere(is_start))
    for share in settings.end_shares:
        at_end = np.abs(bed.lateral_mm - share * half_width_mm) <= bed.spacing[2]
        ends = np.where(passable & at_end[None, None, :] & (bed.blood > settings.core_share), total, np.inf)
        if not np.isfinite(ends).any():
            continue
        path = np.asarray(search.traceback(np.unravel_index(int(ends.argmin()), ends.shape)))
        if _is_vessel(path, bed, settings):
            return path
    return None


def _is_vessel(path: npt.NDArray[np.intp], bed: _Bed, settings: VesselSettings) -> bool:
    """Whether blood lies on nearly all of a way, and it does not wander."""
    blood = bed.blood[tuple(path.T)]
    steps = np.linalg.norm(np.diff(path, axis=0) * bed.spacing, axis=1)
    reach = float(np.linalg.norm((path[-1] - path[0]) * np.asarray(bed.spacing)))
    is_direct = float(steps.sum()) <= settings.most_winding * reach
    return is_direct and bool(np.mean(blood > settings.core_share) >= settings.min_blood_share)


def _around(path: npt.NDArray[np.intp], radii: FloatArray, bed: _Bed, settings: VesselSettings) -> BoolArray:
    """The vessel's own voxels, with a rim."""
    seeds = np.zeros(bed.blood.shape, dtype=bool)
    seeds[tuple(path.T)] = True
    reach = float(np.median(radii)) + settings.rim_mm
    return morphology.dilate(seeds, reach, bed.spacing)


def _named(
    paths: list[tuple[FloatArray, FloatArray]], bed: _Bed, grid: CoarseGrid, settings: VesselSettings
) -> tuple[VesselTrace, ...]:
    """Traces in patient coordinates, medial end first; vein and artery told apart where two run clearly beside each other."""
    names = ["vessel"] * len(paths)
    if len(paths) == 2:
        a, b = (_at_columns(path) for path, _ in paths)
        both = np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1) if a.shape == b.shape else np.zeros(0, dtype=bool)
        if both.any():
            dz, dy = np.median((a - b)[both], axis=0)
            deeper = dz + dy
            if abs(deeper) >= settings.apart_mm:
                names = ["artery", "vein"] if deeper > 0 else ["vein", "artery"]
    fine = grid.ct.canonical()
    spacing = np.asarray(fine.spacing_zyx_mm)
    traces = []
    for name, (path, radii) in zip(names, paths, strict=True):
        smooth = ndimage.gaussian_filter1d(path, 2.0, axis=0, mode="nearest")
        points = fine.to_mm((smooth + np.asarray(bed.first_mm)) / spacing)
        traces.append(VesselTrace(name, points, ndimage.gaussian_filter1d(radii.astype(np.float64), 2.0, mode="nearest")))
    return tuple(traces)


_COLUMNS_MM = np.arange(0.0, 260.0, 4.0)


def _at_columns(path_mm: FloatArray) -> FloatArray:
    """Mean height and depth of a path at steps along x; NaN where it does not pass."""
    step = np.digitize(path_mm[:, 2], _COLUMNS_MM)
    rows = np.full((len(_COLUMNS_MM) + 1, 2), np.nan)
    for k in np.unique(step):
        rows[k] = path_mm[step == k, :2].mean(axis=0)
    return rows
