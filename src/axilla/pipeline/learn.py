"""``axilla train`` and ``axilla evaluate``: from tables to a model, from predictions and pathology to results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from axilla.errors import InputRefusedError
from axilla.evaluate import Evaluation, NodeLevel, PatientLevel, Quantity, evaluate, node_table, patient_table, split_status
from axilla.io.files import check_can_write, write_json
from axilla.io.models import write_model
from axilla.io.tables import is_synthetic_table, read_features, read_nodes, read_table, write_table
from axilla.model import PATIENT_COLUMNS, PREDICTION_COLUMNS, ModelSettings, PatientRule, apply_patient_rule, train
from axilla.pipeline._outcome import Outcome
from axilla.table import FeatureTable


def train_model(features: Sequence[Path], out: Path, seed: int | None = None) -> Outcome:
    """Train on every row of the given tables and write the model.

    Raises
    ------
    InputRefusedError
        If a table cannot be used, or two hold the same patient.
    """
    check_can_write(out)
    tables = [read_features(path) for path in features]
    check_patients_differ(features, tables)
    table = FeatureTable.concatenate(tables)
    settings = ModelSettings() if seed is None else ModelSettings(seed=seed)
    model = train(table, settings, is_synthetic=any(is_synthetic_table(path) for path in features))
    write_model(model, out)
    made = model.provenance
    result = {
        "model": str(out),
        "n_nodes": made.n_nodes,
        "n_not_evaluable": made.n_not_evaluable,
        "n_group_1": made.n_group_1,
        "n_group_2": made.n_group_2,
        "features": list(model.feature_names),
        "is_synthetic": made.is_synthetic,
        "warnings": list(model.warnings),
    }
    lines = (
        f"{made.n_nodes} nodes of {made.n_patients} patients, {made.n_not_evaluable} not evaluable",
        f"{len(model.feature_names)} features kept of {len(table.feature_names)}",
        f"group 1 (presumed benign): {made.n_group_1} nodes; group 2 (presumed metastatic): {made.n_group_2} nodes",
        *(f"warning: {sentence}" for sentence in model.warnings),
        f"model: {out}",
    )
    return Outcome(result, lines)


def check_patients_differ(paths: Sequence[Path], tables: Sequence[FeatureTable]) -> None:
    """Two CTs measured apart both call their patient P0001; taken for one, the count of patients would be wrong."""
    owner: dict[str, Path] = {}
    for path, table in zip(paths, tables, strict=True):
        for patient_id in table.frame["patient_id"].unique():
            if patient_id in owner:
                raise InputRefusedError(
                    f"Patient {patient_id} stands in {owner[patient_id]} and in {path}; give each patient a pseudonym of its own "
                    "(axilla extract --patient-id P0002), or join the tables if they are of one patient."
                )
            owner[patient_id] = path


def evaluate_predictions(predictions_path: Path, status_paths: Sequence[Path], out: Path) -> Outcome:
    """Compare predictions with pathology and write ``results.json`` and its tables.

    The patients' calls are those of ``patients.csv`` beside the predictions; where there is none, the default rule makes them
    (with the sides of ``nodes.csv`` beside the predictions, if there).
    """
    check_can_write(out, folder=True)
    predictions = _checked(read_table(predictions_path, required=PREDICTION_COLUMNS), predictions_path.name)
    node_status, patient_status = _statuses(status_paths)
    calls = _calls(predictions, predictions_path.parent, patient_status)
    evaluation = evaluate(predictions, node_status, calls, patient_status, is_synthetic=is_synthetic_table(predictions_path))
    write_evaluation(evaluation, out)
    return Outcome(evaluation.to_dict(), (*summary_lines(evaluation), f"results: {out / 'results.json'}"))


def _checked(predictions: pd.DataFrame, name: str) -> pd.DataFrame:
    """Groups as whole numbers, empty where there is none; scores are numbers."""
    for column in ("score", "probability", "distance_1", "distance_2"):
        try:
            pd.to_numeric(predictions[column])
        except (ValueError, TypeError) as error:
            raise InputRefusedError(f"{name}: the column {column} holds something that is no number ({error}).") from error
    given = predictions["group"].dropna()
    wrong = given[~given.isin((1, 2))]
    if len(wrong):
        raise InputRefusedError(f"{name}: a group is 1, 2 or empty, not {wrong.iloc[0]!r} (row {wrong.index[0] + 2}).")
    return predictions.astype({"group": "Int64"})


def write_evaluation(evaluation: Evaluation, out: Path) -> None:
    """``results.json``, ``node_results.csv``, ``patient_results.csv``, and the rows they were counted from."""
    synthetic = evaluation.is_synthetic
    write_json(out / "results.json", evaluation.to_dict())
    write_table(node_table(evaluation), out / "node_results.csv", "node results", is_synthetic=synthetic)
    write_table(patient_table(evaluation), out / "patient_results.csv", "patient results", is_synthetic=synthetic)
    write_table(evaluation.nodes, out / "evaluated_nodes.csv", "evaluated nodes", is_synthetic=synthetic)
    write_table(evaluation.patients, out / "evaluated_patients.csv", "evaluated patients", is_synthetic=synthetic)


def summary_lines(evaluation: Evaluation) -> tuple[str, ...]:
    """The result table for a terminal."""
    levels: list[tuple[str, NodeLevel | PatientLevel]] = [("nodes, validation", evaluation.node_level)]
    levels += [(f"patients, {name}", level) for name, level in evaluation.patient_level.items() if name != "all"]
    head = f"{'':<42}{'n':>5}{'TP':>5}{'FN':>5}{'TN':>5}{'FP':>5}{'CCR':>8}{'sens':>8}{'spec':>8}{'not eval.':>11}"
    rows = [_summary_row(name, level) for name, level in levels]
    notes = [f"warning: {sentence}" for sentence in evaluation.warnings]
    return (head, *rows, _auc_line(evaluation.node_level), *notes)


def _summary_row(name: str, level: NodeLevel | PatientLevel) -> str:
    counts = level.counts
    rates = "".join(f"{_percent(level.rates[rate]):>8}" for rate in ("ccr", "sensitivity", "specificity"))
    numbers = f"{counts.n:>5}{counts.tp:>5}{counts.fn:>5}{counts.tn:>5}{counts.fp:>5}"
    return f"{name:<42}{numbers}{rates}{level.not_evaluable:>11}"


def _auc_line(level: NodeLevel) -> str:
    auc = level.auc_score.interval
    if auc is None:
        return f"AUC of the node score: not computed ({level.auc_score.reason})"
    by_patient = level.auc_score.others.get("bootstrap")
    interval = by_patient or auc
    how = interval.method if by_patient else f"{interval.method}, nodes taken as independent"
    return f"AUC of the node score: {auc.estimate:.3f} ({interval.low:.3f}-{interval.high:.3f}, {how})"


def _percent(quantity: Quantity) -> str:
    return "-" if quantity.interval is None else f"{100 * quantity.interval.estimate:.1f}%"


def _statuses(paths: Sequence[Path]) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """The node and the patient status among the given tables."""
    parts = [split_status(read_table(path)) for path in paths]
    nodes = [part for part, _ in parts if part is not None]
    patients = [part for _, part in parts if part is not None]
    return (
        pd.concat(nodes, ignore_index=True) if nodes else None,
        pd.concat(patients, ignore_index=True) if patients else None,
    )


def _calls(predictions: pd.DataFrame, beside: Path, patient_status: pd.DataFrame | None) -> pd.DataFrame:
    if (beside / "patients.csv").is_file():
        return read_table(beside / "patients.csv", required=PATIENT_COLUMNS)
    sides = None
    if (beside / "nodes.csv").is_file():
        nodes = read_nodes(beside / "nodes.csv")
        owner = nodes["patient_id"] if "patient_id" in nodes else pd.Series(predictions["patient_id"].iloc[0], index=nodes.index)
        sides = dict(zip(zip(owner, nodes["node_id"], strict=True), nodes["side"], strict=True))
    operated = None
    if patient_status is not None and "side" in patient_status and sides is not None:
        operated = dict(zip(patient_status["patient_id"], patient_status["side"], strict=True))
    return apply_patient_rule(predictions, PatientRule(), node_sides=sides, operated_sides=operated)
