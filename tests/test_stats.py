"""Statistics against the paper's printed figures, published worked examples, R and statsmodels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from axilla import stats
from axilla.errors import InvalidValueError

NODE_TRUTH = np.repeat([True, True, False, False], [368, 88, 105, 836])
NODE_GROUP = np.repeat([2, 1, 2, 1], [368, 88, 105, 836])


def cut(value: float, digits: int) -> float:
    """The value cut, not rounded, after some digits: how the paper prints its AUC."""
    return np.floor(value * 10**digits) / 10**digits


class TestPaper:
    """Every (arith) line of Qu et al. 2024, from its counts, to the printed digit."""

    @pytest.mark.parametrize(
        ("successes", "n", "printed"),
        [
            (368 + 836, 1397, 86.18),
            (368, 456, 80.70),
            (836, 941, 88.84),
            (836, 924, 90.48),
            (368, 473, 77.80),
            (28 + 83, 128, 86.72),
            (28, 38, 73.68),
            (83, 90, 92.22),
            (7, 90, 7.78),
            (10, 38, 26.32),
            (216 + 90, 350, 87.43),
            (216, 227, 95.15),
            (90, 123, 73.17),
            (33, 123, 26.83),
            (11, 227, 4.85),
            (90, 128, 70.31),
            (227, 350, 64.86),
        ],
    )
    def test_proportions(self, successes, n, printed):
        assert round(100 * stats.wilson(successes, n).estimate, 2) == printed

    def test_auc_is_of_the_hard_label(self):
        area = stats.auc(NODE_TRUTH, NODE_GROUP)
        assert area == pytest.approx((368 / 456 + 836 / 941) / 2, abs=1e-15)
        assert round(area, 5) == 0.84772
        assert cut(area, 3) == 0.847

    def test_interval_is_newcombes_method_4(self):
        interval = stats.newcombe_auc(stats.auc(NODE_TRUTH, NODE_GROUP), 456, 941)
        assert (round(interval.low, 4), round(interval.high, 4)) == (0.8259, 0.8696)
        assert (cut(interval.low, 3), cut(interval.high, 3)) == (0.825, 0.869)

    def test_delong_on_the_hard_label(self):
        interval = stats.delong(NODE_TRUTH, NODE_GROUP)
        assert (round(interval.low, 4), cut(interval.high, 4)) == (0.8270, 0.8684)

    def test_mcnemar_against_clinical_assessment(self):
        assert f"{stats.mcnemar_exact(28, 7):.2e}" == "5.08e-04"
        assert f"{stats.mcnemar_exact(90, 11):.2e}" == "1.42e-16"

    def test_an_unpaired_test_would_say_something_else(self):
        """Model 111 right and 17 wrong, clinic 90 and 38: Yates' chi-square, which FACTS.md gives to tell the paper's test."""
        assert f"{chi2_contingency([[111, 17], [90, 38]]).pvalue:.1e}" == "2.3e-03"

    @pytest.mark.parametrize(
        ("discordant", "difference", "low", "high"),
        [((83, 28, 7, 10), 21 / 128, 0.0757, 0.2511), ((216, 90, 11, 33), 79 / 350, 0.1740, 0.2768)],
    )
    def test_differences_to_the_clinic_are_those_of_the_tables(self, discordant, difference, low, high):
        """The difference of the printed CCRs (86.72 - 70.31, 87.43 - 64.86), with Newcombe's paired interval."""
        interval = stats.newcombe_paired(*discordant)
        assert interval.estimate == pytest.approx(difference, abs=1e-15)
        assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


class TestProportions:
    @settings(deadline=None)
    @given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
    def test_wilson_is_statsmodels(self, case):
        successes, n = case
        interval = stats.wilson(successes, n)
        assert (interval.low, interval.high) == pytest.approx(proportion_confint(successes, n, method="wilson"), abs=1e-12)
        assert interval.low <= interval.estimate <= interval.high

    @pytest.mark.parametrize(
        ("counts", "low", "high"),
        [
            ((28, 38), 0.57991153812533647, 0.85028378745201849),
            ((368, 456), 0.76829182823934039, 0.84061368610485510),
            ((836, 941), 0.86669938999719309, 0.90697538176017589),
        ],
    )
    def test_wilson_is_r(self, counts, low, high):
        """R 4.2.2: ``prop.test(x, n, correct = FALSE)$conf.int``."""
        interval = stats.wilson(*counts)
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-10)

    @pytest.mark.parametrize(
        ("counts", "low", "high"),
        [((56, 70, 48, 80), 0.0524, 0.3339), ((9, 10, 3, 10), 0.1705, 0.8090), ((10, 10, 0, 20), 0.6791, 1.0)],
    )
    def test_newcombe_independent_is_published(self, counts, low, high):
        """Newcombe, Stat Med 1998;17:873-890, Table II, method 10, examples (a), (b) and (h)."""
        interval = stats.newcombe_independent(*counts)
        assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)

    @settings(deadline=None)
    @given(*[st.integers(1, 80)] * 2, st.data())
    def test_newcombe_independent_is_statsmodels(self, n_1, n_2, data):
        successes = data.draw(st.integers(0, n_1)), data.draw(st.integers(0, n_2))
        interval = stats.newcombe_independent(successes[0], n_1, successes[1], n_2)
        expected = confint_proportions_2indep(successes[0], n_1, successes[1], n_2, method="newcomb")
        assert (interval.low, interval.high) == pytest.approx(expected, abs=1e-10)

    @pytest.mark.parametrize(
        ("counts", "low", "high"),
        [
            ((14, 5, 0, 22), 0.0114832413830333, 0.2264926843512112),
            ((83, 28, 7, 10), 0.0756692854152985, 0.2511372538724266),
            ((216, 90, 11, 33), 0.173970635178386, 0.276831452813859),
            ((1, 1, 7, 12), -0.5069202266861410, -0.0255591241648598),
            ((10, 20, 30, 5), -0.350489482402991, 0.057820411175012),
        ],
    )
    def test_newcombe_paired_is_r(self, counts, low, high):
        """R 4.2.2: ``confIntPairedProportion(rbind(c(a, b), c(c, d)))`` of biostatUZH (R-Forge).

        The first table is Table 6.2 of Altman et al., Statistics with Confidence, 2000, the fourth Bentur et al. 2009 in
        Fagerland et al., Statistical Analysis of Contingency Tables; the second and third are the paper's cN0 and cN+.
        """
        interval = stats.newcombe_paired(*counts)
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-12)

    @settings(deadline=None)
    @given(*[st.integers(0, 60)] * 4)
    def test_newcombe_paired_holds_the_difference_and_mirrors(self, a, b, c, d):
        if a + b + c + d == 0:
            return
        interval, mirror = stats.newcombe_paired(a, b, c, d), stats.newcombe_paired(a, c, b, d)
        assert -1 - 1e-9 <= interval.low <= interval.estimate + 1e-12
        assert interval.estimate - 1e-12 <= interval.high <= 1 + 1e-9
        assert (interval.low, interval.high) == pytest.approx((-mirror.high, -mirror.low), abs=1e-12)

    def test_mcnemar_is_r(self):
        """R 4.2.2: ``binom.test(28, 35)$p.value`` and ``binom.test(90, 101)$p.value``."""
        assert stats.mcnemar_exact(28, 7) == pytest.approx(0.0005082604475319392, rel=1e-12)
        assert stats.mcnemar_exact(90, 11) == pytest.approx(1.4235911765180538e-16, rel=1e-10)

    def test_mcnemar_without_discordant_pairs(self):
        assert stats.mcnemar_exact(0, 0) == 1.0

    @pytest.mark.parametrize("call", [lambda: stats.wilson(1, 0), lambda: stats.wilson(3, 2), lambda: stats.wilson(-1, 2)])
    def test_impossible_counts_are_refused(self, call):
        with pytest.raises(InvalidValueError, match="proportion needs"):
            call()

    def test_impossible_tables_are_refused(self):
        with pytest.raises(InvalidValueError, match="paired table"):
            stats.newcombe_paired(0, 0, 0, 0)
        with pytest.raises(InvalidValueError, match="Discordant"):
            stats.mcnemar_exact(-1, 2)
        with pytest.raises(InvalidValueError, match="confidence level"):
            stats.newcombe_auc(0.8, 5, 5, level=95)


def slow_auc(positive, score):
    """Every pair looked at."""
    pairs = [(p > n) + (p == n) / 2 for p, n in itertools.product(score[positive], score[~positive])]
    return float(np.mean(pairs))


def slow_delong(positive, score):
    """DeLong's structural components, pair by pair."""
    kernel = np.array([[(p > n) + (p == n) / 2 for n in score[~positive]] for p in score[positive]])
    of_positives, of_negatives = kernel.mean(axis=1), kernel.mean(axis=0)
    return of_positives.var(ddof=1) / of_positives.size + of_negatives.var(ddof=1) / of_negatives.size


tied_cases = st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=6, max_size=40).filter(
    lambda rows: 2 <= sum(r[0] for r in rows) <= len(rows) - 2
)


class TestRoc:
    @settings(deadline=None)
    @given(tied_cases)
    def test_auc_and_delong_are_the_slow_ones(self, rows):
        positive, score = np.array([r[0] for r in rows]), np.array([r[1] for r in rows], dtype=float)
        assert stats.auc(positive, score) == pytest.approx(slow_auc(positive, score), abs=1e-12)
        assert stats.delong_variance(positive, score) == pytest.approx(slow_delong(positive, score), abs=1e-12)

    def test_delong_is_proc(self):
        """R 4.2.2, pROC 1.18.0, on these 113 cases with ties (R's ``%%`` for Python's ``%``, from 0):
        ``r <- roc(positive, score, levels = c(0, 1), direction = "<"); ci.auc(r, method = "delong"); var(r)``.
        """
        i = np.arange(113)
        positive = (i * i) % 7 < 3
        score = np.round((i * 37) % 101 / 10 + 2.5 * positive)
        interval = stats.delong(positive, score)
        expected = (0.68653549382716050, 0.57970195503566257, 0.79336903261865843)
        assert (interval.estimate, interval.low, interval.high) == pytest.approx(expected, abs=1e-12)
        assert stats.delong_variance(positive, score) == pytest.approx(0.002971112159065697, rel=1e-12)

    def test_delong_of_the_paper_is_proc(self):
        """The same call on the paper's 1397 nodes, group as the score."""
        interval = stats.delong(NODE_TRUTH, NODE_GROUP)
        expected = (0.84771706098402222, 0.82698062380243587, 0.86845349816560857)
        assert (interval.estimate, interval.low, interval.high) == pytest.approx(expected, abs=1e-12)

    def test_hanley_mcneil_is_published(self):
        """Hanley and McNeil, Radiology 1982;143:29-36: 51 abnormal, 58 normal images, area 0.893, standard error 0.032."""
        interval = stats.hanley_mcneil(0.893, 51, 58)
        assert round((interval.high - interval.low) / (2 * stats.normal_quantile()), 3) in (0.032, 0.033)

    @pytest.mark.parametrize(
        ("case", "low", "high"),
        [
            ((0.893, 51, 58), 0.82927847065498361, 0.95672152934501642),
            ((368 / 912 + 836 / 1882, 456, 941), 0.82386207766225616, 0.87157204430578827),
        ],
    )
    def test_hanley_mcneil_is_its_formula_in_r(self, case, low, high):
        """R 4.2.2, a area, n1 abnormal, n0 normal: ``q1 <- a/(2-a); q2 <- 2*a^2/(1+a);``
        ``v <- (a*(1-a) + (n1-1)*(q1-a^2) + (n0-1)*(q2-a^2))/(n1*n0); a + c(-1,1)*qnorm(.975)*sqrt(v)``.
        """
        interval = stats.hanley_mcneil(*case)
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-12)

    def test_newcombe_equals_hanley_mcneil_for_equal_classes(self):
        a, b = stats.hanley_mcneil(0.8, 40, 40), stats.newcombe_auc(0.8, 40, 40)
        assert (a.low, a.high) == pytest.approx((b.low, b.high), abs=1e-15)

    @settings(deadline=None)
    @given(st.floats(0, 1), st.integers(1, 200), st.integers(1, 200))
    def test_newcombe_score_solves_its_equation(self, area, n_positive, n_negative):
        """At each end inside 0..1 the area found lies z standard errors away, the variance written out at that end."""
        interval = stats.newcombe_auc_score(area, n_positive, n_negative)
        assert 0 <= interval.low <= area <= interval.high <= 1
        n = (n_positive + n_negative) / 2 - 1
        for end in (interval.low, interval.high):
            if 1e-9 < end < 1 - 1e-9:
                spread = 1 + n * (1 - end) / (2 - end) + n * end / (1 + end)
                error = np.sqrt(end * (1 - end) * spread / (n_positive * n_negative))
                assert abs(area - end) == pytest.approx(stats.normal_quantile() * error, abs=1e-9)

    def test_newcombe_score_at_perfect_separation_is_no_point(self):
        interval = stats.newcombe_auc_score(1.0, 5, 5)
        assert interval.low < 0.8
        assert interval.high == 1.0

    @settings(deadline=None)
    @given(tied_cases)
    def test_auc_turns_with_the_score(self, rows):
        positive, score = np.array([r[0] for r in rows]), np.array([r[1] for r in rows], dtype=float)
        assert stats.auc(positive, -score) == pytest.approx(1 - stats.auc(positive, score), abs=1e-12)
        assert stats.auc(positive, np.exp(score) * 7 - 2) == stats.auc(positive, score)

    @pytest.mark.parametrize(
        ("positive", "score", "match"),
        [([1, 1], [0.1, 0.2], "both classes"), ([1, 0], [np.nan, 0], "finite"), ([1, 0], [1, 2, 3], "equal length")],
    )
    def test_refusals(self, positive, score, match):
        with pytest.raises(InvalidValueError, match=match):
            stats.auc(positive, score)


class TestBootstrap:
    def test_draws_keep_the_strata(self):
        strata = np.array([0, 1, 1, 0, 1, 2])
        draws = stats.patient_draws(strata, 50, np.random.default_rng(3))
        for stratum, size in ((0, 2), (1, 3), (2, 1)):
            assert (draws[:, strata == stratum].sum(axis=1) == size).all()
        assert (draws == stats.patient_draws(strata, 50, np.random.default_rng(3))).all()

    def test_auc_is_the_naive_resampling(self):
        rng = np.random.default_rng(5)
        patient = np.repeat(np.arange(12), 5)
        positive = np.repeat(rng.random(12) < 0.5, 5)
        positive[3] = ~positive[3]
        score = np.round(rng.normal(size=60) + positive, 1)
        draws = stats.patient_draws(np.zeros(12), 200, rng)
        naive = []
        for row in draws:
            rows = np.concatenate([np.flatnonzero(patient == p) for p, times in enumerate(row) for _ in range(times)])
            naive.append(slow_auc(positive[rows], score[rows]))
        interval = stats.bootstrap_auc(positive, score, patient, draws)
        assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(naive, [0.025, 0.975])), abs=1e-12)

    def test_ratio_is_the_naive_resampling(self):
        draws = np.array([[2, 0, 1], [0, 3, 0], [1, 1, 1]])
        interval = stats.bootstrap_ratio([1, 0, 2], [4, 1, 2], draws)
        assert interval.estimate == 3 / 7
        assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile([4 / 10, 0, 3 / 7], [0.025, 0.975])))

    def test_wider_than_delong_when_patients_cluster(self):
        rng = np.random.default_rng(11)
        patient = np.repeat(np.arange(60), 10)
        positive = patient % 2 == 0
        score = positive + rng.normal(size=60)[patient] * 1.5 + rng.normal(size=600) * 0.3
        draws = stats.patient_draws(np.arange(60) % 2, 1000, rng)
        by_patient, delong = stats.bootstrap_auc(positive, score, patient, draws), stats.delong(positive, score)
        assert by_patient.high - by_patient.low > 2 * (delong.high - delong.low)

    def test_refusals(self):
        with pytest.raises(InvalidValueError, match="patients and resamples"):
            stats.patient_draws([], 10, np.random.default_rng(0))
        with pytest.raises(InvalidValueError, match="denominator"):
            stats.bootstrap_ratio([0], [0], np.array([[1]]))


@pytest.mark.parametrize("values", [(0.5, float("nan"), 1.0), (0.5, 0.9, 0.1)])
def test_an_interval_is_valid(values):
    with pytest.raises(InvalidValueError, match="interval"):
        stats.Interval(*values, "x")
