"""Gray levels: which bin each voxel falls into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from axilla.radiomics.resampling import Region

EPSILON = float(np.spacing(1.0))
"""Added inside every logarithm and to some divisors, as PyRadiomics does: 0 log 0 becomes 0, and nothing else changes."""


@dataclass(frozen=True)
class GrayLevels:
    """A region in gray levels.

    Parameters
    ----------
    array : ndarray of int64, shape (z, y, x)
        1, 2, ... inside the region, 0 outside.
    present : ndarray of int64, shape (n_levels,)
        The levels that occur, ascending; the first is 1.
    """

    array: npt.NDArray[np.int64]
    present: npt.NDArray[np.int64]

    @property
    def highest(self) -> int:
        """The highest level, which is also the number of bins from the lowest to the highest value."""
        return int(self.present[-1])


def discretize(region: Region, bin_width: float) -> GrayLevels:
    """Bin a region's values at the multiples of `bin_width`: ``floor(x / w) - floor(min / w) + 1``.

    IBSI's fixed bin size (Q3RU) starts its first bin at the resegmentation range or the minimum; PyRadiomics starts it at the
    multiple of the width below the minimum. The edges are summed up in the image's own type, as PyRadiomics does, which
    decides about a floating value that lies on an edge.
    """
    edges = bin_edges(region.voxels, bin_width)
    array = np.zeros(region.mask.shape, dtype=np.int64)
    array[region.mask] = np.digitize(region.voxels, edges)
    return GrayLevels(array, np.unique(array[region.mask]))


def bin_edges(values: npt.NDArray[Any], bin_width: float) -> npt.NDArray[Any]:
    """Lower edges of the bins, from the multiple of the width at or below the minimum to beyond the maximum."""
    width = int(bin_width) if float(bin_width).is_integer() else bin_width
    if values.dtype.kind in "iu":
        values = values.astype(np.int64)
    low, high = values.min(), values.max()
    return np.arange(low - low % width, high + 2 * width, width)
