"""From the reference body to one patient: size, proportions, and a smooth individual deformation.

The reference frame is LPS-oriented with its origin at the midline, the front of the cervicothoracic spine, and the height of
the center of the (raised-arm) humeral head. Anatomy tables give one side as ``(u, y)`` with ``u`` the distance from the
midline; the other side is its mirror image before the deformation, so that no patient is symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from axilla.phantom.settings import PhantomSettings

Float64 = npt.NDArray[np.float64]
SIDE_SIGN = {"R": -1.0, "L": 1.0}

_SPREAD_MM = 15.0
"""Outward shift of the shoulder girdle between the thinnest and the most obese body."""

_SIZE = {"male": (1.0, 1.0, 1.0), "female": (0.90, 0.90, 0.94)}
"""Width, depth and height of the skeleton against the reference man."""


@dataclass(frozen=True)
class Frame:
    """Maps reference points to patient LPS mm."""

    scale_xyz: Float64
    waves: Float64
    """(m, 9): wave vector (3, rad/mm), amplitude (3, mm), phase (3, rad)."""
    spread_mm: float = 0.0
    """How far axillary fat pushes arm, scapula and latissimus outward."""

    @classmethod
    def draw(cls, settings: PhantomSettings, rng: np.random.Generator) -> Frame:
        """A patient's proportions and deformation."""
        scale = np.array(_SIZE[settings.sex]) * rng.normal(1.0, 0.025, 3).clip(0.94, 1.06)
        waves = np.empty((6, 9))
        for wave in waves:
            direction = rng.normal(size=3)
            wave[:3] = direction / np.linalg.norm(direction) * 2 * np.pi / rng.uniform(140, 320)
            wave[3:6] = rng.normal(0, 1.6, 3)
            wave[6:] = rng.uniform(0, 2 * np.pi, 3)
        return cls(scale, waves, _SPREAD_MM * (settings.habitus - 0.3))

    def warp(self, points_xyz: npt.ArrayLike) -> Float64:
        """Patient positions of reference points ``(..., 3)``."""
        p = np.asarray(points_xyz, dtype=np.float64)
        moved = p * self.scale_xyz
        outward = np.clip((np.abs(p[..., 0]) - 92.0) / 45.0, 0, 1)
        moved[..., 0] += np.sign(p[..., 0]) * self.spread_mm * outward**2 * (3 - 2 * outward)
        for wave in self.waves:
            angle = (p * wave[:3]).sum(axis=-1, keepdims=True) + wave[6:]
            moved = moved + wave[3:6] * np.sin(angle)
        return moved

    def side(self, points_uyz: npt.ArrayLike, side: str) -> Float64:
        """Patient positions of one-sided reference points ``(..., 3)`` given as (u, y, z)."""
        p = np.array(points_uyz, dtype=np.float64)
        p[..., 0] *= SIDE_SIGN[side]
        return self.warp(p)

    def outline(self, z: npt.ArrayLike, points_uy: npt.ArrayLike, side: str) -> tuple[Float64, Float64]:
        """Heights and outlines ``(k, n, 2)`` of a one-sided solid; a key's height follows its points' mean."""
        p = np.asarray(points_uy, dtype=np.float64)
        full = np.concatenate([p, np.broadcast_to(np.asarray(z, dtype=np.float64)[:, None, None], (*p.shape[:2], 1))], axis=2)
        moved = self.side(full, side)
        heights = moved[..., 2].mean(axis=1)
        order = np.argsort(heights)
        return heights[order], moved[order][..., :2]
