"""Answers of decision trees."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from axilla.kernels._compile import kernel


@kernel
def sum_of_leaves(
    values: npt.NDArray[np.float64],
    feature: npt.NDArray[np.int64],
    threshold: npt.NDArray[np.float64],
    left: npt.NDArray[np.int64],
    right: npt.NDArray[np.int64],
    value: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Sum over all trees of the value of the leaf that each row reaches.

    Parameters
    ----------
    values : ndarray, shape (n, n_features)
    feature, left, right : ndarray of int64, shape (n_trees, n_nodes)
        Column asked for (-1 at a leaf), and the nodes below: left where the row's value is at most the threshold.
    threshold, value : ndarray, shape (n_trees, n_nodes)

    Returns
    -------
    ndarray, shape (n,)
    """
    total = np.zeros(len(values))
    for tree in range(len(feature)):
        for row in range(len(values)):
            at = 0
            while feature[tree, at] >= 0:
                is_left = values[row, feature[tree, at]] <= threshold[tree, at]
                at = left[tree, at] if is_left else right[tree, at]
            total[row] += value[tree, at]
    return total
