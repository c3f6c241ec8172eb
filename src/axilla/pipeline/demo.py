"""``axilla demo``: a small synthetic study from nothing to its report."""

from __future__ import annotations

from pathlib import Path

from axilla.pipeline._outcome import Outcome
from axilla.pipeline._progress import Progress, silent
from axilla.pipeline._workers import Workers
from axilla.pipeline.catalog import import_study
from axilla.pipeline.simulate import simulate
from axilla.pipeline.study import run_study

TITLE = "Demo study on synthetic patients"


def run_demo(out: Path, n_patients: int, seed: int, *, jobs: int | None = None, progress: Progress = silent) -> Outcome:
    """Simulate `n_patients` as DICOM with a clinical sheet in ``out/source``; run the whole study on them in ``out/study``."""
    made = simulate(out / "source", n_patients, seed, jobs=jobs, progress=progress)
    import_study([made.dicom], out / "study", made.clinical, title=TITLE, progress=progress)
    return run_study(out / "study", workers=Workers(jobs), progress=progress)
