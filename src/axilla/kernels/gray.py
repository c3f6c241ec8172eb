"""Gray values of a region: their bins and their statistics, whatever their place."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from axilla.kernels._compile import kernel


@kernel
def discretize(
    values: npt.NDArray[np.float64], edges: npt.NDArray[np.float64], mask: npt.NDArray[np.bool_], margin: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Gray levels of a region, ranked.

    Parameters
    ----------
    values : ndarray, shape (n,)
        The region's gray values in array order.
    edges : ndarray, shape (n_bins,)
        Lower edges of the bins, evenly spaced up to rounding; the first is not above any value.
    mask : ndarray of bool, shape (z, y, x)
        The region.
    margin : int
        Voxels outside to put around the result.

    Returns
    -------
    ranks : ndarray, shape (z + 2 margin, y + 2 margin, x + 2 margin)
        Rank from 1 of each voxel's level among the levels that occur; 0 outside.
    levels : ndarray, shape (n_levels,)
        The levels that occur, ascending: bin number from 1.
    counts : ndarray, shape (n_levels,)
        Voxels of each.
    """
    nz, ny, nx = mask.shape
    ranks = np.zeros((nz + 2 * margin, ny + 2 * margin, nx + 2 * margin), np.int32)
    bins, occurrences = np.empty(len(values), np.int64), np.zeros(len(edges), np.int64)
    width = edges[1] - edges[0] if len(edges) > 1 and edges[1] > edges[0] else 1.0
    for n, value in enumerate(values):
        bin_ = min(max(int((value - edges[0]) / width), 0), len(edges) - 1)
        while bin_ > 0 and value < edges[bin_]:
            bin_ -= 1
        while bin_ + 1 < len(edges) and value >= edges[bin_ + 1]:
            bin_ += 1
        bins[n] = bin_
        occurrences[bin_] += 1
    levels, rank_of = np.empty(len(edges)), np.zeros(len(edges), np.int64)
    n_levels = 0
    for bin_ in range(len(edges)):
        if occurrences[bin_]:
            levels[n_levels] = bin_ + 1
            occurrences[n_levels] = occurrences[bin_]
            n_levels += 1
            rank_of[bin_] = n_levels
    n = 0
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                if mask[z, y, x]:
                    ranks[z + margin, y + margin, x + margin] = rank_of[bins[n]]
                    n += 1
    return ranks, levels[:n_levels].copy(), occurrences[:n_levels].astype(np.float64)


VALUE_SUMS = 15


@kernel
def value_sums(ascending: npt.NDArray[np.float64], mean: float, shift: float) -> npt.NDArray[np.float64]:
    """What the first-order features are made of.

    Parameters
    ----------
    ascending : ndarray, shape (n,)
        Gray values, sorted.
    mean : float
        Their mean.
    shift : float
        Added to the values before they are squared for the energy.

    Returns
    -------
    ndarray, shape (15,)
        Number, mean, minimum, 10th, 25th, 50th, 75th and 90th percentile, maximum, energy, central moments 2, 3 and 4, mean
        absolute deviation, the same of the values from the 10th to the 90th percentile (NaN where there are none).
    """
    n, out = len(ascending), np.zeros(VALUE_SUMS)
    out[0], out[1], out[2], out[8] = n, mean, ascending[0], ascending[-1]
    for k, quantile in enumerate((0.1, 0.25, 0.5, 0.75, 0.9)):
        out[3 + k] = _percentile(ascending, quantile)
    for value in ascending:
        deviation = value - mean
        squared = deviation * deviation
        out[9] += (value + shift) * (value + shift)
        out[10] += squared
        out[11] += squared * deviation
        out[12] += squared * squared
        out[13] += abs(deviation)
    out[10:14] /= n
    out[14] = _robust_deviation(ascending, out[3], out[7])
    return out


@kernel
def _robust_deviation(ascending: npt.NDArray[np.float64], low: float, high: float) -> float:
    """Mean absolute deviation of the values within a closed range; NaN where there are none."""
    total, n = 0.0, 0
    for value in ascending:
        if low <= value <= high:
            total += value
            n += 1
    if not n:
        return np.nan
    mean, deviation = total / n, 0.0
    for value in ascending:
        if low <= value <= high:
            deviation += abs(value - mean)
    return deviation / n


@kernel
def _percentile(ascending: npt.NDArray[np.float64], quantile: float) -> float:
    """Interpolated linearly between order statistics, in NumPy's arithmetic: a tie with a value decides what is left out."""
    place = quantile * (len(ascending) - 1)
    below = math.floor(place)
    fraction = place - below
    a, b = ascending[below], ascending[min(below + 1, len(ascending) - 1)]
    return float(b - (b - a) * (1.0 - fraction) if fraction >= 0.5 else a + (b - a) * fraction)
