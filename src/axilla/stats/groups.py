"""One variable in several groups: whether it is normal, equally spread, and differs.

Numbers that pass for normal in every group (Shapiro-Wilk, P > 0.05) are compared by a t test, Student's where the spread passes
for equal (Bartlett, P > 0.05), else Welch's; other numbers by ranks. Counts of categories are compared by Fisher's exact test in
a fourfold table and where few are expected (:func:`is_sparse`), else by chi-square.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special
from scipy import stats as scipy_stats

from axilla.errors import InvalidValueError
from axilla.stats.proportions import LEVEL, Interval, normal_quantile
from axilla.stats.roc import FloatArray

SIGNIFICANCE = 0.05
"""Two-sided, as in Qu et al. 2024, for the assumptions too."""

MOST_TABLES = 2_000_000
"""Counted in a second and some 200 MB."""

DRAWN_TABLES = 99_999
"""A P value of 0.05 is then off by 0.0007 (standard error)."""

_TIE = 1e-7
"""Tables whose probabilities differ by less than this fraction are equally probable; R's ``fisher.test`` takes the same."""

_SHAPIRO_SIZES = (3, 5000)
"""Royston's approximation of the P value holds between these numbers of values."""


@dataclass(frozen=True)
class Test:
    """A test's name, its statistic, and the two-sided P value."""

    method: str
    statistic: float
    p_value: float


def shapiro_wilk(values: npt.ArrayLike) -> Test:
    """Shapiro-Wilk test of normality.

    Shapiro SS, Wilk MB, Biometrika 1965;52:591-611, with the P value of Royston P, Appl Stat 1995;44:547-551.

    Raises
    ------
    InvalidValueError
        If there are fewer than 3 or more than 5000 values, or all are equal.
    """
    array = np.asarray(values, dtype=np.float64)
    low, high = _SHAPIRO_SIZES
    if not low <= array.size <= high or np.ptp(array) == 0:
        raise InvalidValueError(f"A test of normality needs {low} to {high} values that differ, got {array.size}.")
    found = scipy_stats.shapiro(array)
    return Test("Shapiro-Wilk", float(found.statistic), float(found.pvalue))


def bartlett(groups: Sequence[npt.ArrayLike]) -> Test:
    """Bartlett's test of equal variances. Bartlett MS, Proc R Soc A 1937;160:268-282.

    Raises
    ------
    InvalidValueError
        If there are fewer than two groups, or one has fewer than two values or values that are all equal.
    """
    arrays = [np.asarray(group, dtype=np.float64) for group in groups]
    if len(arrays) < 2 or any(array.size < 2 or np.ptp(array) == 0 for array in arrays):
        raise InvalidValueError("A test of equal variances needs two groups or more, each of values that differ.")
    found = scipy_stats.bartlett(*arrays)
    return Test("Bartlett", float(found.statistic), float(found.pvalue))


def are_normal(groups: Sequence[npt.ArrayLike]) -> bool:
    """Whether every group passes for normal; groups too small, too large or too uniform to be tested do not."""
    try:
        return all(shapiro_wilk(group).p_value > SIGNIFICANCE for group in groups)
    except InvalidValueError:
        return False


def compare_numbers(first: npt.ArrayLike, second: npt.ArrayLike) -> Test:
    """Whether two groups differ, by the test their distributions allow.

    Raises
    ------
    InvalidValueError
        If a group is empty.
    """
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if not one.size or not two.size:
        raise InvalidValueError(f"A comparison needs values in both groups, got {one.size} and {two.size}.")
    if not are_normal((one, two)):
        ranks = scipy_stats.mannwhitneyu(one, two, alternative="two-sided", method="asymptotic")
        return Test("Mann-Whitney", float(ranks.statistic), float(ranks.pvalue))
    is_equal = bartlett((one, two)).p_value > SIGNIFICANCE
    found = scipy_stats.ttest_ind(one, two, equal_var=is_equal)
    return Test("Student's t" if is_equal else "Welch's t", float(found.statistic), float(found.pvalue))


def compare_counts(counts: npt.ArrayLike) -> Test:
    """Whether categories stand alike in the groups.

    Parameters
    ----------
    counts : array_like of int, shape (n_groups, n_categories)
        Categories that no group has are left out.

    Raises
    ------
    InvalidValueError
        If a group is empty, or there are fewer than two groups or categories.
    """
    table = np.asarray(counts, dtype=np.int64)
    table = table[:, table.sum(axis=0) > 0]
    if min(table.shape) < 2 or (table.sum(axis=1) == 0).any():
        raise InvalidValueError(f"A comparison needs two groups and two categories or more, got a table of {table.shape}.")
    if table.shape == (2, 2) or is_sparse(table):
        return fisher(table)
    found = scipy_stats.chi2_contingency(table, correction=False)
    return Test("chi-square", float(found.statistic), float(found.pvalue))


def is_sparse(counts: npt.ArrayLike) -> bool:
    """Whether too few are expected for chi-square: fewer than 5 in more than a fifth of the cells, or fewer than 1 in any.

    Cochran WG, Biometrics 1954;10:417-451.
    """
    expected = scipy_stats.contingency.expected_freq(np.asarray(counts))
    return bool((expected < 5).mean() > 0.2 or (expected < 1).any())


def fisher(counts: npt.ArrayLike, seed: int = 0) -> Test:
    """Fisher's exact test; beyond a fourfold table as Freeman and Halton have it, its statistic the table's probability.

    Tables of two groups (or two categories) are counted, all of them, up to :data:`MOST_TABLES`; of more, or of larger
    tables, :data:`DRAWN_TABLES` are drawn, which the method's name says.

    Freeman GH, Halton JH, Biometrika 1951;38:141-149.

    Parameters
    ----------
    counts : array_like of int, shape (n_groups, n_categories)
        No group and no category is empty.
    seed : int
        Of the drawn tables.
    """
    table = np.asarray(counts, dtype=np.int64)
    if table.shape == (2, 2):
        exact = scipy_stats.fisher_exact(table)
        return Test("Fisher", float(exact.statistic), float(exact.pvalue))
    if 2 in table.shape:
        two = table if len(table) == 2 else table.T
        columns = two[:, np.argsort(two.sum(axis=0))]  # the largest category follows from the others
        if math.prod((columns.sum(axis=0)[:-1] + 1).tolist()) <= MOST_TABLES:
            return Test("Fisher", *_freeman_halton(columns))
    method = scipy_stats.MonteCarloMethod(n_resamples=DRAWN_TABLES, rng=np.random.default_rng(seed))
    drawn = scipy_stats.fisher_exact(table, method=method)
    return Test(f"Fisher, {DRAWN_TABLES} tables drawn, seed {seed}", float(drawn.statistic), float(drawn.pvalue))


def _freeman_halton(table: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Probability of a table of two groups, given its margins, and of all tables at most as probable."""
    sizes, in_first = table.sum(axis=0), int(table[0].sum())
    grids = np.meshgrid(*(np.arange(size + 1) for size in sizes[:-1]), indexing="ij")
    firsts = np.stack([*grids, in_first - sum(grids)], axis=-1).reshape(-1, len(sizes))
    firsts = firsts[(firsts[:, -1] >= 0) & (firsts[:, -1] <= sizes[-1])]
    ways = _log_choose(sizes, firsts).sum(axis=1) - _log_choose(sizes.sum(), np.array(in_first))
    observed = _log_choose(sizes, table[0]).sum() - _log_choose(sizes.sum(), np.array(in_first))
    as_extreme = ways <= observed + _TIE
    return math.exp(observed), min(1.0, float(np.exp(ways[as_extreme]).sum()))


def _log_choose(n: npt.NDArray[np.int64] | np.int64, k: npt.NDArray[np.int64]) -> FloatArray:
    return np.asarray(special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1), dtype=np.float64)


def hedges_g(first: npt.ArrayLike, second: npt.ArrayLike, level: float = LEVEL) -> Interval:
    """Standardized difference of two means, second minus first, corrected for small groups, with its normal interval.

    Hedges LV, J Educ Stat 1981;6:107-128; variance of Hedges LV, Olkin I, Statistical Methods for Meta-Analysis, 1985, chapter 5.

    Raises
    ------
    InvalidValueError
        If a group has fewer than two values, or no group's values differ.
    """
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if min(one.size, two.size) < 2 or np.ptp(one) + np.ptp(two) == 0:
        raise InvalidValueError("A standardized difference needs two groups of at least two values that differ.")
    n = one.size + two.size
    spread = math.sqrt(((one.size - 1) * one.var(ddof=1) + (two.size - 1) * two.var(ddof=1)) / (n - 2))
    g = (1 - 3 / (4 * n - 9)) * float(two.mean() - one.mean()) / spread
    half = normal_quantile(level) * math.sqrt(n / (one.size * two.size) + g**2 / (2 * n))
    return Interval(g, g - half, g + half, "Hedges' g")


def holm(p_values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """P values adjusted for being many. Holm S, Scand J Stat 1979;6:65-70.

    Raises
    ------
    InvalidValueError
        If a P value is not in 0..1.
    """
    values = np.asarray(p_values, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise InvalidValueError("P values lie in 0..1.")
    order = np.argsort(values, kind="stable")
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1)), 1.0)
    return adjusted
