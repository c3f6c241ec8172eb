"""What a scan finds in folders, archives and CDs, and which series is chosen."""

from __future__ import annotations

import struct
import zipfile
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pydicom
import pytest
from pydicom.fileset import FileSet

from axilla.errors import InputRefusedError
from axilla.io import read_ct
from axilla.io.dicom import SourceSettings, WriteSettings, choose_series, read_series, scan


def _zip(folder: Path, path: Path, **extra: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
        for name, data in extra.items():
            archive.writestr(name, data)
    return path


def test_nested_folders_names_without_extension_and_strangers(make: ModuleType, tmp_path: Path) -> None:
    make.put(tmp_path / "a" / "b")
    for index, path in enumerate(sorted((tmp_path / "a" / "b").iterdir())):
        path.rename(path.with_name(f"IM{index}"))
    (tmp_path / "readme.txt").write_text("hello, this is a readme that is long enough to hold a preamble" * 4)
    (tmp_path / "empty").touch()
    (tmp_path / "a" / "picture.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(500))
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    catalog = scan(tmp_path)
    assert [len(s.slices) for s in catalog.series] == [6]
    assert {(u.name, u.reason) for u in catalog.unread} == {
        ("readme.txt", "not DICOM"),
        ("empty", "empty file"),
        ("a/picture.jpg", "not DICOM"),
    }
    reading = read_ct(tmp_path)
    assert len(reading.unread) == 3
    np.testing.assert_array_equal(reading.volume.array, make.block().array)


@pytest.mark.parametrize("syntax", ["explicit", "implicit"])
def test_files_without_preamble_and_meta_header(make: ModuleType, tmp_path: Path, syntax: str) -> None:
    make.put(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        dataset = pydicom.dcmread(path)
        bare = pydicom.Dataset(dict(dataset.items()))
        bare.save_as(path, implicit_vr=syntax == "implicit", little_endian=True, enforce_file_format=False)
        assert path.read_bytes()[128:132] != b"DICM"
    np.testing.assert_array_equal(read_ct(tmp_path).volume.array, make.block().array)


def test_truncated_header_is_listed(make: ModuleType, tmp_path: Path) -> None:
    make.put(tmp_path)
    path = sorted(tmp_path.iterdir())[0]
    path.write_bytes(path.read_bytes()[:300])
    catalog = scan(tmp_path)
    assert len(catalog.unread) == 1
    assert "DICOM" in catalog.unread[0].reason
    assert [len(s.slices) for s in catalog.series] == [5]
    assert [w for w in read_ct(tmp_path).volume.warnings if "1 file(s) beside the series could not be read" in w]


def test_zip_is_read_and_nothing_left_behind(make: ModuleType, tmp_path: Path) -> None:
    make.put(tmp_path / "in")
    path = _zip(tmp_path / "in", tmp_path / "ct.zip")
    before = sorted(p for p in tmp_path.rglob("*"))
    np.testing.assert_array_equal(read_ct(path).volume.array, make.block().array)
    assert sorted(p for p in tmp_path.rglob("*")) == before


def test_zip_members_cannot_escape(make: ModuleType, tmp_path: Path) -> None:
    make.put(tmp_path / "in")
    names = ["../evil.dcm", "/etc/evil.dcm", "a/../../evil.dcm", "C:\\evil.dcm", "..\\evil.dcm"]
    path = _zip(tmp_path / "in", tmp_path / "sub" / "ct.zip") if (tmp_path / "sub").mkdir() is None else tmp_path
    with zipfile.ZipFile(path, "a") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), b"x" * 200)
    catalog = scan(path)
    assert [len(s.slices) for s in catalog.series] == [6]
    assert len(catalog.unread) == len(names)
    assert {u.reason for u in catalog.unread} == {"its name points outside the archive"}
    assert not list(tmp_path.rglob("evil*"))


def test_zip_bounds(make: ModuleType, tmp_path: Path) -> None:
    make.put(tmp_path / "in")
    path = _zip(tmp_path / "in", tmp_path / "ct.zip")
    with pytest.raises(InputRefusedError, match="more than the bound"):
        scan(path, SourceSettings(max_unpacked_bytes=1000))
    with pytest.raises(InputRefusedError, match="names 6 files, more than the bound of 5"):
        scan(path, SourceSettings(max_files=5))
    with pytest.raises(InputRefusedError, match="More than 5 files"):
        scan(tmp_path / "in", SourceSettings(max_files=5))
    bomb = _zip(tmp_path / "none", tmp_path / "bomb.zip", zeros=bytes(2**25))
    with pytest.raises(InputRefusedError, match="times its size"):
        scan(bomb)
    assert scan(path, SourceSettings(max_member_bytes=10)).unread[0].reason.startswith("unpacks to more")


def test_zip_that_lies_about_its_size_reads_no_more_than_it_says(make: ModuleType, tmp_path: Path) -> None:
    path = _zip(tmp_path / "none", tmp_path / "lie.zip", zeros=bytes(2**20))
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 100)
    path.write_bytes(data)
    catalog = scan(path)
    assert catalog.series == ()
    assert len(catalog.unread) == 1


def test_damaged_encrypted_and_nested_archives(make: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 this is no archive")
    with pytest.raises(InputRefusedError, match="damaged or cut off"):
        scan(tmp_path / "bad.zip")
    assert [u.reason for u in scan(tmp_path).unread] == ["damaged ZIP archive"]
    make.put(tmp_path / "in")
    inner = _zip(tmp_path / "in", tmp_path / "inner.zip")
    outer = _zip(tmp_path / "none", tmp_path / "outer.zip", **{"inner.zip": inner.read_bytes()})
    catalog = scan(outer)
    assert [(u.name, u.reason) for u in catalog.unread] == [
        ("inner.zip", "an archive inside the archive; unpack the outer one first")
    ]
    with pytest.raises(InputRefusedError, match="an archive inside the archive"):
        read_ct(outer)


def test_hostile_names_are_made_printable(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a\x1b[31m\nb.txt", b"hello there")
    (unread,) = scan(path).unread
    assert unread.name.isprintable()
    assert unread.reason == "not DICOM"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_cd_with_dicomdir(make: ModuleType, tmp_path: Path) -> None:
    make.put(tmp_path / "in")
    disc = FileSet()
    for path in sorted((tmp_path / "in").iterdir()):
        disc.add(path)
    disc.write(tmp_path / "cd")
    disc._stage["t"].cleanup()
    make.put(tmp_path / "cd" / "unlisted", make.block(seed=5), uid_seed="other")
    listed = [p for p in (tmp_path / "cd").rglob("*") if p.is_file() and "unlisted" not in str(p) and p.name != "DICOMDIR"]
    for source in (tmp_path / "cd", tmp_path / "cd" / "DICOMDIR"):
        catalog = scan(source)
        assert sorted(len(s.slices) for s in catalog.series) == [6, 6]
        assert catalog.notes == ()
        assert catalog.unread == ()
    np.testing.assert_array_equal(
        read_ct(tmp_path / "cd", pydicom.dcmread(listed[0]).SeriesInstanceUID).volume.array, make.block().array
    )
    listed[2].unlink()
    assert scan(tmp_path / "cd").notes == ("The CD's directory (DICOMDIR) lists 1 file(s) of 6 that are not there.",)


def test_source_given_twice_counts_once_and_progress_is_told(make: ModuleType, tmp_path: Path) -> None:
    make.put(tmp_path)
    told: list[int] = []
    catalog = scan([tmp_path, tmp_path, next(tmp_path.iterdir())], progress=told.append)
    assert [len(s.slices) for s in catalog.series] == [6]
    assert told == [1, 2, 3, 4, 5, 6]


def test_patients_are_kept_apart_and_not_named(make: ModuleType, tmp_path: Path) -> None:
    for name in ("SMITH1", "JONES2"):
        make.put(tmp_path / name, patient_id=name)
    catalog = scan(tmp_path)
    assert len(catalog.patients) == 2
    assert not any(name in key for key in catalog.patients for name in ("SMITH1", "JONES2"))
    with pytest.raises(InputRefusedError, match="CT of 2 patients") as refusal:
        read_ct(tmp_path)
    assert "SMITH" not in str(refusal.value)
    for series in catalog.series:
        reading = read_ct(tmp_path, series.series_uid)
        assert reading.patient_key == series.patient_key
        assert reading.others == ()


def test_placeholder_ids_do_not_join_patients(make: ModuleType, tmp_path: Path) -> None:
    for name in ("a", "b"):
        make.put(tmp_path / name, patient_id="ANON", patient_name=f"anon {name}", uid_seed=name)
    assert len(scan(tmp_path).patients) == 2


def test_nothing_found(tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError, match="No file was found"):
        read_ct(tmp_path)
    with pytest.raises(InputRefusedError, match="There is no"):
        read_ct(tmp_path / "absent")
    (tmp_path / "x.txt").write_text("hello")
    with pytest.raises(InputRefusedError, match=r"None of the 1 files found is a readable DICOM image .1 not DICOM"):
        read_ct(tmp_path)


def _competition(make: ModuleType, folder: Path, **volumes: dict[str, object]) -> None:
    for number, (name, given) in enumerate(volumes.items(), start=1):
        volume = given.get("volume") or make.thorax(int(given.get("blood", 150)), **given.get("shape", {}))
        volume = replace(volume, acquisition=replace(volume.acquisition, **given.get("made", {})))
        kind = WriteSettings(image_type=given.get("image_type", ("ORIGINAL", "PRIMARY", "AXIAL")))
        make.put(folder / name, volume, settings=kind, uid_seed=name, series_number=number, series_description=name)
        if "change" in given:
            make.edit(folder / name, given["change"])


def test_choice_follows_the_rule(make: ModuleType, tmp_path: Path) -> None:
    """Each loser falls at another step, and its reason says at which."""
    _competition(
        make,
        tmp_path,
        best={"shape": {"n": 60, "spacing_mm": 2.5}},
        thick={"shape": {"n": 30, "spacing_mm": 5.0}},
        sharp={"shape": {"n": 120, "spacing_mm": 1.25}, "made": {"kernel": "B70f"}},
        plain={"shape": {"n": 120, "spacing_mm": 1.25}, "blood": 45, "made": {"contrast_agent": "IODINE"}},
        short={"shape": {"n": 60, "spacing_mm": 1.0}},
        derived={"image_type": ("DERIVED", "PRIMARY", "AXIAL")},
        reformat={"image_type": ("DERIVED", "SECONDARY", "REFORMATTED")},
        localizer={"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")},
        iodine={"image_type": ("DERIVED", "PRIMARY", "AXIAL", "IODINE")},
        other_unit={"change": lambda d, i: setattr(d, "RescaleType", "MGML")},
        gap={"change": lambda d, i: i != 7},
        coronal={"volume": make.block(direction=((1, 0, 0), (0, 0, 1), (0, -1, 0)))},
    )
    choice = choose_series(scan(tmp_path).series)
    assert choice.info.description == "best"
    assert choice.info.reason == ""
    assert 140 < choice.info.enhancement_hu < 160
    reasons = {o.description: o.reason for o in choice.others}
    expected = {
        "thick": "thicker slices (5 mm)",
        "sharp": "sharp kernel (B70f)",
        "plain": "no enhancement measured (blood about 45 HU)",
        "short": "covers only 60 mm with a field of view of 400 mm",
        "derived": "derived images",
        "reformat": "reformat or projection",
        "localizer": "localizer",
        "iodine": "computed map (iodine)",
        "other_unit": "values are MGML, not HU",
        "gap": "1 slice(s) missing",
        "coronal": "not axial (coronal slices)",
    }
    assert set(reasons) == set(expected)
    assert [name for name in expected if expected[name] not in reasons[name]] == []
    assert choice.warnings == ()


def test_the_users_choice_wins(make: ModuleType, tmp_path: Path) -> None:
    _competition(make, tmp_path, best={}, derived={"image_type": ("DERIVED", "PRIMARY", "AXIAL"), "blood": 45})
    series = {s.first.description: s for s in scan(tmp_path).series}
    reading = read_ct(tmp_path, series["derived"].choice_id)
    assert reading.series.description == "derived"
    assert [w for w in reading.volume.warnings if "not one the rule would take" in w]
    assert [o.reason for o in reading.others] == ["another series was named"]
    with pytest.raises(InputRefusedError, match="not among the series found"):
        read_ct(tmp_path, "1.2.3")


def test_ties_are_told(make: ModuleType, tmp_path: Path) -> None:
    _competition(make, tmp_path, one={}, two={})
    choice = choose_series(scan(tmp_path).series)
    assert choice.info.description == "one"
    assert [w for w in choice.warnings if "1 other series is as suitable" in w]
    assert choice.others[0].reason == "as suitable as the chosen one; listed after it"


def test_none_eligible_lists_every_reason(make: ModuleType, tmp_path: Path) -> None:
    _competition(
        make,
        tmp_path,
        a={"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")},
        b={"image_type": ("DERIVED", "SECONDARY", "MPR")},
    )
    with pytest.raises(InputRefusedError, match=r"None of the 2 series.*series 1: localizer.*series 2: reformat"):
        choose_series(scan(tmp_path).series)


def test_small_coverage_is_a_doubt(make: ModuleType, tmp_path: Path) -> None:
    make.put(tmp_path)
    assert [w for w in read_ct(tmp_path).volume.warnings if "both axillae may not be inside" in w]


def test_file_that_vanished_after_the_scan_is_refused(make: ModuleType, tmp_path: Path) -> None:
    make.put(tmp_path)
    (series,) = scan(tmp_path).series
    next(tmp_path.iterdir()).unlink()
    with pytest.raises(InputRefusedError, match="cannot be read"):
        read_series(series)


def test_several_examinations_are_told(make: ModuleType, tmp_path: Path) -> None:
    _competition(make, tmp_path, one={}, two={"change": lambda d, i: setattr(d, "StudyInstanceUID", "2.25.77")})
    assert [w for w in choose_series(scan(tmp_path).series).warnings if "2 examinations" in w]


KERNELS = {
    "SIEMENS": {
        "B30f": False,
        "B40f": False,
        "I40f 3": False,
        "Br40d": False,
        "B60f": True,
        "B70s": True,
        "Bl57d 3": True,
        "Br64": True,
    },
    "GE MEDICAL SYSTEMS": {"STANDARD": False, "SOFT": False, "CHST": False, "LUNG": True, "BONEPLUS": True, "EDGE": True},
    "TOSHIBA": {"FC08": False, "FC13-H": False, "FC30": True, "FC52": True, "FC86": True},
    "Philips": {"B": False, "C": False, "A": False, "D": True, "L": True, "YC": True, "YB": True},
    "": {"": False, "something": False},
}


@pytest.mark.parametrize("maker", KERNELS)
def test_sharp_kernels_by_name(make: ModuleType, tmp_path: Path, maker: str) -> None:
    from axilla.io.dicom.sharpness import is_sharp

    make.put(tmp_path)
    header = scan(tmp_path).series[0].first
    found = {
        kernel: is_sharp(replace(header, acquisition=replace(header.acquisition, manufacturer=maker, kernel=kernel)))
        for kernel in KERNELS[maker]
    }
    assert found == KERNELS[maker]


DESCRIPTIONS = {
    "CHEST 3.0 B40f": "",
    "Thorax IODINE contrast 1 mm": "",
    "CHEST_W_CM MONITORING": "",
    "Monoenergetic Plus 55 keV": "map",
    "DE_Thorax 70keV": "map",
    "Iodine-Map": "map",
    "VNC": "map",
    "Thorax MPR ax": "reformat",
    "MIP 10 mm": "reformat",
    "Topogram 0.6": "localizer",
}


@pytest.mark.parametrize("text", DESCRIPTIONS)
def test_descriptions_that_give_a_series_away(make: ModuleType, tmp_path: Path, text: str) -> None:
    from axilla.io.dicom.choose import refusal_reason

    make.put(tmp_path, series_description=text)
    reason = refusal_reason(scan(tmp_path).series[0])
    assert DESCRIPTIONS[text] in reason
    assert bool(reason) == bool(DESCRIPTIONS[text])
