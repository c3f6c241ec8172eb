"""What a study's report says in words and tables: written from what is in force, and the paper's tables to the printed digit."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import replace

import pandas as pd
import pytest

from axilla.cohort import PAPER_CRITERIA, Criterion
from axilla.errors import InvalidValueError
from axilla.evaluate import Counts, EvaluateSettings
from axilla.model import ModelSettings, PatientRule, PredictSettings
from axilla.radiomics import FEATURE_NAMES, RadiomicsSettings
from axilla.report import PatientEntry, StudyReport, Table, render_study, study_tables
from axilla.report.card import model_card
from axilla.report.checklists import SECTIONS, STARD_2015, Item
from axilla.report.methods import prediction_methods, study_methods
from axilla.report.summary import criteria_changes, in_short, study_warnings
from axilla.stats import mcnemar_exact, newcombe_paired, wilson

DEFAULTS = {
    "radiomics": RadiomicsSettings(),
    "selection": None,
    "model": ModelSettings(),
    "predict": PredictSettings(),
    "rule": PatientRule(),
    "evaluate": EvaluateSettings(),
}


def plain(**changes) -> dict:
    """Settings as the pipeline hands them over, with some changed."""
    settings = {name: dataclasses.asdict(value) for name, value in DEFAULTS.items() if value}
    settings["selection"] = {"detection_threshold": 0.5}
    for name, values in changes.items():
        settings[name] = {**settings[name], **values}
    return json.loads(json.dumps(settings))


def level_of(counts: tuple[int, int, int, int], clinical_call: str) -> dict:
    """A cohort of ``results.json`` from its counts (tp, fn, tn, fp)."""
    tp, fn, tn, fp = counts
    found = Counts(tp, fn, tn, fp)
    right = (tn + fp) if clinical_call == "benign" else (tp + fn)
    model_only, clinic_only = (tp, fp) if clinical_call == "benign" else (tn, fn)
    both = right - clinic_only
    neither = found.n - both - model_only - clinic_only
    difference = newcombe_paired(both, model_only, clinic_only, neither)
    return {
        "label": "",
        "n": found.n,
        "counts": found.to_dict(),
        "rates": {name: rate.to_dict() for name, rate in found.rates().items()},
        "auc_score": {"estimate": None, "low": None, "high": None, "method": None, "reason": "no score"},
        "clinical": {"call": clinical_call, "ccr": dataclasses.asdict(wilson(right, found.n))},
        "mcnemar": {
            "model_only_correct": model_only,
            "clinical_only_correct": clinic_only,
            "p_value": mcnemar_exact(model_only, clinic_only),
        },
        "ccr_difference": dataclasses.asdict(difference),
        "not_evaluable": 0,
        "without_status": 0,
    }


@pytest.fixture(scope="module")
def paper() -> StudyReport:
    """Qu et al. 2024 from its counts; how its cN+ patients split into training and validation it does not say."""
    counts = Counts(368, 88, 836, 105)
    area = {"estimate": 0.84772, "low": 0.8270, "high": 0.8684, "method": "DeLong"}
    return StudyReport(
        results={
            "level": 0.95,
            "node_level": {
                "n": 1397,
                "n_patients": 160,
                "counts": counts.to_dict(),
                "rates": {name: rate.to_dict() for name, rate in counts.rates().items()},
                "auc_hard_label": {**area, "intervals": {"delong": area, "newcombe": {**area, "method": "Newcombe"}}},
                "auc_score": {"estimate": None, "low": None, "high": None, "method": None, "reason": "no score"},
                "not_evaluable": 0,
            },
            "patient_level": {
                "cN0": level_of((28, 10, 83, 7), "benign"),
                "cN+": level_of((216, 11, 90, 33), "metastatic"),
                "cN+ without training patients": level_of((33, 4, 90, 33), "metastatic"),
                "all": level_of((33, 4, 90, 33), "metastatic"),
            },
        },
        patients=tuple(PatientEntry(f"P{i:04d}", "cN0", "R", n_nodes=4, n_not_evaluable=i == 0) for i in range(20)),
        n_indeterminate=8,
        settings=plain(),
    )


def cells(table: Table) -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in table.rows}


def test_tables_2_and_3_are_the_papers_to_the_printed_digit(paper):
    tables = study_tables(paper)
    assert cells(tables["table_2_counts"]) == {
        "Metastatic": ["28", "7", "35"],
        "Not metastatic": ["10", "83", "93"],
        "Total": ["38", "90", "128"],
    }
    rates = dict(zip(tables["table_2_rates"].columns[1:], cells(tables["table_2_rates"])["Estimate"], strict=True))
    assert rates["CCR"] == "86.72 %"
    assert [rates[name] for name in ("Sensitivity", "Specificity", "FPR", "FNR")] == ["73.68 %", "92.22 %", "7.78 %", "26.32 %"]
    rates = dict(zip(tables["table_3_rates"].columns[1:], cells(tables["table_3_rates"])["Estimate"], strict=True))
    assert rates["CCR"] == "87.43 %"
    assert [rates[name] for name in ("Sensitivity", "Specificity", "FPR", "FNR")] == ["95.15 %", "73.17 %", "26.83 %", "4.85 %"]
    assert cells(tables["table_3_counts"])["Total"] == ["227", "123", "350"]
    assert "table_3_leak_free_rates" in tables


def test_figure_5_is_the_papers_to_the_printed_digit(paper):
    tables = study_tables(paper)
    assert cells(tables["nodes_counts"])["Group 1 (presumed benign)"] == ["88", "836", "924"]
    assert cells(tables["nodes_rates"])["Estimate"][:5] == ["86.18 %", "80.70 %", "88.84 %", "77.80 %", "90.48 %"]
    assert cells(tables["nodes_rates"])["Nodes"][0] == "1204/1397"
    assert cells(tables["nodes_auc"])["DeLong"] == ["0.848 (0.827 to 0.868)", "\u2013"]
    assert "not computable: no score" in tables["nodes_auc"].note


def test_the_comparison_has_the_papers_rates_and_exact_p(paper):
    found = cells(study_tables(paper)["against_clinical"])
    assert found["P (exact McNemar)"][:2] == ["5.1e-04", "1.4e-16"]
    assert [cell.split(" ")[0] for cell in found["Clinical assessment right, % (95 % interval)"][:2]] == ["70.31", "64.86"]
    assert found["Difference, percentage points (95 % interval)"][0].startswith("+16.41 (")
    assert found["Only the model right"][:2] == ["28", "90"]


def test_every_table_of_results_is_told_apart(paper):
    tables = study_tables(paper)
    assert list(tables) == list(dict.fromkeys(tables))
    assert not [name for name, table in tables.items() if len(set(table.columns)) != len(table.columns)]
    with pytest.raises(InvalidValueError, match="at least one row"):
        Table("x", "x", pd.DataFrame())


CHANGES = {
    ("radiomics", "voxel_spacing_xyz_mm"): (2.0, 2.0, 3.5),
    ("radiomics", "bin_width"): 12.5,
    ("radiomics", "bin_count"): 48,
    ("radiomics", "interpolator"): "linear",
    ("radiomics", "resegment_range"): (-77.0, 333.0),
    ("radiomics", "outlier_sigma"): 3.25,
    ("radiomics", "distances"): (1, 2),
    ("radiomics", "convention"): "ibsi",
    ("selection", "detection_threshold"): 0.73,
    ("predict", "indeterminate_margin"): 0.17,
    ("evaluate", "n_resamples"): 777,
    ("evaluate", "seed"): 4242,
}


def text_of(report) -> str:
    return "\n".join(f"{paragraph.title}: {paragraph.text}" for paragraph in study_methods(report))


@pytest.mark.parametrize(("stage", "name"), CHANGES)
def test_the_methods_say_the_settings_in_force(paper, model_document, stage, name):
    value = CHANGES[stage, name]
    before, after = (
        text_of(replace(paper, model=model_document, settings=settings))
        for settings in (plain(), plain(**{stage: {name: value}}))
    )
    assert before != after
    for number in value if isinstance(value, tuple) else (value,):
        words = f"{number:g}" if isinstance(number, float) else {"ibsi": "IBSI"}.get(number, str(number))
        assert words in after


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (PatientRule("at_least_k", k=3), "at least 3 of its nodes were in Group 2"),
        (PatientRule("share", min_share=0.35), "at least 0.35 of its evaluable nodes"),
        (PatientRule("max_score", min_score=1.5), "its highest node score exceeded 1.5"),
        (PatientRule("noisy_or", min_noisy_or=0.65), "was at least 0.65"),
    ],
)
def test_the_methods_say_the_rule_in_words(paper, rule, words):
    assert words in text_of(replace(paper, settings=plain(rule=dataclasses.asdict(rule))))


def test_the_methods_say_model_seed_level_criteria_counts_and_versions(paper, model_document):
    model = {
        **model_document,
        "settings": {**model_document["settings"], "correlation_threshold": 0.83, "n_init": 61, "seed": 99},
    }
    criteria = (Criterion("ct_interval", "ct_days", "CT too old", at_least=0, at_most=45), *PAPER_CRITERIA[:2])
    report = replace(
        paper,
        model=model,
        seed=31,
        criteria=criteria,
        versions={"axilla": "9.8", "numpy": "7.6"},
        results={**paper.results, "level": 0.9},
        patients=(*paper.patients, PatientEntry("P9", failure="excluded: x"), PatientEntry("P8", "training", failure="no CT")),
    )
    text = text_of(report)
    for words in (
        "|Pearson r| > 0.83",
        "best of 61 starts, seed 99",
        "The study's seed was 31.",
        "90 % intervals by Wilson",
        "CT too old (asked for: ct_days 0 to 45); no invasive breast cancer on pathology; no axillary",
        "Of 22 patients offered, 20 were analyzed (1 excluded, 1 not finished).",
        "(n = 20)",
        "axilla 9.8 (numpy 7.6)",
        f"{len(FEATURE_NAMES)} radiomic features",
    ):
        assert words in text
    assert not re.search(r"\bNone\b|  |\.\.|\{|\}", text)


def test_no_sentence_of_the_methods_has_a_hole(paper):
    for report in (StudyReport(results={}), replace(paper, settings={}), replace(paper, tools=("Slicer", "MIRP"))):
        text = text_of(report)
        assert not re.search(r"\bNone\b|\bnan\b|  ", text)
        assert all(paragraph.text.endswith(".") for paragraph in study_methods(report))


def test_methods_of_one_ct_end_with_the_software(prediction_report):
    titles = [paragraph.title for paragraph in prediction_methods(prediction_report)]
    assert titles == ["Nodes", "Features", "Model", "Software"]


def test_in_short_says_who_was_right_more_often(paper):
    short = in_short(paper)
    text = " ".join(short.found)
    assert "the model was right in 86.7 %, clinical assessment in 70.3 %: a difference of 16.4 percentage points" in text
    assert "P < 0.001). The model was right more often." in text
    same = {**paper.results, "patient_level": {"cN0": level_of((5, 4, 80, 5), "benign")}}
    assert "no difference one can rely on" in " ".join(in_short(replace(paper, results=same)).found)
    worse = {**paper.results, "patient_level": {"cN0": level_of((5, 4, 40, 45), "benign")}}
    assert "Clinical assessment was right more often." in " ".join(in_short(replace(paper, results=worse)).found)


def test_in_short_says_what_limits_it(paper):
    text = " ".join(in_short(paper).limits)
    assert "1 of 80 nodes that count (1.2 %) are not evaluable; 10.1 % of the others" in text
    assert "simulated" not in text
    assert "simulated" in " ".join(in_short(replace(paper, is_synthetic=True)).limits)
    assert "nothing can be said" in " ".join(in_short(StudyReport(results={})).found)


def test_warnings_name_what_a_reader_must_know(paper):
    assert study_warnings(replace(paper, n_indeterminate=None)) == []
    few = level_of((2, 1, 4, 0), "benign")
    entries = [PatientEntry(f"P{i}", "cN0", "R", call="not evaluable", n_nodes=4, n_not_evaluable=2) for i in range(3)]
    entries += [PatientEntry("P7", "cN0", failure="slices missing"), PatientEntry("P8", failure="excluded: bilateral")]
    report = replace(
        paper,
        results={"patient_level": {"cN0": few}, "warnings": ["Synthetic data: said by the banner.", "Given."]},
        patients=tuple(entries),
        criteria=PAPER_CRITERIA[1:],
        settings=plain(radiomics={"bin_width": 10.0}),
        warnings=("Given.", "The tables do not say the side."),
    )
    assert study_warnings(report) == [
        "1 patient could not be finished: slices missing (1).",
        "Few patients: 7 in cN0 (3 of the rarer status). Rates and P values of these cohorts are rough.",
        "6 of 12 nodes that count (50.0 %) are not evaluable.",
        "3 patients are not evaluable and in no rate of the patient level.",
        "Eligibility differs from the paper's; left out: no invasive breast cancer on pathology.",
        "radiomics, bin_width: 10 in place of the paper's 25.",
        "Given.",
        "The tables do not say the side.",
    ]


def test_criteria_are_compared_one_by_one():
    later = replace(PAPER_CRITERIA[4], at_most=60)
    added = Criterion("sex", "sex", "not a woman", allowed=("female",))
    assert criteria_changes(PAPER_CRITERIA) == []
    assert criteria_changes((*PAPER_CRITERIA[:4], later, *PAPER_CRITERIA[5:], added)) == [
        "added: not a woman (asked for: female)",
        "changed: ct_days_before_surgery 0 to 60 in place of ct_days_before_surgery 0 to 31",
    ]


def test_the_model_card_has_its_headings_and_the_figures_found(paper, model_document):
    card = model_card(model_document, paper)
    titles = [section.title for section in card.sections]
    assert titles == [
        "Intended use",
        "Factors",
        "Training data",
        "Evaluation data and metrics",
        "Ethical considerations",
        "Caveats and recommendations",
    ]
    assert "sensitivity 73.7 % (" in " ".join(card.sections[3].sentences)
    assert model_card(None) is None
    assert "Not evaluated in this report" in model_card(model_document).sections[3].sentences[0]


def test_the_checklist_is_whole_and_every_item_is_answered():
    numbers = [item.number for item in STARD_2015]
    letters = {"10": "ab", "12": "ab", "13": "ab", "21": "ab"}
    assert numbers == [f"{i}{letter}" for i in range(1, 31) for letter in letters.get(str(i), [""])]
    assert all(item.answer for item in STARD_2015)
    with pytest.raises(InvalidValueError, match="nobody answers"):
        Item("1", "Title", "x")
    assert set(SECTIONS) >= {anchor for item in STARD_2015 for anchor in item.anchors}


def test_whose_nodes_were_drawn_by_hand_is_said(paper):
    """All, some, none; a mixture is a warning."""
    n = sum(not entry.failure for entry in paper.patients)
    assert "located and segmented on the CT by axilla" in text_of(paper)
    all_drawn, some = replace(paper, n_drawn=n), replace(paper, n_drawn=1)
    assert "The nodes are those of a mask given by the user; they were described" in text_of(all_drawn)
    assert f"In 1 patient of {n} the nodes are those of a mask" in text_of(some)
    assert [bool(warnings) for warnings in (
        [words for words in study_warnings(report) if "drawn by hand" in words] for report in (paper, all_drawn, some)
    )] == [False, False, True]  # fmt: skip


def test_where_not_everyone_is_pictured_the_page_says_so(paper, drawing):
    pictured = replace(paper, patients=(replace(paper.patients[0], pictures=(drawing,)), *paper.patients[1:]))
    assert "Pictures stand here of 1 patients" in render_study(pictured)
    assert "Pictures stand here" not in render_study(replace(pictured, patients=pictured.patients[:1]))
    assert "Pictures stand here" not in render_study(paper)


def test_which_nodes_counted_follows_whether_their_sides_are_told(paper):
    tables = replace(paper, tools=("Slicer",), unused={"not of the operated side": 5})
    n_nodes = sum(entry.n_nodes for entry in paper.patients) + 5
    assert "Only nodes of the operated side counted." in text_of(tables)
    untold = text_of(replace(tables, n_side_untold=n_nodes))
    assert "every node was taken as of the operated side and counted" in untold
    assert "Only nodes of the operated side" not in untold
    assert "the side of 3 nodes, all taken as of the operated side" in text_of(replace(tables, n_side_untold=3))


AREA = {"estimate": 0.9, "low": 0.8, "high": 0.95, "method": "DeLong"}
BY_PATIENT = {"estimate": 0.9, "low": 0.6, "high": 0.97, "method": "bootstrap by patient, 2000 resamples, percentile"}


def with_areas(report: StudyReport, area: dict) -> StudyReport:
    nodes = {**report.results["node_level"], "auc_hard_label": area, "auc_score": area}
    return replace(report, results={**report.results, "node_level": nodes})


def test_the_interval_told_is_by_patient_or_says_what_it_takes_for_granted(paper, model_document):
    for area, words in (
        ({**AREA, "intervals": {"delong": AREA, "bootstrap": BY_PATIENT}}, "0.600 to 0.970, bootstrap by patient)"),
        ({**AREA, "intervals": {"delong": AREA}}, "0.800 to 0.950, DeLong, nodes taken as independent)"),
    ):
        report = with_areas(paper, area)
        assert words in " ".join(in_short(report).found)
        assert words in " ".join(model_card(model_document, report).sections[3].sentences)


def test_where_there_is_no_bootstrap_a_dash_and_a_sentence_stand_in_its_place(paper):
    report = with_areas(paper, {**AREA, "intervals": {"delong": AREA}, "no_interval": {"bootstrap": "too few patients"}})
    rates = {**report.results["node_level"]["rates"]}
    rates["ppv"] = {**rates["ppv"], "no_interval": {"bootstrap": "too few patients"}}
    nodes = {**report.results["node_level"], "rates": rates}
    report = replace(report, results={**report.results, "node_level": nodes})
    tables = study_tables(report)
    assert cells(tables["nodes_auc"])["bootstrap by patient"] == ["\u2013", "\u2013"]
    assert "No bootstrap interval of two-group label (as the paper) and score: too few patients." in tables["nodes_auc"].note
    assert set(cells(tables["nodes_rates"])["95 % interval (bootstrap by patient)"]) == {"\u2013"}
    assert "No bootstrap interval of PPV: too few patients." in tables["nodes_rates"].note
    assert "no bootstrap interval, because too few patients." in text_of(report)
    assert "bootstrap by patient." in text_of(paper)


def test_the_model_card_says_of_data_only_what_is_known(paper, model_document):
    provenance = {**model_document["provenance"], "is_synthetic": False}
    card = model_card({**model_document, "provenance": provenance}, paper)
    assert "declared" not in str(card)
    assert "(not labeled synthetic)" in card.sections[2].sentences[0]
