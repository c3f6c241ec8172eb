"""What makes axillary fat hard to read: small branching veins at the density of nodes, bundles, slips of muscle, fascia.

Beside the nodes of a real 3 mm CT, plain vessels measure 70-97 HU: small veins are mixed with fat and filled unevenly. So each
little vessel draws its own density around that of the nodes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from axilla.phantom.frame import Float64
from axilla.phantom.placement import Obstacles
from axilla.phantom.shapes import Canvas, Tube
from axilla.phantom.tissue import TISSUES, Enhancement
from axilla.phantom.vessels import twig

_VEINS = 30
"""Small veins per axilla that branch from a named vessel; each divides once or twice."""

_SLIPS = (2, 6)
_FASCIAE = 7
_TWIG_REACH_MM = 17.0


def small_vessel_hu(enhancement: Enhancement, rng: np.random.Generator) -> float:
    """Density of a small vein: near that of the nodes, seldom as dense as a trunk."""
    return float(enhancement.node_offset + rng.normal(92.0, 17.0)) if rng.uniform() < 0.8 else enhancement.vein


def paint_strands(
    canvas: Canvas, vessels: Sequence[Tube], obstacles: Obstacles, enhancement: Enhancement, rng: np.random.Generator
) -> None:
    """Paint one axilla's small veins, muscle slips and fascia; nodes are painted over them later."""
    starts = np.concatenate([tube.points_xyz_mm[1:] for tube in vessels])
    _fasciae(canvas, starts, obstacles, rng)
    _slips(canvas, starts, obstacles, enhancement, rng)
    for _ in range(_VEINS):
        origin = starts[rng.integers(len(starts))]
        hu = small_vessel_hu(enhancement, rng)
        tube = _clear_twig(origin, float(rng.uniform(0.7, 1.5)), _TWIG_REACH_MM, obstacles, rng)
        if tube is None:
            continue
        canvas.paint_tube(tube, hu)
        for _ in range(int(rng.integers(1, 3))):
            fork = tube.points_xyz_mm[rng.integers(1, len(tube.points_xyz_mm))]
            branch = _clear_twig(fork, float(rng.uniform(0.5, 0.9)), 0.6 * _TWIG_REACH_MM, obstacles, rng)
            if branch is not None:
                canvas.paint_tube(branch, hu)


def _clear_twig(
    origin: Float64, radius_mm: float, reach_mm: float, obstacles: Obstacles, rng: np.random.Generator
) -> Tube | None:
    """A twig whose far half stays in the fat, or None."""
    for _ in range(3):
        tube = twig(origin, origin + rng.normal(0, reach_mm, 3), rng, radius_mm)
        if obstacles.solids.at(tube.points_xyz_mm[len(tube.points_xyz_mm) // 2 :]).min() > 0.5:
            return tube
    return None


def _slips(canvas: Canvas, starts: Float64, obstacles: Obstacles, enhancement: Enhancement, rng: np.random.Generator) -> None:
    """Flat bundles of muscle crossing the fat (axillary arches, digitations): long in one direction, thin in another."""
    for _ in range(int(rng.integers(*_SLIPS))):
        middle = starts[rng.integers(len(starts))] + rng.normal(0, 9.0, 3)
        along = _direction(rng) * (1.0, 1.0, 1.8)
        half = along / np.linalg.norm(along) * rng.uniform(8.0, 20.0)
        knots = [middle - half, middle + rng.normal(0, 2.0, 3), middle + half]
        tube = Tube.through(knots, [0.8, rng.uniform(2.0, 3.4), 0.8], 4.0)
        if obstacles.tubes.distance(tube.points_xyz_mm).min() < 1.0:
            continue
        _paint_flat(canvas, tube, half, float(rng.uniform(2.2, 3.6)), enhancement.muscle - 6.0, TISSUES["muscle"], rng)


def _fasciae(canvas: Canvas, starts: Float64, obstacles: Obstacles, rng: np.random.Generator) -> None:
    """Sheets of connective tissue well under a voxel thick: gray strands in the fat."""
    for _ in range(_FASCIAE):
        middle = starts[rng.integers(len(starts))] + rng.normal(0, 12.0, 3)
        half = _direction(rng) * rng.uniform(8.0, 18.0)
        tube = Tube.through(
            [middle - half, middle + rng.normal(0, 2.5, 3), middle + half], [3.0, rng.uniform(5.0, 9.0), 3.0], 5.0
        )
        if obstacles.solids.at(tube.points_xyz_mm).min() > -2.0:
            _paint_flat(canvas, tube, half, 7.0, float(rng.uniform(-65.0, -25.0)), TISSUES["fat"], rng)


def _paint_flat(
    canvas: Canvas, tube: Tube, along: Float64, squeeze: float, hu: float, tissue: int, rng: np.random.Generator
) -> None:
    normal = np.cross(along, _direction(rng))
    normal /= max(float(np.linalg.norm(normal)), 1e-6)
    normals = np.broadcast_to(normal, tube.points_xyz_mm.shape)
    canvas.paint_tube(Tube(tube.points_xyz_mm, tube.radii_mm, normals, squeeze), hu, tissue)


def _direction(rng: np.random.Generator) -> Float64:
    way = rng.normal(size=3)
    return np.asarray(way / np.linalg.norm(way))
