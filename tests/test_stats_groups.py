"""Comparisons of groups against published worked examples and R 4.2.2."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from axilla import stats
from axilla.errors import InvalidValueError

WEIGHTS = [148, 154, 158, 160, 161, 162, 166, 170, 182, 195, 236]
"""Of eleven men, in pounds: the example of Shapiro and Wilk, Biometrika 1965;52:591-611, section 4."""

SPRAYS = [
    [10, 7, 20, 14, 14, 12, 10, 23, 17, 20, 14, 13],
    [11, 17, 21, 11, 16, 14, 17, 17, 19, 21, 7, 13],
    [0, 1, 7, 2, 3, 1, 2, 1, 3, 0, 1, 4],
    [3, 5, 12, 6, 4, 3, 5, 5, 5, 5, 2, 4],
    [3, 5, 3, 5, 3, 6, 1, 1, 3, 2, 6, 4],
    [11, 9, 15, 22, 15, 16, 13, 10, 26, 26, 24, 13],
]
"""Insects counted under six sprays (Beall G, Biometrika 1942;32:243-262), the example in R's help on ``bartlett.test``."""

NORMAL = norm.ppf((np.arange(60) + 0.5) / 60) * 10 + 50
LIKE_IT = norm.ppf((np.arange(40) + 0.5) / 40) * 11 + 54
WIDER = norm.ppf((np.arange(40) + 0.5) / 40) * 25 + 54
SKEWED = np.arange(60) ** 2 % 97


def test_shapiro_wilk_is_published_and_r() -> None:
    """Published W = 0.79; R: ``shapiro.test(c(148, 154, ...))``."""
    found = stats.shapiro_wilk(WEIGHTS)
    assert round(found.statistic, 2) == 0.79
    assert found.statistic == pytest.approx(0.78881469483538735, abs=1e-7)
    assert found.p_value == pytest.approx(0.0067038140565029254, rel=1e-5)


def test_shapiro_wilk_of_more_values_is_r() -> None:
    """R: ``shapiro.test(((0:199)*37) %% 101 / 10)``."""
    found = stats.shapiro_wilk(np.arange(200) * 37 % 101 / 10)
    assert found.statistic == pytest.approx(0.95373044657217698, abs=1e-7)
    assert found.p_value == pytest.approx(4.3933006589322008e-06, rel=1e-4)


def test_bartlett_is_published_and_r() -> None:
    """R's help prints K-squared = 25.96, P = 9.085e-05 for ``bartlett.test(count ~ spray, InsectSprays)``."""
    found = stats.bartlett(SPRAYS)
    assert (round(found.statistic, 2), f"{found.p_value:.3e}") == (25.96, "9.085e-05")
    assert found.statistic == pytest.approx(25.959825320368687, rel=1e-12)
    assert found.p_value == pytest.approx(9.0851223329453131e-05, rel=1e-10)


def test_bartlett_of_groups_of_other_sizes_is_r() -> None:
    found = stats.bartlett([WEIGHTS[:6], WEIGHTS[6:], [101, 103, 150, 171]])
    assert found.statistic == pytest.approx(10.437290862953267, rel=1e-12)
    assert found.p_value == pytest.approx(0.0054146586873466407, rel=1e-10)


@pytest.mark.parametrize(
    ("first", "second", "method", "p_value"),
    [
        (NORMAL, LIKE_IT, "Student's t", 0.062053262092934033),  # t.test(a, b, var.equal = TRUE)
        (NORMAL, WIDER, "Welch's t", 0.33948081634881733),  # t.test(a, d)
        (SKEWED, LIKE_IT, "Mann-Whitney", 0.70659196139269631),  # wilcox.test(e, b, exact = FALSE)
    ],
)
def test_the_distributions_decide_the_test_and_it_is_r(first, second, method, p_value) -> None:
    """R: ``a <- qnorm((0:59+0.5)/60)*10+50; b <- qnorm((0:39+0.5)/40)*11+54; d`` as b with 25; ``e <- ((0:59)^2) %% 97``."""
    found = stats.compare_numbers(first, second)
    assert found.method == method
    assert found.p_value == pytest.approx(p_value, rel=1e-9)


@pytest.mark.parametrize(
    ("counts", "method", "p_value"),
    [
        ([[97, 259], [31, 91]], "Fisher", 0.72381637082191674),  # fisher.test(matrix(c(97, 259, 31, 91), 2))
        ([[17, 99, 12], [2, 280, 68]], "chi-square", 3.0325551458306548e-10),  # chisq.test(rbind(...), correct = FALSE)
        ([[17, 0, 99, 12], [2, 0, 280, 68]], "chi-square", 3.0325551458306548e-10),  # nobody has the second category
    ],
)
def test_counts_are_compared_as_r_does(counts, method, p_value) -> None:
    """The second table is the histological grade of cN0 and cN+ in Qu et al. 2024, Table 1."""
    found = stats.compare_counts(counts)
    assert found.method == method
    assert found.p_value == pytest.approx(p_value, rel=1e-9)


@pytest.mark.parametrize(
    ("counts", "p_value"),
    [
        ([[121, 5, 1, 1], [335, 11, 2, 2]], 0.88133805365828377),  # pathological type of cN0 and cN+, Qu et al. 2024, Table 1
        ([[53, 71, 4], [87, 242, 21]], 0.0021036159190584692),  # T stage, there
        ([[3, 0, 4], [1, 6, 2]], 0.0220279720279721),
        ([[5, 2, 0, 1, 9], [1, 7, 3, 3, 2]], 0.0047819893109472067),
        ([[10, 2, 0, 3, 8, 1], [4, 9, 6, 2, 5, 7]], 0.0024746034902943617),
        ([[3, 1], [0, 6], [4, 2]], 0.0220279720279721),  # the third, turned
    ],
)
def test_larger_tables_are_counted_as_r_does(counts, p_value) -> None:
    """R 4.2.2: ``fisher.test(rbind(...), workspace = 2e8)$p.value``."""
    found = stats.fisher(counts)
    assert found.method == "Fisher"
    assert found.p_value == pytest.approx(p_value, rel=1e-9)


@pytest.mark.parametrize(
    ("counts", "p_value"),
    [
        ([[1, 3, 10, 6], [2, 3, 10, 7], [1, 6, 14, 12], [0, 1, 9, 11]], 0.78268493896563884),
        ([[4, 0, 1], [2, 3, 2], [0, 5, 1]], 0.033182503770738836),
    ],
)
def test_too_many_tables_are_drawn_and_said_so(counts, p_value) -> None:
    """R 4.2.2: ``fisher.test``; the first is its example ``Job`` (Agresti 2002, p. 57), P = 0.7827."""
    found = stats.fisher(counts, seed=3)
    assert found.method == "Fisher, 99999 tables drawn, seed 3"
    assert found == stats.fisher(counts, seed=3)
    assert abs(found.p_value - p_value) < 4 * np.sqrt(p_value * (1 - p_value) / stats.groups.DRAWN_TABLES)


def test_drawn_tables_agree_with_counted_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = [[5, 2, 0, 1, 9], [1, 7, 3, 3, 2]]
    counted = stats.fisher(counts)
    monkeypatch.setattr(stats.groups, "MOST_TABLES", 10)
    drawn = stats.fisher(counts)
    assert "drawn" in drawn.method
    assert drawn.statistic == pytest.approx(counted.statistic, rel=1e-9)
    assert drawn.p_value == pytest.approx(counted.p_value, abs=0.001)


@pytest.mark.parametrize(
    ("counts", "method"),
    [
        ([[20, 20, 20], [20, 20, 20]], "chi-square"),
        ([[20, 20, 4], [20, 20, 5]], "Fisher"),  # 2 of 6 cells expect 4.5
        ([[40, 20, 20, 20, 4], [40, 20, 20, 20, 5]], "chi-square"),  # 2 of 10
        ([[40, 20, 20, 20, 1], [40, 20, 20, 20, 0]], "Fisher"),  # one expects 0.5
    ],
)
def test_few_expected_counts_decide_for_fisher(counts, method) -> None:
    assert stats.compare_counts(counts).method == method


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=4))
@settings(deadline=None)
def test_counted_probabilities_hold_all_tables(columns: list[tuple[int, int]]) -> None:
    """A naive sum over every table with the margins gives the same P value."""
    table = np.array([column for column in columns if sum(column)], dtype=np.int64).reshape(-1, 2).T
    assume(table.shape[1] > 2 and (table.sum(axis=1) > 0).all())
    sizes, first = table.sum(axis=0), table[0]
    ways = math.comb(int(sizes.sum()), int(first.sum()))
    probabilities = [
        math.prod(map(math.comb, sizes.tolist(), choice)) / ways
        for choice in itertools.product(*(range(size + 1) for size in sizes))
        if sum(choice) == first.sum()
    ]
    observed = math.prod(map(math.comb, sizes.tolist(), first.tolist())) / ways
    assert sum(probabilities) == pytest.approx(1)
    found = stats.fisher(table)
    assert found.statistic == pytest.approx(observed)
    assert found.p_value == pytest.approx(sum(p for p in probabilities if p <= observed * (1 + 1e-7)))


def test_what_cannot_be_tested_does_not_pass_for_normal() -> None:
    assert stats.are_normal([NORMAL, LIKE_IT])
    assert not stats.are_normal([NORMAL, SKEWED])
    assert not stats.are_normal([NORMAL, [1.0, 2.0]])
    assert not stats.are_normal([NORMAL, [4.0] * 9])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: stats.shapiro_wilk([1, 2]), "normality"),
        (lambda: stats.shapiro_wilk([3, 3, 3]), "normality"),
        (lambda: stats.bartlett([[1, 2]]), "equal variances"),
        (lambda: stats.bartlett([[1, 2], [5, 5]]), "equal variances"),
        (lambda: stats.compare_numbers([], [1.0]), "values in both"),
        (lambda: stats.compare_counts([[1, 2], [0, 0]]), "two groups"),
        (lambda: stats.compare_counts([[1, 0], [2, 0]]), "two categories"),
    ],
)
def test_refusals(call, said) -> None:
    with pytest.raises(InvalidValueError, match=said):
        call()


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (WEIGHTS[:6], WEIGHTS[6:], (1.5530619539426549, 0.2003983862873826, 2.905725521597927)),
        (SPRAYS[0], SPRAYS[2], (-3.3139274268925449, -4.5464638789100871, -2.0813909748750028)),
    ],
)
def test_hedges_g_is_its_formula_in_r(first, second, expected) -> None:
    """R: ``s <- sqrt(((n1-1)*var(a)+(n2-1)*var(b))/(n1+n2-2)); g <- (1-3/(4*(n1+n2)-9))*(mean(b)-mean(a))/s;``
    ``se <- sqrt((n1+n2)/(n1*n2)+g^2/(2*(n1+n2))); g + c(0,-1,1)*qnorm(.975)*se``.
    """
    found = stats.hedges_g(first, second)
    assert (found.estimate, found.low, found.high) == pytest.approx(expected, rel=1e-12)


def test_holm_is_r() -> None:
    """R: ``p.adjust(c(0.01, 0.04, 0.03, 0.005, 0.6, 0.04), method = "holm")``."""
    assert stats.holm([0.01, 0.04, 0.03, 0.005, 0.6, 0.04]) == pytest.approx([0.05, 0.12, 0.12, 0.03, 0.6, 0.12], abs=1e-15)
    assert stats.holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert stats.holm([]).size == 0


def test_impossible_effects_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="standardized difference"):
        stats.hedges_g([1.0, 1.0], [1.0, 1.0])
    with pytest.raises(InvalidValueError, match="standardized difference"):
        stats.hedges_g([1.0], [1.0, 2.0])
    with pytest.raises(InvalidValueError, match="P values"):
        stats.holm([0.5, 1.5])


def test_hedges_g_drawn_by_patient_is_that_of_each_resample() -> None:
    """Against the plain way: the rows of the drawn patients put together, and g computed anew."""
    rng = np.random.default_rng(1)
    patient = np.repeat(np.arange(8), 6)
    second = rng.random(48) < 0.4
    values = rng.normal(100, 3, (48, 2)) + np.outer(second, [2, -1])
    draws = stats.patient_draws(np.zeros(8), 200, rng)
    found = stats.bootstrap_hedges_g(values, second, patient, draws)
    for column in range(2):
        plain = []
        for draw in draws:
            rows = np.concatenate([np.flatnonzero(patient == p) for p in np.repeat(np.arange(8), draw)])
            drawn, is_second = values[rows, column], second[rows]
            plain.append(stats.hedges_g(drawn[~is_second], drawn[is_second]).estimate)
        assert found[:, column] == pytest.approx(np.quantile(plain, (0.025, 0.975)), abs=1e-10)


def test_hedges_g_drawn_by_patient_is_not_told_where_it_cannot_be() -> None:
    patient, second = np.arange(6), np.array([0, 0, 0, 0, 0, 1], dtype=bool)
    draws = stats.patient_draws(np.zeros(6), 200, np.random.default_rng(1))
    values = np.column_stack([np.arange(6.0), np.ones(6)])
    assert np.isnan(stats.bootstrap_hedges_g(values[:, 1:], np.arange(6) % 2 == 0, patient, draws)).all()  # does not vary
    assert np.isnan(stats.bootstrap_hedges_g(values, second, patient, draws)).all()  # one case is no group
