"""Lymph nodes: their plan (what pathology will say), their shapes, their places, and how they are painted.

A node is a bumpy ellipsoid. Its fatty hilum is a second ellipsoid: centered it makes a ring, shifted to the border it opens
the node into a C. The truth is the whole outline, hilum included, as a radiologist would draw it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from axilla.errors import InvalidValueError
from axilla.node import LEVELS, SIDES
from axilla.phantom.frame import Float64
from axilla.phantom.tissue import NECROSIS_HU
from axilla.volume import TripleFloat

Kind = Literal["solid", "ring", "crescent", "necrotic"]
Contact = Literal["free", "touching", "matted"]
"""Lying free in fat; against muscle, chest wall or a vessel; grown together with another node."""

_BUMP_REACH = 0.2
"""Largest relative deviation of an outline from its ellipsoid: four bumps of at most 0.045."""

MIN_SHORT_AXIS_MM = 3.0
"""The smallest node asked for; the paper's technique claims nodes from 2-3 mm."""


@dataclass(frozen=True)
class NodePlan:
    """A node before it has a place."""

    side: str
    level: str
    status: str
    kind: Kind
    axes_mm: TripleFloat
    """Full axes, long to short."""
    cortex_mm: float
    cortex_hu: float
    """Mean HU of the cortex in a well-enhanced scan."""
    heterogeneity_hu: float
    """SD of the cortex HU inside the node, before noise."""
    contact: Contact

    def __post_init__(self) -> None:
        if self.side not in SIDES or self.level not in LEVELS[1:] or self.status not in ("metastatic", "benign"):
            raise InvalidValueError(
                f"A planned node needs a side, a level and a status, not {self.side, self.level, self.status}."
            )
        if not self.axes_mm[0] >= self.axes_mm[1] >= self.axes_mm[2] > 0:
            raise InvalidValueError(f"A planned node's axes go from long to short, not {self.axes_mm}.")


@dataclass(frozen=True)
class NodeStyle:
    """Distribution of one class's appearance (FACTS.md, "Appearance"): sizes in mm, densities in HU."""

    long_median_mm: float
    long_gsd: float
    ratio: tuple[float, float]
    """Mean and SD of short / long."""
    ratio_range: tuple[float, float]
    hilum_share: float
    cortex_hu: tuple[float, float]
    cortex_mm: tuple[float, float]
    """Cortex thickness where there is a hilum: median, and geometric SD."""
    cortex_share: tuple[float, float]
    """The same, as a share of the short half axis: lowest and highest."""
    heterogeneity_hu: tuple[float, float]
    necrosis_share: float
    contact_shares: tuple[float, float]
    """Shares of touching and of matted nodes."""


STYLES = {
    "benign": NodeStyle(
        9.0, 1.5, (0.57, 0.10), (0.38, 0.90), 0.80, (75.0, 15.0), (1.9, 1.45), (0.25, 0.62), (2.0, 8.0), 0.0, (0.45, 0.05)
    ),
    "metastatic": NodeStyle(
        14.0, 1.5, (0.76, 0.12), (0.42, 0.98), 0.25, (95.0, 22.0), (3.6, 1.5), (0.50, 0.90), (4.0, 16.0), 0.15, (0.45, 0.25)
    ),
}

LEVEL_SHARES = {"I": 0.748, "II": 0.171, "III": 0.081}
"""Sentinel nodes by level, 67.5 : 15.4 : 7.3 (Novikov 2021), made to sum to one."""

MAX_LONG_MM = {"I": 36.0, "II": 13.0, "III": 9.0}
"""What the space of a level holds."""


def plan_node(side: str, status: str, rng: np.random.Generator, size_factor: float = 1.0) -> NodePlan:
    """Draw one node of a class; `size_factor` shrinks the metastases of clinically negative patients."""
    style = STYLES[status]
    level = str(rng.choice(list(LEVEL_SHARES), p=list(LEVEL_SHARES.values())))
    is_hilar, is_ring = rng.uniform() < style.hilum_share, rng.uniform() < 0.45
    longer = 1.0 if not is_hilar else 0.92 if is_ring else 1.1
    long = style.long_median_mm * size_factor * longer * style.long_gsd ** rng.normal()
    ratio = float(np.clip(rng.normal(*style.ratio), *style.ratio_range))
    long = float(np.clip(long, MIN_SHORT_AXIS_MM / ratio, MAX_LONG_MM[level]))
    ratio = max(ratio, MIN_SHORT_AXIS_MM / long)
    short = long * ratio
    middle = long * ratio ** rng.uniform(0.35, 0.85)
    cortex = style.cortex_mm[0] * style.cortex_mm[1] ** rng.normal()
    share = float(np.clip(2 * cortex / short, *style.cortex_share))
    is_hilar = is_hilar and (1 - share) * short > 1.2
    kind: Kind = "solid"
    if is_hilar:
        kind = "ring" if is_ring else "crescent"
    elif rng.uniform() < style.necrosis_share / (1 - style.hilum_share) and short > 7:
        kind = "necrotic"
    return NodePlan(
        side=side,
        level=level,
        status=status,
        kind=kind,
        axes_mm=(long, float(middle), float(short)),
        cortex_mm=share * short / 2 if is_hilar else float(short / 2),
        cortex_hu=float(np.clip(rng.normal(*style.cortex_hu), 35, 170)),
        heterogeneity_hu=float(rng.uniform(*style.heterogeneity_hu)),
        contact=_draw_contact(style, rng),
    )


def _draw_contact(style: NodeStyle, rng: np.random.Generator) -> Contact:
    draw, (touching, matted) = rng.uniform(), style.contact_shares
    return "touching" if draw < touching else "matted" if draw < touching + matted else "free"


@dataclass(frozen=True)
class NodeShape:
    """A node at its place."""

    plan: NodePlan
    center_xyz_mm: Float64
    rotation: Float64
    """Columns: the node's axes (long, middle, short) in patient xyz."""
    bumps: Float64
    """(m, 5): direction frequencies (3), phase, amplitude."""
    hilum_center: Float64
    """In the node's axes, mm."""
    hilum_semi: Float64
    waves: Float64
    """(m, 4): texture wave vectors (3, rad/mm) and phases."""
    bend: Float64
    """Curvature of the long axis, 1/mm, toward the middle and the short axis: beans, and C-shapes round their hilum."""

    @property
    def semi_mm(self) -> Float64:
        """Half axes, long to short."""
        return np.asarray(self.plan.axes_mm) / 2

    def surface(self, n: int = 90) -> Float64:
        """Points ``(n, 3)`` on the outline, patient xyz."""
        directions = sphere(n)
        radius = 1 + self._bump(directions)
        return self.to_patient(directions * radius[:, None] * self.semi_mm)

    def to_patient(self, local: Float64) -> Float64:
        """Patient points ``(..., 3)`` of points given in the straightened node's axes."""
        bent = local.copy()
        bent[..., 1:] += self._sag(local[..., :1])
        return np.asarray(bent @ self.rotation.T + self.center_xyz_mm)

    def _to_local(self, points_xyz_mm: Float64) -> Float64:
        local = (points_xyz_mm - self.center_xyz_mm) @ self.rotation
        local[:, 1:] -= self._sag(local[:, :1])
        return np.asarray(local)

    def _sag(self, along: Float64) -> Float64:
        return np.asarray(self.bend * (along**2 - 0.3 * self.semi_mm[0] ** 2))

    def _bump(self, directions: Float64) -> Float64:
        return np.asarray((self.bumps[:, 4] * np.cos(directions @ self.bumps[:, :3].T + self.bumps[:, 3])).sum(axis=-1))

    def evaluate(self, points_xyz_mm: Float64) -> tuple[npt.NDArray[np.bool_], Float64]:
        """Whether points ``(n, 3)`` are inside, and how much of each is hilum or necrosis (0-1)."""
        local = self._to_local(points_xyz_mm)
        scaled = local / self.semi_mm
        radius = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))
        inside = radius < 1 - _BUMP_REACH
        rim = np.flatnonzero(~inside & (radius < 1 + _BUMP_REACH))
        inside[rim] = radius[rim] < 1 + self._bump(scaled[rim] / radius[rim, None])
        core = np.zeros(len(local))
        if self.plan.kind != "solid":
            hit = np.flatnonzero(inside)
            depth = (local[hit] - self.hilum_center) / self.hilum_semi
            soft = 0.12 if self.plan.kind != "necrotic" else 0.35
            core[hit] = np.clip((1 + soft / 2 - np.sqrt(np.einsum("ij,ij->i", depth, depth))) / soft, 0, 1)
        return inside, core

    def texture_hu(self, points_xyz_mm: Float64) -> Float64:
        """Deviation of the cortex from its mean HU at points ``(n, 3)``."""
        local = (points_xyz_mm - self.center_xyz_mm) @ self.rotation
        waves = np.cos(local @ self.waves[:, :3].T + self.waves[:, 3]).sum(axis=-1)
        return np.asarray(waves * self.plan.heterogeneity_hu * np.sqrt(2 / len(self.waves)))

    def core_hu(self, fat_hu: float) -> float:
        """HU of the hilum (fat with its vessels) or of the necrotic center."""
        return NECROSIS_HU if self.plan.kind == "necrotic" else fat_hu + 22.0


def shape_node(plan: NodePlan, center: Float64, rng: np.random.Generator) -> NodeShape:
    """Give a planned node a place, an orientation, bumps, a hilum and a texture."""
    semi = np.asarray(plan.axes_mm) / 2
    bumps = np.column_stack([rng.normal(0, 1.9, (4, 3)), rng.uniform(0, 2 * np.pi, 4), rng.uniform(0.015, 0.045, 4)])
    center_local, hilum = np.zeros(3), np.ones(3)
    bend = np.zeros(2)
    bend[int(rng.integers(2))] = rng.normal(0, 0.12)
    if plan.kind in ("ring", "crescent"):
        hilum = np.maximum(semi - plan.cortex_mm, 0.35)
        if plan.kind == "ring":
            center_local = rng.uniform(-0.2, 0.2, 3) * plan.cortex_mm
        else:
            axis = 1 if rng.uniform() < 0.7 else 2
            opening = rng.choice([-1, 1])
            center_local[axis] = opening * rng.uniform(1.0, 1.8) * plan.cortex_mm
            hilum[axis] = semi[axis] - 0.3 * plan.cortex_mm
            bend[:] = 0.0
            bend[axis - 1] = opening * rng.uniform(0.15, 0.5)
    elif plan.kind == "necrotic":
        hilum = semi * rng.uniform(0.35, 0.6)
        center_local = rng.uniform(-0.2, 0.2, 3) * semi
    waves = np.column_stack([rng.normal(0, 2 * np.pi / 7.0, (7, 3)) / np.sqrt(3) * 1.4, rng.uniform(0, 2 * np.pi, 7)])
    return NodeShape(plan, center, random_rotation(rng), bumps, center_local, hilum, waves, bend / semi[0])


def sphere(n: int) -> Float64:
    """`n` directions spread evenly (golden spiral)."""
    k = np.arange(n) + 0.5
    z, angle = 1 - 2 * k / n, np.pi * (1 + 5**0.5) * k
    ring = np.sqrt(1 - z**2)
    return np.column_stack([ring * np.cos(angle), ring * np.sin(angle), z])


def random_rotation(rng: np.random.Generator) -> Float64:
    """A rotation matrix, uniform up to a preference of the first axis for the head-feet direction."""
    first = rng.normal(size=3) * (1.0, 1.0, 1.5)
    first /= np.linalg.norm(first)
    second = np.cross(first, rng.normal(size=3))
    second /= np.linalg.norm(second)
    return np.column_stack([first, second, np.cross(first, second)])
