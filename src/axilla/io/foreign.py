"""Feature tables made by other tools: PyRadiomics, Slicer's Radiomics module, MIRP.

Each ends as one row per node: ``patient_id, node_id, label``, ``side`` where a column says it, the features under PyRadiomics'
names, ``feature_status, reason``. Columns are recognized by name, in any case of letters. Who the patient is, is never guessed:
it stands in a column, in the name of the image, or, where a file holds one patient, in the name of the file.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from axilla.errors import InputRefusedError
from axilla.io.mirp import MIRP_NAMES, mirp_features
from axilla.table import NONFINITE, OK, as_text

PATIENT_NAMES = ("patient_id", "patientid", "patient", "subject", "id", "sample_name")
NODE_NAMES = ("node_id", "segment", "mask")
TEXT_NAMES = frozenset({*PATIENT_NAMES, *NODE_NAMES, "image", "image_mask_label", "image_mask_file_name"})
"""Columns that hold names: ``007`` is not 7."""

SLICER_KEYS = ("image type", "feature class", "feature name")


@dataclass(frozen=True)
class Foreign:
    """A foreign table, read.

    Parameters
    ----------
    frame : DataFrame
        ``patient_id, node_id, label``, ``side`` where given, features, ``feature_status, reason``.
    tool : str
        What measured it, with its version where the table says it.
    settings : mapping of str to str
        How, as far as the table says it; the same for every row.
    """

    frame: pd.DataFrame
    tool: str
    settings: Mapping[str, str]


def read_foreign(frame: pd.DataFrame, stem: str) -> Foreign | None:
    """Read a table of any known tool; None where it is of none.

    Parameters
    ----------
    frame : DataFrame
        As read from the file.
    stem : str
        The file's name without its ending: the patient, where the table holds one and does not name it.

    Raises
    ------
    InputRefusedError
        If it cannot be told which patient a row is of, or rows were measured with different settings.
    """
    for tool, recognizes, convert in _DIALECTS:
        if recognizes(frame):
            rows = convert(frame, stem)
            version, settings = _made_with(rows)
            return Foreign(_with_status(rows), f"{tool} {version}".strip(), settings)
    return None


def _column(frame: pd.DataFrame, *names: str) -> pd.Series | None:
    """The first of these columns that the table has, whatever the case of its letters."""
    lower = {str(column).lower(): column for column in frame.columns}
    return next((frame[lower[name]] for name in names if name in lower), None)


def _is_pyradiomics(frame: pd.DataFrame) -> bool:
    return any(str(column).startswith("original_") for column in frame.columns)


def _from_pyradiomics(frame: pd.DataFrame, stem: str) -> pd.DataFrame:
    """PyRadiomics' batch output: one row per case, the columns of its input (ID, Image, Mask, Label, any other) first."""
    patient, label, side = (_column(frame, *names) for names in (PATIENT_NAMES, ("label",), ("side",)))
    image, node = _column(frame, "image"), _column(frame, *NODE_NAMES)
    if patient is None:
        patient = pd.Series(stem, index=frame.index) if image is None else _patients_of_images(image)
    result = pd.DataFrame({"patient_id": as_text(patient.map(stem_of))})
    result["node_id"] = "" if node is None else as_text(node.map(stem_of))
    result["label"] = 1 if label is None else pd.to_numeric(label, errors="coerce").fillna(1).astype(int)
    result["node_id"] = _told_apart(result)
    if side is not None:
        result["side"] = as_text(side)
    kept = [name for name in frame.columns if str(name).startswith(("original_", "diagnostics_"))]
    return pd.concat([result, frame[kept]], axis=1)


def _patients_of_images(image: pd.Series) -> pd.Series:
    stems = image.map(stem_of)
    images = pd.DataFrame({"image": image, "stem": stems}).drop_duplicates()
    shared = images.loc[images.duplicated("stem"), "stem"]
    if len(shared):
        raise InputRefusedError(
            f"Several images of this table are called {shared.iloc[0]}, so it cannot be told which patient a row is of; "
            "add a column patient_id."
        )
    return stems


def _told_apart(rows: pd.DataFrame) -> pd.Series:
    """Names of nodes; those without, or shared within a patient, get their label, and nameless ones then a number."""
    name = rows["node_id"]
    unclear = rows.duplicated(["patient_id", "node_id"], keep=False) | (name == "")
    result = name.mask(unclear, name + "#" + rows["label"].astype(str))
    keys = pd.DataFrame({"patient": rows["patient_id"], "node": result})
    nameless = keys.duplicated(keep=False) & (name == "")
    return result.mask(nameless, result + "." + keys.groupby(["patient", "node"]).cumcount().add(1).astype(str))


def _is_slicer(frame: pd.DataFrame) -> bool:
    return set(SLICER_KEYS) <= {str(column).lower() for column in frame.columns} or _is_transposed(frame)


def _is_transposed(frame: pd.DataFrame) -> bool:
    """Each segment a row: the first column holds the names of the keys, the header the kinds of image."""
    first = [str(frame.columns[0]), *as_text(frame.iloc[:2, 0])] if len(frame) > 1 else []
    return [name.strip().lower() for name in first] == list(SLICER_KEYS)


def _from_slicer(frame: pd.DataFrame, stem: str) -> pd.DataFrame:
    """Slicer's Radiomics module: a row per feature and a column per segment, or that transposed, or a row per value."""
    values = _slicer_values(frame)
    segments = [str(segment) for segment in values.index]
    names = [_segment_name(segment) for segment in segments]
    if len(set(names)) < len(names):
        names = segments
    result = values.reset_index(drop=True)
    result.insert(0, "label", [_last_number(name, place) for place, name in enumerate(names, start=1)])
    result.insert(0, "node_id", names)
    result.insert(0, "patient_id", stem)
    return result


def _slicer_values(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per segment, one column per feature, named as PyRadiomics names them."""
    if _is_transposed(frame):
        kinds = [str(column).partition(".")[0] for column in frame.columns[1:]]  # pandas numbers columns of one name
        columns = [_joined(*key) for key in zip(kinds, frame.iloc[0, 1:], frame.iloc[1, 1:], strict=True)]
        return pd.DataFrame(frame.iloc[2:, 1:].to_numpy(), index=as_text(frame.iloc[2:, 0]), columns=columns)
    frame = frame.rename(columns={column: str(column).lower() for column in frame.columns if str(column).lower() in _SLICER_ALL})
    names = [_joined(*key) for key in zip(*(frame[key] for key in SLICER_KEYS), strict=True)]
    if {"label", "value"} <= set(frame.columns):
        rows = pd.DataFrame({"segment": as_text(frame["label"]), "name": names, "value": frame["value"]})
        if rows.duplicated(["segment", "name"]).any():
            raise InputRefusedError("A feature of a segment stands twice in this table; give each segment once.")
        wide = rows.pivot(index="segment", columns="name", values="value")
        return wide.loc[rows["segment"].drop_duplicates(), pd.unique(rows["name"])].rename_axis(columns=None)
    values = frame.drop(columns=list(SLICER_KEYS))
    return pd.DataFrame(values.to_numpy().T, index=values.columns, columns=names)


_SLICER_ALL = (*SLICER_KEYS, "label", "value")


def _joined(kind: object, feature_class: object, name: object) -> str:
    return f"{str(kind).lower()}_{feature_class}_{name}"


def _segment_name(column: str) -> str:
    """``Nodes_segment_R01`` is R01; ``Nodes_label_3`` is label_3."""
    found = re.fullmatch(r".*_segment_(.+)|.*_(label_\d+)", column)
    return column if found is None else found[1] or found[2]


def _last_number(name: str, otherwise: int) -> int:
    found = re.search(r"label_(\d+)$", name)
    return int(found[1]) if found else otherwise


def _is_mirp(frame: pd.DataFrame) -> bool:
    return "sample_name" in frame.columns and any(name in MIRP_NAMES for name in frame.columns)


def _from_mirp(frame: pd.DataFrame, _stem: str) -> pd.DataFrame:
    """MIRP: one row per region; the patient is ``sample_name``, the node its mask file, its label, or both."""
    patient = as_text(frame["sample_name"])
    if (patient == "").any():
        raise InputRefusedError("MIRP's column sample_name is empty, so it cannot be told which patient a row is of; fill it in.")
    file, label = (_column(frame, f"image_mask_{name}") for name in ("file_name", "label"))
    names = [as_text(column.map(stem_of)) for column in (file, label) if column is not None]
    choices = [*names, *([names[0] + "#" + names[1]] if len(names) == 2 else [])]
    told = (c for c in choices if (c != "").all() and not pd.DataFrame({"patient": patient, "node": c}).duplicated().any())
    number = (patient.groupby(patient).cumcount() + 1).astype(str)
    result = pd.DataFrame({"patient_id": patient, "node_id": next(told, number)})
    labels = pd.Series("", index=frame.index) if label is None else as_text(label)
    result["label"] = labels.str.extract(r"(\d+)$")[0].fillna(1).astype(int)
    side = _column(frame, "side")
    if side is not None:
        result["side"] = as_text(side)
    return pd.concat([result, mirp_features(frame)], axis=1)


_DIALECTS: tuple[tuple[str, Callable[[pd.DataFrame], bool], Callable[[pd.DataFrame, str], pd.DataFrame]], ...] = (
    ("Slicer's Radiomics module, PyRadiomics", _is_slicer, _from_slicer),
    ("PyRadiomics", _is_pyradiomics, _from_pyradiomics),
    ("MIRP", _is_mirp, _from_mirp),
)


def _made_with(rows: pd.DataFrame) -> tuple[str, dict[str, str]]:
    """PyRadiomics' version and settings, from the columns it calls diagnostics; empty where there are none."""
    version, settings = (_column(rows, f"diagnostics_{name}") for name in ("versions_pyradiomics", "configuration_settings"))
    versions = [] if version is None else sorted(set(as_text(version)) - {""})
    found = [] if settings is None else [_parsed(text) for text in pd.unique(as_text(settings)) if text]
    for other in found[1:]:
        odd = next((name for name in sorted({*found[0], *other}) if found[0].get(name) != other.get(name)), None)
        if odd is not None:
            raise InputRefusedError(
                f"Rows of this table were measured with different settings ({odd} = {found[0].get(odd)} and {other.get(odd)}); "
                "measure all nodes alike."
            )
    return ", ".join(versions), found[0] if found else {}


def _parsed(text: str) -> dict[str, str]:
    """PyRadiomics' settings as it prints them, but for the label, which differs from mask to mask."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return {"settings": text}
    return {str(name): str(item) for name, item in value.items() if name != "label"} if isinstance(value, dict) else {}


def _with_status(rows: pd.DataFrame) -> pd.DataFrame:
    """The features as numbers, and on each row whether all are finite."""
    given = [name for name in ("patient_id", "node_id", "label", "side") if name in rows.columns]
    features = rows[[name for name in rows.columns if str(name).startswith("original_")]]
    numbers: pd.DataFrame = features.apply(pd.to_numeric, errors="coerce").astype(np.float64)
    finite = np.isfinite(numbers.to_numpy())
    reasons = ["; ".join(numbers.columns[~row]) for row in finite]
    status = pd.DataFrame({"feature_status": np.where(finite.all(axis=1), OK, NONFINITE), "reason": reasons}, index=rows.index)
    return pd.concat([rows[given], numbers, status], axis=1)


def stem_of(value: object) -> str:
    """The last part of a path without its image suffixes; other text as it is."""
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    name = str(value).replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    for suffix in (".nii.gz", ".seg.nrrd", ".nii", ".nrrd", ".mha", ".mhd", ".dcm"):
        name = name.removesuffix(suffix)
    return name
