"""``axilla simulate --background``: synthetic nodes in a real CT, so that any user learns the sensitivity on the own scanner.

``dicom/SIM0001/...`` the CT with its implants, each further patient another set of implants in the same CT; ``truth/`` a label
map per patient and the implanted nodes. The CT's own nodes stay where they are and are not in the truth. There is no clinical
sheet: a node's status here is how it was drawn, not what became of a patient.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from axilla._version import __version__
from axilla.errors import InputRefusedError, UsageError
from axilla.io import read_ct
from axilla.io.dicom import write_ct
from axilla.io.files import check_can_write, remove_leftovers, write_json
from axilla.io.images import write_labels
from axilla.io.tables import write_table
from axilla.phantom import PHANTOM_VERSION, ImplantSettings, SyntheticCase, implant
from axilla.pipeline._progress import Progress, silent
from axilla.pipeline._workers import Counting, Workers, run_tasks
from axilla.pipeline.settings import plain_settings
from axilla.pipeline.simulate import DESCRIPTION, is_complete, truth_frame
from axilla.volume import Volume, to_canonical

MOST_PATIENTS = 999
"""Sets of implants in one CT: beyond this the same fat is only used again."""

NODES_PER_SIDE = 6
"""Implants per axilla unless told otherwise: a thin patient's axillary fat has room for about as many, spread over 3 to 15 mm."""


@dataclass(frozen=True)
class Implants:
    """What :func:`simulate_implants` wrote."""

    folder: Path
    dicom: Path
    n_patients: int
    n_nodes: int


def simulate_implants(
    background: Path,
    out: Path,
    n_patients: int,
    seed: int,
    n_per_side: int = NODES_PER_SIDE,
    *,
    series_uid: str | None = None,
    settings: ImplantSettings | None = None,
    jobs: int | None = None,
    progress: Progress = silent,
) -> Implants:
    """Implant synthetic nodes into the axillae of a real CT and write CT and truth. Same CT and arguments, same bytes.

    Parameters
    ----------
    background : Path
        The real CT; only read.
    out : Path
        What is complete there already is left as it is.
    n_patients : int
        Sets of implants, each from a seed of its own.
    seed : int
    n_per_side : int
        Nodes wanted per axilla; fewer where the fat has no room.
    series_uid, settings, jobs, progress

    Raises
    ------
    UsageError
        If the numbers make no sense, or the folder to write to lies in the background's.
    InputRefusedError
        If the background is no CT with an axilla in its field, is synthetic itself, or the folder holds something else.
    """
    settings = settings or ImplantSettings()
    _check(background, out, n_patients, n_per_side, seed)
    check_can_write(out, folder=True)
    progress("read CT", 0, 1)
    volume = _background(background, series_uid)
    progress("read CT", 1, 1)
    if volume.acquisition.is_synthetic:
        raise InputRefusedError("The background is synthetic itself, so its truth would not be whole; give a real CT.")
    description = {
        "schema": 1,
        "is_synthetic": True,
        "phantom": PHANTOM_VERSION,
        "axilla": __version__,
        "n_patients": n_patients,
        "seed": seed,
        "n_per_side": n_per_side,
        "settings": plain_settings(settings),
        "background_sha256": hashlib.sha256(volume.array.tobytes()).hexdigest(),
    }
    table = out / "truth" / "nodes.csv"
    if not is_complete(out, description):
        tasks = [_Task(out, background, series_uid, index, seed, n_per_side, settings) for index in range(n_patients)]
        progress("implant nodes", 0, 1)
        first = _implanted(tasks[0], volume)  # a CT without axillae is refused before anything is written
        write_json(out / DESCRIPTION, {**description, "complete": False})
        frames = [_write(tasks[0], first)]
        progress("implant nodes", 1, 1)
        if tasks[1:]:
            watch: Counting[_Task, pd.DataFrame] = Counting("implant nodes into further copies", len(tasks) - 1, progress)
            frames += run_tasks(_write_implants, tasks[1:], Workers(jobs), watch)
        write_table(pd.concat(frames, ignore_index=True), table, "truth nodes", is_synthetic=True)
        write_json(out / DESCRIPTION, {**description, "complete": True})
    return Implants(out, out / "dicom", n_patients, len(pd.read_csv(table)))


@dataclass(frozen=True)
class _Task:
    out: Path
    background: Path
    series_uid: str | None
    index: int
    seed: int
    n_per_side: int
    settings: ImplantSettings

    @property
    def name(self) -> str:
        """What a hospital would call the patient."""
        return f"SIM{self.index + 1:04d}"


def _background(path: Path, series_uid: str | None) -> Volume:
    return _right_handed(read_ct(path, series_uid).volume)


def _write_implants(task: _Task, _progress: Progress) -> pd.DataFrame:
    return _write(task, _implanted(task, _background(task.background, task.series_uid)))


def _implanted(task: _Task, volume: Volume) -> SyntheticCase:
    own_seed = int(np.random.SeedSequence(task.seed, spawn_key=(task.index,)).generate_state(1)[0])
    return implant(volume, task.n_per_side, own_seed, task.settings)


def _write(task: _Task, case: SyntheticCase) -> pd.DataFrame:
    """Write one patient and give the rows of its truth."""
    remove_leftovers(task.out / "dicom" / task.name)
    write_ct(
        case.volume,
        task.out / "dicom" / task.name,
        patient_id=task.name,
        uid_seed=f"implants {task.seed}",
        series_description="nodes implanted into a real CT",
    )
    write_labels(case.truth.to_labels(), task.out / "truth" / f"{task.name}.nii.gz")
    return truth_frame(task.name, case.nodes)


def _check(background: Path, out: Path, n_patients: int, n_per_side: int, seed: int) -> None:
    if not 1 <= n_patients <= MOST_PATIENTS:
        raise UsageError(f"One CT carries 1 to {MOST_PATIENTS} sets of implants, not {n_patients}.")
    if not 1 <= n_per_side <= 15:
        raise UsageError(f"An axilla takes 1 to 15 implants, not {n_per_side}.")
    if seed < 0:
        raise UsageError(f"A seed is a whole number of at least 0, not {seed}.")
    if background.is_dir() and out.resolve().is_relative_to(background.resolve()):
        raise UsageError("The folder to write to lies in the background's folder, which is only read; give another place.")


def _right_handed(volume: Volume) -> Volume:
    """The CT on a grid that DICOM can hold."""
    if np.linalg.det(np.asarray(volume.geometry.direction)) > 0:
        return volume
    array = np.ascontiguousarray(to_canonical(volume.array, volume.geometry))
    return replace(volume, array=array, geometry=volume.geometry.canonical(), slices=())
