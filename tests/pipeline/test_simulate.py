"""A simulated study on disk: the same bytes whatever the number of jobs, and never mixed with something else."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from axilla.errors import InputRefusedError
from axilla.io.clinical import read_clinical_sheet
from axilla.phantom import CohortSettings, PhantomSettings
from axilla.pipeline.simulate import simulate

TINY = CohortSettings(phantom=PhantomSettings(shape_zyx=(68, 220, 220), spacing_xyz_mm=(2.0, 2.0, 2.5)))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_jobs_change_no_byte(tmp_path: Path) -> None:
    simulate(tmp_path / "a", 3, 5, TINY, jobs=1)
    simulate(tmp_path / "b", 3, 5, TINY, jobs=2)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    description = json.loads((tmp_path / "a" / "simulation.json").read_text())
    assert description["is_synthetic"]
    assert description["complete"]
    assert set(read_clinical_sheet(tmp_path / "a" / "clinical.csv")) == {"SIM0001", "SIM0002", "SIM0003"}
    truth = pd.read_csv(tmp_path / "a" / "truth" / "nodes.csv")
    assert set(truth["status"]) <= {"benign", "metastatic"}


def test_a_complete_one_is_left_and_another_is_not_mixed_in(tmp_path: Path) -> None:
    simulate(tmp_path, 1, 5, TINY, jobs=1)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    simulate(tmp_path, 1, 5, TINY, jobs=1)
    assert times == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(InputRefusedError, match="does not hold this simulation"):
        simulate(tmp_path, 1, 6, TINY, jobs=1)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(InputRefusedError, match="is not empty"):
        simulate(tmp_path / "other", 1, 5, TINY, jobs=1)
