"""Seconds per stage and peak memory of one CT, single run in a process of its own.

CTs: one synthetic patient of the demo (phantom, seed 1), and the CT named by $AXILLA_BENCH_CT if it is set.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import resource  # Unix only; the benchmark is for developers
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from axilla.io import read_ct
from axilla.io.dicom import write_ct
from axilla.phantom import plan_cohort, render
from axilla.pipeline.case import build, locate_nodes, measure, write_located
from axilla.pipeline.settings import CaseSettings


def main() -> None:
    """Print one row per CT."""
    columns = "".join(f"{name:>9}" for name in ("read", "locate", "features", "atlas", "write"))
    print(f"{'CT':<12}{'shape (z, y, x)':<20}{'nodes':>6}{columns} s{'peak':>9} MB")
    with TemporaryDirectory() as folder:
        write_ct(render(plan_cohort(1, 1)[0]).volume, Path(folder) / "ct", patient_id="SIM0001")
        _in_own_process("phantom", Path(folder) / "ct")
    if "AXILLA_BENCH_CT" in os.environ:
        _in_own_process("own CT", Path(os.environ["AXILLA_BENCH_CT"]))


def _in_own_process(name: str, ct: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_measure, args=(name, ct))
    process.start()
    process.join()


def _measure(name: str, ct: Path) -> None:
    settings, times = CaseSettings(), [time.perf_counter()]
    with TemporaryDirectory() as out:
        volume = read_ct(ct).volume
        times.append(time.perf_counter())
        located = locate_nodes(volume, settings)
        times.append(time.perf_counter())
        measure(located, settings, "P0001")
        times.append(time.perf_counter())
        atlas = build(located, settings)
        times.append(time.perf_counter())
        write_located(located, atlas, Path(out))
        times.append(time.perf_counter())
    read, locate, features, surfaces, write = (b - a for a, b in itertools.pairwise(times))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    shape = str(volume.geometry.shape_zyx)
    row = f"{read:>9.1f}{locate:>9.1f}{features:>9.1f}{surfaces:>9.1f}{write:>9.1f}"
    print(f"{name:<12}{shape:<20}{len(located.nodes):>6}{row}   {peak_mb:>9.0f}", flush=True)
