"""Training: what enters, what is refused, and that nothing else can reach the model."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axilla.errors import InputRefusedError, InvalidValueError
from axilla.model import VOTERS, ModelSettings, fit_mixture, model_to_dict, predict, train
from axilla.table import FeatureTable


def text(model):
    return json.dumps(model_to_dict(model), allow_nan=False)


@pytest.fixture(scope="module")
def model(tables):
    return train(tables(), is_synthetic=False, feature_settings={"bin_width_hu": 25.0})


def test_groups_are_named_by_the_vote(model):
    assert [vote.feature for vote in model.votes] == list(VOTERS)
    assert all(vote.agrees for vote in model.votes)
    for vote in model.votes:
        assert (vote.mean_z_2 > vote.mean_z_1) == (vote.expected == "higher")
    assert model.provenance.n_group_1 == pytest.approx(72, abs=3)


def test_provenance(model):
    provenance = model.provenance
    assert (provenance.n_nodes, provenance.n_patients, provenance.n_not_evaluable) == (120, 20, 0)
    assert provenance.feature_settings == {"bin_width_hu": 25.0}
    assert set(provenance.versions) == {"axilla", "numpy", "scikit-learn"}
    assert not provenance.is_synthetic
    assert model.warnings == ()


def test_dropped_features_are_named_with_their_reason(model):
    assert model.dropped == {
        "original_firstorder_Energy": "correlated with original_shape_MeshVolume (r = 1.000)",
    }
    assert "original_firstorder_Energy" in model.group_means


def test_keep_last_keeps_the_other(tables):
    model = train(tables(), ModelSettings(keep="last"), is_synthetic=False)
    assert list(model.dropped) == ["original_shape_MeshVolume"]


def test_constant_features_are_named(tables):
    frame = tables().frame.assign(original_firstorder_Mean=7.5)
    model = train(FeatureTable(frame), is_synthetic=False)
    assert model.dropped["original_firstorder_Mean"] == "constant (7.5)"
    assert "original_firstorder_Mean" not in model.group_means


def test_z_scores_have_mean_0_and_sample_sd_1(model, tables):
    z = model.z_scores(tables().values(model.feature_names))
    assert np.abs(z.mean(axis=0)).max() < 1e-12
    assert np.abs(z.std(axis=0, ddof=1) - 1).max() < 1e-12
    assert np.allclose(z.min(axis=0), model.z_low)
    assert np.allclose(z.max(axis=0), model.z_high)


def test_order_of_rows_and_columns_does_not_matter(model, tables):
    frame = tables().frame
    shuffled = frame.sample(frac=1, random_state=3)[[*frame.columns[:3], *sorted(frame.columns[3:-2]), *frame.columns[-2:]]]
    assert text(train(FeatureTable(shuffled), is_synthetic=False, feature_settings={"bin_width_hu": 25.0})) == text(model)


def test_no_bit_of_the_model_depends_on_validation(tables):
    """Leak test: validation rows are changed between the runs; the model trained on the rest stays the same, bit by bit."""
    validation = ["P0001", "P0011", "P0020"]
    whole = tables(150).frame
    training = [p for p in whole["patient_id"].unique() if p not in validation]
    texts = []
    for factor in (1.0, -40.0):
        frame = whole.copy()
        rows = frame["patient_id"].isin(validation)
        frame.loc[rows, list(VOTERS)] *= factor
        table = FeatureTable(frame)
        model = train(table.select(training), is_synthetic=False)
        predict(model, table.select(validation))
        texts.append(text(model))
    assert texts[0] == texts[1]


def test_a_changed_training_value_changes_the_fingerprint(model, tables):
    frame = tables().frame.copy()
    frame.loc[5, "original_firstorder_Mean"] *= 1 + 1e-15
    changed = train(FeatureTable(frame), is_synthetic=False)
    assert changed.provenance.data_sha256 != model.provenance.data_sha256


def test_rows_without_features_are_counted_and_left_out(tables):
    frame = tables().frame.copy()
    frame.loc[3, "original_firstorder_Mean"] = np.nan
    frame.loc[3, ["feature_status", "reason"]] = ["nonfinite", "original_firstorder_Mean"]
    model = train(FeatureTable(frame), is_synthetic=False)
    assert (model.provenance.n_nodes, model.provenance.n_not_evaluable) == (119, 1)


def test_warnings(tables):
    model = train(tables(60), is_synthetic=True)
    assert len(model.warnings) == 2
    assert "synthetic" in model.warnings[0]
    assert "only 60 nodes of 10 patients" in model.warnings[1]


def test_split_off_outliers_are_warned_about(tables):
    frame = tables(200, effect=0.0).frame.copy()
    for name, way in VOTERS.items():
        frame.loc[:1, name] += (1 if way == "higher" else -1) * 100 * frame[name].std()
    assert any("outliers" in warning for warning in train(FeatureTable(frame), is_synthetic=False).warnings)


def test_too_few_nodes_are_refused(tables):
    with pytest.raises(InputRefusedError, match="at least 10 nodes with features for training, got 9 of 9"):
        train(tables(9), is_synthetic=False)


def test_missing_voters_are_refused_by_name(tables):
    frame = tables().frame.drop(columns=["original_glcm_Idm"])
    with pytest.raises(InputRefusedError, match="lacks original_glcm_Idm"):
        train(FeatureTable(frame), is_synthetic=False)


def test_tables_of_other_tools_with_fewer_features_are_enough(tables):
    frame = tables().frame[["patient_id", "node_id", "label", *VOTERS, "feature_status", "reason"]]
    assert set(train(FeatureTable(frame), is_synthetic=False).feature_names) == set(VOTERS)


def test_constant_nodes_are_refused(tables):
    frame = tables().frame.copy()
    frame.iloc[:, 3:-2] = 1.0
    with pytest.raises(InputRefusedError, match="constant"):
        train(FeatureTable(frame), is_synthetic=False)


def test_too_few_features_are_refused(tables):
    frame = tables().frame.copy()
    for name in frame.columns[3:-2]:
        frame[name] = frame["original_glcm_Idn"] * 2
    with pytest.raises(InputRefusedError, match="at least 2 features that vary"):
        train(FeatureTable(frame), is_synthetic=False)


def test_values_too_large_are_refused(tables):
    frame = tables().frame.copy()
    frame["original_firstorder_Mean"] = np.where(np.arange(120) % 2, 1e200, -1e200)
    with pytest.raises(InputRefusedError, match="too large"), np.errstate(over="ignore"):
        train(FeatureTable(frame), is_synthetic=False)


def turn(frame: pd.DataFrame, names: list[str]) -> FeatureTable:
    return FeatureTable(frame.assign(**{name: -frame[name] for name in names}))


def test_an_unclear_vote_is_refused(tables):
    turned = turn(tables().frame, ["original_glcm_Idn", "original_glcm_Idm"])
    with pytest.raises(InputRefusedError, match="unclear which group is metastatic: 3 of 5 features agree, 4 are asked for"):
        train(turned, is_synthetic=False)


def test_one_dissenting_feature_is_outvoted_and_written_down(tables):
    model = train(turn(tables().frame, ["original_glcm_Idn"]), is_synthetic=False)
    assert [vote.agrees for vote in model.votes] == [True, True, False, True, True]


def test_a_feature_without_effect_abstains(tables):
    frame = tables().frame.copy()
    rng = np.random.default_rng(4)
    frame["original_glcm_Idm"] = rng.permutation(np.tile([-1.0, 1.0], 60))
    model = train(FeatureTable(frame), ModelSettings(min_vote_effect=0.5), is_synthetic=False)
    assert [vote.agrees for vote in model.votes] == [True, True, True, None, True]


def test_turning_all_voters_turns_the_groups(tables):
    table = tables()
    first, second = train(table, is_synthetic=False), train(turn(table.frame, list(VOTERS)), is_synthetic=False)
    assert first.provenance.n_group_1 > first.provenance.n_group_2
    assert (second.provenance.n_group_2, second.provenance.n_group_1) == (first.provenance.n_group_1, first.provenance.n_group_2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"correlation_threshold": 0.0},
        {"keep": "best"},
        {"n_init": 10},
        {"seed": -1},
        {"min_votes": 2},
        {"min_nodes": 1},
    ],
)
def test_settings_are_checked(wrong):
    with pytest.raises(InvalidValueError):
        ModelSettings(**wrong)


class TestMixture:
    def test_two_clear_components_are_found(self):
        rng = np.random.default_rng(0)
        scores = np.concatenate([rng.normal(-3, 1, 700), rng.normal(4, 1, 300)])
        mixture = fit_mixture(scores, scores > 0)
        assert mixture.mean_1 == pytest.approx(-3, abs=0.15)
        assert mixture.mean_2 == pytest.approx(4, abs=0.2)
        assert mixture.sd == pytest.approx(1, abs=0.1)
        assert mixture.weight_2 == pytest.approx(0.3, abs=0.03)

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.floats(-20, 20), min_size=6, max_size=30, unique=True))
    def test_probability_never_falls_with_the_score(self, values):
        scores = np.array(sorted(values))
        mixture = fit_mixture(scores, np.arange(scores.size) >= scores.size // 2)
        probability = mixture.probability(np.linspace(-30, 30, 200))
        assert ((probability >= 0) & (probability <= 1)).all()
        assert (np.diff(probability) >= 0).all()

    def test_it_is_a_fixed_point_of_expectation_maximization(self):
        scores = np.array([-5.0, -4, -3.5, -1, 0.5, 2, 3, 4.5])
        mixture = fit_mixture(scores, scores > 0)
        share = mixture.probability(scores)
        assert share.mean() == pytest.approx(mixture.weight_2, abs=1e-6)
        assert (share * scores).sum() / share.sum() == pytest.approx(mixture.mean_2, abs=1e-6)
