"""Prediction and the patient rule."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from axilla.errors import InputRefusedError, InvalidValueError
from axilla.model import (
    PATIENT_COLUMNS,
    PREDICTION_COLUMNS,
    PatientRule,
    PredictSettings,
    apply_patient_rule,
    predict,
    train,
    withheld_reason,
)
from axilla.table import FeatureTable


@pytest.fixture(scope="module")
def model(tables):
    return train(tables(), is_synthetic=True, feature_settings={"bin_width_hu": 25.0})


def test_columns_and_nearest_center(model, tables):
    table = tables(40, seed=8)
    found = predict(model, table)
    assert tuple(found.columns) == PREDICTION_COLUMNS
    z = model.z_scores(table.values(model.feature_names))
    d1, d2 = (np.linalg.norm(z - center, axis=1) for center in model.centers)
    assert np.allclose(found["distance_1"], d1, rtol=1e-12)
    assert np.allclose(found["score"], d1 - d2, rtol=1e-9, atol=1e-12)
    assert (found["group"].to_numpy(dtype=int) == np.where(d1 > d2, 2, 1)).all()
    assert (found["patient_id"] + found["node_id"] == table.frame["patient_id"] + table.frame["node_id"]).all()


def test_metastatic_nodes_go_to_group_2(model, tables):
    found = predict(model, tables(200, seed=8))
    assert (found["group"][:120] == 1).mean() > 0.9
    assert (found["group"][120:] == 2).mean() > 0.9


def test_probability_follows_the_score(model, tables):
    found = predict(model, tables(200, seed=8)).sort_values("score")
    assert (np.diff(found["probability"]) >= 0).all()
    assert found["probability"].between(0, 1).all()


def test_a_node_is_predicted_the_same_alone_and_among_others(model, tables):
    table = tables(40, seed=8)
    together = predict(model, table)
    alone = pd.concat([predict(model, FeatureTable(table.frame.iloc[[i]])) for i in range(40)], ignore_index=True)
    pd.testing.assert_frame_equal(together, alone, check_exact=True)


def test_features_the_model_does_not_use_do_not_matter(model, tables):
    table = tables(12, seed=8)
    more = FeatureTable(table.frame.assign(extra=1.0).drop(columns="original_firstorder_Energy"))
    pd.testing.assert_frame_equal(predict(model, table), predict(model, more), check_exact=True)


def test_missing_features_are_refused_by_name(model, tables):
    frame = tables(12).frame.drop(columns=["original_ngtdm_Busyness", "original_glcm_Idm"])
    with pytest.raises(InputRefusedError, match="lacks 2: original_glcm_Idm, original_ngtdm_Busyness"):
        predict(model, FeatureTable(frame))


def test_other_feature_settings_are_refused(model, tables):
    predict(model, tables(12), feature_settings={"bin_width_hu": 25.0, "margin_vox": 9})
    with pytest.raises(InputRefusedError, match=r"bin_width_hu = 25.0, these were made with bin_width_hu = 10.0"):
        predict(model, tables(12), feature_settings={"bin_width_hu": 10.0})


def test_nodes_without_features_keep_their_row(model, tables):
    frame = tables(12).frame.copy()
    frame.iloc[4, 3:-2] = np.nan
    frame.loc[4, ["feature_status", "reason"]] = ["refused", "one voxel"]
    found = predict(model, FeatureTable(frame))
    assert found.loc[4, "warnings"] == "not evaluable: one voxel"
    assert found.loc[4, ["group", "score", "probability", "distance_1", "distance_2"]].isna().all()
    assert found.drop(index=4)["group"].notna().all()


def test_an_empty_table(model, tables):
    found = predict(model, FeatureTable(tables(12).frame.iloc[:0]))
    assert len(found) == 0
    assert tuple(found.columns) == PREDICTION_COLUMNS
    assert len(apply_patient_rule(found)) == 0


def at(model, tables, z):
    """A table whose single node has given z-scores of the used features."""
    frame = tables(1).frame.copy()
    frame[list(model.feature_names)] = model.mean + model.sd * np.asarray(z)
    return FeatureTable(frame)


def test_a_probability_that_contradicts_the_group_is_told(model, tables):
    shifted = replace(model, mixture=replace(model.mixture, mean_1=model.mixture.mean_1 - 9, mean_2=model.mixture.mean_2 - 9))
    near_1 = predict(shifted, at(model, tables, 0.55 * model.centers[0] + 0.45 * model.centers[1])).iloc[0]
    assert near_1["group"] == 1
    assert near_1["probability"] > 0.5
    assert "group and probability disagree" in near_1["warnings"]


def test_between_the_centers_is_indeterminate(model, tables):
    middle = (model.centers[0] + model.centers[1]) / 2
    near = middle + 0.04 * (model.centers[1] - model.centers[0])
    clear = middle + 0.2 * (model.centers[1] - model.centers[0])
    assert "indeterminate" in predict(model, at(model, tables, near))["warnings"][0]
    assert predict(model, at(model, tables, near), PredictSettings(indeterminate_margin=0.05))["warnings"][0] == ""
    assert predict(model, at(model, tables, clear))["warnings"][0] == ""


def test_far_outside_is_told(model, tables):
    z = model.centers[1].copy()
    z[2] = model.z_high[2] + 3.5
    warning = predict(model, at(model, tables, z))["warnings"][0]
    assert f"far outside the training data ({model.feature_names[2]} at {z[2]:+.1f} SD)" in warning
    z = model.z_low - 1.0
    assert "farther from its center" in predict(model, at(model, tables, z))["warnings"][0]


def test_training_nodes_are_never_far_outside(model, tables):
    assert not predict(model, tables())["warnings"].str.contains("far outside").any()


def test_withholding(model, tables):
    reason = withheld_reason(model, is_synthetic_input=False, allow_synthetic_model=False)
    assert "synthetic" in reason
    assert withheld_reason(model, is_synthetic_input=True, allow_synthetic_model=False) == ""
    assert withheld_reason(model, is_synthetic_input=False, allow_synthetic_model=True) == ""
    found = predict(model, tables(12), withheld=reason)
    assert found["group"].isna().all()
    assert found["score"].isna().all()
    assert (found["warnings"] == reason).all()
    calls = apply_patient_rule(found)
    assert (calls["call"] == "not evaluable").all()
    assert calls["warnings"].str.contains(reason, regex=False).all()


def test_a_real_model_is_never_withheld(tables):
    real = train(tables(), is_synthetic=False)
    assert withheld_reason(real, is_synthetic_input=False, allow_synthetic_model=False) == ""


def nodes(*rows):
    """Predictions from (patient, node, group, score, probability); a group of None is not evaluable."""
    frame = pd.DataFrame(
        [
            {"patient_id": p, "node_id": n, "label": i, "group": g, "score": s, "probability": q, "warnings": "" if g else "why"}
            for i, (p, n, g, s, q) in enumerate(rows, start=1)
        ],
        columns=list(PREDICTION_COLUMNS),
    )
    return frame.astype({"group": "Int64", "score": float, "probability": float})


THREE = nodes(
    ("P1", "R01", 2, 1.5, 0.9), ("P1", "R02", 1, -2.0, 0.2), ("P1", "L01", 1, -1.0, 0.5), ("P1", "L02", None, None, None)
)
SIDES = {("P1", name): name[0] for name in ("R01", "R02", "L01", "L02")}


@pytest.mark.parametrize(
    ("rule", "call", "score", "text"),
    [
        (PatientRule(), "metastatic", 1.5, "any"),
        (PatientRule("at_least_k", k=2), "benign", -1.0, "at_least_2"),
        (PatientRule("at_least_k", k=1), "metastatic", 1.5, "at_least_1"),
        (PatientRule("at_least_k", k=4), "benign", np.nan, "at_least_4"),
        (PatientRule("share"), "metastatic", 1 / 3, "share>=0.25"),
        (PatientRule("share", min_share=0.5), "benign", 1 / 3, "share>=0.5"),
        (PatientRule("max_score"), "metastatic", 1.5, "max_score>0"),
        (PatientRule("max_score", min_score=2.0), "benign", 1.5, "max_score>2"),
        (PatientRule("noisy_or"), "metastatic", 0.96, "noisy_or>=0.5"),
        (PatientRule("noisy_or", min_noisy_or=0.97), "benign", 0.96, "noisy_or>=0.97"),
    ],
)
def test_rules(rule, call, score, text):
    found = apply_patient_rule(THREE, rule)
    assert tuple(found.columns) == PATIENT_COLUMNS
    row = found.iloc[0]
    assert (row["call"], row["rule"], row["n_nodes"], row["n_not_evaluable"]) == (call, text, 4, 1)
    assert row["score"] == pytest.approx(score, nan_ok=True)
    assert "1 of 4 nodes not evaluable" in row["warnings"]
    assert "operated side unknown: nodes of both sides counted together" in row["warnings"]


def test_only_the_operated_side_counts():
    found = apply_patient_rule(THREE, node_sides=SIDES, operated_sides={"P1": "L"})
    assert found[["side", "call", "score", "n_nodes", "n_not_evaluable"]].values.tolist() == [["L", "benign", -1.0, 2, 1]]
    assert "unknown" not in found["warnings"][0]


def test_without_operated_side_each_side_has_a_row():
    found = apply_patient_rule(THREE, node_sides=SIDES)
    assert found[["side", "call"]].values.tolist() == [["R", "metastatic"], ["L", "benign"]]
    assert (found["warnings"].str.contains("operated side unknown")).all()


def test_a_side_without_evaluable_node_is_not_evaluable():
    frame = nodes(("P1", "R01", None, None, None))
    found = apply_patient_rule(frame, node_sides={("P1", "R01"): "R"})
    assert found["call"].tolist() == ["not evaluable", "not evaluable"]
    assert found["score"].isna().all()
    assert found["warnings"].tolist() == ["operated side unknown; why", "operated side unknown; no node found"]


def test_patients_without_any_node_are_listed():
    found = apply_patient_rule(THREE, node_sides=SIDES, operated_sides={"P1": "R", "P2": "L"}, patient_ids=["P2", "P1"])
    assert found["patient_id"].tolist() == ["P1", "P2"]
    assert found.iloc[1][["side", "call", "n_nodes", "warnings"]].tolist() == ["L", "not evaluable", 0, "no node found"]


def test_why_a_patient_has_no_nodes():
    found = apply_patient_rule(THREE, patient_ids=["P2"], reasons={"P2": "the CT could not be read"})
    assert "the CT could not be read" in found["warnings"][1]
    assert "no node found" not in found["warnings"][1]


def test_an_unknown_node_side_is_refused_when_needed():
    with pytest.raises(InputRefusedError, match="side of node L02 is not known"):
        apply_patient_rule(THREE, node_sides={k: v for k, v in SIDES.items() if k[1] != "L02"}, operated_sides={"P1": "R"})
    with pytest.raises(InputRefusedError, match="operated side is one of"):
        apply_patient_rule(THREE, node_sides=SIDES, operated_sides={"P1": "left"})


def test_missing_columns_are_refused():
    with pytest.raises(InputRefusedError, match="group missing"):
        apply_patient_rule(THREE.drop(columns="group"))


def test_node_warnings_reach_the_patient():
    frame = THREE.assign(warnings=["indeterminate: score near zero", "far outside the training data (x at +9.0 SD)", "", "why"])
    assert "1 of 3 nodes indeterminate; 1 of 3 nodes far outside the training data" in apply_patient_rule(frame)["warnings"][0]


def test_the_same_from_a_file(model, tables):
    """A table read back from CSV (empty cells become NaN) gives the same calls."""
    found = predict(model, tables(30, seed=8))
    again = pd.read_csv(io.StringIO(found.to_csv(index=False)))
    pd.testing.assert_frame_equal(apply_patient_rule(found), apply_patient_rule(again), check_exact=True)


@pytest.mark.parametrize("wrong", [{"name": "most"}, {"k": 0}, {"min_share": 0.0}, {"min_noisy_or": 1.5}])
def test_rules_are_checked(wrong):
    with pytest.raises(InvalidValueError):
        PatientRule(**wrong)


@pytest.mark.parametrize("wrong", [{"indeterminate_margin": 1.0}, {"far_sd": -1.0}])
def test_predict_settings_are_checked(wrong):
    with pytest.raises(InvalidValueError):
        PredictSettings(**wrong)
