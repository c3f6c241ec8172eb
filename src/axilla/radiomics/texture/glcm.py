"""Gray-level co-occurrence: which levels lie side by side (Haralick 1973, IEEE Trans Syst Man Cybern 3:610-621).

One symmetric matrix per direction, each divided by its sum to probabilities ``p(i, j)``; every feature is computed per
direction and averaged over the directions that hold at least one pair (IBSI: "averaged over 3D directions", ITBB).
``i, j`` are the levels that occur, ``px(i)`` the row sums, ``mu`` the mean level, ``p+(k)`` and ``p-(k)`` the probabilities
that i + j and |i - j| equal k, ``eps = 2**-52``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from axilla.kernels.sums import EPSILON
from axilla.radiomics._registry import feature
from axilla.volume import FloatArray


@dataclass(frozen=True)
class Glcm:
    """Sums over the co-occurrence probabilities of many regions, each ``(n_regions, n_directions)``; NaN where there is no pair.

    Parameters
    ----------
    mean_i, mean_j, variance_i, variance_j, covariance, product : ndarray
        Of the levels i and j; the product's mean is ``sum(p i j)``.
    cluster_4, cluster_3, cluster_2 : ndarray
        ``sum(p (i + j - mean_i - mean_j)**n)``.
    energy, maximum : ndarray
        ``sum(p**2)``, ``max(p)``.
    entropy, entropy_i, entropy_j : ndarray
        Of p, px and py, bit.
    cross_entropy, independent_entropy : ndarray
        ``-sum(p log2(px py + eps))``, ``-sum(px py log2(px py + eps))``.
    difference_mean, difference_square, difference_variance, difference_entropy : ndarray
        Of ``k = |i - j|``: ``sum(k p-)``, ``sum(k**2 p-)``, variance, entropy.
    inverse, inverse_square, inverse_normalized, inverse_square_normalized, inverse_variance : ndarray
        ``sum(p- / (1 + k))``, ``/ (1 + k**2)``, ``/ (1 + k / N)``, ``/ (1 + k**2 / N**2)``, ``/ k**2``.
    sum_entropy : ndarray
        Of i + j.
    maximal_correlation : ndarray
        Of `maximal_correlations`.
    """

    mean_i: FloatArray
    mean_j: FloatArray
    variance_i: FloatArray
    variance_j: FloatArray
    covariance: FloatArray
    product: FloatArray
    cluster_4: FloatArray
    cluster_3: FloatArray
    cluster_2: FloatArray
    energy: FloatArray
    maximum: FloatArray
    entropy: FloatArray
    entropy_i: FloatArray
    entropy_j: FloatArray
    cross_entropy: FloatArray
    independent_entropy: FloatArray
    difference_mean: FloatArray
    difference_square: FloatArray
    difference_variance: FloatArray
    difference_entropy: FloatArray
    inverse: FloatArray
    inverse_square: FloatArray
    inverse_normalized: FloatArray
    inverse_square_normalized: FloatArray
    inverse_variance: FloatArray
    sum_entropy: FloatArray
    maximal_correlation: FloatArray

    @classmethod
    def of(cls, sums: FloatArray) -> Self:
        """Of sums ``(n_regions, n_directions, 27)``: those of `axilla.kernels.sums.pair_sums`, then `maximal_correlations`."""
        return cls(*np.moveaxis(sums, -1, 0))


def maximal_correlations(q: FloatArray) -> FloatArray:
    """Root of the second largest eigenvalue of each matrix ``(n_directions, n, n)``; 1 for one gray level.

    NaN where rounding makes it negative: the direction is left out, as in PyRadiomics.
    """
    if q.shape[-1] < 2:
        return np.ones(len(q))
    eigenvalues = np.linalg.eigvals(q).astype(np.complex128)
    eigenvalues.sort(axis=-1)
    second = eigenvalues[:, -2]
    is_empty = ~q.any(axis=(1, 2))
    no_root = is_empty | ((second.imag == 0) & (second.real < 0))
    return np.asarray(np.sqrt(np.where(no_root, np.nan, second)).real)


@feature("glcm", "Autocorrelation", ibsi="QWB0")
def autocorrelation(g: Glcm) -> FloatArray:
    """``sum(p i j)``."""
    return g.product


@feature("glcm", "ClusterProminence", ibsi="AE86")
def cluster_prominence(g: Glcm) -> FloatArray:
    """``sum(p (i + j - 2 mu)**4)``."""
    return g.cluster_4


@feature("glcm", "ClusterShade", ibsi="7NFM")
def cluster_shade(g: Glcm) -> FloatArray:
    """``sum(p (i + j - 2 mu)**3)``."""
    return g.cluster_3


@feature("glcm", "ClusterTendency", ibsi="DG8W")
def cluster_tendency(g: Glcm) -> FloatArray:
    """``sum(p (i + j - 2 mu)**2)``."""
    return g.cluster_2


@feature("glcm", "Contrast", ibsi="ACUI")
def contrast(g: Glcm) -> FloatArray:
    """``sum(p (i - j)**2)``."""
    return g.difference_square


@feature("glcm", "Correlation", ibsi="NI2N")
def correlation(g: Glcm) -> FloatArray:
    """``sum(p (i - mu) (j - mu)) / (sigma**2 + eps)`` with the levels' variance sigma**2; 1 where that is 0."""
    product = np.sqrt(g.variance_i) * np.sqrt(g.variance_j)
    return np.where(product == 0, 1.0, g.covariance / (product + EPSILON))


@feature("glcm", "DifferenceAverage", ibsi="TF7R")
def difference_average(g: Glcm) -> FloatArray:
    """``sum(k p-(k))``."""
    return g.difference_mean


@feature("glcm", "DifferenceEntropy", unit="bit", ibsi="NTRS")
def difference_entropy(g: Glcm) -> FloatArray:
    """``-sum(p-(k) log2(p-(k) + eps))``."""
    return g.difference_entropy


@feature("glcm", "DifferenceVariance", ibsi="D3YU")
def difference_variance(g: Glcm) -> FloatArray:
    """``sum((k - DifferenceAverage)**2 p-(k))``."""
    return g.difference_variance


@feature("glcm", "Id", ibsi="IB1Z")
def inverse_difference(g: Glcm) -> FloatArray:
    """``sum(p-(k) / (1 + k))``."""
    return g.inverse


@feature("glcm", "Idm", ibsi="WF0Z")
def inverse_difference_moment(g: Glcm) -> FloatArray:
    """``sum(p-(k) / (1 + k**2))``."""
    return g.inverse_square


@feature("glcm", "Idmn", ibsi="1QCO")
def inverse_difference_moment_normalized(g: Glcm) -> FloatArray:
    """``sum(p-(k) / (1 + k**2 / N**2))`` with the number of bins N."""
    return g.inverse_square_normalized


@feature("glcm", "Idn", ibsi="NDRX")
def inverse_difference_normalized(g: Glcm) -> FloatArray:
    """``sum(p-(k) / (1 + k / N))`` with the number of bins N."""
    return g.inverse_normalized


@feature("glcm", "Imc1", ibsi="R8DG")
def information_correlation_1(g: Glcm) -> FloatArray:
    """``(H - H1) / HX``: joint entropy H, ``H1 = -sum(p log2(px py + eps))``, HX the entropy of px; 0 where HX is 0."""
    larger = np.maximum(g.entropy_i, g.entropy_j)
    return np.where(larger == 0, 0.0, (g.entropy - g.cross_entropy) / np.where(larger == 0, 1.0, larger))


@feature(
    "glcm",
    "Imc2",
    ibsi="JN9H",
    differs="Where rounding makes H2 - H negative, PyRadiomics' root is not a number and the direction is left out; IBSI says 0.",
)
def information_correlation_2(g: Glcm) -> FloatArray:
    """``sqrt(1 - exp(-2 (H2 - H)))`` with ``H2 = -sum(px py log2(px py + eps))``; 0 where H2 equals H."""
    inside = 1 - np.exp(-2 * (g.independent_entropy - g.entropy))
    root = np.sqrt(np.where(inside < 0, np.nan, inside))
    return np.where(g.independent_entropy == g.entropy, 0.0, root)


@feature("glcm", "InverseVariance", ibsi="E8JP")
def inverse_variance(g: Glcm) -> FloatArray:
    """``sum(p-(k) / k**2)`` over k > 0."""
    return g.inverse_variance


@feature("glcm", "JointAverage", ibsi="60VM")
def joint_average(g: Glcm) -> FloatArray:
    """``sum(p i)``."""
    return g.mean_i


@feature("glcm", "JointEnergy", ibsi="8ZQL")
def joint_energy(g: Glcm) -> FloatArray:
    """``sum(p**2)``."""
    return g.energy


@feature("glcm", "JointEntropy", unit="bit", ibsi="TU9B")
def joint_entropy(g: Glcm) -> FloatArray:
    """``-sum(p log2(p + eps))``."""
    return g.entropy


@feature("glcm", "MCC", differs="Maximal correlation coefficient; Haralick defines it, IBSI leaves it out.")
def maximal_correlation_coefficient(g: Glcm) -> FloatArray:
    """Root of the second largest eigenvalue of ``Q(i, j) = sum_k p(i, k) p(j, k) / (px(i) py(k) + eps)``; 1 for one gray level.

    A direction whose eigenvalue is negative by rounding is left out, as in PyRadiomics.
    """
    return g.maximal_correlation


@feature("glcm", "MaximumProbability", ibsi="GYBY")
def maximum_probability(g: Glcm) -> FloatArray:
    """``max(p)``."""
    return g.maximum


@feature("glcm", "SumAverage", ibsi="ZGXS")
def sum_average(g: Glcm) -> FloatArray:
    """``sum(k p+(k))``; twice JointAverage."""
    return g.mean_i + g.mean_j


@feature("glcm", "SumEntropy", unit="bit", ibsi="P6QZ")
def sum_entropy(g: Glcm) -> FloatArray:
    """``-sum(p+(k) log2(p+(k) + eps))``."""
    return g.sum_entropy


@feature("glcm", "SumSquares", ibsi="UR99")
def sum_squares(g: Glcm) -> FloatArray:
    """``sum(p (i - mu)**2)``: IBSI's joint variance."""
    return g.variance_i
