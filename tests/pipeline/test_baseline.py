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
    assert table.columns.tolist()[2:5] == ["training (n = 40)", "validation (n = 40)", "cN0 (n = 60)"]
    assert table.loc[0, "cN0 (n = 60)"] == "50.0 \u00b1 10.0"
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


def test_missing_values_are_counted_and_in_no_share() -> None:
    grades = ["I", "", "II"] * 20 + ["II", ""] * 40
    table = baseline_table(cohort({"grade": grades, "age": ["50", "", "61", "47"] * 35}))
    assert table is not None
    assert table["missing"].tolist() == ["35", "60", ""]
    assert table["cN0 (n = 60)"].tolist()[1:] == ["20 (50.0%)", "20 (50.0%)"]
    assert table["cN+ (n = 80)"].tolist()[1:] == ["0 (0.0%)", "40 (100.0%)"]


def test_words_that_look_like_nothing_and_grades_that_look_like_numbers_are_words() -> None:
    table = baseline_table(cohort({"grade": ["1", "2"] * 70, "her2": ["None", "nan", "a,b"] * 46 + ["nan", "nan"]}))
    assert table is not None
    assert table["variable"].tolist() == [
        "Histological grade: 1", "Histological grade: 2", "HER2: None", "HER2: a,b", "HER2: nan",
    ]  # fmt: skip
    assert table["missing"].tolist() == ["0", "", "0", "", ""]


def test_a_cohort_without_patients_and_one_without_values_have_a_dash() -> None:
    patients = [
        Patient("P0001", "cN+", "L", 5, 2, {"age": "50"}),
        Patient("P0002", "cN+", "L", 5, 0, {"age": "", "er": "positive"}),
    ]
    table = baseline_table(Cohort(tuple(patients)))
    assert table is not None
    assert table.iloc[:, 2:].to_numpy().tolist() == [
        ["50.0 [50.0, 50.0]", "-", "-", "50.0 [50.0, 50.0]", "-"],
        ["-", "1 (100.0%)", "-", "1 (100.0%)", "-"],
    ]
    assert baseline_table(Cohort(())) is None


def test_few_expected_counts_are_compared_exactly() -> None:
    """R 4.2.2: ``fisher.test(rbind(c(58, 1, 1), c(70, 8, 2)))``, P = 0.1092."""
    types = ["IDC"] * 58 + ["ILC", "IMC"] + ["IDC"] * 70 + ["ILC"] * 8 + ["IMC"] * 2
    table = baseline_table(cohort({"pathological_type": types}))
    assert table is not None
    assert table["cN0 against cN+"].tolist() == ["0.109 (Fisher)", "", ""]
