"""The baseline table: the clinical variables of each cohort, and whether cN0 and cN+ differ (Table 1 of Qu et al. 2024).

Numbers that pass for normal in every cohort are shown as mean and standard deviation, others as median and quartiles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from axilla import stats
from axilla.cohort import COHORTS, Cohort
from axilla.errors import InvalidValueError
from axilla.io.clinical import COLUMNS

VARIABLES = {column.name: column.title for column in COLUMNS if column.title}
"""Columns of the clinical sheet shown, if present, and how they are named."""

COMPARED = ("cN0", "cN+")
"""The two cohorts that share no patient and are set against each other."""


def baseline_table(cohort: Cohort) -> pd.DataFrame | None:
    """One row per number or category, one column per cohort and one for the comparison; None without any of the variables."""
    members = {name: cohort.members(name) for name in COHORTS}
    rows = []
    for column, title in VARIABLES.items():
        values = {name: [p.facts[column] for p in patients if p.facts.get(column)] for name, patients in members.items()}
        every = [value for group in values.values() for value in group]
        if every:
            rows += _numbers(title, values) if all(_is_number(value) for value in every) else _categories(title, values)
    if not rows:
        return None
    head = {name: f"{name} (n = {len(patients)})" for name, patients in members.items()}
    frame = pd.DataFrame(rows, columns=["variable", *COHORTS, " against ".join(COMPARED)])
    return frame.rename(columns=head)


def _numbers(title: str, values: Mapping[str, Sequence[str]]) -> list[list[str]]:
    numbers = {name: np.array(group, dtype=float) for name, group in values.items()}
    is_normal = stats.are_normal([group for group in numbers.values() if group.size])
    show = _mean_and_sd if is_normal else _median_and_quartiles
    cells = [show(group) if group.size else "-" for group in numbers.values()]
    words = "mean \u00b1 SD" if is_normal else "median [quartiles]"
    return [[f"{title}: {words}", *cells, _compared(stats.compare_numbers, *(numbers[name] for name in COMPARED))]]


def _mean_and_sd(values: stats.FloatArray) -> str:
    return f"{values.mean():.1f} \u00b1 {values.std(ddof=1):.1f}"


def _median_and_quartiles(values: stats.FloatArray) -> str:
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return f"{middle:.1f} [{low:.1f}, {high:.1f}]"


def _categories(title: str, values: Mapping[str, Sequence[str]]) -> list[list[str]]:
    every = sorted({value for group in values.values() for value in group})
    counts = [[values[name].count(category) for category in every] for name in COMPARED]
    compared = _compared(stats.compare_counts, counts)
    rows: list[list[str]] = []
    for category in every:
        cells = [
            f"{group.count(category)} ({100 * group.count(category) / len(group):.1f}%)" if group else "-"
            for group in values.values()
        ]
        rows.append([f"{title}: {category}", *cells, "" if rows else compared])
    return rows


def _compared(test: Callable[..., stats.Test], *groups: npt.ArrayLike) -> str:
    """The P value with the name of its test; a dash where there is nothing to compare."""
    try:
        found = test(*groups)
    except InvalidValueError:
        return "-"
    value = f"{found.p_value:.3f}" if found.p_value >= 0.001 else "< 0.001"
    return f"{value} ({found.method})"


def _is_number(value: str) -> bool:
    try:
        return bool(np.isfinite(float(value)))
    except ValueError:
        return False
