"""Slow twin of `axilla.kernels.trees`."""

import numpy as np


def _leaf(row, feature, threshold, left, right, at=0):
    if feature[at] < 0:
        return at
    below = left[at] if row[feature[at]] <= threshold[at] else right[at]
    return _leaf(row, feature, threshold, left, right, below)


def sum_of_leaves(values, feature, threshold, left, right, value):
    trees = range(len(feature))
    return np.array([
        sum(value[t, _leaf(row, feature[t], threshold[t], left[t], right[t])] for t in trees) for row in values
    ])  # fmt: skip
