"""The plain detector every figure is printed beside: threshold and Laplacian-of-Gaussian blobs at several radii, nothing else.

Within each axilla region of :func:`axilla.anatomy.find_anatomy`, its muscle left out, the CT is cut at fat and
muscle level, smoothed, and every maximum of the scale-normalized response above the soft-tissue threshold is a candidate,
ranked by that response.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from axilla.anatomy import Anatomy
from axilla.node import SIDES
from axilla.volume import FloatArray, Volume, bounding_box, to_canonical

RADII_MM = (1.6, 2.2, 3.0, 4.0, 5.5, 7.5)
"""Radii of the blobs looked for, mm."""

SPACING_MM = 1.0
"""The region is resampled to cubes of this size, mm."""


@dataclass(frozen=True)
class Blob:
    """One candidate."""

    side: str
    center_xyz_mm: FloatArray
    radius_mm: float
    response: float


def find_blobs(volume: Volume, anatomy: Anatomy) -> list[Blob]:
    """Candidates of both axillae, strongest first."""
    blobs = [blob for side in SIDES for blob in _side(volume, anatomy, side)]
    return sorted(blobs, key=lambda blob: -blob.response)


def _side(volume: Volume, anatomy: Anatomy, side: str) -> list[Blob]:
    region = to_canonical(anatomy.mask(f"axilla_{side}"), volume.geometry)
    if not region.any():
        return []
    geometry = volume.geometry.canonical()
    margin = [int(np.ceil(10.0 / s)) for s in geometry.spacing_zyx_mm]
    box = bounding_box(region, margin)
    zoom = [s / SPACING_MM for s in geometry.spacing_zyx_mm]
    hu = np.clip(to_canonical(volume.array, volume.geometry)[box], anatomy.fat_hu, anatomy.muscle_hu + 40).astype(np.float32)
    hu = ndimage.zoom(hu, zoom, order=1, grid_mode=True, mode="nearest")
    region = region & ~to_canonical(anatomy.mask("muscle"), volume.geometry)
    inside = ndimage.zoom(region[box].astype(np.uint8), zoom, order=0, grid_mode=True, mode="nearest") > 0
    soft = ndimage.gaussian_filter(hu, 0.7) > (anatomy.fat_hu + anatomy.muscle_hu) / 2
    responses = np.stack([_response(hu, radius) for radius in RADII_MM])
    scale = responses.argmax(axis=0)
    best = responses.max(axis=0)
    peaks = (best == ndimage.maximum_filter(best, 5)) & inside & soft & (best > 0)
    found = []
    start = np.array([s.start for s in box])
    for index in np.argwhere(peaks):
        fine = (index + 0.5) / np.asarray(zoom) - 0.5 + start
        at = tuple(index)
        found.append(Blob(side, geometry.to_mm(fine), RADII_MM[int(scale[at])], float(best[at])))
    return found


def _response(hu: np.ndarray, radius_mm: float) -> np.ndarray:
    sigma = radius_mm / np.sqrt(3.0) / SPACING_MM
    return -(sigma**2) * ndimage.gaussian_laplace(hu, sigma)
