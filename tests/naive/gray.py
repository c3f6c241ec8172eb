"""Slow twin of `axilla.kernels.gray`."""

import numpy as np


def discretize(values, edges, mask, margin):
    bins = np.array([max(k + 1 for k, edge in enumerate(edges) if edge <= value) for value in values])
    levels, rank, counts = np.unique(bins, return_inverse=True, return_counts=True)
    ranks = np.zeros(mask.shape, dtype=int)
    ranks[mask] = rank + 1
    return np.pad(ranks, margin), levels.astype(float), counts.astype(float)


def value_sums(ascending, mean, shift):
    deviation = ascending - mean
    low, high = np.percentile(ascending, (10, 90))
    kept = ascending[(ascending >= low) & (ascending <= high)]
    return np.array(
        [
            *(len(ascending), mean, ascending.min(), *np.percentile(ascending, (10, 25, 50, 75, 90)), ascending.max()),
            np.sum((ascending + shift) ** 2),
            *(np.mean(deviation**power) for power in (2, 3, 4)),
            np.mean(np.abs(deviation)),
            np.mean(np.abs(kept - kept.mean())) if kept.size else np.nan,
        ]
    )
