"""``axilla study``: a whole study from feature tables and a clinical sheet, without any image.

1. read the sheet and the tables; 2. give pseudonyms; 3. screen the patients, tell which nodes count; 4. train on the training
patients' nodes, predict, call, evaluate; 5. only then write the study, so that what is refused leaves nothing behind.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from axilla.cohort import Patient, screen
from axilla.errors import InputRefusedError
from axilla.io.clinical import SIDE_WORDS, read_clinical_sheet
from axilla.io.decisions import StudyDecisions
from axilla.io.files import check_can_write, remove_leftovers
from axilla.io.study import StudyFolder
from axilla.io.tables import (
    FeatureSource,
    is_synthetic_table,
    read_feature_source,
    read_features,
    read_table,
    sidecar,
    write_features,
    write_table,
)
from axilla.pipeline._learning import OTHER_SIDE, Measured, check_something_done, learn, write_study
from axilla.pipeline._outcome import Outcome
from axilla.pipeline._progress import Progress, silent
from axilla.pipeline._pseudonyms import check_zeros, kept_pseudonyms, pseudonyms, without_identifier
from axilla.pipeline.learn import check_patients_differ
from axilla.pipeline.reporting import StudyResults
from axilla.pipeline.settings import StudySettings
from axilla.radiomics import FEATURE_NAMES
from axilla.table import FeatureTable

NO_ROW = "no row in the feature tables"

_AXILLA_NODE = re.compile(r"([RL])\d+")
"""How axilla calls nodes: side, then number."""


@dataclass(frozen=True)
class Tables:
    """All feature tables of a study, joined."""

    features: FeatureTable
    sides: tuple[str, ...]
    """Of each row; empty where it is not told."""
    is_synthetic: bool
    settings: Mapping[str, str | float | bool | None]
    """How the nodes were measured, as far as the tables say it."""
    sources: tuple[Mapping[str, Any], ...]
    """Of each table its tool, rows, hash, and whether it is synthetic; not its name, which may be a patient's."""

    @property
    def tools(self) -> tuple[str, ...]:
        """What measured the nodes."""
        return tuple(dict.fromkeys(str(source["tool"]) for source in self.sources))

    @property
    def patient_ids(self) -> list[str]:
        """Who has a row."""
        return list(dict.fromkeys(self.features.frame["patient_id"]))


def study_from_features(paths: Sequence[Path], clinical: Path, root: Path, *, progress: Progress = silent) -> Outcome:
    """Make a study of feature tables, or make it anew: what ``study.toml`` decides and the pseudonyms stay.

    Raises
    ------
    InputRefusedError
        If the sheet has faulty rows (all are named), a table cannot be read, no patient is in both, two tables hold the same
        patient or were measured differently, a node's side is unclear, or the training nodes cannot be grouped.
    StudyBusyError
        If another process works on the study.
    """
    check_can_write(root, folder=True)
    existing = StudyFolder(root)
    _check_not_of_cts(existing)
    sheet = read_clinical_sheet(clinical)
    progress("read tables", 0, len(paths))
    tables = _join(paths, [_read(path, place, len(paths), progress) for place, path in enumerate(paths, start=1)])
    check_zeros(sheet, tables.patient_ids, "the feature tables")
    _check_known(tables.patient_ids, sheet, clinical.name)
    ids = [*sheet, *tables.patient_ids]
    key = pseudonyms(kept_pseudonyms(existing.read_key(), ids), ids)
    patients = [dataclasses.replace(sheet.get(name, Patient(name)), patient_id=key[name]) for name in dict.fromkeys(ids)]
    is_synthetic = tables.is_synthetic or is_synthetic_table(clinical)
    tables = dataclasses.replace(tables, features=_renamed(tables.features, key), is_synthetic=is_synthetic)
    decisions = existing.decisions() if existing.decisions_path.is_file() else StudyDecisions(root.resolve().name)
    progress("train, predict, evaluate", 0, 1)
    results = _learn(decisions, patients, tables)
    progress("train, predict, evaluate", 1, 1)
    folder = StudyFolder.create(root)
    with folder.writing("axilla study"):
        remove_leftovers(root)
        folder.write_key({pseudonym: name for name, pseudonym in key.items()})
        with folder.database() as database:
            database.save_catalog(patients, ())
        _write_tables(folder, tables)
        return write_study(folder, results, progress)


def learn_from_tables(folder: StudyFolder) -> StudyResults:
    """Train, predict, call, evaluate, from the tables the study keeps.

    Raises
    ------
    InputRefusedError
        As :func:`study_from_features`.
    """
    path = folder.features_path
    features, described = read_features(path), sidecar(path)
    nodes = read_table(folder.nodes_path, required=("patient_id", "node_id", "side"))
    keys = ["patient_id", "node_id"]
    if nodes[keys].to_numpy().tolist() != features.frame[keys].to_numpy().tolist() or "sources" not in described:
        raise InputRefusedError(f"{folder.nodes_path} does not fit {path.name} or what stands beside it; run axilla study again.")
    sides, sources = tuple(nodes["side"]), tuple(described["sources"])
    tables = Tables(features, sides, is_synthetic_table(path), described.get("settings") or {}, sources)
    with folder.database() as database:
        patients = database.patients()
    return _learn(folder.decisions(), patients, tables)


def _write_tables(folder: StudyFolder, tables: Tables) -> None:
    nodes = tables.features.frame[["patient_id", "node_id"]].assign(side=tables.sides)
    write_table(nodes, folder.nodes_path, "sides of nodes", is_synthetic=tables.is_synthetic)
    made = {"settings": dict(tables.settings), "sources": [dict(source) for source in tables.sources]}
    write_features(tables.features, folder.features_path, is_synthetic=tables.is_synthetic, provenance=made)


def _learn(decisions: StudyDecisions, patients: Iterable[Patient], tables: Tables) -> StudyResults:
    settings = StudySettings.from_decisions(decisions)
    cohort = screen(patients, settings.criteria)
    with_rows = set(tables.patient_ids)
    failed = {patient.patient_id: NO_ROW for patient in cohort.patients if patient.patient_id not in with_rows}
    check_something_done(cohort, failed)
    operated = {patient.patient_id: patient.operated_side for patient in cohort.patients}
    frame = tables.features.frame.assign(side=tables.sides)
    frame = frame[frame["patient_id"].isin(list(operated))]
    untold = frame["side"] == ""
    side = frame["side"].mask(untold, frame["patient_id"].map(operated))
    counts = pd.Series("", index=frame.index).mask(side != frame["patient_id"].map(operated), OTHER_SIDE)
    nodes = frame[["patient_id", "node_id", "label"]].assign(side=side, counts=counts).reset_index(drop=True)
    measured = Measured(
        features=tables.features.select(list(operated)),
        nodes=nodes,
        is_synthetic=tables.is_synthetic,
        feature_settings=tables.settings,
        tools=tables.tools,
        warnings=(*_side_warnings(frame.loc[untold, "patient_id"]), *_table_warnings(tables)),
        n_side_untold=int(untold.sum()),
    )
    return learn(decisions.title, cohort, failed, measured, settings)


def _side_warnings(owners: pd.Series) -> tuple[str, ...]:
    if not len(owners):
        return ()
    return (
        f"The tables do not say the side of {len(owners)} nodes of {owners.nunique()} patients; these nodes are taken as of the "
        "operated side.",
    )


def _table_warnings(tables: Tables) -> tuple[str, ...]:
    missing = sorted(set(FEATURE_NAMES) - set(tables.features.feature_names))
    lacking = f"The tables lack {len(missing)} of the {len(FEATURE_NAMES)} features: {', '.join(missing[:5])}"
    score = (
        "Feature tables hold no detection score: nodes below the detection threshold, which axilla run leaves out, count here."
    )
    return (
        *([f"{lacking}{', ...' if len(missing) > 5 else ''}."] if missing else []),
        *([score] if any(tool.startswith("axilla") for tool in tables.tools) else []),
    )


def _read(path: Path, place: int, total: int, progress: Progress) -> tuple[FeatureSource, str]:
    source = read_feature_source(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    progress("read tables", place, total)
    return source, digest


def _join(paths: Sequence[Path], read: Sequence[tuple[FeatureSource, str]]) -> Tables:
    """All tables as one; each patient is in one of them, and all were measured alike."""
    check_patients_differ(paths, [source.table for source, _ in read])
    return Tables(
        features=FeatureTable.concatenate([source.table for source, _ in read]),
        sides=tuple(side for path, (source, _) in zip(paths, read, strict=True) for side in _sides(source, path.name)),
        is_synthetic=any(source.is_synthetic for source, _ in read),
        settings=_common_settings([(path.name, source.settings) for path, (source, _) in zip(paths, read, strict=True)]),
        sources=tuple(
            {"tool": source.tool, "rows": len(source.table), "sha256": digest, "is_synthetic": source.is_synthetic}
            for source, digest in read
        ),
    )


def _sides(source: FeatureSource, name: str) -> list[str]:
    """The side of each row: from the column ``side``, else from names like axilla's (R01), else not told."""
    keys = list(zip(source.table.frame["patient_id"], source.table.frame["node_id"], strict=True))
    if source.sides:
        words = [source.sides[key].strip().lower() for key in keys]
        sides = [SIDE_WORDS.get(word, "") for word in words]
        wrong = next((place for place, word in enumerate(words) if word and not sides[place]), None)
        if wrong is not None:
            raise InputRefusedError(f"{name}: a side is L or R, not {source.sides[keys[wrong]]!r} (node {keys[wrong][1]}).")
    else:
        found = [_AXILLA_NODE.fullmatch(node) for _, node in keys]
        sides = [match[1] if match else "" for match in found]
    if any(sides) and not all(sides):
        node = keys[sides.index("")][1]
        raise InputRefusedError(
            f"{name} tells the side of some nodes but not of others (node {node!r}), and only nodes of the operated side count; "
            "give every node its side (column side, or names like R01), or none."
        )
    return sides


def _common_settings(found: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, str | float | bool | None]:
    """What the tables say of how they were measured; refused where two contradict each other."""
    common: dict[str, str | float | bool | None] = {}
    for name, settings in found:
        for key, value in settings.items():
            plain = value if isinstance(value, str | int | float | bool | None) else str(value)
            if common.setdefault(key, plain) != plain:
                raise InputRefusedError(
                    f"{name} was measured with {key} = {plain}, another table with {common[key]}; measure all nodes alike."
                )
    return common


def _check_not_of_cts(folder: StudyFolder) -> None:
    if not folder.database_path.is_file():
        return
    with folder.database() as database:
        series = database.series()
    if series:
        raise InputRefusedError(f"{folder.root} holds a study made from CTs; give another folder for one from feature tables.")


def _check_known(in_tables: Sequence[str], sheet: Mapping[str, Patient], sheet_name: str) -> None:
    if not set(in_tables) & set(sheet):
        raise InputRefusedError(
            f"None of the {len(in_tables)} patients of the feature tables (first {in_tables[0]!r}) is in {sheet_name} (first "
            f"{next(iter(sheet))!r}); a table carries the sheet's patient_id in a column of that name, or as the file's name."
        )


def _renamed(table: FeatureTable, key: Mapping[str, str]) -> FeatureTable:
    """Pseudonyms for patients; a node's name that holds its patient's identifier gets the pseudonym there."""
    frame = table.frame
    nodes = [
        without_identifier(node, patient, key[patient])
        for patient, node in zip(frame["patient_id"], frame["node_id"], strict=True)
    ]
    return FeatureTable(frame.assign(patient_id=frame["patient_id"].map(dict(key)), node_id=nodes))
