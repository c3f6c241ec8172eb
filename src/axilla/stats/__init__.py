"""Statistics on plain numbers and arrays: proportions, paired comparisons, ROC areas, bootstrap by patient."""

from axilla.stats.bootstrap import IntArray, bootstrap_auc, bootstrap_ratio, patient_draws
from axilla.stats.proportions import (
    LEVEL,
    Interval,
    mcnemar_exact,
    newcombe_independent,
    newcombe_paired,
    normal_quantile,
    wilson,
)
from axilla.stats.roc import FloatArray, auc, delong, delong_variance, hanley_mcneil, newcombe_auc, newcombe_auc_score

__all__ = [
    "LEVEL",
    "FloatArray",
    "IntArray",
    "Interval",
    "auc",
    "bootstrap_auc",
    "bootstrap_ratio",
    "delong",
    "delong_variance",
    "hanley_mcneil",
    "mcnemar_exact",
    "newcombe_auc",
    "newcombe_auc_score",
    "newcombe_independent",
    "newcombe_paired",
    "normal_quantile",
    "patient_draws",
    "wilson",
]
