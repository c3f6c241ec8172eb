"""From nodes to patient: one call per axilla."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from axilla.errors import InputRefusedError, UsageError
from axilla.model._predict import PREDICTION_COLUMNS, SEPARATOR
from axilla.model._settings import CHOSEN, PatientRule
from axilla.node import SIDES
from axilla.table import as_text
from axilla.volume import FloatArray

PATIENT_COLUMNS = ("patient_id", "side", "rule", "call", "score", "n_nodes", "n_not_evaluable", "warnings")
"""Columns of ``patients.csv``."""

METASTATIC, BENIGN, NOT_EVALUABLE = "metastatic", "benign", "not evaluable"
CALLS = (METASTATIC, BENIGN, NOT_EVALUABLE)


def apply_patient_rule(
    predictions: pd.DataFrame,
    rule: PatientRule = PatientRule(),  # noqa: B008 - frozen
    *,
    node_sides: Mapping[tuple[str, str], str] | None = None,
    operated_sides: Mapping[str, str] | None = None,
    patient_ids: Iterable[str] = (),
    reasons: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """One row per axilla: metastatic, benign or not evaluable.

    Where the operated side of a patient is known, only its nodes count. Where it is not but the nodes' sides are, each side
    gets its own row; where neither is known, all nodes of the patient make one row, with a warning.

    Parameters
    ----------
    predictions : DataFrame
        As :func:`axilla.model.predict` returns.
    rule : PatientRule
    node_sides : mapping of (patient_id, node_id) to str, optional
        ``"R"`` or ``"L"`` for every node.
    operated_sides : mapping of patient_id to str, optional
        ``"R"`` or ``"L"``; empty or absent where unknown.
    patient_ids : iterable of str
        Patients to list even if no node of theirs was found; they are not evaluable.
    reasons : mapping of patient_id to str, optional
        Why patients have no nodes (e.g. the CT could not be read); by default ``"no node found"``.

    Returns
    -------
    DataFrame
        Columns :data:`PATIENT_COLUMNS`. ``n_nodes`` counts all nodes of the axilla, ``n_not_evaluable`` those of them without
        a prediction. ``score`` is the rule's (see :class:`axilla.model.PatientRule`), larger = more metastatic.

    Raises
    ------
    InputRefusedError
        If a column is missing or a node's side is needed and unknown.
    """
    missing = [column for column in PREDICTION_COLUMNS if column not in predictions.columns]
    if missing:
        raise InputRefusedError(f"Predictions need the columns {', '.join(PREDICTION_COLUMNS)}; {', '.join(missing)} missing.")
    texts = {column: as_text(predictions[column]) for column in ("patient_id", "node_id", "warnings")}
    predictions = predictions.assign(**texts)
    by_patient = {str(patient_id): nodes for patient_id, nodes in predictions.groupby("patient_id", sort=False)}
    ids = list(dict.fromkeys([*predictions["patient_id"], *patient_ids]))
    rows = []
    for patient_id in ids:
        nodes = by_patient.get(patient_id, predictions.iloc[:0])
        for side in _sides(patient_id, node_sides, operated_sides):
            selected = _on_side(nodes, patient_id, side, node_sides) if side else nodes
            nothing = (reasons or {}).get(patient_id, "no node found")
            rows.append(_row(patient_id, side, selected, rule, nothing, _side_warning(patient_id, side, operated_sides)))
    return pd.DataFrame(rows, columns=list(PATIENT_COLUMNS)).astype({"n_nodes": int, "n_not_evaluable": int, "score": float})


def _sides(patient_id: str, node_sides: object | None, operated_sides: Mapping[str, str] | None) -> tuple[str, ...]:
    operated = (operated_sides or {}).get(patient_id, "")
    if operated and operated not in SIDES:
        raise InputRefusedError(f"{patient_id}: the operated side is one of {SIDES}, not {operated!r}.")
    if operated:
        return (operated,)
    return ("",) if node_sides is None else SIDES


def _side_warning(patient_id: str, side: str, operated_sides: Mapping[str, str] | None) -> str:
    if (operated_sides or {}).get(patient_id):
        return ""
    return "operated side unknown" + ("" if side else ": nodes of both sides counted together")


def _on_side(nodes: pd.DataFrame, patient_id: str, side: str, node_sides: Mapping[tuple[str, str], str] | None) -> pd.DataFrame:
    sides = [(node_sides or {}).get((patient_id, node_id), "") for node_id in nodes["node_id"]]
    unknown = [node for node, found in zip(nodes["node_id"], sides, strict=True) if found not in SIDES]
    if unknown:
        raise InputRefusedError(
            f"{patient_id}: only nodes of the operated side {side} count, but the side of node {unknown[0]} is not known; "
            "give the node table (nodes.csv)."
        )
    return nodes[np.array([found == side for found in sides], dtype=bool)]


def _row(
    patient_id: str, side: str, nodes: pd.DataFrame, rule: PatientRule, nothing: str, side_warning: str
) -> dict[str, object]:
    evaluable = nodes[nodes["group"].notna().to_numpy()]
    warnings = [side_warning] if side_warning else []
    if len(evaluable) == 0:
        call, score = NOT_EVALUABLE, np.nan
        warnings += [nothing] if len(nodes) == 0 else sorted({w for w in nodes["warnings"] if w})
    else:
        told = evaluable[["group", "score", "probability"]].to_numpy(dtype=np.float64)
        is_positive, score = call_axilla(told[:, 0], told[:, 1], told[:, 2], rule)
        call = METASTATIC if is_positive else BENIGN
        if len(evaluable) < len(nodes):
            warnings.append(f"{len(nodes) - len(evaluable)} of {len(nodes)} nodes not evaluable")
        warnings += _node_warnings(evaluable)
    n_missing = len(nodes) - len(evaluable)
    values = (patient_id, side, rule.text, call, score, len(nodes), n_missing, SEPARATOR.join(warnings))
    return dict(zip(PATIENT_COLUMNS, values, strict=True))


def _node_warnings(nodes: pd.DataFrame) -> list[str]:
    found = []
    for start, words in (("indeterminate", "indeterminate"), ("far outside", "far outside the training data")):
        n = int(nodes["warnings"].str.contains(start, regex=False).sum())
        if n:
            found.append(f"{n} of {len(nodes)} nodes {words}")
    return found


def call_axilla(group: npt.ArrayLike, score: FloatArray, probability: FloatArray, rule: PatientRule) -> tuple[bool, float]:
    """What a rule says of one axilla: whether it is metastatic, and the patient's score.

    Parameters
    ----------
    group, score, probability : array_like, shape (n,)
        Of its evaluable nodes, at least one.
    rule : PatientRule

    Raises
    ------
    UsageError
        If the rule is yet to be chosen.
    """
    if rule.name == CHOSEN:
        raise UsageError("The patient rule is to be chosen on training patients first: see axilla.evaluate.choose_rule.")
    in_group_2 = np.asarray(group) == 2
    if rule.name == "at_least_k":
        return bool(in_group_2.sum() >= rule.k), _kth_largest(score, rule.k)
    if rule.name == "share":
        share = float(in_group_2.mean())
        return share >= rule.min_share, share
    if rule.name == "noisy_or":
        any_of_them = float(1 - np.prod(1 - probability))
        return any_of_them >= rule.min_noisy_or, any_of_them
    highest = float(score.max())
    if rule.name == "max_score":
        return highest > rule.min_score, highest
    return bool(in_group_2.any()), highest


def _kth_largest(score: FloatArray, k: int) -> float:
    """The k-th largest score; NaN when there are fewer nodes, because the rule can then not be met."""
    return float(np.sort(score)[-k]) if score.size >= k else float("nan")
