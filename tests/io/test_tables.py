"""Tables on disk: full precision, sidecars, and feature tables made by other tools."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from axilla.errors import InputRefusedError
from axilla.io.tables import (
    NODE_COLUMNS,
    is_synthetic_table,
    nodes_frame,
    read_features,
    read_nodes,
    read_table,
    write_features,
    write_table,
)
from axilla.node import Node
from axilla.radiomics import FEATURE_NAMES
from axilla.table import FeatureTable


def feature_table(n: int = 3, seed: int = 0) -> FeatureTable:
    values = np.random.default_rng(seed).normal(size=(n, len(FEATURE_NAMES))) / 3
    frame = pd.DataFrame(values, columns=list(FEATURE_NAMES))
    ids = {"patient_id": "007", "node_id": [f"R{i:02d}" for i in range(n)], "label": range(1, n + 1)}
    frame = frame.assign(**ids, feature_status="ok", reason="")
    frame.loc[0, FEATURE_NAMES[5]] = np.nan
    frame.loc[0, ["feature_status", "reason"]] = ["nonfinite", FEATURE_NAMES[5]]
    return FeatureTable(frame)


@pytest.mark.parametrize("name", ["features.csv", "features.parquet"])
def test_features_come_back_bit_for_bit(tmp_path: Path, name: str) -> None:
    table, path = feature_table(), tmp_path / name
    write_features(table, path, is_synthetic=True)
    back = read_features(path)
    np.testing.assert_array_equal(back.values(), table.values())
    assert back.frame["patient_id"].tolist() == ["007"] * 3
    assert back.frame["reason"].tolist() == table.frame["reason"].tolist()
    assert is_synthetic_table(path)


def test_added_columns_of_nodes_are_kept(tmp_path: Path) -> None:
    node = Node("R01", 1, "R", "I", (1.0, 2.0, 3.0), 4.0, 5.0, 60.0, 70.0, 0.8, 12, 7, "1.2", {"score_fat": 0.25, "odd": "x"})
    write_table(nodes_frame([node]), tmp_path / "nodes.csv", "nodes")
    back = read_nodes(tmp_path / "nodes.csv")
    assert list(back.columns) == [*NODE_COLUMNS, "score_fat", "odd"]
    assert back.loc[0, ["x_mm", "y_mm", "z_mm", "instance_number", "score_fat"]].tolist() == [1.0, 2.0, 3.0, 7, 0.25]


def test_no_nodes_is_a_table_too(tmp_path: Path) -> None:
    write_table(nodes_frame([]), tmp_path / "nodes.csv", "nodes")
    assert list(read_nodes(tmp_path / "nodes.csv").columns) == list(NODE_COLUMNS)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    write_table(pd.DataFrame({"a": [1]}), path, "t")
    sidecar = path.with_name("t.csv.json")
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | {"schema": 2}))
    with pytest.raises(InputRefusedError, match="schema 2"):
        read_table(path)


def test_pyradiomics_batch_output_is_read(tmp_path: Path) -> None:
    features = {name: [1.5, 2.5] for name in FEATURE_NAMES}
    ids = {"Image": ["/data/a/ct.nii.gz"] * 2, "Mask": ["/data/a/m.nii.gz"] * 2, "Label": [1, 2], "diagnostics_x": ["{}", "{}"]}
    pd.DataFrame({**ids, **features}).to_csv(tmp_path / "batch.csv", index=False)
    table = read_features(tmp_path / "batch.csv")
    assert table.feature_names == FEATURE_NAMES
    assert table.frame[["patient_id", "node_id", "label"]].to_numpy().tolist() == [["ct", "m#1", 1], ["ct", "m#2", 2]]


def test_slicer_table_is_read_transposed(tmp_path: Path) -> None:
    rows = [["original", *name.split("_")[1:], 1.0, 2.0] for name in FEATURE_NAMES]
    rows.append(["diagnostics", "Versions", "PyRadiomics", "v3.0.1", "v3.0.1"])
    pd.DataFrame(rows, columns=["Image type", "Feature Class", "Feature Name", "node A", "node B"]).to_csv(
        tmp_path / "s.csv", index=False
    )
    table = read_features(tmp_path / "s.csv")
    assert table.feature_names == FEATURE_NAMES
    assert table.frame["node_id"].tolist() == ["node A", "node B"]
    assert table.values()[1].tolist() == [2.0] * len(FEATURE_NAMES)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.csv", None, "There is no feature table"),
        ("empty.csv", b"  \n", "is empty"),
        ("binary.csv", b"\xff\xfe\x00", "not a UTF-8 text table"),
        ("other.csv", b"a,b\n1,2\n", "not a feature table axilla knows"),
        ("broken.parquet", b"PAR1", "not a readable Parquet file: damaged, cut off, or of another kind."),
    ],
)
def test_what_is_no_feature_table_is_refused(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputRefusedError) as refusal:
        read_features(tmp_path / name)
    assert said in str(refusal.value)
