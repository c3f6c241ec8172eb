"""Studies of 8, 16 and 32 simulated patients, from DICOM to report, by one and by two processes.

Seconds per patient and the main process's peak of memory must not grow with the study; two processes must be at least 1.7 times
as fast as one (the study's own stages, which one process does, take seconds in any case). Patients are coarse (1.7 x 1.7 x 2 mm,
84 slices) and everything about them is synthetic. The last column is what a run takes that has nothing to do.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from axilla.phantom import CohortSettings, PhantomSettings
from axilla.pipeline.simulate import simulate

SEED = 11
SIZES = (8, 16, 32)
JOBS = (1, 2)
COHORT = CohortSettings(
    phantom=PhantomSettings(shape_zyx=(84, 256, 256), spacing_xyz_mm=(1.7, 1.7, 2.0)),
    role_counts=(3, 2, 2, 1),
    ineligible_share=0.0,
)


def main(options: Sequence[str] = ()) -> None:
    """Print one row per size and number of processes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks running", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="patients per study")
    sizes = parser.parse_args(list(options)).sizes
    head = f"{'patients':<10}{'processes':>10}{'s':>8}{'s / patient':>13}{'gain':>7}{'main MB':>9}{'again, s':>10}"
    print(f"seed {SEED}\n{head}")
    with TemporaryDirectory() as name:
        root = Path(name)
        for size in sizes:
            made = simulate(root / f"source-{size}", size, SEED, COHORT)
            alone_s = 0.0
            for jobs in JOBS:
                study = root / f"study-{size}-{jobs}"
                _axilla("import", str(made.dicom), "--study", str(study), "--clinical", str(made.clinical))
                seconds, peak_mb = _axilla("run", str(study), "--jobs", str(jobs))
                again, _ = _axilla("run", str(study), "--jobs", str(jobs))
                alone_s = alone_s or seconds
                row = f"{size:<10}{jobs:>10}{seconds:>8.1f}{seconds / size:>13.2f}{alone_s / seconds:>7.2f}"
                print(f"{row}{peak_mb:>9.0f}{again:>10.1f}", flush=True)


def _axilla(*arguments: str) -> tuple[float, float]:
    """Wall seconds of a command, and the most memory its main process held (MB; Linux only, else 0)."""
    start, peak_kb = time.perf_counter(), 0
    with subprocess.Popen(
        [sys.executable, "-m", "axilla", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            if status.is_file() and (found := re.search(r"VmHWM:\s+(\d+)", status.read_text())):
                peak_kb = int(found[1])
            time.sleep(0.05)
        if process.returncode:
            raise RuntimeError((process.stderr.read() if process.stderr else b"").decode())
    return time.perf_counter() - start, peak_kb / 1024


if __name__ == "__main__":
    main(sys.argv[1:])
