"""How the features of group 1 and group 2 differ: effect sizes, tests, and how many of a class differ (Figure 4).

The groups were made from these very features, so that the P values describe how far apart the groups are and prove nothing.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from axilla import stats
from axilla.errors import InvalidValueError
from axilla.table import FeatureTable

COLUMNS = ["cohort", "feature", "n_1", "n_2", "effect", "low", "high", "method", "test", "p_value", "p_holm", "reason"]


def group_differences(cohort: str, features: FeatureTable, predictions: pd.DataFrame) -> pd.DataFrame:
    """One row per feature, group 2 against group 1.

    Parameters
    ----------
    cohort : str
        Named on every row.
    features : FeatureTable
        The cohort's nodes that count; those without features are left out.
    predictions : DataFrame
        ``patient_id, node_id, group`` of these nodes and perhaps of others.

    Returns
    -------
    DataFrame
        :data:`COLUMNS`; ``p_holm`` is adjusted for all features of the cohort. Where there is nothing, ``reason`` says why.
    """
    table = features.evaluable
    keys = table.frame[["patient_id", "node_id"]].merge(predictions, on=["patient_id", "node_id"], how="left")
    group = keys["group"].to_numpy(dtype=np.int64, na_value=0)
    values = table.values()
    rows = [_row(name, values[group == 1, i], values[group == 2, i]) for i, name in enumerate(table.feature_names)]
    frame = pd.DataFrame(rows).assign(cohort=cohort, p_holm=np.nan)
    tested = frame["p_value"].notna()
    frame.loc[tested, "p_holm"] = stats.holm(frame.loc[tested, "p_value"].to_numpy())
    return frame[COLUMNS]


def _row(name: str, first: stats.FloatArray, second: stats.FloatArray) -> dict[str, object]:
    row: dict[str, object] = {"feature": name, "n_1": len(first), "n_2": len(second)}
    try:
        effect, test = stats.hedges_g(first, second), stats.compare_numbers(first, second)
    except InvalidValueError as error:
        nothing = dict.fromkeys(("effect", "low", "high", "p_value"), np.nan)
        return {**row, **nothing, "method": "", "test": "", "reason": str(error)}
    found = {"effect": effect.estimate, "low": effect.low, "high": effect.high, "method": effect.method}
    return {**row, **found, "test": test.method, "p_value": test.p_value, "reason": ""}
