"""Charts: well-formed, deterministic, and showing the numbers they were given."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from axilla.errors import InvalidValueError
from axilla.figures import (
    CohortFlow,
    Drawing,
    FlowCounts,
    GroupedNodes,
    characterization,
    cluster_plot,
    feature_class,
    flow_diagram,
    node_level,
    patient_level,
    roc_points,
)
from axilla.stats import wilson

PAPER_NODES = {"tp": 368, "fn": 88, "tn": 836, "fp": 105}
"""Counts of Qu et al. 2024, Figure 5."""


def quantity(numerator: int, denominator: int) -> dict:
    found = wilson(numerator, denominator)
    return {"estimate": found.estimate, "low": found.low, "high": found.high, "method": "Wilson"}


def rates_of(c: dict) -> dict:
    positive, negative = c["tp"] + c["fn"], c["tn"] + c["fp"]
    return {
        "ccr": quantity(c["tp"] + c["tn"], positive + negative),
        "sensitivity": quantity(c["tp"], positive),
        "specificity": quantity(c["tn"], negative),
        "ppv": quantity(c["tp"], c["tp"] + c["fp"]),
        "npv": quantity(c["tn"], c["tn"] + c["fn"]),
        "fpr": quantity(c["fp"], negative),
        "fnr": quantity(c["fn"], positive),
    }


def node_results() -> dict:
    auc = {"estimate": 0.847, "low": 0.826, "high": 0.870, "method": "DeLong"}
    return {
        "n": 1397,
        "counts": PAPER_NODES,
        "rates": rates_of(PAPER_NODES),
        "auc_hard_label": auc,
        "auc_score": auc,
        "not_evaluable": 0,
    }


def scored_nodes() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    truth = rng.random(300) < 0.4
    return pd.DataFrame({"status": np.where(truth, "metastatic", "benign"), "score": np.round(rng.normal(truth * 1.5), 1)})


def flow() -> FlowCounts:
    return FlowCounts(
        offered=12,
        excluded={"neoadjuvant therapy before surgery": 2, "<script> & $odd$ \x07 reason": 1},
        failed={"slices missing": 1},
        cohorts=(
            CohortFlow("training", 4, 0, 30, 2, {"unlabeled": 4}),
            CohortFlow("validation", 3, 1, 20, 1, {"benign": 2, "metastatic": 1}),
            CohortFlow("cN0", 1, 0, 5, 0, {"benign": 1}),
        ),
    )


def grouped(cohort: str, seed: int) -> GroupedNodes:
    rng = np.random.default_rng(seed)
    groups = np.where(rng.random(60) < 0.4, 2, 1)
    return GroupedNodes(cohort, rng.normal(size=(60, 5)) + 2.0 * (groups == 2)[:, None], groups)


CENTERS = np.array([[0.0] * 5, [2.0] * 5])
CHARTS = {
    "flow": lambda: flow_diagram(flow()),
    "clusters": lambda: cluster_plot([grouped("Training", 1), grouped("Validation", 2)], CENTERS),
    "characterization": lambda: characterization(differences())["characterization"],
    "characterization_texture": lambda: characterization(differences())["characterization_texture"],
    "node_level": lambda: node_level(node_results(), scored_nodes()),
    "patient_level": lambda: patient_level(patient_results()),
}


def differences(cohorts: tuple[str, ...] = ("training", "validation")) -> pd.DataFrame:
    """Three features, one of which cannot be compared."""
    rows = []
    for cohort in cohorts:
        for name, effect, p_holm in (
            ("shape_Flatness", -0.5, 0.01),
            ("shape_Sphericity", 0.7, 0.2),
            ("glszm_ZoneEntropy", None, None),
        ):
            found = {"effect": effect, "low": effect and effect - 0.2, "high": effect and effect + 0.2, "p_holm": p_holm}
            means = {"mean_1": -0.1, "mean_2": effect and effect - 0.1}
            rows.append(
                {"cohort": cohort, "feature": f"original_{name}", "feature_class": name.partition("_")[0], **means, **found}
            )
    return pd.DataFrame(rows).astype(dict.fromkeys(("mean_1", "mean_2", "effect", "low", "high", "p_holm"), float))


def patient_results() -> dict:
    counts = {"tp": 28, "fn": 10, "tn": 83, "fp": 7}
    full = {
        "n": 128,
        "counts": counts,
        "rates": rates_of(counts),
        "not_evaluable": 0,
        "clinical": {"call": "benign", "ccr": quantity(90, 128)},
    }
    return {
        "cN0": full,
        "cN+ without training patients": {"n": 0, "counts": dict.fromkeys(counts, 0), "rates": {}, "not_evaluable": 2},
    }


@pytest.mark.parametrize("name", CHARTS)
def test_charts_are_well_formed_deterministic_and_load_nothing(name):
    first, second = CHARTS[name](), CHARTS[name]()
    assert first.data == second.data
    root = ET.fromstring(first.data)
    assert root.tag.endswith("svg")
    assert b"<dc:date>" not in first.data
    for element in root.iter():
        for key, value in element.attrib.items():
            assert not key.endswith("href") or value.startswith(("#", "data:"))
    assert first.alt
    assert first.size_px[0] > 300
    assert first.file_name == f"{name}.svg"
    assert len(pd.read_csv(io.StringIO(first.numbers_csv()))) == len(first.numbers)


def text_of(drawing: Drawing) -> str:
    return " ".join("".join(e.itertext()) for e in ET.fromstring(drawing.data).iter() if e.tag.endswith("text"))


def test_the_flow_shows_its_counts_and_hostile_words_as_words():
    words = text_of(flow_diagram(flow()))
    for expected in (
        "Patients offered: 12",
        "Excluded: 3",
        "Not finished: 1",
        "Patients analyzed: 8",
        "not evaluable: 2",
        "<script> & $odd$",
    ):
        assert expected in words


def test_a_flow_that_does_not_add_up_is_refused():
    with pytest.raises(InvalidValueError, match="12 offered, but 3 excluded"):
        FlowCounts(12, {"a": 3}, {}, (CohortFlow("cN0", 4),))
    with pytest.raises(InvalidValueError, match="more not evaluable"):
        CohortFlow("cN0", 4, 5)
    with pytest.raises(InvalidValueError, match="statuses of 3 of 4"):
        CohortFlow("cN0", 4, statuses={"benign": 3})
    with pytest.raises(InvalidValueError, match="groups of 9 of 8"):
        CohortFlow("cN0", 4, nodes=10, nodes_not_evaluable=2, groups={"group 1": 5, "group 2": 4})
    with pytest.raises(InvalidValueError, match="calls of 3 of 4"):
        CohortFlow("cN0", 4, calls={"benign": 3})
    with pytest.raises(InvalidValueError, match="1 not evaluable, but not so called"):
        CohortFlow("cN0", 4, 1, calls={"benign": 4})


def many_reasons() -> FlowCounts:
    """More reasons than fit, long ones, one cohort empty."""
    excluded = {
        f"reason {i:02d} that is told at some length, so that it needs a second line in its box": 1 + i % 3 for i in range(20)
    }
    failed = {f"CT of patient {i} refused: slices missing between {i} and {i + 3} mm": 1 for i in range(9)}
    cohorts = (
        CohortFlow("training", 12, 0, 96, 4, {"unlabeled": 12}, {"group 1": 50, "group 2": 42}, {"metastatic": 12}),
        CohortFlow(
            "validation", 0, 0, 0, 0, {}, {"group 1": 0, "group 2": 0}, {"metastatic": 0, "benign": 0, "not evaluable": 0}
        ),
        CohortFlow("cN0", 5, 1, 20, 6, {"benign": 4, "metastatic": 1}, {"group 1": 14}, {"benign": 4, "not evaluable": 1}),
    )
    return FlowCounts(sum(excluded.values()) + 9 + 17, excluded, failed, cohorts)


def test_the_flow_stands_with_many_reasons_an_empty_cohort_and_none():
    words = text_of(flow_diagram(many_reasons()))
    assert "8 other reasons" in words
    assert "patients: 0" in words
    assert "1 not evaluable" not in words
    assert "Patients analyzed: 0" in text_of(flow_diagram(FlowCounts(0)))


@pytest.mark.parametrize("counts", [flow(), many_reasons()], ids=["few", "many"])
def test_every_number_of_the_flow_stands_beside_it(counts):
    drawing = flow_diagram(counts)
    beside = {str(n) for column in ("patients", "nodes") for n in drawing.numbers[column].dropna()}
    drawn = re.findall(r": (\d+)", text_of(drawing))
    assert len(drawn) > 10
    assert set(drawn) <= beside
    reasons = {**counts.excluded, **counts.failed}
    assert reasons.items() <= dict(zip(drawing.numbers["item"], drawing.numbers["patients"], strict=True)).items()


def test_the_plane_is_that_of_the_training_nodes_alone():
    training, validation = grouped("Training", 1), grouped("Validation", 2)
    alone = cluster_plot([training], CENTERS).numbers
    both = cluster_plot([training, validation], CENTERS).numbers
    shared_columns = ["pc1", "pc2"]
    assert np.array_equal(
        alone[alone["cohort"] == "Training"][shared_columns], both[both["cohort"] == "Training"][shared_columns]
    )
    reference = PCA(2).fit(training.z_scores)
    expected = reference.transform(validation.z_scores)
    found = both[both["cohort"] == "Validation"][shared_columns].to_numpy()
    assert np.allclose(np.abs(found), np.abs(expected))
    centers = both[both["cohort"] == "center"].set_index("group")
    assert centers.loc[2, "pc1"] > centers.loc[1, "pc1"]  # group 2 on the right


def test_grouped_nodes_refuse_contradictions():
    with pytest.raises(InvalidValueError, match="1 or 2"):
        GroupedNodes("x", np.zeros((2, 3)), np.array([0, 1]))
    with pytest.raises(InvalidValueError, match="finite"):
        GroupedNodes("x", np.full((2, 3), np.nan), np.array([1, 2]))
    with pytest.raises(InvalidValueError, match="same features"):
        cluster_plot([grouped("Training", 1)], np.zeros((2, 3)))


def test_the_characterization_sorts_within_a_class_and_says_what_differs():
    pages = characterization(differences())
    assert pages["characterization"].numbers["feature"].unique().tolist() == [
        "original_shape_Sphericity",
        "original_shape_Flatness",
    ]
    assert "Shape: 1 of 2 differ in training, 1 of 2 differ in validation" in pages["characterization"].alt
    words = text_of(pages["characterization"])
    assert "Shape (2)" in words
    assert "Group 2, validation" in words
    assert "nothing to compare" in text_of(pages["characterization_texture"])


def test_the_characterization_draws_what_there_is():
    alone = differences(("training",))
    empty = pd.concat([alone, alone.assign(cohort="validation", mean_1=np.nan, mean_2=np.nan, effect=np.nan, p_holm=np.nan)])
    assert characterization(empty)["characterization"].data == characterization(alone)["characterization"].data
    assert list(characterization(alone[alone["feature_class"] == "shape"])) == ["characterization"]
    assert "90 % interval" in text_of(characterization(alone, 0.9)["characterization"])
    with pytest.raises(InvalidValueError, match="lacks the columns p_holm"):
        characterization(alone.drop(columns="p_holm"))


def test_the_class_of_a_feature_is_read_from_its_name():
    assert feature_class("original_firstorder_Energy") == "firstorder"
    assert feature_class("Volume") == "other"


def test_node_level_shows_the_papers_figures():
    drawing = node_level(node_results(), scored_nodes())
    words = text_of(drawing)
    for printed in ("836", "(90.5 %)", "368", "(77.8 %)", "86.2 %", "80.7 %", "88.8 %"):
        assert printed in words
    rates = drawing.numbers[drawing.numbers["panel"] == "rates"].set_index("item")
    assert rates.loc["ccr", "value"] == pytest.approx(1204 / 1397)
    assert drawing.numbers[drawing.numbers["panel"] == "counts"]["value"].tolist() == [368, 88, 836, 105]


def drawn_numbers(drawing: Drawing) -> set[str]:
    """Numbers in the words of a figure, without those on its axes (PyRadiomics' names hold some too)."""
    root = ET.fromstring(drawing.data)
    axes = {id(e) for g in root.iter() if "tick" in g.get("id", "") for e in g.iter()}
    words = ["".join(e.itertext()) for e in root.iter() if e.tag.endswith("text") and id(e) not in axes]
    return set(re.findall(r"(?<![\w.])\d+(?:\.\d+)?", " ".join(words)))


@pytest.mark.parametrize("name", ["node_level", "patient_level"])
def test_every_number_drawn_stands_beside_the_figure(name):
    drawing = CHARTS[name]()
    values = [v for v in drawing.numbers[["value", "low", "high"]].to_numpy().ravel() if v is not None and v == v]
    beside = {words for v in values for words in (f"{v:g}", f"{v:.3f}", f"{100 * v:.1f}")}
    assert len(drawn_numbers(drawing)) > 5
    assert drawn_numbers(drawing) - beside <= {"0", "1", "2"}  # cN0, group 1, group 2


def test_the_roc_is_that_of_the_scores():
    nodes = scored_nodes()
    truth = nodes["status"].eq("metastatic").tolist()
    fpr, tpr = roc_points(truth, nodes["score"].to_numpy())
    assert np.trapezoid(tpr, fpr) == pytest.approx(roc_auc_score(truth, nodes["score"]))
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    assert roc_points([True, True], np.array([1.0, 2.0]))[0].size == 0


def test_node_level_without_any_rate_still_says_so():
    nothing = {"estimate": None, "low": None, "high": None, "method": None, "reason": "no benign case"}
    results = {
        "n": 0,
        "counts": dict.fromkeys(PAPER_NODES, 0),
        "rates": dict.fromkeys(rates_of(PAPER_NODES), nothing),
        "auc_score": nothing,
        "auc_hard_label": nothing,
    }
    assert "needs metastatic" in text_of(node_level(results, scored_nodes().iloc[:0]))
    with pytest.raises(InvalidValueError, match="status and score"):
        node_level(results, pd.DataFrame({"a": [1]}))


def test_patient_level_shows_model_and_clinic_and_what_cannot_be_evaluated():
    drawing = patient_level(patient_results())
    words = text_of(drawing)
    for printed in ("111 of 128", "90 of 128", "86.7 %", "70.3 %", "not evaluable"):
        assert printed in words
    rows = drawing.numbers.set_index(["cohort", "panel", "item"])["value"]
    assert rows[("cN0", "clinical", "ccr")] == pytest.approx(90 / 128)
    assert "(leak-free)" in words
    assert "cN+ with training patients (as the paper)" in patient_level({"cN+": patient_results()["cN0"]}).alt
    with pytest.raises(InvalidValueError, match="at least one cohort"):
        patient_level({})


def test_a_drawing_needs_words():
    with pytest.raises(InvalidValueError, match="text that says"):
        Drawing("x", b"1", "image/png", "")
    with pytest.raises(InvalidValueError, match="A drawing is one of"):
        Drawing("x", b"1", "image/gif", "x")
