"""``axilla simulate``: a synthetic study on disk, as a hospital would hand it over, and the truth beside it.

``dicom/SIM0001/...`` one CT per patient; ``clinical.csv`` the clinical sheet; ``truth/`` what no hospital knows: a label map per
patient, the nodes with their status, and the settings they were made with.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from axilla._version import __version__
from axilla.errors import InputRefusedError
from axilla.io.dicom import write_ct
from axilla.io.files import check_can_write, remove_leftovers, write_json
from axilla.io.images import write_labels
from axilla.io.tables import write_table
from axilla.phantom import PHANTOM_VERSION, CohortSettings, PatientPlan, TruthNode, plan_cohort, render
from axilla.pipeline._progress import Progress, silent
from axilla.pipeline._workers import Counting, Workers, run_tasks
from axilla.pipeline.settings import plain_settings


@dataclass(frozen=True)
class Simulation:
    """What ``simulate`` wrote."""

    folder: Path
    dicom: Path
    clinical: Path
    n_patients: int


def simulate(
    out: Path,
    n_patients: int,
    seed: int,
    settings: CohortSettings | None = None,
    jobs: int | None = None,
    progress: Progress = silent,
) -> Simulation:
    """Write a synthetic study. The same arguments give the same bytes, whatever the number of jobs.

    What is complete already is left as it is.

    Raises
    ------
    InputRefusedError
        If the folder holds something else: another simulation, or other files.
    """
    settings = settings or CohortSettings()
    description = {
        "schema": 1,
        "is_synthetic": True,
        "phantom": PHANTOM_VERSION,
        "axilla": __version__,
        "n_patients": n_patients,
        "seed": seed,
        "settings": plain_settings(settings),
    }
    check_can_write(out, folder=True)
    made = Simulation(out, out / "dicom", out / "clinical.csv", n_patients)
    if is_complete(out, description):
        return made
    plans = plan_cohort(n_patients, seed, settings)
    write_json(out / DESCRIPTION, {**description, "complete": False})
    tasks = [_Task(out, plan) for plan in plans]
    frames = run_tasks(_write_patient, tasks, Workers(jobs), Counting("simulate patients", len(tasks), progress))
    write_table(_clinical_frame(plans), made.clinical, "clinical", is_synthetic=True)
    write_table(pd.concat(frames, ignore_index=True), out / "truth" / "nodes.csv", "truth nodes", is_synthetic=True)
    write_json(out / DESCRIPTION, {**description, "complete": True})
    return made


DESCRIPTION = "simulation.json"


def is_complete(out: Path, description: Mapping[str, object]) -> bool:
    """Whether this very simulation lies there already; an unfinished one may be finished."""
    if not out.is_dir() or not any(out.iterdir()):
        return False
    try:
        found = json.loads((out / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = {}
    complete = found.pop("complete", None)
    if found != description:
        raise InputRefusedError(f"{out} is not empty and does not hold this simulation; give another folder, or empty it first.")
    return bool(complete)


@dataclass(frozen=True)
class _Task:
    out: Path
    plan: PatientPlan


def _write_patient(task: _Task, _progress: Progress) -> pd.DataFrame:
    plan, name = task.plan, _hospital_id(task.plan)
    remove_leftovers(task.out / "dicom" / name)
    case = render(plan)
    write_ct(case.volume, task.out / "dicom" / name, patient_id=name)
    write_labels(case.truth.to_labels(), task.out / "truth" / f"{name}.nii.gz")
    return truth_frame(name, case.nodes)


def truth_frame(name: str, nodes: Sequence[TruthNode]) -> pd.DataFrame:
    """The rows of one patient in ``truth/nodes.csv``."""
    rows = []
    for node in nodes:
        row = dataclasses.asdict(node)
        row["x_mm"], row["y_mm"], row["z_mm"] = row.pop("center_xyz_mm")
        rows.append({"patient_id": name, **row})
    return pd.DataFrame(rows, columns=["patient_id", *_TRUTH_COLUMNS])


_TRUTH_COLUMNS = (
    *(field.name for field in dataclasses.fields(TruthNode) if field.name != "center_xyz_mm"),
    "x_mm",
    "y_mm",
    "z_mm",
)


def _hospital_id(plan: PatientPlan) -> str:
    """What a hospital would call the patient; the study gives pseudonyms of its own."""
    return "SIM" + plan.patient.patient_id.removeprefix("P")


def _clinical_frame(plans: Sequence[PatientPlan]) -> pd.DataFrame:
    """The clinical sheet as ``io.clinical.read_clinical_sheet`` reads it."""
    rows = []
    for plan in plans:
        patient = plan.patient
        fixed = {
            "patient_id": _hospital_id(plan),
            "operated_side": patient.operated_side,
            "clinical_n": patient.clinical,
            "nodes_examined": patient.nodes_examined,
            "nodes_positive": patient.nodes_positive,
        }
        rows.append({**fixed, **{name: value for name, value in patient.facts.items() if name not in fixed}})
    return pd.DataFrame(rows).astype({"nodes_examined": "Int64", "nodes_positive": "Int64"})
