"""The form of a mask: what its mesh, its axes and its diameters are computed from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit


@njit(cache=True, nogil=True)
def mesh_counts(padded: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """How many cubes of each kind a mask has, and the first and second moments of its voxels.

    Parameters
    ----------
    padded : ndarray of bool, shape (z, y, x)
        Its outermost voxels are outside. A cube is eight neighboring voxels; bit k of its code is set where corner k (z slowest)
        is inside.

    Returns
    -------
    cubes : ndarray, shape (256, 4)
        By code: number of cubes, sums of their offsets (z, y, x).
    moments : ndarray, shape (10,)
        Over the voxels: number, sums of z, y, x, of zz, yy, xx, zy, zx, yx; whole numbers.
    """
    nz, ny, nx = padded.shape
    cubes, moments = np.zeros((256, 4)), np.zeros(10)
    for z in range(nz - 1):
        for y in range(ny - 1):
            code = 0
            for x in range(nx):
                # the far half of the last cube is the near half of this one
                code = (code >> 1) & 0b01010101
                code |= padded[z, y, x] << 1 | padded[z, y + 1, x] << 3 | padded[z + 1, y, x] << 5 | padded[z + 1, y + 1, x] << 7
                if x and 0 < code < 255:
                    cubes[code, 0] += 1
                    cubes[code, 1] += z
                    cubes[code, 2] += y
                    cubes[code, 3] += x - 1
                if padded[z, y, x]:
                    _add_moments(moments, z, y, x)
    return cubes, moments


@njit(cache=True, nogil=True)
def _add_moments(moments: npt.NDArray[np.float64], z: int, y: int, x: int) -> None:
    moments[0] += 1
    moments[1] += z
    moments[2] += y
    moments[3] += x
    moments[4] += z * z
    moments[5] += y * y
    moments[6] += x * x
    moments[7] += z * y
    moments[8] += z * x
    moments[9] += y * x


@njit(cache=True, nogil=True)
def squared_diameters(padded: npt.NDArray[np.bool_], half_zyx: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Squares of the largest distances between two vertices of a mask's mesh.

    A vertex is the middle of an edge between an inside and an outside voxel; its coordinates are whole numbers of half voxels.

    Parameters
    ----------
    padded : ndarray of bool, shape (z, y, x)
        Its outermost voxels are outside.
    half_zyx : ndarray, shape (3,)
        Half of the voxel spacing.

    Returns
    -------
    ndarray, shape (4,)
        Over all pairs; over those of equal z, of equal y, of equal x. 0 where there is no pair.
    """
    along_x, along_y = _row_ends(padded)
    out = np.empty(4)
    out[1] = _in_planes(along_x, half_zyx[1], half_zyx[2])
    out[2] = _in_planes(along_x.transpose(1, 0, 2), half_zyx[0], half_zyx[2])
    out[3] = _in_planes(along_y.transpose(1, 0, 2), half_zyx[0], half_zyx[1])
    out[0] = _over_all(along_x, half_zyx, out[1:].max())
    return out


@njit(cache=True, nogil=True)
def _row_ends(padded: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First and last vertex of every row: along x ``(2 nz, 2 ny, 2)``, along y ``(2 nz, 2 nx, 2)``; -1 where there is none.

    Of the vertices in a row only its ends can be farthest from another.
    """
    nz, ny, nx = padded.shape
    along_x, along_y = np.full((2 * nz, 2 * ny, 2), -1), np.full((2 * nz, 2 * nx, 2), -1)
    for z in range(nz - 1):
        for y in range(ny - 1):
            for x in range(nx - 1):
                here = padded[z, y, x]
                if here != padded[z + 1, y, x]:
                    _widen(along_x[2 * z + 1, 2 * y], 2 * x)
                    _widen(along_y[2 * z + 1, 2 * x], 2 * y)
                if here != padded[z, y + 1, x]:
                    _widen(along_x[2 * z, 2 * y + 1], 2 * x)
                    _widen(along_y[2 * z, 2 * x], 2 * y + 1)
                if here != padded[z, y, x + 1]:
                    _widen(along_x[2 * z, 2 * y], 2 * x + 1)
                    _widen(along_y[2 * z, 2 * x + 1], 2 * y)
    return along_x, along_y


@njit(cache=True, nogil=True)
def _widen(ends: npt.NDArray[np.int64], place: int) -> None:
    if ends[0] < 0 or place < ends[0]:
        ends[0] = place
    ends[1] = max(ends[1], place)


@njit(cache=True, nogil=True)
def _in_planes(ends: npt.NDArray[np.int64], half_across: float, half_along: float) -> float:
    """Square of the largest distance within a plane; rows ``(planes, rows, 2)``."""
    best = 0.0
    for plane in range(len(ends)):
        rows = np.flatnonzero(ends[plane, :, 0] >= 0)
        if not len(rows):
            continue
        extent = (ends[plane, :, 1].max() - ends[plane, rows, 0].min()) * half_along
        for a in range(len(rows)):
            low, high = ends[plane, rows[a], 0], ends[plane, rows[a], 1]
            for b in range(len(rows) - 1, a - 1, -1):
                across = (rows[b] - rows[a]) * half_across
                if across * across + extent * extent <= best:
                    break
                along = max(high - ends[plane, rows[b], 0], ends[plane, rows[b], 1] - low) * half_along
                best = max(best, across * across + along * along)
    return best


@njit(cache=True, nogil=True)
def _over_all(ends: npt.NDArray[np.int64], half_zyx: npt.NDArray[np.float64], best: float) -> float:
    """Square of the largest distance; `best` is one that is reached.

    Points are taken from the farthest from the middle inward: two points are no farther apart than the sum of their distances
    from it.
    """
    rows = np.argwhere(ends[:, :, 0] >= 0)
    points, radii = np.empty((2 * len(rows), 3)), np.empty(2 * len(rows))
    for k in range(len(rows)):
        for end in range(2):
            points[2 * k + end, 0] = rows[k, 0] * half_zyx[0]
            points[2 * k + end, 1] = rows[k, 1] * half_zyx[1]
            points[2 * k + end, 2] = ends[rows[k, 0], rows[k, 1], end] * half_zyx[2]
    for axis in range(3):
        points[:, axis] -= (points[:, axis].min() + points[:, axis].max()) / 2
    for k in range(len(points)):
        radii[k] = np.sqrt(points[k, 0] ** 2 + points[k, 1] ** 2 + points[k, 2] ** 2)
    order = np.argsort(-radii)
    reach = np.sqrt(best)
    for a in range(len(order)):
        i = order[a]
        if radii[i] + radii[order[0]] <= reach:
            break
        for b in range(a):
            j = order[b]
            if radii[i] + radii[j] <= reach:
                break
            z, y, x = points[i, 0] - points[j, 0], points[i, 1] - points[j, 1], points[i, 2] - points[j, 2]
            squared = z * z + y * y + x * x
            if squared > best:
                best = squared
                reach = np.sqrt(best)
    return best
