"""Slow twin of `axilla.kernels.spline`, by linear algebra: coefficients are what the B-spline turns back into the samples."""

import numpy as np


def spline_taps(index_xyz, size):
    first = np.floor(index_xyz.astype(np.float32)).astype(int) - 1
    low, high = first.min(axis=0)[::-1], first.max(axis=0)[::-1] + 4
    return first, np.maximum(low, 0), np.minimum(high, size)


def _mirror(index, size):
    while size > 1 and not 0 <= index < size:
        index = -index if index < 0 else 2 * (size - 1) - index
    return index if size > 1 else 0


def _inverse(size):
    """From the samples of a line to its coefficients."""
    matrix = np.zeros((size, size))
    for row in range(size):
        for step, weight in ((-1, 1 / 6), (0, 4 / 6), (1, 1 / 6)):
            matrix[row, _mirror(row + step, size)] += weight
    return np.linalg.inv(matrix)


def spline_coefficients(array, first, low, high, margin):
    """Without a margin: of the whole image."""
    nz, ny, nx = array.shape
    whole = np.einsum("az,by,cx,zyx->abc", _inverse(nz), _inverse(ny), _inverse(nx), array.astype(float))
    return whole[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]


def _bspline(distance):
    distance = abs(distance)
    if distance < 1:
        return 2 / 3 - distance**2 + distance**3 / 2
    return max(2 - distance, 0.0) ** 3 / 6


def spline_values(coefficients, low, size, index_xyz, first):
    values = []
    for place, start in zip(index_xyz[:, ::-1], first[:, ::-1], strict=True):
        total = 0.0
        for step in np.ndindex(4, 4, 4):
            tap = start + step
            weight = np.prod([_bspline(p - t) for p, t in zip(place, tap, strict=True)])
            total += weight * coefficients[tuple(_mirror(t, n) - a for t, n, a in zip(tap, size, low, strict=True))]
        values.append(total)
    return np.array(values)
