"""The baseline table: the clinical variables of each cohort, and whether cN0 and cN+ differ (Table 1 of Qu et al. 2024).

Numbers that pass for normal in every cohort are shown as mean and standard deviation, others as median and quartiles. The
package tableone makes the cells (Pollard TJ et al., JAMIA Open 2018;1:26-31), :mod:`axilla.stats` the tests.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from axilla import stats
from axilla.cohort import COHORTS, Cohort
from axilla.errors import InvalidValueError
from axilla.io.clinical import COLUMNS, NUMBERS

COMPARED = ("cN0", "cN+")
"""The two cohorts that share no patient and are set against each other."""

DASH = "-"
"""Where there is nothing to show, or to compare."""

_TITLES = {column.name: column.title for column in COLUMNS if column.title}
_NUMBERS = {column.name for column in COLUMNS if column.kind in NUMBERS}


def baseline_table(cohort: Cohort) -> pd.DataFrame | None:
    """One row per number or category; None without any of the variables.

    Returns
    -------
    DataFrame or None
        ``variable``, ``missing`` (included patients without a value), a column per cohort, and the P value of the comparison
        with the name of its test, in the first row of each variable.
    """
    facts = _facts(cohort)
    if facts.empty:
        return None
    members = {name: facts.loc[[patient.patient_id for patient in cohort.members(name)]] for name in COHORTS}
    numbers = [name for name in facts.columns.astype(str) if pd.api.types.is_float_dtype(facts[name])]
    normal = [name for name in numbers if stats.are_normal([group[name].dropna() for group in members.values() if len(group)])]
    cells = _cells(members, ("training", "validation", "cN0"), numbers, normal)
    cells["cN+"] = _cells(members, COMPARED, numbers, normal)["cN+"]
    rows: list[list[str]] = []
    told: set[str] = set()
    for (name, level), row in zip(cells.index.tolist(), cells.to_dict("records"), strict=True):
        how = "mean \u00b1 SD" if name in normal else "median [quartiles]" if name in numbers else level
        shown = [row[group] if members[group][name].notna().any() else DASH for group in COHORTS]
        missing, compared = (str(facts[name].isna().sum()), _compared(members, name)) if name not in told else ("", "")
        rows.append([f"{_TITLES[name]}: {how}", missing, *shown, compared])
        told.add(name)
    heads = [f"{name} (n = {len(group)})" for name, group in members.items()]
    return pd.DataFrame(rows, columns=["variable", "missing", *heads, " against ".join(COMPARED)])


def _facts(cohort: Cohort) -> pd.DataFrame:
    """A row per included patient, a column per variable that anybody has; numbers as floats, words as words, NaN for nothing."""
    index = [patient.patient_id for patient in cohort.patients]
    facts = pd.DataFrame([dict(patient.facts) for patient in cohort.patients], index=index, dtype=object)
    facts = facts.reindex(columns=list(_TITLES)).replace("", np.nan).dropna(axis="columns", how="all")
    read = {name: pd.to_numeric(facts[name], errors="coerce").astype(float) for name in facts if name in _NUMBERS}
    return facts.assign(**{name: values for name, values in read.items() if values.count() == facts[name].count()})


def _cells(
    members: Mapping[str, pd.DataFrame], groups: Sequence[str], numbers: Sequence[str], normal: Collection[str]
) -> pd.DataFrame:
    """The cells as tableone makes them, by variable and category, for groups that share no patient and together have all."""
    from tableone import TableOne  # slow to import

    facts = pd.concat([members[name] for name in groups])
    words = [name for name in facts if name not in numbers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, about tableone's code
        made = TableOne(
            facts.assign(_cohort=np.repeat(groups, [len(members[name]) for name in groups])).reset_index(drop=True),
            columns=list(facts),
            categorical=words,
            continuous=list(numbers),
            nonnormal=[name for name in numbers if name not in normal],
            groupby="_cohort",
            overall=False,
            missing=False,
            include_null=False,
            label_suffix=False,
        ).tableone
    made = made.droplevel(0, axis="columns").drop(index="n", level=0).reindex(columns=list(groups), fill_value="")
    rows = made.index.get_level_values(0)
    made[rows.isin(normal)] = made[rows.isin(normal)].replace({r" \((.*)\)": " \u00b1 \\1"}, regex=True)
    made[rows.isin(words)] = made[rows.isin(words)].replace({r"\)$": "%)"}, regex=True)
    cells: pd.DataFrame = made.replace({r",(?=\S)": ", "}, regex=True)
    return cells


def _compared(members: Mapping[str, pd.DataFrame], name: str) -> str:
    """The P value with the name of its test; a dash where there is nothing to compare."""
    one, two = (members[group][name].dropna() for group in COMPARED)
    try:
        if pd.api.types.is_float_dtype(one):
            found = stats.compare_numbers(one, two)
        else:
            words = sorted({*one, *two})
            found = stats.compare_counts([[(group == word).sum() for word in words] for group in (one, two)])
    except InvalidValueError:
        return DASH
    value = f"{found.p_value:.3f}" if found.p_value >= 0.001 else "< 0.001"
    return f"{value} ({found.method})"
