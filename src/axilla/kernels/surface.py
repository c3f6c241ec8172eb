"""The form of a mask: what its mesh, its axes and its diameters are computed from."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from axilla.kernels._compile import kernel


@kernel
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


@kernel
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


@kernel
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
    by_z, by_y, by_x = _row_ends(padded)
    out = np.empty(4)
    out[1] = _in_planes(by_z, half_zyx[1], half_zyx[2])
    out[2] = _in_planes(by_y, half_zyx[0], half_zyx[2])
    out[3] = _in_planes(by_x, half_zyx[0], half_zyx[1])
    out[0] = _over_all(by_z, half_zyx, max(out[1], out[2], out[3]))
    return out


@kernel
def _row_ends(
    padded: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First and last vertex of every row of a plane: rows along x by (z, y) and by (y, z), rows along y by (x, z).

    -1 where there is none. Of the vertices in a row only its ends can be farthest from another.
    """
    nz, ny, nx = padded.shape
    by_z, by_y, by_x = np.full((2 * nz, 2 * ny, 2), -1), np.full((2 * ny, 2 * nz, 2), -1), np.full((2 * nx, 2 * nz, 2), -1)
    for z in range(nz - 1):
        for y in range(ny - 1):
            for x in range(nx - 1):
                here = padded[z, y, x]
                if here != padded[z + 1, y, x]:
                    _widen(by_z, by_y, by_x, 2 * z + 1, 2 * y, 2 * x)
                if here != padded[z, y + 1, x]:
                    _widen(by_z, by_y, by_x, 2 * z, 2 * y + 1, 2 * x)
                if here != padded[z, y, x + 1]:
                    _widen(by_z, by_y, by_x, 2 * z, 2 * y, 2 * x + 1)
    return by_z, by_y, by_x


@kernel
def _widen(by_z: npt.NDArray[np.int64], by_y: npt.NDArray[np.int64], by_x: npt.NDArray[np.int64], z: int, y: int, x: int) -> None:
    """Let the rows through a vertex reach it; vertices come in ascending order of y and x within each row."""
    if by_z[z, y, 0] < 0:
        by_z[z, y, 0] = by_y[y, z, 0] = x
    by_z[z, y, 1] = by_y[y, z, 1] = x
    if by_x[x, z, 0] < 0:
        by_x[x, z, 0] = y
    by_x[x, z, 1] = y


@kernel
def _in_planes(ends: npt.NDArray[np.int64], half_across: float, half_along: float) -> float:
    """Square of the largest distance within a plane; rows ``(planes, rows, 2)``."""
    best = 0.0
    for plane in range(len(ends)):
        low, high = 1 << 30, -1
        for row in range(ends.shape[1]):
            if ends[plane, row, 0] >= 0:
                low, high = min(low, ends[plane, row, 0]), max(high, ends[plane, row, 1])
        extent = (high - low) * half_along
        for a in range(ends.shape[1]):
            if ends[plane, a, 0] < 0:
                continue
            for b in range(ends.shape[1] - 1, a - 1, -1):
                across = (b - a) * half_across
                if across * across + extent * extent <= best:
                    break
                if ends[plane, b, 0] >= 0:
                    along = max(ends[plane, a, 1] - ends[plane, b, 0], ends[plane, b, 1] - ends[plane, a, 0]) * half_along
                    best = max(best, across * across + along * along)
    return best


N_SHELLS = 1024


@kernel
def _over_all(ends: npt.NDArray[np.int64], half_zyx: npt.NDArray[np.float64], best: float) -> float:
    """Square of the largest distance; `best` is one that is reached.

    Points are taken from the farthest from the middle inward: two points are no farther apart than the sum of their distances
    from it.
    """
    points, radii = _outer_first(ends, half_zyx)
    reach = math.sqrt(best)
    for a in range(len(points)):
        if radii[a] + radii[0] <= reach:
            break
        for b in range(a):
            if radii[a] + radii[b] <= reach:
                break
            z, y, x = points[a, 0] - points[b, 0], points[a, 1] - points[b, 1], points[a, 2] - points[b, 2]
            squared = z * z + y * y + x * x
            if squared > best:
                best = squared
                reach = math.sqrt(best)
    return best


@kernel
def _outer_first(
    ends: npt.NDArray[np.int64], half_zyx: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The rows' ends ``(n, 3)``, mm, sorted into shells around their middle, and the outer radius of each one's shell."""
    low, high, n = np.full(3, np.inf), np.full(3, -np.inf), 0
    for z in range(ends.shape[0]):
        for y in range(ends.shape[1]):
            if ends[z, y, 0] >= 0:
                n += 2
                low[0], high[0] = min(low[0], z), max(high[0], z)
                low[1], high[1] = min(low[1], y), max(high[1], y)
                low[2], high[2] = min(low[2], ends[z, y, 0]), max(high[2], ends[z, y, 1])
    width = 0.0
    for axis in range(3):
        width += ((high[axis] - low[axis]) / 2 * half_zyx[axis]) ** 2
    width = math.sqrt(width) * 1.000001 / N_SHELLS
    found, shell, first = np.empty((n, 3)), np.empty(n, np.int64), np.zeros(N_SHELLS + 1, np.int64)
    n = 0
    for z in range(ends.shape[0]):
        for y in range(ends.shape[1]):
            for end in range(2):
                if ends[z, y, 0] >= 0:
                    found[n, 0] = (z - (low[0] + high[0]) / 2) * half_zyx[0]
                    found[n, 1] = (y - (low[1] + high[1]) / 2) * half_zyx[1]
                    found[n, 2] = (ends[z, y, end] - (low[2] + high[2]) / 2) * half_zyx[2]
                    radius = math.sqrt(found[n, 0] ** 2 + found[n, 1] ** 2 + found[n, 2] ** 2)
                    shell[n] = N_SHELLS - 1 - int(radius / width)
                    first[shell[n] + 1] += 1
                    n += 1
    for k in range(N_SHELLS):
        first[k + 1] += first[k]
    points, radii = np.empty((n, 3)), np.empty(n)
    for k in range(n):
        place = first[shell[k]]
        first[shell[k]] += 1
        points[place, 0], points[place, 1], points[place, 2] = found[k, 0], found[k, 1], found[k, 2]
        radii[place] = (N_SHELLS - shell[k]) * width
    return points, radii
