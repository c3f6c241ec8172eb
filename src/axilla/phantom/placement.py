"""Where nodes lie: in the fat between pectorals, chest wall, subscapularis and latissimus, clear of everything else.

Places are drawn at random in the axilla's box; a place is taken when the node's whole outline keeps its distance from the
obstacles (or just touches one, for the nodes planned to). A node that fits nowhere is made smaller until it does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from axilla.errors import InvalidValueError
from axilla.phantom.frame import Float64, Frame
from axilla.phantom.limb import PECTORALIS_MINOR
from axilla.phantom.nodes import NodePlan, NodeShape, random_rotation, shape_node
from axilla.phantom.shapes import Capsules, Field, Float32, Tube

_BOX_UYZ = {
    "I": ((96, 172), (-96, -8), (-112, 2)),
    "II": ((74, 122), (-92, -24), (-52, 0)),
    "III": ((50, 98), (-84, -34), (-34, 2)),
}
"""Where the nodes of each level are looked for, reference mm."""

_REGION_LOW, _REGION_HIGH = (45.0, -110.0, -125.0), (180.0, 5.0, 12.0)
_GRID_MM = 2.0

_LATERAL_LIMIT_MM = 116.0
"""u + 0.9 y beyond this lies behind or lateral to latissimus: fat of the arm, not of the axilla."""

_LEAST_ROOM_MM = 1.3
_CANDIDATES = 9000
_TRIES = 60
_PRESSED_MM, _NEAR_MM = -0.6, 0.5
"""A touching node's outline reaches at most this far into the obstacle, and comes at least this near."""

_OVERLAP_MM = 0.4
"""Matted nodes share this much, so that no fat is left between them."""

_SHRINK = 0.88
_SMALLEST_MM = 2.6


@dataclass(frozen=True)
class Obstacles:
    """What a node must not enter on one side."""

    solids: Field
    """Distance from muscles, scapula, chest wall and the subcutaneous layer, within the axilla's box."""
    tubes: Capsules
    """Vessels, long bones, upper ribs."""

    @classmethod
    def gather(
        cls, frame: Frame, side: str, fields: Iterable[Field], tubes: Iterable[Tube], body: Field, cover_mm: float
    ) -> Obstacles:
        """Join all obstacles of a side; nodes keep `cover_mm` from the skin."""
        corners = np.stack(np.meshgrid(*((low, high) for low, high in zip(_REGION_LOW, _REGION_HIGH, strict=True))), axis=-1)
        box = frame.side(corners.reshape(-1, 3), side)
        low, high = box.min(axis=0)[::-1], box.max(axis=0)[::-1]
        axes = [np.arange(a, b + _GRID_MM, _GRID_MM).astype(np.float32) for a, b in zip(low, high, strict=True)]
        fields = list(fields)
        depth_at = body.over(axes[1], axes[2])
        values = np.stack([-depth_at(float(z)) - np.float32(cover_mm) for z in axes[0]])
        for field in fields:
            _lower(values, field, axes)
        return cls(Field(values, low, _GRID_MM), Capsules.of(tubes))

    def clearance(self, points_xyz_mm: Float64) -> Float64:
        """Distance of points ``(n, 3)`` from the nearest obstacle, negative inside one."""
        return np.minimum(self.solids.at(points_xyz_mm).astype(np.float64), self.tubes.distance(points_xyz_mm))


def _lower(values: Float32, field: Field, axes: list[Float32]) -> None:
    """Take the smaller distance where the field is defined; beyond it the obstacle is far."""
    low, high = field.bounds_mm()
    part = [slice(int(np.searchsorted(a, lo)), int(np.searchsorted(a, hi))) for a, lo, hi in zip(axes, low, high, strict=True)]
    if any(p.stop <= p.start for p in part):
        return
    at = field.over(axes[1][part[1]], axes[2][part[2]])
    for k in range(part[0].start, part[0].stop):
        plane = values[k, part[1], part[2]]
        np.minimum(plane, at(float(axes[0][k])), out=plane)


def level_of(frame: Frame, side: str, points_xyz_mm: Float64) -> list[str]:
    """Level I, II or III of points: lateral to, behind, or medial to pectoralis minor (below it: level I)."""
    keys = sorted(PECTORALIS_MINOR)
    z = np.array(keys, dtype=float)
    medial = frame.side([[*PECTORALIS_MINOR[k][0][0], k] for k in keys], side)
    lateral = frame.side([[*PECTORALIS_MINOR[k][0][2], k] for k in keys], side)
    sign = 1.0 if side == "L" else -1.0
    order = np.argsort(medial[:, 2])
    heights = medial[order, 2]
    inner = np.interp(points_xyz_mm[:, 2], heights, sign * medial[order, 0])
    outer = np.interp(points_xyz_mm[:, 2], heights, sign * lateral[order, 0])
    u = sign * points_xyz_mm[:, 0]
    below = points_xyz_mm[:, 2] < np.interp(-60.0, z, heights)
    return ["I" if low or v > b - 1 else "II" if v > a else "III" for v, a, b, low in zip(u, inner, outer, below, strict=True)]


def place_nodes(
    plans: tuple[NodePlan, ...], side: str, frame: Frame, obstacles: Obstacles, rng: np.random.Generator
) -> list[NodeShape]:
    """Places for all planned nodes of one side, largest first; the result is in the order of `plans`."""
    pools = {level: _pool(level, side, frame, obstacles, rng) for level in _BOX_UYZ}
    placed: dict[int, NodeShape] = {}
    order = sorted(range(len(plans)), key=lambda k: -plans[k].axes_mm[0])
    for k in order:
        placed[k] = _place(plans[k], pools, list(placed.values()), obstacles, rng)
    return [placed[k] for k in range(len(plans))]


def _pool(level: str, side: str, frame: Frame, obstacles: Obstacles, rng: np.random.Generator) -> tuple[Float64, Float64]:
    low, high = np.array(_BOX_UYZ[level], dtype=float).T
    count = _CANDIDATES if level == "I" else _CANDIDATES // 3
    reference = rng.uniform(low, high, (count, 3))
    reference = reference[reference[:, 0] + 0.9 * reference[:, 1] < _LATERAL_LIMIT_MM]
    points = frame.side(reference, side)
    here = np.array(level_of(frame, side, points)) == level
    points = points[here]
    points = points[obstacles.solids.at(points) > _LEAST_ROOM_MM]
    clear = obstacles.clearance(points)
    keep = clear > _LEAST_ROOM_MM
    return points[keep], clear[keep]


def _place(
    plan: NodePlan,
    pools: dict[str, tuple[Float64, Float64]],
    others: list[NodeShape],
    obstacles: Obstacles,
    rng: np.random.Generator,
) -> NodeShape:
    wanted = plan
    for level in (plan.level, "I", "II", "III"):
        points, clear = pools[level]
        plan = replace(wanted, level=level)
        for _ in range(14):
            shape = _try_places(plan, points, clear, others, obstacles, rng)
            if shape is not None:
                return shape
            if plan.contact != "free":
                plan = wanted = replace(plan, contact="touching" if plan.contact == "matted" else "free")
                continue
            long, middle, short = (_SHRINK * a for a in plan.axes_mm)
            if short < _SMALLEST_MM:
                break
            plan = replace(plan, axes_mm=(long, middle, short), cortex_mm=_SHRINK * plan.cortex_mm)
    raise InvalidValueError(
        f"No room for a {wanted.axes_mm[0]:.0f} mm node in axilla {wanted.side}; ask for fewer nodes per side."
    )


def _try_places(
    plan: NodePlan, points: Float64, clear: Float64, others: list[NodeShape], obstacles: Obstacles, rng: np.random.Generator
) -> NodeShape | None:
    if plan.contact == "matted":
        return _try_beside(plan, others, obstacles, rng)
    half = plan.axes_mm[2] / 2
    is_touching = plan.contact == "touching"
    fits = np.flatnonzero(clear > half * 0.9 + (0.0 if is_touching else 0.8))
    if is_touching:
        near = np.flatnonzero((clear > half * 0.85) & (clear < half + 2.0))
        fits = near if len(near) > 5 else fits
    if not len(fits):
        return None
    for k in rng.choice(fits, min(_TRIES, len(fits)), replace=False):
        shape = shape_node(plan, points[k], rng)
        if others and min(np.linalg.norm(points[k] - o.center_xyz_mm) for o in others) < half:
            continue
        surface = shape.surface(64)
        margin = float(obstacles.clearance(surface).min())
        if not (_PRESSED_MM < margin < _NEAR_MM if is_touching else margin > 0.6):
            continue
        if all(_apart(shape, surface, other) for other in others):
            return shape
    return None


def _try_beside(plan: NodePlan, others: list[NodeShape], obstacles: Obstacles, rng: np.random.Generator) -> NodeShape | None:
    """A place where the node is pressed against one already placed and against no other."""
    if not others:
        return None
    for _ in range(_TRIES):
        mate = others[int(rng.integers(len(others)))]
        way = random_rotation(rng)[:, 0]
        contact = mate.center_xyz_mm + way * _reach(mate, way)
        shape = shape_node(plan, contact, rng)
        shape = replace(shape, center_xyz_mm=contact + way * (_reach(shape, -way) - _OVERLAP_MM))
        surface = shape.surface(64)
        if float(obstacles.clearance(surface).min()) < _PRESSED_MM:
            continue
        if mate.evaluate(surface)[0].mean() < 0.15 and all(o is mate or _apart(shape, surface, o) for o in others):
            return shape
    return None


def _reach(shape: NodeShape, way: Float64) -> float:
    """From a node's center to its outline in one direction."""
    steps = np.linspace(0.2, 1.3, 45) * shape.semi_mm[0]
    inside = shape.evaluate(shape.center_xyz_mm + steps[:, None] * way)[0]
    return float(steps[inside].max(initial=0.2 * shape.semi_mm[0]))


def _apart(shape: NodeShape, surface: Float64, other: NodeShape) -> bool:
    reach = shape.semi_mm[0] + other.semi_mm[0] + 2
    if np.linalg.norm(shape.center_xyz_mm - other.center_xyz_mm) > reach:
        return True
    return not other.evaluate(surface)[0].any() and not shape.evaluate(other.surface(64))[0].any()
