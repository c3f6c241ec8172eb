"""CT files and masks brought into the study: from discs always, from elsewhere when asked; whole, once, under pseudonyms."""

from __future__ import annotations

import errno
import re
import shutil
import stat
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from axilla.cli import run
from axilla.errors import CannotWriteError, InputRefusedError
from axilla.io import copies
from axilla.io.copies import copy_file
from axilla.io.database import SeriesRow
from axilla.io.study import StudyFolder
from axilla.pipeline import _copies
from axilla.pipeline.case import _read_chosen

sys.path.insert(0, str(Path(__file__).parent.parent / "io"))
from dicom_builders import put, thorax


class Disk(NamedTuple):
    device: str
    mountpoint: str
    fstype: str
    opts: str = "rw"


@pytest.fixture
def disc(tmp_path: Path) -> Path:
    """Two patients, 16 slices each, and a mask."""
    for name in ("HOSP1", "HOSP2"):
        put(tmp_path / "disc" / "DICOM" / name, thorax(200, n=16), patient_id=name, uid_seed=name)
    (tmp_path / "disc" / "masks").mkdir()
    (tmp_path / "disc" / "masks" / "HOSP1.seg.nrrd").write_bytes(b"drawn")
    return tmp_path / "disc"


@pytest.fixture
def inserted(disc: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, as a CD."""
    monkeypatch.setattr(_copies, "mounts", lambda: (Disk("/dev/sda1", "/", "ext4"), Disk("/dev/sr0", str(disc), "iso9660")))
    return disc


def importing(disc: Path, *more: str) -> int:
    command = ["import", str(disc / "DICOM"), "--study", str(disc.parent / "study"), "--masks", str(disc / "masks"), "--json"]
    return run([*command, *more])


def chosen(disc: Path) -> list[SeriesRow]:
    with StudyFolder.open(disc.parent / "study").database() as database:
        return [row for row in database.series() if row.is_chosen]


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_what_lies_on_a_disc_is_copied_and_the_disc_no_longer_needed(inserted: Path) -> None:
    assert importing(inserted) == 0
    shutil.rmtree(inserted)
    study = inserted.parent / "study"
    assert len(files(study / "dicom")) == 32
    (mask,) = files(study / "masks")
    assert re.fullmatch(r"P000[12]\.seg\.nrrd", mask.name)
    assert not [path for path in study.rglob("*") if "HOSP" in path.name]
    assert stat.S_IMODE((study / "dicom").stat().st_mode) & 0o077 == 0 or sys.platform == "win32"
    for row in chosen(inserted):
        assert {Path(name).parent.parent.name for name in row.files} == {row.patient_id}
        assert _read_chosen(row).geometry.shape_zyx[0] == 16
    with StudyFolder.open(study).database() as database:
        assert [row.path for row in database.masks().values()] == [str(mask)]
    assert mask.read_bytes() == b"drawn"


def test_elsewhere_the_files_stay_unless_asked_for(disc: Path) -> None:
    assert importing(disc) == 0
    assert all(Path(name).is_relative_to(disc) for row in chosen(disc) for name in row.files)
    assert not (disc.parent / "study" / "dicom").exists()
    assert importing(disc, "--copy") == 0
    assert len(files(disc.parent / "study" / "dicom")) == 32
    assert all(Path(name).is_relative_to(disc.parent / "study") for row in chosen(disc) for name in row.files)


def test_a_study_on_the_same_stick_needs_no_copies(disc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_copies, "mounts", lambda: (Disk("/dev/sda1", str(disc.parent), "udf"),))
    assert importing(disc) == 0
    assert not (disc.parent / "study" / "dicom").exists()


def test_what_is_there_is_not_copied_again(inserted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert importing(inserted) == 0
    assert '"copied": 33' in capsys.readouterr().out
    there = files(inserted.parent / "study" / "dicom")
    times = {path: path.stat().st_mtime_ns for path in there}
    leftover = there[0].with_name(f".{'0' * 32}.{there[0].name}")  # of a killed import
    leftover.write_bytes(b"half")
    there[3].write_bytes(there[3].read_bytes()[:-1])
    there[4].write_bytes(there[4].read_bytes()[:-1] + b"?")
    assert importing(inserted) == 0
    assert '"copied": 2' in capsys.readouterr().out
    assert not leftover.exists()
    assert [path for path in there if path.stat().st_mtime_ns == times[path]] == [*there[:3], *there[5:]]


def test_an_archive_of_several_patients_is_copied_once_as_it_is(inserted: Path) -> None:
    with zipfile.ZipFile(inserted / "all.zip", "w") as archive:
        for path in files(inserted / "DICOM"):
            archive.write(path, path.relative_to(inserted))
    whole = (inserted / "all.zip").read_bytes()
    assert run(["import", str(inserted / "all.zip"), "--study", str(inserted.parent / "study")]) == 0
    shutil.rmtree(inserted)
    (copy,) = files(inserted.parent / "study" / "dicom")
    assert copy.read_bytes() == whole
    assert [row.files for row in chosen(inserted)] == [(str(copy),)] * 2
    assert _read_chosen(chosen(inserted)[0]).geometry.shape_zyx[0] == 16


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (InputRefusedError("the disc is gone"), "the disc is gone"),
    ],
)
def test_broken_off_in_the_middle_it_goes_on(
    inserted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, said: str
) -> None:
    """Nothing is half-written, the catalog is as it was, and importing again copies the rest."""
    reading, count = copies._chunks, iter(range(1000))

    def breaking(path: Path) -> Iterator[bytes]:
        for chunk in reading(path):
            yield chunk[:100]
            if next(count) == 7:
                raise error
            yield chunk[100:]

    monkeypatch.setattr(copies, "_chunks", breaking)
    assert importing(inserted) == 3
    assert said in capsys.readouterr().err
    assert len(files(inserted.parent / "study" / "dicom")) == 7
    assert chosen(inserted) == []
    monkeypatch.setattr(copies, "_chunks", reading)
    assert importing(inserted) == 0
    assert '"copied": 26' in capsys.readouterr().out
    assert [_read_chosen(row).geometry.shape_zyx[0] for row in chosen(inserted)] == [16, 16]


def test_too_little_room_is_told_before_the_first_copy(
    inserted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(copies.shutil, "disk_usage", lambda folder: SimpleNamespace(free=5))
    assert importing(inserted) == 3
    assert "33 files are to be copied" in capsys.readouterr().err
    assert not (inserted.parent / "study" / "dicom").exists()


def test_a_source_that_cannot_be_read_and_a_target_that_cannot_be_written_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"a")
    with pytest.raises(InputRefusedError, match="put the disc back"):
        copy_file(tmp_path / "gone", tmp_path / "target")
    with pytest.raises(InputRefusedError, match="cannot be read any more"):
        copy_file(tmp_path, tmp_path / "target")
    with pytest.raises(CannotWriteError):
        copy_file(tmp_path / "source", tmp_path / "source" / "target")
    assert files(tmp_path) == [tmp_path / "source"]


def test_an_image_that_lies_there_twice_is_copied_twice(inserted: Path) -> None:
    """It is refused, or told, as it would be where it lay: nothing is repaired silently."""
    first = files(inserted / "DICOM" / "HOSP1")[0]
    shutil.copy(first, first.with_name("again.dcm"))
    assert importing(inserted) == 0
    assert len(files(inserted.parent / "study" / "dicom")) == 33
