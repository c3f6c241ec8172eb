"""The body's outline: skin over fat over the hull of muscles and skeleton, breasts, and the table it lies on."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import ConvexHull

from axilla.phantom.frame import SIDE_SIGN, Float64, Frame
from axilla.phantom.limb import Muscle, arm_down, hull_points
from axilla.phantom.settings import PhantomSettings, Position
from axilla.phantom.shapes import Canvas, Field, Float32, Tube, polygon_distance
from axilla.phantom.trunk import STERNUM_Y, STERNUM_Z, cavity, spine_center

BODY_MM = 5.0
"""Spacing of the body's field; its surface is smooth."""

SKIN_MM = 1.8
_HULL_POINTS = 56
_ARM_PARTS_MM = -35.0
"""Below this height an arm at the side has an outline of its own."""


def fat_thickness_mm(settings: PhantomSettings) -> float:
    """Typical subcutaneous fat over the chest."""
    base = 4.0 + 32.0 * settings.habitus
    return base + (3.0 if settings.sex == "female" else 0.0)


def body_field(frame: Frame, settings: PhantomSettings, muscles: list[Muscle], canvas: Canvas) -> Field:
    """Signed distance to the skin, breasts included, arms at the side joined."""
    z = np.arange(canvas.z_mm[0] - 8, canvas.z_mm[-1] + 12, BODY_MM)
    y = np.arange(canvas.y_mm[0] - 4, canvas.y_mm[-1] + 8, BODY_MM)
    x = np.arange(canvas.x_mm[0] - 4, canvas.x_mm[-1] + 8, BODY_MM)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2).astype(np.float32)
    clouds = hull_points(muscles, z)
    if settings.arms == "down":
        without_deltoid = hull_points([m for m in muscles if m.name != "deltoid"], z)
        clouds = [whole if h > _ARM_PARTS_MM else rest for h, whole, rest in zip(z, clouds, without_deltoid, strict=True)]
    hulls = [_hull(frame, cloud, float(height)) for height, cloud in zip(z, clouds, strict=True)]
    values = polygon_distance(points, np.stack(hulls)).reshape(len(z), len(y), len(x))
    values = gaussian_filter(values, (2.0, 1.0, 1.0), mode="nearest")
    values -= _thickness(settings, z, y, x)
    values = _join(values, _breasts(frame, settings, z, y, x), 14.0)
    if settings.arms == "down":
        for side in SIDE_SIGN:
            arm = _arm(arm_down(frame, side), z, y, x) - np.float32(0.4 * fat_thickness_mm(settings))
            values = _join(values, arm, 10.0)
    return Field(values.astype(np.float32), np.array([z[0], y[0], x[0]]), BODY_MM)


def _arm(tube: Tube, z: Float64, y: Float64, x: Float64) -> Float32:
    """Distance to an upright tube, measured within the slice; rounded off above its upper end."""
    heights = tube.points_xyz_mm[::-1, 2]
    center_x = np.interp(z, heights, tube.points_xyz_mm[::-1, 0])[:, None, None]
    center_y = np.interp(z, heights, tube.points_xyz_mm[::-1, 1])[:, None, None]
    above = np.maximum(z - heights[-1], 0)[:, None, None]
    radius = np.interp(z, heights, tube.radii_mm[::-1])[:, None, None]
    away = np.sqrt((x[None, None, :] - center_x) ** 2 + (y[None, :, None] - center_y) ** 2 + above**2)
    return np.asarray(away - radius, dtype=np.float32)


def _hull(frame: Frame, muscle_points: Float64, z_mm: float) -> Float64:
    z_ref = z_mm / float(frame.scale_xyz[2])
    front = float(np.interp(z_ref, STERNUM_Z, STERNUM_Y - 7)) if z_ref < -20 else float(np.interp(z_ref, [-20, 40], [-84, -52]))
    spine = spine_center(frame, z_ref)[:2]
    points = [muscle_points, frame.warp([[0, front, z_ref]])[:, :2], spine + np.array([[0, 58], [-12, 52], [12, 52]])]
    if z_ref < -3:
        ring = cavity(frame, min(z_ref, -6.0), 36)
        middle = ring.mean(axis=0)
        points.append(middle + (ring - middle) * (1 + 14 / np.linalg.norm(ring - middle, axis=1, keepdims=True)))
    cloud = np.concatenate(points)
    ring = cloud[ConvexHull(cloud).vertices]
    ring = np.vstack([ring, ring[:1]])
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(ring, axis=0), axis=1))])
    at = np.linspace(0, along[-1], _HULL_POINTS, endpoint=False)
    return np.column_stack([np.interp(at, along, ring[:, a]) for a in (0, 1)])


def _thickness(settings: PhantomSettings, z: Float64, y: Float64, x: Float64) -> Float32:
    """Fat over the hull: thinner over shoulders and back, thicker at the flanks and in front."""
    base = fat_thickness_mm(settings)
    height = np.interp(z, [-120, -40, 10], [1.0, 0.85, 0.6])[:, None, None]
    depth = np.interp(y, [-120, -20, 60], [1.0, 1.05, 0.75])[None, :, None]
    breadth = np.interp(np.abs(x), [0, 40, 120], [0.55, 0.9, 1.0])[None, None, :]
    return np.asarray(base * height * depth * breadth, dtype=np.float32)


def _join(a: Float32, b: Float32, radius_mm: float) -> Float32:
    """Union with a rounded valley."""
    mix = np.clip(0.5 + 0.5 * (b - a) / radius_mm, 0, 1)
    return np.asarray(b + (a - b) * mix - radius_mm * mix * (1 - mix), dtype=np.float32)


def breast_centers(frame: Frame, settings: PhantomSettings) -> list[tuple[str, Float64, Float64]]:
    """Side, center and half axes of each breast's ellipsoid; none in men."""
    if settings.sex == "male":
        return []
    size = 0.75 + 0.55 * settings.habitus
    semi = np.array([62.0, 34.0 * size, 66.0]) * (0.85 + 0.2 * size)
    depth = 5 + 0.55 * fat_thickness_mm(settings)
    return [(side, frame.side([88, -124 - depth, -128], side), semi) for side in SIDE_SIGN]


def _breasts(frame: Frame, settings: PhantomSettings, z: Float64, y: Float64, x: Float64) -> Float32:
    values = np.full((len(z), len(y), len(x)), 100.0, dtype=np.float32)
    for _, center, semi in breast_centers(frame, settings):
        dz, dy, dx = (z - center[2])[:, None, None], (y - center[1])[None, :, None], (x - center[0])[None, None, :]
        radius = np.sqrt((dx / semi[0]) ** 2 + (dy / semi[1]) ** 2 + (dz / semi[2]) ** 2)
        values = np.minimum(values, ((radius - 1) * semi.min()).astype(np.float32))
    return values


def paint_table(canvas: Canvas, body: Field, position: Position) -> None:
    """A curved carbon couch under a foam mat, behind the back or, prone, before the chest."""
    middle = int(len(canvas.z_mm) / 2)
    plane = body.on_slice(float(canvas.z_mm[middle]), canvas.y_mm, canvas.x_mm)
    rows = np.flatnonzero((plane < 0).any(axis=1))
    if not len(rows):
        return
    down = 1.0 if position == "supine" else -1.0
    back = down * float(canvas.y_mm[rows[-1 if position == "supine" else 0]]) + 12
    x, y = canvas.x_mm[None, :], down * canvas.y_mm[:, None]
    sag = 30 * (1 - (x / 205.0) ** 2)
    inside = (np.abs(x) < 205).astype(np.float32)
    top = np.abs(y - (back - 22 + sag)) - 1.2
    bottom = np.abs(y - (back + 6 + 1.35 * sag)) - 0.7
    edge = canvas.voxel_mm
    shell = np.clip(0.5 - np.minimum(top, bottom) / edge, 0, 1) * inside
    core = np.clip(0.5 - np.maximum(back - 22 + sag - y, y - (back + 6 + 1.35 * sag)) / edge, 0, 1) * inside
    foam = np.clip(0.5 - np.maximum(back - 34 + sag - y, y - (back - 24 + sag)) / edge, 0, 1) * inside
    layer = np.full(plane.shape, -1000, dtype=np.float32)
    layer += foam * 35 + core * (-930 + 1000)
    layer += shell * (60 - layer)
    canvas.hu[:] = layer
