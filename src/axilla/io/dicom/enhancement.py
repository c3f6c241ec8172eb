"""Contrast enhancement measured on the pixels, because tags are often absent.

Blood fills the heart and great vessels, which lie between the lungs in the front and middle of the chest:

1. the volume, turned to patient axes, is averaged in plane to about 3 mm;
2. in each slice, lungs are large air regions inside the body; slices with lung on both sides count;
3. the region is the lungs' convex hull without the lungs, eroded, its front 60 percent (the spine lies behind);
4. blood is the upper quartile of its HU over 20 or more cm2, the median over slices: fat and
   muscle lie below, bone is too little to reach it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.morphology import convex_hull_image

from axilla.volume import BoolArray, FloatArray, Geometry, to_canonical

_convex_hull: Any = convex_hull_image  # scikit-image carries no types


@dataclass(frozen=True)
class EnhancementSettings:
    """How blood is found and measured."""

    pixel_mm: float = 3.0
    """Pixel size measured on, mm: averages noise, keeps vessels of a centimeter."""
    max_slices: int = 24
    """Slices looked at, evenly spaced; more change nothing."""
    air_hu: float = -500.0
    """HU below which a pixel is air or lung."""
    body_hu: float = -300.0
    """HU above which a pixel is body."""
    least_lung_cm2: float = 15.0
    """Smallest area of one lung in a slice, cm2; the trachea has 3, bowel gas rarely lies on both sides."""
    wall_mm: float = 9.0
    """Rim of the region left out, mm: partial volume at the lungs, and the chest wall."""
    front_fraction: float = 0.6
    """Part of the lungs' depth, from the front, in which blood is looked for."""
    least_soft_cm2: float = 20.0
    """Smallest region measured in one slice, cm2."""
    quantile: float = 0.75
    """Quantile of the region's HU taken for blood."""
    least_slices: int = 3
    """Fewest slices a measurement rests on."""
    least_extent_mm: float = 30.0
    """mm along the body over which they must be spread; a few neighboring slices may show liver for heart."""


def measure_enhancement(array: npt.NDArray[Any], geometry: Geometry, settings: EnhancementSettings | None = None) -> float | None:
    """HU of blood in heart and great vessels; ``None`` where no chest is seen (no lung on both sides in enough slices)."""
    settings = settings or EnhancementSettings()
    values = [value for value in _per_slice(array, geometry, settings) if value is not None]
    canonical = geometry.canonical()
    step_mm = _step_z(canonical.shape_zyx[0], settings) * canonical.spacing_xyz_mm[2]
    needed = max(settings.least_slices, settings.least_extent_mm / step_mm)
    return float(np.median(values)) if len(values) >= needed else None


def _per_slice(array: npt.NDArray[Any], geometry: Geometry, settings: EnhancementSettings) -> list[float | None]:
    canonical, grid = to_canonical(array, geometry), geometry.canonical()
    _, y_mm, x_mm = grid.spacing_zyx_mm
    step_yx = (max(1, round(settings.pixel_mm / y_mm)), max(1, round(settings.pixel_mm / x_mm)))
    step_z = _step_z(canonical.shape[0], settings)
    pixel_yx_mm = (step_yx[0] * y_mm, step_yx[1] * x_mm)
    return [_blood_hu(_block_mean(image, step_yx), pixel_yx_mm, settings) for image in canonical[step_z // 2 :: step_z]]


def _step_z(n_slices: int, settings: EnhancementSettings) -> int:
    return max(1, -(-n_slices // settings.max_slices))


def _block_mean(image: npt.NDArray[Any], step_yx: tuple[int, int]) -> FloatArray:
    rows, columns = image.shape[0] // step_yx[0], image.shape[1] // step_yx[1]
    cropped = image[: rows * step_yx[0], : columns * step_yx[1]].astype(np.float64)
    return np.asarray(cropped.reshape(rows, step_yx[0], columns, step_yx[1]).mean(axis=(1, 3)))


def _blood_hu(image: FloatArray, pixel_yx_mm: tuple[float, float], settings: EnhancementSettings) -> float | None:
    pixel_cm2 = pixel_yx_mm[0] * pixel_yx_mm[1] / 100
    lungs = _lungs(image, pixel_cm2, settings)
    if lungs is None:
        return None
    hull: BoolArray = _convex_hull(lungs)
    rows = np.flatnonzero(hull.any(axis=1))
    hull[int(rows[0] + settings.front_fraction * (rows[-1] - rows[0])) :] = False
    margin = max(1, round(settings.wall_mm / pixel_yx_mm[0]))
    region = ndimage.binary_erosion(hull & ~ndimage.binary_closing(lungs, iterations=1), iterations=margin)
    soft = image[region & (image > -30)]
    if soft.size * pixel_cm2 < settings.least_soft_cm2:
        return None
    return float(np.quantile(soft, settings.quantile))


def _lungs(image: FloatArray, pixel_cm2: float, settings: EnhancementSettings) -> BoolArray | None:
    """Air inside the body, if there is a large region on both sides of the body's middle."""
    body, n = ndimage.label(ndimage.binary_opening(image > settings.body_hu))
    if n == 0:
        return None
    trunk = ndimage.binary_fill_holes(body == 1 + int(np.argmax(np.bincount(body.ravel())[1:])))
    regions, n = ndimage.label(trunk & (image < settings.air_hu))
    areas = np.bincount(regions.ravel(), minlength=n + 1)[1:] * pixel_cm2
    large = 1 + np.flatnonzero(areas >= settings.least_lung_cm2)
    lungs = np.isin(regions, large)
    columns = np.flatnonzero(trunk.any(axis=0))
    middle = int(columns.mean())
    sides_cm2 = (lungs[:, :middle].sum() * pixel_cm2, lungs[:, middle:].sum() * pixel_cm2)
    return lungs if min(sides_cm2) >= settings.least_lung_cm2 else None
