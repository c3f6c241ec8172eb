"""``axilla run``: every stage of a study (:data:`axilla.pipeline.stages.STAGES`), from its catalog to its report.

What one patient's data breaks is recorded for that patient, and the others go on. Killed at any moment, it goes on where it was.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from axilla.cohort import Cohort, Patient, screen
from axilla.errors import InputRefusedError
from axilla.io.files import remove_leftovers
from axilla.io.study import StudyFolder
from axilla.io.tables import is_synthetic_table, read_features, read_nodes
from axilla.pipeline._cases import failed_before, run_cases
from axilla.pipeline._learning import OTHER_SIDE, Measured, check_something_done, learn, write_study
from axilla.pipeline._outcome import Outcome
from axilla.pipeline._progress import Progress, silent
from axilla.pipeline._workers import Workers
from axilla.pipeline.case import feature_settings
from axilla.pipeline.feature_study import learn_from_tables
from axilla.pipeline.reporting import StudyResults, write_study_report
from axilla.pipeline.settings import SelectionSettings, StudySettings
from axilla.pipeline.stages import LEARN, LOCATE, NO_MASK
from axilla.table import FeatureTable


def run_study(
    root: Path,
    *,
    workers: Workers = Workers(),  # noqa: B008 - frozen
    progress: Progress = silent,
) -> Outcome:
    """Run every stage of a study; what is up to date is not done again.

    Raises
    ------
    InputRefusedError
        If the study has no patients, no training nodes, or its decisions are faulty. What was finished before is kept.
    StudyBusyError
        If another process works on the study.
    UnfinishedError
        If the work was broken off from outside.
    """
    folder = StudyFolder.open(root)
    with folder.writing("axilla run") as holder:
        remove_leftovers(folder.root)
        return _run_tables(folder, progress) if folder.is_of_tables else _run(folder, workers, holder, progress)


def _run(folder: StudyFolder, workers: Workers, holder: str, progress: Progress) -> Outcome:
    settings = StudySettings.from_decisions(folder.decisions())
    with folder.database() as database:
        cohort = screen(database.patients(), settings.criteria)
        cases = run_cases(folder, database, cohort.patients, settings.case, workers, holder, progress)
    progress(LEARN.name, 0, 1)
    with _telling_what_is_old(folder):
        results = _learn(folder, cohort, cases.failed, settings)
    progress(LEARN.name, 1, 1)
    return write_study(folder, results, progress, cases.notes)


def _run_tables(folder: StudyFolder, progress: Progress) -> Outcome:
    progress(LEARN.name, 0, 1)
    with _telling_what_is_old(folder):
        results = learn_from_tables(folder)
    progress(LEARN.name, 1, 1)
    return write_study(folder, results, progress)


@contextlib.contextmanager
def _telling_what_is_old(folder: StudyFolder) -> Iterator[None]:
    """A refusal says that what lies there shows an earlier run."""
    try:
        yield
    except InputRefusedError as error:
        if not folder.report_path.is_file():
            raise
        raise InputRefusedError(f"{error} Results and report that lie in {folder.root} are of an earlier run.") from error


def report_study(root: Path) -> Path:
    """Write the report anew from what the last run left.

    Raises
    ------
    InputRefusedError
        If the study has not been run, or not to its end.
    StudyBusyError
        If another process works on the study.
    """
    folder = StudyFolder.open(root)
    with folder.writing("axilla report"):
        return _report(folder)


def _report(folder: StudyFolder) -> Path:
    if not folder.model_path.is_file():
        raise InputRefusedError(f"{folder.root} has no results yet; run it first: axilla run {folder.root}")
    if folder.is_of_tables:
        write_study_report(folder, learn_from_tables(folder))
        return folder.report_path
    settings = StudySettings.from_decisions(folder.decisions())
    with folder.database() as database:
        cohort = screen(database.patients(), settings.criteria)
        failed = failed_before(folder, database, cohort.patients, settings.case)
    write_study_report(folder, _learn(folder, cohort, failed, settings))
    return folder.report_path


def _learn(folder: StudyFolder, cohort: Cohort, failed: Mapping[str, str], settings: StudySettings) -> StudyResults:
    """Train, predict, call, evaluate, from the patients' files."""
    done = [patient for patient in cohort.patients if patient.patient_id not in failed]
    check_something_done(cohort, failed)
    paths = [folder.patient(patient.patient_id) / "features.parquet" for patient in done]
    n_synthetic = sum(is_synthetic_table(path) for path in paths)
    measured = Measured(
        features=FeatureTable.concatenate([read_features(path) for path in paths]),
        nodes=pd.concat([_nodes_of(folder, patient, settings.selection) for patient in done], ignore_index=True),
        is_synthetic=n_synthetic > 0,
        feature_settings=feature_settings(settings.case.radiomics),
        warnings=_mixture_warnings(n_synthetic, len(paths)),
        drawn=_drawn(folder),
    )
    return learn(folder.decisions().title, cohort, failed, measured, settings)


def _drawn(folder: StudyFolder) -> frozenset[str]:
    """Patients whose nodes were made of a mask, as the journal has it: one given later has no part in them yet."""
    with folder.database() as database:
        located = [row for row in database.journal() if row.stage == LOCATE.name]
    return frozenset(row.patient_id for row in located if row.inputs.get("mask", NO_MASK) != NO_MASK)


def _mixture_warnings(n_synthetic: int, n_patients: int) -> tuple[str, ...]:
    if n_synthetic in (0, n_patients):
        return ()
    return (f"{n_synthetic} of the {n_patients} patients are synthetic, the others real: one model is made of both.",)


def _nodes_of(folder: StudyFolder, patient: Patient, selection: SelectionSettings) -> pd.DataFrame:
    """A patient's nodes, each with the reason why it does not count (empty: it counts)."""
    nodes = read_nodes(folder.patient(patient.patient_id) / "nodes.csv")
    nodes.insert(0, "patient_id", patient.patient_id)
    counts = pd.Series("", index=nodes.index, dtype=object)
    counts[nodes["detection_score"] < selection.detection_threshold] = "below the detection threshold"
    counts[nodes["side"] != patient.operated_side] = OTHER_SIDE
    return nodes.assign(counts=counts)
