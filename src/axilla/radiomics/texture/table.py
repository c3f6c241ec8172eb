"""What run-length, zone and dependence matrices have in common: counts over gray level i and a size j.

Their features differ in what j counts (voxels of a run, of a zone, alike neighbors) and in name; the formulas are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from axilla.radiomics.discretization import EPSILON
from axilla.volume import FloatArray


@dataclass(frozen=True)
class SizeTable:
    """Counts of things by gray level and size.

    Parameters
    ----------
    counts : ndarray, shape (n_tables, n_levels, n_sizes)
        One table per direction, or one table in all; no table is empty.
    levels : ndarray, shape (n_levels,)
        Gray level i of each row.
    sizes : ndarray, shape (n_sizes,)
        Size j of each column.
    """

    counts: FloatArray
    levels: FloatArray
    sizes: FloatArray

    @cached_property
    def total(self) -> FloatArray:
        """Number of things, ``(n_tables,)``."""
        return np.asarray(self.counts.sum(axis=(1, 2)))

    @cached_property
    def by_level(self) -> FloatArray:
        """Number of things of each gray level, ``(n_tables, n_levels)``."""
        return np.asarray(self.counts.sum(axis=2))

    @cached_property
    def by_size(self) -> FloatArray:
        """Number of things of each size, ``(n_tables, n_sizes)``."""
        return np.asarray(self.counts.sum(axis=1))

    @cached_property
    def n_voxels(self) -> FloatArray:
        """Number of voxels they hold together, ``(n_tables,)``."""
        return np.asarray(self.by_size @ self.sizes)

    def emphasis(self, level_power: int, size_power: int) -> FloatArray:
        """``sum(N(i, j) i**level_power j**size_power) / sum(N)`` per table."""
        weight = self.levels[:, None] ** float(level_power) * self.sizes[None, :] ** float(size_power)
        return np.asarray((self.counts * weight).sum(axis=(1, 2)) / self.total)

    def level_nonuniformity(self) -> FloatArray:
        """``sum_i(N(i)**2) / sum(N)`` per table."""
        return np.asarray((self.by_level**2).sum(axis=1) / self.total)

    def size_nonuniformity(self) -> FloatArray:
        """``sum_j(N(j)**2) / sum(N)`` per table."""
        return np.asarray((self.by_size**2).sum(axis=1) / self.total)

    def level_variance(self) -> FloatArray:
        """Variance of the gray level per table."""
        return _variance(self.by_level / self.total[:, None], self.levels)

    def size_variance(self) -> FloatArray:
        """Variance of the size per table."""
        return _variance(self.by_size / self.total[:, None], self.sizes)

    def entropy(self) -> FloatArray:
        """``-sum(p log2(p + eps))`` with ``p = N / sum(N)`` per table, bit."""
        p = self.counts / self.total[:, None, None]
        return np.asarray(-(p * np.log2(p + EPSILON)).sum(axis=(1, 2)))


def _variance(p: FloatArray, values: FloatArray) -> FloatArray:
    mean = (p @ values)[:, None]
    return np.asarray((p * (values - mean) ** 2).sum(axis=1))
