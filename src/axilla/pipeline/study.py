"""``axilla run``: every stage of a study, from its catalog to its report.

1. screen the patients; 2. per included patient: read the chosen series, locate, extract, build the atlas (skipped if up to date);
3. train on the training patients' nodes; 4. predict all; 5. call patients; 6. evaluate; 7. figures and report.

What one patient's data breaks is recorded for that patient, and the others go on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from axilla._version import __version__
from axilla.cohort import Cohort, Patient, screen
from axilla.errors import InputRefusedError
from axilla.io.database import JournalRow, SeriesRow
from axilla.io.study import StudyFolder
from axilla.io.tables import is_synthetic_table, read_features, read_nodes
from axilla.pipeline._learning import OTHER_SIDE, Measured, check_something_done, learn, write_study
from axilla.pipeline._outcome import Outcome
from axilla.pipeline._pool import run_jobs
from axilla.pipeline._progress import Progress, silent
from axilla.pipeline.case import CaseTask, feature_settings, run_case
from axilla.pipeline.feature_study import learn_from_tables
from axilla.pipeline.reporting import StudyResults, write_study_report
from axilla.pipeline.settings import SelectionSettings, StudySettings, plain_settings
from axilla.table import FeatureTable

CASE_STAGE = "case"


def run_study(root: Path, *, jobs: int | None = None, progress: Progress = silent) -> Outcome:
    """Run every stage of a study; what is up to date is not done again.

    Raises
    ------
    InputRefusedError
        If the study has no patients, no training nodes, or its decisions are faulty. What was finished before is kept.
    StudyBusyError
        If another process works on the study.
    """
    folder = StudyFolder.open(root)
    with folder.writing():
        return _run_tables(folder, progress) if folder.is_of_tables else _run(folder, jobs, progress)


def _run(folder: StudyFolder, jobs: int | None, progress: Progress) -> Outcome:
    settings = StudySettings.from_decisions(folder.decisions())
    with folder.database() as database:
        cohort = screen(database.patients(), settings.criteria)
        series = {row.patient_id: row for row in database.series() if row.is_chosen}
        reasons = {row.patient_id: row.reason for row in database.series() if not row.is_chosen}
    failed = _run_cases(folder, cohort, series, reasons, settings, jobs, progress)
    progress("train, predict, evaluate", 0, 1)
    results = _learn(folder, cohort, failed, settings)
    progress("train, predict, evaluate", 1, 1)
    return write_study(folder, results, progress)


def _run_tables(folder: StudyFolder, progress: Progress) -> Outcome:
    progress("train, predict, evaluate", 0, 1)
    results = learn_from_tables(folder)
    progress("train, predict, evaluate", 1, 1)
    return write_study(folder, results, progress)


def report_study(root: Path) -> Path:
    """Write the report anew from what the last run left.

    Raises
    ------
    InputRefusedError
        If the study has not been run.
    StudyBusyError
        If another process works on the study.
    """
    folder = StudyFolder.open(root)
    with folder.writing():
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
        failed = {row.patient_id: row.message for row in database.journal() if row.stage == CASE_STAGE and row.state == "failed"}
    write_study_report(folder, _learn(folder, cohort, failed, settings))
    return folder.report_path


def _run_cases(
    folder: StudyFolder,
    cohort: Cohort,
    series: Mapping[str, SeriesRow],
    reasons: Mapping[str, str],
    settings: StudySettings,
    jobs: int | None,
    progress: Progress,
) -> dict[str, str]:
    """Work through the included patients; those that failed, and why."""
    failed, tasks, marks = {}, [], {}
    with folder.database() as database:
        done = {row.patient_id: row.fingerprint for row in database.journal() if row.stage == CASE_STAGE and row.state == "done"}
        for patient in cohort.patients:
            name = patient.patient_id
            if name not in series:
                failed[name] = reasons.get(name, "no CT was imported for this patient")
                database.record(JournalRow(CASE_STAGE, name, "", "failed", failed[name]))
                continue
            task = CaseTask(name, series[name], folder.patient(name), settings.case)
            try:
                marks[name] = _fingerprint(task)
            except InputRefusedError as error:
                failed[name] = str(error)
                database.record(JournalRow(CASE_STAGE, name, "", "failed", failed[name]))
                continue
            if done.get(name) != marks[name] or not task.is_complete():
                tasks.append(task)

        def finished(task: CaseTask, error: str) -> None:
            state = "failed" if error else "done"
            database.record(JournalRow(CASE_STAGE, task.patient_id, marks[task.patient_id], state, error))
            if error:
                failed[task.patient_id] = error

        run_jobs(run_case, tasks, jobs, "patients", progress, finished)
    return dict(sorted(failed.items()))


def _fingerprint(task: CaseTask) -> str:
    """Of what a patient's files are made of: input files, settings, version."""
    parts = [__version__, plain_settings(task.settings), task.series.series_uid, task.series.fingerprint()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _learn(folder: StudyFolder, cohort: Cohort, failed: Mapping[str, str], settings: StudySettings) -> StudyResults:
    """Train, predict, call, evaluate, from the patients' files."""
    done = [patient for patient in cohort.patients if patient.patient_id not in failed]
    check_something_done(cohort, failed)
    paths = [folder.patient(patient.patient_id) / "features.parquet" for patient in done]
    measured = Measured(
        features=FeatureTable.concatenate([read_features(path) for path in paths]),
        nodes=pd.concat([_nodes_of(folder, patient, settings.selection) for patient in done], ignore_index=True),
        is_synthetic=any(is_synthetic_table(path) for path in paths),
        feature_settings=feature_settings(settings.case.radiomics),
    )
    return learn(folder.decisions().title, cohort, failed, measured, settings)


def _nodes_of(folder: StudyFolder, patient: Patient, selection: SelectionSettings) -> pd.DataFrame:
    """A patient's nodes, each with the reason why it does not count (empty: it counts)."""
    nodes = read_nodes(folder.patient(patient.patient_id) / "nodes.csv")
    nodes.insert(0, "patient_id", patient.patient_id)
    counts = pd.Series("", index=nodes.index, dtype=object)
    counts[nodes["detection_score"] < selection.detection_threshold] = "below the detection threshold"
    counts[nodes["side"] != patient.operated_side] = OTHER_SIDE
    return nodes.assign(counts=counts)
