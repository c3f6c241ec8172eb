"""First-order statistics: the gray values, whatever their place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from axilla.radiomics._registry import feature
from axilla.radiomics.discretization import EPSILON, GrayLevels
from axilla.radiomics.resampling import Region
from axilla.volume import FloatArray

_BINS_DIFFER = "Bins lie at multiples of the bin width; IBSI's begin at the lowest value."


@dataclass(frozen=True)
class FirstOrder:
    """A region's gray values.

    Parameters
    ----------
    x : ndarray, shape (n,)
        Gray values, HU.
    p : ndarray, shape (n_levels,)
        Fraction of the voxels in each gray level that occurs.
    voxel_volume_mm3 : float
    """

    x: FloatArray
    p: FloatArray
    voxel_volume_mm3: float

    @classmethod
    def of(cls, region: Region, levels: GrayLevels) -> FirstOrder:
        """Of a region and its gray levels."""
        z, y, x = region.spacing_zyx_mm
        counts = np.unique(levels.array[region.mask], return_counts=True)[1]
        return cls(region.voxels.astype(np.float64), counts / counts.sum(), x * y * z)

    @cached_property
    def deviations(self) -> FloatArray:
        """``x - mean(x)``."""
        return np.asarray(self.x - self.x.mean())

    def moment(self, order: int) -> float:
        """Central moment ``mean((x - mean)**order)``."""
        return float(np.mean(self.deviations**order))


@feature("firstorder", "10Percentile", unit="HU", ibsi="QG58")
def percentile_10(v: FirstOrder) -> float:
    """10th percentile of x, interpolated linearly between order statistics."""
    return float(np.percentile(v.x, 10))


@feature("firstorder", "90Percentile", unit="HU", ibsi="8DWT")
def percentile_90(v: FirstOrder) -> float:
    """90th percentile of x, interpolated linearly between order statistics."""
    return float(np.percentile(v.x, 90))


@feature("firstorder", "Energy", unit="HU^2", ibsi="N8CA")
def energy(v: FirstOrder) -> float:
    """``sum(x**2)``; grows with the number of voxels."""
    return float(np.sum(v.x**2))


@feature("firstorder", "Entropy", unit="bit", ibsi="TLU2", differs=_BINS_DIFFER)
def entropy(v: FirstOrder) -> float:
    """``-sum(p log2(p + eps))`` over the gray levels."""
    return float(-np.sum(v.p * np.log2(v.p + EPSILON)))


@feature("firstorder", "InterquartileRange", unit="HU", ibsi="SALO")
def interquartile_range(v: FirstOrder) -> float:
    """75th minus 25th percentile of x."""
    return float(np.percentile(v.x, 75) - np.percentile(v.x, 25))


@feature(
    "firstorder", "Kurtosis", ibsi="IPH6", differs="Not excess: IBSI subtracts 3, so that a Gaussian has 0 there and 3 here."
)
def kurtosis(v: FirstOrder) -> float:
    """``m4 / m2**2`` with the central moments m; 0 for a flat region."""
    variance_ = v.moment(2)
    return v.moment(4) / variance_**2 if variance_ else 0.0


@feature("firstorder", "Maximum", unit="HU", ibsi="84IY")
def maximum(v: FirstOrder) -> float:
    """``max(x)``."""
    return float(v.x.max())


@feature("firstorder", "MeanAbsoluteDeviation", unit="HU", ibsi="4FUA")
def mean_absolute_deviation(v: FirstOrder) -> float:
    """``mean(|x - mean(x)|)``."""
    return float(np.mean(np.abs(v.deviations)))


@feature("firstorder", "Mean", unit="HU", ibsi="Q4LE")
def mean(v: FirstOrder) -> float:
    """``mean(x)``."""
    return float(v.x.mean())


@feature("firstorder", "Median", unit="HU", ibsi="Y12H")
def median(v: FirstOrder) -> float:
    """``median(x)``."""
    return float(np.median(v.x))


@feature("firstorder", "Minimum", unit="HU", ibsi="1GSF")
def minimum(v: FirstOrder) -> float:
    """``min(x)``."""
    return float(v.x.min())


@feature("firstorder", "Range", unit="HU", ibsi="2OJQ")
def value_range(v: FirstOrder) -> float:
    """``max(x) - min(x)``."""
    return float(v.x.max() - v.x.min())


@feature("firstorder", "RobustMeanAbsoluteDeviation", unit="HU", ibsi="1128")
def robust_mean_absolute_deviation(v: FirstOrder) -> float:
    """``mean(|x - mean(x)|)`` over the voxels within the closed range of the 10th to the 90th percentile.

    NaN where no voxel lies within (two different voxels).
    """
    low, high = np.percentile(v.x, 10), np.percentile(v.x, 90)
    kept = v.x[(v.x >= low) & (v.x <= high)]
    return float(np.mean(np.abs(kept - kept.mean()))) if kept.size else float("nan")


@feature("firstorder", "RootMeanSquared", unit="HU", ibsi="5ZWQ")
def root_mean_squared(v: FirstOrder) -> float:
    """``sqrt(mean(x**2))``."""
    return float(np.sqrt(np.sum(v.x**2) / v.x.size))


@feature("firstorder", "Skewness", ibsi="KE2A")
def skewness(v: FirstOrder) -> float:
    """``m3 / m2**1.5`` with the central moments m; 0 for a flat region."""
    variance_ = v.moment(2)
    return v.moment(3) / variance_**1.5 if variance_ else 0.0


@feature("firstorder", "TotalEnergy", unit="HU^2 mm3")
def total_energy(v: FirstOrder) -> float:
    """``voxel volume * sum(x**2)``. Not defined by IBSI."""
    return v.voxel_volume_mm3 * float(np.sum(v.x**2))


@feature("firstorder", "Uniformity", ibsi="BJ5W", differs=_BINS_DIFFER)
def uniformity(v: FirstOrder) -> float:
    """``sum(p**2)`` over the gray levels."""
    return float(np.sum(v.p**2))


@feature("firstorder", "Variance", unit="HU^2", ibsi="ECT3")
def variance(v: FirstOrder) -> float:
    """``mean((x - mean(x))**2)``."""
    return v.moment(2)
