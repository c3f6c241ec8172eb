"""``axilla extract``: every format, the sidecar, settings, and what is refused."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from axilla.cli import run
from axilla.io.tables import read_features
from axilla.node import Segmentation
from axilla.radiomics import FEATURE_NAMES, extract

FORMATS = (
    "m.nii", "m.nii.gz", "m.nrrd", "m.mha", "floats.nii.gz", "cropped.nii.gz", "turned.nrrd", "layers.nii.gz", "m.seg.nrrd",
    "seg.dcm", "labelmap.dcm", "rtstruct.dcm",
)  # fmt: skip


@pytest.fixture(scope="module")
def expected(drawn: Any) -> np.ndarray:
    table = extract(drawn.volume, Segmentation.from_labels(drawn.labels))
    assert table.frame["feature_status"].tolist() == ["ok", "ok"]
    return table.values(FEATURE_NAMES)


def test_formats_are_all_written(writers: ModuleType) -> None:
    assert set(FORMATS) == set(writers.MASKS)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", FORMATS)
def test_every_mask_format_gives_the_same_numbers(
    name: str, drawn: Any, expected: np.ndarray, writers: ModuleType, tmp_path: Path
) -> None:
    write, keeps_names = writers.MASKS[name]
    write(drawn.labels, drawn.folder / "dicom", tmp_path / name)
    assert run(["extract", str(drawn.ct), str(tmp_path / name), "-o", str(tmp_path / "f.csv")]) == 0
    table = read_features(tmp_path / "f.csv")
    np.testing.assert_array_equal(table.values(FEATURE_NAMES), expected)
    assert table.frame["node_id"].tolist() == (["R01", "left, level I"] if keeps_names else ["1", "2"])


@pytest.mark.parametrize("name", ["dicom", "ct.zip", "ct.nii", "ct.nrrd", "ct.mha"])
def test_every_ct_format_gives_the_same_numbers(name: str, drawn: Any, expected: np.ndarray, tmp_path: Path) -> None:
    mask = str(drawn.folder / "m.nii.gz")
    assert run(["extract", str(drawn.folder / name), mask, "-o", str(tmp_path / "f.parquet")]) == 0
    np.testing.assert_array_equal(read_features(tmp_path / "f.parquet").values(FEATURE_NAMES), expected)
    assert json.loads((tmp_path / "f.parquet.json").read_text())["inputs"]["ct"]["of"] == (
        "values" if name == "dicom" else "file"
    )


def _extract(drawn: Any, mask: Path, out: Path, *options: str) -> int:
    return run(["extract", str(drawn.ct), str(mask), "-o", str(out), *options])


def _sidecar(out: Path) -> dict[str, Any]:
    return json.loads(out.with_name(out.name + ".json").read_text())


def test_the_sidecar_says_how_and_of_what(drawn: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "f.csv"
    options = ("--bin-width", "10", "--voxel-spacing", "1,1,2", "--convention", "pyradiomics", "--patient-id", "P0007")
    assert _extract(drawn, drawn.folder / "m.nii.gz", out, *options) == 0
    said = _sidecar(out)
    assert said["schema"] == 1
    assert said["settings"]["bin_width"] == 10
    assert said["settings"]["voxel_spacing_xyz_mm"] == [1, 1, 2]
    assert {"axilla", "python", "numpy", "SimpleITK"} <= set(said["versions"])
    assert all(len(said["inputs"][name]["sha256"]) == 64 for name in ("ct", "mask"))
    assert said["notes"] == []
    assert str(tmp_path) not in json.dumps(said)
    again = tmp_path / "settings.json"
    again.write_text(json.dumps(said["settings"]))
    assert _extract(drawn, drawn.folder / "m.nii.gz", tmp_path / "g.csv", "--settings", str(again), "--patient-id", "P0007") == 0
    assert (tmp_path / "g.csv").read_bytes() == out.read_bytes()
    assert (tmp_path / "g.csv.json").read_bytes() == (tmp_path / "f.csv.json").read_bytes()


def test_any_number_of_jobs_gives_the_same_bytes(drawn: Any, tmp_path: Path) -> None:
    for jobs in ("1", "2", "7"):
        assert _extract(drawn, drawn.folder / "m.nii.gz", tmp_path / f"{jobs}.csv", "--jobs", jobs) == 0
        for name in (f"{jobs}.csv", f"{jobs}.csv.json"):
            assert (tmp_path / name).read_bytes() == (tmp_path / f"1{name[1:]}").read_bytes()


def test_a_resampled_mask_is_said_so(drawn: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = sitk.ReadImage(str(drawn.folder / "m.nii.gz"))
    image.SetOrigin((-19.7, 30.5, -100.0))
    sitk.WriteImage(image, str(tmp_path / "m.nii.gz"))
    out = tmp_path / "f.csv"
    assert _extract(drawn, tmp_path / "m.nii.gz", out) == 3
    said = capsys.readouterr().err
    assert "Mask: 40 x 32 x 20 voxels of 0.75 x 0.75 x 1.5 mm from (-19.70" in said
    assert "CT: 40 x 32 x 20 voxels of 0.75 x 0.75 x 1.5 mm from (-20.00" in said
    assert _extract(drawn, tmp_path / "m.nii.gz", out, "--resample-mask") == 0
    assert "resampled (nearest neighbor)" in _sidecar(out)["notes"][0]
    assert "note: The mask was resampled" in capsys.readouterr().out


def test_overlapping_and_empty_segments(drawn: Any, writers: ModuleType, tmp_path: Path) -> None:
    ball = drawn.labels.array == 1
    layers = np.stack([ball, ball | (drawn.labels.array == 2), np.zeros_like(ball)], axis=-1).astype(np.uint8)
    image = writers.image(layers, drawn.labels, is_vector=True)
    for number, name in enumerate(("node", "both", "nothing")):
        for key, text in (("ID", f"S{number}"), ("Name", name), ("LabelValue", "1"), ("Layer", str(number))):
            image.SetMetaData(f"Segment{number}_{key}", text)
    sitk.WriteImage(image, str(tmp_path / "m.seg.nrrd"))
    assert _extract(drawn, tmp_path / "m.seg.nrrd", tmp_path / "f.csv") == 0
    frame = read_features(tmp_path / "f.csv").frame.set_index("node_id")
    assert frame["feature_status"].to_dict() == {"node": "ok", "both": "ok", "nothing": "refused"}
    assert "empty" in frame.loc["nothing", "reason"]
    volume = frame["original_shape_VoxelVolume"]
    assert volume["both"] > volume["node"] > 0


def test_segments_of_one_name_are_told_apart(drawn: Any, writers: ModuleType, tmp_path: Path) -> None:
    image = writers.image(drawn.labels.array, drawn.labels)
    for number in (0, 1):
        for key, text in (("ID", f"S{number}"), ("Name", "node "), ("LabelValue", str(number + 1)), ("Layer", "0")):
            image.SetMetaData(f"Segment{number}_{key}", text)
    sitk.WriteImage(image, str(tmp_path / "m.seg.nrrd"))
    assert _extract(drawn, tmp_path / "m.seg.nrrd", tmp_path / "f.csv") == 0
    assert read_features(tmp_path / "f.csv").frame["node_id"].tolist() == ["node#1", "node#2"]
    assert "'node'" in _sidecar(tmp_path / "f.csv")["notes"][0]


@pytest.mark.parametrize("name", ["NA", "None", "a,b", '5" left', "007"])
def test_names_that_tables_take_for_something_else(name: str, drawn: Any, writers: ModuleType, tmp_path: Path) -> None:
    image = writers.image((drawn.labels.array == 1).astype(np.uint8), drawn.labels)
    for key, text in (("ID", "S0"), ("Name", name), ("LabelValue", "1"), ("Layer", "0")):
        image.SetMetaData(f"Segment0_{key}", text)
    sitk.WriteImage(image, str(tmp_path / "m.seg.nrrd"))
    for out in ("f.csv", "f.parquet"):
        assert _extract(drawn, tmp_path / "m.seg.nrrd", tmp_path / out) == 0
        assert read_features(tmp_path / out).frame["node_id"].tolist() == [name]


def test_little_is_imported_for_a_nifti_mask(drawn: Any, tmp_path: Path) -> None:
    """The command is called once per patient; what it does not need would be most of its time."""
    arguments = ["extract", str(drawn.ct), str(drawn.folder / "m.nii.gz"), "-o", str(tmp_path / "f.csv")]
    heavy = ("pydicom", "highdicom", "sklearn", "skimage", "matplotlib", "scipy.ndimage", "scipy.spatial")
    code = f"import sys; from axilla.cli import run; run({arguments!r}); sys.exit(str([m for m in {heavy} if m in sys.modules]))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.stderr.splitlines()[-1] == "[]"


REFUSED = {
    "negative": (lambda a: np.where(a, a, -1).astype(np.int16), r"0..65535, but this file holds -1..2"),
    "large": (lambda a: a.astype(np.int32) * 40_000, r"0..65535, but this file holds 0..80000"),
    "fractions": (lambda a: a * 0.75, "fractions in 0..1.5"),
    "probabilities": (lambda a: a * 0.4, "values between 0 and 1: probabilities"),
    "NaN": (lambda a: np.where(a, a, np.nan), "NaN"),
    "empty": (lambda a: a * 0, "no voxel in any label"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_mask_is_refused_in_one_sentence(
    name: str, drawn: Any, writers: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, sentence = REFUSED[name]
    sitk.WriteImage(writers.image(change(drawn.labels.array), drawn.labels), str(tmp_path / "m.nii.gz"))
    assert _extract(drawn, tmp_path / "m.nii.gz", tmp_path / "f.csv") == 3
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("axilla: ")
    assert sentence in said
    assert [path.name for path in tmp_path.iterdir()] == ["m.nii.gz"]


@pytest.mark.parametrize("ending", ["nii.gz", "nrrd", "mha", "seg.nrrd"])
def test_a_damaged_mask_is_refused(ending: str, drawn: Any, writers: ModuleType, tmp_path: Path, capsys) -> None:
    path = tmp_path / f"m.{ending}"
    sitk.WriteImage(writers.image(drawn.labels.array, drawn.labels), str(path), useCompression=True)
    data = bytearray(path.read_bytes())
    data[-20] ^= 0xFF
    for broken in (data, data[:-30]):
        path.write_bytes(broken)
        assert _extract(drawn, path, tmp_path / "f.csv") == 3
        assert "damaged or cut off" in capsys.readouterr().err
    assert not (tmp_path / "f.csv").exists()


def test_an_rtstruct_of_another_ct_is_refused(drawn: Any, writers: ModuleType, tmp_path: Path, capsys) -> None:
    from axilla.io.dicom import write_ct

    writers.rtstruct(drawn.labels, drawn.folder / "dicom", tmp_path / "rt.dcm")
    write_ct(drawn.volume, tmp_path / "other", patient_id="P0002")
    for folder, status in ((drawn.folder / "dicom", 0), (tmp_path / "other", 3)):
        assert run(["extract", str(folder), str(tmp_path / "rt.dcm"), "-o", str(tmp_path / "f.csv")]) == status
    assert "drawn on another CT: none of the" in capsys.readouterr().err
    moved = sitk.ReadImage(str(drawn.ct))
    moved.SetOrigin((-20.0, 30.5, -99.6))
    sitk.WriteImage(moved, str(tmp_path / "moved.nii.gz"))
    assert run(["extract", str(tmp_path / "moved.nii.gz"), str(tmp_path / "rt.dcm"), "-o", str(tmp_path / "f.csv")]) == 3
    assert "do not lie in the CT's slices" in capsys.readouterr().err


def test_masks_that_are_not_files(drawn: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _extract(drawn, tmp_path, tmp_path / "f.csv") == 3
    assert "is a folder, not a mask" in capsys.readouterr().err
    assert run(["extract", str(drawn.ct), str(drawn.folder / "m.nii.gz"), "-o", str(tmp_path / "f.csv"), "--series", "1.2"]) == 2
    assert "--series" in capsys.readouterr().err


def test_a_full_disk_is_told_and_leaves_nothing(
    drawn: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for name in ("f.csv", "f.parquet"):
        assert _extract(drawn, drawn.folder / "m.nii.gz", tmp_path / name) == 3
        assert "cannot be written (No space left on device)" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_nothing(drawn: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pd.DataFrame, "to_csv", interrupted)
    assert _extract(drawn, drawn.folder / "m.nii.gz", tmp_path / "f.csv") == 130
    assert list(tmp_path.iterdir()) == []


def test_images_that_are_no_ct_are_measured_with_a_note(drawn: Any, writers: ModuleType, tmp_path: Path) -> None:
    """A crop of soft tissue holds no air; a file of floats stays floats, as PyRadiomics has it."""
    values = np.clip(drawn.volume.array, -150, None).astype(np.float32)
    sitk.WriteImage(writers.image(values, drawn.labels), str(tmp_path / "ct.nii.gz"))
    mask, out = str(drawn.folder / "m.nii.gz"), tmp_path / "f.csv"
    assert run(["extract", str(tmp_path / "ct.nii.gz"), mask, "-o", str(out)]) == 0
    assert len(_sidecar(out)["notes"]) == 2
    as_floats = read_features(out).frame["original_firstorder_Mean"][0]
    sitk.WriteImage(writers.image(values.astype(np.int16), drawn.labels), str(tmp_path / "ct.nii.gz"))
    assert run(["extract", str(tmp_path / "ct.nii.gz"), mask, "-o", str(out)]) == 0
    assert 0.3 < as_floats - read_features(out).frame["original_firstorder_Mean"][0] < 0.7


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--bin-width", "0"], "bin_width must be a positive number"),
        (["--voxel-spacing", "1,2"], "one number, three as X,Y,Z"),
        (["--voxel-spacing", "-1"], "three positive numbers"),
        (["--convention", "mine"], "convention must be one of"),
    ],
)
def test_options_that_cannot_be_used(options: list[str], sentence: str, drawn: Any, tmp_path: Path, capsys) -> None:
    assert _extract(drawn, drawn.folder / "m.nii.gz", tmp_path / "f.csv", *options) == 2
    assert sentence in capsys.readouterr().err


def test_options_win_over_the_file(drawn: Any, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("bin_count: 16\nminimum_size: 3\n")
    options = ("--settings", str(tmp_path / "s.yaml"), "--bin-width", "30", "--voxel-spacing", "none")
    assert _extract(drawn, drawn.folder / "m.nii.gz", tmp_path / "f.csv", *options) == 0
    used = _sidecar(tmp_path / "f.csv")["settings"]
    assert (used["bin_count"], used["bin_width"], used["minimum_size"], used["voxel_spacing_xyz_mm"]) == (None, 30, 3, None)
