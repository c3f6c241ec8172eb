"""All rules beside one another: what the choice was made from, and, apart from it, how each does on those it never saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from axilla.evaluate._evaluate import COHORT_LABELS, patient_level, with_outcomes
from axilla.evaluate._results import PatientLevel, patient_rows, quantity_rows
from axilla.evaluate._rule_choice import CRITERIA, Axilla, Candidate, RuleChoice
from axilla.model import BENIGN, METASTATIC, NOT_EVALUABLE, PatientRule

HELD_OUT = ("cN+ without training patients", "cN0")
"""Cohorts that hold no training patient."""

COHORTS = (*HELD_OUT, "cN+")
"""Cohorts told beside the choice; cN+ as in the paper, training patients included."""

UNCALIBRATED = "its probabilities are those of a mixture, not calibrated: the threshold is no probability of metastasis"
"""What has to be said of ``noisy_or``."""


@dataclass(frozen=True)
class JudgedRule:
    """One rule: what the training patients say of it, where it is a candidate, and how it does in each cohort.

    Parameters
    ----------
    rule : PatientRule
    candidate : Candidate or None
        None for a rule that the user set and the choice did not offer.
    levels : mapping of str to PatientLevel
        By :data:`COHORTS`; not used for the choice.
    """

    rule: PatientRule
    candidate: Candidate | None
    levels: Mapping[str, PatientLevel]

    @property
    def remark(self) -> str:
        """What a reader of the row has to know."""
        return UNCALIBRATED if self.rule.name == "noisy_or" else ""


@dataclass(frozen=True)
class RuleComparison:
    """The choice, the rule in force, and every rule judged."""

    choice: RuleChoice
    in_force: PatientRule
    rules: tuple[JudgedRule, ...]

    def is_chosen(self, judged: JudgedRule) -> bool:
        """Whether it is the one that the training patients choose."""
        return judged.rule.text == self.choice.chosen.text

    def is_in_force(self, judged: JudgedRule) -> bool:
        """Whether it made the study's calls."""
        return judged.rule.text == self.in_force.text


def compare_rules(
    choice: RuleChoice, in_force: PatientRule, axillae: Mapping[str, Axilla], patients: pd.DataFrame, level: float
) -> RuleComparison:
    """Judge the candidates and the rule in force in every cohort.

    Parameters
    ----------
    choice : RuleChoice
    in_force : PatientRule
    axillae : mapping of str to Axilla
        Of all evaluable patients.
    patients : DataFrame
        :attr:`Evaluation.patients`: every patient with status and role.
    level : float
        Confidence level of the intervals.
    """
    candidates = {candidate.rule.text: candidate for candidate in choice.candidates}
    rules = {candidate.rule.text: candidate.rule for candidate in choice.candidates} | {in_force.text: in_force}
    judged = []
    for text, rule in rules.items():
        joined = _called(rule, axillae, patients)
        levels = {name: patient_level(name, joined, level) for name in COHORTS}
        judged.append(JudgedRule(rule, candidates.get(text), levels))
    return RuleComparison(choice, in_force, tuple(judged))


def _called(rule: PatientRule, axillae: Mapping[str, Axilla], patients: pd.DataFrame) -> pd.DataFrame:
    found = {name: axilla.call(rule) for name, axilla in axillae.items()}
    calls, scores = [], []
    for name in patients["patient_id"]:
        is_metastatic, score = found.get(name, (None, np.nan))
        calls.append(NOT_EVALUABLE if is_metastatic is None else METASTATIC if is_metastatic else BENIGN)
        scores.append(score)
    return with_outcomes(patients.assign(call=calls, score=scores))


def rule_table(comparison: RuleComparison) -> pd.DataFrame:
    """One rule, cohort and measure per row.

    Returns
    -------
    DataFrame
        ``rule, family, is_chosen, is_in_force, cohort, used_for_choice, measure, estimate, low, high, method, reason, remark``.
    """
    rows = []
    for judged in comparison.rules:
        found = [("training", True, row) for row in _training_rows(judged.candidate, comparison.choice.criterion)]
        found += [(cohort, False, row) for cohort, level in judged.levels.items() for row in patient_rows(level)]
        named = {
            "rule": judged.rule.text,
            "family": judged.rule.name,
            "is_chosen": comparison.is_chosen(judged),
            "is_in_force": comparison.is_in_force(judged),
        }
        rows += [
            {**named, "cohort": cohort, "used_for_choice": used, **row, "remark": judged.remark} for cohort, used, row in found
        ]
    return pd.DataFrame(rows, columns=_COLUMNS)


_COLUMNS = [
    *("rule", "family", "is_chosen", "is_in_force", "cohort", "used_for_choice"),
    *("measure", "estimate", "low", "high", "method", "reason", "remark"),
]


def _training_rows(candidate: Candidate | None, criterion: str) -> list[dict[str, Any]]:
    if candidate is None:
        return []
    counts = {
        "n_metastatic": candidate.n_metastatic,
        "called_metastatic": candidate.called,
        "keeps_target": int(candidate.keeps_target),
    }
    rows: list[dict[str, Any]] = [
        {"measure": name, "estimate": value, "method": "count", "reason": ""} for name, value in counts.items()
    ]
    quantities = {"sensitivity": candidate.sensitivity, criterion: candidate.criterion, "behind_best": candidate.behind}
    return rows + [row for name, quantity in quantities.items() for row in quantity_rows(name, quantity)]


def rules_document(comparison: RuleComparison) -> dict[str, Any]:
    """The comparison as plain values, for a page."""
    choice = comparison.choice
    return {
        "in_force": comparison.in_force.text,
        "chosen": choice.chosen.text,
        "reason": choice.reason,
        "is_compared": choice.is_compared,
        "criterion": CRITERIA[choice.criterion],
        "target_sensitivity": choice.settings.target_sensitivity,
        "n_metastatic": choice.n_metastatic,
        "n_benign": choice.n_benign,
        "n_not_evaluable": choice.n_not_evaluable,
        "cohorts": {name: COHORT_LABELS[name] for name in COHORTS},
        "rules": [_rule_document(comparison, judged) for judged in comparison.rules],
    }


def _rule_document(comparison: RuleComparison, judged: JudgedRule) -> dict[str, Any]:
    candidate = judged.candidate
    training = None
    if candidate is not None:
        training = {
            "called": candidate.called,
            "n": candidate.n_metastatic,
            "keeps_target": candidate.keeps_target,
            "sensitivity": candidate.sensitivity.to_dict(),
            "criterion": candidate.criterion.to_dict(),
            "behind": candidate.behind.to_dict(),
        }
    return {
        "rule": judged.rule.text,
        "is_chosen": comparison.is_chosen(judged),
        "is_in_force": comparison.is_in_force(judged),
        "training": training,
        "levels": {name: level.to_dict() for name, level in judged.levels.items()},
        "remark": judged.remark,
    }
