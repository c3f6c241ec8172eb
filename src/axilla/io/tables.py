"""Tables on disk: CSV with a sidecar that names its schema, Parquet for features, and feature tables made by other tools.

Floats are written with ``repr`` precision (17 significant digits where needed), so a table read back is the table written.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from axilla._version import __version__
from axilla.errors import InputRefusedError, InvalidValueError
from axilla.io.files import json_text, replacing, replacing_together
from axilla.io.foreign import TEXT_NAMES, Foreign, read_foreign
from axilla.io.workbooks import is_workbook, read_workbook
from axilla.node import Node
from axilla.table import ID_COLUMNS, STATUS_COLUMNS, FeatureTable, as_text

SCHEMA = 1

_NOTHING: Mapping[str, Any] = MappingProxyType({})

NODE_COLUMNS = (
    "node_id", "label", "side", "level", "x_mm", "y_mm", "z_mm", "short_axis_mm", "long_axis_mm", "volume_mm3", "mean_hu",
    "detection_score", "slice_index", "instance_number", "sop_instance_uid",
)  # fmt: skip


def write_table(
    frame: pd.DataFrame, path: Path, table: str, *, is_synthetic: bool = False, provenance: Mapping[str, Any] = _NOTHING
) -> None:
    """Write a CSV, and beside it ``<name>.csv.json``: schema number, table name, columns, whether the data are synthetic.

    `provenance` is added to it.
    """
    with _with_sidecar(path, _described(frame, table, is_synthetic, provenance)) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n", encoding="utf-8")


def _described(frame: pd.DataFrame, table: str, is_synthetic: bool, provenance: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "table": table,
        "columns": [str(column) for column in frame.columns],
        "rows": len(frame),
        "is_synthetic": is_synthetic,
        "axilla": __version__,
        **provenance,
    }


@contextlib.contextmanager
def _with_sidecar(path: Path, content: Mapping[str, Any]) -> Iterator[Path]:
    """Yield a temporary path for a table; the table and its sidecar appear together, or neither does."""
    with replacing_together(_sidecar_path(path), path) as (beside, temporary):
        yield temporary
        beside.write_text(json_text(content), encoding="utf-8", newline="\n")


def read_table(path: Path, required: Sequence[str] = ()) -> pd.DataFrame:
    """Read a CSV: comma, semicolon or tab, with or without byte-order mark; identifiers stay text.

    Raises
    ------
    InputRefusedError
        If the file is missing, empty, not a table, of a newer schema, or lacks a required column.
    """
    schema = sidecar(path).get("schema", SCHEMA)
    if schema != SCHEMA:
        raise InputRefusedError(f"{path.name} has schema {schema}; this axilla reads schema {SCHEMA}. Update axilla.")
    text = _read_text(path)
    try:
        columns = pd.read_csv(io.StringIO(text), sep=_delimiter(text), nrows=0).columns
        frame = pd.read_csv(
            io.StringIO(text),
            sep=_delimiter(text),
            dtype={
                name: str for name in columns if str(name).strip() in _TEXT_COLUMNS or str(name).strip().lower() in TEXT_NAMES
            },
            keep_default_na=False,
            na_values={name: _MISSING for name in columns if str(name).strip() not in _NAMES},
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise InputRefusedError(f"{path.name} cannot be read as a table: {str(error).strip().rstrip('.')}.") from error
    frame.columns = [str(column).strip() for column in frame.columns]
    for name in _TEXT_COLUMNS:
        if name in frame:
            frame[name] = frame[name].fillna("")
    missing = [name for name in required if name not in frame.columns]
    if missing:
        raise InputRefusedError(f"{path.name} lacks the column(s) {', '.join(missing)}; it has {', '.join(frame.columns[:8])}.")
    return frame


def _is_text(name: str) -> bool:
    return name in _TEXT_COLUMNS or name.lower() in TEXT_NAMES


def read_sheet(path: Path) -> list[dict[str, str]]:
    """Read a CSV or XLSX as rows of stripped text, column names lowered; for sheets filled in by hand.

    Raises
    ------
    InputRefusedError
        If the file is missing, empty or no table, a column name is missing or repeated, or a row is longer or
        shorter than the header.
    """
    return [row for _, row in read_numbered_sheet(path)]


def read_numbered_sheet(path: Path) -> list[tuple[int, dict[str, str]]]:
    """As :func:`read_sheet`, with the number a spreadsheet gives each row: empty rows count.

    Raises
    ------
    InputRefusedError
        As :func:`read_sheet`.
    """
    rows = read_workbook(path) if is_workbook(path) else _rows_of_text(path)
    if not rows:
        raise InputRefusedError(f"{path.name} is empty.")
    widths = {number: len(row) for number, row in rows}
    rows = [(number, _without_end([cell.strip() for cell in row])) for number, row in rows]
    header = [name.lower() for name in rows[0][1]]
    if len(set(header)) != len(header) or "" in header:
        raise InputRefusedError(f"{path.name}: every column needs a name of its own; the header is {', '.join(header)}.")
    for number, row in rows[1:]:
        n_cells = max(len(row), min(widths[number], len(header)))
        if n_cells != len(header):
            raise InputRefusedError(f"{path.name}, row {number}: {n_cells} cells under {len(header)} column names.")
    padding = [""] * len(header)
    return [(number, dict(zip(header, [*row, *padding], strict=False))) for number, row in rows[1:]]


def _rows_of_text(path: Path) -> list[tuple[int, list[str]]]:
    """The rows of a CSV that hold anything."""
    text = _read_text(path)
    lines = csv.reader(io.StringIO(text), delimiter=_delimiter(text), strict=True)
    try:
        return [(number, row) for number, row in enumerate(lines, start=1) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InputRefusedError(f"{path.name}, line {lines.line_num}: {error}; is a quotation mark left open?") from error


def _without_end(row: list[str]) -> list[str]:
    """Without the empty cells behind the last one that holds anything."""
    filled = [place for place, cell in enumerate(row, start=1) if cell]
    return row[: max(filled, default=0)]


def nodes_frame(nodes: Sequence[Node]) -> pd.DataFrame:
    """``nodes.csv``: the fixed columns, then each further measurement as a named column."""
    extra = list(dict.fromkeys(name for node in nodes for name in node.measurements))
    rows = []
    for node in nodes:
        x, y, z = node.center_xyz_mm
        fixed = (
            node.node_id, node.label, node.side, node.level, x, y, z, node.short_axis_mm, node.long_axis_mm, node.volume_mm3,
            node.mean_hu, node.detection_score, node.slice_index, node.instance_number, node.sop_instance_uid,
        )  # fmt: skip
        rows.append([*fixed, *(node.measurements.get(name) for name in extra)])
    frame = pd.DataFrame(rows, columns=[*NODE_COLUMNS, *extra])
    return frame.astype({"instance_number": "Int64"})


def read_nodes(path: Path) -> pd.DataFrame:
    """Read ``nodes.csv``; added columns are kept."""
    return read_table(path, required=NODE_COLUMNS)


def write_features(
    table: FeatureTable, path: Path, *, is_synthetic: bool = False, provenance: Mapping[str, Any] = _NOTHING
) -> None:
    """Write a feature table as CSV, or as Parquet when the name ends in ``.parquet``.

    `provenance` (settings, versions, hashes, remarks) goes into the sidecar, which a Parquet file has only for its sake.
    """
    if path.suffix.lower() != ".parquet":
        write_table(table.frame, path, "features", is_synthetic=is_synthetic, provenance=provenance)
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    metadata = {"axilla.schema": str(SCHEMA), "axilla.version": __version__, "axilla.is_synthetic": str(is_synthetic).lower()}
    arrow = pa.Table.from_pandas(table.frame, preserve_index=False).replace_schema_metadata(metadata)
    described = _described(table.frame, "features", is_synthetic, provenance)
    with _with_sidecar(path, described) if provenance else replacing(path) as temporary:
        pq.write_table(arrow, temporary)


@dataclass(frozen=True)
class FeatureSource:
    """A feature table as it came, with what it says beyond the features.

    Parameters
    ----------
    table : FeatureTable
    tool : str
        What measured it: ``axilla``, ``PyRadiomics``, ``Slicer's Radiomics module``, ``MIRP``, with its version where given.
    sides : mapping of (patient_id, node_id) to str
        The column ``side`` as written; empty where the table has none.
    settings : mapping
        How it was measured, as far as it says.
    is_synthetic : bool
        Whether it says that it was measured on simulated CT; what says nothing is taken as real.
    """

    table: FeatureTable
    tool: str
    sides: Mapping[tuple[str, str], str]
    settings: Mapping[str, Any]
    is_synthetic: bool


def read_features(path: Path) -> FeatureTable:
    """Read features written by axilla (CSV or Parquet), PyRadiomics (its batch CSV), Slicer's Radiomics module or MIRP.

    Raises
    ------
    InputRefusedError
        As :func:`read_feature_source`.
    """
    return read_feature_source(path).table


def read_feature_source(path: Path) -> FeatureSource:
    """Read features as :func:`read_features`, and what the table says beside them.

    Raises
    ------
    InputRefusedError
        If the file is of none of these tools, it cannot be told which patient a row is of, or its rows contradict each other.
    """
    if not path.is_file():
        raise InputRefusedError(f"There is no feature table at {path}.")
    frame = _read_parquet(path) if path.suffix.lower() == ".parquet" else read_table(path)
    try:
        _refuse_decimal_commas(frame)
        if {*ID_COLUMNS, *STATUS_COLUMNS} <= set(frame.columns):
            found = sidecar(path)
            read = Foreign(frame, f"axilla {found.get('axilla', '')}".strip(), found.get("settings") or {})
        else:
            read = _read_foreign(frame, path)
        features = [name for name in read.frame.columns if str(name).startswith("original_")]  # what someone added is none
        table = FeatureTable(read.frame[[*ID_COLUMNS, *features, *STATUS_COLUMNS]])
    except (InputRefusedError, InvalidValueError) as error:
        raise InputRefusedError(f"{path.name}: {error}") from error
    sides = as_text(read.frame["side"]) if "side" in read.frame else ()
    keys = zip(table.frame["patient_id"], table.frame["node_id"], strict=True)
    return FeatureSource(table, read.tool, dict(zip(keys, sides, strict=False)), read.settings, is_synthetic_table(path))


def _refuse_decimal_commas(frame: pd.DataFrame) -> None:
    for name in frame.columns:
        column = frame[name]
        if _is_text(str(name)) or pd.api.types.is_numeric_dtype(column):
            continue
        if column.astype(str).str.fullmatch(r"[-+]?\d+,\d+([eE][-+]?\d+)?").any():
            raise InputRefusedError(f"numbers are written with a decimal comma (column {name}); save the table with points.")


def _read_foreign(frame: pd.DataFrame, path: Path) -> Foreign:
    read = read_foreign(frame, path.stem)
    if read is None:
        raise InputRefusedError(
            "this is not a feature table axilla knows: expected columns like patient_id, node_id, label, "
            "original_shape_Elongation; PyRadiomics' batch CSV, the table of Slicer's Radiomics module, or MIRP's."
        )
    return read


def _read_parquet(path: Path) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        frame: pd.DataFrame = pq.read_table(path).to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise InputRefusedError(f"{path.name} is not a readable Parquet file: damaged, cut off, or of another kind.") from error
    return frame


def is_synthetic_table(path: Path) -> bool:
    """Whether a table written by axilla says it holds synthetic data (sidecar or Parquet metadata); others are taken as real."""
    if path.suffix.lower() == ".parquet":
        import pyarrow.parquet as pq

        return (pq.read_schema(path).metadata or {}).get(b"axilla.is_synthetic") == b"true"
    return bool(sidecar(path).get("is_synthetic"))


def sidecar(path: Path) -> dict[str, Any]:
    """What ``<name>.csv.json`` says of the table; empty where there is none.

    Raises
    ------
    InputRefusedError
        If it is damaged: whether the data are synthetic would be unknown.
    """
    beside = _sidecar_path(path)
    if not beside.is_file():
        return {}
    try:
        content = json.loads(beside.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputRefusedError(
            f"{beside.name} is damaged (no JSON); restore it, or remove it if the table is not axilla's."
        ) from error
    if not isinstance(content, dict) or "schema" not in content:
        raise InputRefusedError(f"{beside.name} names no schema; restore it, or remove it if the table is not axilla's.")
    return content


def _sidecar_path(path: Path) -> Path:
    return path.with_name(path.name + ".json")


_TEXT_COLUMNS = (
    "patient_id", "node_id", "side", "level", "sop_instance_uid", "reason", "feature_status", "warnings", "status", "clinical",
    "call", "rule", "cohort",
)  # fmt: skip

_NAMES = ("patient_id", "node_id")
_MISSING = ["", "NA", "N/A", "n/a", "<NA>", "NaN", "nan", "-nan", "NULL", "null", "None", "#N/A"]
"""What stands for no value, but not where names stand: a node may be called NA."""


def _read_text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputRefusedError(f"There is no file at {path}.") from error
    except (UnicodeDecodeError, IsADirectoryError) as error:
        raise InputRefusedError(f"{path.name} is not a UTF-8 text table; save it as CSV (UTF-8).") from error
    if not text.strip():
        raise InputRefusedError(f"{path.name} is empty.")
    return text


def _delimiter(text: str) -> str:
    header = text.lstrip().splitlines()[0]
    return max(",;\t", key=header.count)
