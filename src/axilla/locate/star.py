"""How far soft tissue reaches from a lump's middle in all directions: balls, tubes, their ends and sheets told apart.

Distances are read from the interpolated image, not from voxels, so that nodes of two or three voxels are measured too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from axilla.kernels.rays import ray_lengths
from axilla.locate.crop import HuArray
from axilla.volume import FloatArray, TripleFloat

_N_AXES = 48
"""Lines through the middle; neighbors are about 12 degrees apart."""

_REACH = 4.0
"""Rays end this many inscribed radii from the middle."""

_N_STEPS = 24
"""Samples along a ray: six per radius."""

_OPEN = 2.2
"""A ray longer than this many narrowest radii has left through an opening: nodes up to twice as long as thick have none."""


@dataclass(frozen=True)
class Star:
    """Rays of one lump.

    Parameters
    ----------
    thickness_mm : float
        Narrow chord through the middle (10th percentile of all): the caliber, finer than voxels.
    width_mm : float
        Median chord.
    open_share : float
        Share of rays that run on much farther than half the thickness: 0 ball, about 0.1 the end of a tube, 0.2 a tube,
        more a sheet or the rim of a muscle.
    through_share : float
        Share of chords open at both ends: 0 for a ball and for the end of a tube.
    """

    thickness_mm: float
    width_mm: float
    open_share: float
    through_share: float


def stars(
    hu: HuArray, spacing: TripleFloat, centers_zyx: Sequence[FloatArray], radii_mm: Sequence[float], levels_hu: Sequence[float]
) -> list[Star]:
    """Stars at places of a working copy.

    Parameters
    ----------
    hu : ndarray, shape (z, y, x)
    spacing : tuple of float
        (z, y, x), mm.
    centers_zyx : sequence of ndarray, shape (3,)
        Fractional indices.
    radii_mm : sequence of float
        Inscribed radii: set the reach and fineness of the rays.
    levels_hu : sequence of float
        Where a lump ends: halfway between fat and the lump's own density.
    """
    if not centers_zyx:
        return []
    axes = _axes()
    directions = np.concatenate([axes, -axes])
    levels = np.asarray(levels_hu, dtype=np.float64)
    hu = np.ascontiguousarray(hu)
    places = np.asarray(centers_zyx, dtype=np.float64)
    reach = _REACH * np.asarray(radii_mm, dtype=np.float64)
    for is_last in (False, True):
        lengths = ray_lengths(hu, places, directions / np.asarray(spacing), reach, levels, _N_STEPS)
        if not is_last:
            capped = np.minimum(lengths, 1.5 * np.median(lengths, axis=1, keepdims=True))
            shift = (capped[:, :, None] * directions).mean(axis=1) / spacing
            places = places + np.clip(shift, -1.0, 1.0)
    return _stars(lengths)


def _axes() -> FloatArray:
    """Directions spread evenly over a half sphere (Fibonacci spiral), unit vectors (n, 3)."""
    k = np.arange(_N_AXES) + 0.5
    height = k / _N_AXES
    angle = np.pi * (1 + np.sqrt(5)) * k
    across = np.sqrt(1 - height**2)
    return np.stack([height, across * np.sin(angle), across * np.cos(angle)], axis=1)


def _stars(lengths: FloatArray) -> list[Star]:
    half = lengths.shape[1] // 2
    chords = lengths[:, :half] + lengths[:, half:]
    thickness, width = np.percentile(chords, [10, 50], axis=1)
    is_open = lengths > _OPEN * thickness[:, None] / 2
    open_share, through_share = is_open.mean(axis=1), (is_open[:, :half] & is_open[:, half:]).mean(axis=1)
    return [Star(*map(float, row)) for row in zip(thickness, width, open_share, through_share, strict=True)]
