"""How the features of group 1 and group 2 differ: medians, effect sizes, tests, and how much of a class differs (Figure 4).

The groups were made from these very features, so that the P values describe how far apart the groups are and prove nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from axilla import stats
from axilla.errors import InvalidValueError
from axilla.evaluate import EvaluateSettings
from axilla.figures import CLASS_NAMES, feature_class
from axilla.table import FeatureTable

COLUMNS = [
    *("cohort", "feature", "feature_class", "n_1", "n_2", "mean_1", "mean_2"),
    *("median_1", "lower_quartile_1", "upper_quartile_1", "median_2", "lower_quartile_2", "upper_quartile_2"),
    *("effect", "low", "high", "method", "low_nodes", "high_nodes", "test", "p_value", "p_holm", "reason"),
]
"""``mean`` is in standard deviations of the training nodes around their mean, medians and quartiles in the feature's own unit.
``low`` and ``high`` come from whole patients drawn anew, where either group has the nodes of enough of them (`method`);
``low_nodes`` and ``high_nodes`` take nodes as independent."""


def group_differences(
    cohorts: Mapping[str, FeatureTable],
    predictions: pd.DataFrame,
    settings: EvaluateSettings = EvaluateSettings(),  # noqa: B008 - frozen
) -> pd.DataFrame:
    """One row per cohort and feature, group 2 against group 1.

    Parameters
    ----------
    cohorts : mapping of str to FeatureTable
        The nodes that count, training first: its mean and standard deviation give the z-scores of all. Nodes without features
        are left out.
    predictions : DataFrame
        ``patient_id, node_id, group`` of all these nodes and perhaps of others.
    settings : EvaluateSettings
        Resamples and seed of the bootstrap by patient.

    Returns
    -------
    DataFrame
        :data:`COLUMNS`, by class in the paper's order; ``p_holm`` is adjusted for all features of the cohort. Where there is
        nothing, ``reason`` says why.
    """
    tables = {name: table.evaluable for name, table in cohorts.items()}
    training = next(iter(tables.values())).values()
    center, spread = training.mean(axis=0), training.std(axis=0, ddof=1)
    spread[np.ptp(training, axis=0) == 0] = np.nan
    frames = []
    for name, table in tables.items():
        keys = table.frame[["patient_id", "node_id"]].merge(predictions, on=["patient_id", "node_id"], how="left")
        group = keys["group"].to_numpy(dtype=np.int64, na_value=0)
        frame = _compared(table, group, settings)
        z_scores = (table.values() - center) / spread
        for number in (1, 2):
            frame[f"mean_{number}"] = z_scores[group == number].mean(axis=0) if (group == number).any() else np.nan
        frames.append(frame.assign(cohort=name))
    return _ordered(pd.concat(frames, ignore_index=True))[COLUMNS]


def class_summary(differences: pd.DataFrame) -> pd.DataFrame:
    """How much of each class differs, in each cohort.

    Parameters
    ----------
    differences : DataFrame
        From :func:`group_differences`.

    Returns
    -------
    DataFrame
        ``cohort, feature_class, features, compared, differ`` (P < 0.05 after Holm), of these ``higher_in_2`` and ``lower_in_2``;
        ``median_size`` of |g| over the compared; ``largest`` feature and its ``largest_effect``.
    """
    rows = [
        {"cohort": cohort, "feature_class": name, **_summary(part)}
        for (cohort, name), part in differences.groupby(["cohort", "feature_class"], sort=False)
    ]
    return pd.DataFrame(rows)


def _summary(part: pd.DataFrame) -> dict[str, object]:
    compared = part[part["effect"].notna()]
    differ = compared.loc[compared["p_holm"] < stats.SIGNIFICANCE, "effect"]
    size = compared["effect"].abs()
    largest: dict[Any, Any] = {"feature": "", "effect": np.nan}
    if len(compared):
        largest = compared.to_dict("records")[int(size.to_numpy().argmax())]
    return {
        "features": len(part),
        "compared": len(compared),
        "differ": len(differ),
        "higher_in_2": int((differ > 0).sum()),
        "lower_in_2": int((differ < 0).sum()),
        "median_size": float(size.median()),
        "largest": largest["feature"],
        "largest_effect": float(largest["effect"]),
    }


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    """With each feature's class, by class in the paper's order; cohorts stay together."""
    frame["feature_class"] = [feature_class(name) for name in frame["feature"]]
    rank = frame["feature_class"].map({name: number for number, name in enumerate(CLASS_NAMES)})
    cohort = frame["cohort"].map({name: number for number, name in enumerate(dict.fromkeys(frame["cohort"]))})
    return frame.iloc[np.lexsort((rank, cohort))].reset_index(drop=True)


def _compared(table: FeatureTable, group: stats.IntArray, settings: EvaluateSettings) -> pd.DataFrame:
    """Every feature of one cohort."""
    values, is_in_group = table.values(), np.isin(group, (1, 2))
    codes, patients = pd.factorize(table.frame.loc[is_in_group, "patient_id"], sort=True)
    by_patient = np.full((2, len(table.feature_names)), np.nan)
    fewest = min(len(np.unique(codes[group[is_in_group] == number])) for number in (1, 2))
    if fewest >= settings.few_patients:
        draws = stats.patient_draws(np.zeros(len(patients)), settings.n_resamples, np.random.default_rng(settings.seed))
        by_patient = stats.bootstrap_hedges_g(values[is_in_group], group[is_in_group] == 2, codes, draws, settings.level)
    rows = [
        _row(name, values[group == 1, i], values[group == 2, i], by_patient[:, i], settings)
        for i, name in enumerate(table.feature_names)
    ]
    frame = pd.DataFrame(rows).assign(p_holm=np.nan)
    tested = frame["p_value"].notna()
    frame.loc[tested, "p_holm"] = stats.holm(frame.loc[tested, "p_value"].to_numpy())
    return frame


def _row(
    name: str, first: stats.FloatArray, second: stats.FloatArray, by_patient: stats.FloatArray, settings: EvaluateSettings
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "feature": name,
        "n_1": len(first),
        "n_2": len(second),
        **_quartiles(1, first),
        **_quartiles(2, second),
    }
    try:
        effect, test = stats.hedges_g(first, second, settings.level), stats.compare_numbers(first, second)
    except InvalidValueError as error:
        nothing = dict.fromkeys(("effect", "low", "high", "low_nodes", "high_nodes", "p_value"), np.nan)
        return {**row, **nothing, "method": "", "test": "", "reason": str(error)}
    nodes = {"low_nodes": effect.low, "high_nodes": effect.high}
    if np.isnan(by_patient).any():
        drawn = {"low": effect.low, "high": effect.high, "method": f"{effect.method}, normal, nodes taken as independent"}
    else:
        method = f"{effect.method}, bootstrap by patient, {settings.n_resamples} resamples, percentile"
        drawn = {"low": by_patient[0], "high": by_patient[1], "method": method}
    return {**row, "effect": effect.estimate, **drawn, **nodes, "test": test.method, "p_value": test.p_value, "reason": ""}


def _quartiles(number: int, values: stats.FloatArray) -> dict[str, float]:
    names = (f"lower_quartile_{number}", f"median_{number}", f"upper_quartile_{number}")
    found = np.quantile(values, (0.25, 0.5, 0.75)) if values.size else np.full(3, np.nan)
    return dict(zip(names, map(float, found), strict=True))
