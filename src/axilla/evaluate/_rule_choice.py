"""Which rule makes the patient's call, chosen on training patients.

1. Each family of rules has a grid of parameters, from lenient to strict (:func:`rule_grid`).
2. Of each family, the strictest parameter is taken that still calls `target_sensitivity` of the metastatic training patients.
3. Families are compared by Youden's J, cross-validated over patients, where training holds enough benign patients. In the roles
   of Qu et al. 2024 it holds none, so that no specificity can be measured; families are then compared by the rank correlation
   of the patient's score with the share of positive among the examined nodes: a score that does not follow the burden within
   metastatic patients is less likely to tell them from benign ones.
4. Chosen is the simplest family that is not shown to be worse than the best (bootstrap by patient of the difference).

Nothing but training patients comes in, so that those who are to be judged by the rule cannot move it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from axilla import stats
from axilla.cohort import Patient
from axilla.errors import InvalidValueError
from axilla.evaluate._evaluate import EvaluateSettings
from axilla.evaluate._results import Quantity
from axilla.model import RULES, PatientRule, call_axilla

BoolArray = npt.NDArray[np.bool_]

YOUDEN, BURDEN = "youden_j", "rank_correlation"
CRITERIA = {
    YOUDEN: "Youden's J, cross-validated over patients",
    BURDEN: "rank correlation of the patient's score with the share of positive among the examined nodes",
}
"""What families are compared by."""

COUNTS = range(2, 6)
"""Nodes asked for by ``at_least_k``: 1 is the rule ``any``, and many an axilla shows no more than five."""

SHARES = tuple(step / 20 for step in range(1, 20))
"""Thresholds of ``share`` and ``noisy_or``: twentieths."""

NEAR_CERTAIN = (0.99, 0.999, 0.9999)
"""Further thresholds of ``noisy_or``, which comes close to 1 where nodes are many."""

SCORE_STEPS = tuple(step / 20 for step in range(-10, 19))
"""Thresholds of ``max_score``, in distances between the centers: a score lies within 1, and 0 is half-way."""


@dataclass(frozen=True)
class RuleChoiceSettings:
    """How the training patients choose a rule."""

    target_sensitivity: float = 0.95
    """Share of the metastatic training patients whom a rule has to call metastatic. The rule of Qu et al. 2024 called 216 of
    227 (0.952); a missed metastasis leaves disease behind, so that sensitivity comes first."""

    n_folds: int = 10
    """Parts of the cross-validation over patients, where training holds benign patients."""

    def __post_init__(self) -> None:
        if not 0 < self.target_sensitivity <= 1:
            raise InvalidValueError(f"The target sensitivity lies in 0..1, not {self.target_sensitivity}.")
        if self.n_folds < 2:
            raise InvalidValueError(f"A cross-validation has at least 2 folds, not {self.n_folds}.")


@dataclass(frozen=True)
class Axilla:
    """The evaluable nodes of one patient's operated side.

    Parameters
    ----------
    patient_id : str
    group, score, probability : ndarray, shape (n_nodes,)
        At least one node.
    """

    patient_id: str
    group: stats.FloatArray
    score: stats.FloatArray
    probability: stats.FloatArray

    def call(self, rule: PatientRule) -> tuple[bool, float]:
        """Whether the rule calls it metastatic, and its score, lowest where the rule cannot be met for want of nodes."""
        is_metastatic, score = call_axilla(self.group, self.score, self.probability, rule)
        return is_metastatic, -np.inf if np.isnan(score) else score


@dataclass(frozen=True)
class Candidate:
    """A family with the parameter taken.

    Parameters
    ----------
    rule : PatientRule
    called, n_metastatic : int
        Metastatic training patients called metastatic, and all.
    sensitivity, criterion : Quantity
        On training patients.
    keeps_target : bool
    behind : Quantity
        How much the criterion is below the best one's, on the same resamples.
    """

    rule: PatientRule
    called: int
    n_metastatic: int
    sensitivity: Quantity
    keeps_target: bool
    criterion: Quantity
    behind: Quantity


@dataclass(frozen=True)
class RuleChoice:
    """What the training patients chose, and why.

    Parameters
    ----------
    chosen : PatientRule
    reason : str
        A sentence.
    criterion : str
        One of :data:`CRITERIA`.
    candidates : tuple of Candidate
        One per family, the simplest first.
    n_metastatic, n_benign, n_not_evaluable : int
        Training patients.
    settings : RuleChoiceSettings
    grid : DataFrame
        Every parameter tried: ``family, rule, called, n_metastatic, sensitivity, low, high, keeps_target, is_taken``.
    """

    chosen: PatientRule
    reason: str
    criterion: str
    candidates: tuple[Candidate, ...]
    n_metastatic: int
    n_benign: int
    n_not_evaluable: int
    settings: RuleChoiceSettings
    grid: pd.DataFrame = field(repr=False, compare=False)

    @property
    def is_compared(self) -> bool:
        """Whether the training patients allowed a comparison; else the simplest rule is taken."""
        return any(candidate.behind.interval for candidate in self.candidates)


def axillae_of(predictions: pd.DataFrame) -> dict[str, Axilla]:
    """Each patient's evaluable nodes, by patient.

    Parameters
    ----------
    predictions : DataFrame
        As :func:`axilla.model.predict` returns, of the nodes that count.
    """
    evaluable = predictions[predictions["group"].notna().to_numpy()]
    columns = [evaluable[name].to_numpy(dtype=np.float64) for name in ("group", "score", "probability")]
    places = evaluable.groupby("patient_id", sort=True).indices
    return {str(name): Axilla(str(name), *(column[rows] for column in columns)) for name, rows in places.items()}


def rule_grid(center_distance: float) -> dict[str, tuple[PatientRule, ...]]:
    """Rules by family, from lenient to strict.

    Parameters
    ----------
    center_distance : float
        Between the model's two centers, the unit of ``max_score``'s thresholds.
    """
    return {
        "any": (PatientRule("any"),),
        "at_least_k": tuple(PatientRule("at_least_k", k=k) for k in COUNTS),
        "share": tuple(PatientRule("share", min_share=share) for share in SHARES),
        "max_score": tuple(PatientRule("max_score", min_score=round(step * center_distance, 4)) for step in SCORE_STEPS),
        "noisy_or": tuple(PatientRule("noisy_or", min_noisy_or=value) for value in (*SHARES, *NEAR_CERTAIN)),
    }


def choose_rule(
    axillae: Mapping[str, Axilla],
    patients: Iterable[Patient],
    center_distance: float,
    settings: RuleChoiceSettings = RuleChoiceSettings(),
    evaluation: EvaluateSettings = EvaluateSettings(),  # noqa: B008 - frozen
) -> RuleChoice:
    """The rule that the training patients choose.

    Parameters
    ----------
    axillae : mapping of str to Axilla
        By patient; who is not among `patients` is not looked at.
    patients : iterable of Patient
        The training patients, with the counts of examined and positive nodes.
    center_distance : float
        Of the model.
    settings : RuleChoiceSettings
    evaluation : EvaluateSettings
        Resamples, seed, level, and how many patients are few.
    """
    trained = [patient for patient in patients if patient.status != "unlabeled"]
    seen = sorted((patient for patient in trained if patient.patient_id in axillae), key=lambda patient: patient.patient_id)
    burden = np.array([(p.nodes_positive or 0) / (p.nodes_examined or 1) for p in seen], dtype=np.float64)
    nodes = [axillae[patient.patient_id] for patient in seen]
    is_metastatic = burden > 0
    calls = {
        family: np.array([[axilla.call(rule)[0] for axilla in nodes] for rule in rules], dtype=bool).reshape(len(rules), -1)
        for family, rules in rule_grid(center_distance).items()
    }
    n_benign = int((~is_metastatic).sum())
    criterion = YOUDEN if min(n_benign, int(is_metastatic.sum())) >= evaluation.few_patients else BURDEN
    taken = {name: strictest(called, is_metastatic, settings.target_sensitivity) for name, called in calls.items()}
    rules = {name: grid[taken[name]] for name, grid in rule_grid(center_distance).items()}
    drawn = {}
    if len(seen) >= evaluation.few_patients:
        draws = _draws(is_metastatic if criterion == YOUDEN else np.zeros(len(seen)), evaluation)
        for name in RULES:
            if criterion == YOUDEN:
                called = cross_validated(calls[name], is_metastatic, settings, evaluation.seed)
                drawn[name] = _youden(called, is_metastatic, draws)
            else:
                drawn[name] = stats.drawn_rank_correlations([axilla.call(rules[name])[1] for axilla in nodes], burden, draws)
    grid = _grid_frame(calls, taken, is_metastatic, center_distance, settings, evaluation.level)
    few = f"only {len(seen)} training patients; fewer than {evaluation.few_patients} are not compared"
    candidates, chosen, reason = _compared(grid, rules, drawn, criterion, few, evaluation.level)
    n_metastatic = int(is_metastatic.sum())
    return RuleChoice(chosen, reason, criterion, candidates, n_metastatic, n_benign, len(trained) - len(seen), settings, grid)


def strictest(called: BoolArray, is_metastatic: BoolArray, target: float) -> int:
    """Which row of a family's calls ``(n_rules, n_patients)``, lenient to strict, keeps the target; the first where none does."""
    if not is_metastatic.any():
        return 0
    keeps = np.flatnonzero(called[:, is_metastatic].mean(axis=1) >= target)
    return int(keeps[-1]) if keeps.size else 0


def cross_validated(called: BoolArray, is_metastatic: BoolArray, settings: RuleChoiceSettings, seed: int) -> BoolArray:
    """Each patient's call by the parameter that the patients of the other folds take; folds hold both statuses alike."""
    rng, fold = np.random.default_rng(seed), np.zeros(is_metastatic.size, dtype=np.int64)
    for status in (True, False):
        members = rng.permutation(np.flatnonzero(is_metastatic == status))
        fold[members] = np.arange(members.size) % settings.n_folds
    found = np.zeros(is_metastatic.size, dtype=bool)
    for number in range(settings.n_folds):
        out = fold == number
        found[out] = called[strictest(called[:, ~out], is_metastatic[~out], settings.target_sensitivity)][out]
    return found


def _draws(strata: npt.ArrayLike, evaluation: EvaluateSettings) -> stats.IntArray:
    """The patients themselves, then the resamples."""
    drawn = stats.patient_draws(strata, evaluation.n_resamples, np.random.default_rng(evaluation.seed))
    return np.vstack([np.ones((1, drawn.shape[1]), dtype=np.int64), drawn])


def _youden(called: BoolArray, is_metastatic: BoolArray, draws: stats.IntArray) -> stats.FloatArray:
    """Sensitivity + specificity - 1 in each resample."""
    shares = [draws @ (called & status) / (draws @ status) for status in (is_metastatic, ~is_metastatic)]
    return np.asarray(shares[0] - shares[1], dtype=np.float64)


def _compared(
    grid: pd.DataFrame,
    rules: Mapping[str, PatientRule],
    drawn: Mapping[str, stats.FloatArray],
    criterion: str,
    few: str,
    level: float,
) -> tuple[tuple[Candidate, ...], PatientRule, str]:
    """The candidates, the one chosen, and why."""
    taken = {str(row["family"]): row for row in grid[grid["is_taken"]].to_dict("records")}
    keeping = [name for name in RULES if taken[name]["keeps_target"]] or list(RULES)
    known = [name for name in keeping if name in drawn and np.isfinite(drawn[name][0])]
    best = max(known, key=lambda name: drawn[name][0], default="")
    candidates, ties = [], []
    for name in RULES:
        own = _quantity(drawn.get(name), few, level)
        behind = _quantity(
            drawn[best] - drawn[name] if best and own.interval else None, own.reason or "no rule to compare with", level
        )
        if name in known and behind.interval and (name == best or behind.interval.low <= 0):
            ties.append(name)
        row = taken[name]
        rate = Quantity(None, "no metastatic training patient")
        if row["n_metastatic"]:
            rate = Quantity(stats.wilson(int(row["called"]), int(row["n_metastatic"]), level))
        keeps = bool(row["keeps_target"])
        candidates.append(Candidate(rules[name], int(row["called"]), int(row["n_metastatic"]), rate, keeps, own, behind))
    chosen = (ties or keeping)[0]
    return tuple(candidates), rules[chosen], _reason(chosen, best, rules, drawn, criterion)


def _quantity(drawn: stats.FloatArray | None, reason: str, level: float) -> Quantity:
    """The first value with the interval of the others."""
    if drawn is None:
        return Quantity(None, reason)
    if not np.isfinite(drawn).any() or not np.isfinite(drawn[0]):
        return Quantity(None, "the score or the burden is the same in all training patients")
    return Quantity(stats.percentile_interval(float(drawn[0]), drawn[1:], level))


def _reason(
    chosen: str, best: str, rules: Mapping[str, PatientRule], drawn: Mapping[str, stats.FloatArray], criterion: str
) -> str:
    if not best:
        return "the simplest rule, because the training patients do not allow a comparison."
    found = f"{CRITERIA[criterion]}: {drawn[chosen][0]:.2f}"
    if chosen == best:
        return f"the best rule ({found}); simpler ones are worse by more than chance, or there is none."
    return f"the simplest rule not shown to be worse ({found}) than the best, {rules[best].text} ({drawn[best][0]:.2f})."


def _grid_frame(
    calls: Mapping[str, BoolArray],
    taken: Mapping[str, int],
    is_metastatic: BoolArray,
    center_distance: float,
    settings: RuleChoiceSettings,
    level: float,
) -> pd.DataFrame:
    """Every parameter with its sensitivity on the training patients."""
    rows: list[dict[str, object]] = []
    n = int(is_metastatic.sum())
    for family, rules in rule_grid(center_distance).items():
        for place, (rule, called) in enumerate(zip(rules, calls[family], strict=True)):
            hits = int(called[is_metastatic].sum())
            rate: Sequence[float] = (np.nan, np.nan, np.nan)
            if n:
                found = stats.wilson(hits, n, level)
                rate = (found.estimate, found.low, found.high)
            counted = {"family": family, "rule": rule.text, "called": hits, "n_metastatic": n}
            judged = {"keeps_target": bool(rate[0] >= settings.target_sensitivity), "is_taken": place == taken[family]}
            rows.append({**counted, **dict(zip(("sensitivity", "low", "high"), rate, strict=True)), **judged})
    return pd.DataFrame(rows)
