"""Reference anatomy of the trunk: thoracic cavity, ribs, spine, sternum, airways, heart, great vessels, diaphragm.

Positions are mm in the reference frame (see ``frame``), set by eye from textbook proportions of a reference man.
"""

from __future__ import annotations

import numpy as np

from axilla.phantom.frame import Float64, Frame
from axilla.phantom.shapes import Float32, Loft, Tube, closed_spline

CAVITY_Z = np.array([-215, -165, -130, -99, -69, -45, -30, -15, -6, 0], dtype=float)
CAVITY_UY = np.array(
    [
        [(12, 47), (36, 66), (77, 64), (113, 35), (132, -10), (134, -54), (118, -98), (76, -128), (20, -138)],
        [(12, 45), (36, 64), (76, 62), (112, 33), (131, -10), (133, -54), (117, -98), (76, -124), (20, -132)],
        [(12, 42), (36, 62), (75, 60), (110, 32), (128, -10), (130, -52), (113, -94), (73, -117), (20, -123)],
        [(12, 40), (35, 60), (72, 58), (105, 30), (122, -10), (124, -50), (108, -88), (70, -109), (19, -115)],
        [(12, 42), (35, 60), (68, 57), (97, 32), (112, -5), (113, -45), (98, -80), (65, -98), (18, -102)],
        [(12, 40), (32, 56), (62, 52), (87, 28), (97, -5), (98, -40), (85, -70), (58, -87), (18, -88)],
        [(12, 36), (30, 50), (55, 45), (75, 22), (84, -5), (84, -35), (72, -58), (48, -70), (18, -70)],
        [(14, 26), (28, 35), (46, 30), (58, 12), (64, -5), (63, -22), (52, -36), (36, -44), (18, -40)],
        [(19, 12), (27, 18), (38, 15), (45, 5), (48, -3), (47, -11), (39, -19), (29, -22), (20, -16)],
        [(24, 3), (28, 7), (33, 6), (36, 2), (38, -2), (37, -6), (33, -10), (28, -11), (24, -7)],
    ],
    dtype=float,
)
"""Inner surface of the rib cage, one side, from the spine round to the sternum (ascending height)."""

RIB_OFFSET_MM = 5.5
"""From the pleura to the middle of a rib."""

CHEST_WALL_MM = 8.0
"""Pleura to the outer face of the intercostal muscles."""

SPINE_Z = np.array([-215, -165, -99, -45, 0, 30], dtype=float)
SPINE_Y = np.array([20, 21, 21, 13, 0, -6], dtype=float)
"""Height and front-back position of the vertebral bodies' centers: the thoracic kyphosis."""

VERTEBRA_MM = 23.0
"""Height of one vertebra with its disc."""


def cavity(frame: Frame, z: float, points: int = 48) -> Float64:
    """Closed outline ``(points, 2)`` of the cavity on both sides at reference height `z`, in patient xy."""
    half = _half_cavity(z)
    ring = np.vstack([half * (-1, 1), half[::-1]])
    full = np.column_stack([ring, np.full(len(ring), z)])
    return closed_spline(frame.warp(full)[:, :2], points)


def _half_cavity(z: float) -> Float64:
    k = int(np.clip(np.searchsorted(CAVITY_Z, z) - 1, 0, len(CAVITY_Z) - 2))
    f = float(np.clip((z - CAVITY_Z[k]) / (CAVITY_Z[k + 1] - CAVITY_Z[k]), 0, 1))
    return np.asarray(CAVITY_UY[k] * (1 - f) + CAVITY_UY[k + 1] * f)


def cavity_loft(frame: Frame) -> Loft:
    """Both sides of the thoracic cavity as one solid."""
    left = CAVITY_UY
    ring = np.concatenate([left * (-1, 1), left[:, ::-1]], axis=1)
    z, outlines = frame.outline(CAVITY_Z, ring, "L")
    return Loft(z, outlines)


def wall_point(z: float, s: float, offset_mm: float) -> tuple[Float64, Float64]:
    """A point ``offset`` outside the pleura at fraction `s` (0 spine .. 1 sternum), and the outward normal; (u, y)."""
    half = _half_cavity(z)
    t = np.linspace(0, 1, len(half))
    point = np.array([np.interp(s, t, half[:, 0]), np.interp(s, t, half[:, 1])])
    ahead = np.array([np.interp(min(s + 0.04, 1), t, half[:, a]) for a in (0, 1)])
    behind = np.array([np.interp(max(s - 0.04, 0), t, half[:, a]) for a in (0, 1)])
    tangent = (ahead - behind) / max(np.linalg.norm(ahead - behind), 1e-6)
    normal = np.array([tangent[1], -tangent[0]])
    if normal @ (point - half.mean(axis=0)) < 0:
        normal = -normal
    return point + normal * offset_mm, normal


def ribs(frame: Frame, side: str) -> tuple[list[Tube], list[Tube]]:
    """Bony ribs 1-9 and the costal cartilages of one side."""
    bony, cartilage = [], []
    for index in range(1, 10):
        back = 10 - 23.0 * (index - 1)
        drop = 30 + 7.5 * min(index - 1, 6)
        end = 0.93 if index <= 6 else 0.86
        s = np.linspace(0.1, 1.0, 26)
        heights = back - drop * (1 - np.cos(np.pi * np.clip((s - 0.05) / 0.95, 0, 1))) / 2
        points, normals = [], []
        for fraction, z in zip(s, heights, strict=True):
            point, normal = wall_point(float(min(z, -8.0)), float(fraction), RIB_OFFSET_MM)
            points.append([*point, z])
            normals.append([normal[0] * (1 if side == "L" else -1), normal[1], 0.0])
        p, n = frame.side(points, side), np.asarray(normals)
        radius = np.full(len(s), 5.6 if index > 1 else 6.5)
        cut = int(np.searchsorted(s, end - 0.08 if index > 1 else 0.85)) + 1
        bony.append(Tube(p[:cut], radius[:cut], n[:cut], 1.6))
        if index <= 7:
            cartilage.append(Tube(p[cut - 1 :], radius[cut - 1 :] * 0.9, n[cut - 1 :], 1.4))
    return bony, cartilage


STERNUM_Z = np.array([-165, -150, -120, -90, -66, -60, -45, -32, -26], dtype=float)
STERNUM_W = np.array([5, 11, 18, 16, 14, 17, 26, 32, 24], dtype=float)
STERNUM_Y = np.array([-146, -144, -138, -128, -117, -114, -104, -94, -89], dtype=float)


def sternum(frame: Frame) -> Loft:
    """Manubrium, body and xiphoid."""
    outlines = []
    for w, y in zip(STERNUM_W, STERNUM_Y, strict=True):
        outlines.append(
            [
                (-w, y),
                (-w * 0.6, y - 5.5),
                (0, y - 6),
                (w * 0.6, y - 5.5),
                (w, y),
                (w * 0.6, y + 5),
                (0, y + 4.5),
                (-w * 0.6, y + 5),
            ]
        )
    return Loft(*frame.outline(STERNUM_Z, outlines, "L"))


def clavicle(frame: Frame, side: str) -> Tube:
    """Clavicle of a raised arm: steep, its shaft leaves the field quickly."""
    knots = [(24, -76, -20), (34, -70, -11), (46, -60, 0), (66, -47, 14), (95, -22, 28), (122, 5, 36)]
    return Tube.through(frame.side(knots, side), [10.5, 9.5, 7, 6, 6, 7])


def airways(frame: Frame) -> list[Tube]:
    """Trachea and main bronchi."""
    trachea = [(0, -48, 40), (0, -42, 0), (-3, -26, -30), (-5, -15, -58), (-5, -12, -68)]
    right = [(-5, -12, -66), (-22, -8, -80), (-42, -4, -98)]
    left = [(-5, -12, -66), (18, -6, -84), (44, 0, -98)]
    return [
        Tube.through(frame.warp(trachea), [9, 9, 9, 9, 9]),
        Tube.through(frame.warp(right), [7.5, 7, 5.5]),
        Tube.through(frame.warp(left), [7, 6, 5]),
    ]


def esophagus(frame: Frame) -> Tube:
    """Behind the trachea, collapsed."""
    return Tube.through(frame.warp([(4, -28, 40), (5, -20, 0), (6, -8, -35), (4, 2, -80), (8, 2, -130), (14, -4, -200)]), [6] * 6)


def arteries(frame: Frame) -> list[Tube]:
    """Aorta with its branches, pulmonary arteries."""
    lines: list[tuple[list[tuple[float, float, float]], list[float]]] = [
        (
            [
                (-14, -60, -118),
                (-12, -60, -90),
                (-8, -54, -66),
                (2, -42, -49),
                (16, -18, -46),
                (26, 4, -56),
                (29, 14, -80),
                (29, 20, -130),
                (24, 22, -215),
            ],
            [15, 16, 15.5, 14, 13.5, 12.5, 12, 11.5, 11],
        ),
        ([(-6, -50, -48), (-14, -46, -30), (-24, -42, -8), (-27, -40, 4)], [6, 6, 5.5, 5]),
        ([(4, -38, -46), (12, -34, -24), (20, -38, 4), (22, -40, 40)], [4, 3.6, 3.4, 3.2]),
        ([(-27, -40, 4), (-22, -42, 40)], [3.6, 3.2]),
        ([(14, -22, -46), (24, -20, -25), (34, -24, -8), (44, -32, 2)], [4.8, 4.6, 4.4, 4.2]),
        ([(-27, -40, 2), (-36, -36, 3), (-44, -34, 2)], [4.6, 4.4, 4.2]),
        ([(18, -70, -108), (17, -56, -88), (12, -36, -80), (-12, -30, -84), (-38, -18, -90)], [14, 13.5, 11, 10, 8]),
        ([(16, -50, -86), (28, -26, -82), (40, -8, -86)], [10, 9.5, 8]),
    ]
    return [Tube.through(frame.warp(points), radii) for points, radii in lines]


def veins(frame: Frame) -> list[Tube]:
    """Superior vena cava and its sources, pulmonary veins."""
    lines: list[tuple[list[tuple[float, float, float]], list[float]]] = [
        ([(-36, -50, -110), (-36, -46, -80), (-34, -48, -56), (-32, -54, -40)], [10, 9.5, 9, 8.5]),
        ([(-32, -54, -40), (-34, -56, -24), (-38, -56, -10)], [7.5, 7.5, 7]),
        ([(-32, -56, -42), (-12, -66, -34), (10, -66, -25), (32, -60, -14), (40, -57, -9)], [7, 6.5, 6.5, 6.5, 6.5]),
        ([(-38, -56, -10), (-34, -50, 6), (-32, -46, 40)], [6.5, 6, 5.5]),
        ([(40, -57, -9), (34, -50, 6), (32, -46, 40)], [6, 5.5, 5]),
        ([(2, -14, -116), (-28, -8, -112), (-46, -4, -108)], [8, 6.5, 4.5]),
        ([(10, -14, -116), (34, -8, -112), (48, -2, -106)], [8, 6.5, 4.5]),
        ([(-30, -30, -150), (-32, -32, -215)], [12, 12]),
    ]
    return [Tube.through(frame.warp(points), radii) for points, radii in lines]


HEART_Z = np.array([-188, -174, -150, -125, -105, -92], dtype=float)
HEART_XY = np.array(
    [
        [(15, -108), (38, -115), (58, -97), (55, -75), (25, -58), (2, -75)],
        [(-12, -112), (44, -122), (80, -98), (76, -64), (28, -36), (-22, -58)],
        [(-46, -96), (14, -122), (72, -106), (84, -60), (38, -12), (-40, -32)],
        [(-50, -86), (-6, -115), (50, -106), (66, -58), (34, -8), (-40, -26)],
        [(-44, -80), (-10, -102), (30, -98), (46, -56), (26, -10), (-34, -28)],
        [(-32, -72), (-8, -88), (20, -86), (30, -56), (16, -26), (-24, -36)],
    ],
    dtype=float,
)


def heart(frame: Frame) -> Loft:
    """Heart with pericardial sac as one solid."""
    return Loft(*frame.outline(HEART_Z, HEART_XY, "L"))


def heart_chambers(frame: Frame) -> list[Tube]:
    """Blood of both atria and ventricles, inside the wall that :func:`heart` draws."""
    lines = [
        ([(44, -54, -122), (54, -78, -150), (58, -92, -168)], [19, 20, 9]),
        ([(-8, -92, -124), (16, -104, -148), (38, -108, -166)], [14, 15, 8]),
        ([(-28, -58, -112), (-28, -62, -146)], [17, 18]),
        ([(-6, -34, -112), (20, -30, -122)], [15, 15]),
    ]
    return [Tube.through(frame.warp(points), radii) for points, radii in lines]


MEDIASTINUM_Z = np.array([-215, -165, -125, -95, -69, -45, -25, -5, 10], dtype=float)
MEDIASTINUM_XY = np.array(
    [
        [(-24, 22), (-30, -20), (-34, -80), (-14, -135), (22, -140), (74, -110), (60, -40), (36, 26), (0, 40)],
        [(-22, 24), (-36, -24), (-46, -92), (-6, -128), (16, -130), (82, -104), (70, -40), (38, 26), (0, 40)],
        [(-20, 24), (-38, -18), (-52, -84), (-4, -120), (6, -120), (52, -106), (60, -44), (42, 26), (0, 40)],
        [(-20, 22), (-34, -10), (-44, -66), (-3, -112), (4, -111), (30, -84), (38, -20), (42, 22), (0, 40)],
        [(-22, 20), (-34, -16), (-46, -54), (-4, -103), (5, -103), (28, -66), (38, -20), (43, 16), (0, 40)],
        [(-22, 16), (-26, -18), (-42, -52), (-16, -88), (12, -88), (30, -52), (38, -14), (32, 12), (0, 36)],
        [(-22, 8), (-24, -20), (-40, -50), (-24, -76), (22, -76), (36, -46), (34, -16), (22, 8), (0, 30)],
        [(-24, 4), (-24, -18), (-28, -36), (-20, -50), (20, -50), (28, -36), (26, -16), (24, 4), (0, 20)],
        [(-24, 0), (-24, -18), (-26, -34), (-18, -46), (18, -46), (26, -34), (24, -16), (24, 0), (0, 16)],
    ],
    dtype=float,
)


def mediastinum(frame: Frame) -> Loft:
    """Fat-filled space between the lungs."""
    return Loft(*frame.outline(MEDIASTINUM_Z, MEDIASTINUM_XY, "L"))


def diaphragm_mm(y_mm: Float32, x_mm: Float32) -> Float32:
    """Height of the diaphragm's two domes over the product grid of `y_mm` and `x_mm`; liver and spleen lie below."""
    y, x = y_mm[:, None], x_mm[None, :]
    right = -150.0 - ((x + 62.0) ** 2 + (y + 25.0) ** 2) / 190.0
    left = -166.0 - ((x - 62.0) ** 2 + (y + 25.0) ** 2) / 190.0
    return np.asarray(np.maximum(right, left), dtype=np.float32)


def spine_center(frame: Frame, z: float) -> Float64:
    """Patient position of the vertebral bodies' center line at reference height `z`."""
    return frame.warp([0.0, float(np.interp(z, SPINE_Z, SPINE_Y)), z])
