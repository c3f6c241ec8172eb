"""The tables of the groups and of the patient rules: what was used for a choice stands apart from what was not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from axilla.cohort import Patient
from axilla.evaluate import Axilla, EvaluateSettings, choose_rule, compare_rules, rules_document
from axilla.model import PatientRule
from axilla.report import StudyReport, render_study, study_tables


@pytest.fixture(scope="module")
def rules() -> dict:
    """Twenty training patients whose highest score follows their burden, and four benign ones held out."""
    axillae, patients, rows = {}, [], []
    for number in range(24):
        name, positive = f"P{number:04d}", number + 1 if number < 20 else 0
        score = np.array([positive / 10 - 0.2, -1.0, -1.0])
        axillae[name] = Axilla(name, np.where(score > 0, 2.0, 1.0), score, 1 / (1 + np.exp(-score)))
        patients.append(Patient(name, "cN+", "L", 24, positive))
        status, role = ("metastatic", "training") if positive else ("benign", "validation")
        rows.append({"patient_id": name, "status": status, "clinical": "cN+", "role": role})
    quick = EvaluateSettings(n_resamples=200)
    choice = choose_rule(axillae, patients[:20], 4.0, evaluation=quick)
    return rules_document(compare_rules(choice, PatientRule("share", min_share=0.5), axillae, pd.DataFrame(rows), 0.95))


def test_rules_in_training_and_in_others_are_two_tables(study_report: StudyReport, rules: dict) -> None:
    tables = study_tables(replace(study_report, rules=rules))
    trained, others = tables["rules_training"], tables["rules_others"]
    assert "the choice rests on" in trained.title
    assert "not used for the choice" in others.title
    assert len(trained.rows) == 5
    assert sum("chosen" in row[0] for row in trained.rows) == 1
    assert sum("in force" in row[1] for row in others.rows) == 2  # the user's rule, in two cohorts
    assert [row[0] for row in others.rows if row[0]] == ["cN+, leak-free: 4", "cN+, as the paper (with training patients): 24"]
    assert "not calibrated" in others.note
    assert [row[1] for row in trained.rows if row[0].startswith("any")] == ["18 of 20"]


def test_the_report_says_that_no_specificity_entered_the_choice(study_report: StudyReport, rules: dict) -> None:
    page = render_study(replace(study_report, rules=rules))
    assert "In force in this study: <strong>share&gt;=0.5</strong>" in page
    assert "no specificity could enter the choice" in page
    assert "no specificity could enter" not in render_study(replace(study_report, rules={**rules, "n_benign": 12}))


def test_no_choice_is_claimed_where_the_training_patients_allow_none(study_report: StudyReport) -> None:
    axilla = Axilla("P1", np.array([2.0]), np.array([1.0]), np.array([0.7]))
    choice = choose_rule({"P1": axilla}, [Patient("P1", "cN+", "L", 24, 3)], 4.0)
    row = {"patient_id": "P1", "status": "metastatic", "clinical": "cN+", "role": "training"}
    rules = rules_document(compare_rules(choice, PatientRule(), {"P1": axilla}, pd.DataFrame([row]), 0.95))
    page = render_study(replace(study_report, rules=rules))
    assert not choice.is_compared
    assert "the simplest rule, because the training patients do not allow a comparison." in page
    assert "The training patients alone choose" not in page
    assert "the choice rests on" not in page


def test_groups_by_class_and_by_feature(study_report: StudyReport, make_differences) -> None:
    tables = study_tables(replace(study_report, differences=make_differences(validation=(np.nan, np.nan, np.nan))))
    assert tables["group_classes"].rows == [["Shape", "2 of 14 (1\u00a0\u2191, 1\u00a0\u2193)", "0.50", "Flatness (0.90)"]]
    assert tables["group_features"].rows[0][:5] == ["Shape Flatness", "0.5", "0.6", "0.90 (0.70 to 1.10)", "<\u00a00.001"]
    assert len(tables["group_features"].columns) == 5  # validation has nothing to show
    nothing = replace(study_report, class_summary=study_report.class_summary.assign(compared=0, largest=""))
    assert study_tables(nothing)["group_classes"].rows == [["Shape", "\u2013", "0.50", "\u2013"]]
    assert "prove nothing" in tables["group_features"].note
