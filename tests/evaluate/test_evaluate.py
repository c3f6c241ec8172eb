"""Evaluation: the paper's results from its counts, strict joins, honest empties, no leaks."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from axilla import stats
from axilla.cohort import Patient
from axilla.errors import InputRefusedError, InvalidValueError
from axilla.evaluate import (
    RATES,
    Counts,
    EvaluateSettings,
    Quantity,
    evaluate,
    node_status_of,
    node_table,
    patient_status_of,
    patient_table,
    split_status,
)
from axilla.pipeline.learn import summary_lines

FAST = EvaluateSettings(n_resamples=200)


def node_frames(counts, per_patient=8):
    """Predictions and statuses with given tp, fn, tn, fp; every patient holds nodes of one status."""
    tp, fn, tn, fp = counts
    rng = np.random.default_rng(2)
    status = np.repeat(["metastatic", "benign"], [tp + fn, tn + fp])
    group = np.concatenate([rng.permutation(np.repeat([2, 1], [tp, fn])), rng.permutation(np.repeat([2, 1], [fp, tn]))])
    place = np.concatenate([np.arange(tp + fn), np.arange(tn + fp)])
    patient = [f"{'M' if s == 'metastatic' else 'B'}{i // per_patient:03d}" for s, i in zip(status, place, strict=True)]
    node = [f"R{i % per_patient + 1:02d}" for i in place]
    predictions = pd.DataFrame(
        {
            "patient_id": patient,
            "node_id": node,
            "label": 1,
            "group": pd.array(group, dtype="Int64"),
            "score": np.where(group == 2, 1.0, -1.0) * rng.uniform(0.1, 3, len(group)),
            "probability": 0.5,
            "distance_1": 1.0,
            "distance_2": 1.0,
            "warnings": "",
        }
    )
    return predictions, pd.DataFrame({"patient_id": patient, "node_id": node, "status": status})


def patient_frames(clinical, counts, prefix, role=""):
    """Calls and statuses of patients with given tp, fn, tn, fp."""
    tp, fn, tn, fp = counts
    status = np.repeat(["metastatic", "metastatic", "benign", "benign"], counts)
    call = np.repeat(["metastatic", "benign", "benign", "metastatic"], counts)
    ids = [f"{prefix}{i:03d}" for i in range(tp + fn + tn + fp)]
    score = np.where(call == "metastatic", 1.0, -1.0)
    calls = pd.DataFrame({"patient_id": ids, "side": "R", "rule": "any", "call": call, "score": score})
    calls = calls.assign(n_nodes=5, n_not_evaluable=0, warnings="")
    return calls, pd.DataFrame({"patient_id": ids, "side": "R", "status": status, "clinical": clinical, "role": role})


@pytest.fixture(scope="module")
def paper():
    """Qu et al. 2024 rebuilt from its counts; of cN+, 190 metastatic patients are training, of whom 183 called right.

    The split of the 216 true positives into training and validation is not printed; the sums are.
    """
    predictions, status = node_frames((368, 88, 836, 105))
    groups = [
        patient_frames("cN0", (28, 10, 83, 7), "N", "cN0"),
        patient_frames("cN+", (183, 7, 0, 0), "T", "training"),
        patient_frames("cN+", (33, 4, 90, 33), "V", "validation"),
    ]
    calls, patients = (pd.concat(frames, ignore_index=True) for frames in zip(*groups, strict=True))
    return evaluate(predictions, status, calls, patients).to_dict()


def percent(quantity):
    return round(100 * quantity["estimate"], 2)


class TestPaper:
    def test_node_level(self, paper):
        level = paper["node_level"]
        assert level["n"] == 1397
        assert level["counts"] == {"tp": 368, "fn": 88, "tn": 836, "fp": 105}
        printed = {"ccr": 86.18, "sensitivity": 80.70, "specificity": 88.84, "ppv": 77.80, "npv": 90.48}
        assert {name: percent(level["rates"][name]) for name in printed} == printed
        assert round(level["auc_hard_label"]["estimate"], 5) == 0.84772
        intervals = level["auc_hard_label"]["intervals"]
        assert (round(intervals["newcombe"]["low"], 4), round(intervals["newcombe"]["high"], 4)) == (0.8259, 0.8696)
        assert (round(intervals["delong"]["low"], 4), round(intervals["delong"]["high"], 4)) == (0.8270, 0.8685)
        assert set(intervals) == {"delong", "hanley_mcneil", "newcombe", "newcombe_score", "bootstrap"}
        assert level["auc_score"]["estimate"] != level["auc_hard_label"]["estimate"]

    def test_cn0(self, paper):
        level = paper["patient_level"]["cN0"]
        printed = {"ccr": 86.72, "sensitivity": 73.68, "specificity": 92.22, "fpr": 7.78, "fnr": 26.32}
        assert level["n"] == 128
        assert {name: percent(level["rates"][name]) for name in printed} == printed
        assert level["clinical"]["call"] == "benign"
        assert percent(level["clinical"]["ccr"]) == 70.31
        assert (level["mcnemar"]["model_only_correct"], level["mcnemar"]["clinical_only_correct"]) == (28, 7)
        assert f"{level['mcnemar']['p_value']:.2e}" == "5.08e-04"
        difference = level["ccr_difference"]
        assert difference["estimate"] == pytest.approx(21 / 128)
        assert (difference["low"], difference["high"]) == pytest.approx((0.0756692854152985, 0.2511372538724266))

    def test_cn_plus(self, paper):
        level = paper["patient_level"]["cN+"]
        printed = {"ccr": 87.43, "sensitivity": 95.15, "specificity": 73.17, "fpr": 26.83, "fnr": 4.85}
        assert level["n"] == 350
        assert "contains the patients the model was trained on" in level["label"]
        assert {name: percent(level["rates"][name]) for name in printed} == printed
        assert level["clinical"]["call"] == "metastatic"
        assert percent(level["clinical"]["ccr"]) == 64.86
        assert (level["mcnemar"]["model_only_correct"], level["mcnemar"]["clinical_only_correct"]) == (90, 11)
        assert f"{level['mcnemar']['p_value']:.2e}" == "1.42e-16"

    def test_leak_free(self, paper):
        level = paper["patient_level"]["cN+ without training patients"]
        assert "leak-free" in level["label"]
        assert level["counts"] == {"tp": 33, "fn": 4, "tn": 90, "fp": 33}
        assert paper["patient_level"]["all"]["n"] == 478

    def test_it_is_json(self, paper):
        assert json.loads(json.dumps(paper, allow_nan=False)) == paper
        assert paper["schema"] == 1
        assert paper["patient_rules"] == ["any"]


def test_the_bootstrap_is_of_the_same_estimate(paper):
    for rate in RATES:
        quantity = paper["node_level"]["rates"][rate]
        other = quantity["intervals"]["bootstrap"]
        assert other["estimate"] == pytest.approx(quantity["estimate"], abs=1e-15)
        assert other["low"] < quantity["estimate"] < other["high"]


def test_same_seed_same_result():
    frames = node_frames((20, 5, 30, 6))
    assert evaluate(*frames, settings=FAST).to_dict() == evaluate(*frames, settings=FAST).to_dict()


def test_the_bootstrap_is_by_patient_stratified_by_status():
    predictions, status = node_frames((20, 5, 30, 6), per_patient=4)
    names = sorted(set(status["patient_id"]))
    strata = [name[0] == "M" for name in names]
    draws = stats.patient_draws(np.where(strata, 1, 2), FAST.n_resamples, np.random.default_rng(FAST.seed))
    patient = [names.index(name) for name in status["patient_id"]]
    expected = stats.bootstrap_auc(status["status"] == "metastatic", predictions["score"], patient, draws)
    assert evaluate(predictions, status, settings=FAST).node_level.auc_score.others["bootstrap"] == expected


def test_order_of_rows_does_not_matter():
    predictions, status = node_frames((20, 5, 30, 6))
    shuffled = evaluate(predictions.sample(frac=1, random_state=1), status.sample(frac=1, random_state=2), settings=FAST)
    assert shuffled.to_dict() == evaluate(predictions, status, settings=FAST).to_dict()


def test_permuted_labels_give_an_auc_of_one_half():
    """Over many permutations the interval of the score's AUC holds 0.5 about as often as it says."""
    predictions, status = node_frames((60, 20, 90, 30), per_patient=1)
    rng = np.random.default_rng(8)
    held, areas = 0, []
    for _ in range(20):
        shuffled = status.assign(status=rng.permutation(status["status"]))
        area = evaluate(predictions, shuffled, settings=EvaluateSettings(n_resamples=100)).node_level.auc_score.interval
        areas.append(area.estimate)
        held += area.low <= 0.5 <= area.high
    assert held >= 17
    assert abs(np.mean(areas) - 0.5) < 0.04


def test_not_evaluable_nodes_are_counted_not_judged():
    predictions, status = node_frames((3, 1, 4, 2), per_patient=3)
    predictions.loc[[0, 5], ["group"]] = pd.NA
    predictions.loc[[0, 5], ["score"]] = np.nan
    evaluation = evaluate(predictions, status, settings=FAST)
    level = evaluation.node_level
    assert (level.counts.n, level.not_evaluable) == (8, 2)
    assert (evaluation.nodes["outcome"] == "not evaluable").sum() == 2
    assert any("rest on" in warning for warning in evaluation.warnings)


def test_only_the_operated_side_unlabeled_and_training_patients():
    predictions, status = node_frames((4, 0, 4, 0), per_patient=2)
    status["side"] = ["R", "L", "R", "R", "R", "R", "R", "R"]
    status.loc[3, "status"] = "unlabeled"
    patients = pd.DataFrame(
        {"patient_id": ["M000", "M001", "B000", "B001"], "side": "R", "status": "", "role": ["", "", "", "training"]}
    )
    evaluation = evaluate(predictions, status.iloc[:-1], patient_status=patients, settings=FAST)
    assert evaluation.node_level.counts.to_dict() == {"tp": 2, "fn": 0, "tn": 2, "fp": 0}
    assert evaluation.node_level.left_out == {
        "other side": 1,
        "status unlabeled": 1,
        "patient used for training": 1,
        "no status given": 1,
    }
    assert not any("side of some nodes" in warning for warning in evaluation.warnings)


def test_unknown_sides_are_warned_about():
    predictions, status = node_frames((4, 0, 4, 0), per_patient=2)
    assert any("side of some nodes" in warning for warning in evaluate(predictions, status, settings=FAST).warnings)


def test_perfect_separation_has_an_honest_interval():
    frames = node_frames((6, 0, 6, 0), per_patient=2)
    area = evaluate(*frames, settings=FAST).node_level.auc_score.interval
    assert (area.estimate, area.high, area.method) == (1.0, 1.0, "Newcombe 2006, method 5")
    assert area.low < 0.85


class TestEmpty:
    """Nothing to count gives null with a reason, never a crash."""

    def nulls(self, value, path=()):
        if isinstance(value, dict):
            if "reason" in value and "estimate" in value:
                assert value["estimate"] is None
                assert value["reason"]
                yield path
            for key, child in value.items():
                yield from self.nulls(child, (*path, key))

    def test_no_status_at_all(self):
        predictions, _ = node_frames((1, 1, 1, 1))
        document = evaluate(predictions).to_dict()
        assert document["node_level"]["n"] == 0
        assert document["node_level"]["left_out"]["no status given"] == 4
        assert len(list(self.nulls(document["node_level"]))) == 9
        assert document["patient_level"]["cN0"]["reason"] == "no patient calls given"
        json.dumps(document, allow_nan=False)

    def test_one_class_only(self):
        document = evaluate(*node_frames((3, 2, 0, 0)), settings=FAST).to_dict()["node_level"]
        assert document["rates"]["specificity"]["reason"] == "no benign case"
        assert document["auc_score"]["reason"] == "no benign case"
        assert document["rates"]["sensitivity"]["estimate"] == 0.6

    def test_withheld_predictions(self):
        predictions, status = node_frames((3, 2, 4, 4))
        predictions["group"] = pd.array([pd.NA] * len(predictions), dtype="Int64")
        predictions["score"] = np.nan
        level = evaluate(predictions, status, settings=FAST).node_level
        assert (level.counts.n, level.not_evaluable, level.n_patients) == (0, 13, 0)
        assert level.auc_score.reason

    def test_a_cohort_without_patients(self):
        predictions, _ = node_frames((1, 1, 1, 1))
        level = evaluate(predictions, None, *patient_frames("cN0", (1, 0, 2, 0), "N")).to_dict()["patient_level"]
        assert level["cN0"]["n"] == 3
        assert level["cN+"]["reason"] == "no patient in this cohort"
        assert level["cN+"]["mcnemar"]["p_value"] is None
        assert "column role" in level["cN+ without training patients"]["reason"]

    def test_a_cohort_not_evaluable(self):
        predictions, _ = node_frames((1, 1, 1, 1))
        calls, status = patient_frames("cN0", (1, 0, 2, 0), "N")
        level = evaluate(predictions, None, calls.assign(call="not evaluable", score=np.nan), status).to_dict()["patient_level"]
        assert level["cN0"]["reason"] == "none of the 3 patients is evaluable"
        assert level["cN0"]["not_evaluable"] == 3

    def test_patients_without_status(self):
        predictions, _ = node_frames((1, 1, 1, 1))
        calls, status = patient_frames("cN+", (1, 0, 2, 0), "N")
        level = evaluate(predictions, None, calls, status.assign(status="")).to_dict()["patient_level"]["cN+"]
        assert level["without_status"] == 3
        assert level["reason"] == "the status of none of the 3 patients is known"

    def test_no_predictions(self):
        predictions, status = node_frames((1, 1, 1, 1))
        assert evaluate(predictions.iloc[:0], status.iloc[:0]).node_level.counts.n == 0

    def test_a_rule_score_that_is_not_defined(self):
        predictions, _ = node_frames((1, 1, 1, 1))
        calls, status = patient_frames("cN0", (1, 1, 2, 1), "N")
        calls.loc[1, "score"] = np.nan
        level = evaluate(predictions, None, calls, status).patient_level["cN0"]
        assert level.auc_score.reason == "the score is not defined for every case"
        assert level.counts.n == 5


class TestStrict:
    def test_unknown_node(self):
        predictions, status = node_frames((2, 2, 2, 2))
        status.loc[1, "node_id"] = "R99"
        with pytest.raises(InputRefusedError, match=r"1 node.* first 'R99' of patient 'M000'"):
            evaluate(predictions, status)

    @pytest.mark.parametrize("which", [0, 1])
    def test_a_node_twice(self, which):
        frames = list(node_frames((2, 2, 2, 2)))
        frames[which] = pd.concat([frames[which], frames[which].iloc[[0]]])
        with pytest.raises(InputRefusedError, match="'M000' 'R01' appears twice"):
            evaluate(*frames)

    @pytest.mark.parametrize(
        ("column", "value", "match"),
        [
            ("status", "Metastatic", "'benign', 'unlabeled', not 'Metastatic'"),
            ("side", "left", "'R', 'L', not 'left'"),
        ],
    )
    def test_unknown_words_of_nodes(self, column, value, match):
        predictions, status = node_frames((2, 2, 2, 2))
        with pytest.raises(InputRefusedError, match=match):
            evaluate(predictions, status.assign(**{column: value}))

    @pytest.mark.parametrize(("column", "value"), [("status", "yes"), ("side", "B"), ("clinical", "N0"), ("role", "test")])
    def test_unknown_words_of_patients(self, column, value):
        predictions, _ = node_frames((2, 2, 2, 2))
        calls, status = patient_frames("cN0", (1, 1, 1, 1), "N")
        with pytest.raises(InputRefusedError, match=f"{column} must be one of"):
            evaluate(predictions, None, calls, status.assign(**{column: value}))

    def test_missing_columns(self):
        predictions, status = node_frames((2, 2, 2, 2))
        with pytest.raises(InputRefusedError, match=r"column\(s\) status in the node status"):
            evaluate(predictions, status.drop(columns="status"))
        with pytest.raises(InputRefusedError, match=r"column\(s\) group in the predictions"):
            evaluate(predictions.drop(columns="group"), status)

    def test_a_group_that_is_none(self):
        predictions, status = node_frames((2, 2, 2, 2))
        with pytest.raises(InputRefusedError, match="group is 1 or 2, not 3"):
            evaluate(predictions.assign(group=3), status)

    def test_a_patient_without_call(self):
        predictions, _ = node_frames((2, 2, 2, 2))
        calls, status = patient_frames("cN0", (1, 1, 1, 1), "N")
        with pytest.raises(InputRefusedError, match="Patient 'N002' has a status but no call"):
            evaluate(predictions, None, calls.drop(index=2), status)

    def test_both_sides_need_the_operated_one(self):
        predictions, _ = node_frames((2, 2, 2, 2))
        calls, status = patient_frames("cN0", (1, 0, 1, 0), "N")
        both = pd.concat([calls, calls.assign(side="L", call="benign")])
        found = evaluate(predictions, None, both, status).patients
        assert found["call"].tolist() == ["metastatic", "benign"]
        with pytest.raises(InputRefusedError, match="has 2 calls; give the operated side"):
            evaluate(predictions, None, both, status.assign(side=""))
        with pytest.raises(InputRefusedError, match="operated on side L, but the call is on the other side"):
            evaluate(predictions, None, calls, status.assign(side="L"))

    def test_numbers_as_names_match(self):
        """A node called 1 is read as a number from one file and as text from another."""
        predictions, status = node_frames((2, 2, 2, 2))
        predictions["node_id"] = predictions["node_id"].str[1:].astype(int)
        status["node_id"] = status["node_id"].str[1:].astype(int).astype(str)
        assert evaluate(predictions, status, settings=FAST).node_level.counts.n == 8


PATIENTS = (
    Patient("A", "cN+", "R", 10, 10),
    Patient("B", "cN+", "L", 8, 0),
    Patient("C", "cN+", "R", 9, 4),
    Patient("D", "cN0", "R", 3, 0),
    Patient("E", "cN+", "", 3, 0),
)


def test_status_lent_by_pathology():
    nodes = pd.DataFrame([(p, f"{s}01", s) for p in "ABCDE" for s in "RL"], columns=["patient_id", "node_id", "side"])
    found = node_status_of(nodes, PATIENTS)
    assert found.values.tolist() == [["A", "R01", "R", "metastatic"], ["B", "L01", "L", "benign"]]
    with_cn0 = node_status_of(nodes, PATIENTS, roles=("validation", "cN0"))
    assert with_cn0["patient_id"].tolist() == ["A", "B", "D"]


def test_patient_status_of_a_cohort():
    found = patient_status_of(PATIENTS)
    assert found["status"].tolist() == ["metastatic", "benign", "metastatic", "benign", "benign"]
    assert found["role"].tolist() == ["validation", "validation", "training", "cN0", "validation"]


def test_split_status():
    mixed = pd.DataFrame(
        {
            "patient_id": ["A", "A", "B"],
            "node_id": ["R01", np.nan, ""],
            "side": ["R", "R", "L"],
            "status": ["benign", "benign", "metastatic"],
            "clinical": [np.nan, "cN0", "cN+"],
        }
    )
    nodes, patients = split_status(mixed)
    assert nodes.columns.tolist() == ["patient_id", "node_id", "side", "status"]
    assert patients["clinical"].tolist() == ["cN0", "cN+"]
    assert split_status(mixed.iloc[:1])[1] is None
    assert split_status(mixed.drop(columns="node_id").iloc[1:])[0] is None
    with pytest.raises(InputRefusedError, match="no rows"):
        split_status(mixed.iloc[:0])
    with pytest.raises(InputRefusedError, match=r"column\(s\) status"):
        split_status(mixed.drop(columns="status"))


def test_tables_hold_what_the_document_holds():
    predictions, status = node_frames((20, 5, 30, 6))
    evaluation = evaluate(predictions, status, *patient_frames("cN0", (2, 1, 3, 1), "N"), is_synthetic=True)
    nodes, patients = node_table(evaluation), patient_table(evaluation)
    assert evaluation.warnings[0].startswith("Synthetic data")
    assert nodes.loc[nodes["measure"] == "tp", "estimate"].tolist() == [20]
    assert nodes.loc[nodes["measure"] == "auc_score", "method"].nunique() == 5
    assert set(RATES) <= set(nodes["measure"])
    cn0 = patients[patients["cohort"] == "cN0"].set_index("measure")
    assert cn0.loc["mcnemar_p", "estimate"] == evaluation.patient_level["cN0"].comparison.p_value
    assert patients.loc[(patients["cohort"] == "cN+") & (patients["measure"] == "ccr"), "reason"].item()


def test_nouns_are_checked():
    with pytest.raises(InvalidValueError, match="Counts must be"):
        Counts(tp=-1)
    with pytest.raises(InvalidValueError, match="either"):
        Quantity(None)
    with pytest.raises(InvalidValueError, match="resamples"):
        EvaluateSettings(n_resamples=10)


def test_one_patient_of_a_status_gives_no_bootstrap_interval() -> None:
    rows = [("P1", f"n{i}", "metastatic", 2 if i else 1) for i in range(5)]
    rows += [(f"P{2 + i % 3}", f"n{i}", "benign", 1 if i % 5 else 2) for i in range(10)]
    frame = pd.DataFrame(rows, columns=["patient_id", "node_id", "status", "group"])
    score = np.where(frame["group"] == 2, 1.0, -1.0) + np.arange(len(frame)) / 100
    predictions = frame.assign(score=score).drop(columns="status")
    level = evaluate(predictions, frame[["patient_id", "node_id", "status"]]).to_dict()["node_level"]
    assert "bootstrap" not in level["rates"]["sensitivity"].get("intervals", {})
    assert "bootstrap" in level["rates"]["specificity"]["intervals"]
    assert "bootstrap" not in level["auc_score"]["intervals"]
    assert "fewer than 2 patients" in level["auc_score"]["no_interval"]["bootstrap"]
    assert level["rates"]["sensitivity"]["low"] < level["rates"]["sensitivity"]["high"]


def test_a_bootstrap_that_can_only_draw_the_same_again_gives_no_interval() -> None:
    """One patient of each status: every resample is the sample, and an interval of no width would say that all is known."""
    rows = [("P1", f"n{i}", "metastatic", 2 if i else 1) for i in range(5)]
    rows += [("P2", f"n{i}", "benign", 1 if i else 2) for i in range(4)]
    frame = pd.DataFrame(rows, columns=["patient_id", "node_id", "status", "group"]).assign(score=np.arange(9.0))
    level = evaluate(frame.drop(columns="status"), frame[["patient_id", "node_id", "status"]]).to_dict()["node_level"]
    for rate in level["rates"].values():
        assert rate["low"] < rate["high"]
        assert "bootstrap" not in rate.get("intervals", {})
        assert "gives the same value" in rate["no_interval"]["bootstrap"]


def test_the_confidence_level_is_that_of_the_settings():
    predictions, status = node_frames((18, 2, 19, 3))
    ordinary = evaluate(predictions, status)
    narrow = evaluate(predictions, status, settings=EvaluateSettings(level=0.5))
    assert (ordinary.to_dict()["level"], narrow.to_dict()["level"]) == (0.95, 0.5)
    for name in ("auc_score", "auc_hard_label"):
        wide, thin = getattr(ordinary.node_level, name), getattr(narrow.node_level, name)
        assert all(thin.others[by].high - thin.others[by].low < other.high - other.low for by, other in wide.others.items())
    rate = narrow.node_level.rates["ccr"]
    assert rate.interval == stats.wilson(37, 42, 0.5)
    with pytest.raises(InvalidValueError, match=r"between 0\.5 and 1"):
        EvaluateSettings(level=95)


def test_the_terminal_tells_the_interval_by_patient_or_what_the_other_takes_for_granted() -> None:
    """And the warning of few patients speaks of that interval."""
    by_patient = evaluate(*node_frames((18, 2, 19, 3), per_patient=4))
    one_each = evaluate(*node_frames((6, 2, 7, 1)))
    interval = by_patient.node_level.auc_score.others["bootstrap"]
    assert f"({interval.low:.3f}-{interval.high:.3f}, bootstrap by patient, 2000" in "\n".join(summary_lines(by_patient))
    assert any("intervals by patient are rough" in words for words in by_patient.warnings)
    assert "DeLong, nodes taken as independent)" in "\n".join(summary_lines(one_each))
    assert any("the interval of the AUC takes nodes as independent" in words for words in one_each.warnings)
