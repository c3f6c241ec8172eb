"""Implicit shapes and the canvas they are painted on.

Large smooth structures are signed distances (negative inside) on a coarse grid, interpolated to the CT's voxels when painted;
thin ones (ribs, vessels) are evaluated on the CT's voxels inside their own small boxes. Either way a voxel's share of a
structure is the ramp of the distance over one voxel, which is the partial volume of a flat boundary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline, PchipInterpolator

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
UInt8 = npt.NDArray[np.uint8]
Texture = Callable[[int, slice, slice], Float32]
Steps = tuple[npt.NDArray[np.intp], Float32]
"""Along one axis: the coarse sample below each position, and the fraction of the way to the next."""

COARSE_MM = 3.0
"""Spacing of the coarse fields: fine enough for muscles 8 mm thick, coarse enough to cost a few seconds in all."""

_EVERYWHERE = (-np.inf, np.inf)

_BATCH = 40_000
"""Points times polygons per step: about what a processor's second-level cache holds."""


@dataclass(frozen=True)
class Field:
    """A signed distance (or any smooth scalar) on a coarse grid; constant `outside` beyond it."""

    values: Float32
    origin_zyx_mm: Float64
    spacing_mm: float = COARSE_MM

    def bounds_mm(self) -> tuple[Float64, Float64]:
        """First and last sample position, (z, y, x) mm."""
        last = self.origin_zyx_mm + (np.asarray(self.values.shape) - 1) * self.spacing_mm
        return self.origin_zyx_mm, last

    def on_slice(self, z_mm: float, y_mm: Float32, x_mm: Float32) -> Float32:
        """Values at one height on the product grid of `y_mm` and `x_mm`, shape (y, x)."""
        return self.over(y_mm, x_mm)(z_mm)

    def over(self, y_mm: Float32, x_mm: Float32) -> Callable[[float], Float32]:
        """:meth:`on_slice` for many heights on one product grid."""
        y, x = self._steps(1, y_mm), self._steps(2, x_mm)
        return lambda z_mm: _stretch(self._plane(z_mm), y, x)

    def cutter(self, y_mm: Float32, x_mm: Float32, below: float) -> Callable[[float], tuple[slice, slice, Float32] | None]:
        """For a height: where on the product grid values below `below` can be (rows, columns), and the values there."""
        (ky, fy), (kx, fx) = self._steps(1, y_mm), self._steps(2, x_mm)

        def cut(z_mm: float) -> tuple[slice, slice, Float32] | None:
            plane = self._plane(z_mm)
            low = plane < below
            rows, columns = np.flatnonzero(low.any(axis=1)), np.flatnonzero(low.any(axis=0))
            if not len(rows):
                return None
            ys = slice(int(np.searchsorted(ky, rows[0] - 1)), int(np.searchsorted(ky, rows[-1], side="right")))
            xs = slice(int(np.searchsorted(kx, columns[0] - 1)), int(np.searchsorted(kx, columns[-1], side="right")))
            if ys.start >= ys.stop or xs.start >= xs.stop:
                return None
            return ys, xs, _stretch(plane, (ky[ys], fy[ys]), (kx[xs], fx[xs]))

        return cut

    def _steps(self, axis: int, positions_mm: Float32) -> Steps:
        return _weights(positions_mm, self.origin_zyx_mm[axis], self.spacing_mm, self.values.shape[axis])

    def _plane(self, z_mm: float) -> Float32:
        k, f = _weights(np.asarray([z_mm]), self.origin_zyx_mm[0], self.spacing_mm, self.values.shape[0])
        return np.asarray(self.values[k[0]] * (1 - f[0]) + self.values[k[0] + 1] * f[0])

    def at(self, points_xyz_mm: Float64) -> Float32:
        """Values at points ``(n, 3)``; beyond the grid the value at its border plus the distance to it."""
        points_zyx = np.asarray(points_xyz_mm)[:, ::-1]
        low, high = self.bounds_mm()
        inside = np.clip(points_zyx, low, high)
        excess = np.linalg.norm(points_zyx - inside, axis=1)
        index, frac = [], []
        for axis in range(3):
            k, f = _weights(inside[:, axis], self.origin_zyx_mm[axis], self.spacing_mm, self.values.shape[axis])
            index.append(k)
            frac.append(f)
        total = np.zeros(len(points_zyx), dtype=np.float32)
        for dz in (0, 1):
            for dy in (0, 1):
                for dx in (0, 1):
                    fz, fy, fx = (f if d else 1 - f for f, d in zip(frac, (dz, dy, dx), strict=True))
                    total += fz * fy * fx * self.values[index[0] + dz, index[1] + dy, index[2] + dx]
        return np.asarray(total + excess, dtype=np.float32)


def _stretch(plane: Float32, y: Steps, x: Steps) -> Float32:
    """Bilinear interpolation of a coarse plane on a product grid."""
    (ky, fy), (kx, fx) = y, x
    first = int(ky[0])
    part = plane[first : int(ky[-1]) + 2]
    narrow = part.take(kx, axis=1)
    narrow += fx * (part.take(kx + 1, axis=1) - narrow)
    rows = narrow.take(ky - first, axis=0)
    rise = narrow.take(ky - first + 1, axis=0)
    rise -= rows
    rise *= fy[:, None]
    rows += rise
    return rows


def _weights(
    positions: npt.NDArray[np.floating], origin: float, spacing: float, size: int
) -> tuple[npt.NDArray[np.intp], Float32]:
    t = np.clip((np.asarray(positions, dtype=np.float64) - origin) / spacing, 0, size - 1)
    k = np.minimum(t.astype(np.intp), size - 2)
    return k, (t - k).astype(np.float32)


@dataclass(frozen=True)
class Loft:
    """A solid given by outlines at several heights.

    `z_mm` ``(k,)`` ascending; `outlines_xy_mm` ``(k, n, 2)`` closed polygons with corresponding corners. Between the heights
    the outlines are interpolated without overshoot; the polygon is rounded by a closed spline. `grow_mm` thickens it.
    """

    z_mm: Float64
    outlines_xy_mm: Float64
    grow_mm: float = 0.0

    def outlines(self, z_mm: Float64, n: int = 28) -> Float64:
        """Rounded outlines ``(m, n, 2)`` at heights ``(m,)`` (clamped to the solid's ends)."""
        return closed_spline(_at_heights(self.z_mm, self.outlines_xy_mm, z_mm), n)

    def field(self, margin_mm: float = 9.0, z_range_mm: tuple[float, float] = _EVERYWHERE) -> Field:
        """Signed distance on a coarse grid around the solid."""
        low = self.outlines_xy_mm.min(axis=(0, 1)) - margin_mm - self.grow_mm
        high = self.outlines_xy_mm.max(axis=(0, 1)) + margin_mm + self.grow_mm
        sweep = _Sweep.over(self.z_mm, low, high, margin_mm, z_range_mm)
        outlines = self.outlines(sweep.z_mm)
        return sweep.field(self.z_mm, polygon_distance(sweep.points_xy_mm(), outlines) - np.float32(self.grow_mm))


@dataclass(frozen=True)
class Strip:
    """A sheet (muscle, scapula) given by center lines and half thicknesses at several heights.

    `lines_xy_mm` ``(k, n, 2)``; `half_mm` ``(k, n)``.
    """

    z_mm: Float64
    lines_xy_mm: Float64
    half_mm: Float64

    def lines(self, z_mm: Float64, n: int = 16) -> tuple[Float64, Float64]:
        """Center lines ``(m, n, 2)`` and half thicknesses ``(m, n)`` at heights ``(m,)``."""
        operator = _open_operator(self.lines_xy_mm.shape[1], n)
        half = _at_heights(self.z_mm, self.half_mm, z_mm)
        t, fine = np.linspace(0, 1, half.shape[1]), np.linspace(0, 1, n)
        thickness = np.stack([np.interp(fine, t, row) for row in half])
        return operator @ _at_heights(self.z_mm, self.lines_xy_mm, z_mm), thickness

    def field(self, margin_mm: float = 9.0, z_range_mm: tuple[float, float] = _EVERYWHERE) -> Field:
        """Signed distance on a coarse grid around the sheet."""
        reach = margin_mm + float(self.half_mm.max())
        low, high = self.lines_xy_mm.min(axis=(0, 1)) - reach, self.lines_xy_mm.max(axis=(0, 1)) + reach
        sweep = _Sweep.over(self.z_mm, low, high, margin_mm, z_range_mm)
        lines, half = self.lines(sweep.z_mm)
        return sweep.field(self.z_mm, line_distance(sweep.points_xy_mm(), lines, half))


@dataclass(frozen=True)
class _Sweep:
    """The coarse grid around a shape, filled slice by slice."""

    z_mm: Float64
    y_mm: Float64
    x_mm: Float64

    @classmethod
    def over(cls, z_keys: Float64, low_xy: Float64, high_xy: Float64, margin: float, z_range: tuple[float, float]) -> _Sweep:
        z = _lattice(z_keys[0] - margin, z_keys[-1] + margin)
        near = z[(z > z_range[0] - 2 * COARSE_MM) & (z < z_range[1] + 2 * COARSE_MM)]
        z = near if len(near) > 1 else z[:2]
        return cls(z, _lattice(low_xy[1], high_xy[1]), _lattice(low_xy[0], high_xy[0]))

    def points_xy_mm(self) -> Float32:
        """The grid's points in a plane, ``(n, 2)``."""
        return np.stack(np.meshgrid(self.x_mm, self.y_mm), axis=-1).reshape(-1, 2).astype(np.float32)

    def field(self, z_keys: Float64, flat: Float32) -> Field:
        """The field of in-plane distances ``(m, n)``, rounded off beyond the shape's ends."""
        beyond = np.maximum(np.maximum(z_keys[0] - self.z_mm, self.z_mm - z_keys[-1]), 0.0).astype(np.float32)
        for k in np.flatnonzero(beyond):
            flat[k] = np.hypot(np.maximum(flat[k], 0), beyond[k])
        values = flat.reshape(len(self.z_mm), len(self.y_mm), len(self.x_mm))
        return Field(values, np.array([self.z_mm[0], self.y_mm[0], self.x_mm[0]]))


def _lattice(low_mm: float, high_mm: float) -> Float64:
    """Multiples of the coarse spacing from below `low_mm` to above `high_mm`: all coarse grids nest."""
    return COARSE_MM * np.arange(np.floor(low_mm / COARSE_MM), np.ceil(high_mm / COARSE_MM) + 1)


def _at_heights(z_keys: Float64, values: Float64, z: Float64) -> Float64:
    return np.asarray(PchipInterpolator(z_keys, values, axis=0)(np.clip(z, z_keys[0], z_keys[-1])))


@lru_cache(maxsize=32)
def _closed_operator(knots: int, n: int) -> Float64:
    """Matrix ``(n, knots)`` of the closed cubic spline through equally spaced knots."""
    ring = np.vstack([np.eye(knots), np.eye(knots)[:1]])
    return np.asarray(CubicSpline(np.arange(knots + 1), ring, bc_type="periodic")(np.linspace(0, knots, n, endpoint=False)))


@lru_cache(maxsize=32)
def _open_operator(knots: int, n: int) -> Float64:
    """Matrix ``(n, knots)`` of the cubic spline through equally spaced knots."""
    return np.asarray(CubicSpline(np.linspace(0, 1, knots), np.eye(knots))(np.linspace(0, 1, n)))


def closed_spline(knots: Float64, n: int) -> Float64:
    """Smooth closed curves ``(..., n, 2)`` through `knots` ``(..., m, 2)``."""
    return np.asarray(_closed_operator(knots.shape[-2], n) @ knots)


def polygon_distance(points: Float32, polygons: Float64) -> Float32:
    """Signed distance ``(m, n)`` of points ``(n, 2)`` to closed polygons ``(m, v, 2)``, negative inside.

    One edge of a few polygons at a time: the work then stays in the processor's cache.
    """
    px, py = np.ascontiguousarray(points[:, 0])[None], np.ascontiguousarray(points[:, 1])[None]
    corners = polygons.astype(np.float32)
    result = np.empty((len(corners), len(points)), dtype=np.float32)
    batch = max(1, _BATCH // len(points))
    for start in range(0, len(corners), batch):
        ring = corners[start : start + batch]
        squared = np.full((len(ring), len(points)), np.inf, dtype=np.float32)
        inside = np.zeros(squared.shape, dtype=bool)
        for v in range(ring.shape[1]):
            ax, ay = ring[:, v - 1, :1], ring[:, v - 1, 1:]
            ex, ey = ring[:, v, :1] - ax, ring[:, v, 1:] - ay
            dx, dy = px - ax, py - ay
            _closer(squared, dx, dy, ex, ey)
            slope = ex / np.where(np.abs(ey) < 1e-6, np.float32(1e-6), ey)
            inside ^= ((dy < 0) != (dy < ey)) & (dx < dy * slope)
        distance = np.sqrt(squared)
        result[start : start + batch] = np.where(inside, -distance, distance)
    return result


def _closer(squared: Float32, dx: Float32, dy: Float32, ex: Float32, ey: Float32) -> None:
    """Lower `squared` to the squared distance from the edge ``(ex, ey)`` where that is nearer."""
    t = dx * ex
    t += dy * ey
    t /= np.maximum(ex * ex + ey * ey, np.float32(1e-9))
    np.clip(t, 0, 1, out=t)
    away_x, away_y = dx - t * ex, dy - t * ey
    away_x *= away_x
    away_y *= away_y
    away_x += away_y
    np.minimum(squared, away_x, out=squared)


def line_distance(points: Float32, lines: Float64, half: Float64) -> Float32:
    """Distance ``(m, n)`` of points ``(n, 2)`` to polylines ``(m, v, 2)`` less their half thicknesses ``(m, v)``."""
    px, py = np.ascontiguousarray(points[:, 0])[None], np.ascontiguousarray(points[:, 1])[None]
    corners, thick = lines.astype(np.float32), half.astype(np.float32)[..., None]
    result = np.full((len(corners), len(points)), np.inf, dtype=np.float32)
    batch = max(1, _BATCH // len(points))
    for start in range(0, len(corners), batch):
        part = slice(start, start + batch)
        for v in range(1, corners.shape[1]):
            a, e = corners[part, v - 1], corners[part, v] - corners[part, v - 1]
            ex, ey = e[:, :1], e[:, 1:]
            dx, dy = px - a[:, :1], py - a[:, 1:]
            t = np.clip((dx * ex + dy * ey) / np.maximum(ex * ex + ey * ey, np.float32(1e-9)), 0, 1)
            away = np.sqrt((dx - t * ex) ** 2 + (dy - t * ey) ** 2)
            away -= thick[part, v - 1] + t * (thick[part, v] - thick[part, v - 1])
            np.minimum(result[part], away, out=result[part])
    return result


@dataclass(frozen=True)
class Tube:
    """A chain of tapered capsules: `points_xyz_mm` ``(n, 3)``, `radii_mm` ``(n,)``.

    With `normals_xyz` ``(n, 3)`` the section is an ellipse, `squeeze` times thinner along the normal (ribs).
    """

    points_xyz_mm: Float64
    radii_mm: Float64
    normals_xyz: Float64 | None = None
    squeeze: float = 1.0

    @classmethod
    def through(cls, knots: npt.ArrayLike, radii: npt.ArrayLike, step_mm: float = 6.0) -> Tube:
        """A smooth tube through few knots ``(m, 3)`` with radii ``(m,)``."""
        p, r = np.asarray(knots, dtype=np.float64), np.asarray(radii, dtype=np.float64)
        t = np.concatenate([[0], np.cumsum(np.maximum(np.linalg.norm(np.diff(p, axis=0), axis=1), 1e-3))])
        n = max(2, int(np.ceil(t[-1] / step_mm)) + 1)
        fine = np.linspace(0, t[-1], n)
        return cls(PchipInterpolator(t, p, axis=0)(fine), np.interp(fine, t, r))


@dataclass(frozen=True)
class Capsules:
    """The segments of many tubes together, for distances."""

    starts_xyz_mm: Float64
    ends_xyz_mm: Float64
    radii_mm: Float64
    """(n, 2): at start and end."""

    @classmethod
    def of(cls, tubes: Iterable[Tube]) -> Capsules:
        """All segments of the tubes."""
        tubes = list(tubes)
        starts = np.concatenate([t.points_xyz_mm[:-1] for t in tubes])
        ends = np.concatenate([t.points_xyz_mm[1:] for t in tubes])
        radii = np.concatenate([np.column_stack([t.radii_mm[:-1], t.radii_mm[1:]]) for t in tubes])
        return cls(starts, ends, radii)

    def distance(self, points_xyz_mm: Float64) -> Float64:
        """Signed distance of points ``(n, 3)`` from the nearest segment's surface."""
        edge = self.ends_xyz_mm - self.starts_xyz_mm
        length2 = np.maximum((edge**2).sum(axis=1), 1e-9)
        dots = points_xyz_mm @ edge.T - (self.starts_xyz_mm * edge).sum(axis=1)
        t = np.clip(dots / length2, 0, 1)
        from_start = (
            (points_xyz_mm**2).sum(axis=1)[:, None]
            - 2 * points_xyz_mm @ self.starts_xyz_mm.T
            + (self.starts_xyz_mm**2).sum(axis=1)
        )
        squared = from_start - 2 * t * dots + t**2 * length2
        radius = self.radii_mm[:, 0] + t * (self.radii_mm[:, 1] - self.radii_mm[:, 0])
        return np.asarray((np.sqrt(np.maximum(squared, 0)) - radius).min(axis=1))


class Canvas:
    """HU and tissue codes being painted; mutable, lives only inside ``render``.

    Parameters
    ----------
    z_mm, y_mm, x_mm : ndarray
        Ascending voxel center positions along each axis.
    """

    def __init__(self, z_mm: Float32, y_mm: Float32, x_mm: Float32) -> None:
        self.z_mm, self.y_mm, self.x_mm = z_mm, y_mm, x_mm
        shape = (len(z_mm), len(y_mm), len(x_mm))
        self.hu: Float32 = np.full(shape, -1000, dtype=np.float32)
        self.tissue: UInt8 = np.zeros(shape, dtype=np.uint8)
        self.voxel_mm = max(float(y_mm[1] - y_mm[0]), float(x_mm[1] - x_mm[0]))
        self.dz_mm = float(z_mm[1] - z_mm[0]) if len(z_mm) > 1 else self.voxel_mm

    def heights_mm(self) -> tuple[float, float]:
        """Lowest and highest slice."""
        return float(self.z_mm[0]), float(self.z_mm[-1])

    def box(self, low_zyx: npt.ArrayLike, high_zyx: npt.ArrayLike) -> tuple[slice, slice, slice] | None:
        """Voxels between two corners in mm, or None when there are none."""
        slices = []
        for axis, low, high in zip((self.z_mm, self.y_mm, self.x_mm), np.asarray(low_zyx), np.asarray(high_zyx), strict=True):
            start, stop = int(np.searchsorted(axis, low)), int(np.searchsorted(axis, high, side="right"))
            if start >= stop:
                return None
            slices.append(slice(start, stop))
        return slices[0], slices[1], slices[2]

    def paint_field(
        self, shape: Field, hu: float, tissue: int = 0, offset_mm: float = 0.0, texture: Texture | None = None
    ) -> None:
        """Paint where ``shape + offset`` is negative."""
        box = self.box(*shape.bounds_mm())
        if box is None:
            return
        zs, ys, xs = box
        y, x = self.y_mm[ys], self.x_mm[xs]
        half = self.voxel_mm / 2 - offset_mm
        cut = shape.cutter(y, x, half)
        for k in range(zs.start, zs.stop):
            part = cut(float(self.z_mm[k]))
            if part is None:
                continue
            rows, columns, distance = part
            fine_y = slice(ys.start + rows.start, ys.start + rows.stop)
            fine_x = slice(xs.start + columns.start, xs.start + columns.stop)
            value = hu if texture is None else hu + texture(k, fine_y, fine_x)
            share = np.float32(half) - distance
            share *= np.float32(1 / self.voxel_mm)
            np.clip(share, 0, 1, out=share)
            self.blend((k, fine_y, fine_x), share, value, tissue)

    def paint_tube(self, tube: Tube, hu: float, tissue: int = 0, shell_hu: float | None = None, shell_mm: float = 0.0) -> None:
        """Paint a tube; with a shell its outer `shell_mm` has `shell_hu` (bone cortex, airway wall)."""
        passes = [(0.0, hu)] if shell_hu is None else [(0.0, shell_hu), (shell_mm, hu)]
        edge = max(self.voxel_mm, self.dz_mm)
        for inset, value in passes:
            for k in range(len(tube.radii_mm) - 1):
                self._paint_capsule(tube, k, inset, value, tissue, edge)

    def _paint_capsule(self, tube: Tube, k: int, inset: float, hu: float, tissue: int, edge: float) -> None:
        p, q = tube.points_xyz_mm[k], tube.points_xyz_mm[k + 1]
        rp, rq = float(tube.radii_mm[k]), float(tube.radii_mm[k + 1])
        reach = max(rp, rq) + edge
        box = self.box(np.minimum(p, q)[::-1] - reach, np.maximum(p, q)[::-1] + reach)
        if box is None:
            return
        normal = None if tube.normals_xyz is None else tube.normals_xyz[k] * np.sqrt(tube.squeeze**2 - 1)
        distance = self._capsule(box, p, q, (rp, rq), normal)
        thin = min(1.0, 2 * min(rp, rq) / edge)
        self.blend(box, np.clip(0.5 - (distance + inset) / edge, 0, 1) * thin, hu, tissue)

    def _capsule(
        self,
        box: tuple[slice, slice, slice],
        p: Float64,
        q: Float64,
        radii: tuple[float, float],
        normal: Float64 | None,
    ) -> Float32:
        z = self.z_mm[box[0]][:, None, None] - np.float32(p[2])
        y = self.y_mm[box[1]][None, :, None] - np.float32(p[1])
        x = self.x_mm[box[2]][None, None, :] - np.float32(p[0])
        ex, ey, ez = (q - p).astype(np.float32)
        t = np.clip((x * ex + y * ey + z * ez) / np.float32(max(float(((q - p) ** 2).sum()), 1e-9)), 0, 1)
        dx, dy, dz = x - t * ex, y - t * ey, z - t * ez
        squared = dx**2 + dy**2 + dz**2
        if normal is not None:
            nx, ny, nz = normal.astype(np.float32)
            squared += (dx * nx + dy * ny + dz * nz) ** 2
        return np.asarray(np.sqrt(squared) - (np.float32(radii[0]) + t * np.float32(radii[1] - radii[0])), dtype=np.float32)

    def blend(self, box: tuple[int | slice, slice, slice], share: Float32, hu: float | Float32, tissue: int = 0) -> None:
        """Replace `share` (0-1) of the voxels in `box` by `hu`; their tissue code where the share is above one half."""
        view = self.hu[box]
        view += share * (hu - view)
        if tissue:
            self.tissue[box][share > 0.5] = tissue
