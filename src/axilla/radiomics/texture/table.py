"""What run-length, zone and dependence matrices have in common: counts over gray level i and a size j.

Their features differ in what j counts (voxels of a run, of a zone, alike neighbors) and in name; the formulas are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from axilla.volume import FloatArray


@dataclass(frozen=True)
class SizeTable:
    """Sums over the matrices ``N(i, j)`` of many regions, each ``(n_regions, n_matrices)``; NaN where a matrix is empty.

    Parameters
    ----------
    total, n_voxels : ndarray
        Number of things; number of voxels they hold together.
    high, low : ndarray
        ``sum(N i**2) / total``, ``sum(N / i**2) / total``.
    long, short : ndarray
        The same of j.
    long_high, short_high, long_low, short_low : ndarray
        Of the products of both.
    level_nonuniformity, size_nonuniformity : ndarray
        ``sum_i(sum_j(N)**2) / total``, ``sum_j(sum_i(N)**2) / total``.
    level_variance, size_variance : ndarray
        Of i and of j.
    entropy : ndarray
        ``-sum(p log2(p + eps))`` with ``p = N / total``, bit.
    """

    total: FloatArray
    n_voxels: FloatArray
    high: FloatArray
    low: FloatArray
    long: FloatArray
    short: FloatArray
    long_high: FloatArray
    short_high: FloatArray
    long_low: FloatArray
    short_low: FloatArray
    level_nonuniformity: FloatArray
    size_nonuniformity: FloatArray
    level_variance: FloatArray
    size_variance: FloatArray
    entropy: FloatArray

    @classmethod
    def of(cls, sums: FloatArray) -> Self:
        """Of sums ``(n_regions, n_matrices, 15)`` as `axilla.kernels.sums.size_sums` orders them."""
        return cls(*np.moveaxis(sums, -1, 0))
