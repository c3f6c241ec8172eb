"""Axillary vessels of one side: trunks, named branches, twigs to the nodes and into the fat; and the lungs' trees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from axilla.phantom.frame import Float64, Frame
from axilla.phantom.shapes import Tube

_ARTERY = (
    [(44, -32, 2), (60, -36, -3), (80, -37, -7), (100, -34, -6), (120, -35, 1), (137, -43, 14), (150, -54, 40)],
    [4.2, 4.0, 3.8, 3.6, 3.4, 3.2, 3.0],
)
_VEIN = (
    [(40, -57, -9), (58, -51, -10), (78, -47, -14), (100, -42, -14), (120, -42, -6), (136, -49, 8), (150, -60, 40)],
    [6.0, 5.6, 5.2, 5.0, 4.6, 4.2, 4.0],
)
_DOWN_ARTERY = (
    [
        (44, -32, 2),
        (60, -36, -3),
        (80, -37, -7),
        (100, -33, -10),
        (124, -30, -20),
        (150, -28, -40),
        (170, -24, -110),
        (176, -20, -220),
    ],
    [4.2, 4.0, 3.8, 3.6, 3.4, 3.2, 3.0, 2.8],
)
_DOWN_VEIN = (
    [
        (40, -57, -9),
        (58, -51, -10),
        (78, -47, -14),
        (100, -41, -17),
        (124, -36, -27),
        (148, -33, -48),
        (168, -30, -110),
        (174, -26, -220),
    ],
    [6.0, 5.6, 5.2, 5.0, 4.6, 4.2, 4.0, 3.6],
)

_BRANCHES = {
    "lateral thoracic": (
        [(100, -40, -10), (112, -50, -28), (120, -60, -48), (128, -68, -70), (133, -74, -95), (134, -82, -125)],
        1.5,
    ),
    "thoracodorsal": (
        [(116, -38, -6), (121, -46, -28), (122, -50, -45), (129, -55, -69), (139, -52, -99), (141, -44, -130)],
        1.9,
    ),
    "thoracoacromial": ([(92, -42, -11), (90, -62, -12), (86, -82, -22), (84, -96, -40)], 1.4),
    "intercostobrachial": ([(112, -46, -34), (126, -56, -34), (142, -62, -32), (158, -62, -24)], 0.9),
    "subscapular": ([(124, -34, -8), (130, -30, -36), (136, -32, -62), (140, -38, -88)], 1.3),
    "serratus": ([(121, -46, -30), (119, -44, -58), (121, -46, -86), (124, -50, -118)], 1.1),
    "thoracoepigastric": ([(132, -50, -14), (140, -66, -36), (146, -72, -66), (146, -78, -104)], 1.0),
    "circumflex": ([(118, -36, -4), (128, -24, -16), (140, -8, -24)], 1.7),
}


@dataclass(frozen=True)
class AxillaryVessels:
    """Arteries and veins of one axilla in patient mm, largest first."""

    arteries: tuple[Tube, ...]
    veins: tuple[Tube, ...]

    @property
    def trunk_vein(self) -> Tube:
        """The axillary vein."""
        return self.veins[0]

    @property
    def all(self) -> tuple[Tube, ...]:
        """Every tube."""
        return self.arteries + self.veins


def axillary_vessels(frame: Frame, side: str, arms: str, rng: np.random.Generator) -> AxillaryVessels:
    """Trunks and named branches, each branch an artery with a somewhat larger vein beside it."""
    raised = arms == "raised"
    artery_knots, artery_radii = _ARTERY if raised else _DOWN_ARTERY
    vein_knots, vein_radii = _VEIN if raised else _DOWN_VEIN
    size = rng.normal(1.0, 0.07)
    wave = _winding(len(artery_knots), rng)
    artery = _wander(frame.side(artery_knots, side), rng, 1.2) + wave
    vein = _wander(frame.side(vein_knots, side), rng, 1.6) + 1.2 * wave
    arteries = [Tube.through(artery, np.array(artery_radii) * size, 4.0)]
    veins = [Tube.through(vein, np.array(vein_radii) * size * rng.normal(1.0, 0.08, len(vein_radii)), 4.0)]
    for knots, radius in _BRANCHES.values():
        line = _wander(frame.side(knots, side), rng, 2.2)
        beside = rng.normal(size=3)
        beside *= (2.2 * radius + 0.4) / np.linalg.norm(beside)
        taper = np.linspace(1.0, 0.45, len(line)) * radius * size
        arteries.append(Tube.through(line, taper * 0.8))
        veins.append(Tube.through(_wander(line + beside, rng, 0.6), taper * rng.uniform(1.0, 1.35)))
    return AxillaryVessels(tuple(arteries), tuple(veins))


def _winding(knots: int, rng: np.random.Generator) -> Float64:
    """A slow common bend of artery and vein, nothing at the first rib; (knots, 3) mm."""
    t = np.linspace(0, 1, knots)[:, None]
    bend = rng.normal(0, 3.0, 3) * np.sin(np.pi * t) + rng.normal(0, 2.2, 3) * np.sin(2 * np.pi * t)
    return np.asarray(bend * np.clip(4 * t, 0, 1))


def _wander(knots: Float64, rng: np.random.Generator, sd_mm: float) -> Float64:
    moved = knots + rng.normal(0, sd_mm, knots.shape)
    moved[0] = knots[0]
    return moved


def twig(start: Float64, end: Float64, rng: np.random.Generator, radius_mm: float) -> Tube:
    """A winding, tapering branch between two points."""
    t = np.linspace(0, 1, 6)[:, None]
    length = float(np.linalg.norm(end - start))
    line = start + t * (end - start)
    bend = rng.normal(0, 0.11 * length, 3) * np.sin(np.pi * t) + rng.normal(0, 0.05 * length, 3) * np.sin(2 * np.pi * t)
    line = line + bend + rng.normal(0, 0.3, line.shape) * np.sin(np.pi * t)
    return Tube.through(line, np.linspace(radius_mm, max(0.45, 0.6 * radius_mm), 6), 3.0)


def twigs_to(targets: list[Float64], tubes: tuple[Tube, ...], rng: np.random.Generator) -> list[Tube]:
    """A feeding vessel for each target, from the nearest point of a branch."""
    points = np.concatenate([tube.points_xyz_mm for tube in tubes])
    result = []
    for target in targets:
        distance = np.linalg.norm(points - target, axis=1)
        distance[distance < 6] = np.inf
        start = points[int(np.argmin(distance))]
        if np.linalg.norm(start - target) < 60:
            result.append(twig(start, target, rng, float(rng.uniform(0.7, 1.3))))
    return result


def tree(
    start: Float64, direction: Float64, length_mm: float, radius_mm: float, rng: np.random.Generator, depth: int
) -> list[Tube]:
    """A random branching tree of straight tapering segments."""
    direction = direction / np.linalg.norm(direction)
    middle = start + direction * length_mm / 2 + rng.normal(0, 0.06 * length_mm, 3)
    end = start + direction * length_mm + rng.normal(0, 0.06 * length_mm, 3)
    result = [Tube(np.stack([start, middle, end]), np.array([radius_mm, 0.9 * radius_mm, 0.8 * radius_mm]))]
    if depth == 0 or radius_mm < 0.4:
        return result
    for _ in range(2):
        turned = direction + rng.normal(0, 0.42, 3)
        share = float(rng.uniform(0.68, 0.86))
        result += tree(end, turned, length_mm * rng.uniform(0.7, 0.95), radius_mm * share, rng, depth - 1)
    side = direction + rng.normal(0, 0.9, 3)
    result += tree(middle, side, length_mm * 0.5, radius_mm * 0.45, rng, min(depth - 1, 1))
    return result
