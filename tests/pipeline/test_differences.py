"""Group 2 against group 1, feature by feature: against plain computations, and where there is nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from axilla.evaluate import EvaluateSettings
from axilla.pipeline._differences import class_summary, group_differences
from axilla.stats import hedges_g
from axilla.table import FeatureTable

NAMES = ("original_shape_Flatness", "original_shape_Sphericity", "original_glcm_Idm")
SETTINGS = EvaluateSettings(n_resamples=200)


def nodes(name: str, n_patients: int, shift: tuple[float, ...], seed: int) -> tuple[FeatureTable, pd.DataFrame]:
    """Three nodes a patient, the first of each in group 2 and moved by `shift`."""
    rng = np.random.default_rng(seed)
    ids = {
        "patient_id": [f"{name}{i // 3:02d}" for i in range(3 * n_patients)],
        "node_id": [f"R{i % 3}" for i in range(3 * n_patients)],
        "feature_status": ["ok"] * (3 * n_patients),
        "reason": [""] * (3 * n_patients),
    }
    group = np.where(np.arange(3 * n_patients) % 3 == 0, 2, 1)
    values = rng.normal(10, 2, (group.size, len(NAMES))) + np.outer(group == 2, shift)
    table = FeatureTable.of_values(ids, list(range(1, group.size + 1)), pd.Index(NAMES), values)
    return table, pd.DataFrame({"patient_id": ids["patient_id"], "node_id": ids["node_id"], "group": group})


@pytest.fixture(scope="module")
def two() -> tuple[dict[str, FeatureTable], pd.DataFrame]:
    training, first = nodes("T", 20, (3.0, 0.0, -3.0), 1)
    validation, second = nodes("V", 12, (3.0, 0.0, 3.0), 2)
    return {"training": training, "validation": validation}, pd.concat([first, second], ignore_index=True)


def test_each_feature_against_plain_computations(two) -> None:
    tables, predictions = two
    frame = group_differences(tables, predictions, SETTINGS).set_index(["cohort", "feature"])
    training, validation = (table.values()[:, 0] for table in tables.values())
    is_second = np.arange(validation.size) % 3 == 0
    row = frame.loc[("validation", NAMES[0])]
    low, middle, high = np.quantile(validation[is_second], (0.25, 0.5, 0.75))
    assert (row["lower_quartile_2"], row["median_2"], row["upper_quartile_2"]) == (low, middle, high)
    expected = hedges_g(validation[~is_second], validation[is_second])
    assert (row["effect"], row["low_nodes"], row["high_nodes"]) == (expected.estimate, expected.low, expected.high)
    assert row["mean_2"] == pytest.approx((validation[is_second].mean() - training.mean()) / training.std(ddof=1))
    assert (row["n_1"], row["n_2"]) == (24, 12)
    assert "bootstrap by patient, 200 resamples" in row["method"]


def test_holm_adjusts_within_a_cohort(two) -> None:
    frame = group_differences(*two, SETTINGS)
    for _, rows in frame.groupby("cohort"):
        adjusted = scipy_stats.false_discovery_control(rows["p_value"])  # less strict than Holm
        assert (rows["p_holm"] >= adjusted).all()
        assert rows["p_holm"].min() == pytest.approx(3 * rows["p_value"].min())


def test_the_summary_counts_what_differs_and_in_which_direction(two) -> None:
    summary = class_summary(group_differences(*two, SETTINGS)).set_index(["cohort", "feature_class"])
    assert summary.index.tolist() == [(c, k) for c in ("training", "validation") for k in ("shape", "glcm")]
    assert summary.loc[("training", "shape"), ["features", "differ", "higher_in_2", "lower_in_2"]].tolist() == [2, 1, 1, 0]
    assert summary.loc[("training", "glcm"), ["differ", "higher_in_2", "lower_in_2"]].tolist() == [1, 0, 1]
    assert summary.loc[("validation", "glcm"), ["differ", "higher_in_2", "lower_in_2"]].tolist() == [1, 1, 0]
    assert summary.loc[("training", "shape"), "largest"] == NAMES[0]


def test_few_patients_get_the_wider_interval_of_nodes(two) -> None:
    """Of three patients, hardly anything can be drawn: the bootstrap would say more than is known."""
    tables, predictions = two
    few = {"training": tables["training"].select(["T00", "T01", "T02"])}
    frame = group_differences(few, predictions, SETTINGS)
    assert set(frame["method"]) == {"Hedges' g, normal, nodes taken as independent"}
    assert (frame["low"] == frame["low_nodes"]).all()


def test_where_there_is_nothing_a_reason_stands(two) -> None:
    tables, predictions = two
    none = {"training": tables["training"], "validation": tables["validation"].select([])}
    frame = group_differences(none, predictions, SETTINGS)
    empty = frame[frame["cohort"] == "validation"]
    assert empty[["effect", "p_holm", "mean_1", "median_2"]].isna().all(axis=None)
    assert (empty["reason"] != "").all()
    assert class_summary(frame).query("cohort == 'validation'")["compared"].tolist() == [0, 0]


def test_a_feature_that_does_not_vary_is_not_compared(two) -> None:
    tables, predictions = two
    constant = FeatureTable(tables["training"].frame.assign(**{NAMES[2]: 0.1}))
    row = group_differences({"training": constant}, predictions, SETTINGS).set_index("feature").loc[NAMES[2]]
    assert np.isnan(row["effect"])
    assert np.isnan(row["mean_1"])
    assert row["median_1"] == 0.1
