"""Which features enter: the order of the walk, constants, and the correlation filter. Arrays only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from axilla.volume import BoolArray, FloatArray

CLASSES = ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
"""Feature classes in the order of axilla's tables (and of Qu et al. 2024)."""

_CONSTANT_RELATIVE = 1e-9
"""A spread below this share of the largest magnitude is rounding, not information."""


def registry_order(names: Sequence[str]) -> tuple[str, ...]:
    """Feature names in registry order, whatever the order of the file's columns.

    By class, then by PyRadiomics' method name (``getMeanFeatureValue`` comes after ``getMeanAbsoluteDeviationFeatureValue``);
    names that are not ``original_<class>_<feature>`` follow at the end, by name.
    """
    return tuple(sorted(names, key=_registry_key))


def _registry_key(name: str) -> tuple[int, str]:
    parts = name.split("_")
    if len(parts) != 3 or parts[0] != "original" or parts[1] not in CLASSES:
        return len(CLASSES), name
    return CLASSES.index(parts[1]), parts[2] + "FeatureValue"


def is_constant(values: FloatArray) -> BoolArray:
    """Which columns of ``(n_nodes, n_features)`` hold one value only, up to rounding."""
    spread = values.max(axis=0) - values.min(axis=0)
    return np.asarray(spread <= _CONSTANT_RELATIVE * np.abs(values).max(axis=0))


def drop_correlated(z: FloatArray, threshold: float, keep: str) -> tuple[npt.NDArray[np.int64], dict[int, int]]:
    """Walk the features; drop each that correlates with one kept before.

    Parameters
    ----------
    z : ndarray, shape (n_nodes, n_features)
        Standardized values without constant columns.
    threshold : float
        A pair with |Pearson r| above it is correlated.
    keep : str
        Order of the walk, see :attr:`axilla.model.ModelSettings.keep`.

    Returns
    -------
    kept : ndarray of int
        Columns kept, ascending.
    because : dict of int to int
        For each dropped column the kept column it correlates with most.
    """
    correlation = np.abs(np.atleast_2d(np.corrcoef(z, rowvar=False)))
    kept: list[int] = []
    for column in _walk(correlation, keep):
        if not kept or correlation[column, kept].max() <= threshold:
            kept.append(column)
    dropped = sorted(set(range(z.shape[1])) - set(kept))
    return np.array(sorted(kept), dtype=np.int64), {c: max(kept, key=lambda k: (correlation[c, k], -k)) for c in dropped}


def _walk(correlation: FloatArray, keep: str) -> list[int]:
    columns = list(range(len(correlation)))
    if keep == "last":
        return columns[::-1]
    if keep == "least_correlated":
        return [int(c) for c in np.argsort(correlation.mean(axis=1), kind="stable")]
    return columns
