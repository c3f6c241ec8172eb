"""Rays through an image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from axilla.kernels._compile import kernel


@kernel
def _sample(image: npt.NDArray[np.float32], z: float, y: float, x: float) -> float:
    """Linear interpolation; beyond the border the nearest border value."""
    n_z, n_y, n_x = image.shape
    z, y, x = min(max(z, 0.0), n_z - 1.0), min(max(y, 0.0), n_y - 1.0), min(max(x, 0.0), n_x - 1.0)
    z0, y0, x0 = int(z), int(y), int(x)
    z1, y1, x1 = min(z0 + 1, n_z - 1), min(y0 + 1, n_y - 1), min(x0 + 1, n_x - 1)
    fz, fy, fx = z - z0, y - y0, x - x0
    low = (image[z0, y0, x0] * (1 - fx) + image[z0, y0, x1] * fx) * (1 - fy)
    low += (image[z0, y1, x0] * (1 - fx) + image[z0, y1, x1] * fx) * fy
    high = (image[z1, y0, x0] * (1 - fx) + image[z1, y0, x1] * fx) * (1 - fy)
    high += (image[z1, y1, x0] * (1 - fx) + image[z1, y1, x1] * fx) * fy
    return float(low * (1 - fz) + high * fz)


@kernel
def ray_lengths(
    image: npt.NDArray[np.float32],
    places: npt.NDArray[np.float64],
    directions: npt.NDArray[np.float64],
    reach: npt.NDArray[np.float64],
    levels: npt.NDArray[np.float64],
    n_steps: int,
) -> npt.NDArray[np.float64]:
    """Length of every ray to its first fall below a level, read between two samples; the reach where there is none.

    Parameters
    ----------
    image : ndarray of float32, shape (z, y, x)
    places : ndarray, shape (n, 3)
        Where the rays begin, fractional indices (z, y, x).
    directions : ndarray, shape (m, 3)
        Index steps (z, y, x) per unit of length.
    reach : ndarray, shape (n,)
        Longest length.
    levels : ndarray, shape (n,)
    n_steps : int
        Samples along the reach.

    Returns
    -------
    ndarray, shape (n, m)
    """
    n, m = len(places), len(directions)
    lengths = np.empty((n, m))
    for i in range(n):
        step = reach[i] / n_steps
        start = _sample(image, places[i, 0], places[i, 1], places[i, 2]) - levels[i]
        for j in range(m):
            before, length = start, reach[i]
            if start < 0:
                length = 0.0
            else:
                for k in range(1, n_steps + 1):
                    r = k * step
                    z, y, x = (
                        places[i, 0] + r * directions[j, 0],
                        places[i, 1] + r * directions[j, 1],
                        places[i, 2] + r * directions[j, 2],
                    )
                    excess = _sample(image, z, y, x) - levels[i]
                    if excess < 0:
                        length = (k - 1 + before / max(before - excess, 1e-6)) * step
                        break
                    before = excess
            lengths[i, j] = length
    return lengths
