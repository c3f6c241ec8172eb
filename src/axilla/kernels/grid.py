"""Sample positions of a new grid on an old one, and the mask there, in the arithmetic of ITK's resampling filter."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from axilla.kernels._compile import kernel


@kernel
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
    start, end, near = np.empty(3), np.empty(3), np.empty((3, nx), np.int64)
    alphas = np.empty(nx)
    for x in range(nx):
        alphas[x] = x / float(nx)
    n = 0
    for z in range(nz):
        for y in range(ny):
            _position(0, y, z, to_point, to_index, start)
            _position(nx, y, z, to_point, to_index, end)
            if _passes_by(mask, mask_start, start, end):
                continue
            for axis in range(3):
                _nearest(start[axis], end[axis], alphas, size[axis], mask_start[axis], mask.shape[2 - axis], near[axis])
            for x in range(nx):
                if near[0, x] >= 0 and near[1, x] >= 0 and near[2, x] >= 0 and mask[near[2, x], near[1, x], near[0, x]]:
                    inside[z, y, x] = True
                    for axis in range(3):
                        index_xyz[n, axis] = start[axis] + alphas[x] * (end[axis] - start[axis])
                    n += 1
    return inside, index_xyz[:n].copy()


@kernel
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


@kernel
def _passes_by(
    mask: npt.NDArray[np.bool_],
    mask_start: npt.NDArray[np.int64],
    start: npt.NDArray[np.float64],
    end: npt.NDArray[np.float64],
) -> bool:
    """Whether a line stays more than half a voxel away from the mask's box."""
    for axis in range(3):
        low, high = mask_start[axis] - 1.0, mask_start[axis] + mask.shape[2 - axis]
        if max(start[axis], end[axis]) < low or min(start[axis], end[axis]) > high:
            return True
    return False


@kernel
def _nearest(
    place_0: float,
    place_1: float,
    alphas: npt.NDArray[np.float64],
    size: int,
    start: int,
    n: int,
    out: npt.NDArray[np.int64],
) -> None:
    """Places in a box ``start .. start + n`` of the voxels nearest to points between two; halves go up; -1 outside."""
    for x in range(len(alphas)):
        place = place_0 + alphas[x] * (place_1 - place_0)
        below = math.floor(place)
        nearest = below + 1 if place - below >= 0.5 else below
        is_inside = (place >= -0.5) & (place < size - 0.5) & (nearest >= start) & (nearest < start + n)
        out[x] = nearest - start if is_inside else -1
