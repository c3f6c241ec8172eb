"""The patient rule chosen on training patients: strict within a family, simple between families, fooled by nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from axilla.cohort import Patient
from axilla.errors import InvalidValueError, UsageError
from axilla.evaluate import (
    Axilla,
    EvaluateSettings,
    RuleChoiceSettings,
    axillae_of,
    choose_rule,
    compare_rules,
    rule_grid,
    rule_table,
    rules_document,
)
from axilla.evaluate._rule_choice import BURDEN, YOUDEN, cross_validated, strictest
from axilla.model import CHOSEN, RULES, PatientRule, apply_patient_rule

DISTANCE = 4.0
QUICK = EvaluateSettings(n_resamples=300)


def draw_axilla(name: str, share: float, rng: np.random.Generator, n_nodes: int = 8) -> Axilla:
    """Nodes of which a share is metastatic and scores 1.5 instead of -1.5, with noise."""
    is_metastatic = np.arange(n_nodes) < round(share * n_nodes)
    score = rng.normal(np.where(is_metastatic, 1.5, -1.5), 0.8)
    return Axilla(name, np.where(score > 0, 2.0, 1.0), score, 1 / (1 + np.exp(-2 * score)))


def draw_study(shares: list[float], seed: int) -> tuple[dict[str, Axilla], list[Patient]]:
    """A patient per share; of 20 examined nodes, that share is positive."""
    rng = np.random.default_rng(seed)
    names = [f"P{number:04d}" for number in range(len(shares))]
    axillae = {name: draw_axilla(name, share, rng) for name, share in zip(names, shares, strict=True)}
    patients = [Patient(name, "cN+", "L", 20, round(20 * share)) for name, share in zip(names, shares, strict=True)]
    return axillae, patients


METASTATIC_ONLY = [0.05 + 0.9 * step / 59 for step in range(60)]
WITH_BENIGN = [*[0.0] * 30, *METASTATIC_ONLY[5::2]]


def test_grids_go_from_lenient_to_strict() -> None:
    """Who is called metastatic by a rule is so by every rule before it in the family."""
    axillae, _ = draw_study(METASTATIC_ONLY, 1)
    for family, rules in rule_grid(DISTANCE).items():
        calls = np.array([[axilla.call(rule)[0] for axilla in axillae.values()] for rule in rules])
        assert (calls[1:] <= calls[:-1]).all(), family
    assert tuple(rule_grid(DISTANCE)) == RULES


def test_the_strictest_that_keeps_the_target_is_taken() -> None:
    called = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 0, 0, 0]], dtype=bool)
    is_metastatic = np.array([True, True, True, False])
    assert strictest(called, is_metastatic, 1.0) == 1
    assert strictest(called, is_metastatic, 0.3) == 2
    assert strictest(called[2:], is_metastatic, 0.9) == 0
    assert strictest(called, ~np.ones(4, dtype=bool), 0.9) == 0


@pytest.mark.parametrize("target", [0.8, 0.95, 1.0])
def test_every_candidate_keeps_the_target_and_the_next_does_not(target: float) -> None:
    choice = choose_rule(*draw_study(METASTATIC_ONLY, 2), DISTANCE, RuleChoiceSettings(target), QUICK)
    grid = choice.grid
    for candidate in choice.candidates:
        family = grid[grid["family"] == candidate.rule.name].reset_index(drop=True)
        place = family.index[family["is_taken"]].item()
        assert family.loc[place, "rule"] == candidate.rule.text
        assert candidate.keeps_target == (candidate.called >= target * candidate.n_metastatic)
        assert not family.loc[place + 1 :, "keeps_target"].any()


def test_without_benign_patients_the_score_has_to_follow_the_burden() -> None:
    axillae, patients = draw_study(METASTATIC_ONLY, 3)
    choice = choose_rule(axillae, patients, DISTANCE, evaluation=QUICK)
    assert (choice.criterion, choice.n_metastatic, choice.n_benign) == (BURDEN, 60, 0)
    for candidate in choice.candidates:
        score = [axillae[patient.patient_id].call(candidate.rule)[1] for patient in patients]
        expected = spearmanr(score, [patient.nodes_positive for patient in patients]).statistic
        found = candidate.criterion.interval
        assert found.estimate == pytest.approx(expected)
        assert found.low < expected < found.high
    assert choice.chosen.name in ("at_least_k", "share")  # the highest score alone knows no burden
    assert choice.candidates[0].behind.interval.low > 0


def test_with_benign_patients_specificity_counts() -> None:
    """One false node in most benign patients: the rule `any` calls them metastatic, and is not chosen."""
    axillae, patients = draw_study(WITH_BENIGN, 4)
    for patient in patients[:24]:
        score = np.array([*axillae[patient.patient_id].score[:-1], 0.7])
        axillae[patient.patient_id] = Axilla(
            patient.patient_id, np.where(score > 0, 2.0, 1.0), score, 1 / (1 + np.exp(-2 * score))
        )
    choice = choose_rule(axillae, patients, DISTANCE, evaluation=QUICK)
    assert (choice.criterion, choice.n_benign) == (YOUDEN, 30)
    assert choice.chosen.name != "any"
    by_family = {candidate.rule.name: candidate.criterion.interval.estimate for candidate in choice.candidates}
    assert by_family["any"] < 0.4 < by_family[choice.chosen.name]


def test_cross_validation_judges_a_patient_by_the_others_parameter() -> None:
    """Ten patients whom only the lenient rule calls, each: within the data it keeps all, but each is judged by nine."""
    called = np.vstack([np.ones(20, dtype=bool), np.arange(20) != 7])
    is_metastatic = np.arange(20) < 10
    settings = RuleChoiceSettings(target_sensitivity=1.0, n_folds=10)
    assert strictest(called, is_metastatic, 1.0) == 0
    found = cross_validated(called, is_metastatic, settings, 1)
    assert not found[7]  # its fold is judged by the strict rule, which keeps all nine others
    assert found[is_metastatic].sum() == 9


def test_a_tie_goes_to_the_simplest_rule() -> None:
    """Patients of one node: every rule sees the same, but at_least_k, which no one meets."""
    rng = np.random.default_rng(5)
    axillae, patients = draw_study(METASTATIC_ONLY, 5)
    for patient in patients:
        score = rng.normal(3 * patient.nodes_positive / 20, 0.2, 1)
        axillae[patient.patient_id] = Axilla(patient.patient_id, np.where(score > 0, 2.0, 1.0), score, 1 / (1 + np.exp(-score)))
    choice = choose_rule(axillae, patients, DISTANCE, RuleChoiceSettings(0.8), QUICK)
    assert choice.chosen == PatientRule("any")
    assert "the best rule" in choice.reason or "not shown to be worse" in choice.reason
    assert not choice.candidates[1].keeps_target
    assert "the same in all" in choice.candidates[1].criterion.reason


def test_few_patients_choose_the_simplest_rule_and_say_why() -> None:
    axillae, patients = draw_study([0.3, 0.6, 0.9], 6)
    choice = choose_rule(axillae, patients, DISTANCE, evaluation=QUICK)
    assert choice.chosen == PatientRule("any")
    assert "do not allow a comparison" in choice.reason
    assert "only 3 training patients" in choice.candidates[0].criterion.reason
    nobody = choose_rule({}, [], DISTANCE, evaluation=QUICK)
    assert nobody.chosen == PatientRule("any")
    assert "no metastatic" in nobody.candidates[0].sensitivity.reason


def test_patients_without_nodes_are_counted() -> None:
    axillae, patients = draw_study(METASTATIC_ONLY, 7)
    del axillae["P0003"]
    assert choose_rule(axillae, patients, DISTANCE, evaluation=QUICK).n_not_evaluable == 1


@pytest.mark.parametrize(("shares", "criterion"), [(METASTATIC_ONLY, BURDEN), (WITH_BENIGN, YOUDEN)])
def test_pathology_dealt_anew_leaves_no_criterion(shares: list[float], criterion: str) -> None:
    """Null test: over permutations, the interval of each family holds zero about as often as it should, and not before."""
    axillae, patients = draw_study(shares, 8)
    true = choose_rule(axillae, patients, DISTANCE, evaluation=QUICK)
    assert true.criterion == criterion
    assert max(candidate.criterion.interval.low for candidate in true.candidates) > 0.3
    rng, held, number = np.random.default_rng(9), 0, 0
    for _ in range(20):
        dealt = rng.permutation(len(patients))
        permuted = [
            Patient(a.patient_id, "cN+", "L", 20, patients[b].nodes_positive) for a, b in zip(patients, dealt, strict=True)
        ]
        for candidate in choose_rule(axillae, permuted, DISTANCE, evaluation=QUICK).candidates:
            interval = candidate.criterion.interval
            number += interval is not None
            held += interval is not None and interval.low <= 0 <= interval.high
    assert held >= 0.85 * number


def test_the_order_of_patients_does_not_matter() -> None:
    axillae, patients = draw_study(WITH_BENIGN, 10)
    turned = dict(reversed(axillae.items()))
    assert choose_rule(turned, patients[::-1], DISTANCE, evaluation=QUICK) == choose_rule(
        axillae, patients, DISTANCE, evaluation=QUICK
    )


def predictions_of(axillae: dict[str, Axilla]) -> pd.DataFrame:
    rows = [
        {"patient_id": name, "node_id": f"L{i:02d}", "label": i + 1, "group": g, "score": s, "probability": p, "warnings": ""}
        for name, axilla in axillae.items()
        for i, (g, s, p) in enumerate(zip(axilla.group, axilla.score, axilla.probability, strict=True))
    ]
    return pd.DataFrame(rows).astype({"group": "Int64"}).assign(distance_1=0.0, distance_2=0.0)


def judged(in_force: PatientRule):
    """Training patients and as many of validation and cN0, with a comparison of the rules on all of them."""
    axillae, patients = draw_study([*METASTATIC_ONLY, *[0.0] * 20, *[1.0] * 20, *[0.0] * 9, 0.5], 11)
    roles = [*["training"] * 60, *["validation"] * 40, *["cN0"] * 10]
    frame = pd.DataFrame(
        {
            "patient_id": [patient.patient_id for patient in patients],
            "status": [patient.status for patient in patients],
            "clinical": ["cN0" if role == "cN0" else "cN+" for role in roles],
            "role": roles,
        }
    )
    choice = choose_rule(axillae, patients[:60], DISTANCE, evaluation=QUICK)
    return axillae, compare_rules(choice, in_force, axillae, frame, 0.95)


def test_every_rule_is_judged_in_every_cohort_apart_from_the_choice() -> None:
    axillae, comparison = judged(PatientRule("share", min_share=0.33))
    table = rule_table(comparison)
    assert table["rule"].nunique() == 6  # five families and the user's
    used = table[table["used_for_choice"]]
    assert set(used["cohort"]) == {"training"}
    assert used["family"].nunique() == 5
    held_out = table[~table["used_for_choice"] & (table["measure"] == "n")]
    assert held_out.groupby("cohort")["estimate"].unique().map(list).to_dict() == {
        "cN+": [100],
        "cN+ without training patients": [40],
        "cN0": [10],
    }
    assert table.groupby("rule")[["is_chosen", "is_in_force"]].first().sum().tolist() == [1, 1]
    assert "not calibrated" in table.loc[table["family"] == "noisy_or", "remark"].iloc[0]
    calls = apply_patient_rule(predictions_of(axillae), PatientRule("share", min_share=0.33))["call"]
    found = table[(table["rule"] == "share>=0.33") & (table["cohort"] == "cN+ without training patients")].set_index("measure")
    assert found.loc["tp", "estimate"] == (calls.iloc[80:100] == "metastatic").sum()
    assert found.loc["tn", "estimate"] == (calls.iloc[60:80] == "benign").sum()


def test_the_comparison_as_plain_values() -> None:
    document = rules_document(judged(PatientRule())[1])
    assert document["in_force"] == "any"
    assert [row["rule"] for row in document["rules"] if row["is_chosen"]] == [document["chosen"]]
    assert "training patients" in document["cohorts"]["cN+"] or "trained on" in document["cohorts"]["cN+"]


def test_axillae_hold_evaluable_nodes_only() -> None:
    axillae, _ = draw_study([0.3, 0.6], 12)
    frame = predictions_of(axillae)
    frame.loc[0, ["group", "score", "probability"]] = pd.NA
    found = axillae_of(frame)
    assert {name: axilla.group.size for name, axilla in found.items()} == {"P0000": 7, "P0001": 8}


def test_a_rule_yet_to_be_chosen_calls_nobody() -> None:
    axillae, _ = draw_study([0.3], 13)
    with pytest.raises(UsageError, match="chosen on training patients first"):
        apply_patient_rule(predictions_of(axillae), PatientRule(CHOSEN))


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="target sensitivity"):
        RuleChoiceSettings(target_sensitivity=1.2)
    with pytest.raises(InvalidValueError, match="at least 2 folds"):
        RuleChoiceSettings(n_folds=1)
