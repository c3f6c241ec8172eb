"""A whole study from feature tables, as large as Qu et al. 2024's: seconds, and memory of the process at its peak.

478 simulated patients: 190 to train on with 1737 nodes, 160 to validate on with 1397, and 128 cN0, whose nodes (8 each) the paper
does not count. ``axilla study`` in a process of its own, starting Python included; it must end below 60 s.
"""

from __future__ import annotations

import resource  # Unix only; the benchmark is for developers
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks._simulated_study import PAPER, simulate_study

SEED = 20240723
REPEATS = 3


def main() -> None:
    """Print one row per run."""
    with TemporaryDirectory() as folder:
        simulated = simulate_study(PAPER, SEED)
        features, sheet = simulated.write(Path(folder))
        print(f"{'run':<6}{'patients':>9}{'nodes':>7}{'seconds':>9}{'CPU s':>8}{'peak MB':>9}{'below 60 s':>12}")
        for run in range(1, REPEATS + 1):
            command = [sys.executable, "-m", "axilla", "study", str(features), "--clinical", str(sheet), "-o", f"{folder}/{run}"]
            before, start = _cpu_s(), time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds, cpu = time.perf_counter() - start, _cpu_s() - before
            peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
            size = f"{len(simulated.sheet):>9}{len(simulated.features):>7}"
            print(f"{run:<6}{size}{seconds:>9.1f}{cpu:>8.1f}{peak_mb:>9.0f}{'yes' if seconds < 60 else 'NO':>12}", flush=True)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
