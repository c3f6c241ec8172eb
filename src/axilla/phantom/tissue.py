"""What the phantom is made of: tissue codes, HU, and the textures of muscle, fat and lung."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.ndimage import gaussian_filter

from axilla.phantom.settings import PhantomSettings
from axilla.phantom.shapes import Canvas, Field, Float32, Texture

TISSUES = MappingProxyType(
    {
        "air": 0,
        "fat": 1,
        "skin": 2,
        "muscle": 3,
        "bone": 4,
        "lung": 5,
        "airway": 6,
        "artery": 7,
        "vein": 8,
        "heart": 9,
        "gland": 10,
        "cartilage": 11,
        "organ": 12,
        "table": 13,
        "node": 14,
        "metal": 15,
    }
)
"""Codes of the anatomy map that comes with every case."""

FAT_HU, MUSCLE_HU, SKIN_HU, LUNG_HU = -105.0, 60.0, 35.0, -855.0
CORTEX_HU, MARROW_HU, CARTILAGE_HU, GLAND_HU = 850.0, 190.0, 95.0, 40.0
NECROSIS_HU, SHAFT_MARROW_HU = 35.0, 20.0
"""HU at 120 kV: guesses within textbook ranges for portal-venous chest CT."""


@dataclass(frozen=True)
class Enhancement:
    """HU that depend on the contrast phase."""

    artery: float
    vein: float
    injected_vein: float
    heart: float
    organ: float
    muscle: float
    node_offset: float

    @classmethod
    def draw(cls, settings: PhantomSettings, rng: np.random.Generator) -> Enhancement:
        """One patient's enhancement; `node_offset` is added to the cortex HU stated for enhanced nodes."""
        f = float(rng.uniform(-1, 1))
        match settings.contrast:
            case "none":
                return cls(42 + 3 * f, 42 + 3 * f, 42 + 3 * f, 42, 58, 54, -38)
            case "arterial":
                return cls(250 + 40 * f, 75 + 15 * f, rng.uniform(400, 600), 190, 70, 57, -15)
            case "mixed":
                return cls(210 + 30 * f, 130 + 20 * f, rng.uniform(250, 450), 170, 95, 59, -5)
            case _:
                return cls(180 + 25 * f, 145 + 25 * f, rng.uniform(180, 400), 150, 110, 61, 0)


def smooth_noise(
    canvas: Canvas, rng: np.random.Generator, correlation_zyx_mm: tuple[float, float, float], spacing_mm: float = 3.0
) -> Field:
    """A unit-variance Gaussian field over the canvas with the given correlation lengths, on a coarse grid."""
    low = np.array([canvas.z_mm[0], canvas.y_mm[0], canvas.x_mm[0]], dtype=float) - spacing_mm
    high = np.array([canvas.z_mm[-1], canvas.y_mm[-1], canvas.x_mm[-1]], dtype=float) + spacing_mm
    shape = np.ceil((high - low) / spacing_mm).astype(int) + 2
    noise = rng.standard_normal(tuple(shape), dtype=np.float32)
    noise = gaussian_filter(noise, [c / spacing_mm for c in correlation_zyx_mm], mode="wrap", truncate=2.5)
    return Field((noise / noise.std()).astype(np.float32), low, spacing_mm)


def muscle_texture(canvas: Canvas, rng: np.random.Generator, fat_share: float) -> Texture:
    """Bundles of slightly different HU, parted here and there by faint fatty septa (zero surfaces of a smooth field)."""
    septa = smooth_noise(canvas, rng, (13.0, 6.0, 6.0))
    bundles = smooth_noise(canvas, rng, (9.0, 5.0, 5.0))
    codes = np.empty((len(canvas.z_mm), len(canvas.y_mm), len(canvas.x_mm)), dtype=np.int8)
    depth, width = 8.0 + 30.0 * fat_share, 0.06 + 0.08 * fat_share
    septum_at, bundle_at = septa.over(canvas.y_mm, canvas.x_mm), bundles.over(canvas.y_mm, canvas.x_mm)
    for k, z in enumerate(canvas.z_mm):
        zero, value = septum_at(float(z)), bundle_at(float(z))
        codes[k] = 3.0 * value - depth * np.clip(1 - (zero / width) ** 2, 0, 1) * np.clip(0.5 - value, 0, 1)
    return lambda k, ys, xs: codes[k, ys, xs].astype(np.float32)


def fat_texture(canvas: Canvas, rng: np.random.Generator) -> Texture:
    """Faint strands of connective tissue and a slow drift of HU."""
    strands = smooth_noise(canvas, rng, (7.0, 7.0, 7.0), 4.0)
    patches = smooth_noise(canvas, rng, (14.0, 14.0, 14.0), 6.0)
    codes = np.empty((len(canvas.z_mm), len(canvas.y_mm), len(canvas.x_mm)), dtype=np.int8)
    strand_at, patch_at = strands.over(canvas.y_mm, canvas.x_mm), patches.over(canvas.y_mm, canvas.x_mm)
    for k, z in enumerate(canvas.z_mm):
        zero, where = strand_at(float(z)), patch_at(float(z))
        codes[k] = 3.0 * where + np.clip(16 + 24 * where, 0, 70) * np.clip(1 - (zero / 0.1) ** 2, 0, 1)
    return lambda k, ys, xs: codes[k, ys, xs].astype(np.float32)


def lung_texture(canvas: Canvas, rng: np.random.Generator) -> Texture:
    """Parenchyma denser toward the back, mottled."""
    mottle = smooth_noise(canvas, rng, (3.0, 3.0, 3.0))
    gravity = (0.25 * (canvas.y_mm + 40.0))[:, None].astype(np.float32)

    def texture(k: int, ys: slice, xs: slice) -> Float32:
        return 14.0 * mottle.on_slice(float(canvas.z_mm[k]), canvas.y_mm[ys], canvas.x_mm[xs]) + gravity[ys]

    return texture
