"""Sample positions of a new grid on an old one, and the mask there, in the arithmetic of ITK's resampling filter."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit


@njit(cache=True, nogil=True)
def sample_mask(
    mask: npt.NDArray[np.bool_],
    mask_start: npt.NDArray[np.int64],
    size: npt.NDArray[np.int64],
    n_new: npt.NDArray[np.int64],
    to_point: npt.NDArray[np.float64],
    to_index: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """The mask at the nearest voxel of every sample, and where the samples inside it lie.

    ITK's filter computes the positions at both ends of a line along x and interpolates between them; halves round up; a sample
    beyond the outer voxel edges of the image is outside.

    Parameters
    ----------
    mask : ndarray of bool, shape (z, y, x)
        A box of the old grid.
    mask_start, size, n_new : ndarray, shape (3,)
        Where the box begins on the old grid, the size of the old grid, the size of the new grid (x, y, z).
    to_point : ndarray, shape (3, 4)
        From an index (x, y, z) of the new grid to a point: matrix, then origin.
    to_index : ndarray, shape (3, 4)
        From a point less the old grid's origin (the last column) to an index of the old grid.

    Returns
    -------
    inside : ndarray of bool, shape (z, y, x)
        The mask on the new grid.
    index_xyz : ndarray, shape (n, 3)
        Continuous indices (x, y, z) on the old grid of the samples inside, in array order.
    """
    nx, ny, nz = n_new
    inside, index_xyz = np.zeros((nz, ny, nx), np.bool_), np.empty((nx * ny * nz, 3))
    start, end, here = np.empty(3), np.empty(3), np.empty(3)
    n = 0
    for z in range(nz):
        for y in range(ny):
            _position(0, y, z, to_point, to_index, start)
            _position(nx, y, z, to_point, to_index, end)
            for x in range(nx):
                alpha = x / float(nx)
                for axis in range(3):
                    here[axis] = start[axis] + alpha * (end[axis] - start[axis])
                if _is_inside(mask, mask_start, size, here):
                    inside[z, y, x] = True
                    index_xyz[n] = here
                    n += 1
    return inside, index_xyz[:n].copy()


@njit(cache=True, nogil=True)
def _position(
    x: int,
    y: int,
    z: int,
    to_point: npt.NDArray[np.float64],
    to_index: npt.NDArray[np.float64],
    out: npt.NDArray[np.float64],
) -> None:
    """Continuous index on the old grid of an index of the new one."""
    for row in range(3):
        out[row] = 0.0
    for column in range(3):
        point = to_point[column, 3]
        point += to_point[column, 0] * x
        point += to_point[column, 1] * y
        point += to_point[column, 2] * z
        for row in range(3):
            out[row] += to_index[row, column] * (point - to_index[column, 3])


@njit(cache=True, nogil=True)
def _is_inside(
    mask: npt.NDArray[np.bool_],
    mask_start: npt.NDArray[np.int64],
    size: npt.NDArray[np.int64],
    index_xyz: npt.NDArray[np.float64],
) -> bool:
    """The mask at the voxel nearest to an index.

    ITK rounds x as floor((2x + 1/2) rounded half-even / 2): unlike floor(x + 1/2), right for the number just below 1/2.
    """
    x, y, z = 0, 0, 0
    for axis in range(3):
        value = index_xyz[axis]
        nearest = (round(value + value + 0.5) >> 1) - mask_start[axis]
        if not -0.5 <= value < size[axis] - 0.5 or not 0 <= nearest < mask.shape[2 - axis]:
            return False
        x, y, z = y, z, nearest
    return bool(mask[z, y, x])
