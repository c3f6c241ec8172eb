"""Importing more than once, and while another process works on the study."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread

from axilla.cli import run
from axilla.cohort import PAPER_CRITERIA
from axilla.errors import InputRefusedError
from axilla.io.study import StudyFolder

sys.path.insert(0, str(Path(__file__).parent.parent / "io"))
from dicom_builders import put, thorax


def chosen(study: Path) -> dict[str, str]:
    with StudyFolder.open(study).database() as database:
        rows = [row for row in database.series() if row.is_chosen]
    assert len({row.patient_id for row in rows}) == len(rows), "more than one series chosen for a patient"
    return {row.patient_id: row.files[0] for row in rows}


@pytest.mark.parametrize("first", ["thick", "thin"])
def test_a_series_that_comes_later_is_weighed_against_the_earlier(tmp_path: Path, first: str) -> None:
    """Whatever came first, one series is chosen: the thinner."""
    put(tmp_path / "thick", thorax(200, n=30, spacing_mm=5.0), patient_id="A", series_number=1)
    put(tmp_path / "thin", thorax(200, n=75, spacing_mm=2.0), patient_id="A", series_number=2)
    study = tmp_path / "study"
    for name in (first, "thin" if first == "thick" else "thick"):
        assert run(["import", str(tmp_path / name), "--study", str(study)]) == 0
    assert "thin" in chosen(study)["P0001"]


def test_the_same_series_in_another_place_moves_there(tmp_path: Path) -> None:
    put(tmp_path / "here", thorax(200), patient_id="A")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    study = tmp_path / "study"
    for name in ("here", "there", "here", "there"):
        assert run(["import", str(tmp_path / name), "--study", str(study)]) == 0
        assert Path(chosen(study)["P0001"]).parent.name == name


def test_one_writer_the_second_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "ct", thorax(200), patient_id="A")
    study = tmp_path / "study"
    again = ["import", str(tmp_path / "ct"), "--study", str(study)]
    assert run(again) == 0
    with StudyFolder.open(study).writing("test"):
        for command in (again, ["run", str(study)], ["report", str(study)]):
            assert run(command) == 3
            assert "Another axilla (test, process" in capsys.readouterr().err
    assert run(again) == 0


def test_who_must_wait_is_told_before_headers_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "ct", thorax(200), patient_id="A")
    again = ["import", str(tmp_path / "ct"), "--study", str(tmp_path / "study")]
    assert run(again) == 0
    monkeypatch.setattr("axilla.pipeline.catalog.scan", lambda sources: pytest.fail("headers were read"))
    with StudyFolder.open(tmp_path / "study").writing("test"):
        assert run(again) == 3


def test_nothing_to_train_on_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "ct", thorax(200), patient_id="A")
    assert run(["import", str(tmp_path / "ct"), "--study", str(tmp_path / "study")]) == 0
    assert run(["run", str(tmp_path / "study")]) == 3
    assert "No patient is in a clinical sheet yet; import one" in capsys.readouterr().err


def test_one_identifier_with_two_names_is_told_without_the_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "ct" / "a", thorax(200), patient_id="SECRET1", patient_name="Smith^Anna", uid_seed="a")
    put(tmp_path / "ct" / "b", thorax(180), patient_id="SECRET1", patient_name="Jones^Bea", uid_seed="b")
    assert run(["import", str(tmp_path / "ct"), "--study", str(tmp_path / "study")]) == 0
    said = capsys.readouterr().out
    assert "differing names" in said
    assert not any(word in said for word in ("SECRET1", "Smith", "Jones"))
    put(tmp_path / "one" / "c", thorax(180), patient_id="X", patient_name="SMITH ANNA", uid_seed="c")
    put(tmp_path / "one" / "d", thorax(200), patient_id="X", patient_name="Smith^Anna", uid_seed="d")
    assert run(["import", str(tmp_path / "one"), "--study", str(tmp_path / "other")]) == 0
    assert "differing names" not in capsys.readouterr().out


def test_a_sheet_that_lost_leading_zeros_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "ct" / "1", thorax(200), patient_id="00417", uid_seed="1")
    sheet, study = tmp_path / "clinical.csv", tmp_path / "study"
    again = ["import", str(tmp_path / "ct"), "--study", str(study), "--clinical", str(sheet)]
    header = "patient_id,operated_side,clinical_n,nodes_examined,nodes_positive\n"
    sheet.write_text(header + "417,L,cN0,3,0\n418,L,cN0,3,0\n")
    assert run(again) == 3
    assert "lost the leading zeros that 1 patient_id(s) have in the DICOM files (417 for 00417)" in capsys.readouterr().err
    assert not study.exists()
    sheet.write_text(header + "00417,L,cN0,3,0\n417,L,cN0,3,0\n")
    assert run(again) == 0


def test_how_many_meet_the_criteria_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "ct", thorax(200), patient_id="A")
    sheet, study = tmp_path / "clinical.csv", tmp_path / "study"
    again = ["import", str(tmp_path / "ct"), "--study", str(study), "--clinical", str(sheet)]
    names = ["patient_id", "operated_side", "clinical_n", "nodes_examined", "nodes_positive"]
    sheet.write_text(",".join(names) + "\nA,L,cN0,3,0\nB,R,cN0,3,0\n")
    assert run(again) == 0
    assert "warning: No patient has a value in invasive, surgery, ct_contrast" in capsys.readouterr().out
    columns = {criterion.column: (criterion.allowed or ("7",))[0] for criterion in PAPER_CRITERIA}
    lines = [",".join([*names, *columns]), ",".join(["A,L,cN0,3,0", *columns.values()]), "B,R,cN0,3,0" + "," * len(columns)]
    sheet.write_text("\n".join(lines))
    assert run(again) == 0
    assert "1 patients meet the criteria, 1 do not" in capsys.readouterr().out


def put_mask(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(128) + b"DICM")


def with_masks(study: Path) -> dict[str, str]:
    folder = StudyFolder.open(study)
    key = folder.read_key()
    with folder.database() as database:
        return {key[patient_id]: Path(row.path).name for patient_id, row in database.masks().items()}


@pytest.fixture
def three_patients(tmp_path: Path) -> list[str]:
    """The import of A, B.C and D, without masks."""
    for name in ("A", "B.C", "D"):
        put(tmp_path / "ct" / name, thorax(200), patient_id=name, uid_seed=name)
    return ["import", str(tmp_path / "ct"), "--study", str(tmp_path / "study"), "--masks", str(tmp_path / "masks")]


def test_masks_belong_to_the_patient_they_are_called_by(
    tmp_path: Path, three_patients: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A file, a folder that holds one, and what is nobody's; masks given later are added, those of the folder read anew."""
    for name in ("A.seg.nrrd", "B.C/drawn", "X.nii.gz", ".hidden", "D/notes.txt"):
        put_mask(tmp_path / "masks" / name)
    (tmp_path / "masks" / "D" / "notes.txt").write_text("later")
    assert run(three_patients) == 0
    said = capsys.readouterr().out
    assert with_masks(tmp_path / "study") == {"A": "A.seg.nrrd", "B.C": "drawn"}
    for sentence in ("2 patients with a mask", "no mask: P", "X.nii.gz: no patient is called so", "D: not a mask"):
        assert sentence in said
    put_mask(tmp_path / "more" / "D.nii.gz")
    assert run([*three_patients[:-1], str(tmp_path / "more")]) == 0
    assert run(three_patients[:-2]) == 0
    assert with_masks(tmp_path / "study") == {"A": "A.seg.nrrd", "B.C": "drawn", "D": "D.nii.gz"}
    (tmp_path / "masks" / "A.seg.nrrd").rename(tmp_path / "masks" / "A.nii")
    (tmp_path / "masks" / "B.C" / "drawn").unlink()
    assert run(three_patients) == 0
    assert with_masks(tmp_path / "study") == {"A": "A.nii", "D": "D.nii.gz"}


def test_two_masks_of_a_patient_are_refused(
    tmp_path: Path, three_patients: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("A.nii.gz", "A/1.nrrd", "B.C.mha", "B.C.dcm", "D.nii"):
        put_mask(tmp_path / "masks" / name)
    assert run(three_patients) == 3
    said = capsys.readouterr().err
    assert not (tmp_path / "study").exists()
    assert "A (1.nrrd, A.nii.gz); B.C (B.C.dcm, B.C.mha)" in said
    assert run([*three_patients[:-1], str(tmp_path / "none")]) == 3
    assert "no folder of masks" in capsys.readouterr().err


def test_a_mask_that_changed_is_seen_and_one_that_is_gone_told(tmp_path: Path, three_patients: list[str]) -> None:
    put_mask(tmp_path / "masks" / "A.nii.gz")
    assert run(three_patients) == 0
    with StudyFolder.open(tmp_path / "study").database() as database:
        (row,) = database.masks().values()
    first = row.fingerprint()
    assert row.fingerprint() == first
    Path(row.path).write_bytes(b"other")
    assert row.fingerprint() != first
    Path(row.path).unlink()
    with pytest.raises(InputRefusedError, match="bring it back"):
        row.fingerprint()


HEADER = "patient_id,operated_side,clinical_n,nodes_examined,nodes_positive\n"


@pytest.fixture
def with_sheet(tmp_path: Path) -> Callable[..., int]:
    """Import A, B and C with a clinical sheet of these patients (none: without a sheet); the exit status."""
    for name in ("A", "B", "C"):
        put(tmp_path / "ct" / name, thorax(200), patient_id=name, uid_seed=name)
    sheet = tmp_path / "clinical.csv"

    def import_(*names: str) -> int:
        sheet.write_text(HEADER + "".join(f"{name},L,cN0,3,0\n" for name in names))
        clinical = ["--clinical", str(sheet)] if names else []
        return run(["import", str(tmp_path / "ct"), "--study", str(tmp_path / "study"), "--json", *clinical])

    return import_


def rows_of(study: Path) -> dict[str, bool]:
    folder = StudyFolder.open(study)
    key = folder.read_key()
    with folder.database() as database:
        return {key[patient.patient_id]: patient.has_row for patient in database.patients()}


def test_the_sheet_given_is_the_whole_sheet(
    tmp_path: Path, with_sheet: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Who is no longer in it loses the row, and without DICOM drops out; without a sheet rows stay; pseudonyms stay taken."""
    study = tmp_path / "study"
    assert with_sheet("A", "B", "C", "X") == 0
    assert rows_of(study) == dict.fromkeys("ABCX", True)
    said = json.loads(capsys.readouterr().out)
    assert (said["no_longer_in_sheet"], said["sheet_without_dicom"]) == ([], 1)
    key = {hospital_id: pseudonym for pseudonym, hospital_id in StudyFolder.open(study).read_key().items()}
    assert with_sheet("A", "C", "Y") == 0
    assert rows_of(study) == {"A": True, "B": False, "C": True, "Y": True}
    assert json.loads(capsys.readouterr().out)["no_longer_in_sheet"] == sorted([key["B"], key["X"]])
    assert with_sheet() == 0
    assert rows_of(study) == {"A": True, "B": False, "C": True, "Y": True}
    capsys.readouterr()
    assert with_sheet("A", "B", "X") == 0
    assert rows_of(study) == {"A": True, "B": True, "C": False, "X": True}
    assert StudyFolder.open(study).read_key()[key["X"]] == "X"


def test_who_left_the_sheet_is_told_in_words(
    tmp_path: Path, with_sheet: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert with_sheet("A", "B", "X") == 0
    (tmp_path / "clinical.csv").write_text(HEADER + "A,L,cN0,3,0\nY,L,cN0,3,0\n")
    command = ["import", str(tmp_path / "ct" / "A"), "--study", str(tmp_path / "study")]
    capsys.readouterr()
    assert run([*command, "--clinical", str(tmp_path / "clinical.csv")]) == 0
    said = capsys.readouterr().out
    key = {hospital_id: pseudonym for pseudonym, hospital_id in StudyFolder.open(tmp_path / "study").read_key().items()}
    assert f"no longer in the clinical sheet: {key['B']}\n" in said
    assert f"no longer in the clinical sheet: {key['X']} (without DICOM too; dropped from the study)\n" in said
    assert "1 of the 2 patients of the clinical sheet have no DICOM" in said
    assert f"no usable CT: {key['Y']}: no DICOM of this patient" in said


@pytest.mark.parametrize(
    ("names", "hint"),
    [(("Z9", "X9"), ""), (("x", "a"), " 'a' and 'A' differ only in the case of letters, zeros or spaces.")],
)
def test_a_sheet_of_nobody_here_is_refused(
    tmp_path: Path, with_sheet: Callable[..., int], capsys: pytest.CaptureFixture[str], names: tuple[str, str], hint: str
) -> None:
    """Before anything is written, in a new study and in one that is there."""
    for _ in range(2):
        assert with_sheet(*names) == 3
        said = capsys.readouterr().err
        assert f"None of the 2 patients of clinical.csv (first '{names[0]}') is in the DICOM files (first 'A')" in said
        assert said.endswith(f"the sheet's patient_id is the PatientID there.{hint}\n")
        if not (tmp_path / "study").exists():
            assert with_sheet("A", "B", "C") == 0
            capsys.readouterr()
    assert rows_of(tmp_path / "study") == dict.fromkeys("ABC", True)


def test_why_a_patient_has_no_usable_ct_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "ct" / "A", thorax(200), patient_id="A", uid_seed="A")
    put(tmp_path / "ct" / "B", thorax(200), patient_id="B", uid_seed="B")
    for path in (tmp_path / "ct" / "B").glob("*.dcm"):
        dataset = dcmread(path)
        dataset.Modality = "MR"
        dataset.save_as(path)
    assert run(["import", str(tmp_path / "ct"), "--study", str(tmp_path / "study")]) == 0
    assert "no usable CT: P0002: not CT (MR)" in capsys.readouterr().out
