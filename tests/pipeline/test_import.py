"""Importing more than once, and while another process works on the study."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from axilla.cli import run
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
    with StudyFolder.open(study).writing():
        for command in (again, ["run", str(study)], ["report", str(study)]):
            assert run(command) == 3
            assert "Another axilla is working" in capsys.readouterr().err
    assert run(again) == 0


def test_nothing_to_train_on_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "ct", thorax(200), patient_id="A")
    assert run(["import", str(tmp_path / "ct"), "--study", str(tmp_path / "study")]) == 0
    assert run(["run", str(tmp_path / "study")]) == 3
    assert "1 patient(s): not in the clinical sheet" in capsys.readouterr().err


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
