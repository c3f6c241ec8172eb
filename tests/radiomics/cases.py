"""Small synthetic regions of our own, in whole numbers only, so that every machine makes the same ones."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
TURNED = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)
FLIPPED = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)
ORIGIN_XYZ_MM = (-101.37, 42.6, 813.2)


@dataclass(frozen=True)
class Case:
    """One image with one region on it (arrays z, y, x; the rest x, y, z), and the settings it is measured with."""

    array: npt.NDArray[Any]
    mask: npt.NDArray[np.bool_]
    spacing_xyz_mm: tuple[float, float, float]
    direction: tuple[float, ...] = IDENTITY
    origin_xyz_mm: tuple[float, float, float] = ORIGIN_XYZ_MM
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """Of everything a feature depends on."""
        parts = [self.array.dtype.str.encode(), np.ascontiguousarray(self.array).tobytes(), np.packbits(self.mask).tobytes()]
        numbers = np.array([*self.array.shape, *self.spacing_xyz_mm, *self.direction, *self.origin_xyz_mm], dtype="<f8")
        return hashlib.sha256(b"".join([*parts, numbers.tobytes()])).hexdigest()


def texture(shape_zyx: tuple[int, int, int], seed: int, contrast: int = 1) -> npt.NDArray[np.int16]:
    """Soft-tissue-like values around 60, correlated over two voxels."""
    z, y, x = np.indices(shape_zyx).astype(np.uint64)
    noise = (x * np.uint64(73856093)) ^ (y * np.uint64(19349663)) ^ (z * np.uint64(83492791)) ^ np.uint64(seed * 2654435761)
    for _ in range(3):
        noise = ((noise ^ (noise >> np.uint64(15))) * np.uint64(2246822519)) % np.uint64(2**32)
    values = (noise >> np.uint64(23)).astype(np.int64) - 256
    for axis in range(3):
        values = values + np.roll(values, 1, axis)
    return (60 + contrast * values // 8).astype(np.int16)


def ellipsoid(shape_zyx: tuple[int, int, int], center_zyx: tuple[int, int, int], axes_zyx: tuple[int, int, int]) -> Any:
    """Voxels inside an ellipsoid, decided in whole numbers."""
    grid = np.indices(shape_zyx)
    a, b, c = (value * value for value in axes_zyx)
    squares = [(axis - center) ** 2 for axis, center in zip(grid, center_zyx, strict=True)]
    return squares[0] * b * c + squares[1] * a * c + squares[2] * a * b <= a * b * c


def make_cases() -> dict[str, Case]:
    """The cases of the goldens, by name."""
    shape = (30, 34, 32)
    image = texture(shape, 1)
    node = ellipsoid(shape, (14, 17, 15), (5, 8, 6))
    hilum = ellipsoid(shape, (14, 20, 15), (3, 4, 3))
    fatty = np.where(hilum, image - 140, image).astype(np.int16)
    pair = ellipsoid(shape, (8, 8, 8), (4, 4, 4)) | ellipsoid(shape, (20, 24, 22), (5, 4, 6))
    disc = node.copy()
    disc[:14] = disc[15:] = False
    line = np.zeros(shape, dtype=bool)
    line[14, 17, 10:20] = True
    speckles = texture(shape, 5) > 108
    thick = Case(texture(shape, 2, 3), node, (0.8, 0.8, 3.0), TURNED)
    cases = {
        "node_thin": Case(fatty, node, (0.8, 0.8, 1.0)),
        "node_thick_float_spacing": Case(fatty, node, (0.80000001, 0.80000001, 3.0)),
        "node_half_mm_turned": Case(image, node, (0.5, 0.5, 0.5), TURNED),
        "node_two_mm_flipped": Case(texture(shape, 2, 3), node, (2.0, 2.0, 1.5), FLIPPED),
        "node_own_grid": Case(fatty, node, (1.0, 1.0, 1.0)),
        "crescent_float": Case(fatty.astype(np.float32) / np.float32(4) + np.float32(10.25), node & ~hilum, (0.7, 0.7, 1.25)),
        "two_components": Case(image, pair, (0.9765625, 0.9765625, 1.25)),
        "image_corner": Case(image, ellipsoid(shape, (1, 2, 0), (6, 7, 5)), (0.7, 0.7, 1.0)),
        "flat_disc": Case(image, disc, (0.8, 0.8, 2.0)),
        "flat_values": Case(np.full(shape, 50, dtype=np.int16), node, (0.8, 0.8, 3.0)),
        "speckles": Case(image, speckles, (1.5, 1.5, 1.5)),
        "line": Case(image, line, (0.8, 0.8, 1.0)),
    }
    return cases | {name: replace(thick, settings=settings) for name, settings in SETTINGS.items()}


SETTINGS: dict[str, dict[str, Any]] = {
    "bin_count": {"bin_count": 24},
    "narrow_bins": {"bin_width": 2.5},
    "resegmented": {"resegment_range": (0.0, 100.0)},
    "resegmented_relative": {"resegment_range": (0.1, 0.9), "resegment_mode": "relative"},
    "resegmented_sigma": {"resegment_range": (-1.0, 1.5), "resegment_mode": "sigma", "resegment_shape": True},
    "distances": {"distances": (1, 2), "gldm_alpha": 1.0},
    "one_way": {"symmetrical_glcm": False, "voxel_array_shift": 1000.0},
    "linear": {"interpolator": "linear", "voxel_spacing_xyz_mm": (2.0, 2.0, 2.0)},
    "nearest": {"interpolator": "nearest"},
    "not_resampled": {"voxel_spacing_xyz_mm": None},
    "too_small": {"minimum_size": 100000},
}
"""Settings other than the defaults, each measured on one thick-sliced node."""
