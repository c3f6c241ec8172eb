"""What an evaluation says, as values that know how to write themselves as ``results.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from axilla.errors import InvalidValueError
from axilla.stats import LEVEL, Interval, wilson

SCHEMA = 1

RATES = ("ccr", "sensitivity", "specificity", "ppv", "npv", "fpr", "fnr")
"""Correct classification rate, sensitivity, ... as named by Qu et al. 2024; metastatic is positive."""


@dataclass(frozen=True)
class Quantity:
    """An estimate with its interval, or the reason why there is none.

    Parameters
    ----------
    interval : Interval or None
    reason : str
        Why `interval` is None; empty otherwise.
    others : mapping of str to Interval
        The same estimate with intervals by other methods, by a short name.
    without : mapping of str to str
        Methods, by the same short names, that give no interval, and why.
    """

    interval: Interval | None
    reason: str = ""
    others: Mapping[str, Interval] = field(default_factory=dict)
    without: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.interval is None) == (self.reason == ""):
            raise InvalidValueError("A quantity has either an interval or a reason why there is none.")

    def to_dict(self) -> dict[str, Any]:
        """``estimate, low, high, method``, all null with a ``reason`` where it could not be computed."""
        if self.interval is None:
            return {"estimate": None, "low": None, "high": None, "method": None, "reason": self.reason}
        document = _interval(self.interval)
        if self.others:
            document["intervals"] = {name: _interval(other) for name, other in self.others.items()}
        if self.without:
            document["no_interval"] = dict(self.without)
        return document


@dataclass(frozen=True)
class Counts:
    """Fourfold table of call against status; metastatic is positive."""

    tp: int = 0
    fn: int = 0
    tn: int = 0
    fp: int = 0

    def __post_init__(self) -> None:
        if min(self.tp, self.fn, self.tn, self.fp) < 0:
            raise InvalidValueError(f"Counts must be >= 0, got {self}.")

    @property
    def n(self) -> int:
        """All cases."""
        return self.tp + self.fn + self.tn + self.fp

    def fraction(self, rate: str) -> tuple[int, int, str]:
        """Numerator, denominator and the name of the cases in the denominator, of one of :data:`RATES`."""
        positive, negative = self.tp + self.fn, self.tn + self.fp
        return {
            "ccr": (self.tp + self.tn, self.n, "evaluable case with known status"),
            "sensitivity": (self.tp, positive, "metastatic case"),
            "specificity": (self.tn, negative, "benign case"),
            "ppv": (self.tp, self.tp + self.fp, "case called metastatic"),
            "npv": (self.tn, self.tn + self.fn, "case called benign"),
            "fpr": (self.fp, negative, "benign case"),
            "fnr": (self.fn, positive, "metastatic case"),
        }[rate]

    def rate(self, rate: str, level: float = LEVEL) -> Quantity:
        """One of :data:`RATES` with Wilson's interval."""
        numerator, denominator, cases = self.fraction(rate)
        if denominator == 0:
            return Quantity(None, f"no {cases}")
        return Quantity(wilson(numerator, denominator, level))

    def rates(self, level: float = LEVEL) -> dict[str, Quantity]:
        """All of :data:`RATES`."""
        return {rate: self.rate(rate, level) for rate in RATES}

    def to_dict(self) -> dict[str, int]:
        """The four counts."""
        return {"tp": self.tp, "fn": self.fn, "tn": self.tn, "fp": self.fp}


@dataclass(frozen=True)
class NodeLevel:
    """Results over nodes.

    Parameters
    ----------
    counts : Counts
        Over evaluable nodes with status metastatic or benign.
    rates : mapping of str to Quantity
        Wilson's intervals; ``others`` hold the bootstrap by patient.
    auc_hard_label, auc_score : Quantity
        AUC of the two-group label (the paper's) and of the continuous score.
    n_patients : int
        Patients these nodes come from.
    not_evaluable : int
        Nodes with a status but without a group.
    left_out : mapping of str to int
        Nodes not counted, by reason.
    """

    counts: Counts
    rates: Mapping[str, Quantity]
    auc_hard_label: Quantity
    auc_score: Quantity
    n_patients: int
    not_evaluable: int
    left_out: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """``node_level`` of ``results.json``."""
        return {
            "n": self.counts.n,
            "n_patients": self.n_patients,
            "counts": self.counts.to_dict(),
            "rates": {name: rate.to_dict() for name, rate in self.rates.items()},
            "auc_hard_label": self.auc_hard_label.to_dict(),
            "auc_score": self.auc_score.to_dict(),
            "not_evaluable": self.not_evaluable,
            "left_out": dict(self.left_out),
        }


@dataclass(frozen=True)
class Comparison:
    """Model against clinical assessment on the same patients.

    Parameters
    ----------
    clinical_call : str
        What the clinic calls every patient of the cohort: ``"benign"`` for cN0, ``"metastatic"`` for cN+.
    clinical_ccr : Quantity
    both_correct, model_only_correct, clinical_only_correct, neither_correct : int
    p_value : float or None
        Exact McNemar, two-sided; None without patients.
    difference : Quantity
        Model's CCR minus clinical CCR, paired.
    """

    clinical_call: str
    clinical_ccr: Quantity
    both_correct: int
    model_only_correct: int
    clinical_only_correct: int
    neither_correct: int
    p_value: float | None
    difference: Quantity

    def to_dict(self) -> dict[str, Any]:
        """``clinical``, ``mcnemar`` and ``ccr_difference`` of a cohort in ``results.json``."""
        mcnemar: dict[str, Any] = {
            "model_only_correct": self.model_only_correct,
            "clinical_only_correct": self.clinical_only_correct,
            "both_correct": self.both_correct,
            "neither_correct": self.neither_correct,
            "p_value": self.p_value,
        }
        if self.p_value is None:
            mcnemar["reason"] = self.difference.reason
        return {
            "clinical": {"call": self.clinical_call, "ccr": self.clinical_ccr.to_dict()},
            "mcnemar": mcnemar,
            "ccr_difference": self.difference.to_dict(),
        }


@dataclass(frozen=True)
class PatientLevel:
    """Results over the patients of one cohort.

    Parameters
    ----------
    label : str
        What the cohort is, in words.
    counts, rates
        As in :class:`NodeLevel`, over evaluable patients with a status.
    auc_score : Quantity
        AUC of the patient rule's score.
    comparison : Comparison or None
        None where the cohort has no common clinical call.
    not_evaluable : int
        Patients with a status but without a call.
    without_status : int
        Patients whose axillary status is not known.
    reason : str
        Why the cohort is empty; empty when it is not.
    """

    label: str
    counts: Counts
    rates: Mapping[str, Quantity]
    auc_score: Quantity
    comparison: Comparison | None
    not_evaluable: int
    without_status: int
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """One cohort of ``patient_level`` in ``results.json``."""
        document: dict[str, Any] = {
            "label": self.label,
            "n": self.counts.n,
            "counts": self.counts.to_dict(),
            "rates": {name: rate.to_dict() for name, rate in self.rates.items()},
            "auc_score": self.auc_score.to_dict(),
            **(self.comparison.to_dict() if self.comparison else {}),
            "not_evaluable": self.not_evaluable,
            "without_status": self.without_status,
        }
        if self.reason:
            document["reason"] = self.reason
        return document


@dataclass(frozen=True)
class Evaluation:
    """All results, and the joined rows they were counted from.

    Parameters
    ----------
    node_level : NodeLevel
    patient_level : mapping of str to PatientLevel
        By cohort: ``cN0``, ``cN+``, ``cN+ without training patients``, ``all``.
    rules : tuple of str
        Patient rules found in the calls.
    is_synthetic : bool
    warnings : tuple of str
    level : float
        Confidence level of the intervals.
    nodes : DataFrame
        One row per counted node: ``patient_id, node_id, status, group, score, outcome`` (tp, fn, tn, fp, not evaluable).
    patients : DataFrame
        One row per patient: ``patient_id, side, status, clinical, role, call, score, outcome``.
    """

    node_level: NodeLevel
    patient_level: Mapping[str, PatientLevel]
    rules: tuple[str, ...]
    is_synthetic: bool
    warnings: tuple[str, ...]
    level: float
    nodes: pd.DataFrame = field(repr=False, compare=False)
    patients: pd.DataFrame = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """``results.json``."""
        return {
            "schema": SCHEMA,
            "level": self.level,
            "node_level": self.node_level.to_dict(),
            "patient_level": {name: level.to_dict() for name, level in self.patient_level.items()},
            "patient_rules": list(self.rules),
            "is_synthetic": self.is_synthetic,
            "warnings": list(self.warnings),
        }


def node_table(evaluation: Evaluation) -> pd.DataFrame:
    """Node-level results, one measure per row: ``measure, estimate, low, high, method, reason``."""
    level = evaluation.node_level
    rows = _count_rows(level.counts, {"not_evaluable": level.not_evaluable, "patients": level.n_patients})
    for name, quantity in (*level.rates.items(), ("auc_hard_label", level.auc_hard_label), ("auc_score", level.auc_score)):
        rows += quantity_rows(name, quantity)
    return pd.DataFrame(rows, columns=_COLUMNS)


def patient_table(evaluation: Evaluation) -> pd.DataFrame:
    """Patient-level results, one cohort and measure per row: ``cohort, measure, estimate, low, high, method, reason``."""
    rows = [{"cohort": cohort, **row} for cohort, level in evaluation.patient_level.items() for row in patient_rows(level)]
    return pd.DataFrame(rows, columns=["cohort", *_COLUMNS])


def patient_rows(level: PatientLevel) -> list[dict[str, Any]]:
    """One cohort's results, one measure per row: ``measure, estimate, low, high, method, reason``."""
    found = _count_rows(level.counts, {"not_evaluable": level.not_evaluable, "without_status": level.without_status})
    for name, quantity in (*level.rates.items(), ("auc_score", level.auc_score)):
        found += quantity_rows(name, quantity)
    return found + (_comparison_rows(level.comparison) if level.comparison else [])


_COLUMNS = ["measure", "estimate", "low", "high", "method", "reason"]


def _comparison_rows(comparison: Comparison) -> list[dict[str, Any]]:
    p_value = {"measure": "mcnemar_p", "estimate": comparison.p_value, "method": "exact McNemar", "reason": ""}
    return [
        *quantity_rows("clinical_ccr", comparison.clinical_ccr),
        *quantity_rows("ccr_difference", comparison.difference),
        {"measure": "model_only_correct", "estimate": comparison.model_only_correct, "method": "count", "reason": ""},
        {"measure": "clinical_only_correct", "estimate": comparison.clinical_only_correct, "method": "count", "reason": ""},
        p_value if comparison.p_value is not None else {**p_value, "method": "", "reason": comparison.difference.reason},
    ]


def _count_rows(counts: Counts, more: Mapping[str, int]) -> list[dict[str, Any]]:
    values = {"n": counts.n, **counts.to_dict(), **more}
    return [{"measure": name, "estimate": value, "method": "count", "reason": ""} for name, value in values.items()]


def quantity_rows(measure: str, quantity: Quantity) -> list[dict[str, Any]]:
    """An estimate by each of its intervals, or its reason."""
    if quantity.interval is None:
        return [{"measure": measure, "method": "", "reason": quantity.reason}]
    intervals = dict.fromkeys((quantity.interval, *quantity.others.values()))
    rows = [{"measure": measure, **_interval(interval), "reason": ""} for interval in intervals]
    absent = [{"method": name, "reason": reason} for name, reason in quantity.without.items()]
    return rows + [{"measure": measure, "estimate": quantity.interval.estimate, **row} for row in absent]


def _interval(interval: Interval) -> dict[str, Any]:
    return {"estimate": interval.estimate, "low": interval.low, "high": interval.high, "method": interval.method}
