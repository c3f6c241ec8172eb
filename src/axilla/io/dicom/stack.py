"""Order, spacing and grid of a stack of slices, from ImagePositionPatient along the normal; InstanceNumber plays no part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from axilla.errors import InputRefusedError
from axilla.io.dicom.catalog import Series, normal_of
from axilla.io.dicom.headers import HU_TYPES, SliceHeader
from axilla.volume import FloatArray, Geometry


@dataclass(frozen=True)
class StackSettings:
    """How regular a stack must be."""

    min_slices: int = 3
    """Fewest slices that make a volume: with two, spacing cannot be checked."""
    orientation_tolerance: float = 2e-3
    """Largest difference of a direction cosine within a stack (0.1 degree; files round at 1e-4 to 1e-6)."""
    position_tolerance_mm: float = 0.1
    """Largest distance of a slice from the regular grid, mm; scanners write positions with 0.1 mm or better."""
    position_tolerance_fraction: float = 0.2
    """The same as a fraction of the spacing; the smaller of both holds."""
    sideways_tolerance_mm: float = 0.25
    """Largest drift of the slices within their plane over the whole stack, mm; more is a tilted gantry."""
    same_position_mm: float = 1e-2
    """Slices closer than this are at one position, mm."""


@dataclass(frozen=True)
class Stack:
    """Slices in the order of array axis 0, each position with all slices found there (duplicates), and the grid."""

    positions: tuple[tuple[SliceHeader, ...], ...]
    geometry: Geometry


def build_stack(series: Series, settings: StackSettings) -> Stack:
    """Sort the slices and check that they make one regular volume.

    Raises
    ------
    InputRefusedError
        With every problem found, in one sentence.
    """
    _check_headers(series, settings)
    normal = _common_normal(series, settings)
    positions = np.array([s.position_xyz_mm for s in series.slices], dtype=np.float64)
    offsets = positions @ normal
    order = np.argsort(offsets, kind="stable")
    groups: list[list[int]] = []
    for index in order:
        if groups and offsets[index] - offsets[groups[-1][0]] < settings.same_position_mm:
            groups[-1].append(int(index))
        else:
            groups.append([int(index)])
    if len(groups) < settings.min_slices:
        raise InputRefusedError(_too_few(len(series.slices), len(groups), settings))
    firsts = np.array([group[0] for group in groups])
    problems = _problems(positions[firsts], normal, settings)
    if series.has_mixed_orientations:
        problems.append("its slices have mixed orientations")
    if problems:
        raise InputRefusedError(
            f"The CT series is not a regular volume: {'; '.join(problems)}. Reconstruct or export the series again, complete."
        )
    stacked = tuple(tuple(series.slices[i] for i in group) for group in groups)
    return Stack(stacked, _geometry(series.first, positions[firsts], normal))


def _check_headers(series: Series, settings: StackSettings) -> None:
    first = series.first
    if not series.is_ct:
        raise InputRefusedError(f"Expected CT images, but this series is of modality {first.modality or 'unknown'}; choose a CT.")
    checks = (
        (lambda s: s.has_pixels, "hold no pixel data"),
        (lambda s: not s.is_truncated, "are cut off (fewer pixels than the header announces)"),
        (lambda s: s.n_samples == 1, "are in color"),
        (lambda s: s.rows > 0 and s.columns > 0, "have no size"),
        (lambda s: s.position_xyz_mm is not None, "have no position (ImagePositionPatient)"),
        (lambda s: normal_of(s) is not None, "have no orientation (ImageOrientationPatient)"),
        (lambda s: s.spacing_yx_mm is not None and min(s.spacing_yx_mm) > 0, "have no PixelSpacing"),
        (lambda s: s.rescale is not None, "have no rescale slope and intercept, so their values are not HU"),
        (lambda s: s.rescale_type in HU_TYPES, f"hold {first.rescale_type or 'other'} values, not HU"),
    )
    for is_good, what in checks:
        bad = sum(not is_good(s) for s in series.slices)
        if bad:
            raise InputRefusedError(
                f"{bad} of {len(series.slices)} images of the series {what}; export the series again or choose another."
            )
    if len(series.slices) < settings.min_slices:
        raise InputRefusedError(_too_few(len(series.slices), len(series.slices), settings))


def _too_few(n_slices: int, n_positions: int, settings: StackSettings) -> str:
    where = "" if n_slices == n_positions else f" at {n_positions} position(s), repeated over time (bolus tracking or perfusion)"
    return (
        f"The series has too few slices to be a volume: {n_slices}{where}; at least {settings.min_slices} positions are needed, "
        "so give the whole folder of a series that covers the chest."
    )


def _common_normal(series: Series, settings: StackSettings) -> FloatArray:
    axes = np.array([s.orientation for s in series.slices], dtype=np.float64)
    lengths = np.linalg.norm(axes.reshape(-1, 2, 3), axis=2)
    dots = np.abs(np.einsum("ij,ij->i", axes[:, :3], axes[:, 3:]))
    if np.abs(lengths - 1).max() > 1e-2 or dots.max() > 1e-3:
        raise InputRefusedError("The slices' row and column directions are not at right angles; export the series again.")
    if np.ptp(axes, axis=0).max() > settings.orientation_tolerance:
        raise InputRefusedError(
            "The CT series is not a regular volume: its slices have mixed orientations. Choose or export one axial series."
        )
    normal = normal_of(series.first)
    if normal is None:
        raise InputRefusedError("The slices have no orientation (ImageOrientationPatient); export the series again.")
    return normal


def _problems(positions: FloatArray, normal: FloatArray, settings: StackSettings) -> list[str]:
    offsets = positions @ normal
    return [*_sideways(positions, offsets, normal, settings), *_irregular(offsets, settings)]


def _sideways(positions: FloatArray, offsets: FloatArray, normal: FloatArray, settings: StackSettings) -> list[str]:
    """Drift of the slices within their own plane."""
    in_plane = positions - positions[0] - np.outer(offsets - offsets[0], normal)
    drift = np.linalg.norm(in_plane, axis=1)
    if drift.max() <= settings.sideways_tolerance_mm:
        return []
    slope = in_plane.T @ (offsets - offsets[0]) / max(float(((offsets - offsets[0]) ** 2).sum()), 1e-9)
    residual = np.linalg.norm(in_plane - np.outer(offsets - offsets[0], slope), axis=1)
    if residual.max() <= settings.sideways_tolerance_mm:
        angle = np.degrees(np.arctan(np.linalg.norm(slope)))
        return [f"the gantry is tilted by {angle:.1f} degrees (slices do not follow each other along their normal)"]
    return [f"slices are displaced sideways by up to {drift.max():.1f} mm"]


def _irregular(offsets: FloatArray, settings: StackSettings) -> list[str]:
    """Missing slices or variable spacing."""
    spacing = (offsets[-1] - offsets[0]) / (len(offsets) - 1)
    regular = offsets[0] + spacing * np.arange(len(offsets))
    tolerance = min(settings.position_tolerance_mm, settings.position_tolerance_fraction * spacing)
    if np.abs(offsets - regular).max() <= tolerance:
        return []
    steps = np.diff(offsets)
    median = float(np.median(steps))
    for unit in (median, float(steps.min())):
        counts = steps / unit
        allowed = min(0.05 + settings.same_position_mm / unit, 0.15)
        if (np.abs(counts - np.rint(counts)) <= allowed).all() and (np.rint(counts) == 1).mean() >= 1 / 3:
            gaps = np.rint(counts).astype(int) - 1
            if gaps.sum() > 0:
                places = "one place" if (gaps > 0).sum() == 1 else f"{int((gaps > 0).sum())} places"
                return [f"{int(gaps.sum())} slice(s) missing at {places} (spacing {unit:.4g} mm)"]
    return [f"the slice spacing varies between {steps.min():.4g} and {steps.max():.4g} mm"]


def _geometry(first: SliceHeader, positions: FloatArray, normal: FloatArray) -> Geometry:
    if first.orientation is None or first.spacing_yx_mm is None:
        raise InputRefusedError("The slices have no orientation or PixelSpacing; export the series again.")
    row = np.asarray(first.orientation[:3]) / np.linalg.norm(first.orientation[:3])
    column = np.cross(normal, row)
    spacing_z = float((positions[-1] - positions[0]) @ normal) / (len(positions) - 1)
    matrix = np.stack([row, column, normal], axis=1)
    y_mm, x_mm = first.spacing_yx_mm
    return Geometry(
        (len(positions), first.rows, first.columns),
        (x_mm, y_mm, spacing_z),
        tuple(positions[0].tolist()),
        tuple(tuple(r) for r in matrix.tolist()),  # type: ignore[arg-type]
    )
