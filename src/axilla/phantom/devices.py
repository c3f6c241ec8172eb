"""Things left by treatment: surgical clips in the axilla; a port under the skin with its catheter to the vena cava."""

from __future__ import annotations

import numpy as np

from axilla.phantom.frame import Float64, Frame
from axilla.phantom.placement import Obstacles
from axilla.phantom.shapes import Canvas, Field, Tube
from axilla.phantom.tissue import TISSUES

CLIP_HU, PORT_HU, CHAMBER_HU, CATHETER_HU = 2600.0, 420.0, 1900.0, 330.0
"""Titanium clips saturate after partial volume; ports are plastic around a titanium chamber; catheters are barium-filled."""

_CLIPS = (3, 8)
_PORT_PLACE = (66.0, -40.0)
"""Distance from the midline and height of the port, reference mm."""
_PORT_DEPTH_MM = 7.5
_INTO_VEIN = {
    "R": [(-64, -76, 6), (-56, -56, -8), (-40, -57, -9), (-34, -56, -24), (-33, -53, -42), (-35, -47, -70), (-36, -48, -96)],
    "L": [(64, -76, 6), (56, -56, -8), (40, -57, -9), (12, -65, -25), (-14, -65, -35), (-33, -53, -46), (-36, -48, -96)],
}
"""From above the clavicle through subclavian and brachiocephalic vein to the superior vena cava, reference (x, y, z)."""


def paint_clips(canvas: Canvas, vessels: tuple[Tube, ...], obstacles: Obstacles, rng: np.random.Generator) -> list[Float64]:
    """Paint a handful of clips beside small vessels; their places, for streaks."""
    places: list[Float64] = []
    starts = np.concatenate([tube.points_xyz_mm[1:-1] for tube in vessels])
    for _ in range(int(rng.integers(*_CLIPS))):
        middle = starts[rng.integers(len(starts))] + rng.normal(0, 2.5, 3)
        half = rng.normal(size=3)
        half *= rng.uniform(2.0, 3.0) / np.linalg.norm(half)
        if obstacles.solids.at(middle[None])[0] < 1.5:
            continue
        canvas.paint_tube(Tube(np.stack([middle - half, middle + half]), np.array([0.6, 0.6])), CLIP_HU, TISSUES["metal"])
        places.append(middle)
    return places


def paint_port(canvas: Canvas, frame: Frame, body: Field, side: str) -> list[Float64]:
    """Paint port and catheter of a side; the chamber's place, for streaks."""
    u, height = _PORT_PLACE
    start = frame.side([u, -140.0, height], side)
    depth = np.arange(-40.0, 90.0, 0.5)
    line = start + depth[:, None] * np.array([0.0, 1.0, 0.0])
    under = np.flatnonzero(body.at(line) < -_PORT_DEPTH_MM)
    center = line[under[0]] if len(under) else start
    path = np.vstack([center, frame.warp(_INTO_VEIN[side])])
    canvas.paint_tube(Tube.through(path, [1.2] * len(path), 4.0), CATHETER_HU, TISSUES["metal"])
    forward = np.array([[0.25, 1.0, 0.0]] * 2) / np.hypot(0.25, 1.0)
    small = center + np.array([[0.0, 0.0, 0.0], [0.2, 0.0, 0.2]])
    canvas.paint_tube(Tube(small, np.array([12.5, 12.5]), forward, 2.3), PORT_HU, TISSUES["metal"])
    canvas.paint_tube(Tube(small, np.array([7.0, 7.0]), forward, 2.0), CHAMBER_HU, TISSUES["metal"])
    return [center]
