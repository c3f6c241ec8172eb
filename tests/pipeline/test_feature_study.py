"""A study from feature tables alone: complete, repeatable, private, free of leaks, and nothing written where it is refused."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchmarks._simulated_study import N_FACTORS, PAPER, SMALL, Simulated, simulate_study

from axilla.cli import run
from axilla.evaluate import EvaluateSettings, evaluate
from axilla.io.database import SeriesRow
from axilla.io.models import read_model
from axilla.io.study import StudyFolder
from axilla.io.tables import write_features
from axilla.radiomics import FEATURE_NAMES
from axilla.table import FeatureTable


@dataclass(frozen=True)
class Made:
    """The simulated data, the study made of them, and what the command printed."""

    simulated: Simulated
    source: Path
    study: Path
    result: dict

    def study_again(self, root: Path, features: FeatureTable | None = None, sheet: pd.DataFrame | None = None) -> int:
        """The same command on changed data."""
        changed = Simulated(features or self.simulated.features, self.simulated.sheet if sheet is None else sheet)
        root.mkdir(exist_ok=True)
        table, clinical = changed.write(root)
        return run(["study", str(table), "--clinical", str(clinical), "-o", str(root / "study")])

    def patients(self, *roles: str) -> list[str]:
        """Hospital identifiers by role."""
        with StudyFolder.open(self.study).database() as database:
            key = StudyFolder.open(self.study).read_key()
            return [key[patient.patient_id] for patient in database.patients() if patient.role in roles]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    source = tmp_path_factory.mktemp("tables")
    simulated = simulate_study(SMALL, 5, effect=1.0)
    features, sheet = simulated.write(source)
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert run(["study", str(features), "--clinical", str(sheet), "-o", str(source / "study"), "--json"]) == 0
    return Made(simulated, source, source / "study", json.loads(said.getvalue()))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but the database, by name."""
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".db"
    }


def with_values(table: FeatureTable, change: Callable[[np.ndarray], np.ndarray], patients: list[str]) -> FeatureTable:
    """The table with the features of some patients changed."""
    frame = table.frame.copy()
    rows = frame["patient_id"].isin(patients)
    frame.loc[rows, list(FEATURE_NAMES)] = change(frame.loc[rows, list(FEATURE_NAMES)].to_numpy())
    return FeatureTable(frame)


def test_the_study_is_whole(made: Made) -> None:
    assert made.result["included"] == 44
    assert made.result["failed"] == {}
    level = made.result["results"]["node_level"]
    assert level["n"] == 72 + 72
    assert {name: level["n"] for name, level in made.result["results"]["patient_level"].items()} == {
        "cN0": 8,
        "cN+": 36,
        "cN+ without training patients": 24,
        "all": 44,
    }
    for name in (
        "results/predictions.csv",
        "results/patients.csv",
        "results/results.json",
        "model/model.json",
        "report/index.html",
    ):
        assert (made.study / name).is_file()
    assert {path.stem for path in (made.study / "figures").glob("*.svg")} >= {"flow", "clusters", "node_level", "patient_level"}


def test_it_is_labeled_synthetic_and_says_where_the_features_come_from(made: Made) -> None:
    assert read_model(made.study / "model" / "model.json").provenance.is_synthetic
    report = (made.study / "report" / "index.html").read_text(encoding="utf-8")
    assert "Synthetic data" in report
    assert "given as tables, measured by axilla" in report
    assert "located and segmented" not in report
    described = json.loads((made.study / "features.parquet.json").read_text())
    assert described["is_synthetic"]
    assert [(source["rows"], len(source["sha256"])) for source in described["sources"]] == [(280, 64)]


def test_the_groups_are_compared_feature_by_feature(made: Made) -> None:
    frame = pd.read_csv(made.study / "results/group_differences.csv").set_index("feature")
    assert frame.groupby("cohort").size().to_dict() == {"training": 107, "validation": 107}
    training = frame[frame["cohort"] == "training"]
    assert (training["n_1"] + training["n_2"] == 96).all()
    assert (training["low"] < training["effect"]).all()
    assert (training["p_holm"] >= training["p_value"]).all()
    assert (
        training.loc["original_shape_LeastAxisLength", "effect"] > 0 > training.loc["original_shape_SurfaceVolumeRatio", "effect"]
    )
    by_class = pd.read_csv(made.study / "results/group_differences_by_class.csv")
    assert by_class.groupby("cohort")["features"].sum().to_dict() == {"training": 107, "validation": 107}
    report = (made.study / "report/index.html").read_text(encoding="utf-8")
    assert "SurfaceVolumeRatio is lower" in report
    assert "the validation cohort agrees" in report
    assert "prove nothing" in report


def test_no_identifier_leaves_the_key(made: Made) -> None:
    key = StudyFolder.open(made.study).read_key()
    for name, content in contents(made.study).items():
        if name != "key.csv":
            assert not [hospital_id for hospital_id in key.values() if hospital_id.encode() in content], name


def test_making_it_again_and_running_it_again_change_no_byte(made: Made, tmp_path: Path) -> None:
    study = Path(shutil.copytree(made.study, tmp_path / "study"))
    before = contents(study)
    command = ["study", str(made.source / "features.csv"), "--clinical", str(made.source / "clinical.csv"), "-o", str(study)]
    assert run(command) == 0
    assert contents(study) == before
    assert run(["run", str(study)]) == 0
    assert run(["report", str(study)]) == 0
    assert contents(study) == before


def test_what_is_up_to_date_is_not_written_again_and_what_is_not_is(made: Made, tmp_path: Path) -> None:
    study = Path(shutil.copytree(made.study, tmp_path / "study"))
    before, report, decided = contents(study), study / "report" / "index.html", study / "study.toml"
    written = report.stat().st_mtime_ns
    assert run(["run", str(study)]) == 0
    assert report.stat().st_mtime_ns == written
    (study / "figures" / "flow.svg").write_text("something else")
    (study / "results" / "patients.csv").unlink()
    assert run(["run", str(study)]) == 0
    assert contents(study) == before
    decided.write_text(decided.read_text().replace("title = ", 'title = "A new name" # '))
    assert run(["run", str(study)]) == 0
    assert "A new name" in report.read_text(encoding="utf-8")


def test_what_study_toml_decides_holds(made: Made, tmp_path: Path) -> None:
    study = Path(shutil.copytree(made.study, tmp_path / "study"))
    decided = study / "study.toml"
    decided.write_text(decided.read_text() + '\n[settings.rule]\nname = "share"\nmin_share = 0.5\n')
    assert run(["run", str(study)]) == 0
    assert set(pd.read_csv(study / "results" / "patients.csv")["rule"]) == {"share>=0.5"}


def test_the_criteria_of_study_toml_hold_and_are_told(made: Made, tmp_path: Path, capsys) -> None:
    study = Path(shutil.copytree(made.study, tmp_path / "study"))
    decisions, before = study / "study.toml", (study / "study.toml").read_text()
    decisions.write_text(before + '[criteria.old]\ncolumn = "age"\nat_most = 60\nreason = "older than {at_most}"\n')
    for command in (["run", str(study)], ["report", str(study)]):
        assert run(command) == 0
        flow = pd.read_csv(study / "figures/flow.csv")
        assert flow.loc[flow["item"] == "older than 60", "patients"].item() > 0
        assert "older than 60 (asked for: at most 60)" in (study / "report/index.html").read_text(encoding="utf-8")
    decisions.write_text(before + '[criteria.own]\ncolumn = "smoker"\nallowed = ["no"]\n')
    anew = ["study", str(made.source / "features.csv"), "--clinical", str(made.source / "clinical.csv"), "-o", str(study)]
    for command in (["run", str(study)], ["report", str(study)], anew):
        capsys.readouterr()
        assert run(command) == 3
        assert "No patient has a value in smoker" in capsys.readouterr().err


def test_validation_features_move_no_bit_of_the_model(made: Made, tmp_path: Path) -> None:
    others = made.patients("validation", "cN0")
    changed = with_values(made.simulated.features, lambda values: -7 * values[::-1] + 3, others)
    assert made.study_again(tmp_path, changed) == 0
    assert (tmp_path / "study/model/model.json").read_bytes() == (made.study / "model/model.json").read_bytes()
    scores = [pd.read_csv(study / "results/predictions.csv")["score"] for study in (made.study, tmp_path / "study")]
    assert not np.allclose(*scores)


def test_validation_patients_and_their_pathology_move_no_bit_of_the_model(made: Made, tmp_path: Path) -> None:
    sheet = made.simulated.sheet.copy()
    validation = sheet["patient_id"].isin(made.patients("validation"))
    sheet.loc[validation, "nodes_positive"] = np.where(sheet["nodes_positive"] > 0, 0, sheet["nodes_examined"])[validation]
    sheet = sheet.drop(index=sheet.index[validation][0])
    assert made.study_again(tmp_path, sheet=sheet) == 0
    assert (tmp_path / "study/model/model.json").read_bytes() == (made.study / "model/model.json").read_bytes()


def what_training_says(study: Path) -> tuple[str, str, str]:
    """As text: what the choice of the rule rests on, every parameter tried, and the training patients' predictions."""
    rules = pd.read_csv(study / "results/rules.csv")
    with StudyFolder.open(study).database() as database:
        trained = [patient.patient_id for patient in database.patients() if patient.role == "training"]
    predictions = pd.read_csv(study / "results/predictions.csv")
    return (
        rules[rules["used_for_choice"]].to_csv(),
        (study / "results/rules_grid.csv").read_text(),
        predictions[predictions["patient_id"].isin(trained)].to_csv(),
    )


def held_out(study: Path) -> pd.DataFrame:
    rules = pd.read_csv(study / "results/rules.csv")
    return rules.loc[~rules["used_for_choice"] & rules["measure"].isin(["tp", "fp"]), ["rule", "cohort", "measure", "estimate"]]


def test_who_is_held_out_moves_neither_the_rule_nor_the_map_of_probabilities(made: Made, tmp_path: Path) -> None:
    """Features and pathology of validation and cN0 turned upside down: their own figures change, the choice does not."""
    others = made.patients("validation", "cN0")
    changed = with_values(made.simulated.features, lambda values: -7 * values[::-1] + 3, others)
    sheet = made.simulated.sheet.copy()
    rows = sheet["patient_id"].isin(others)
    sheet.loc[rows, "nodes_positive"] = np.where(sheet["nodes_positive"] > 0, 0, sheet["nodes_examined"])[rows]
    assert made.study_again(tmp_path, changed, sheet) == 0
    assert what_training_says(tmp_path / "study") == what_training_says(made.study)
    assert not held_out(made.study).equals(held_out(tmp_path / "study"))


def test_the_training_patients_pathology_does_move_the_choice(made: Made, tmp_path: Path) -> None:
    """So that the test before can fail: the burden of training patients dealt anew changes what the choice rests on."""
    sheet = made.simulated.sheet.copy()
    training = sheet.index[sheet["patient_id"].isin(made.patients("training"))]
    sheet.loc[training, "nodes_positive"] = sheet.loc[training, "nodes_positive"].to_numpy()[::-1]
    assert made.study_again(tmp_path, sheet=sheet) == 0
    assert what_training_says(tmp_path / "study")[0] != what_training_says(made.study)[0]
    assert (tmp_path / "study/model/model.json").read_bytes() == (made.study / "model/model.json").read_bytes()


def test_the_rule_chosen_is_used_where_the_user_says_so(made: Made, tmp_path: Path) -> None:
    rules = pd.read_csv(made.study / "results/rules.csv")
    chosen = rules.loc[rules["is_chosen"], "rule"].unique().tolist()
    assert len(chosen) == 1
    assert set(rules.loc[rules["is_in_force"], "rule"]) == {"any"}
    study = Path(shutil.copytree(made.study, tmp_path / "study"))
    decided = study / "study.toml"
    decided.write_text(
        decided.read_text() + '\n[settings.rule]\nname = "chosen"\n[settings.rule_choice]\ntarget_sensitivity = 0.6\n'
    )
    assert run(["run", str(study)]) == 0
    rules = pd.read_csv(study / "results/rules.csv")
    chosen = rules.loc[rules["is_chosen"], "rule"].unique().tolist()
    assert set(pd.read_csv(study / "results/patients.csv")["rule"]) == set(chosen) == set(rules.loc[rules["is_in_force"], "rule"])
    report = (study / "report/index.html").read_text(encoding="utf-8")
    assert "not used for the choice" in report
    assert "still calls 60 % of the 12 metastatic training patients" in report
    assert "no specificity could enter the choice" in report
    assert "were chosen on training patients alone" in report


def test_permuted_labels_give_an_auc_of_one_half(made: Made, tmp_path: Path) -> None:
    """Pathology dealt anew among the validation patients: the interval by patients must hold 0.5, and did not before."""
    sheet = made.simulated.sheet.copy()
    validation = sheet.index[sheet["patient_id"].isin(made.patients("validation"))]
    is_positive = np.random.default_rng(1).permutation(sheet.loc[validation, "nodes_positive"].to_numpy() > 0)
    sheet.loc[validation, "nodes_positive"] = np.where(is_positive, sheet.loc[validation, "nodes_examined"], 0)
    assert made.study_again(tmp_path, sheet=sheet) == 0
    found = json.loads((tmp_path / "study/results/results.json").read_text())["node_level"]["auc_score"]["intervals"]["bootstrap"]
    assert found["low"] < 0.5 < found["high"]
    assert made.result["results"]["node_level"]["auc_score"]["intervals"]["bootstrap"]["low"] > 0.7


def test_over_many_permutations_the_interval_holds_one_half_as_often_as_it_should(made: Made) -> None:
    """And the areas lie on both sides of it: labels that turned the score around would put all above."""
    predictions = pd.read_csv(made.study / "results/predictions.csv", keep_default_na=False, na_values={"group": ""})
    nodes = pd.read_csv(made.study / "results/evaluated_nodes.csv")[["patient_id", "node_id", "status"]]
    status = nodes.groupby("patient_id")["status"].first()
    rng, held, above = np.random.default_rng(2), 0, 0
    for _ in range(40):
        dealt = dict(zip(status.index, rng.permutation(status.to_numpy()), strict=True))
        permuted = nodes.assign(status=nodes["patient_id"].map(dealt))
        found = evaluate(predictions, permuted, settings=EvaluateSettings(n_resamples=400))
        interval = found.node_level.auc_score.others["bootstrap"]
        held += interval.low < 0.5 < interval.high
        above += interval.estimate > 0.5
    assert held >= 34  # of 40 at a level of 95 %; fewer have a chance below 2 %
    assert 10 <= above <= 30  # outside, a fair coin falls one time in 500


def test_the_order_of_rows_and_tables_does_not_matter(made: Made, tmp_path: Path) -> None:
    """Two tables, rows shuffled: the same model."""
    frame = made.simulated.features.frame.sample(frac=1, random_state=1)
    halves = frame["patient_id"].isin(made.patients("training"))
    paths = [tmp_path / "a.csv", tmp_path / "b.parquet"]
    for path, rows in zip(paths, (~halves, halves), strict=True):
        write_features(FeatureTable(frame[rows]), path, is_synthetic=True)
    clinical = made.source / "clinical.csv"
    assert run(["study", *map(str, paths), "--clinical", str(clinical), "-o", str(tmp_path / "study")]) == 0
    assert (tmp_path / "study/model/model.json").read_bytes() == (made.study / "model/model.json").read_bytes()


def test_who_has_no_row_fails_and_who_is_not_in_the_sheet_is_excluded(made: Made, tmp_path: Path) -> None:
    gone, unknown = made.patients("validation")[0], made.patients("cN0")[0]
    frame = made.simulated.features.frame
    sheet = made.simulated.sheet[made.simulated.sheet["patient_id"] != unknown]
    assert made.study_again(tmp_path, FeatureTable(frame[frame["patient_id"] != gone]), sheet) == 4
    flow = pd.read_csv(tmp_path / "study/figures/flow.csv").set_index("item")["patients"]
    assert flow["no row in the feature tables"] == 1
    assert flow["not in the clinical sheet"] == 1
    report = (tmp_path / "study/report/index.html").read_text(encoding="utf-8")
    assert "no row in the feature tables" in report
    assert "not in the clinical sheet" in report


def test_a_node_that_could_not_be_measured_is_not_evaluable(made: Made, tmp_path: Path) -> None:
    frame = made.simulated.features.frame.copy()
    patient = made.patients("validation")[0]
    row = frame.index[frame["patient_id"] == patient][0]
    frame.loc[row, list(FEATURE_NAMES)] = np.nan
    frame.loc[row, ["feature_status", "reason"]] = ["refused", "a line of voxels"]
    assert made.study_again(tmp_path, FeatureTable(frame)) == 0
    level = json.loads((tmp_path / "study/results/results.json").read_text())["node_level"]
    assert (level["n"], level["not_evaluable"]) == (143, 1)
    assert pd.read_csv(tmp_path / "study/figures/flow.csv").query("step == 'not evaluable'")["nodes"].sum() == 1


def renamed(table: FeatureTable, name: Callable[[str], str]) -> FeatureTable:
    frame = table.frame
    return FeatureTable(frame.assign(node_id=[name(node) for node in frame["node_id"]]))


def test_nodes_of_the_other_side_are_shown_and_not_used(made: Made, tmp_path: Path) -> None:
    other = {"L": "R", "R": "L"}
    side_of_first = renamed(made.simulated.features, lambda node: other[node[0]] + node[1:] if node.endswith("01") else node)
    assert made.study_again(tmp_path, side_of_first) == 0
    nodes = pd.read_csv(tmp_path / "study/results/nodes.csv", keep_default_na=False)
    assert (nodes["counts"] != "").sum() == 44
    assert read_model(tmp_path / "study/model/model.json").provenance.n_nodes == 96 - 12


def test_where_no_side_is_told_nodes_are_taken_as_operated_with_a_warning(made: Made, tmp_path: Path, capsys) -> None:
    assert made.study_again(tmp_path, renamed(made.simulated.features, lambda node: f"node {node[1:]}")) == 0
    assert "side of 280 nodes of 44 patients" in capsys.readouterr().out
    report = (tmp_path / "study/report/index.html").read_text(encoding="utf-8")
    assert "side of 280 nodes of 44 patients" in report
    assert "every node was taken as of the operated side and counted" in report
    assert "Only nodes of the operated side" not in report
    assert read_model(tmp_path / "study/model/model.json").provenance.n_nodes == 96


def test_identifiers_in_the_names_of_nodes_become_pseudonyms(made: Made, tmp_path: Path) -> None:
    frame = made.simulated.features.frame
    named = frame.assign(node_id=frame["patient_id"] + "_node" + frame["node_id"].str[1:])
    assert made.study_again(tmp_path, FeatureTable(named)) == 0
    nodes = pd.read_csv(tmp_path / "study/results/nodes.csv")
    assert (nodes["node_id"].str[:5] == nodes["patient_id"]).all()


def test_pseudonyms_stay(made: Made, tmp_path: Path) -> None:
    """Sheets whose patients are pseudonyms keep them, and who came first keeps its own."""
    sheet = made.simulated.sheet.assign(patient_id=[f"P{9000 - i}" for i in range(44)])
    names = dict(zip(made.simulated.sheet["patient_id"], sheet["patient_id"], strict=True))
    frame = made.simulated.features.frame
    assert made.study_again(tmp_path, FeatureTable(frame.assign(patient_id=frame["patient_id"].map(names))), sheet) == 0
    key = StudyFolder.open(tmp_path / "study").read_key()
    assert all(pseudonym == name for pseudonym, name in key.items())


def refused(arguments: list[str], root: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The sentence said; nothing may have been written."""
    assert run(arguments) == 3
    assert not (root / "study").exists()
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("axilla: ")
    return said


def test_every_fault_of_the_sheet_is_told_at_once(made: Made, tmp_path: Path, capsys) -> None:
    sheet = made.simulated.sheet.astype(str)
    sheet.loc[0, "operated_side"] = "up"
    sheet.loc[3, "nodes_positive"] = "99"
    sheet.loc[5, "patient_id"] = sheet.loc[4, "patient_id"]
    sheet.to_csv(tmp_path / "clinical.csv", index=False)
    arguments = [str(made.source / "features.csv"), "--clinical", str(tmp_path / "clinical.csv"), "-o", str(tmp_path / "study")]
    said = refused(["study", *arguments], tmp_path, capsys)
    assert "3 faulty row(s)" in said
    assert all(f"row {row}:" in said for row in (2, 5, 7))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: frame.assign(patient_id="X" + frame["patient_id"]), "None of the 44 patients"),
        (lambda frame: frame.assign(node_id=frame["node_id"].where(frame.index > 0, "odd")), "the side of some nodes but not of"),
        (lambda frame: frame.drop(columns="original_glcm_Idn"), "original_glcm_Idn"),
        (lambda frame: frame[frame["patient_id"] > "SIM0012"], "None of the 32 patients can be trained on"),
        (lambda frame: frame[frame["patient_id"] > "SIM0011"], "at least 10 nodes"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(made: Made, tmp_path: Path, capsys, change: Callable, said: str) -> None:
    assert made.study_again(tmp_path, FeatureTable(change(made.simulated.features.frame))) == 3
    assert said in capsys.readouterr().err
    assert not (tmp_path / "study").exists()


def test_tables_that_do_not_fit_each_other_are_refused(made: Made, tmp_path: Path, capsys) -> None:
    frame = made.simulated.features.frame
    half = frame["patient_id"] < "SIM0020"
    for name, rows, width in (("a", half, 25.0), ("b", ~half, 32.0), ("c", frame["patient_id"] > "SIM0005", 25.0)):
        write_features(FeatureTable(frame[rows]), tmp_path / f"{name}.csv", provenance={"settings": {"bin_width": width}})
    rest = ["--clinical", str(made.source / "clinical.csv"), "-o", str(tmp_path / "study")]
    said = refused(["study", str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), *rest], tmp_path, capsys)
    assert "bin_width" in said
    said = refused(["study", str(tmp_path / "a.csv"), str(tmp_path / "c.csv"), *rest], tmp_path, capsys)
    assert "stands in" in said


KILLED = """
import os, pathlib, signal, sys
from axilla.cli import run

replace, left = pathlib.Path.replace, int(sys.argv[1])

def dying(self, target):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)

pathlib.Path.replace = dying
sys.exit(run(sys.argv[2:]))
"""
"""The command, killed when it is about to give a file its name for the n-th time."""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("moment", [3, 7, 20])
def test_killed_and_called_again_it_ends_with_the_same_bytes(made: Made, tmp_path: Path, moment: int) -> None:
    """Files: 2 the key and study.toml, 4 sides, 6 features, then the model, results, figures, report."""
    study = tmp_path / "study"
    command = ["study", str(made.source / "features.csv"), "--clinical", str(made.source / "clinical.csv"), "-o", str(study)]
    killed = subprocess.run([sys.executable, "-c", KILLED, str(moment), *command], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (study / "report" / "index.html").exists()
    assert run(command) == 0
    assert contents(study) == contents(made.study)


def test_a_study_of_cts_is_not_overwritten(made: Made, tmp_path: Path, capsys) -> None:
    with StudyFolder.create(tmp_path / "study").database() as database:
        database.save_catalog([], [SeriesRow("P0001", "1.2", True, "", ("ct.dcm",), 90, "chest")])
    assert made.study_again(tmp_path) == 3
    assert "made from CTs" in capsys.readouterr().err


def test_a_table_by_mirp_makes_a_study(made: Made, tmp_path: Path) -> None:
    """Names only: MIRP's own columns, filled with simulated values. That they are simulated, the sheet's sidecar says."""
    from axilla.io.mirp import MIRP_NAMES

    frame = made.simulated.features.frame
    named = {theirs: frame[f"original_{ours}"] for theirs, ours in MIRP_NAMES.items()}
    mirp = pd.DataFrame({"sample_name": frame["patient_id"], "image_mask_label": frame["node_id"], **named})
    mirp.to_csv(tmp_path / "mirp.csv", index=False)
    arguments = [str(tmp_path / "mirp.csv"), "--clinical", str(made.source / "clinical.csv"), "-o", str(tmp_path / "study")]
    assert run(["study", *arguments]) == 0
    model = read_model(tmp_path / "study/model/model.json")
    assert model.provenance.is_synthetic
    assert model.provenance.n_nodes == 96


def test_the_papers_numbers_of_patients_and_nodes_come_out(tmp_path: Path) -> None:
    """Qu et al. 2024: 1737 / 190 = 9.14, 941 / 123 = 7.65 and 456 / 37 = 12.32 nodes a patient; cN0 128, cN+ 350."""
    table, clinical = simulate_study(PAPER, 20240723).write(tmp_path)
    assert run(["study", str(table), "--clinical", str(clinical), "-o", str(tmp_path / "study")]) == 0
    flow = pd.read_csv(tmp_path / "study/figures/flow.csv").query("step == 'cohort'").set_index("item")
    assert flow["patients"].to_dict() == {"training": 190, "validation": 160, "cN0": 128}
    assert flow["nodes"].to_dict() == {"training": 1737, "validation": 1397, "cN0": 1024}
    assert '<td class="n">9.14</td>' in (tmp_path / "study/report/index.html").read_text(encoding="utf-8")
    nodes = pd.read_csv(tmp_path / "study/results/evaluated_nodes.csv").groupby("status")
    assert (nodes.size() / nodes["patient_id"].nunique()).round(2).to_dict() == {"benign": 7.65, "metastatic": 12.32}
    results = json.loads((tmp_path / "study/results/results.json").read_text())
    assert [results["patient_level"][name]["n"] for name in ("cN0", "cN+", "cN+ without training patients")] == [128, 350, 160]
    assert len(read_model(tmp_path / "study/model/model.json").feature_names) == N_FACTORS


def test_what_the_tables_cannot_say_is_told(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv(made.source / "features.csv").drop(columns=["original_ngtdm_Busyness"]).astype({"reason": object})
    frame.loc[frame.index[:3], "original_firstorder_Mean"] = np.nan
    frame.loc[frame.index[:3], ["feature_status", "reason"]] = ["refused", "too small"]
    frame.to_csv(tmp_path / "features.csv", index=False)
    sheet, study = str(made.source / "clinical.csv"), tmp_path / "s"
    assert run(["study", str(tmp_path / "features.csv"), "--clinical", sheet, "-o", str(study)]) == 0
    said = capsys.readouterr().out
    assert f"nodes that count: {len(frame)}, 3 of them without features" in said
    assert "warning: The tables lack 1 of the 107 features: original_ngtdm_Busyness." in said
    assert "hold no detection score" in said
    assert "hold no detection score" in (study / "report" / "index.html").read_text(encoding="utf-8")


def test_a_refused_run_says_that_what_lies_there_is_older(made: Made, tmp_path: Path, capsys) -> None:
    study = Path(shutil.copytree(made.study, tmp_path / "study"))
    with (study / "study.toml").open("a") as decisions:
        decisions.write('[criteria.nobody]\ncolumn = "age"\nat_least = 119\nreason = "young"\n')
    assert run(["run", str(study)]) == 3
    assert "are of an earlier run" in capsys.readouterr().err
