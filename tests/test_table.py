"""The feature table checks itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from axilla.errors import InvalidValueError
from axilla.table import FeatureTable, as_text


def frame(**columns):
    base = {
        "patient_id": ["A", "A", "B"],
        "node_id": ["R01", "R02", "R01"],
        "label": [1, 2, 1],
        "x": [1.0, 2.0, 3.0],
        "y": [4, 5, 6],
    }
    return pd.DataFrame({**base, "feature_status": "ok", "reason": "", **columns})


def test_columns_and_types():
    table = FeatureTable(frame()[["reason", "x", "label", "y", "node_id", "feature_status", "patient_id"]])
    assert table.frame.columns.tolist() == ["patient_id", "node_id", "label", "x", "y", "feature_status", "reason"]
    assert table.feature_names == ("x", "y")
    assert table.frame["y"].dtype == np.float64
    assert len(table) == 3
    assert table.values(["y", "x"]).tolist() == [[4, 1], [5, 2], [6, 3]]


def test_the_callers_frame_is_not_touched():
    given = frame()
    table = FeatureTable(given)
    given.loc[0, "x"] = 99
    assert table.frame.loc[0, "x"] == 1.0


def test_empty_text_columns_read_from_files():
    """pandas reads a column without any text as NaN, and a node called 1 as a number."""
    table = FeatureTable(frame(reason=np.nan, node_id=[1.0, 2.0, 1.0], patient_id=[np.nan, np.nan, "B"]))
    assert table.frame["reason"].tolist() == ["", "", ""]
    assert table.frame["node_id"].tolist() == ["1", "2", "1"]
    assert table.frame["patient_id"].tolist() == ["", "", "B"]


def test_as_text():
    assert as_text(pd.Series([1.0, 2.5, None])).tolist() == ["1", "2.5", ""]
    assert as_text(pd.Series([" a ", pd.NA, 3], dtype=object)).tolist() == ["a", "", "3"]
    assert as_text(pd.Series([], dtype=float)).tolist() == []


def test_evaluable_rows():
    given = frame(
        x=[1.0, np.nan, np.nan],
        y=[1.0, 2.0, np.nan],
        feature_status=["ok", "nonfinite", "refused"],
        reason=["", "x", "one voxel"],
    )
    assert FeatureTable(given).evaluable.frame["node_id"].tolist() == ["R01"]


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ({"node_id": ["R01", "R01", "R01"]}, "Node R01 of patient 'A' appears twice"),
        ({"x": ["a", "b", "c"]}, "numbers only"),
        ({"x": [1.0, np.nan, 2.0]}, "Node R02: feature_status 'ok' contradicts its values"),
        ({"feature_status": ["ok", "nonfinite", "ok"]}, "Node R02: feature_status 'nonfinite' contradicts"),
        ({"feature_status": ["ok", "good", "ok"]}, "feature_status is one of"),
        ({"x": [np.inf, 1, 2]}, "contradicts"),
    ],
)
def test_contradictions_are_refused(columns, match):
    with pytest.raises(InvalidValueError, match=match):
        FeatureTable(frame(**columns))


@pytest.mark.parametrize("missing", ["patient_id", "node_id", "label", "feature_status", "reason"])
def test_missing_columns_are_refused(missing):
    with pytest.raises(InvalidValueError, match=f"needs the columns {missing}"):
        FeatureTable(frame().drop(columns=missing))


def test_a_table_without_features_is_refused():
    with pytest.raises(InvalidValueError, match="at least one feature"):
        FeatureTable(frame().drop(columns=["x", "y"]))


def test_an_absent_feature_is_refused():
    with pytest.raises(InvalidValueError, match=r"lacks 1 feature\(s\): z"):
        FeatureTable(frame()).values(["x", "z"])


def test_select_and_concatenate():
    table = FeatureTable(frame())
    parts = [table.select(["B"]), table.select(["A"])]
    assert [len(part) for part in parts] == [1, 2]
    joined = FeatureTable.concatenate([parts[1], parts[0]])
    pd.testing.assert_frame_equal(joined.frame, table.frame)
    with pytest.raises(InvalidValueError, match="appears twice"):
        FeatureTable.concatenate([table, parts[0]])
    with pytest.raises(InvalidValueError, match="no feature table"):
        FeatureTable.concatenate([])


def test_concatenate_wants_the_same_features_in_any_order():
    table = FeatureTable(frame())
    other = FeatureTable(frame(patient_id="C", node_id=["1", "2", "3"])[["y", "x", *table.frame.columns.drop(["x", "y"])]])
    assert FeatureTable.concatenate([table, other]).feature_names == ("x", "y")
    with pytest.raises(InvalidValueError, match="differ in y"):
        FeatureTable.concatenate([table, FeatureTable(frame().drop(columns="y"))])
