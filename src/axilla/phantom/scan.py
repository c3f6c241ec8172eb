"""From tissue to CT: slices of finite thickness, point spread, correlated noise, streaks, whole HU."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.fft import fftfreq, irfft2, rfft2, rfftfreq

from axilla.phantom.frame import Float64
from axilla.phantom.settings import PhantomSettings, ScannerProfile
from axilla.phantom.shapes import Float32

_RAY_REACH_MM = 80.0

FINEST_Z_MM = 1.6
"""Slices thicker than this are averages of thinner ones."""


def sub_slices(spacing_z_mm: float) -> int:
    """How many thin slices make one slice of the CT."""
    return max(1, int(np.ceil(spacing_z_mm / FINEST_Z_MM - 1e-6)))


def average_slices(fine: Float32, count: int) -> Float32:
    """Mean of each `count` consecutive slices."""
    if count == 1:
        return fine
    return np.asarray(fine.reshape(-1, count, *fine.shape[1:]).mean(axis=1, dtype=np.float32))


def noise_sd(settings: PhantomSettings, body_width_mm: float) -> float:
    """Noise SD of this scan: thinner slices and larger bodies are noisier."""
    thickness = np.sqrt(1.0 / min(max(settings.spacing_xyz_mm[2], 0.5), 5.0))
    return float(settings.noise_sd_hu * settings.scanner.noise_factor * thickness * np.sqrt(body_width_mm / 400.0))


def scan(
    clean_hu: Float32,
    settings: PhantomSettings,
    sd_hu: float,
    artifact: Callable[[int, Float32], Float32 | None],
    rng: np.random.Generator,
) -> npt.NDArray[np.int16]:
    """Blur, add noise and ``artifact(slice index, clean slice)``, round."""
    _, ny, nx = clean_hu.shape
    frequency = np.hypot(
        fftfreq(ny, settings.spacing_xyz_mm[1])[:, None], rfftfreq(nx, settings.spacing_xyz_mm[0])[None, :]
    ).astype(np.float32)
    transfer = _transfer(settings.scanner, frequency, min(settings.spacing_xyz_mm[:2]))
    power = _noise_filter(settings.scanner, frequency)
    share = settings.scanner.slice_correlation
    result = np.empty(clean_hu.shape, dtype=np.int16)
    previous = rfft2(rng.standard_normal((ny, nx), dtype=np.float32))
    for k in range(len(clean_hu)):
        spectrum = rfft2(clean_hu[k] + 1000.0) * transfer
        if sd_hu > 0:
            white = rfft2(rng.standard_normal((ny, nx), dtype=np.float32))
            spectrum += (np.sqrt(1 - share) * white + np.sqrt(share) * previous) * (power * np.float32(sd_hu))
            previous = white
        image = irfft2(spectrum, s=(ny, nx)) - 1000.0
        extra = artifact(k, clean_hu[k])
        if extra is not None:
            image += extra
        result[k] = np.clip(np.rint(image), -1024, 3071)
    return result


def _transfer(profile: ScannerProfile, frequency: Float32, pixel_mm: float) -> Float32:
    """Gaussian falloff (less what the pixel itself blurs) with optional overshoot at middle frequencies."""
    variance = max(profile.resolution_mm**2 / (8 * np.log(2)) - pixel_mm**2 / 12, 0.0)
    gauss = np.exp(-2 * (np.pi * frequency) ** 2 * variance)
    lift = 1 + profile.edge_enhancement * np.exp(-(((frequency - 0.35) / 0.2) ** 2)) * (frequency > 0)
    return np.asarray(gauss * lift, dtype=np.float32)


def _noise_filter(profile: ScannerProfile, frequency: Float32) -> Float32:
    """Square root of a noise power spectrum that rises as a ramp and falls off beyond the peak, of unit variance."""
    peak = profile.noise_peak_per_mm
    amplitude = np.sqrt(frequency / peak * np.exp(-((frequency / peak) ** 2) / 2) + 0.01)
    full = amplitude**2
    weight = np.full(frequency.shape, 2.0)
    weight[:, 0] = 1.0
    mean_power = float((full * weight).sum() / weight.sum())
    return np.asarray(amplitude / np.sqrt(mean_power), dtype=np.float32)


class Streaks:
    """Streak artifacts, slice by slice: photon starvation across the shoulders, rays around dense contrast."""

    def __init__(self, settings: PhantomSettings, sd_hu: float, rng: np.random.Generator) -> None:
        self._spacing_x = settings.spacing_xyz_mm[0]
        self._sd_hu = sd_hu
        self._rng = rng
        self._orders = np.arange(2, 13)
        self._phases = rng.uniform(0, 2 * np.pi, len(self._orders))
        self._weights = rng.normal(size=len(self._orders)) / self._orders**0.5

    def shoulders(self, slice_hu: Float32) -> Float32:
        """Horizontal streaks where rays along x cross much bone and tissue."""
        ny, nx = slice_hu.shape
        path = (np.clip(slice_hu, -1000, 1500).sum(axis=1) + 1000.0 * nx) * self._spacing_x / 1000.0
        excess = np.clip((path - 330.0) / 100.0, 0, 2.0) ** 1.5
        coarse = self._rng.standard_normal((ny, max(3, int(nx * self._spacing_x / 45.0)))).astype(np.float32)
        result = np.zeros(slice_hu.shape, dtype=np.float32)
        rows = np.flatnonzero(excess > 0)
        if not len(rows):
            return result
        at = np.linspace(0, coarse.shape[1] - 1.001, nx)
        k = at.astype(int)
        f = (at - k).astype(np.float32)
        streak = coarse[rows[:, None], k] * (1 - f) + coarse[rows[:, None], k + 1] * f
        strength = (1.2 * self._sd_hu * excess[rows]).astype(np.float32)
        result[rows] = streak * strength[:, None] * (slice_hu[rows] > -700)
        return result

    def add_rays(
        self, image: Float32, y_mm: Float32, x_mm: Float32, center_yx_mm: Float64, strength_hu: float, height: int
    ) -> None:
        """Add bright and dark rays around a dense spot to `image`; they turn slowly from slice to slice."""
        window = [
            slice(int(np.searchsorted(axis, c - _RAY_REACH_MM)), int(np.searchsorted(axis, c + _RAY_REACH_MM)))
            for axis, c in zip((y_mm, x_mm), center_yx_mm, strict=True)
        ]
        dy = (y_mm[window[0]] - np.float32(center_yx_mm[0]))[:, None]
        dx = (x_mm[window[1]] - np.float32(center_yx_mm[1]))[None, :]
        radius, angle = np.hypot(dy, dx), np.arctan2(dy, dx)
        pattern = np.zeros(radius.shape, dtype=np.float32)
        for order, phase, weight in zip(self._orders, self._phases, self._weights, strict=True):
            pattern += np.float32(weight) * np.cos(np.float32(order) * angle + np.float32(phase + 0.25 * height))
        fade = np.exp(-radius / 26.0) * np.clip(radius / 4.0, 0, 1) * np.clip((_RAY_REACH_MM - radius) / 20.0, 0, 1)
        image[window[0], window[1]] += np.float32(strength_hu) * pattern * fade
