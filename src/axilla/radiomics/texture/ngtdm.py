"""Neighborhood gray-tone difference: how far voxels stand out from those around them.

Defined by Amadasun & King 1989, IEEE Trans Syst Man Cybern 19:1264-1274.

``p(i)`` is the fraction of the voxels with level i, ``s(i)`` the sum over them of the distance between i and the mean level of
their neighbors in the region, ``N`` the number of voxels, ``n`` the number of levels that occur. IBSI counts only voxels with a
neighbor; PyRadiomics counts all, and a voxel without neighbor adds nothing to s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from axilla.radiomics._registry import feature
from axilla.radiomics.discretization import GrayLevels
from axilla.radiomics.texture.matrices import neighborhood_differences
from axilla.volume import FloatArray

_NO_DIFFERENCE_COARSENESS = 1e6
"""Coarseness of a region in which no voxel differs from its neighbors (IBSI, PyRadiomics)."""

_LONELY_VOXELS = "Voxels without a neighbor in the region count here, not in IBSI."


@dataclass(frozen=True)
class Ngtdm:
    """Neighborhood differences by gray level.

    Parameters
    ----------
    p, s, i : ndarray, shape (n_levels,)
        As in the module's docstring, for the levels that occur.
    n_voxels : int
        Number of voxels.
    """

    p: FloatArray
    s: FloatArray
    i: FloatArray
    n_voxels: int

    @classmethod
    def of(cls, levels: GrayLevels) -> Ngtdm:
        """Of a region in gray levels."""
        count, difference = neighborhood_differences(levels.array, levels.highest)
        rows = levels.present - 1
        n_voxels = int(count.sum())
        return cls(count[rows] / n_voxels, difference[rows], levels.present.astype(np.float64), n_voxels)


def _ratio(numerator: float, denominator: float, otherwise: float) -> float:
    return numerator / denominator if denominator else otherwise


@feature("ngtdm", "Busyness", ibsi="NQ30", differs=_LONELY_VOXELS)
def busyness(t: Ngtdm) -> float:
    """``sum(p s) / sum_ij(|i p(i) - j p(j)|)``; 0 for one gray level."""
    weighted = t.i * t.p
    spread = np.abs(weighted[:, None] - weighted).sum()
    return _ratio(float(t.p @ t.s), float(spread), 0.0)


@feature("ngtdm", "Coarseness", ibsi="QCDE", differs=_LONELY_VOXELS)
def coarseness(t: Ngtdm) -> float:
    """``1 / sum(p s)``; 1e6 where no voxel differs from its neighbors."""
    return _ratio(1.0, float(t.p @ t.s), _NO_DIFFERENCE_COARSENESS)


@feature("ngtdm", "Complexity", ibsi="HDEZ", differs=_LONELY_VOXELS)
def complexity(t: Ngtdm) -> float:
    """``sum_ij(|i - j| (p(i) s(i) + p(j) s(j)) / (p(i) + p(j))) / N``."""
    ps = t.p * t.s
    terms = np.abs(t.i[:, None] - t.i) * (ps[:, None] + ps) / (t.p[:, None] + t.p)
    return float(terms.sum() / t.n_voxels)


@feature("ngtdm", "Contrast", ibsi="65HE", differs=_LONELY_VOXELS)
def contrast(t: Ngtdm) -> float:
    """``sum_ij(p(i) p(j) (i - j)**2) / (n (n - 1)) * sum(s) / N``; 0 for one gray level."""
    n = t.i.size
    pairs = (t.p[:, None] * t.p * (t.i[:, None] - t.i) ** 2).sum()
    return _ratio(float(pairs * t.s.sum() / t.n_voxels), float(n * (n - 1)), 0.0)


@feature("ngtdm", "Strength", ibsi="1X9X", differs=_LONELY_VOXELS)
def strength(t: Ngtdm) -> float:
    """``sum_ij((p(i) + p(j)) (i - j)**2) / sum(s)``; 0 where no voxel differs from its neighbors."""
    pairs = ((t.p[:, None] + t.p) * (t.i[:, None] - t.i) ** 2).sum()
    return _ratio(float(pairs), float(t.s.sum()), 0.0)
