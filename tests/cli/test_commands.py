"""The commands as another program calls them: arguments, exit statuses, JSON, files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from axilla._version import __version__
from axilla.cli import run
from axilla.io.images import write_labels
from axilla.io.tables import read_features, write_features
from axilla.radiomics import FEATURE_NAMES
from axilla.table import FeatureTable
from axilla.volume import Geometry, Labels


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"axilla {__version__}\n"
    assert run(["--help"]) == 0
    for name in ("demo", "simulate", "import", "run", "locate", "extract", "train", "predict", "evaluate", "report"):
        assert name in capsys.readouterr().out or run([name, "--help"]) == 0


@pytest.mark.parametrize("arguments", [["nonsense"], ["locate"], ["predict", "x", "-o", "y"], ["demo", "--patients", "2"]])
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert capsys.readouterr().err


def test_refused_input_is_3_in_one_sentence_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    (tmp_path / "empty").mkdir()
    for arguments in (
        ["locate", str(tmp_path / "empty"), "-o", str(out)],
        ["locate", str(tmp_path / "missing"), "-o", str(out)],
        ["predict", str(tmp_path / "empty"), "--model", str(tmp_path / "none.json"), "-o", str(out)],
        ["run", str(tmp_path / "empty")],
        ["report", str(tmp_path / "empty")],
        ["import", str(tmp_path / "empty"), "--study", str(out)],
        ["train", str(tmp_path / "none.csv"), "-o", str(out)],
    ):
        assert run(arguments) == 3, arguments
        said = capsys.readouterr().err.strip().splitlines()[-1]
        assert said.startswith("axilla: ")
        assert not out.exists()


def test_a_command_starts_quickly_and_imports_nothing_heavy() -> None:
    heavy = ("numpy", "pandas", "SimpleITK", "matplotlib", "sklearn")
    code = f"import sys, axilla.cli._app; print([name for name in {heavy} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.fixture
def ct_and_mask(tmp_path: Path) -> tuple[Path, Path]:
    """A ball of tissue in fat, and a mask with the ball, one voxel, and a shell."""
    rng = np.random.default_rng(1)
    grid = Geometry((40, 48, 50), (0.8, 0.8, 1.0), (-20.0, -10.0, 5.0))
    z, y, x = np.indices(grid.shape_zyx)
    radius = np.sqrt(((z - 20) * 1.0) ** 2 + ((y - 24) * 0.8) ** 2 + ((x - 25) * 0.8) ** 2)
    hu = np.where(radius < 6, 60, -100) + rng.normal(0, 10, grid.shape_zyx)
    hu[:, :, 0] = -1000
    image = sitk.GetImageFromArray(np.rint(hu).astype(np.int16))
    image.SetSpacing(grid.spacing_xyz_mm)
    image.SetOrigin(grid.origin_xyz_mm)
    sitk.WriteImage(image, str(tmp_path / "ct.nii.gz"))
    labels = np.zeros(grid.shape_zyx, np.uint16)
    labels[radius < 6] = 1
    labels[2, 2, 2] = 2
    labels[(radius > 8) & (radius < 10)] = 5
    write_labels(Labels(labels, grid), tmp_path / "mask.nii.gz")
    return tmp_path / "ct.nii.gz", tmp_path / "mask.nii.gz"


def test_extract_measures_every_label_and_says_why_not(ct_and_mask: tuple[Path, Path], tmp_path: Path, capsys) -> None:
    ct, mask = ct_and_mask
    out = tmp_path / "features.csv"
    assert run(["extract", str(ct), str(mask), "-o", str(out), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["rows"] == 3
    table = read_features(out)
    assert table.feature_names == FEATURE_NAMES
    assert table.frame["label"].tolist() == [1, 2, 5]
    assert table.frame["feature_status"].tolist() == ["ok", "refused", "ok"]
    assert table.frame["reason"][1]
    assert 50 < table.frame["original_firstorder_Mean"][0] < 65


def test_a_mask_on_another_grid_needs_the_users_word(ct_and_mask: tuple[Path, Path], tmp_path: Path, capsys) -> None:
    ct, mask = ct_and_mask
    shifted = sitk.ReadImage(str(mask))
    shifted.SetOrigin((-19.6, -10.0, 5.3))
    sitk.WriteImage(shifted, str(mask))
    out = tmp_path / "features.csv"
    assert run(["extract", str(ct), str(mask), "-o", str(out)]) == 3
    assert not out.exists()
    assert run(["extract", str(ct), str(mask), "-o", str(out), "--resample-mask", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["warnings"]


def test_locate_with_a_detector_keeps_where_the_nodes_come_from(ct_and_mask: tuple[Path, Path], tmp_path: Path, capsys) -> None:
    ct, mask = ct_and_mask
    out = tmp_path / "out"
    assert run(["locate", str(ct), "-o", str(out), "--detector", f"mask:{mask}", "--contact-sheet", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["nodes"], result["detector"]["name"]) == (3, "mask")
    kept = json.loads((out / "detector.json").read_text())
    assert kept == {"schema": 1, **result["detector"]}
    assert len(kept["sha256"]) == 64
    assert (out / "contact_sheet.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert run(["locate", str(ct), "-o", str(out), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["detector"]["name"], again["contact_sheet"]) == ("built-in", None)
    assert not (out / "contact_sheet.jpg").exists()


def test_detectors_from_outside_need_consent_and_fail_in_one_sentence(
    ct_and_mask: tuple[Path, Path], tmp_path: Path, capsys
) -> None:
    ct, mask = ct_and_mask
    out = tmp_path / "out"
    program = f"command:'{sys.executable}' -c 'raise SystemExit(7)' {{ct}} {{out}}"
    locate = ["locate", str(ct), "-o", str(out), "--detector", program]
    assert run(locate) == 2
    assert "--allow-external-detector" in capsys.readouterr().err
    assert run([*locate, "--allow-external-detector"]) == 3
    assert capsys.readouterr().err.strip().splitlines()[-1] == "axilla: The detector's program failed with status 7."
    assert run(["locate", str(ct), "-o", str(out), "--detector", "nnunet:nowhere", "--allow-external-detector"]) == 3
    assert run(["locate", str(ct), "-o", str(out), "--detector", "unknown"]) == 2
    both = ["--mask", str(mask), "--detector", f"mask:{mask}"]
    assert run(["predict", str(ct), "--model", "model.json", "-o", str(out), *both]) == 2
    assert not out.exists()


def two_clouds(n: int = 40) -> FeatureTable:
    """Nodes of two kinds that differ as the orientation vote expects."""
    rng = np.random.default_rng(2)
    values = rng.normal(size=(n, len(FEATURE_NAMES)))
    high = np.arange(n) % 2 == 1
    frame = pd.DataFrame(values + 2.0 * high[:, None], columns=list(FEATURE_NAMES))
    for name, sign in (
        ("shape_LeastAxisLength", 1), ("shape_SurfaceVolumeRatio", -1), ("glcm_Idn", 1), ("glcm_Idm", 1), ("glcm_Correlation", 1),
    ):  # fmt: skip
        frame[f"original_{name}"] += np.where(high, 6.0 * sign, 0.0)
    ids = {"patient_id": [f"P{i // 4:04d}" for i in range(n)], "node_id": [f"L{i % 4:02d}" for i in range(n)], "label": 1}
    return FeatureTable(frame.assign(**ids, feature_status="ok", reason=""))


def test_train_and_evaluate_from_tables(tmp_path: Path, capsys) -> None:
    from axilla.io.models import read_model
    from axilla.io.tables import write_table
    from axilla.model import predict

    table = two_clouds()
    write_features(table, tmp_path / "features.csv")
    assert run(["train", str(tmp_path / "features.csv"), "-o", str(tmp_path / "model.json"), "--json"]) == 0
    trained = json.loads(capsys.readouterr().out)
    assert (trained["n_group_1"], trained["n_group_2"], trained["is_synthetic"]) == (20, 20, False)
    predictions = predict(read_model(tmp_path / "model.json"), table)
    write_table(predictions, tmp_path / "predictions.csv", "predictions")
    status = table.frame[["patient_id", "node_id"]].assign(status=np.where(np.arange(40) % 2 == 1, "metastatic", "benign"))
    status.to_csv(tmp_path / "status.csv", index=False)
    assert (
        run(["evaluate", str(tmp_path / "predictions.csv"), str(tmp_path / "status.csv"), "-o", str(tmp_path / "out"), "--json"])
        == 0
    )
    result = json.loads(capsys.readouterr().out)
    assert result["node_level"]["counts"] == {"tp": 20, "fn": 0, "tn": 20, "fp": 0}
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == result


def test_predict_shows_where_the_nodes_come_from(ct_and_mask: tuple[Path, Path], tmp_path: Path, capsys) -> None:
    ct, mask = ct_and_mask
    write_features(two_clouds(), tmp_path / "features.csv")
    assert run(["train", str(tmp_path / "features.csv"), "-o", str(tmp_path / "model.json")]) == 0
    script = tmp_path / "copy.py"
    script.write_text(f"import shutil, sys\nshutil.copy({str(mask)!r}, sys.argv[2])\n")
    program = f"command:'{sys.executable}' '{script}' {{ct}} {{out}}"
    arguments = ["predict", str(ct), "--model", str(tmp_path / "model.json"), "-o", str(tmp_path / "out"), "--json"]
    capsys.readouterr()
    assert run([*arguments, "--detector", program, "--allow-external-detector"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["nodes"], result["detector"]["command"]) == (3, program.removeprefix("command:"))
    assert json.loads((tmp_path / "out" / "detector.json").read_text())["name"] == "command"
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "copy.py" in page
    assert "segmented by the detector" in page
    assert "gives no detection scores" in page
    assert run([*arguments, "--mask", str(mask)]) == 0
    capsys.readouterr()
    kept = json.loads((tmp_path / "out" / "detector.json").read_text())
    assert (kept["name"], len(kept["sha256"])) == ("mask", 64)


def test_the_module_runs_too(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path)}
    shown = subprocess.run(
        [sys.executable, "-m", "axilla", "--version"], capture_output=True, text=True, check=True, env=environment
    )
    assert shown.stdout.strip() == f"axilla {__version__}"


def test_extract_refuses_an_empty_mask_and_a_format_it_does_not_write(ct_and_mask: tuple[Path, Path], tmp_path: Path) -> None:
    ct, mask = ct_and_mask
    assert run(["extract", str(ct), str(mask), "-o", str(tmp_path / "features.xlsx")]) == 2
    empty = sitk.ReadImage(str(mask)) * 0
    sitk.WriteImage(empty, str(mask))
    assert run(["extract", str(ct), str(mask), "-o", str(tmp_path / "features.csv")]) == 3
    assert not (tmp_path / "features.csv").exists()


def test_two_patients_under_one_pseudonym_are_not_taken_for_one(ct_and_mask, tmp_path: Path, capsys) -> None:
    ct, mask = ct_and_mask
    tables = [str(tmp_path / name) for name in ("a.csv", "b.csv")]
    for table in tables:
        assert run(["extract", str(ct), str(mask), "-o", table]) == 0
    assert run(["train", *tables, "-o", str(tmp_path / "model.json")]) == 3
    assert "--patient-id" in capsys.readouterr().err
    assert run(["extract", str(ct), str(mask), "-o", tables[1], "--patient-id", "P0002"]) == 0
    assert read_features(Path(tables[1])).frame["patient_id"].unique().tolist() == ["P0002"]


def test_results_that_cannot_be_written_are_told_before_the_work(ct_and_mask, tmp_path: Path, capsys) -> None:
    ct, mask = ct_and_mask
    (tmp_path / "file").touch()
    for arguments in (
        ["locate", str(ct), "-o", str(tmp_path / "file")],
        ["extract", str(ct), str(mask), "-o", str(tmp_path / "file" / "x.csv")],
        ["predict", str(ct), "--model", "none.json", "-o", str(tmp_path / "file")],
        ["simulate", str(tmp_path / "file"), "--patients", "1", "--seed", "1"],
        ["demo", "-o", str(tmp_path / "file")],
        ["train", "none.csv", "-o", str(tmp_path / "file" / "model.json")],
        ["evaluate", "none.csv", "none.csv", "-o", str(tmp_path / "file")],
    ):
        assert run(arguments) == 3, arguments
        said = capsys.readouterr().err
        assert "is a file, but a folder is needed" in said
        assert "read CT" not in said


def test_a_damaged_sidecar_or_group_is_refused(tmp_path: Path, capsys) -> None:
    rows = "patient_id,node_id,label,group,score,probability,distance_1,distance_2,warnings\nA,1,1,{},1,1,1,1,\n"
    predictions, status = tmp_path / "predictions.csv", tmp_path / "status.csv"
    status.write_text("patient_id,node_id,status\nA,1,benign\n")
    for group in ("high", "1.5", "3"):
        predictions.write_text(rows.format(group))
        assert run(["evaluate", str(predictions), str(status), "-o", str(tmp_path / "out")]) == 3, group
        assert "group" in capsys.readouterr().err
    predictions.write_text(rows.format(2).replace("2,1,1,1,1", "2,high,1,1,1"))
    assert run(["evaluate", str(predictions), str(status), "-o", str(tmp_path / "out")]) == 3
    assert "score" in capsys.readouterr().err
    predictions.write_text(rows.format(2))
    assert run(["evaluate", str(predictions), str(status), "-o", str(tmp_path / "out")]) == 0
    assert "1 patients, 0 of them of the rarer status" in capsys.readouterr().out
    (tmp_path / "predictions.csv.json").write_text("{ cut of")
    assert run(["evaluate", str(predictions), str(status), "-o", str(tmp_path / "out")]) == 3
    assert "predictions.csv.json" in capsys.readouterr().err


def test_locate_does_not_mix_with_predictions_of_other_nodes(tmp_path: Path, capsys) -> None:
    (tmp_path / "predictions.csv").write_text("patient_id\n")
    assert run(["locate", str(tmp_path / "ct.nii.gz"), "-o", str(tmp_path)]) == 3
    assert "holds predictions" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.csv"]


@pytest.mark.parametrize("name", ["nothing", "nothing.nii.gz"])
def test_a_missing_ct_is_named(tmp_path: Path, capsys, name: str) -> None:
    assert run(["locate", str(tmp_path / name), "-o", str(tmp_path / "out")]) == 3
    assert str(tmp_path / name) in capsys.readouterr().err
