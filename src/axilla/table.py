"""The feature table: one row per node, one column per feature, and a word on rows that could not be measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from axilla.errors import InvalidValueError
from axilla.volume import BoolArray, FloatArray

ID_COLUMNS = ("patient_id", "node_id", "label")
STATUS_COLUMNS = ("feature_status", "reason")

OK = "ok"
NONFINITE = "nonfinite"
REFUSED = "refused"
FEATURE_STATUSES = (OK, NONFINITE, REFUSED)
"""ok: every feature is finite. nonfinite: some are not, `reason` names them. refused: no features, `reason` says why."""


def as_text(column: pd.Series) -> pd.Series:
    """A column as stripped text: empty where missing, whole numbers without a decimal point (a node called 1 is "1")."""
    return pd.Series(_texts(column), index=column.index, dtype=str)


def _texts(column: pd.Series) -> list[str]:
    return ["" if pd.isna(value) else str(_whole(value)).strip() for value in column]


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


@dataclass(frozen=True)
class _Blocks:
    """A feature table's parts: text columns by name, labels, feature names, values ``(n_nodes, n_features)``."""

    texts: Mapping[str, Sequence[str]]
    labels: Sequence[int]
    names: pd.Index
    values: FloatArray

    def __post_init__(self) -> None:
        _check_rows(self.texts, np.asarray(np.isfinite(self.values).all(axis=1)))

    def frame(self) -> pd.DataFrame:
        """In whole blocks: one column at a time, pandas takes longer than the measurement of a node."""
        columns = {name: pd.array(self.texts[name], dtype="str") for name in ("patient_id", "node_id", *STATUS_COLUMNS)}
        labels = np.asarray(self.labels, dtype=np.int64)
        first = pd.DataFrame({**{name: columns[name] for name in ID_COLUMNS[:2]}, "label": labels})
        last = pd.DataFrame({name: columns[name] for name in STATUS_COLUMNS})
        return pd.concat([first, pd.DataFrame(self.values, columns=self.names), last], axis=1)


def _check_rows(texts: Mapping[str, Sequence[str]], is_finite: BoolArray) -> None:
    """Refuse nodes that appear twice, unknown statuses, and statuses that contradict the values."""
    seen: set[tuple[str, str]] = set()
    rows = zip(texts["patient_id"], texts["node_id"], texts["feature_status"], is_finite.tolist(), strict=True)
    for patient, node, status, finite in rows:
        if (patient, node) in seen:
            raise InvalidValueError(f"Node {node} of patient {patient!r} appears twice.")
        seen.add((patient, node))
        if status not in FEATURE_STATUSES:
            raise InvalidValueError(f"feature_status is one of {FEATURE_STATUSES}, not {status!r}.")
        if (status == OK) != finite:
            raise InvalidValueError(f"Node {node}: feature_status '{status}' contradicts its values (ok means all finite).")


@dataclass(frozen=True)
class FeatureTable:
    """Features of many nodes.

    Parameters
    ----------
    frame : DataFrame
        Columns ``patient_id, node_id, label``, the features (float64), ``feature_status, reason``; one row per node,
        ``(patient_id, node_id)`` unique. Copied when made; treat as read-only.

    Raises
    ------
    InvalidValueError
        If a column is missing, a node appears twice, a feature is not numeric, or a row's status contradicts its values.
    """

    frame: pd.DataFrame

    def __post_init__(self) -> None:
        frame = self.frame
        missing = [c for c in (*ID_COLUMNS, *STATUS_COLUMNS) if c not in frame.columns]
        if missing:
            raise InvalidValueError(f"A feature table needs the columns {', '.join(missing)}.")
        features = [c for c in frame.columns if c not in (*ID_COLUMNS, *STATUS_COLUMNS)]
        if not features:
            raise InvalidValueError("A feature table needs at least one feature column.")
        try:
            values = frame[features].astype(np.float64).to_numpy(copy=True)
        except (TypeError, ValueError) as error:
            raise InvalidValueError(f"Feature columns must hold numbers only: {error}.") from error
        texts = {column: _texts(frame[column]) for column in ("patient_id", "node_id", *STATUS_COLUMNS)}
        labels = frame["label"].astype(np.int64).tolist()
        object.__setattr__(self, "frame", _Blocks(texts, labels, pd.Index(features), values).frame())

    @classmethod
    def of_values(
        cls, nodes: Mapping[str, Sequence[str]], labels: Sequence[int], names: pd.Index, values: FloatArray
    ) -> FeatureTable:
        """A table of values ``(n_nodes, n_features)``, labels, and text columns by name: no frame is made until asked for.

        Raises
        ------
        InvalidValueError
            As for the table itself.
        """
        table = object.__new__(cls)
        object.__setattr__(table, "_blocks", _Blocks(nodes, labels, names, values))
        return table

    def __getattr__(self, name: str) -> Any:
        """The frame of a table made of values, when it is first asked for."""
        if name != "frame" or "_blocks" not in self.__dict__:
            raise AttributeError(name)
        frame = self.__dict__["_blocks"].frame()
        object.__setattr__(self, "frame", frame)
        return frame

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The feature columns, in order."""
        return tuple(c for c in self.frame.columns if c not in (*ID_COLUMNS, *STATUS_COLUMNS))

    @property
    def evaluable(self) -> FeatureTable:
        """The rows whose features are all finite."""
        return FeatureTable(self.frame[self.frame["feature_status"] == OK])

    def values(self, names: Sequence[str] | None = None) -> FloatArray:
        """Feature values ``(n_nodes, n_features)``.

        Raises
        ------
        InvalidValueError
            If a named feature is not in the table.
        """
        blocks = self.__dict__.get("_blocks")
        if blocks is not None and (names is None or list(names) == list(blocks.names)):
            return np.array(blocks.values)
        names = list(self.feature_names if names is None else names)
        absent = [n for n in names if n not in self.frame.columns]
        if absent:
            raise InvalidValueError(f"The feature table lacks {len(absent)} feature(s): {', '.join(absent[:5])}.")
        return np.asarray(self.frame[names].to_numpy(dtype=np.float64, copy=True))

    def select(self, patient_ids: Sequence[str]) -> FeatureTable:
        """The rows of some patients."""
        return FeatureTable(self.frame[self.frame["patient_id"].isin(list(patient_ids))])

    @classmethod
    def concatenate(cls, tables: Sequence[FeatureTable]) -> FeatureTable:
        """All rows of several tables with the same features.

        Raises
        ------
        InvalidValueError
            If there is no table, or their features differ.
        """
        if not tables:
            raise InvalidValueError("There is no feature table to join.")
        names = set(tables[0].feature_names)
        for table in tables[1:]:
            if set(table.feature_names) != names:
                odd = sorted(names ^ set(table.feature_names))
                raise InvalidValueError(f"The feature tables do not have the same features; they differ in {', '.join(odd[:5])}.")
        return cls(pd.concat([table.frame for table in tables], ignore_index=True))
