"""The baseline table: the clinical variables of each cohort, as Table 1 of Qu et al. 2024 shows them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from axilla.cohort import COHORTS, Cohort

VARIABLES = {
    "age": "Age, years",
    "pathological_type": "Pathological type",
    "grade": "Histological grade",
    "t_stage": "T",
    "n_stage": "N",
    "molecular_subtype": "Molecular subtype",
    "er": "ER",
    "pr": "PR",
    "her2": "HER2",
    "ki67": "Ki-67, %",
}
"""Columns of the clinical sheet shown, if present, and how they are named."""


def baseline_table(cohort: Cohort) -> pd.DataFrame | None:
    """One row per number or category and one column per cohort; None when the sheet holds none of the variables."""
    members = {name: cohort.members(name) for name in COHORTS}
    rows = []
    for column, title in VARIABLES.items():
        values = {name: [p.facts[column] for p in patients if p.facts.get(column)] for name, patients in members.items()}
        every = [value for group in values.values() for value in group]
        if not every:
            continue
        describe = _numbers if all(_is_number(value) for value in every) else _categories
        rows += describe(title, values, sorted(set(every)))
    if not rows:
        return None
    head = {name: f"{name} (n = {len(patients)})" for name, patients in members.items()}
    return pd.DataFrame(rows, columns=["variable", *COHORTS]).rename(columns=head)


def _numbers(title: str, values: dict[str, list[str]], _every: Sequence[str]) -> list[list[str]]:
    numbers = {name: np.array(group, dtype=float) for name, group in values.items()}
    mean = [f"{v.mean():.1f} ({v.std(ddof=1):.1f})" if v.size > 1 else "-" for v in numbers.values()]
    median = [f"{np.median(v):.1f} [{v.min():.1f}, {v.max():.1f}]" if v.size else "-" for v in numbers.values()]
    return [[f"{title}: mean (SD)", *mean], [f"{title}: median [min, max]", *median]]


def _categories(title: str, values: dict[str, list[str]], every: Sequence[str]) -> list[list[str]]:
    rows = []
    for category in every:
        cells = [
            f"{group.count(category)} ({100 * group.count(category) / len(group):.1f}%)" if group else "-"
            for group in values.values()
        ]
        rows.append([f"{title}: {category}", *cells])
    return rows


def _is_number(value: str) -> bool:
    try:
        return bool(np.isfinite(float(value)))
    except ValueError:
        return False
