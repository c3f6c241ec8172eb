"""Bootstrap by patient: nodes of one patient are not independent, so whole patients are drawn.

Cameron AC, Gelbach JB, Miller DL, Rev Econ Stat 2008;90:414-427 (cluster bootstrap of pairs); percentile intervals after
Efron B, Tibshirani RJ, An Introduction to the Bootstrap, 1993, chapter 13. Patients are drawn with replacement within each
stratum, so that every resample has as many metastatic and benign patients as the data.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

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


def bootstrap_hedges_g(
    values: npt.ArrayLike, is_second: npt.ArrayLike, patient: npt.ArrayLike, draws: IntArray, level: float = LEVEL
) -> FloatArray:
    """Ends of the percentile interval by patient of Hedges' g, second minus first, of many variables at once.

    Parameters
    ----------
    values : array_like, shape (n, m)
        One row per case, one column per variable.
    is_second : array_like of bool, shape (n,)
        Which of the two groups a case is in.
    patient : array_like of int, shape (n,)
        Index of each case's patient, 0..n_patients-1.
    draws : ndarray of int, shape (n_resamples, n_patients)
        From :func:`patient_draws`.

    Returns
    -------
    ndarray, shape (2, m)
        Lower and upper ends; NaN where the variable does not vary, or half of the resamples or more cannot tell.

    Notes
    -----
    Resamples with fewer than two cases in a group, or without spread, are left out. A resample's sums are weighted sums of the
    patients' sums, so that cases are visited once.
    """
    table, second, index = np.asarray(values, dtype=np.float64), np.asarray(is_second, dtype=bool), np.asarray(patient)
    spread = table.std(axis=0)
    table = (table - table.mean(axis=0)) / np.where(spread > 0, spread, 1.0)  # sums of squares of small numbers lose no digits
    n, mean, squares = zip(*(_drawn_moments(table[chosen], index[chosen], draws) for chosen in (~second, second)), strict=True)
    cases = n[0] + n[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = np.sqrt((squares[0] + squares[1]) / (cases - 2))
        g = (1 - 3 / (4 * cases - 9)) * (mean[1] - mean[0]) / pooled
    g[(np.minimum(n[0], n[1]) < 2).ravel()] = np.nan
    g[~np.isfinite(g) | (pooled < 1e-9)] = np.nan
    ends = np.full((2, table.shape[1]), np.nan)
    enough = np.isfinite(g).sum(axis=0) > len(draws) / 2
    ends[:, enough] = np.nanquantile(g[:, enough], [(1 - level) / 2, (1 + level) / 2], axis=0)
    return ends


def _drawn_moments(table: FloatArray, index: IntArray, draws: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Of each resample: cases ``(n_resamples, 1)``, means and sums of squared deviations ``(n_resamples, m)``."""
    by_patient = np.zeros((draws.shape[1], 1 + 2 * table.shape[1]))
    np.add.at(by_patient, index, np.hstack([np.ones((len(table), 1)), table, table**2]))
    n, total, squares = np.split(draws.astype(np.float64) @ by_patient, [1, 1 + table.shape[1]], axis=1)
    mean = total / np.maximum(n, 1)
    deviations: FloatArray = np.maximum(squares - n * mean**2, 0.0)
    return n, mean, deviations


def drawn_rank_correlations(first: npt.ArrayLike, second: npt.ArrayLike, draws: IntArray) -> FloatArray:
    """Spearman's rank correlation over patients in each resample.

    Parameters
    ----------
    first, second : array_like, shape (n_patients,)
        One value a patient; infinite values are the lowest or highest rank.
    draws : ndarray of int, shape (n_resamples, n_patients)
        From :func:`patient_draws` with one stratum; a row of ones gives the correlation of the patients themselves.

    Returns
    -------
    ndarray, shape (n_resamples,)
        NaN where one of the two does not vary.
    """
    index = np.repeat(np.tile(np.arange(draws.shape[1]), len(draws)), draws.ravel()).reshape(len(draws), -1)
    ranks = [rankdata(np.asarray(values, dtype=np.float64)[index], axis=1) for values in (first, second)]
    one, two = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    with np.errstate(invalid="ignore"):
        found: FloatArray = (one * two).sum(axis=1) / np.sqrt((one**2).sum(axis=1) * (two**2).sum(axis=1))
    return found


def percentile_interval(estimate: float, resampled: FloatArray, level: float = LEVEL) -> Interval:
    """An estimate with the percentile interval of what the resamples gave; those that gave NaN are left out.

    Raises
    ------
    InvalidValueError
        If no resample gave a number.
    """
    return _percentile(estimate, resampled[np.isfinite(resampled)], len(resampled), level)


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
