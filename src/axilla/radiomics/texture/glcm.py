"""Gray-level co-occurrence: which levels lie side by side (Haralick 1973, IEEE Trans Syst Man Cybern 3:610-621).

One symmetric matrix per direction, each divided by its sum to probabilities ``p(i, j)``; every feature is computed per
direction and averaged over the directions that hold at least one pair (IBSI: "averaged over 3D directions", ITBB).
``i, j`` are the levels that occur, ``px(i)`` the row sums, ``mu`` the mean level, ``p+(k)`` and ``p-(k)`` the probabilities
that i + j and |i - j| equal k, ``eps = 2**-52``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from axilla.radiomics._registry import feature
from axilla.radiomics.discretization import EPSILON, GrayLevels
from axilla.radiomics.texture.matrices import cooccurrences
from axilla.volume import FloatArray


@dataclass(frozen=True)
class Glcm:
    """Co-occurrence probabilities.

    Parameters
    ----------
    p : ndarray, shape (n_directions, n, n)
        Probabilities per direction, for the levels that occur; symmetric. Without directions when no two voxels are neighbors.
    levels : ndarray, shape (n,)
        The levels that occur, ascending.
    n_bins : int
        The highest level.
    """

    p: FloatArray
    levels: FloatArray
    n_bins: int

    @classmethod
    def of(cls, levels: GrayLevels) -> Glcm:
        """Of a region in gray levels."""
        present = levels.present - 1
        counts = cooccurrences(levels.array, levels.highest)[:, present[:, None], present].astype(np.float64)
        total = counts.sum(axis=(1, 2))
        kept = total > 0
        return cls(counts[kept] / total[kept, None, None], levels.present.astype(np.float64), levels.highest)

    @cached_property
    def px(self) -> FloatArray:
        """Row sums, ``(n_directions, n)``; equal to the column sums."""
        return np.asarray(self.p.sum(axis=2))

    @cached_property
    def py(self) -> FloatArray:
        """Column sums, ``(n_directions, n)``."""
        return np.asarray(self.p.sum(axis=1))

    @cached_property
    def mu(self) -> FloatArray:
        """Mean level, ``(n_directions, 1, 1)``."""
        return np.asarray((self.p * self.i).sum(axis=(1, 2), keepdims=True))

    @property
    def i(self) -> FloatArray:
        """Level of each row, ``(n, 1)``."""
        return self.levels[:, None]

    @property
    def j(self) -> FloatArray:
        """Level of each column, ``(1, n)``."""
        return self.levels[None, :]

    @cached_property
    def p_sum(self) -> FloatArray:
        """Probability of i + j = k for k = 0..2 n_bins, ``(n_directions, 2 n_bins + 1)``."""
        return self._diagonal_sums(self.i + self.j, 2 * self.n_bins + 1)

    @cached_property
    def p_difference(self) -> FloatArray:
        """Probability of |i - j| = k for k = 0..n_bins - 1, ``(n_directions, n_bins)``."""
        return self._diagonal_sums(np.abs(self.i - self.j), self.n_bins)

    def _diagonal_sums(self, k: FloatArray, size: int) -> FloatArray:
        index = k.astype(np.int64).ravel()
        rows = [np.bincount(index, weights=matrix.ravel(), minlength=size) for matrix in self.p]
        return np.asarray(rows, dtype=np.float64).reshape(-1, size)

    @cached_property
    def k_sum(self) -> FloatArray:
        """The k of `p_sum`."""
        return np.arange(2 * self.n_bins + 1, dtype=np.float64)

    @cached_property
    def k_difference(self) -> FloatArray:
        """The k of `p_difference`."""
        return np.arange(self.n_bins, dtype=np.float64)

    @cached_property
    def entropy(self) -> FloatArray:
        """``-sum(p log2(p + eps))``, ``(n_directions,)``."""
        return _entropy(self.p)


def _entropy(p: FloatArray) -> FloatArray:
    """``-sum(p log2(p + eps))`` over all axes but the first."""
    return np.asarray(-(p * np.log2(p + EPSILON)).sum(axis=tuple(range(1, p.ndim))))


def _expectation(g: Glcm, values: FloatArray) -> FloatArray:
    """``sum(p(i, j) value(i, j))`` per direction."""
    return np.asarray((g.p * values).sum(axis=(1, 2)))


@feature("glcm", "Autocorrelation", ibsi="QWB0")
def autocorrelation(g: Glcm) -> FloatArray:
    """``sum(p i j)``."""
    return _expectation(g, g.i * g.j)


@feature("glcm", "ClusterProminence", ibsi="AE86")
def cluster_prominence(g: Glcm) -> FloatArray:
    """``sum(p (i + j - 2 mu)**4)``."""
    return _expectation(g, (g.i + g.j - 2 * g.mu) ** 4)


@feature("glcm", "ClusterShade", ibsi="7NFM")
def cluster_shade(g: Glcm) -> FloatArray:
    """``sum(p (i + j - 2 mu)**3)``."""
    return _expectation(g, (g.i + g.j - 2 * g.mu) ** 3)


@feature("glcm", "ClusterTendency", ibsi="DG8W")
def cluster_tendency(g: Glcm) -> FloatArray:
    """``sum(p (i + j - 2 mu)**2)``."""
    return _expectation(g, (g.i + g.j - 2 * g.mu) ** 2)


@feature("glcm", "Contrast", ibsi="ACUI")
def contrast(g: Glcm) -> FloatArray:
    """``sum(p (i - j)**2)``."""
    return _expectation(g, (g.i - g.j) ** 2)


@feature("glcm", "Correlation", ibsi="NI2N")
def correlation(g: Glcm) -> FloatArray:
    """``sum(p (i - mu) (j - mu)) / (sigma**2 + eps)`` with the levels' variance sigma**2; 1 where that is 0."""
    sigma_x = np.sqrt(_expectation(g, (g.i - g.mu) ** 2))
    sigma_y = np.sqrt(_expectation(g, (g.j - g.mu) ** 2))
    product = sigma_x * sigma_y
    covariance = _expectation(g, (g.i - g.mu) * (g.j - g.mu))
    return np.where(product == 0, 1.0, covariance / (product + EPSILON))


@feature("glcm", "DifferenceAverage", ibsi="TF7R")
def difference_average(g: Glcm) -> FloatArray:
    """``sum(k p-(k))``."""
    return np.asarray(g.p_difference @ g.k_difference)


@feature("glcm", "DifferenceEntropy", unit="bit", ibsi="NTRS")
def difference_entropy(g: Glcm) -> FloatArray:
    """``-sum(p-(k) log2(p-(k) + eps))``."""
    return _entropy(g.p_difference)


@feature("glcm", "DifferenceVariance", ibsi="D3YU")
def difference_variance(g: Glcm) -> FloatArray:
    """``sum((k - DifferenceAverage)**2 p-(k))``."""
    deviation = g.k_difference - difference_average(g)[:, None]
    return np.asarray((g.p_difference * deviation**2).sum(axis=1))


@feature("glcm", "Id", ibsi="IB1Z")
def inverse_difference(g: Glcm) -> FloatArray:
    """``sum(p-(k) / (1 + k))``."""
    return np.asarray((g.p_difference / (1 + g.k_difference)).sum(axis=1))


@feature("glcm", "Idm", ibsi="WF0Z")
def inverse_difference_moment(g: Glcm) -> FloatArray:
    """``sum(p-(k) / (1 + k**2))``."""
    return np.asarray((g.p_difference / (1 + g.k_difference**2)).sum(axis=1))


@feature("glcm", "Idmn", ibsi="1QCO")
def inverse_difference_moment_normalized(g: Glcm) -> FloatArray:
    """``sum(p-(k) / (1 + k**2 / N**2))`` with the number of bins N."""
    return np.asarray((g.p_difference / (1 + g.k_difference**2 / g.n_bins**2)).sum(axis=1))


@feature("glcm", "Idn", ibsi="NDRX")
def inverse_difference_normalized(g: Glcm) -> FloatArray:
    """``sum(p-(k) / (1 + k / N))`` with the number of bins N."""
    return np.asarray((g.p_difference / (1 + g.k_difference / g.n_bins)).sum(axis=1))


@feature("glcm", "Imc1", ibsi="R8DG")
def information_correlation_1(g: Glcm) -> FloatArray:
    """``(H - H1) / HX``: joint entropy H, ``H1 = -sum(p log2(px py + eps))``, HX the entropy of px; 0 where HX is 0."""
    h1 = -(g.p * np.log2(g.px[:, :, None] * g.py[:, None, :] + EPSILON)).sum(axis=(1, 2))
    hx = np.maximum(_entropy(g.px), _entropy(g.py))
    return np.asarray(np.divide(g.entropy - h1, hx, out=np.zeros_like(hx), where=hx != 0))


@feature(
    "glcm",
    "Imc2",
    ibsi="JN9H",
    differs="Where rounding makes H2 - H negative, PyRadiomics' root is not a number and the direction is left out; IBSI says 0.",
)
def information_correlation_2(g: Glcm) -> FloatArray:
    """``sqrt(1 - exp(-2 (H2 - H)))`` with ``H2 = -sum(px py log2(px py + eps))``; 0 where H2 equals H."""
    product = g.px[:, :, None] * g.py[:, None, :]
    h2 = _entropy(product)
    inside = 1 - np.exp(-2 * (h2 - g.entropy))
    root = np.sqrt(inside, out=np.full_like(inside, np.nan), where=inside >= 0)
    return np.where(h2 == g.entropy, 0.0, root)


@feature("glcm", "InverseVariance", ibsi="E8JP")
def inverse_variance(g: Glcm) -> FloatArray:
    """``sum(p-(k) / k**2)`` over k > 0."""
    return np.asarray((g.p_difference[:, 1:] / g.k_difference[1:] ** 2).sum(axis=1))


@feature("glcm", "JointAverage", ibsi="60VM")
def joint_average(g: Glcm) -> FloatArray:
    """``sum(p i)``."""
    return g.mu[:, 0, 0]


@feature("glcm", "JointEnergy", ibsi="8ZQL")
def joint_energy(g: Glcm) -> FloatArray:
    """``sum(p**2)``."""
    return np.asarray((g.p**2).sum(axis=(1, 2)))


@feature("glcm", "JointEntropy", unit="bit", ibsi="TU9B")
def joint_entropy(g: Glcm) -> FloatArray:
    """``-sum(p log2(p + eps))``."""
    return g.entropy


@feature("glcm", "MCC", differs="Maximal correlation coefficient; Haralick defines it, IBSI leaves it out.")
def maximal_correlation_coefficient(g: Glcm) -> FloatArray:
    """Root of the second largest eigenvalue of ``Q(i, j) = sum_k p(i, k) p(j, k) / (px(i) py(k) + eps)``; 1 for one gray level.

    A direction whose eigenvalue is negative by rounding is left out, as in PyRadiomics.
    """
    if g.levels.size < 2:
        return np.ones(1)
    q = np.zeros_like(g.p)
    for k in range(g.levels.size):
        q += g.p[:, :, None, k] * g.p[:, None, :, k] / (g.px[:, :, None] * g.py[:, None, None, k] + EPSILON)
    eigenvalues = np.linalg.eigvals(q).astype(np.complex128)
    eigenvalues.sort(axis=-1)
    second = eigenvalues[:, -2]
    is_real = second.imag == 0
    root = np.sqrt(np.where(is_real & (second.real < 0), np.nan, second))
    return np.asarray(root.real)


@feature("glcm", "MaximumProbability", ibsi="GYBY")
def maximum_probability(g: Glcm) -> FloatArray:
    """``max(p)``."""
    return np.asarray(g.p.max(axis=(1, 2)))


@feature("glcm", "SumAverage", ibsi="ZGXS")
def sum_average(g: Glcm) -> FloatArray:
    """``sum(k p+(k))``; twice JointAverage."""
    return np.asarray(g.p_sum @ g.k_sum)


@feature("glcm", "SumEntropy", unit="bit", ibsi="P6QZ")
def sum_entropy(g: Glcm) -> FloatArray:
    """``-sum(p+(k) log2(p+(k) + eps))``."""
    return _entropy(g.p_sum)


@feature("glcm", "SumSquares", ibsi="UR99")
def sum_squares(g: Glcm) -> FloatArray:
    """``sum(p (i - mu)**2)``: IBSI's joint variance."""
    return _expectation(g, (g.i - g.mu) ** 2)
