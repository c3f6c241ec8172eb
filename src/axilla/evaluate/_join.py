"""Bringing predictions and statuses together, strictly: what does not match is refused, never skipped in silence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from axilla.cohort import CLINICAL_ASSESSMENTS, STATUSES, Patient
from axilla.errors import InputRefusedError
from axilla.model import CALLS
from axilla.node import SIDES
from axilla.table import as_text

NODE_KEY = ["patient_id", "node_id"]
ROLES = ("training", "validation", "cN0")


def split_status(frame: pd.DataFrame) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """The node rows and the patient rows of one STATUS table; None where it has none.

    Rows with a ``node_id`` are about a node, the others about a patient's axilla.

    Raises
    ------
    InputRefusedError
        If the columns ``patient_id`` and ``status`` are missing, or there is no row.
    """
    checked = _texts(frame, "the status table", ["patient_id", "status"])
    if len(checked) == 0:
        raise InputRefusedError("The status table has no rows; expected one per node and / or patient.")
    if "node_id" not in checked.columns:
        return None, checked
    is_node = (checked["node_id"] != "").to_numpy()
    nodes = checked[is_node].drop(columns=["clinical"], errors="ignore")
    patients = checked[~is_node].drop(columns=["node_id"])
    return (nodes if len(nodes) else None), (patients if len(patients) else None)


def patient_status_of(patients: Iterable[Patient]) -> pd.DataFrame:
    """The patient-level STATUS table of a cohort: ``patient_id, side, status, clinical, role``."""
    rows = [(p.patient_id, p.operated_side, p.status, p.clinical, p.role) for p in patients]
    return pd.DataFrame(rows, columns=["patient_id", "side", "status", "clinical", "role"])


def node_status_of(nodes: pd.DataFrame, patients: Iterable[Patient], roles: Sequence[str] = ("validation",)) -> pd.DataFrame:
    """The node-level STATUS table that pathology lends: every node of the operated side gets the axilla's common status.

    Parameters
    ----------
    nodes : DataFrame
        ``patient_id, node_id, side`` of every node.
    patients : iterable of Patient
    roles : sequence of str
        Whose nodes to list; the paper validates nodes on the validation cohort only.

    Returns
    -------
    DataFrame
        ``patient_id, node_id, side, status``; only nodes of the operated side of patients whose examined nodes were all, or
        none, metastatic.
    """
    checked = _texts(nodes, "the node table", [*NODE_KEY, "side"])
    lent = {p.patient_id: p for p in patients if p.role in roles and p.node_status != "unlabeled" and p.operated_side}
    rows = [
        (patient_id, node_id, side, lent[patient_id].node_status)
        for patient_id, node_id, side in checked[[*NODE_KEY, "side"]].to_numpy(dtype=str).tolist()
        if patient_id in lent and side == lent[patient_id].operated_side
    ]
    return pd.DataFrame(rows, columns=[*NODE_KEY, "side", "status"])


def checked_node_status(frame: pd.DataFrame) -> pd.DataFrame:
    """Node rows ``patient_id, node_id, status, side`` with known words only (empty status = unlabeled)."""
    checked = _texts(frame, "the node status", [*NODE_KEY, "status"], optional=["side"])
    _refuse_twice(checked, NODE_KEY, "the node status")
    checked["status"] = checked["status"].replace("", "unlabeled")
    _refuse_words(checked, "status", STATUSES, "the node status")
    _refuse_words(checked, "side", ("", *SIDES), "the node status")
    return checked


def checked_patient_status(frame: pd.DataFrame) -> pd.DataFrame:
    """Patient rows ``patient_id, side, status, clinical, role`` with known words only (empty status = unlabeled)."""
    checked = _texts(frame, "the patient status", ["patient_id", "status"], optional=["side", "clinical", "role"])
    _refuse_twice(checked, ["patient_id"], "the patient status")
    checked["status"] = checked["status"].replace("", "unlabeled")
    _refuse_words(checked, "status", STATUSES, "the patient status")
    _refuse_words(checked, "side", ("", *SIDES), "the patient status")
    _refuse_words(checked, "clinical", ("", *CLINICAL_ASSESSMENTS), "the patient status")
    _refuse_words(checked, "role", ("", *ROLES), "the patient status")
    return checked


def join_nodes(predictions: pd.DataFrame, status: pd.DataFrame) -> pd.DataFrame:
    """Each status row with its prediction.

    Raises
    ------
    InputRefusedError
        If a node has a status but no prediction row, or appears twice.
    """
    checked = _texts(predictions, "the predictions", NODE_KEY)
    _require(checked, ["group", "score"], "the predictions")
    _refuse_twice(checked, NODE_KEY, "the predictions")
    joined = status.merge(checked[[*NODE_KEY, "group", "score"]], on=NODE_KEY, how="left", indicator=True)
    unknown = joined[joined["_merge"] != "both"]
    if len(unknown):
        raise InputRefusedError(
            f"{len(unknown)} node(s) have a status but no prediction, first {unknown['node_id'].iloc[0]!r} of patient "
            f"{unknown['patient_id'].iloc[0]!r}; node names must be those of predictions.csv."
        )
    joined["group"] = pd.to_numeric(joined["group"]).astype("Int64")
    wrong = joined["group"].dropna()
    if not wrong.isin([1, 2]).all():
        raise InputRefusedError(f"A predicted group is 1 or 2, not {wrong[~wrong.isin([1, 2])].iloc[0]}.")
    return joined.drop(columns="_merge")


def join_patients(calls: pd.DataFrame, status: pd.DataFrame) -> pd.DataFrame:
    """Each patient's status with the call on the operated side.

    Raises
    ------
    InputRefusedError
        If a patient has no call, or calls on both sides but no operated side.
    """
    checked = _texts(calls, "the patient calls", ["patient_id", "call"], optional=["side", "rule"])
    _require(checked, ["score"], "the patient calls")
    _refuse_words(checked, "call", CALLS, "the patient calls")
    _refuse_twice(checked, ["patient_id", "side"], "the patient calls")
    by_patient = {str(patient_id): rows for patient_id, rows in checked.groupby("patient_id", sort=False)}
    rows = []
    for row in status.to_dict("records"):
        call = _call_of(row["patient_id"], row["side"], by_patient)
        rows.append({**row, "call": call["call"], "score": float(call["score"]), "rule": call["rule"]})
    columns = ["patient_id", "side", "status", "clinical", "role", "call", "score", "rule"]
    return pd.DataFrame(rows, columns=columns)


def _call_of(patient_id: str, side: str, by_patient: dict[str, pd.DataFrame]) -> pd.Series:
    if patient_id not in by_patient:
        raise InputRefusedError(
            f"Patient {patient_id!r} has a status but no call; patient names must be those of patients.csv, and a patient "
            "without nodes must be listed there as not evaluable."
        )
    found = by_patient[patient_id]
    if side:
        found = found[found["side"].isin([side, ""])]
    if len(found) == 0:
        raise InputRefusedError(f"Patient {patient_id!r} was operated on side {side}, but the call is on the other side.")
    if len(found) > 1:
        raise InputRefusedError(f"Patient {patient_id!r} has {len(found)} calls; give the operated side in the status table.")
    return found.iloc[0]


def _texts(frame: pd.DataFrame, name: str, required: Sequence[str], optional: Sequence[str] = ()) -> pd.DataFrame:
    """A copy whose text columns are stripped strings; missing optional columns are added empty."""
    _require(frame, required, name)
    texts = {c: as_text(frame[c]) for c in frame.columns if c in {*required, *optional, *_TEXTS}}
    return frame.assign(**texts, **{c: "" for c in optional if c not in frame.columns}).reset_index(drop=True)


_TEXTS = ("patient_id", "node_id", "side", "status", "clinical", "role", "call", "rule")


def _require(frame: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise InputRefusedError(
            f"Expected the column(s) {', '.join(missing)} in {name}; it has {', '.join(map(str, frame.columns))}."
        )


def _refuse_twice(frame: pd.DataFrame, key: list[str], name: str) -> None:
    twice = frame[frame.duplicated(key)]
    if len(twice):
        raise InputRefusedError(f"{' '.join(map(repr, twice[key].iloc[0]))} appears twice in {name}; give each once.")


def _refuse_words(frame: pd.DataFrame, column: str, allowed: Sequence[str], name: str) -> None:
    wrong = frame[~frame[column].isin(allowed)]
    if len(wrong):
        words = ", ".join(repr(word) for word in allowed if word)
        raise InputRefusedError(
            f"In {name} {column} must be one of {words}, not {wrong[column].iloc[0]!r} (patient {wrong['patient_id'].iloc[0]!r})."
        )
