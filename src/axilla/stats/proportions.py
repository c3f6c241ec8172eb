"""Proportions, their differences, and the paired comparison of two calls on the same patients."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import stats as scipy_stats

from axilla.errors import InvalidValueError

LEVEL = 0.95
"""Confidence level of an interval where none is asked for, as in Qu et al. 2024."""

_ROUNDING = 1e-12
"""An estimate may leave its interval by rounding of the last digits, no more."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval and the name of the method that made it."""

    estimate: float
    low: float
    high: float
    method: str

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.estimate, self.low, self.high))):
            raise InvalidValueError(f"An interval needs finite numbers, not {self.estimate} ({self.low} to {self.high}).")
        if not self.low - _ROUNDING <= self.high:
            raise InvalidValueError(f"An interval's lower end must not exceed its upper end, got {self.low} and {self.high}.")


def normal_quantile(level: float = LEVEL) -> float:
    """Two-sided quantile of the standard normal distribution, 1.95996 for 95 %."""
    if not 0 < level < 1:
        raise InvalidValueError(f"A confidence level lies between 0 and 1, not {level}.")
    return float(scipy_stats.norm.ppf(0.5 + level / 2))


def wilson(successes: int, n: int, level: float = LEVEL) -> Interval:
    """Wilson's score interval of a proportion, without continuity correction.

    Wilson EB, J Am Stat Assoc 1927;22:209-212; recommended by Newcombe, Stat Med 1998;17:857-872 (method 3).

    Raises
    ------
    InvalidValueError
        If `n` is 0 or `successes` is not in 0..n.
    """
    _check_count(successes, n)
    ends = scipy_stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    return Interval(successes / n, float(ends.low), float(ends.high), "Wilson")


def newcombe_independent(successes_1: int, n_1: int, successes_2: int, n_2: int, level: float = LEVEL) -> Interval:
    """Interval of the difference of two independent proportions, first minus second.

    Newcombe RG, Stat Med 1998;17:873-890, method 10: the Wilson limits of each, squared and added.

    Raises
    ------
    InvalidValueError
        If a count is impossible or a group empty.
    """
    first, second = wilson(successes_1, n_1, level), wilson(successes_2, n_2, level)
    difference = first.estimate - second.estimate
    below = math.hypot(first.estimate - first.low, second.high - second.estimate)
    above = math.hypot(first.high - first.estimate, second.estimate - second.low)
    return Interval(difference, difference - below, difference + above, "Newcombe 1998, independent, method 10")


def newcombe_paired(both: int, only_first: int, only_second: int, neither: int, level: float = LEVEL) -> Interval:
    """Interval of the difference of two paired proportions, first minus second.

    Newcombe RG, Stat Med 1998;17:2635-2650, method 10: Wilson limits of the two marginal proportions, joined with the
    correlation phi of the fourfold table, whose numerator is reduced by n/2 (not below zero) where positive.

    Parameters
    ----------
    both, only_first, only_second, neither : int
        Pairs in which both, only the first, only the second, and neither is a success.

    Raises
    ------
    InvalidValueError
        If a count is negative or all are zero.
    """
    n = both + only_first + only_second + neither
    if min(both, only_first, only_second, neither) < 0 or n == 0:
        raise InvalidValueError(f"A paired table needs counts >= 0, not {(both, only_first, only_second, neither)}.")
    first, second = wilson(both + only_first, n, level), wilson(both + only_second, n, level)
    phi = _corrected_phi(both, only_first, only_second, neither)
    difference = (only_first - only_second) / n
    below = _joined(first.estimate - first.low, second.high - second.estimate, phi)
    above = _joined(first.high - first.estimate, second.estimate - second.low, phi)
    return Interval(difference, difference - below, difference + above, "Newcombe 1998, paired, method 10")


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Two-sided exact P value of McNemar's test: the discordant pairs against a fair coin; 1 when there are none.

    McNemar Q, Psychometrika 1947;12:153-157; exact binomial form.

    Raises
    ------
    InvalidValueError
        If a count is negative.
    """
    if min(only_first, only_second) < 0:
        raise InvalidValueError(f"Discordant pairs are counts >= 0, not {only_first} and {only_second}.")
    discordant = only_first + only_second
    return float(scipy_stats.binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0


def _corrected_phi(both: int, only_first: int, only_second: int, neither: int) -> float:
    n = both + only_first + only_second + neither
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    if margins == 0:
        return 0.0
    numerator: float = both * neither - only_first * only_second
    if numerator > 0:
        numerator = max(numerator - n / 2, 0.0)
    return numerator / math.sqrt(margins)


def _joined(a: float, b: float, phi: float) -> float:
    return math.sqrt(max(a * a - 2 * phi * a * b + b * b, 0.0))


def _check_count(successes: int, n: int) -> None:
    if n <= 0 or not 0 <= successes <= n:
        raise InvalidValueError(f"A proportion needs 0 <= successes <= n and n > 0, got {successes} of {n}.")
