"""How well the groups match pathology, per node and per patient.

1. Join statuses to predictions; only nodes of the operated side, metastatic or benign, of patients not trained on, count.
2. Count; rates with Wilson's intervals, and with a bootstrap by patient because nodes of one patient are not independent.
3. AUC of the hard two-group label (as Qu et al. 2024 print it) and of the continuous score, with five intervals each.
4. Per patient and cohort: the same rates, and the model against the clinical assessment on the same patients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from axilla import stats
from axilla.errors import InvalidValueError
from axilla.evaluate._join import checked_node_status, checked_patient_status, join_nodes, join_patients
from axilla.evaluate._results import RATES, Comparison, Counts, Evaluation, NodeLevel, PatientLevel, Quantity
from axilla.model import BENIGN, METASTATIC, NOT_EVALUABLE

COHORT_LABELS: Mapping[str, str] = {
    "cN0": "clinically node-negative patients",
    "cN+": "clinically node-positive patients, as in the paper: contains the patients the model was trained on",
    "cN+ without training patients": "clinically node-positive patients the model was not trained on (leak-free)",
    "all": "all patients with a status, training patients included",
}

MIN_BOOTSTRAP_PATIENTS = 2
"""Resampling one patient gives that patient again: an interval of no width, which would say the opposite of the truth."""

_GROUP_CALL = {1: BENIGN, 2: METASTATIC}

_CLINICAL_CALL = {"cN0": BENIGN, "cN+": METASTATIC, "cN+ without training patients": METASTATIC}


@dataclass(frozen=True)
class EvaluateSettings:
    """How results are computed."""

    n_resamples: int = 2000
    """Bootstrap resamples; the ends of a 95 % percentile interval then rest on 50 resamples each."""

    seed: int = 20240723
    """Seed of the bootstrap."""

    level: float = stats.LEVEL
    """Confidence level of every interval."""

    few_patients: int = 10
    """Below this number of patients of either status, the bootstrap by patient carries a warning."""

    def __post_init__(self) -> None:
        if self.n_resamples < 100:
            raise InvalidValueError(f"A bootstrap interval needs at least 100 resamples, not {self.n_resamples}.")
        if self.seed < 0:
            raise InvalidValueError(f"The bootstrap's seed is not negative, so not {self.seed}.")
        if not 0.5 <= self.level < 1:
            raise InvalidValueError(f"The confidence level lies between 0.5 and 1, not {self.level}.")


def evaluate(
    predictions: pd.DataFrame,
    node_status: pd.DataFrame | None = None,
    patients: pd.DataFrame | None = None,
    patient_status: pd.DataFrame | None = None,
    settings: EvaluateSettings = EvaluateSettings(),
    *,
    is_synthetic: bool = False,
) -> Evaluation:
    """Compare predictions and calls with pathology.

    Parameters
    ----------
    predictions : DataFrame
        As :func:`axilla.model.predict` returns.
    node_status : DataFrame, optional
        ``patient_id, node_id, status`` and, if known, ``side``. Nodes not listed do not count.
    patients : DataFrame, optional
        As :func:`axilla.model.apply_patient_rule` returns.
    patient_status : DataFrame, optional
        ``patient_id, status`` and, if known, ``side`` (operated), ``clinical`` (cN0, cN+) and ``role`` (training,
        validation, cN0).
    settings : EvaluateSettings
    is_synthetic : bool
        Whether the patients are simulated.

    Raises
    ------
    InputRefusedError
        If a column is missing, a word unknown, a node or patient listed twice, or without prediction or call.
    """
    by_patient = checked_patient_status(_or_empty(patient_status, ("patient_id", "status")))
    nodes, left_out, warnings = _counted_nodes(predictions, node_status, by_patient)
    node_level, more = _node_level(nodes, left_out, settings)
    no_calls = "no patient calls given" if patients is None else "no patient status given" if patient_status is None else ""
    calls = _or_empty(patients, ("patient_id", "side", "rule", "call", "score"))
    joined = join_patients(calls, by_patient.iloc[:0] if no_calls else by_patient)
    joined = with_outcomes(joined)
    if is_synthetic:
        warnings.insert(0, "Synthetic data: these figures say nothing about real patients.")
    return Evaluation(
        node_level=node_level,
        patient_level={name: patient_level(name, joined, settings.level, no_calls) for name in COHORT_LABELS},
        level=settings.level,
        rules=tuple(sorted(set(joined["rule"]) - {""})),
        is_synthetic=is_synthetic,
        warnings=(*warnings, *more),
        nodes=nodes,
        patients=joined.drop(columns="rule"),
    )


def _or_empty(frame: pd.DataFrame | None, columns: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame({column: pd.Series(dtype=object) for column in columns}) if frame is None else frame


def _counted_nodes(
    predictions: pd.DataFrame, node_status: pd.DataFrame | None, patients: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, int], list[str]]:
    """The nodes that count, how many do not and why, and warnings."""
    status = checked_node_status(_or_empty(node_status, ("patient_id", "node_id", "status")))
    joined = join_nodes(predictions, status)
    operated = dict(zip(patients["patient_id"], patients["side"], strict=True))
    trained = set(patients.loc[patients["role"] == "training", "patient_id"])
    side_of_patient = pd.Series([operated.get(p, "") for p in joined["patient_id"]], index=joined.index, dtype=str)
    reason = pd.Series("", index=joined.index, dtype=object)
    reason[(side_of_patient != "") & (joined["side"] != "") & (side_of_patient != joined["side"])] = "other side"
    reason[(reason == "") & (joined["status"] == "unlabeled")] = "status unlabeled"
    reason[(reason == "") & joined["patient_id"].isin(trained)] = "patient used for training"
    counted = joined[(reason == "").to_numpy()].drop(columns="side").reset_index(drop=True)
    calls = [NOT_EVALUABLE if pd.isna(group) else _GROUP_CALL[int(group)] for group in counted["group"]]
    counted["outcome"] = [_outcome(s, c) for s, c in zip(counted["status"], calls, strict=True)]
    left_out = {why: int((reason == why).sum()) for why in ("other side", "status unlabeled", "patient used for training")}
    left_out["no status given"] = len(predictions) - len(joined)
    warnings = []
    if len(counted) and ((side_of_patient == "") | (joined["side"] == ""))[(reason == "").to_numpy()].any():
        warnings.append("The side of some nodes or of the operation is not given; these nodes are taken as of the operated side.")
    return counted[["patient_id", "node_id", "status", "group", "score", "outcome"]], left_out, warnings


def _outcome(status: str, call: str) -> str:
    if status == "unlabeled":
        return "status unknown"
    if call == NOT_EVALUABLE:
        return NOT_EVALUABLE
    if status == METASTATIC:
        return "tp" if call == METASTATIC else "fn"
    return "fp" if call == METASTATIC else "tn"


def _counts(outcomes: pd.Series) -> Counts:
    return Counts(**{name: int((outcomes == name).sum()) for name in ("tp", "fn", "tn", "fp")})


def _node_level(nodes: pd.DataFrame, left_out: Mapping[str, int], settings: EvaluateSettings) -> tuple[NodeLevel, list[str]]:
    evaluable = nodes[(nodes["outcome"] != NOT_EVALUABLE).to_numpy()]
    counts = _counts(evaluable["outcome"])
    codes, names = pd.factorize(evaluable["patient_id"], sort=True)
    patient = np.asarray(codes, dtype=np.int64)
    positive = (evaluable["status"] == METASTATIC).to_numpy()
    strata = _strata(positive, patient, len(names))
    draws = None
    if len(names):
        draws = stats.patient_draws(strata, settings.n_resamples, np.random.default_rng(settings.seed))
    level = NodeLevel(
        counts=counts,
        rates={rate: _node_rate(rate, counts, evaluable["outcome"], patient, draws, settings.level) for rate in RATES},
        auc_hard_label=_auc(positive, np.asarray(evaluable["group"] == 2, dtype=np.float64), patient, draws, settings.level),
        auc_score=_auc(positive, np.asarray(evaluable["score"], dtype=np.float64), patient, draws, settings.level),
        n_patients=len(names),
        not_evaluable=len(nodes) - len(evaluable),
        left_out=left_out,
    )
    few = min(int(((strata & status) > 0).sum()) for status in (1, 2))
    return level, [_few_patients(level, few)] if len(names) and few < settings.few_patients else []


def _few_patients(level: NodeLevel, few: int) -> str:
    """What few patients do to the interval that is told of the AUC."""
    rest = f"The node-level results rest on {level.n_patients} patients, {few} of them of the rarer status"
    if "bootstrap" in level.auc_score.others:
        return f"{rest}; intervals by patient are rough."
    if level.auc_score.interval is None:
        return f"{rest}; rates are rough."
    return f"{rest}; the interval of the AUC takes nodes as independent, for want of one by patient, and may be too narrow."


def _strata(positive: npt.NDArray[np.bool_], patient: npt.NDArray[np.int64], n_patients: int) -> npt.NDArray[np.int64]:
    """1 patients with metastatic nodes only, 2 with benign only, 3 with both."""
    has_positive = np.bincount(patient[positive], minlength=n_patients) > 0
    has_negative = np.bincount(patient[~positive], minlength=n_patients) > 0
    return np.asarray(has_positive + 2 * has_negative, dtype=np.int64)


def _node_rate(
    rate: str, counts: Counts, outcomes: pd.Series, patient: npt.NDArray[np.int64], draws: stats.IntArray | None, level: float
) -> Quantity:
    quantity = counts.rate(rate, level)
    if quantity.interval is None or draws is None:
        return quantity
    top, bottom = (np.bincount(patient, weights=outcomes.isin(names), minlength=draws.shape[1]) for names in _PARTS[rate])
    bootstrap = stats.bootstrap_ratio(top, bottom, draws, level)
    if _is_point(bootstrap):
        return Quantity(quantity.interval, without={"bootstrap": SAME_RESAMPLES})
    return Quantity(quantity.interval, others={"bootstrap": bootstrap})


SAME_RESAMPLES = "every resample of patients gives the same value"
"""Why there is no bootstrap interval: one of no width would say that all is known."""


def _is_point(interval: stats.Interval) -> bool:
    return not interval.low < interval.high


_PARTS: Mapping[str, tuple[list[str], list[str]]] = {
    "ccr": (["tp", "tn"], ["tp", "fn", "tn", "fp"]),
    "sensitivity": (["tp"], ["tp", "fn"]),
    "specificity": (["tn"], ["tn", "fp"]),
    "ppv": (["tp"], ["tp", "fp"]),
    "npv": (["tn"], ["tn", "fn"]),
    "fpr": (["fp"], ["tn", "fp"]),
    "fnr": (["fn"], ["tp", "fn"]),
}
"""Outcomes in the numerator and the denominator of each rate."""


def _auc(
    positive: npt.NDArray[np.bool_],
    score: stats.FloatArray,
    patient: npt.NDArray[np.int64],
    draws: stats.IntArray | None,
    level: float,
) -> Quantity:
    reason = _no_auc(positive, score)
    if reason or draws is None:
        return Quantity(None, reason or "no node")
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    delong = stats.delong(positive, score, level)
    others = {
        "delong": delong,
        "hanley_mcneil": stats.hanley_mcneil(delong.estimate, n_positive, n_negative, level),
        "newcombe": stats.newcombe_auc(delong.estimate, n_positive, n_negative, level),
        "newcombe_score": stats.newcombe_auc_score(delong.estimate, n_positive, n_negative, level),
    }
    area = _area(positive, score, level)
    if min(len(np.unique(patient[positive])), len(np.unique(patient[~positive]))) < MIN_BOOTSTRAP_PATIENTS:
        too_few = f"fewer than {MIN_BOOTSTRAP_PATIENTS} patients have metastatic, or have benign nodes"
        return Quantity(area, others=others, without={"bootstrap": too_few})
    bootstrap = stats.bootstrap_auc(positive, score, patient, draws, level)
    if _is_point(bootstrap):
        return Quantity(area, others=others, without={"bootstrap": SAME_RESAMPLES})
    return Quantity(area, others={**others, "bootstrap": bootstrap})


def _area(positive: npt.NDArray[np.bool_], score: stats.FloatArray, level: float) -> stats.Interval:
    """DeLong's interval, or where it shrinks to a point (perfect separation) Newcombe's."""
    delong = stats.delong(positive, score, level)
    if delong.low < delong.high:
        return delong
    return stats.newcombe_auc_score(delong.estimate, int(positive.sum()), int((~positive).sum()), level)


def _no_auc(positive: npt.NDArray[np.bool_], score: stats.FloatArray) -> str:
    if not positive.any():
        return "no metastatic case"
    if positive.all():
        return "no benign case"
    return "" if np.isfinite(score).all() else "the score is not defined for every case"


def with_outcomes(joined: pd.DataFrame) -> pd.DataFrame:
    """Patients with ``status`` and ``call``, and what comes of the two: tp, fn, tn, fp, not evaluable, status unknown."""
    return joined.assign(outcome=[_outcome(s, c) for s, c in zip(joined["status"], joined["call"], strict=True)])


def patient_level(name: str, joined: pd.DataFrame, level: float, no_calls: str = "") -> PatientLevel:
    """The results of one cohort of :data:`COHORT_LABELS`.

    Parameters
    ----------
    name : str
    joined : DataFrame
        All patients, with the columns of :attr:`Evaluation.patients`.
    level : float
        Confidence level of the intervals.
    no_calls : str
        Why nobody has a call; empty where they have.
    """
    members = joined[_members(name, joined)]
    with_status = members[(members["outcome"] != "status unknown").to_numpy()]
    evaluable = with_status[(with_status["outcome"] != NOT_EVALUABLE).to_numpy()]
    counts = _counts(evaluable["outcome"])
    reason = ""
    if counts.n == 0:
        reason = no_calls or _empty_reason(name, joined, members, with_status)
    positive = (evaluable["status"] == METASTATIC).to_numpy()
    score = evaluable["score"].to_numpy(dtype=np.float64)
    no_auc = reason or _no_auc(positive, score)
    return PatientLevel(
        label=COHORT_LABELS[name],
        counts=counts,
        rates={rate: Quantity(None, reason) for rate in RATES} if reason else counts.rates(level),
        auc_score=Quantity(None, no_auc) if no_auc else Quantity(_area(positive, score, level)),
        comparison=_compare(evaluable, _CLINICAL_CALL[name], reason, level) if name in _CLINICAL_CALL else None,
        not_evaluable=len(with_status) - len(evaluable),
        without_status=len(members) - len(with_status),
        reason=reason,
    )


def _members(name: str, joined: pd.DataFrame) -> npt.NDArray[np.bool_]:
    if name == "all":
        return np.ones(len(joined), dtype=bool)
    if name == "cN+ without training patients":
        is_known = (joined["role"] != "").to_numpy()
        return np.asarray((joined["clinical"] == "cN+").to_numpy() & is_known & (joined["role"] != "training").to_numpy())
    return np.asarray((joined["clinical"] == name).to_numpy())


def _empty_reason(name: str, joined: pd.DataFrame, members: pd.DataFrame, with_status: pd.DataFrame) -> str:
    if len(with_status):
        return f"none of the {len(with_status)} patients is evaluable"
    if len(members):
        return f"the status of none of the {len(members)} patients is known"
    if name == "cN+ without training patients" and len(joined) and not (joined["role"] != "").any():
        return "it is not given which patients the model was trained on (column role)"
    return "no patient in this cohort"


def _compare(evaluable: pd.DataFrame, clinical_call: str, reason: str, level: float) -> Comparison:
    """Model against a clinic that calls the whole cohort alike."""
    model_right = evaluable["outcome"].isin(["tp", "tn"]).to_numpy()
    clinic_right = (evaluable["status"] == clinical_call).to_numpy()
    both, neither = int((model_right & clinic_right).sum()), int((~model_right & ~clinic_right).sum())
    model_only, clinic_only = int((model_right & ~clinic_right).sum()), int((~model_right & clinic_right).sum())
    if reason:
        return Comparison(clinical_call, Quantity(None, reason), 0, 0, 0, 0, None, Quantity(None, reason))
    return Comparison(
        clinical_call=clinical_call,
        clinical_ccr=Quantity(stats.wilson(int(clinic_right.sum()), len(evaluable), level)),
        both_correct=both,
        model_only_correct=model_only,
        clinical_only_correct=clinic_only,
        neither_correct=neither,
        p_value=stats.mcnemar_exact(model_only, clinic_only),
        difference=Quantity(stats.newcombe_paired(both, model_only, clinic_only, neither, level)),
    )
