"""A study from DICOM to report: complete, repeatable, private, and robust against one patient's bad data."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from axilla.cli import run
from axilla.io import read_ct
from axilla.io.models import read_model
from axilla.io.study import StudyFolder
from axilla.pipeline.stages import LEARN, PATIENT_STAGES, REPORT, outputs_of

EXTERNAL = re.compile(r"""(?:src|href)\s*=\s*["']?(?!data:|#)[^"'>\s]+|url\(\s*["']?(?!data:|#)""")


def tables(folder: Path) -> dict[str, bytes]:
    """Every result file by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def copied(finished: object, tmp_path: Path) -> Path:
    """The finished study, to be broken; the DICOM files stay where they are."""
    return Path(shutil.copytree(finished.study, tmp_path / "study"))  # type: ignore[attr-defined]


def test_the_run_ends_well_and_leaves_every_file(finished) -> None:
    assert finished.status == 0
    folder = StudyFolder.open(finished.study)
    with folder.database() as database:
        journal = {(row.stage, row.patient_id): row for row in database.journal()}
        assert len(database.patients()) == 7
    assert {row.state for row in journal.values()} == {"done"}
    included = {patient_id for _, patient_id in journal if patient_id}
    assert len(included) == 6
    for patient_id in included:
        for stage in PATIENT_STAGES:
            assert outputs_of(stage, folder.patient(patient_id)) == journal[stage.name, patient_id].outputs
    for stage in (LEARN, REPORT):
        assert outputs_of(stage, folder.root) == journal[stage.name, ""].outputs
    assert {path.name for path in folder.results.iterdir()} >= {"predictions.csv", "patients.csv", "results.json", "nodes.csv"}
    svgs = {path.stem for path in folder.figures.glob("*.svg")}
    assert svgs >= {"flow", "clusters", "characterization"}
    assert {path.stem for path in folder.figures.glob("*.csv")} >= svgs


def test_the_flow_adds_up(finished) -> None:
    flow = pd.read_csv(finished.study / "figures" / "flow.csv", keep_default_na=False)
    by_step = flow[flow["patients"] != ""].astype({"patients": int}).groupby("step")["patients"].sum()
    assert by_step["offered"] == 7
    assert by_step["excluded"] == 1
    assert by_step["cohort"] == 6


def test_nodes_lie_on_the_grid_of_their_ct(finished) -> None:
    image = sitk.ReadImage(str(finished.study / "patients" / "P0001" / "nodes.nii.gz"))
    volume = read_ct(finished.source / "dicom" / "SIM0001").volume
    assert image.GetSize() == volume.geometry.shape_zyx[::-1]
    np.testing.assert_allclose(image.GetOrigin(), volume.geometry.origin_xyz_mm, atol=1e-3)
    nodes = pd.read_csv(finished.study / "patients" / "P0001" / "nodes.csv")
    labels = sitk.GetArrayFromImage(image)
    assert sorted(set(np.unique(labels)) - {0}) == sorted(nodes["label"])
    for node in nodes.itertuples():
        assert (labels[int(node.slice_index)] == node.label).any()
        assert volume.slices[int(node.slice_index)].sop_instance_uid == node.sop_instance_uid


def test_only_the_operated_side_is_used(finished) -> None:
    nodes = pd.read_csv(finished.study / "results" / "nodes.csv", keep_default_na=False)
    with StudyFolder.open(finished.study).database() as database:
        side = {patient.patient_id: patient.operated_side for patient in database.patients()}
    used = nodes[nodes["counts"] == ""]
    assert len(used) > 0
    assert (used["side"] == used["patient_id"].map(side)).all()
    evaluated = pd.read_csv(finished.study / "results" / "evaluated_nodes.csv")
    keys = set(zip(used["patient_id"], used["node_id"], strict=True))
    assert set(zip(evaluated["patient_id"], evaluated["node_id"], strict=True)) <= keys


def test_the_model_knows_it_is_synthetic_and_what_it_was_trained_on(finished) -> None:
    model = read_model(finished.study / "model" / "model.json")
    assert model.provenance.is_synthetic
    nodes = pd.read_csv(finished.study / "results" / "nodes.csv", keep_default_na=False)
    with StudyFolder.open(finished.study).database() as database:
        training = {patient.patient_id for patient in database.patients() if patient.role == "training"}
    used = nodes[(nodes["counts"] == "") & nodes["patient_id"].isin(training)]
    assert model.provenance.n_nodes + model.provenance.n_not_evaluable == len(used)


def test_the_report_is_self_contained_labeled_and_nameless(finished) -> None:
    html = (finished.study / "report" / "index.html").read_text(encoding="utf-8")
    assert not EXTERNAL.findall(html)
    assert "Research use only" in html
    assert "ynthetic" in html
    key = StudyFolder.open(finished.study).read_key()
    for hospital_id in key.values():
        assert hospital_id not in html
    with StudyFolder.open(finished.study).database() as database:
        for row in database.series():
            assert row.series_uid not in html


def test_results_and_figures_carry_no_identity(finished) -> None:
    """They are handed on; the link to the CT stays in the patients' folders."""
    folder = StudyFolder.open(finished.study)
    with folder.database() as database:
        secret = {*folder.read_key().values(), str(finished.source), *(row.series_uid for row in database.series())}
    for path in sorted((finished.study / "patients").glob("*/nodes.csv")):
        secret |= set(pd.read_csv(path)["sop_instance_uid"])
    for path in (*folder.results.rglob("*"), *folder.figures.rglob("*"), folder.report_path, folder.model_path):
        if path.is_file():
            content = path.read_bytes()
            assert not [word for word in secret if word.encode() in content], path


def test_running_again_changes_no_byte_and_reads_no_ct(finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = copied(finished, tmp_path)
    monkeypatch.setattr("axilla.pipeline._cases.run_case", lambda task, _: pytest.fail(f"{task.patient_id} was done again"))
    assert run(["run", str(study), "--jobs", "1"]) == 0
    for name in ("results", "model", "figures", "report"):
        assert tables(study / name) == tables(finished.study / name)


def test_a_patient_whose_files_are_lost_is_done_again_with_the_same_bytes(finished, tmp_path: Path) -> None:
    study = copied(finished, tmp_path)
    (study / "patients" / "P0002" / "nodes.csv").unlink()
    assert run(["run", str(study), "--jobs", "1"]) == 0
    assert tables(study / "patients" / "P0002") == tables(finished.study / "patients" / "P0002")


def test_one_damaged_patient_fails_alone(finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = Path(shutil.copytree(finished.source / "dicom" / "SIM0002", tmp_path / "dicom" / "SIM0002"))
    study = copied(finished, tmp_path)
    victim = sorted(source.iterdir())[20]
    assert run(["import", str(tmp_path / "dicom"), "--study", str(study)]) == 0
    victim.write_bytes(victim.read_bytes()[:5000])
    assert run(["run", str(study), "--jobs", "1", "--json"]) == 4
    result = json.loads(capsys.readouterr().out.split("next: axilla run", 1)[1].split("\n", 1)[1])
    assert list(result["failed"]) == ["P0002"]
    html = (study / "report" / "index.html").read_text(encoding="utf-8")
    assert "P0002" in html
    assert pd.read_csv(study / "figures" / "flow.csv").query("step == 'failed'")["patients"].sum() == 1


def moved(finished: object, patient: str, tmp_path: Path) -> tuple[Path, Path]:
    """The finished study, and one patient's DICOM imported from a place of its own."""
    study = copied(finished, tmp_path)
    source = Path(shutil.copytree(finished.source / "dicom" / patient, tmp_path / "dicom" / patient))  # type: ignore[attr-defined]
    assert run(["import", str(tmp_path / "dicom"), "--study", str(study)]) == 0
    return study, source


def test_dicom_that_moved_as_it_is_is_not_read_again(finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study, _ = moved(finished, "SIM0004", tmp_path)
    monkeypatch.setattr("axilla.pipeline._cases.run_case", lambda task, _: pytest.fail(f"{task.patient_id} was done again"))
    assert run(["run", str(study), "--jobs", "1"]) == 0


def test_what_was_made_of_lost_dicom_stands_and_that_is_told(
    finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, source = moved(finished, "SIM0004", tmp_path)
    shutil.rmtree(source)
    assert run(["run", str(study), "--jobs", "1"]) == 0
    assert "CT or mask of P0004 is no longer where it was imported from" in capsys.readouterr().out
    assert tables(study / "results") == tables(finished.study / "results")


def test_lost_dicom_fails_the_patient_where_it_is_needed(finished, tmp_path: Path) -> None:
    study, source = moved(finished, "SIM0004", tmp_path)
    shutil.rmtree(source)
    (study / "patients" / "P0004" / "nodes.csv").unlink()
    assert run(["run", str(study), "--jobs", "1"]) == 4
    with StudyFolder.open(study).database() as database:
        failed = {row.patient_id: row.message for row in database.journal() if row.state == "failed"}
    assert list(failed) == ["P0004"]
    assert "gone" in failed["P0004"]


def test_changed_dicom_is_read_again_and_that_is_told(finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study, source = moved(finished, "SIM0004", tmp_path)
    os.utime(next(source.iterdir()))
    assert run(["run", str(study), "--jobs", "1"]) == 0
    assert "done again from locate: CT changed: 1 patient(s)" in capsys.readouterr().out
    assert tables(study / "patients") == tables(finished.study / "patients")


def test_a_changed_setting_does_again_what_depends_on_it(
    finished, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = copied(finished, tmp_path)
    decisions = (study / "study.toml").read_text(encoding="utf-8")
    (study / "study.toml").write_text(decisions + "\n[settings.radiomics]\nbin_width = 50.0\n", encoding="utf-8")
    monkeypatch.setattr("axilla.pipeline.case.locate", lambda *_: pytest.fail("nodes were located again"))
    assert run(["report", str(study)]) == 3
    assert "P0001 is not up to date; run the study first" in capsys.readouterr().err
    assert run(["run", str(study), "--jobs", "1"]) == 0
    assert run(["report", str(study)]) == 0
    assert "done again from extract: settings changed: 6 patient(s)" in capsys.readouterr().out
    changed = pd.read_parquet(study / "patients" / "P0001" / "features.parquet")
    assert not changed.equals(pd.read_parquet(finished.study / "patients" / "P0001" / "features.parquet"))
    (study / "study.toml").write_text(decisions, encoding="utf-8")
    assert run(["run", str(study), "--jobs", "1"]) == 0
    assert tables(study / "patients") == tables(finished.study / "patients")


def test_a_file_corrected_by_hand_is_never_overwritten(finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = copied(finished, tmp_path)
    path = study / "patients" / "P0003" / "nodes.csv"
    corrected = path.read_text(encoding="utf-8") + "\n"
    path.write_text(corrected, encoding="utf-8")
    assert run(["run", str(study), "--jobs", "1"]) == 4
    assert "P0003/nodes.csv is not as axilla wrote it" in capsys.readouterr().out
    assert path.read_text(encoding="utf-8") == corrected
    path.unlink()
    assert run(["run", str(study), "--jobs", "1"]) == 0
    assert tables(study / "patients") == tables(finished.study / "patients")


def vouch_for(study: Path, patient_id: str) -> None:
    """Let the journal take a patient's files as they are for what axilla wrote."""
    folder = StudyFolder.open(study)
    with folder.database() as database:
        rows = {row.stage: row for row in database.journal() if row.patient_id == patient_id}
        stages = {stage.name: stage for stage in PATIENT_STAGES}
        found = [replace(row, outputs=outputs_of(stages[name], folder.patient(patient_id))) for name, row in rows.items()]
        database.record(patient_id, found)


def changed_sheet(change: Callable[[pd.DataFrame], None]) -> Callable[[Path, Path], Path]:
    def write(source: Path, target: Path) -> Path:
        sheet = pd.read_csv(source / "clinical.csv", dtype=str, keep_default_na=False)
        change(sheet)
        sheet.to_csv(target, index=False)
        return target

    return write


def test_a_missing_side_and_a_bilateral_cancer_exclude(finished, tmp_path: Path) -> None:
    def change(sheet: pd.DataFrame) -> None:
        sheet.loc[0, "operated_side"] = ""
        sheet.loc[1, "operated_side"] = "both"

    study = copied(finished, tmp_path)
    sheet = changed_sheet(change)(finished.source, tmp_path / "clinical.csv")
    assert run(["import", str(finished.source / "dicom"), "--study", str(study), "--clinical", str(sheet)]) == 0
    with StudyFolder.open(study).database() as database:
        patients = database.patients()
    from axilla.cohort import screen

    excluded = screen(patients).excluded
    assert excluded["P0001"] == "operated side missing"
    assert excluded["P0002"] == "bilateral breast cancer"


def test_validation_data_moves_no_bit_of_the_model(finished, tmp_path: Path) -> None:
    study = copied(finished, tmp_path)
    with StudyFolder.open(study).database() as database:
        other = [p.patient_id for p in database.patients() if p.role in {"validation", "cN0"}]
    for patient_id in other:
        path = study / "patients" / patient_id / "features.parquet"
        if path.is_file():
            frame = pd.read_parquet(path)
            numbers = frame.columns[frame.columns.str.startswith("original_")]
            frame[numbers] = frame[numbers] * 7 + 3
            frame.to_parquet(path)
            vouch_for(study, patient_id)
    assert run(["run", str(study), "--jobs", "1"]) == 0
    assert (study / "model" / "model.json").read_bytes() == (finished.study / "model" / "model.json").read_bytes()
    before = pd.read_csv(finished.study / "results" / "predictions.csv")["score"]
    assert not np.allclose(pd.read_csv(study / "results" / "predictions.csv")["score"], before, equal_nan=True)


@pytest.mark.browser
def test_the_report_opens_in_a_browser_with_every_picture(finished, chromium) -> None:
    page = chromium.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: asked.append(f"error: {error}"))
    page.goto((finished.study / "report" / "index.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    widths = page.evaluate("Promise.all([...document.images].map(async i => { await i.decode(); return i.naturalWidth }))")
    nodes = pd.read_csv(finished.study / "results" / "nodes.csv")
    assert len(widths) >= len(nodes) + 5
    assert min(widths) > 20
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    page.close()


def test_synthetic_and_real_patients_in_one_study_are_told(
    finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = copied(finished, tmp_path)
    real = study / "patients" / "P0001" / "features.parquet"
    monkeypatch.setattr("axilla.pipeline.study.is_synthetic_table", lambda path: path != real)
    assert run(["run", str(study), "--jobs", "1"]) == 0
    assert "5 of the 6 patients are synthetic, the others real" in capsys.readouterr().out
    assert "5 of the 6 patients are synthetic" in (study / "report" / "index.html").read_text(encoding="utf-8")
