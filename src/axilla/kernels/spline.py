"""Cubic B-spline interpolation (Unser 1999, IEEE Signal Process Mag 16(6):22-38), where and only where it is needed.

The arithmetic, its order included, is that of ITK's ``BSplineDecompositionImageFilter`` and ``BSplineInterpolateImageFunction``,
so that a value which is a whole number in exact arithmetic falls on the same side of it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from axilla.kernels._compile import kernel

POLE = math.sqrt(3.0) - 2.0
GAIN = 1.0 * (1.0 - POLE) * (1.0 - 1.0 / POLE)
HORIZON = math.ceil(math.log(1e-10) / math.log(abs(POLE)))
"""Voxels ITK sums over to start a line at the image's border."""

_LANES = 32
"""Rows filtered at a time: their buffer stays in the nearest caches."""

_FAR = 1 << 30
"""Farther than any voxel."""


@kernel
def spline_taps(
    index_xyz: npt.NDArray[np.float64], size: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which voxels the spline at some points is made of.

    ITK finds the first tap in single precision: just below a voxel center it takes that voxel's taps, which the last bit shows.

    Parameters
    ----------
    index_xyz : ndarray, shape (n, 3)
        Continuous indices (x, y, z).
    size : ndarray, shape (3,)
        The image's shape (z, y, x).

    Returns
    -------
    first : ndarray, shape (n, 3)
        The first of the four taps along each axis (x, y, z); may lie outside the image.
    low, high : ndarray, shape (3,)
        The box (z, y, x) of all taps inside the image.
    """
    first, low, high = np.empty(index_xyz.shape, np.int64), np.empty(3, np.int64), np.empty(3, np.int64)
    for n in range(len(index_xyz)):
        for axis in range(3):
            first[n, axis] = math.floor(np.float32(index_xyz[n, axis])) - 1
    for axis in range(3):
        least, largest = first[0, axis], first[0, axis]
        for n in range(len(first)):
            least, largest = min(least, first[n, axis]), max(largest, first[n, axis])
        low[2 - axis], high[2 - axis] = max(least, 0), min(largest + 4, size[2 - axis])
    return first, low, high


@kernel
def spline_coefficients(
    array: npt.NDArray[Any],
    first: npt.NDArray[np.int64],
    low: npt.NDArray[np.int64],
    high: npt.NDArray[np.int64],
    margin: int,
) -> npt.NDArray[np.float64]:
    """Spline coefficients of the taps of some points.

    A voxel's influence falls by 0.27 with every step along an axis; what lies more than `margin` steps away from every tap is
    left out.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
        The image, mirrored at its outer voxel centers.
    first : ndarray, shape (n, 3)
        The points' first taps, of `spline_taps`.
    low, high : ndarray, shape (3,)
        The box (z, y, x) of all taps inside the image.
    margin : int
        Voxels.

    Returns
    -------
    ndarray, shape high - low
        Right at the taps only.
    """
    nz, ny, nx = array.shape
    n_z, n_y, n_x = high[0] - low[0], high[1] - low[1], high[2] - low[2]
    z0, z1 = max(low[0] - margin, 0), min(high[0] + margin, nz)
    boxes = _tap_boxes(first, low[0], n_z)
    planes = np.empty((z1 - z0, n_y * n_x))
    rows, lanes = np.empty((min(n_y + 2 * margin, ny), n_x)), np.empty((min(n_x + 2 * margin, nx), _LANES))
    for z in range(z0, z1):
        y0, y1 = _reached_rows(boxes, z - low[0], margin)
        y0, y1 = min(max(y0, 0), low[1]), max(min(y1, ny), high[1])
        for y in range(y0, y1, _LANES):
            stop = min(y + _LANES, y1)
            x0, x1 = _reached_columns(boxes, z - low[0], y, stop, margin)
            x0, x1 = min(max(x0, 0), low[2]), max(min(x1, nx), high[2])
            for lane in range(stop - y):
                for x in range(x0, x1):
                    lanes[x - x0, lane] = array[z, y + lane, x]
            _filter(lanes, x1 - x0, low[2] - x0, x0 == 0)
            for lane in range(stop - y):
                for x in range(n_x):
                    rows[y + lane - y0, x] = lanes[low[2] + x - x0, lane]
        _filter(rows, y1 - y0, low[1] - y0, y0 == 0)
        for y in range(n_y):
            for x in range(n_x):
                planes[z - z0, y * n_x + x] = rows[low[1] + y - y0, x]
    _filter(planes, z1 - z0, low[0] - z0, z0 == 0)
    return planes[low[0] - z0 : high[0] - z0].copy().reshape((n_z, n_y, n_x))


@kernel
def _tap_boxes(first: npt.NDArray[np.int64], low_z: int, n_z: int) -> npt.NDArray[np.int64]:
    """Least y, least -y, least x and least -x of the taps in each plane ``(n_z, 4)``; far away where there is none."""
    boxes = np.empty((n_z, 4), np.int64)
    boxes[:] = _FAR
    for n in range(len(first)):
        box = boxes[max(first[n, 2] - low_z, 0)]
        for axis in range(2):
            tap = first[n, 1 - axis]
            box[2 * axis], box[2 * axis + 1] = min(box[2 * axis], tap), min(box[2 * axis + 1], -(tap + 3))
    for _ in range(3):  # a point has taps in this plane and the next three
        for z in range(n_z - 1, 0, -1):
            for side in range(4):
                boxes[z, side] = min(boxes[z, side], boxes[z - 1, side])
    return boxes


@kernel
def _reached_rows(boxes: npt.NDArray[np.int64], z: int, margin: int) -> tuple[int, int]:
    """Rows of a plane within so many steps of a tap: the first, and one past the last."""
    least, least_negative = _FAR, _FAR
    for k in range(len(boxes)):
        reach = margin - abs(z - k)
        if reach >= 0:
            least, least_negative = min(least, boxes[k, 0] - reach), min(least_negative, boxes[k, 1] - reach)
    return least, 1 - least_negative


@kernel
def _reached_columns(boxes: npt.NDArray[np.int64], z: int, y: int, stop: int, margin: int) -> tuple[int, int]:
    """Columns of some rows of a plane within so many steps of a tap: the first, and one past the last."""
    least, least_negative = _FAR, _FAR
    for k in range(len(boxes)):
        reach = margin - abs(z - k) - max(boxes[k, 0] - (stop - 1), y + boxes[k, 1], 0)
        if reach >= 0:
            least, least_negative = min(least, boxes[k, 2] - reach), min(least_negative, boxes[k, 3] - reach)
    return least, 1 - least_negative


@kernel
def _filter(lines: npt.NDArray[np.float64], n: int, first: int, starts_at_border: bool) -> None:
    """Turn samples `first` to n of lines along axis 0 into coefficients, in place.

    Lines are mirrored at the image's border. One that is cut off starts as if it were even before; that is forgotten by `first`.
    """
    n_lines = lines.shape[1]
    if n == 1:
        return
    for line in range(n_lines):
        lines[0, line] = _first_causal(lines, line, n) if starts_at_border else GAIN / (1.0 - POLE) * lines[0, line]
    for k in range(1, n):
        before, here = lines[k - 1], lines[k]
        for line in range(n_lines):
            here[line] = GAIN * here[line] + POLE * before[line]
    for line in range(n_lines):
        lines[n - 1, line] = (POLE / (POLE * POLE - 1.0)) * (POLE * lines[n - 2, line] + lines[n - 1, line])
    for k in range(n - 2, first - 1, -1):
        after, here = lines[k + 1], lines[k]
        for line in range(n_lines):
            here[line] = POLE * (after[line] - here[line])


@kernel
def _first_causal(lines: npt.NDArray[np.float64], line: int, n: int) -> float:
    """The first value of the causal recursion; of a short line the mirror image at its far end counts too."""
    power, total = POLE, GAIN * lines[0, line]
    if n > HORIZON:
        for k in range(1, HORIZON):
            total += power * (GAIN * lines[k, line])
            power *= POLE
        return float(total)
    mirrored = POLE ** (n - 1.0)
    total += mirrored * (GAIN * lines[n - 1, line])
    mirrored *= mirrored * (1.0 / POLE)
    for k in range(1, n - 1):
        total += (power + mirrored) * (GAIN * lines[k, line])
        power *= POLE
        mirrored *= 1.0 / POLE
    return float(total / (1.0 - power * power))


@kernel
def spline_values(
    coefficients: npt.NDArray[np.float64],
    low: npt.NDArray[np.int64],
    size: npt.NDArray[np.int64],
    index_xyz: npt.NDArray[np.float64],
    first: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """The spline at some points.

    Parameters
    ----------
    coefficients : ndarray, shape (z, y, x)
        Of a box that holds all taps.
    low, size : ndarray, shape (3,)
        Where the box begins (z, y, x); the whole image's shape.
    index_xyz : ndarray, shape (n, 3)
        Continuous indices (x, y, z) in the whole image.
    first : ndarray, shape (n, 3)
        Of `spline_taps`.

    Returns
    -------
    ndarray, shape (n,)
    """
    values, taps, weights = np.empty(len(index_xyz)), np.empty((3, 4), np.int64), np.empty((3, 4))
    for n in range(len(index_xyz)):
        for axis in range(3):
            _cubic_weights(index_xyz[n, axis] - (first[n, axis] + 1), weights[axis])
            for k in range(4):
                taps[axis, k] = _mirror(first[n, axis] + k, size[2 - axis]) - low[2 - axis]
        total = 0.0
        for z in range(4):
            for y in range(4):
                for x in range(4):
                    weight = weights[0, x] * weights[1, y] * weights[2, z]
                    total += weight * coefficients[taps[2, z], taps[1, y], taps[0, x]]
        values[n] = total
    return values


@kernel
def _mirror(index: int, size: int) -> int:
    """An index reflected at the first and the last voxel center."""
    if 0 <= index < size:
        return index
    if size == 1:
        return 0
    period = 2 * (size - 1)
    folded = abs(index) % period
    return min(folded, period - folded)


@kernel
def _cubic_weights(fraction: float, weights: npt.NDArray[np.float64]) -> None:
    """The cubic B-spline at the four voxels around a point, `fraction` beyond the second of them."""
    weights[3] = (1.0 / 6.0) * fraction * fraction * fraction
    weights[0] = (1.0 / 6.0) + 0.5 * fraction * (fraction - 1.0) - weights[3]
    weights[2] = fraction + weights[0] - 2.0 * weights[3]
    weights[1] = 1.0 - weights[0] - weights[2] - weights[3]
