"""Table 1: how a variable is shown, and by which test cN0 and cN+ are compared, decided by the data."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from axilla.cohort import Cohort, Patient
from axilla.pipeline._baseline import baseline_table


def cohort(facts: dict[str, list[str]]) -> Cohort:
    """60 cN0 patients, then 40 to train and 40 to validate on, with one value each of every fact."""
    kinds = [("cN0", 0)] * 60 + [("cN+", 1)] * 40 + [("cN+", 0)] * 40
    patients = [
        Patient(f"P{i:04d}", clinical, "L", 5, positive, {name: values[i] for name, values in facts.items()})
        for i, (clinical, positive) in enumerate(kinds)
    ]
    return Cohort(tuple(patients))


def spread(n: int, mean: float, sd: float) -> list[str]:
    return [str(value) for value in norm.ppf((np.arange(n) + 0.5) / n) * sd + mean]


def test_normal_numbers_as_mean_others_as_median() -> None:
    ages = [*spread(60, 50, 10), *spread(40, 54, 11), *spread(40, 54, 11)]
    ki67 = [str(i * i % 97) for i in range(140)]
    table = baseline_table(cohort({"age": ages, "ki67": ki67}))
    assert table is not None
    assert table["variable"].tolist() == ["Age, years: mean \u00b1 SD", "Ki-67, %: median [quartiles]"]
    assert table.columns.tolist()[1:4] == ["training (n = 40)", "validation (n = 40)", "cN0 (n = 60)"]
    assert table.iloc[0, 3] == "50.0 \u00b1 10.0"
    assert table["cN0 against cN+"].str.extract(r"\((.+)\)")[0].tolist() == ["Student's t", "Mann-Whitney"]


def test_categories_are_counted_and_compared_once() -> None:
    grades = ["I"] * 17 + ["II"] * 31 + ["III"] * 12 + ["II"] * 60 + ["III"] * 20
    table = baseline_table(cohort({"grade": grades}))
    assert table is not None
    assert table["cN0 (n = 60)"].tolist() == ["17 (28.3%)", "31 (51.7%)", "12 (20.0%)"]
    assert table["cN0 against cN+"].tolist() == ["< 0.001 (chi-square)", "", ""]


def test_a_variable_nobody_has_is_left_out_and_one_category_is_not_compared() -> None:
    assert baseline_table(cohort({"age": [""] * 140})) is None
    table = baseline_table(cohort({"her2": ["negative"] * 140}))
    assert table is not None
    assert table["cN0 against cN+"].tolist() == ["-"]
