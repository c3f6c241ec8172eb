"""Studies of 8, 16 and 32 simulated patients, from DICOM to report, by one and by two processes.

Seconds per patient and the main process's peak of memory must not grow with the study; two processes must be at least 1.7 times
as fast as one. Two gains are printed: of the whole command, whose start, learning and report are one process's work in any case,
and of the patients' own stages, the start of the workers included. `--jobs 1` is the main process itself, whose filters use both
cores at times. Patients are coarse (1.7 x 1.7 x 2 mm, 84 slices) and everything about them is synthetic. The last column is what
a run takes that has nothing to do.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

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
    print(f"seed {SEED}\n{'patients':<10}{'processes':>10}{'s':>8}{'s / patient':>13}{'gain':>7}", end="")
    print(f"{'stages s':>10}{'s / patient':>13}{'gain':>7}{'main MB':>9}{'again, s':>10}")
    with TemporaryDirectory() as name:
        root = Path(name)
        for size in sizes:
            made = simulate(root / f"source-{size}", size, SEED, COHORT)
            alone: tuple[float, float] | None = None
            for jobs in JOBS:
                study = root / f"study-{size}-{jobs}"
                _axilla("import", str(made.dicom), "--study", str(study), "--clinical", str(made.clinical))
                whole_s, peak_mb, said = _axilla("run", str(study), "--jobs", str(jobs))
                again_s, _, _ = _axilla("run", str(study), "--jobs", str(jobs))
                stages_s = max(float(found) for found in re.findall(r"(?:locate|extract): .* in (\S+) s", said))
                alone = alone or (whole_s, stages_s)
                print(f"{size:<10}{jobs:>10}{whole_s:>8.1f}{whole_s / size:>13.2f}{alone[0] / whole_s:>7.2f}", end="")
                print(
                    f"{stages_s:>10.1f}{stages_s / size:>13.2f}{alone[1] / stages_s:>7.2f}{peak_mb:>9.0f}{again_s:>10.1f}",
                    flush=True,
                )


def _axilla(*arguments: str) -> tuple[float, float, str]:
    """Wall seconds of a command, the most memory its main process held (MB; Linux only, else 0), and what it said meanwhile."""
    start, peak_kb = time.perf_counter(), 0
    with TemporaryFile("w+") as said:
        process = subprocess.Popen([sys.executable, "-m", "axilla", *arguments], stdout=subprocess.DEVNULL, stderr=said)
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            if status.is_file() and (found := re.search(r"VmHWM:\s+(\d+)", status.read_text())):
                peak_kb = int(found[1])
            time.sleep(0.05)
        seconds = time.perf_counter() - start
        said.seek(0)
        text = said.read()
    if process.returncode:
        raise RuntimeError(text)
    return seconds, peak_kb / 1024, text


if __name__ == "__main__":
    main(sys.argv[1:])
