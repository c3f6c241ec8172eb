"""Statistics on plain numbers and arrays: proportions, comparisons of groups and pairs, ROC areas, bootstrap by patient."""

from axilla.stats.bootstrap import IntArray, bootstrap_auc, bootstrap_hedges_g, bootstrap_ratio, patient_draws
from axilla.stats.groups import (
    SIGNIFICANCE,
    Test,
    are_normal,
    bartlett,
    compare_counts,
    compare_numbers,
    fisher,
    hedges_g,
    holm,
    is_sparse,
    shapiro_wilk,
)
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
    "SIGNIFICANCE",
    "FloatArray",
    "IntArray",
    "Interval",
    "Test",
    "are_normal",
    "auc",
    "bartlett",
    "bootstrap_auc",
    "bootstrap_hedges_g",
    "bootstrap_ratio",
    "compare_counts",
    "compare_numbers",
    "delong",
    "delong_variance",
    "fisher",
    "hanley_mcneil",
    "hedges_g",
    "holm",
    "is_sparse",
    "mcnemar_exact",
    "newcombe_auc",
    "newcombe_auc_score",
    "newcombe_independent",
    "newcombe_paired",
    "normal_quantile",
    "patient_draws",
    "shapiro_wilk",
    "wilson",
]
