"""Neighborhood gray-tone difference: how far voxels stand out from those around them.

Defined by Amadasun & King 1989, IEEE Trans Syst Man Cybern 19:1264-1274.

``p(i)`` is the fraction of the voxels with level i, ``s(i)`` the sum over them of the distance between i and the mean level of
their neighbors in the region, ``N`` the number of voxels, ``n`` the number of levels that occur. IBSI counts only voxels with a
neighbor; PyRadiomics counts all, and a voxel without neighbor adds nothing to s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from axilla.radiomics._registry import feature
from axilla.volume import FloatArray

_NO_DIFFERENCE_COARSENESS = 1e6
"""Coarseness of a region in which no voxel differs from its neighbors (IBSI, PyRadiomics)."""

_LONELY_VOXELS = "Voxels without a neighbor in the region count here, not in IBSI."


@dataclass(frozen=True)
class Ngtdm:
    """Sums over the neighborhood differences of many regions, each ``(n_regions,)``.

    Parameters
    ----------
    n_voxels, n_levels, s : ndarray
        Number of voxels, number of levels, ``sum(s)``.
    ps : ndarray
        ``sum(p s)``.
    spread, complexity, contrast, strength : ndarray
        Over all pairs of levels: ``sum(|i p(i) - j p(j)|)``, ``sum(|i - j| (p(i) s(i) + p(j) s(j)) / (p(i) + p(j)))``,
        ``sum(p(i) p(j) (i - j)**2)``, ``sum((p(i) + p(j)) (i - j)**2)``.
    """

    n_voxels: FloatArray
    n_levels: FloatArray
    s: FloatArray
    ps: FloatArray
    spread: FloatArray
    complexity: FloatArray
    contrast: FloatArray
    strength: FloatArray

    @classmethod
    def of(cls, sums: FloatArray) -> Self:
        """Of sums ``(n_regions, 8)`` as `axilla.kernels.sums.difference_sums` orders them."""
        return cls(*sums.T)


def _ratio(numerator: FloatArray, denominator: FloatArray, otherwise: float) -> FloatArray:
    return np.where(denominator == 0, otherwise, numerator / np.where(denominator == 0, 1.0, denominator))


@feature("ngtdm", "Busyness", ibsi="NQ30", differs=_LONELY_VOXELS)
def busyness(t: Ngtdm) -> FloatArray:
    """``sum(p s) / sum_ij(|i p(i) - j p(j)|)``; 0 for one gray level."""
    return _ratio(t.ps, t.spread, 0.0)


@feature("ngtdm", "Coarseness", ibsi="QCDE", differs=_LONELY_VOXELS)
def coarseness(t: Ngtdm) -> FloatArray:
    """``1 / sum(p s)``; 1e6 where no voxel differs from its neighbors."""
    return _ratio(np.ones_like(t.ps), t.ps, _NO_DIFFERENCE_COARSENESS)


@feature("ngtdm", "Complexity", ibsi="HDEZ", differs=_LONELY_VOXELS)
def complexity(t: Ngtdm) -> FloatArray:
    """``sum_ij(|i - j| (p(i) s(i) + p(j) s(j)) / (p(i) + p(j))) / N``."""
    return t.complexity / t.n_voxels


@feature("ngtdm", "Contrast", ibsi="65HE", differs=_LONELY_VOXELS)
def contrast(t: Ngtdm) -> FloatArray:
    """``sum_ij(p(i) p(j) (i - j)**2) / (n (n - 1)) * sum(s) / N``; 0 for one gray level."""
    return _ratio(t.contrast * t.s / t.n_voxels, t.n_levels * (t.n_levels - 1), 0.0)


@feature("ngtdm", "Strength", ibsi="1X9X", differs=_LONELY_VOXELS)
def strength(t: Ngtdm) -> FloatArray:
    """``sum_ij((p(i) + p(j)) (i - j)**2) / sum(s)``; 0 where no voxel differs from its neighbors."""
    return _ratio(t.strength, t.s, 0.0)
