"""What a study does once every node is measured: train, predict, call, evaluate; and what it then writes and says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from axilla._version import __version__
from axilla.cohort import NOT_IN_SHEET, Cohort
from axilla.errors import InputRefusedError
from axilla.evaluate import axillae_of, choose_rule, compare_rules, evaluate, node_status_of, patient_status_of, rule_table
from axilla.io.database import JournalRow, StudyDatabase
from axilla.io.models import write_model
from axilla.io.study import StudyFolder
from axilla.io.tables import write_table
from axilla.model import CHOSEN, apply_patient_rule, predict, train
from axilla.pipeline._differences import class_summary
from axilla.pipeline._outcome import Outcome
from axilla.pipeline._progress import Progress
from axilla.pipeline._versions import REPORTED_PACKAGES, versions
from axilla.pipeline.learn import summary_lines, write_evaluation
from axilla.pipeline.reporting import StudyResults, write_study_report
from axilla.pipeline.settings import StudySettings, plain_settings
from axilla.pipeline.stages import LEARN, REPORT, digest_of, digest_of_plain, is_current, outputs_of
from axilla.table import FeatureTable

OTHER_SIDE = "not of the operated side"


@dataclass(frozen=True)
class Measured:
    """The measured nodes of the patients that were finished."""

    features: FeatureTable
    """Of all nodes."""
    nodes: pd.DataFrame
    """``patient_id, node_id, side, counts``: why a node is shown but not used, or empty; further columns are handed on."""
    is_synthetic: bool
    feature_settings: Mapping[str, str | float | bool | None]
    """How the features were made, as the model records it."""
    tools: tuple[str, ...] = ()
    """What measured the nodes, where the features came as tables; empty where axilla did on the study's own CTs."""
    warnings: tuple[str, ...] = field(default=())
    n_side_untold: int = 0
    """Nodes whose side no table tells; they are taken as of the operated side."""
    drawn: frozenset[str] = frozenset()
    """Patients whose nodes are those of a mask that the user brought."""


def learn(title: str, cohort: Cohort, failed: Mapping[str, str], measured: Measured, settings: StudySettings) -> StudyResults:
    """Train on the training patients' nodes that count, predict all, call patients, evaluate.

    Raises
    ------
    InputRefusedError
        If the training nodes are too few or cannot be grouped.
    """
    nodes, recorded = measured.nodes, measured.feature_settings
    done = [patient for patient in cohort.patients if patient.patient_id not in failed]
    counting = nodes.loc[nodes["counts"] == "", ["patient_id", "node_id"]]
    features = FeatureTable(measured.features.frame.merge(counting, on=["patient_id", "node_id"]))
    trained = [patient.patient_id for patient in done if patient.role == "training"]
    if not trained:
        raise InputRefusedError(
            f"None of the {len(done)} patients can be trained on: those are cN+ with some, not all, examined nodes positive."
        )
    training = features.select(trained)
    try:
        model = train(training, settings.model, is_synthetic=measured.is_synthetic, feature_settings=recorded)
    except InputRefusedError as error:  # fewer nodes than expected, perhaps because patients failed
        raise InputRefusedError(f"{error} {_most_frequent(failed.values())}".rstrip()) from error
    predictions = predict(model, measured.features, settings.predict, feature_settings=recorded)
    predictions = predictions.merge(nodes[["patient_id", "node_id", "counts"]], on=["patient_id", "node_id"], how="left")
    counted = predictions[predictions["counts"] == ""].drop(columns="counts")
    axillae = axillae_of(counted)
    training_patients = [patient for patient in done if patient.role == "training"]
    choice = choose_rule(axillae, training_patients, model.center_distance, settings.rule_choice, settings.evaluate)
    rule = choice.chosen if settings.rule.name == CHOSEN else settings.rule
    patients = apply_patient_rule(
        counted,
        rule,
        node_sides=dict(zip(zip(nodes["patient_id"], nodes["node_id"], strict=True), nodes["side"], strict=True)),
        operated_sides={patient.patient_id: patient.operated_side for patient in cohort.patients},
        patient_ids=[patient.patient_id for patient in cohort.patients],
        reasons=failed,
    )
    lent = node_status_of(nodes[nodes["counts"] == ""], done)
    status = patient_status_of(cohort.patients)
    evaluation = evaluate(counted, lent, patients, status, settings.evaluate, is_synthetic=measured.is_synthetic)
    return StudyResults(
        title=title,
        cohort=cohort,
        failed=failed,
        nodes=nodes,
        features=features,
        model=model,
        predictions=_noted(predictions),
        patients=patients,
        evaluation=evaluation,
        rules=compare_rules(choice, rule, axillae, evaluation.patients, settings.evaluate.level),
        settings=settings,
        is_synthetic=measured.is_synthetic,
        tools=measured.tools,
        warnings=measured.warnings,
        n_side_untold=measured.n_side_untold,
        drawn=measured.drawn,
    )


def check_something_done(cohort: Cohort, failed: Mapping[str, str]) -> None:
    """Refuse a study none of whose patients could be finished, with the reasons, most frequent first."""
    if set(failed) < {patient.patient_id for patient in cohort.patients}:
        return
    if cohort.excluded and not failed and set(cohort.excluded.values()) == {NOT_IN_SHEET}:
        raise InputRefusedError(
            "No patient is in a clinical sheet yet; import one: axilla import SRC... --study STUDY --clinical FILE"
        )
    told = _most_frequent([*failed.values(), *cohort.excluded.values()])
    raise InputRefusedError(
        f"No patient could be finished, so there is nothing to train on. {told or 'The study has no patients; import some.'}"
    )


def _most_frequent(reasons: Iterable[str]) -> str:
    return "; ".join(f"{number} patient(s): {reason}" for reason, number in Counter(reasons).most_common(5))


def _noted(predictions: pd.DataFrame) -> pd.DataFrame:
    """Predictions with the reason why a node is shown but not used among its warnings."""
    unused = predictions["counts"] != ""
    notes = predictions["warnings"].where(~unused, "shown, not used: " + predictions["counts"] + "; " + predictions["warnings"])
    return predictions.assign(warnings=notes.str.removesuffix("; ")).drop(columns="counts")


def write_study(folder: StudyFolder, results: StudyResults, progress: Progress, notes: Sequence[str] = ()) -> Outcome:
    """Model, results, figures and report of a study where they are not up to date; what to say of them (`notes`: of the run)."""
    stages = (LEARN, REPORT)
    with folder.database() as database:
        rows = {row.stage: row for row in database.journal() if not row.patient_id}
        inputs = _inputs(folder, results, database)
        is_done = all(is_current(rows.get(stage.name), inputs, folder.root) for stage in stages)
        progress(REPORT.name, int(is_done), 1)
        if not is_done:
            _write_results(folder, results)
            write_study_report(folder, results)
            done = [JournalRow(stage.name, "", "done", "", inputs, outputs_of(stage, folder.root)) for stage in stages]
            database.record("", done)
            progress(REPORT.name, 1, 1)
    return _outcome(folder, results, notes)


def _inputs(folder: StudyFolder, results: StudyResults, database: StudyDatabase) -> dict[str, str]:
    """Digests of all that the study's own stages are made of."""
    tables = [path for path in (folder.features_path, folder.nodes_path) if path.is_file()]
    files = {row.patient_id: dict(row.outputs) for row in database.journal() if row.patient_id}
    files["tables"] = {path.name: digest_of(path) for path in tables}
    patients = [{**vars(patient), "facts": dict(patient.facts)} for patient in database.patients()]
    told = [results.title, dict(results.failed), list(results.warnings), list(results.tools)]
    return {
        "axilla": __version__,
        "libraries": digest_of_plain(versions((*REPORTED_PACKAGES, "matplotlib"))),
        "settings": digest_of_plain(plain_settings(results.settings)),
        "patients": digest_of_plain(patients),
        "files": digest_of_plain(files),
        "told": digest_of_plain(told),
    }


def _write_results(folder: StudyFolder, results: StudyResults) -> None:
    synthetic = results.is_synthetic
    write_model(results.model, folder.model_path)
    linked = {"sop_instance_uid"} & set(results.nodes.columns)
    shared = results.nodes.assign(**dict.fromkeys(linked, ""))  # results are handed on; the link to the CT stays in patients/
    write_table(shared, folder.results / "nodes.csv", "nodes", is_synthetic=synthetic)
    write_table(results.predictions, folder.results / "predictions.csv", "predictions", is_synthetic=synthetic)
    write_table(results.patients, folder.results / "patients.csv", "patients", is_synthetic=synthetic)
    write_table(results.differences, folder.results / "group_differences.csv", "group differences", is_synthetic=synthetic)
    by_class = class_summary(results.differences)
    write_table(by_class, folder.results / "group_differences_by_class.csv", "group differences by class", is_synthetic=synthetic)
    write_table(rule_table(results.rules), folder.results / "rules.csv", "patient rules", is_synthetic=synthetic)
    grid = results.rules.choice.grid
    write_table(grid, folder.results / "rules_grid.csv", "patient rules, every parameter tried", is_synthetic=synthetic)
    write_evaluation(results.evaluation, folder.results)


def _outcome(folder: StudyFolder, results: StudyResults, notes: Sequence[str]) -> Outcome:
    cohort, failed = results.cohort, results.failed
    label = ["SYNTHETIC DATA: these figures say nothing about real patients."] if results.is_synthetic else []
    lines = (
        *label,
        f"{len(cohort.patients)} patients included, {len(cohort.excluded)} excluded, {len(failed)} failed",
        *_counts_lines(cohort),
        _nodes_line(results.features),
        *summary_lines(results.evaluation),
        f"patient rule: {results.rules.in_force.text}; the training patients choose {results.rules.choice.chosen.text}",
        *notes,
        *(f"warning: {sentence}" for sentence in results.warnings),
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
        "notes": list(notes),
        "warnings": [*results.warnings, *results.evaluation.warnings],
        "results": results.evaluation.to_dict(),
    }
    return Outcome(result, lines, failed)


def _nodes_line(features: FeatureTable) -> str:
    without = len(features) - len(features.evaluable)
    return f"nodes that count: {len(features)}" + (f", {without} of them without features (not evaluable)" if without else "")


def _counts_lines(cohort: Cohort) -> Sequence[str]:
    roles = ", ".join(f"{name} {len(cohort.members(name))}" for name in ("training", "validation", "cN0"))
    excluded = [f"excluded: {patient}: {reason}" for patient, reason in sorted(cohort.excluded.items())]
    return [f"cohorts: {roles}", *excluded]
