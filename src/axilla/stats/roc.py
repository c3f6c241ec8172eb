"""The area under the ROC curve and four of its intervals.

Scores are larger where the case is more likely positive; ties count one half (Mann-Whitney).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.stats import rankdata

from axilla.errors import InvalidValueError
from axilla.stats.proportions import LEVEL, Interval, normal_quantile

FloatArray = npt.NDArray[np.float64]
_INSIDE = 1e-9
"""Step away from the area found before a root is sought: at an area of 0 or 1 the equation is also solved by that area."""

BoolArray = npt.NDArray[np.bool_]


def auc(positive: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Probability that a positive case scores higher than a negative one, ties counting one half.

    Parameters
    ----------
    positive : array_like of bool, shape (n,)
        Truth.
    score : array_like of float, shape (n,)
        Larger = more likely positive.

    Raises
    ------
    InvalidValueError
        If shapes differ, a score is not finite, or one of the classes is empty.
    """
    truth, values = _checked(positive, score)
    n_positive = int(truth.sum())
    n_negative = truth.size - n_positive
    rank_sum = float(rankdata(values)[truth].sum())
    return (rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)


def delong_variance(positive: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Variance of the AUC from the placement values of the cases.

    DeLong ER, DeLong DM, Clarke-Pearson DL, Biometrics 1988;44:837-845, computed from midranks in O(n log n) as in
    Sun X, Xu W, IEEE Signal Process Lett 2014;21:1389-1393. A class with a single case contributes no variance.

    Raises
    ------
    InvalidValueError
        As :func:`auc`.
    """
    truth, values = _checked(positive, score)
    ranks = rankdata(values)
    n_positive, n_negative = int(truth.sum()), int((~truth).sum())
    placement_positive = (ranks[truth] - rankdata(values[truth])) / n_negative
    placement_negative = (ranks[~truth] - rankdata(values[~truth])) / n_positive
    return _variance(placement_positive) / n_positive + _variance(placement_negative) / n_negative


def delong(positive: npt.ArrayLike, score: npt.ArrayLike, level: float = LEVEL) -> Interval:
    """AUC with DeLong's interval (see :func:`delong_variance`), cut to 0..1."""
    return _wald(auc(positive, score), delong_variance(positive, score), level, "DeLong")


def hanley_mcneil(area: float, n_positive: int, n_negative: int, level: float = LEVEL) -> Interval:
    """Interval of an AUC from its value and the class sizes alone.

    Hanley JA, McNeil BJ, Radiology 1982;143:29-36: Wald interval, variance under exponential scores
    (Q1 = A / (2 - A), Q2 = 2 A^2 / (1 + A)).

    Raises
    ------
    InvalidValueError
        If the AUC is not in 0..1 or a class is empty.
    """
    variance = _exponential_variance(area, n_positive, n_negative, n_positive - 1, n_negative - 1)
    return _wald(area, variance, level, "Hanley-McNeil 1982")


def newcombe_auc(area: float, n_positive: int, n_negative: int, level: float = LEVEL) -> Interval:
    """Interval of an AUC from its value and the class sizes alone, Newcombe's method 4.

    Newcombe RG, Stat Med 2006;25:559-573: Hanley and McNeil's Wald interval in which the two class sizes inside the
    brackets are both replaced by their mean. Closest of the methods tried to the interval printed by Qu et al. 2024.

    Raises
    ------
    InvalidValueError
        If the AUC is not in 0..1 or a class is empty.
    """
    mean = (n_positive + n_negative) / 2
    variance = _exponential_variance(area, n_positive, n_negative, mean - 1, mean - 1)
    return _wald(area, variance, level, "Newcombe 2006, method 4")


def newcombe_auc_score(area: float, n_positive: int, n_negative: int, level: float = LEVEL) -> Interval:
    """Interval of an AUC from its value and the class sizes alone, Newcombe's method 5: the one he recommends.

    Newcombe RG, Stat Med 2006;25:559-573: the areas from which the one found lies less than z standard errors away, the
    variance of method 4 taken at those areas. Unlike the Wald intervals it does not shrink to a point at an AUC of 0 or 1.

    Raises
    ------
    InvalidValueError
        If the AUC is not in 0..1 or a class is empty.
    """
    z, mean = normal_quantile(level), (n_positive + n_negative) / 2

    def excess(candidate: float) -> float:
        variance = _exponential_variance(candidate, n_positive, n_negative, mean - 1, mean - 1)
        return abs(area - candidate) - z * math.sqrt(max(variance, 0.0))

    _exponential_variance(area, n_positive, n_negative, 0, 0)
    below, above = area * (1 - _INSIDE), area + (1 - area) * _INSIDE
    low = float(brentq(excess, 0.0, below)) if excess(0.0) > 0 else 0.0
    high = float(brentq(excess, above, 1.0)) if excess(1.0) > 0 else 1.0
    return Interval(area, low, high, "Newcombe 2006, method 5")


def _exponential_variance(area: float, n_positive: int, n_negative: int, more_positive: float, more_negative: float) -> float:
    if not 0 <= area <= 1:
        raise InvalidValueError(f"An AUC lies in 0..1, not {area}.")
    if min(n_positive, n_negative) < 1:
        raise InvalidValueError(f"An AUC needs cases of both classes, got {n_positive} positive and {n_negative} negative.")
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    total = area * (1 - area) + more_positive * (q1 - area**2) + more_negative * (q2 - area**2)
    return total / (n_positive * n_negative)


def _wald(area: float, variance: float, level: float, method: str) -> Interval:
    half = normal_quantile(level) * math.sqrt(max(variance, 0.0))
    return Interval(area, max(area - half, 0.0), min(area + half, 1.0), method)


def _variance(values: FloatArray) -> float:
    return float(values.var(ddof=1)) if values.size > 1 else 0.0


def _checked(positive: npt.ArrayLike, score: npt.ArrayLike) -> tuple[BoolArray, FloatArray]:
    truth, values = np.asarray(positive, dtype=bool), np.asarray(score, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != values.shape:
        raise InvalidValueError(f"Truth and scores must be two lists of equal length, got {truth.shape} and {values.shape}.")
    if not np.isfinite(values).all():
        raise InvalidValueError("Scores must be finite numbers; leave out cases that could not be scored.")
    if truth.all() or not truth.any():
        raise InvalidValueError(f"An AUC needs cases of both classes, got {int(truth.sum())} positive of {truth.size}.")
    return truth, values
