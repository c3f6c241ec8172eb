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
from axilla.evaluate._rule_choice import (
    Axilla,
    RuleChoice,
    RuleChoiceSettings,
    axillae_of,
    choose_rule,
    rule_grid,
)
from axilla.evaluate._rule_comparison import RuleComparison, compare_rules, rule_table, rules_document

__all__ = [
    "COHORT_LABELS",
    "PAIR_COLUMNS",
    "RATES",
    "Axilla",
    "Comparison",
    "Counts",
    "DetectionCase",
    "DetectionSettings",
    "EvaluateSettings",
    "Evaluation",
    "NodeLevel",
    "PatientLevel",
    "Quantity",
    "RuleChoice",
    "RuleChoiceSettings",
    "RuleComparison",
    "at_most",
    "axillae_of",
    "choose_rule",
    "compare",
    "compare_rules",
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
    "rule_grid",
    "rule_table",
    "rules_document",
    "split_status",
]
