"""Whose pictures a report holds, and which tables lie beside it."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pandas as pd
from benchmarks._simulated_study import SMALL, simulate_study

from axilla.cohort import Patient
from axilla.figures import Drawing
from axilla.io.study import StudyFolder
from axilla.pipeline.feature_study import study_from_features
from axilla.pipeline.reporting import MOST_PICTURED, _captioned, _pictured, _said_of_nodes, _write_tables
from axilla.pipeline.study import run_study
from axilla.report import Table


def results(n: int, wrong: set[int]) -> SimpleNamespace:
    patients = tuple(Patient(f"P{i:04d}", "cN0", "R", 3, 0) for i in range(n))
    calls = ["metastatic" if i in wrong else "benign" for i in range(n)]
    frame = pd.DataFrame({"patient_id": [patient.patient_id for patient in patients], "call": calls})
    return SimpleNamespace(finished=patients, patients=frame)


def test_everyone_is_pictured_until_they_are_too_many() -> None:
    assert len(_pictured(results(MOST_PICTURED, {3}))) == MOST_PICTURED


def test_of_many_those_called_wrongly_are_pictured() -> None:
    assert [patient.patient_id for patient in _pictured(results(MOST_PICTURED + 1, {3, 40}))] == ["P0003", "P0040"]
    assert len(_pictured(results(478, set(range(0, 478, 2))))) == MOST_PICTURED


def test_tables_no_more_printed_go(tmp_path) -> None:
    table = Table("table_1", "Table 1", pd.DataFrame({"a": ["1"]}))
    folder = StudyFolder(tmp_path)
    _write_tables(folder, {"table_1": table, "table_2": Table("table_2", "Table 2", table.frame)}, is_synthetic=True)
    _write_tables(folder, {"table_1": table}, is_synthetic=True)
    assert sorted(path.name for path in folder.tables.iterdir()) == ["table_1.csv", "table_1.csv.json"]


def test_what_study_toml_says_reaches_results_and_report(tmp_path) -> None:
    features, sheet = simulate_study(SMALL, 5, effect=1.0).write(tmp_path)
    study = tmp_path / "study"
    study_from_features([features], sheet, study)
    with (study / "study.toml").open("a", encoding="utf-8") as toml:
        toml.write("[settings.evaluate]\nn_resamples = 321\nseed = 77\nlevel = 0.9\n[criteria.bilateral]\nuse = false\n")
    run_study(study)
    results = json.loads((study / "results" / "results.json").read_text(encoding="utf-8"))
    html = (study / "report" / "index.html").read_text(encoding="utf-8")
    assert results["level"] == 0.9
    assert "321 resamples" in results["node_level"]["auc_score"]["intervals"]["bootstrap"]["method"]
    for words in ("(321 resamples, seed 77, percentiles)", "90 % intervals by Wilson", "left out: bilateral breast cancer"):
        assert words in html
    rates = pd.read_csv(study / "results" / "tables" / "table_2_rates.csv")
    assert rates.iloc[1, 0] == "90 % interval (Wilson)"


def test_a_picture_says_group_score_and_why_its_node_does_not_count() -> None:
    keys = {"patient_id": "P1", "node_id": ["R01", "L01", "R02"]}
    predictions = pd.DataFrame({**keys, "group": pd.array([2, 1, pd.NA], dtype="Int64"), "score": [1.234, -0.5, float("nan")]})
    nodes = pd.DataFrame({**keys, "counts": ["", "not of the operated side", ""]})
    said = _said_of_nodes(SimpleNamespace(predictions=predictions, nodes=nodes))
    assert list(said.values()) == [
        "Group 2, score 1.23",
        "Group 1, score \u22120.50; not used: not of the operated side",
        "not evaluable",
    ]
    drawing = Drawing("node_R01", b"x", "image/jpeg", "Node R01 on the CT.")
    assert _captioned(drawing, said["P1", "node_R01"]).alt == "Node R01 on the CT; Group 2, score 1.23."
