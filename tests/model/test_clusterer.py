"""The estimator obeys scikit-learn's rules, and its parts do what they say."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.utils.estimator_checks import parametrize_with_checks

from axilla.model import AxillaClusterer, registry_order
from axilla.model._selection import drop_correlated, is_constant


@parametrize_with_checks([AxillaClusterer()])
def test_obeys_scikit_learn(estimator, check):
    check(estimator)


def two_blobs(n=80, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    x[: n // 2] += 3
    return x * [1, 10, 100, 1000] + 5


def test_labels_are_those_of_kmeans_on_z_scores():
    x = two_blobs()
    z = (x - x.mean(axis=0)) / x.std(axis=0, ddof=1)
    found = AxillaClusterer(random_state=0).fit(x)
    expected = KMeans(2, n_init=50, random_state=0).fit(z[:, found.kept_])
    agreement = np.mean(found.labels_ == expected.labels_)
    assert agreement in (0.0, 1.0)
    assert found.inertia_ == pytest.approx(expected.inertia_, rel=1e-12)
    assert found.score(x) == pytest.approx(-found.inertia_, rel=1e-9)


def test_predict_on_training_data_gives_the_labels():
    x = two_blobs()
    found = AxillaClusterer(random_state=0).fit(x)
    assert (found.predict(x) == found.labels_).all()
    assert found.transform(x).shape == (80, 2)
    assert set(found.labels_) == {0, 1}


def test_same_seed_same_bits():
    x = two_blobs()
    first, second = (AxillaClusterer(random_state=7).fit(x) for _ in range(2))
    assert first.cluster_centers_.tobytes() == second.cluster_centers_.tobytes()


def test_constant_columns_are_dropped():
    x = np.column_stack([two_blobs(), np.full(80, 0.1 + 0.2), np.zeros(80)])
    found = AxillaClusterer(random_state=0).fit(x)
    assert found.constant_.tolist() == [False] * 4 + [True, True]
    assert not set(found.kept_) & {4, 5}


def test_all_constant_is_refused():
    with pytest.raises(ValueError, match="constant"):
        AxillaClusterer().fit(np.ones((9, 3)))


def test_constant_up_to_rounding():
    values = np.array([[1e8, 1.0], [1e8 + 1e-3, 2.0]])
    assert is_constant(values).tolist() == [True, False]


# a and b are copies, c the negative of a, d independent, e between a and d.
A = np.array([-2.0, -1, 0, 1, 2])
D = np.array([1.0, -2, 2, -2, 1])
COLUMNS = np.column_stack([A, 2 * A + 1, -A, D, 10 * A + D])


@pytest.mark.parametrize(
    ("keep", "kept", "because"),
    [
        ("first", [0, 3], {1: 0, 2: 0, 4: 0}),
        ("last", [3, 4], {0: 4, 1: 4, 2: 4}),
        ("least_correlated", [0, 3], {1: 0, 2: 0, 4: 0}),
    ],
)
def test_correlated_columns(keep, kept, because):
    found, why = drop_correlated(COLUMNS, 0.9, keep)
    assert found.tolist() == kept
    assert why == because


def test_a_correlation_at_the_threshold_stays():
    r = float(np.corrcoef(COLUMNS[:, 4], D)[0, 1])
    columns = np.column_stack([COLUMNS[:, 4], D])
    assert drop_correlated(columns, abs(r) + 1e-12, "first")[0].tolist() == [0, 1]
    assert drop_correlated(columns, abs(r) - 1e-12, "first")[0].tolist() == [0]


def test_registry_order_is_the_tables(shared):
    names = (shared / "reference" / "feature_names.txt").read_text().split()
    assert registry_order(sorted(names, reverse=True)) == tuple(names)


def test_registry_order_puts_the_unknown_last():
    names = ["wavelet-LLH_glcm_Idn", "original_glcm_Idn", "age", "original_shape_Sphericity"]
    assert registry_order(names) == ("original_shape_Sphericity", "original_glcm_Idn", "age", "wavelet-LLH_glcm_Idn")
