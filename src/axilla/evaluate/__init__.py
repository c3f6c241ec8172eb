"""How well predictions match pathology: node level, patient level, against the clinical assessment, with intervals."""

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
    "RATES",
    "Comparison",
    "Counts",
    "EvaluateSettings",
    "Evaluation",
    "NodeLevel",
    "PatientLevel",
    "Quantity",
    "evaluate",
    "node_status_of",
    "node_table",
    "patient_status_of",
    "patient_table",
    "split_status",
]
