"""A study in which much is wrong: it completes, says whose data broke what, and every patient and node is accounted for."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import generate_uid

from axilla.cli import run
from axilla.io.study import StudyFolder

TRUNCATED, SIDELESS, BILATERAL, TINY = "BAD0001", "BAD0002", "BAD0003", "BAD0004"


def another_patient(source: Path, target: Path, patient_id: str) -> None:
    """The same CT as of somebody else."""
    target.mkdir(parents=True)
    study, series = generate_uid(), generate_uid()
    for path in sorted(source.iterdir()):
        header = pydicom.dcmread(path)
        header.PatientID, header.StudyInstanceUID, header.SeriesInstanceUID = patient_id, study, series
        header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        header.save_as(target / path.name)


def mask_of_two_voxels(ct: Path, path: Path) -> None:
    """Two nodes of one voxel each, one per side: too small to be measured."""
    image = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(ct)))
    array = np.zeros(image.GetSize()[::-1], dtype=np.uint8)
    middle = array.shape[0] // 2, array.shape[1] // 2
    array[(*middle, array.shape[2] // 5)], array[(*middle, array.shape[2] * 4 // 5)] = 1, 2
    mask = sitk.GetImageFromArray(array)
    mask.CopyInformation(image)
    path.parent.mkdir(parents=True)
    sitk.WriteImage(mask, str(path))


@pytest.fixture(scope="module")
def damaged(finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished study with four more patients, each with something wrong; imported, not run."""
    root = tmp_path_factory.mktemp("damaged")
    study = Path(shutil.copytree(finished.study, root / "study"))
    for name in (TRUNCATED, SIDELESS, BILATERAL, TINY):
        another_patient(finished.source / "dicom" / "SIM0004", root / "dicom" / name, name)
    mask_of_two_voxels(root / "dicom" / TINY, root / "masks" / f"{TINY}.nii.gz")
    sheet = pd.read_csv(finished.source / "clinical.csv", dtype=str, keep_default_na=False).set_index("patient_id")
    for name in (TRUNCATED, SIDELESS, BILATERAL, TINY):
        sheet.loc[name] = sheet.loc["SIM0004"]
    sheet.loc[SIDELESS, "operated_side"] = ""
    sheet.loc[BILATERAL, "operated_side"] = "both"
    sheet.reset_index().to_csv(root / "clinical.csv", index=False)
    options = ["--clinical", str(root / "clinical.csv"), "--masks", str(root / "masks")]
    assert run(["import", str(root / "dicom"), "--study", str(study), *options]) == 0
    victim = sorted((root / "dicom" / TRUNCATED).iterdir())[40]
    victim.write_bytes(victim.read_bytes()[:4000])
    return study


def test_the_others_are_done_and_every_patient_and_node_is_accounted_for(
    damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", str(damaged), "--jobs", "1", "--json"]) == 4
    result = json.loads(capsys.readouterr().out)
    name = {hospital: pseudonym for pseudonym, hospital in StudyFolder.open(damaged).read_key().items()}
    assert list(result["failed"]) == [name[TRUNCATED]]
    assert result["excluded"][name[SIDELESS]] == "operated side missing"
    assert result["excluded"][name[BILATERAL]] == "bilateral breast cancer"

    calls = pd.read_csv(damaged / "results" / "patients.csv").set_index("patient_id")
    assert calls.loc[name[TINY], "call"] == "not evaluable"
    assert calls.loc[name[TINY], ["n_nodes", "n_not_evaluable"]].tolist() == [1, 1]
    assert calls.loc[name[TRUNCATED], "call"] == "not evaluable"

    html = (damaged / "report" / "index.html").read_text(encoding="utf-8")
    for patient in (TRUNCATED, SIDELESS, BILATERAL, TINY):
        assert name[patient] in html
        assert patient not in html
    assert "The nodes of 1 patient were drawn by hand" in html
    table = pd.read_csv(damaged / "results" / "tables" / "table_1.csv")
    assert sum(int(head.split("n = ")[1].rstrip(")")) for head in table.columns if head.startswith(("cN0 (", "cN+ ("))) == 7
    check_flow(damaged)


def check_flow(study: Path) -> None:
    """The diagram's numbers add up to themselves, and to the study's tables."""
    flow = pd.read_csv(study / "figures" / "flow.csv", keep_default_na=False)
    patients = flow[flow["patients"] != ""].astype({"patients": int}).groupby("step")["patients"].sum()
    assert patients["offered"] == 11
    assert (patients["excluded"], patients["failed"], patients["cohort"]) == (3, 1, 7)
    assert patients["analyzed"] == patients["status"] == patients["call"] == patients["cohort"]
    assert (patients["all excluded"], patients["all failed"]) == (3, 1)
    assert patients["not evaluable"] == 1
    nodes = flow[flow["nodes"] != ""].astype({"nodes": int}).groupby("step")["nodes"].sum()
    counting = pd.read_csv(study / "results" / "nodes.csv", keep_default_na=False).query("counts == ''")
    predictions = pd.read_csv(study / "results" / "predictions.csv").merge(counting[["patient_id", "node_id"]])
    assert nodes["cohort"] == len(counting) == len(predictions)
    assert nodes["evaluable"] + nodes["not evaluable"] == nodes["cohort"]
    assert nodes["not evaluable"] == predictions["group"].isna().sum() == 1


def test_a_full_disk_ends_the_run_with_a_sentence_and_loses_nothing(
    finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = Path(shutil.copytree(finished.study, tmp_path / "study"))
    (study / "patients" / "P0002" / "atlas.glb").unlink()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("axilla.io.files.os.fsync", full)
    assert run(["run", str(study), "--jobs", "1"]) == 3
    assert "No space left on device" in capsys.readouterr().err
    monkeypatch.undo()
    assert not list(study.rglob(".*"))
    assert run(["run", str(study), "--jobs", "1"]) == 0
    for path in finished.study.rglob("*.*"):
        if path.is_file() and path.name != "study.db":
            assert path.read_bytes() == (study / path.relative_to(finished.study)).read_bytes()
