"""A small synthetic study, simulated, imported and run once for all tests of this folder."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from axilla.cli import run
from axilla.phantom import CohortSettings, PhantomSettings
from axilla.pipeline.simulate import simulate


@pytest.fixture(scope="session")
def coarse() -> CohortSettings:
    """Coarser than the demo's patients, to be quick, with training patients enough for a model; one of seven is not eligible."""
    phantom = PhantomSettings(shape_zyx=(84, 256, 256), spacing_xyz_mm=(1.7, 1.7, 2.0))
    return CohortSettings(phantom=phantom, role_counts=(3, 1, 1, 1), ineligible_share=1 / 7)


@dataclass(frozen=True)
class Run:
    """Where the simulated data and the study lie, and how the run ended."""

    source: Path
    study: Path
    status: int


@pytest.fixture(scope="session")
def finished(coarse: CohortSettings, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The study, run to its report."""
    root = tmp_path_factory.mktemp("demo")
    simulate(root / "source", 7, 3, coarse, jobs=1)
    imported = run(
        [
            "import",
            str(root / "source" / "dicom"),
            "--study",
            str(root / "study"),
            "--clinical",
            str(root / "source" / "clinical.csv"),
        ]
    )
    assert imported == 0
    return Run(root / "source", root / "study", run(["run", str(root / "study"), "--jobs", "1"]))


@dataclass(frozen=True)
class Cluster:
    """A Dask scheduler and perhaps workers, all started by hand."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: tuple[subprocess.Popen[bytes], ...] = ()


@pytest.fixture
def lone_scheduler() -> Iterator[Cluster]:
    """Without workers."""
    port = _free_port()
    process = _dask("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--no-show")
    with _ended(process):
        yield Cluster(f"tcp://127.0.0.1:{port}", process)


@pytest.fixture
def cluster(lone_scheduler: Cluster) -> Iterator[Cluster]:
    """With two workers, as a user starts them on two nodes."""
    arguments = ("worker", lone_scheduler.address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
    with contextlib.ExitStack() as stack:
        workers = tuple(_dask(*arguments) for _ in range(2))
        for worker in workers:
            stack.enter_context(_ended(worker))
        yield replace(lone_scheduler, workers=workers)


def _dask(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "dask", *arguments]
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}  # tests send functions of their own
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tempfile.gettempdir(), env=environment
    )


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()
        process.wait(20)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
