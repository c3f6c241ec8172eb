"""Synthetic nodes in a CT that counts as real: labeled, repeatable, with whole truth, and never over something else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from axilla.cli import run
from axilla.errors import InputRefusedError, UsageError
from axilla.io import read_ct
from axilla.io.images import read_labels, write_image
from axilla.phantom import CohortSettings, plan_cohort, render
from axilla.pipeline.implants import simulate_implants
from axilla.volume import Acquisition, Geometry, Volume


@pytest.fixture(scope="module")
def background(coarse: CohortSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A phantom that does not say so: nothing else of a real CT's kind may lie in the repository."""
    volume = render(plan_cohort(1, 4, coarse)[0]).volume
    path = tmp_path_factory.mktemp("background") / "ct.nii.gz"
    write_image(replace(volume, acquisition=Acquisition()), path)
    return path


@pytest.fixture(scope="module")
def made(background: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("implants")
    assert run(["simulate", str(out), "--background", str(background), "--patients", "2", "--seed", "7", "--jobs", "1"]) == 0
    return out


def test_ct_and_truth_fit_and_say_what_they_are(made: Path, background: Path) -> None:
    table = pd.read_csv(made / "truth" / "nodes.csv")
    assert json.loads((made / "truth" / "nodes.csv.json").read_text())["is_synthetic"]
    before = read_ct(background).volume
    for name, rows in table.groupby("patient_id"):
        volume, truth = read_ct(made / "dicom" / name).volume, read_labels(made / "truth" / f"{name}.nii.gz")
        assert volume.acquisition.is_synthetic
        assert truth.geometry.is_same_grid(volume.geometry)
        assert list(truth.values) == rows["label"].tolist()
        own = volume.geometry.voxel_volume_mm3
        assert rows["volume_mm3"].tolist() == pytest.approx([np.sum(truth.array == label) * own for label in rows["label"]])
        changed = volume.array != before.array
        assert changed[truth.array > 0].mean() > 0.5
        assert changed.mean() < 0.02
    description = json.loads((made / "simulation.json").read_text())
    assert description["is_synthetic"]
    assert description["complete"]
    assert "ct.nii.gz" not in json.dumps(description)
    assert not (made / "clinical.csv").exists()


def test_each_copy_has_nodes_of_its_own_and_the_same_seed_gives_the_same_bytes(
    made: Path, background: Path, tmp_path: Path
) -> None:
    table = pd.read_csv(made / "truth" / "nodes.csv")
    first, second = (rows[["x_mm", "y_mm", "z_mm"]].to_numpy() for _, rows in table.groupby("patient_id"))
    assert first.shape != second.shape or np.abs(first - second).max() > 1
    simulate_implants(background, tmp_path / "again", 1, 7, jobs=1)
    for path in sorted((tmp_path / "again" / "dicom" / "SIM0001").iterdir())[::20]:
        assert path.read_bytes() == (made / "dicom" / "SIM0001" / path.name).read_bytes()


def test_another_simulation_is_not_overwritten_and_its_own_is_left(made: Path, background: Path) -> None:
    stamp = (made / "truth" / "nodes.csv").stat().st_mtime_ns
    simulate_implants(background, made, 2, 7, jobs=1)
    assert (made / "truth" / "nodes.csv").stat().st_mtime_ns == stamp
    with pytest.raises(InputRefusedError, match="not empty"):
        simulate_implants(background, made, 2, 8, jobs=1)


def test_misuse_is_refused_and_leaves_nothing(made: Path, background: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    with pytest.raises(InputRefusedError, match="synthetic itself"):
        simulate_implants(made / "dicom" / "SIM0001", out, 1, 1)
    with pytest.raises(UsageError, match="only read"):
        simulate_implants(background.parent, background.parent / "out", 1, 1)
    for numbers in ((0, 1, 6), (1, -1, 6), (1, 1, 16)):
        with pytest.raises(UsageError):
            simulate_implants(background, out, *numbers)
    hu = np.full((30, 40, 40), -100, dtype=np.int16)
    hu[0] = -1000
    write_image(Volume(hu, Geometry(hu.shape)), tmp_path / "no_chest.nii.gz")
    assert run(["simulate", str(out), "--background", str(tmp_path / "no_chest.nii.gz"), "--patients", "1", "--seed", "1"]) == 3
    assert "axilla" in capsys.readouterr().err
    assert run(["simulate", str(out), "--patients", "1", "--seed", "1", "--nodes-per-side", "3"]) == 2
    assert not out.exists()


def test_a_left_handed_grid_is_turned(background: Path, tmp_path: Path) -> None:
    volume = read_ct(background).volume
    grid = volume.geometry
    x, y, z = grid.origin_xyz_mm
    flipped = Geometry(
        grid.shape_zyx,
        grid.spacing_xyz_mm,
        (x + (grid.shape_zyx[2] - 1) * grid.spacing_xyz_mm[0], y, z),
        ((-1, 0, 0), (0, 1, 0), (0, 0, 1)),
    )
    write_image(Volume(np.ascontiguousarray(volume.array[:, :, ::-1]), flipped), tmp_path / "flipped.nii.gz")
    simulate_implants(tmp_path / "flipped.nii.gz", tmp_path / "out", 1, 7, 2, jobs=1)
    made = read_ct(tmp_path / "out" / "dicom" / "SIM0001").volume
    assert made.geometry.is_same_grid(grid)
    assert (made.array == volume.array).mean() > 0.98
