"""A study that is killed, or done by other workers, ends as one that was left alone: the same bytes, the same database."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from axilla.cli import run
from axilla.io.study import HOLDER, StudyFolder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills with signals of POSIX")

MOMENTS = (0.0, 0.02, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 0.95, 0.99)
"""Shares of the finished study's files that are there when the process is killed: among patients', results, figures, report."""


def files(study: Path) -> dict[str, bytes]:
    """Every file but the database, by name."""
    paths = [path for path in sorted(study.rglob("*")) if path.is_file() and not path.name.startswith("study.db")]
    return {path.relative_to(study).as_posix(): path.read_bytes() for path in paths}


def n_files(study: Path) -> int:
    """How many files are whole; others come and go at this moment."""
    return sum(not path.name.startswith(".") for path in study.rglob("*.*"))


def dump(study: Path) -> dict[str, list[tuple[object, ...]]]:
    """The database, ordered, without the times of day."""
    with sqlite3.connect(study / "study.db") as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        columns = {n: [row[1] for row in connection.execute(f"PRAGMA table_info({n})") if row[1] != "finished_at"] for n in names}
        return {n: sorted(connection.execute(f"SELECT {', '.join(columns[n])} FROM {n}"), key=repr) for n in names}


def imported(finished: object, root: Path) -> Path:
    source = finished.source  # type: ignore[attr-defined]
    study = root / "study"
    assert run(["import", str(source / "dicom"), "--study", str(study), "--clinical", str(source / "clinical.csv")]) == 0
    return study


def started(study: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "axilla", "run", str(study), "--json", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(happened, process: subprocess.Popen[str], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not happened() and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_ten_kills_change_no_byte(finished, tmp_path: Path) -> None:
    study, whole = imported(finished, tmp_path), n_files(finished.study)
    jitter = random.Random(5)
    killed = 0
    for share in MOMENTS:
        process = started(study, "--jobs", "2")
        wait_for((study / HOLDER).exists, process)
        wait_for(lambda wanted=share * whole: n_files(study) >= wanted, process)
        time.sleep(jitter.uniform(0, 0.5))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
    assert killed == len(MOMENTS)
    assert run(["run", str(study), "--jobs", "2"]) == 0
    assert files(study) == files(finished.study)
    assert dump(study) == dump(finished.study)


def test_ctrl_c_leaves_a_study_that_goes_on(finished, tmp_path: Path) -> None:
    study = imported(finished, tmp_path)
    process = started(study, "--jobs", "1")
    wait_for(lambda: (study / "patients" / "P0001" / "features.parquet").exists(), process)
    process.send_signal(signal.SIGINT)
    assert "run it again" in process.communicate()[1]
    assert process.returncode == 130
    assert not (study / HOLDER).exists()
    assert run(["run", str(study), "--jobs", "2"]) == 0
    assert files(study) == files(finished.study)


def test_a_second_writer_is_told_who_holds_the_study(finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = imported(finished, tmp_path)
    with StudyFolder(study).writing("axilla run"):
        assert run(["run", str(study)]) == 3
        said = capsys.readouterr().err
        assert f"axilla run, process {os.getpid()} on " in said
        assert "wait until it has ended" in said
    assert not (study / HOLDER).exists()


def test_a_cluster_gives_the_same_bytes_and_a_killed_worker_costs_one_retry(finished, cluster, tmp_path: Path) -> None:
    study = imported(finished, tmp_path)
    process = started(study, "--scheduler", cluster.address)
    wait_for(lambda: any(study.glob("patients/*/features.parquet")), process)
    time.sleep(1.0)
    cluster.workers[0].send_signal(signal.SIGKILL)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert sum("tried again" in note for note in json.loads(out)["notes"]) == 1
    assert files(study) == files(finished.study)
    assert dump(study) == dump(finished.study)
