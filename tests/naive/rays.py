"""Slow twin of `axilla.kernels.rays`."""

import numpy as np
from scipy import ndimage


def ray_lengths(image, places, directions, reach, levels, n_steps):
    steps = np.linspace(0, 1, n_steps + 1)
    points = places[:, None, None, :] + reach[:, None, None, None] * directions[:, None, :] * steps[:, None]
    values = ndimage.map_coordinates(image.astype(np.float64), points.reshape(-1, 3).T, order=1, mode="nearest").reshape(
        points.shape[:3]
    )
    excess = values - levels[:, None, None]
    is_out = excess < 0
    first = np.where(is_out.any(axis=2), is_out.argmax(axis=2), n_steps)
    before = np.maximum(first - 1, 0)
    high = np.take_along_axis(excess, before[:, :, None], axis=2)[:, :, 0]
    low = np.take_along_axis(excess, first[:, :, None], axis=2)[:, :, 0]
    fall = np.where(low < 0, high / np.maximum(high - low, 1e-6), 1.0)
    return (before + np.where(first > 0, fall, 0.0)) / n_steps * reach[:, None]
