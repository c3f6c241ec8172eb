"""``axilla run``: every stage of a study, from its catalog to its report.

1. screen the patients; 2. per included patient: read the chosen series, locate, extract, build the atlas (skipped if up to date);
3. train on the training patients' nodes; 4. predict all; 5. call patients; 6. evaluate; 7. figures and report.

What one patient's data breaks is recorded for that patient, and the others go on.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from axilla._version import __version__
from axilla.cohort import Cohort, Patient, screen
from axilla.errors import InputRefusedError
from axilla.evaluate import evaluate, node_status_of, patient_status_of
from axilla.io.models import write_model
from axilla.io.study import JournalRow, SeriesRow, StudyFolder
from axilla.io.tables import is_synthetic_table, read_features, read_nodes, write_table
from axilla.model import apply_patient_rule, predict, train
from axilla.pipeline._outcome import Outcome
from axilla.pipeline._pool import run_jobs
from axilla.pipeline._progress import Progress, silent
from axilla.pipeline.case import CaseTask, feature_settings, run_case
from axilla.pipeline.learn import summary_lines, write_evaluation
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
        return _run(folder, jobs, progress)


def _run(folder: StudyFolder, jobs: int | None, progress: Progress) -> Outcome:
    settings = StudySettings.from_decisions(folder.decisions())
    with folder.database() as database:
        cohort = screen(database.patients())
        series = {row.patient_id: row for row in database.series() if row.is_chosen}
        reasons = {row.patient_id: row.reason for row in database.series() if not row.is_chosen}
    failed = _run_cases(folder, cohort, series, reasons, settings, jobs, progress)
    progress("train, predict, evaluate", 0, 1)
    results = _learn(folder, cohort, failed, settings)
    _write_results(folder, results)
    progress("train, predict, evaluate", 1, 1)
    progress("figures and report", 0, 1)
    write_study_report(folder, results)
    progress("figures and report", 1, 1)
    return _outcome(folder, results)


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
    settings = StudySettings.from_decisions(folder.decisions())
    with folder.database() as database:
        cohort = screen(database.patients())
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
    if not done:
        raise InputRefusedError(_nothing_done(cohort, failed))
    tables = {p.patient_id: read_features(folder.patient(p.patient_id) / "features.parquet") for p in done}
    is_synthetic = any(is_synthetic_table(folder.patient(p.patient_id) / "features.parquet") for p in done)
    nodes = pd.concat([_nodes_of(folder, patient, settings.selection) for patient in done], ignore_index=True)
    every = FeatureTable.concatenate(list(tables.values()))
    counting = nodes.loc[nodes["counts"] == "", ["patient_id", "node_id"]]
    features = FeatureTable(every.frame.merge(counting, on=["patient_id", "node_id"]))
    training = features.select([patient.patient_id for patient in done if patient.role == "training"])
    recorded = feature_settings(settings.case.radiomics)
    model = train(training, settings.model, is_synthetic=is_synthetic, feature_settings=recorded)
    predictions = predict(model, every, settings.predict, feature_settings=recorded)
    predictions = predictions.merge(nodes[["patient_id", "node_id", "counts"]], on=["patient_id", "node_id"], how="left")
    counted = predictions[predictions["counts"] == ""].drop(columns="counts")
    patients = apply_patient_rule(
        counted,
        settings.rule,
        node_sides=dict(zip(zip(nodes["patient_id"], nodes["node_id"], strict=True), nodes["side"], strict=True)),
        operated_sides={patient.patient_id: patient.operated_side for patient in cohort.patients},
        patient_ids=[patient.patient_id for patient in cohort.patients],
        reasons=failed,
    )
    lent = node_status_of(nodes[nodes["counts"] == ""], done)
    evaluation = evaluate(counted, lent, patients, patient_status_of(cohort.patients), is_synthetic=is_synthetic)
    return StudyResults(
        title=folder.decisions().title,
        cohort=cohort,
        failed=failed,
        nodes=nodes,
        features=features,
        model=model,
        predictions=_noted(predictions),
        patients=patients,
        evaluation=evaluation,
        settings=settings,
        is_synthetic=is_synthetic,
    )


def _nothing_done(cohort: Cohort, failed: Mapping[str, str]) -> str:
    """Why there is nothing to train on: the reasons, most frequent first."""
    reasons = Counter([*failed.values(), *cohort.excluded.values()])
    told = "; ".join(f"{number} patient(s): {reason}" for reason, number in reasons.most_common(5))
    return f"No patient could be finished, so there is nothing to train on. {told or 'The study has no patients; import some.'}"


def _nodes_of(folder: StudyFolder, patient: Patient, selection: SelectionSettings) -> pd.DataFrame:
    """A patient's nodes, each with the reason why it does not count (empty: it counts)."""
    nodes = read_nodes(folder.patient(patient.patient_id) / "nodes.csv")
    nodes.insert(0, "patient_id", patient.patient_id)
    counts = pd.Series("", index=nodes.index, dtype=object)
    counts[nodes["detection_score"] < selection.detection_threshold] = "below the detection threshold"
    counts[nodes["side"] != patient.operated_side] = "not of the operated side"
    return nodes.assign(counts=counts)


def _noted(predictions: pd.DataFrame) -> pd.DataFrame:
    """Predictions with the reason why a node is shown but not used among its warnings."""
    unused = predictions["counts"] != ""
    notes = predictions["warnings"].where(~unused, "shown, not used: " + predictions["counts"] + "; " + predictions["warnings"])
    return predictions.assign(warnings=notes.str.removesuffix("; ")).drop(columns="counts")


def _write_results(folder: StudyFolder, results: StudyResults) -> None:
    synthetic = results.is_synthetic
    write_model(results.model, folder.model_path)
    shared = results.nodes.assign(sop_instance_uid="")  # results are handed on; the link to the CT stays in patients/
    write_table(shared, folder.results / "nodes.csv", "nodes", is_synthetic=synthetic)
    write_table(results.predictions, folder.results / "predictions.csv", "predictions", is_synthetic=synthetic)
    write_table(results.patients, folder.results / "patients.csv", "patients", is_synthetic=synthetic)
    write_evaluation(results.evaluation, folder.results)


def _outcome(folder: StudyFolder, results: StudyResults) -> Outcome:
    cohort, failed = results.cohort, results.failed
    label = ["SYNTHETIC DATA: these figures say nothing about real patients."] if results.is_synthetic else []
    lines = (
        *label,
        f"{len(cohort.patients)} patients included, {len(cohort.excluded)} excluded, {len(failed)} failed",
        *_counts_lines(cohort),
        *summary_lines(results.evaluation),
        *(f"failed: {patient}: {reason}" for patient, reason in failed.items()),
        f"report: {folder.report_path}",
    )
    result: dict[str, Any] = {
        "study": str(folder.root),
        "report": str(folder.report_path),
        "model": str(folder.model_path),
        "included": len(cohort.patients),
        "excluded": dict(cohort.excluded),
        "failed": dict(failed),
        "results": results.evaluation.to_dict(),
    }
    return Outcome(result, lines, failed)


def _counts_lines(cohort: Cohort) -> Sequence[str]:
    roles = ", ".join(f"{name} {len(cohort.members(name))}" for name in ("training", "validation", "cN0"))
    excluded = [f"excluded: {patient}: {reason}" for patient, reason in sorted(cohort.excluded.items())]
    return [f"cohorts: {roles}", *excluded]
