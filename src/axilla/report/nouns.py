"""What a report is made of. Neither noun holds a name, an ID, a date or a UID of the hospital."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pandas as pd

from axilla.cohort import PAPER_CRITERIA, Criterion
from axilla.errors import InvalidValueError
from axilla.figures.drawing import Drawing
from axilla.node import Node
from axilla.volume import Acquisition, Geometry

PREDICTION_NEEDS = ("node_id", "group", "score", "probability", "warnings")
PATIENT_NEEDS = ("side", "rule", "call", "score", "n_nodes", "n_not_evaluable", "warnings")

DIFFERENCE_NEEDS = (
    "cohort",
    "feature",
    "feature_class",
    "median_1",
    "median_2",
    "effect",
    "low",
    "high",
    "method",
    "test",
    "p_holm",
)
CLASS_NEEDS = (
    "cohort",
    "feature_class",
    "compared",
    "differ",
    "higher_in_2",
    "lower_in_2",
    "median_size",
    "largest",
    "largest_effect",
)


@dataclass(frozen=True)
class PredictionReport:
    """One CT: its nodes and, where a model was applied, what it says of them.

    Parameters
    ----------
    geometry, acquisition
        The CT's grid and how it was made.
    nodes : tuple of Node
        In the order to be listed.
    coverage : mapping of str to str
        Per side ``"whole"``, ``"partial"`` or ``"absent"``; empty where the user brought the mask.
    pictures : mapping of str to Drawing
        By node_id, from :func:`axilla.figures.node_picture`.
    overview, contact_sheet : Drawing or None
        The atlas drawn, and all nodes at one scale.
    predictions : DataFrame or None
        Columns of ``predictions.csv``; ``None`` when no model was applied.
    patients : DataFrame or None
        Columns of ``patients.csv``: the call per side.
    model : mapping or None
        ``axilla.model.model_to_dict(model)``.
    withheld_reason : str
        Why no group is given though there is a model; empty otherwise.
    warnings : tuple of str
        Every sentence a reader must see (of the CT, of locating, of the model).
    settings : mapping of str to mapping
        Settings in force by stage: ``{"locate": {...}, "radiomics": {...}}``; plain values.
    versions : mapping of str to str
        Software and its version.
    patient_id : str
        Pseudonym; may be empty.
    title : str
    has_given_mask : bool
        The nodes are those of a mask the user brought, not found by axilla.

    Raises
    ------
    InvalidValueError
        If a table lacks a column or a prediction belongs to no node.
    """

    geometry: Geometry
    acquisition: Acquisition
    nodes: tuple[Node, ...]
    coverage: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, Drawing] = field(default_factory=dict)
    overview: Drawing | None = None
    contact_sheet: Drawing | None = None
    predictions: pd.DataFrame | None = None
    patients: pd.DataFrame | None = None
    model: Mapping[str, Any] | None = None
    withheld_reason: str = ""
    warnings: tuple[str, ...] = ()
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    patient_id: str = ""
    title: str = "Axillary lymph nodes on one chest CT"
    has_given_mask: bool = False

    def __post_init__(self) -> None:
        if self.predictions is not None:
            _need(self.predictions, PREDICTION_NEEDS, "predictions")
            unknown = sorted(set(self.predictions["node_id"]) - {node.node_id for node in self.nodes})
            if unknown:
                raise InvalidValueError(f"Predictions name nodes the CT does not have: {', '.join(map(str, unknown[:5]))}.")
        if self.patients is not None:
            _need(self.patients, PATIENT_NEEDS, "patients")
        for name in ("coverage", "pictures", "settings", "versions"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @property
    def is_synthetic(self) -> bool:
        """Whether the CT was made by a simulator."""
        return self.acquisition.is_synthetic


@dataclass(frozen=True)
class PatientEntry:
    """One patient in a study's report.

    Parameters
    ----------
    patient_id : str
        Pseudonym.
    cohort : str
        ``training``, ``validation``, ``cN0``; empty when excluded.
    side : str
        Operated side.
    clinical, status, call : str
        Clinical assessment, pathology of the axilla, the model's call; empty where there is none.
    score : float or None
        The patient rule's score.
    n_nodes, n_not_evaluable : int
        Nodes of the operated side, and those of them without features.
    failure : str
        Why the patient could not be finished, or was excluded; empty otherwise.
    warnings : tuple of str
    pictures : tuple of Drawing
        Its nodes (:data:`axilla.figures.SMALL` keeps the file small).
    """

    patient_id: str
    cohort: str = ""
    side: str = ""
    clinical: str = ""
    status: str = ""
    call: str = ""
    score: float | None = None
    n_nodes: int = 0
    n_not_evaluable: int = 0
    failure: str = ""
    warnings: tuple[str, ...] = ()
    pictures: tuple[Drawing, ...] = ()

    def __post_init__(self) -> None:
        if not self.patient_id:
            raise InvalidValueError("A patient in a report needs a pseudonym.")
        if not 0 <= self.n_not_evaluable <= self.n_nodes:
            raise InvalidValueError(f"{self.patient_id}: {self.n_not_evaluable} not evaluable of {self.n_nodes} nodes cannot be.")


@dataclass(frozen=True)
class StudyReport:
    """A whole study.

    Parameters
    ----------
    results : mapping
        ``results.json``: ``node_level``, ``patient_level``, ``is_synthetic``, ``warnings``.
    patients : tuple of PatientEntry
        Everyone offered to the study, the excluded and failed ones too.
    cohorts : DataFrame or None
        One row per cohort, columns as they are to be shown (cohort, patients, nodes, ...).
    baseline : DataFrame or None
        Baseline table: first column the variable, then one per cohort, values as they are to be shown.
    figures : mapping of str to Drawing
        By :data:`axilla.report.FIGURES`. Missing ones are named in the report as missing.
    differences : DataFrame or None
        Group 2 against group 1, by cohort (training first) and feature: :data:`DIFFERENCE_NEEDS` and others.
    class_summary : DataFrame or None
        How many features of each class differ, by cohort: :data:`CLASS_NEEDS` and others.
    rules : mapping or None
        The patient rules compared: :func:`axilla.evaluate.rules_document`.
    criteria : tuple of Criterion
        Eligibility criteria in force.
    n_indeterminate : int or None
        Evaluable nodes that count and lie near the middle between the groups; None where not counted.
    model : mapping or None
        ``model_to_dict``.
    settings : mapping of str to mapping
        By stage, as in :class:`PredictionReport`.
    versions : mapping of str to str
    seed : int or None
    is_synthetic : bool
        The CTs were simulated.
    warnings : tuple of str
    tools : tuple of str
        What measured the nodes, where the study was made from feature tables; empty where axilla saw the CTs.
    n_side_untold : int
        Nodes whose side no table tells; they are taken as of the operated side.
    unused : mapping of str to int
        Nodes that do not count, by the reason why.
    n_drawn : int
        Finished patients whose nodes are those of a mask that the user brought.
    title : str
    """

    results: Mapping[str, Any]
    patients: tuple[PatientEntry, ...] = ()
    cohorts: pd.DataFrame | None = None
    baseline: pd.DataFrame | None = None
    figures: Mapping[str, Drawing] = field(default_factory=dict)
    differences: pd.DataFrame | None = None
    class_summary: pd.DataFrame | None = None
    rules: Mapping[str, Any] | None = None
    criteria: tuple[Criterion, ...] = PAPER_CRITERIA
    n_indeterminate: int | None = None
    model: Mapping[str, Any] | None = None
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    is_synthetic: bool = False
    warnings: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    n_side_untold: int = 0
    unused: Mapping[str, int] = field(default_factory=dict)
    n_drawn: int = 0
    title: str = "Radiomic groups of axillary lymph nodes on chest CT"

    def __post_init__(self) -> None:
        unknown = sorted(set(self.figures) - set(FIGURES))
        if unknown:
            raise InvalidValueError(f"A study's figures are {', '.join(FIGURES)}, not {', '.join(unknown)}.")
        if self.differences is not None:
            _need(self.differences, DIFFERENCE_NEEDS, "differences")
        if self.class_summary is not None:
            _need(self.class_summary, CLASS_NEEDS, "summary of feature classes")
        for name in ("results", "figures", "settings", "versions", "unused"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))


FIGURES = ("flow", "clusters", "characterization", "characterization_texture", "node_level", "patient_level", "overview")
"""The figures of a study's report, in the paper's order."""


def _need(frame: pd.DataFrame, columns: tuple[str, ...], name: str) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise InvalidValueError(f"The report's {name} lack the columns {', '.join(missing)}.")
