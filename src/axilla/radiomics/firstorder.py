"""First-order statistics: the gray values, whatever their place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from axilla.radiomics._registry import feature
from axilla.volume import FloatArray

_BINS_DIFFER = "Bins lie at multiples of the bin width; IBSI's begin at the lowest value."


@dataclass(frozen=True)
class FirstOrder:
    """Statistics of the gray values of many regions, each ``(n_regions,)``; HU where nothing is said.

    Parameters
    ----------
    n : ndarray
        Number of voxels.
    mean, minimum, percentile_10, percentile_25, median, percentile_75, percentile_90, maximum : ndarray
    energy : ndarray
        ``sum((x + shift)**2)`` with the setting ``voxel_array_shift``, HU2.
    moment_2, moment_3, moment_4 : ndarray
        Central moments ``mean((x - mean)**n)``.
    absolute_deviation, robust_deviation : ndarray
        Mean distance from the mean, of all values and of those from the 10th to the 90th percentile.
    entropy, uniformity : ndarray
        ``-sum(p log2(p + eps))`` and ``sum(p**2)`` over the gray levels.
    voxel_volume_mm3 : ndarray
    kurtosis_offset : ndarray
        Subtracted from the kurtosis: 0, or 3 with the convention ``ibsi``.
    """

    n: FloatArray
    mean: FloatArray
    minimum: FloatArray
    percentile_10: FloatArray
    percentile_25: FloatArray
    median: FloatArray
    percentile_75: FloatArray
    percentile_90: FloatArray
    maximum: FloatArray
    energy: FloatArray
    moment_2: FloatArray
    moment_3: FloatArray
    moment_4: FloatArray
    absolute_deviation: FloatArray
    robust_deviation: FloatArray
    entropy: FloatArray
    uniformity: FloatArray
    voxel_volume_mm3: FloatArray
    kurtosis_offset: FloatArray

    @classmethod
    def of(cls, sums: FloatArray) -> Self:
        """Of sums ``(n_regions, 19)`` in this order."""
        return cls(*sums.T)


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """0 where the denominator is."""
    return np.where(denominator == 0, 0.0, numerator / np.where(denominator == 0, 1.0, denominator))


@feature("firstorder", "10Percentile", unit="HU", ibsi="QG58")
def percentile_10(v: FirstOrder) -> FloatArray:
    """10th percentile of x, interpolated linearly between order statistics."""
    return v.percentile_10


@feature("firstorder", "90Percentile", unit="HU", ibsi="8DWT")
def percentile_90(v: FirstOrder) -> FloatArray:
    """90th percentile of x, interpolated linearly between order statistics."""
    return v.percentile_90


@feature("firstorder", "Energy", unit="HU^2", ibsi="N8CA")
def energy(v: FirstOrder) -> FloatArray:
    """``sum(x**2)``; grows with the number of voxels."""
    return v.energy


@feature("firstorder", "Entropy", unit="bit", ibsi="TLU2", differs=_BINS_DIFFER)
def entropy(v: FirstOrder) -> FloatArray:
    """``-sum(p log2(p + eps))`` over the gray levels."""
    return v.entropy


@feature("firstorder", "InterquartileRange", unit="HU", ibsi="SALO")
def interquartile_range(v: FirstOrder) -> FloatArray:
    """75th minus 25th percentile of x."""
    return v.percentile_75 - v.percentile_25


@feature(
    "firstorder", "Kurtosis", ibsi="IPH6", differs="Not excess: IBSI subtracts 3, so that a Gaussian has 0 there and 3 here."
)
def kurtosis(v: FirstOrder) -> FloatArray:
    """``m4 / m2**2`` with the central moments m; 0 for a flat region."""
    return _ratio(v.moment_4, v.moment_2**2) - v.kurtosis_offset


@feature("firstorder", "Maximum", unit="HU", ibsi="84IY")
def maximum(v: FirstOrder) -> FloatArray:
    """``max(x)``."""
    return v.maximum


@feature("firstorder", "MeanAbsoluteDeviation", unit="HU", ibsi="4FUA")
def mean_absolute_deviation(v: FirstOrder) -> FloatArray:
    """``mean(|x - mean(x)|)``."""
    return v.absolute_deviation


@feature("firstorder", "Mean", unit="HU", ibsi="Q4LE")
def mean(v: FirstOrder) -> FloatArray:
    """``mean(x)``."""
    return v.mean


@feature("firstorder", "Median", unit="HU", ibsi="Y12H")
def median(v: FirstOrder) -> FloatArray:
    """``median(x)``."""
    return v.median


@feature("firstorder", "Minimum", unit="HU", ibsi="1GSF")
def minimum(v: FirstOrder) -> FloatArray:
    """``min(x)``."""
    return v.minimum


@feature("firstorder", "Range", unit="HU", ibsi="2OJQ")
def value_range(v: FirstOrder) -> FloatArray:
    """``max(x) - min(x)``."""
    return v.maximum - v.minimum


@feature("firstorder", "RobustMeanAbsoluteDeviation", unit="HU", ibsi="1128")
def robust_mean_absolute_deviation(v: FirstOrder) -> FloatArray:
    """``mean(|x - mean(x)|)`` over the voxels within the closed range of the 10th to the 90th percentile.

    NaN where no voxel lies within (two different voxels).
    """
    return v.robust_deviation


@feature("firstorder", "RootMeanSquared", unit="HU", ibsi="5ZWQ")
def root_mean_squared(v: FirstOrder) -> FloatArray:
    """``sqrt(mean(x**2))``."""
    return np.sqrt(v.energy / v.n)


@feature("firstorder", "Skewness", ibsi="KE2A")
def skewness(v: FirstOrder) -> FloatArray:
    """``m3 / m2**1.5`` with the central moments m; 0 for a flat region."""
    return _ratio(v.moment_3, v.moment_2**1.5)


@feature("firstorder", "TotalEnergy", unit="HU^2 mm3")
def total_energy(v: FirstOrder) -> FloatArray:
    """``voxel volume * sum(x**2)``. Not defined by IBSI."""
    return v.voxel_volume_mm3 * v.energy


@feature("firstorder", "Uniformity", ibsi="BJ5W", differs=_BINS_DIFFER)
def uniformity(v: FirstOrder) -> FloatArray:
    """``sum(p**2)`` over the gray levels."""
    return v.uniformity


@feature("firstorder", "Variance", unit="HU^2", ibsi="ECT3")
def variance(v: FirstOrder) -> FloatArray:
    """``mean((x - mean(x))**2)``."""
    return v.moment_2
