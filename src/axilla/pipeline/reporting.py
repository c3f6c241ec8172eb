"""A study's figures and report, from its results and the pictures its patients' stages left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from axilla.cohort import STATUSES, Cohort, Patient
from axilla.evaluate import Evaluation, RuleComparison, rules_document
from axilla.figures import (
    CohortFlow,
    Drawing,
    FlowCounts,
    GroupedNodes,
    characterization,
    cluster_plot,
    flow_diagram,
    node_level,
    overview,
    patient_level,
)
from axilla.io.atlas import read_atlas
from axilla.io.files import write_bytes, write_text
from axilla.io.study import StudyFolder
from axilla.io.tables import write_table
from axilla.model import CALLS, CHOSEN, Model, model_to_dict
from axilla.pipeline._baseline import baseline_table
from axilla.pipeline._differences import class_summary, group_differences
from axilla.pipeline._versions import versions
from axilla.pipeline.pictures import read_pictures
from axilla.pipeline.settings import StudySettings, plain_settings
from axilla.report import PatientEntry, StudyReport, Table, render_study, study_tables
from axilla.table import FeatureTable

OVERVIEW = "overview"
ROLES = ("training", "validation", "cN0")
COMPARED_ROLES = ("training", "validation")
"""Cohorts in which the groups are compared feature by feature."""


MOST_PICTURED = 60
"""Patients whose nodes' pictures one page holds; at about 0.3 MB each it stays below 20 MB."""


@dataclass(frozen=True)
class StudyResults:
    """Everything a study's report is written from."""

    title: str
    cohort: Cohort
    failed: Mapping[str, str]
    """Included patients that could not be finished, and why."""
    nodes: pd.DataFrame
    """``nodes.csv`` of all patients; ``counts`` says why a node is shown but not used, or is empty."""
    features: FeatureTable
    """Of the nodes that count."""
    model: Model
    predictions: pd.DataFrame
    """Of all nodes."""
    patients: pd.DataFrame
    """``patients.csv``: the call per included patient."""
    evaluation: Evaluation
    rules: RuleComparison
    """All patient rules, the one the training patients choose, and the one in force."""
    settings: StudySettings
    is_synthetic: bool
    tools: tuple[str, ...] = ()
    """What measured the nodes, where the study was made from feature tables; there are then no pictures."""
    warnings: tuple[str, ...] = ()
    n_side_untold: int = 0
    """Nodes whose side no table tells; they are taken as of the operated side."""
    drawn: frozenset[str] = frozenset()
    """Patients whose nodes are those of a mask that the user brought."""

    @cached_property
    def differences(self) -> pd.DataFrame:
        """Group 2 against group 1, feature by feature, in the training and in the validation cohort."""
        return group_differences({role: self.counted(role) for role in COMPARED_ROLES}, self.predictions, self.settings.evaluate)

    def counted(self, role: str) -> FeatureTable:
        """Features of the nodes that count, of a role's finished patients."""
        return self.features.select([patient.patient_id for patient in self.finished if patient.role == role])

    @cached_property
    def counted_predictions(self) -> pd.DataFrame:
        """Predictions of the nodes that count."""
        keys = ["patient_id", "node_id"]
        return self.predictions.merge(self.nodes.loc[self.nodes["counts"] == "", keys], on=keys)

    @property
    def finished(self) -> tuple[Patient, ...]:
        """Included patients whose CT was finished."""
        return tuple(patient for patient in self.cohort.patients if patient.patient_id not in self.failed)


def write_study_report(folder: StudyFolder, results: StudyResults) -> None:
    """``figures/`` (SVG, and beside each the numbers it shows), ``results/tables/`` and ``report/index.html``."""
    figures = _figures(results) if results.tools else {**_figures(results), OVERVIEW: _overview(folder, results)}
    for drawing in figures.values():
        write_bytes(folder.figures / drawing.file_name, drawing.data)
        write_text(folder.figures / f"{drawing.name}.csv", drawing.numbers_csv())
    shown = () if results.tools else _pictured(results)
    pictures = {patient.patient_id: read_pictures(folder.patient(patient.patient_id) / "pictures") for patient in shown}
    report = _study_report(results, figures, pictures)
    _write_tables(folder, study_tables(report), results.is_synthetic)
    write_text(folder.report_path, render_study(report))


def _write_tables(folder: StudyFolder, tables: Mapping[str, Table], is_synthetic: bool) -> None:
    """The printed tables as CSV; those of an earlier run that are no more printed go."""
    for name, table in tables.items():
        write_table(table.frame, folder.tables / f"{name}.csv", table.title, is_synthetic=is_synthetic)
    for path in folder.tables.iterdir():
        if path.name.partition(".")[0] not in tables:
            path.unlink()


def _study_report(
    results: StudyResults, figures: Mapping[str, Drawing], pictures: Mapping[str, Sequence[Drawing]]
) -> StudyReport:
    return StudyReport(
        title=results.title,
        results=results.evaluation.to_dict(),
        patients=tuple(_entries(results, pictures)),
        cohorts=_cohort_frame(results),
        baseline=baseline_table(Cohort(results.finished)),
        figures=figures,
        n_indeterminate=_indeterminate(results),
        differences=results.differences,
        class_summary=class_summary(results.differences),
        rules=rules_document(results.rules),
        model=model_to_dict(results.model),
        settings=_settings(results),
        versions=versions(),
        seed=results.settings.model.seed,
        is_synthetic=results.is_synthetic,
        warnings=(*results.warnings, *results.model.warnings),
        tools=results.tools,
        n_side_untold=results.n_side_untold,
        unused=Counter(results.nodes.loc[results.nodes["counts"] != "", "counts"]),
        n_drawn=sum(patient.patient_id in results.drawn for patient in results.finished),
        criteria=results.settings.criteria,
    )


def _pictured(results: StudyResults) -> Sequence[Patient]:
    """Whose nodes the report shows: everyone's, or where that are too many for one page, theirs whose call was wrong."""
    if len(results.finished) <= MOST_PICTURED:
        return results.finished
    call = dict(zip(results.patients["patient_id"], results.patients["call"], strict=True))
    return [patient for patient in results.finished if call[patient.patient_id] != patient.status][:MOST_PICTURED]


def _indeterminate(results: StudyResults) -> int:
    """Nodes that count and are called indeterminate."""
    return int(results.counted_predictions["warnings"].str.contains("indeterminate", regex=False).sum())


def _settings(results: StudyResults) -> dict[str, Mapping[str, object]]:
    """Of the stages that were run: on tables, none that works on a CT."""
    plain = plain_settings(results.settings)
    plain["criteria"] = {criterion.name: f"{criterion.column} {criterion.asks()}" for criterion in results.settings.criteria}
    case = plain.pop("case")
    if results.settings.rule.name == CHOSEN:
        plain["rule"] = {**plain_settings(results.rules.in_force), "chosen_on": "training patients"}
    if not results.tools:
        return {**case, **plain}
    plain.pop("selection")
    return {"measured by others": dict(results.model.provenance.feature_settings), **plain}


def _figures(results: StudyResults) -> dict[str, Drawing]:
    evaluation = results.evaluation.to_dict()
    groups = [_grouped(results, role) for role in ROLES]
    return {
        "flow": flow_diagram(_flow(results)),
        "clusters": cluster_plot([group for group in groups if len(group.groups)], results.model.centers),
        **characterization(results.differences, results.settings.evaluate.level),
        "node_level": node_level(evaluation["node_level"], results.evaluation.nodes),
        "patient_level": patient_level({k: v for k, v in evaluation["patient_level"].items() if k != "all"}),
    }


def _overview(folder: StudyFolder, results: StudyResults) -> Drawing:
    """The atlas of one patient, as an example: the first of the training cohort."""
    patient = next((p for p in results.finished if p.role == "training"), results.finished[0])
    given = results.predictions[results.predictions["patient_id"] == patient.patient_id].dropna(subset=["group"])
    groups = dict(zip(given["node_id"], given["group"].astype(int), strict=True))
    drawing = overview(read_atlas(folder.patient(patient.patient_id)).atlas, groups)
    return replace(drawing, name=OVERVIEW, alt=f"{patient.patient_id}: {drawing.alt}")


def _grouped(results: StudyResults, role: str) -> GroupedNodes:
    """The counted, evaluable nodes of a role with their groups."""
    table = results.counted(role).evaluable
    keys = table.frame[["patient_id", "node_id"]].merge(results.predictions, on=["patient_id", "node_id"], how="left")
    z_scores = results.model.z_scores(table.values(results.model.feature_names))
    return GroupedNodes(role, z_scores, keys["group"].to_numpy(dtype=np.int64))


def _flow(results: StudyResults) -> FlowCounts:
    cohort, calls = results.cohort, results.patients.set_index("patient_id")
    flows = []
    for role in ROLES:
        members = [patient for patient in results.finished if patient.role == role]
        names = [patient.patient_id for patient in members]
        rows, nodes = calls.loc[names], results.counted_predictions[results.counted_predictions["patient_id"].isin(names)]
        flows.append(
            CohortFlow(
                name=role,
                patients=len(members),
                patients_not_evaluable=int((rows["call"] == "not evaluable").sum()),
                nodes=int(rows["n_nodes"].sum()),
                nodes_not_evaluable=int(rows["n_not_evaluable"].sum()),
                statuses=_statuses(members, of_nodes=role != "cN0"),
                groups={f"group {number}": int((nodes["group"] == number).sum()) for number in (1, 2)},
                calls={call: int((rows["call"] == call).sum()) for call in CALLS},
            )
        )
    return FlowCounts(
        offered=len(cohort.patients) + len(cohort.excluded),
        excluded=dict(Counter(cohort.excluded.values())),
        failed=dict(Counter(results.failed.values())),
        cohorts=tuple(flows),
    )


def _statuses(members: Sequence[Patient], *, of_nodes: bool) -> dict[str, int]:
    """Patients by status of their nodes, or of their axilla."""
    found = Counter(patient.node_status if of_nodes else patient.status for patient in members)
    return {status: found[status] for status in STATUSES if found[status]}


def _cohort_frame(results: StudyResults) -> pd.DataFrame:
    rows = []
    for name in (*ROLES, "cN+"):
        members = {patient.patient_id for patient in results.cohort.members(name)}
        nodes = results.counted_predictions[results.counted_predictions["patient_id"].isin(members)]
        finished = len(members - set(results.failed))
        rows.append(
            {
                "cohort": name,
                "patients": len(members),
                "finished": finished,
                "nodes that count": len(nodes),
                "nodes per patient": round(len(nodes) / finished, 2) if finished else None,
                "not evaluable": int(nodes["group"].isna().sum()),
                "group 1": int((nodes["group"] == 1).sum()),
                "group 2": int((nodes["group"] == 2).sum()),
            }
        )
    return pd.DataFrame(rows)


def _entries(results: StudyResults, pictures: Mapping[str, Sequence[Drawing]]) -> list[PatientEntry]:
    """Everyone offered to the study, in the order of pseudonyms."""
    calls = {row["patient_id"]: row for row in results.patients.to_dict("records")}
    entries = [PatientEntry(name, failure=f"excluded: {reason}") for name, reason in results.cohort.excluded.items()]
    for patient in results.cohort.patients:
        name = patient.patient_id
        entry = PatientEntry(name, patient.role, patient.operated_side, patient.clinical, patient.status)
        if name in results.failed:
            entries.append(replace(entry, failure=results.failed[name]))
            continue
        row = calls[name]
        entries.append(
            replace(
                entry,
                call=row["call"],
                score=None if pd.isna(row["score"]) else float(row["score"]),
                n_nodes=int(row["n_nodes"]),
                n_not_evaluable=int(row["n_not_evaluable"]),
                warnings=tuple(part for part in row["warnings"].split("; ") if part),
                pictures=tuple(pictures.get(name, ())),
            )
        )
    return sorted(entries, key=lambda entry: entry.patient_id)
