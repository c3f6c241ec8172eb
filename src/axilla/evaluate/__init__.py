"""How well nodes are located, and how well predictions match pathology: per node, per patient, against the clinical call."""

from axilla.evaluate._detection import (
    PAIR_COLUMNS,
    DetectionCase,
    DetectionSettings,
    at_most,
    compare,
    detection_summary,
    froc,
    is_hit,
    match,
    mean_surface_distance_mm,
)
from axilla.evaluate._evaluate import COHORT_LABELS, EvaluateSettings, evaluate
from axilla.evaluate._join import node_status_of, patient_status_of, split_status
from axilla.evaluate._results import (
    RATES,
    Comparison,
    Counts,
    Evaluation,
    NodeLevel,
    PatientLevel,
    Quantity,
    node_table,
    patient_table,
)

__all__ = [
    "COHORT_LABELS",
    "PAIR_COLUMNS",
    "RATES",
    "Comparison",
    "Counts",
    "DetectionCase",
    "DetectionSettings",
    "EvaluateSettings",
    "Evaluation",
    "NodeLevel",
    "PatientLevel",
    "Quantity",
    "at_most",
    "compare",
    "detection_summary",
    "evaluate",
    "froc",
    "is_hit",
    "match",
    "mean_surface_distance_mm",
    "node_status_of",
    "node_table",
    "patient_status_of",
    "patient_table",
    "split_status",
]
