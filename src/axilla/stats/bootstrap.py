"""Bootstrap by patient: nodes of one patient are not independent, so whole patients are drawn.

Cameron AC, Gelbach JB, Miller DL, Rev Econ Stat 2008;90:414-427 (cluster bootstrap of pairs); percentile intervals after
Efron B, Tibshirani RJ, An Introduction to the Bootstrap, 1993, chapter 13. Patients are drawn with replacement within each
stratum, so that every resample has as many metastatic and benign patients as the data.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from axilla.errors import InvalidValueError
from axilla.stats.proportions import LEVEL, Interval
from axilla.stats.roc import FloatArray, auc

IntArray = npt.NDArray[np.int64]


def patient_draws(strata: npt.ArrayLike, n_resamples: int, rng: np.random.Generator) -> IntArray:
    """How often each patient is drawn in each resample.

    Parameters
    ----------
    strata : array_like, shape (n_patients,)
        Stratum of each patient.
    n_resamples : int
        Number of resamples, at least 1.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    ndarray of int, shape (n_resamples, n_patients)
        Within each stratum each row sums to the stratum's size.

    Raises
    ------
    InvalidValueError
        If there is no patient or no resample.
    """
    groups = np.asarray(strata)
    if groups.ndim != 1 or groups.size == 0 or n_resamples < 1:
        raise InvalidValueError(f"A bootstrap needs patients and resamples, got {groups.shape} and {n_resamples}.")
    draws = np.zeros((n_resamples, groups.size), dtype=np.int64)
    for stratum in np.unique(groups):
        members = np.flatnonzero(groups == stratum)
        draws[:, members] = rng.multinomial(members.size, np.full(members.size, 1 / members.size), size=n_resamples)
    return draws


def bootstrap_ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike, draws: IntArray, level: float = LEVEL) -> Interval:
    """A ratio of sums over patients (e.g. hits / metastatic nodes) with its percentile interval.

    Parameters
    ----------
    numerator, denominator : array_like, shape (n_patients,)
        Each patient's counts.
    draws : ndarray of int, shape (n_resamples, n_patients)
        From :func:`patient_draws`. Resamples whose denominator is zero are left out.

    Raises
    ------
    InvalidValueError
        If the denominators sum to zero.
    """
    top, bottom = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    if bottom.sum() <= 0:
        raise InvalidValueError("A ratio needs at least one case in its denominator.")
    drawn = draws @ bottom
    ratios = (draws @ top)[drawn > 0] / drawn[drawn > 0]
    return _percentile(float(top.sum() / bottom.sum()), ratios, len(draws), level)


def bootstrap_auc(
    positive: npt.ArrayLike, score: npt.ArrayLike, patient: npt.ArrayLike, draws: IntArray, level: float = LEVEL
) -> Interval:
    """AUC with its percentile interval by patient.

    Parameters
    ----------
    positive, score : array_like, shape (n,)
        As in :func:`axilla.stats.auc`.
    patient : array_like of int, shape (n,)
        Index of each case's patient, 0..n_patients-1.
    draws : ndarray of int, shape (n_resamples, n_patients)
        From :func:`patient_draws`. Resamples with one class only are left out.

    Raises
    ------
    InvalidValueError
        As :func:`axilla.stats.auc`.

    Notes
    -----
    With w the draws, the AUC of a resample is ``w' K w / (w'p * w'q)``, where ``K[i, j]`` counts the pairs of a positive
    case of patient i and a negative case of patient j that are in order; so K is made once for all resamples.
    """
    area = auc(positive, score)
    truth, values = np.asarray(positive, dtype=bool), np.asarray(score, dtype=np.float64)
    index = np.asarray(patient, dtype=np.int64)
    n_patients = draws.shape[1]
    n_positive = np.bincount(index[truth], minlength=n_patients)
    n_negative = np.bincount(index[~truth], minlength=n_patients)
    pairs = (draws @ n_positive) * (draws @ n_negative)
    weights = draws.astype(np.float64)
    in_order = np.einsum("bi,bi->b", weights @ _ordered_pairs(truth, values, index, n_patients), weights)
    return _percentile(area, in_order[pairs > 0] / pairs[pairs > 0], len(draws), level)


def _ordered_pairs(truth: npt.NDArray[np.bool_], values: FloatArray, index: IntArray, n_patients: int) -> FloatArray:
    """Pairs in order (ties one half) of positives of patient i and negatives of patient j, ``(n_patients, n_patients)``."""
    matrix = np.zeros((n_patients, n_patients))
    positives, owners = values[truth], index[truth]
    for patient in np.unique(index[~truth]):
        negatives = np.sort(values[~truth & (index == patient)])
        below = (np.searchsorted(negatives, positives, "left") + np.searchsorted(negatives, positives, "right")) / 2
        matrix[:, patient] = np.bincount(owners, weights=below, minlength=n_patients)
    return matrix


def _percentile(estimate: float, resampled: FloatArray, n_resamples: int, level: float) -> Interval:
    if resampled.size == 0:
        raise InvalidValueError("No resample held the cases needed.")
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(low), float(high), f"bootstrap by patient, {n_resamples} resamples, percentile")
