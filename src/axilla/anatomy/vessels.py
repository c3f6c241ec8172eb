"""The axillary artery and vein: center lines from the great vessels to the arm, as paths of least cost through enhanced blood.

1. Around one axilla's upper part the CT is taken at about 1.5 mm; a voxel costs less the nearer its density is to blood.
2. From the vessels beside the trachea, where they cross a sagittal plane, the least costs to everywhere else are found (fast
   marching on the voxels' graph: Cohen & Kimmel, Int J Comput Vis 1997;24:57-78).
3. The cheapest way to a lateral plane is a vessel if blood lies on nearly all of it; then the second is sought without it.
4. Of two, the vein is the one more in front and below.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.graph import MCP_Geometric

from axilla.anatomy import morphology
from axilla.anatomy.noun import CoarseGrid, VesselTrace
from axilla.anatomy.scan import SIGN, Scan
from axilla.anatomy.settings import VesselSettings
from axilla.volume import BoolArray, FloatArray, SlicesZYX, TripleFloat

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


def trace_vessels(scan: Scan, humerus: BoolArray, side: str, settings: VesselSettings = _DEFAULTS) -> tuple[VesselTrace, ...]:
    """Trace the trunk vessels of one side of an enhanced CT: none, one or two, those found first first.

    Parameters
    ----------
    scan : Scan
    humerus : ndarray of bool
        Both humeri with their marrow on the coarse grid: the thin cortex around it looks like a vessel.
    side : str
    settings : VesselSettings
    """
    bed = _bed(scan, humerus, side, settings)
    paths: list[tuple[FloatArray, FloatArray]] = []
    passable = bed.passable.copy()
    while len(paths) < 2:
        path = _cheapest(bed, passable, scan.half_width_mm, settings)
        if path is None:
            break
        radii = np.clip(bed.radius_mm[tuple(path.T)].astype(np.float64), min(bed.spacing), settings.most_radius_mm)
        paths.append((path * np.asarray(bed.spacing), radii))
        passable &= ~_around(path, radii, bed, settings)
    return _named(paths, bed, scan.grid, settings)


def _bed(scan: Scan, humerus: BoolArray, side: str, settings: VesselSettings) -> _Bed:
    grid, fine = scan.grid, scan.grid.ct.canonical().spacing_zyx_mm
    dz, dy, dx = (max(1, min(f, round(settings.spacing_mm / s))) for f, s in zip(grid.factors_zyx, fine, strict=True))
    spacing = (fine[0] * dz, fine[1] * dy, fine[2] * dx)
    start, hu, coarse = [], scan.canonical_hu, []
    for axis, (part, block, step) in enumerate(zip(_box(scan, side, settings), grid.factors_zyx, (dz, dy, dx), strict=True)):
        first, last = part.start * block, min(part.stop * block, hu.shape[axis])
        start.append(first)
        coarse.append((np.arange(first, last, step) + (step - 1) // 2) // block)
    box = tuple(slice(s, c[-1] * f + f) for s, c, f in zip(start, coarse, grid.factors_zyx, strict=True))
    small = ndimage.gaussian_filter(morphology.block_mean(hu[box], (dz, dy, dx)), [settings.smoothing_mm / s for s in spacing])
    base = scan.muscle_hu + settings.above_muscle_hu
    share = np.clip((small - base) / (settings.sure_share * (scan.blood_hu - scan.muscle_hu)), 0, 1).astype(np.float32)
    free = scan.inner & ~scan.chest.lungs & ~_bones(scan, humerus, settings)
    passable = np.asarray(free[np.ix_(*coarse)] & (share > settings.least_share))
    radius = morphology.distance_to(~(passable & (share > settings.core_share)), spacing)
    z, y, x = (f * (s + (d - 1) / 2) for f, s, d in zip(fine, start, (dz, dy, dx), strict=True))
    midline_mm = (scan.chest.midline_vox * grid.factors_zyx[2] + (grid.factors_zyx[2] - 1) / 2) * fine[2]
    lateral = np.abs(x + np.arange(share.shape[2]) * spacing[2] - midline_mm)
    return _Bed(share, radius, passable, spacing, (z, y, x), lateral)


def _box(scan: Scan, side: str, settings: VesselSettings) -> SlicesZYX:
    """Coarse box the trunk vessels run in: from the start plane outward, before spine and shoulder blade."""
    chest, nx = scan.chest, scan.hu.shape[2]
    near, far = settings.start_share * chest.half_width_vox, settings.end_shares[0] * chest.half_width_vox + 3
    ends = sorted((chest.midline_vox + SIGN[side] * near, chest.midline_vox + SIGN[side] * far))
    x = slice(min(nx - 1, max(0, round(ends[0]))), max(1, min(nx, round(ends[1]) + 1)))
    z = scan.slices(settings.below_apex_mm, settings.above_apex_mm)
    rows = np.flatnonzero(scan.inner[z].any(axis=(0, 2)))
    lungs = np.flatnonzero(chest.hull.any(axis=(0, 2)))
    last = int(lungs[0] + settings.depth_share * (lungs[-1] - lungs[0]))
    return z, slice(min(int(rows[0]), last), last + 1), x


def _bones(scan: Scan, humerus: BoolArray, settings: VesselSettings) -> BoolArray:
    """Bones with their rims, without arteries as dense as marrow: what is near something denser than blood can be."""
    bones = scan.chest.bones
    cortex = bones & (scan.hu > settings.denser_than_blood * scan.blood_hu)
    near = morphology.dilate(cortex, settings.marrow_mm, scan.spacing)
    solid = morphology.opened(humerus, settings.humerus_mm, scan.spacing)
    return morphology.dilate(bones & near | solid, settings.bone_rim_mm, scan.spacing, in_plane=True)


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
