"""Reference anatomy of shoulder girdle and chest wall muscles, for raised arms and for arms at the side.

One side, ``(u, y)`` mm in the reference frame, listed from low to high. Outlines go round a muscle's section; sheets are a
center line with a half thickness.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from axilla.phantom.frame import Float64, Frame
from axilla.phantom.shapes import Loft, Strip, Tube
from axilla.phantom.trunk import wall_point

Outline = dict[int, list[tuple[float, float]]]
"""By height: the corners of a section."""
Sheet = dict[int, tuple[list[tuple[float, float]], list[float]]]
"""By height: a center line and its half thicknesses."""
Ellipse = dict[int, tuple[float, float, float, float, float]]
"""By height: center u and y, half axes, turn in degrees."""

PECTORALIS_MAJOR: Outline = {
    -150: [(38, -150), (48, -151), (62, -148), (78, -138), (88, -130), (84, -129), (64, -140), (48, -147)],
    -130: [(22, -145), (45, -147), (70, -142), (92, -126), (103, -112), (98, -110), (70, -133), (45, -139)],
    -99: [(18, -137), (45, -141), (75, -137), (98, -119), (110, -103), (103, -102), (74, -126), (45, -132)],
    -69: [(17, -124), (48, -132), (80, -130), (104, -113), (113, -97), (105, -95), (75, -114), (45, -120)],
    -45: [(16, -110), (50, -121), (86, -121), (110, -106), (118, -91), (106, -88), (78, -102), (46, -107)],
    -30: [(16, -102), (52, -112), (88, -112), (113, -99), (121, -81), (111, -74), (82, -90), (48, -97)],
    -15: [(14, -92), (50, -105), (88, -108), (115, -96), (125, -79), (113, -70), (82, -78), (45, -86)],
    0: [(22, -83), (55, -98), (90, -100), (118, -89), (128, -76), (113, -64), (85, -66), (50, -76)],
    20: [(58, -70), (80, -84), (108, -86), (132, -74), (142, -62), (128, -55), (102, -60), (75, -64)],
    34: [(80, -66), (95, -76), (118, -76), (136, -68), (144, -60), (132, -56), (112, -60), (92, -62)],
}

PECTORALIS_MINOR: Sheet = {
    -104: ([(103, -106), (112, -97), (120, -86)], [1.5, 2.0, 1.5]),
    -69: ([(96, -100), (109, -88), (118, -72)], [2.5, 4.5, 3.0]),
    -45: ([(89, -96), (103, -82), (114, -64)], [2.5, 5.5, 4.0]),
    -30: ([(81, -88), (98, -74), (112, -57)], [2.5, 6.0, 4.5]),
    -15: ([(88, -72), (101, -62), (113, -51)], [3.5, 6.0, 5.0]),
    -4: ([(100, -60), (109, -51), (117, -42)], [3.5, 5.0, 4.0]),
    8: ([(112, -44), (117, -36), (122, -28)], [2.5, 3.5, 2.5]),
}

SCAPULA: Sheet = {
    -152: ([(114, 54), (111, 58), (108, 62), (105, 65), (102, 67)], [1.2, 1.5, 1.8, 1.5, 1.2]),
    -125: ([(137, 16), (130, 28), (121, 44), (108, 58), (90, 70)], [3.5, 2.2, 1.5, 1.4, 2.0]),
    -99: ([(144, 2), (135, 12), (126, 31), (109, 53), (82, 70)], [4.2, 2.0, 1.2, 1.2, 2.0]),
    -69: ([(143, 0), (133, 7), (126, 26), (112, 47), (86, 66)], [4.5, 2.2, 1.2, 1.2, 2.0]),
    -45: ([(138, -2), (128, 5), (120, 23), (107, 43), (84, 62)], [5.0, 2.4, 1.2, 1.2, 2.0]),
    -30: ([(138, -5), (127, 4), (117, 20), (102, 38), (82, 57)], [5.5, 2.8, 1.4, 1.3, 2.0]),
    -15: ([(137, -7), (124, 4), (114, 16), (100, 31), (82, 50)], [8.0, 4.0, 2.0, 1.6, 2.0]),
    0: ([(128, -4), (121, 3), (114, 10), (105, 18), (96, 26)], [8.0, 6.0, 4.0, 2.5, 2.0]),
    9: ([(122, -4), (119, 0), (115, 5), (110, 10), (104, 16)], [5.0, 4.0, 3.0, 2.0, 1.5]),
}

SCAPULAR_SPINE: Sheet = {
    -44: ([(86, 60), (93, 63), (100, 64)], [2.5, 2.5, 2.0]),
    -30: ([(92, 48), (103, 57), (112, 60)], [2.0, 3.0, 3.0]),
    -15: ([(110, 24), (119, 42), (126, 54)], [2.5, 3.5, 4.5]),
    0: ([(122, 30), (131, 42), (138, 48)], [3.0, 4.5, 5.0]),
    18: ([(136, 34), (144, 36), (154, 30)], [5.0, 5.5, 5.0]),
    30: ([(140, 14), (150, 12), (158, 6)], [5.0, 5.0, 4.0]),
}

_RAISED_ELLIPSES: dict[str, Ellipse] = {
    "latissimus": {
        -215: (138, 12, 5, 40, 10),
        -165: (139, 4, 6, 38, 10),
        -130: (146, -2, 8, 32, 8),
        -99: (154, -14, 13, 26, 4),
        -69: (161, -24, 23, 22, -15),
        -45: (162, -28, 26, 21, -15),
        -30: (161, -34, 25, 19, -15),
        -15: (158, -40, 21, 15, -15),
        0: (159, -41, 16, 12, -20),
        14: (160, -38, 10, 8, -20),
    },
    "teres minor": {
        -112: (150, 18, 6, 8, 0),
        -99: (155, 16, 10, 12, 0),
        -69: (160, 15, 13, 13, 0),
        -45: (163, 17, 13, 16, 0),
        -15: (160, 18, 13, 15, 0),
        4: (158, 16, 9, 10, 0),
    },
    "supraspinatus": {
        -22: (96, 44, 9, 5, -40),
        -8: (104, 36, 21, 12, -45),
        8: (112, 24, 22, 13, -45),
        20: (122, 14, 15, 10, -40),
    },
    "coracobrachialis": {-14: (134, -52, 5, 4, 0), 0: (140, -54, 9, 7, 0), 14: (150, -58, 13, 10, 0), 36: (158, -66, 18, 14, 0)},
}

_DOWN_ELLIPSES: dict[str, Ellipse] = {
    "latissimus": {
        -215: (138, 12, 5, 40, 10),
        -165: (139, 6, 6, 38, 10),
        -130: (142, 4, 9, 32, 8),
        -99: (146, 2, 12, 24, 4),
        -69: (150, -4, 14, 17, 0),
        -45: (154, -12, 14, 11, 0),
        -28: (162, -22, 9, 6, -20),
    },
    "teres minor": {
        -112: (148, 24, 6, 8, 0),
        -99: (152, 24, 9, 11, 0),
        -69: (156, 26, 12, 12, 0),
        -45: (158, 27, 12, 14, 0),
        -15: (158, 28, 12, 12, 0),
        0: (158, 26, 8, 8, 0),
    },
    "supraspinatus": {
        -22: (96, 44, 9, 5, -40),
        -8: (104, 36, 21, 12, -45),
        8: (112, 24, 22, 13, -45),
        20: (122, 14, 15, 10, -40),
    },
    "coracobrachialis": {-90: (176, -34, 9, 8, 0), -50: (166, -38, 9, 8, 0), -20: (148, -42, 7, 6, 0), 0: (134, -40, 4, 4, 0)},
}

_DELTOID_RAISED: Sheet = {
    -22: ([(176, -22), (184, 0), (174, 24)], [1.5, 2.5, 1.5]),
    -12: ([(164, -58), (187, -12), (166, 38)], [6.0, 8.5, 6.0]),
    4: ([(152, -68), (192, -14), (164, 44)], [8.0, 10.0, 7.0]),
    36: ([(158, -76), (198, -24), (170, 40)], [8.0, 11.0, 8.0]),
}

_DELTOID_DOWN: Sheet = {
    -110: ([(196, -22), (204, -8), (200, 4)], [1.5, 3.0, 1.5]),
    -70: ([(178, -36), (204, -8), (190, 22)], [5.0, 9.0, 5.0]),
    -30: ([(160, -54), (203, -10), (176, 36)], [7.0, 11.0, 8.0]),
    4: ([(146, -56), (194, -12), (164, 42)], [7.0, 9.0, 7.0]),
    22: ([(150, -30), (172, -4), (160, 28)], [4.0, 5.0, 4.0]),
}


@dataclass(frozen=True)
class Muscle:
    """A muscle as a solid or a sheet."""

    name: str
    shape: Loft | Strip


def muscles(frame: Frame, side: str, arms: str, muscularity: float) -> list[Muscle]:
    """The named muscles around one axilla."""
    grow = (muscularity - 0.5) * 3.0
    pectoralis = PECTORALIS_MAJOR if arms == "raised" else _pectoralis_down()
    result = [Muscle("pectoralis major", _loft(frame, side, pectoralis, grow))]
    result.append(Muscle("pectoralis minor", _strip(frame, side, PECTORALIS_MINOR, grow / 2)))
    for name, ellipses in (_RAISED_ELLIPSES if arms == "raised" else _DOWN_ELLIPSES).items():
        outlines = {z: _ellipse(*values) for z, values in ellipses.items()}
        result.append(Muscle(name, _loft(frame, side, outlines, grow * 0.7)))
    result.append(
        Muscle("subscapularis", _strip(frame, side, _beside_scapula(-1.0, (13, 11, 9, 7.5, 4), (12, 10, 8, 7, 4)), grow / 2))
    )
    result.append(
        Muscle("infraspinatus", _strip(frame, side, _beside_scapula(1.0, (7, 11, 12, 10, 5), (5, 9, 9.5, 7.5, 3.5)), grow / 2))
    )
    result.append(Muscle("deltoid", _strip(frame, side, _DELTOID_RAISED if arms == "raised" else _DELTOID_DOWN, grow / 2)))
    result.append(Muscle("serratus anterior", _serratus(frame, side, grow / 3)))
    result.append(Muscle("trapezius", _strip(frame, side, _TRAPEZIUS, grow / 3)))
    result.append(Muscle("rhomboid", _strip(frame, side, _RHOMBOID, grow / 3)))
    for name, ellipses in _AXIAL_ELLIPSES.items():
        result.append(Muscle(name, _loft(frame, side, {z: _ellipse(*v) for z, v in ellipses.items()}, grow * 0.4)))
    return result


_TRAPEZIUS: Sheet = {
    -150: ([(6, 78), (14, 79), (24, 79)], [1.5, 2.0, 1.0]),
    -80: ([(5, 81), (30, 82), (62, 80)], [2.0, 3.0, 1.5]),
    -30: ([(5, 77), (50, 77), (92, 69)], [2.5, 5.0, 3.0]),
    -10: ([(5, 72), (54, 71), (112, 60)], [3.5, 6.5, 4.0]),
    0: ([(5, 68), (55, 67), (118, 54)], [4.0, 8.0, 5.0]),
    36: ([(5, 56), (50, 52), (105, 34)], [5.0, 10.0, 8.0]),
}
_RHOMBOID: Sheet = {
    -125: ([(30, 76), (55, 77), (78, 75)], [1.0, 1.5, 1.0]),
    -80: ([(14, 76), (46, 76), (78, 73)], [1.5, 3.0, 2.5]),
    -30: ([(10, 69), (42, 69), (74, 62)], [2.5, 5.0, 3.0]),
    -5: ([(10, 58), (40, 56), (72, 46)], [2.5, 6.0, 4.0]),
    6: ([(14, 54), (40, 50), (70, 42)], [2.0, 4.0, 3.0]),
}
_AXIAL_ELLIPSES: dict[str, Ellipse] = {
    "erector spinae": {
        -215: (30, 70, 26, 15, 0),
        -130: (27, 68, 20, 11, 0),
        -69: (25, 65, 18, 10, 0),
        -30: (25, 56, 19, 12, 0),
        0: (25, 42, 22, 16, 0),
        36: (22, 30, 20, 19, 0),
    },
    "teres major": {
        -104: (150, 0, 7, 9, 0),
        -69: (144, -9, 14, 15, 0),
        -45: (142, -12, 15, 15, 0),
        -25: (142, -18, 12, 12, 0),
        -8: (146, -26, 7, 7, 0),
    },
    "serratus upper part": {-24: (84, 8, 8, 16, 0), -6: (90, 3, 13, 17, 0), 8: (84, -2, 14, 14, 0), 36: (66, -4, 12, 12, 0)},
    "scalenes": {-10: (50, -12, 5, 8, 0), 2: (46, -10, 13, 17, 15), 12: (42, -8, 15, 17, 10), 36: (34, -8, 13, 16, 0)},
    "sternocleidomastoid": {-14: (24, -74, 4, 3, 0), 0: (28, -70, 8, 5, 20), 36: (36, -62, 13, 7, 30)},
    "strap muscles": {-14: (10, -66, 5, 3, 0), 4: (13, -60, 10, 4, 10), 36: (14, -60, 9, 5, 10)},
    "longus colli": {-20: (9, -20, 6, 3, 0), 0: (11, -21, 8, 4, 0), 36: (11, -24, 8, 5, 0)},
    "levator": {-12: (76, 28, 10, 8, -30), 0: (70, 24, 17, 13, -30), 14: (60, 20, 17, 14, -20), 36: (48, 12, 14, 16, 0)},
}


def _pectoralis_down() -> Outline:
    """With the arm down the muscle's lateral part turns toward the humeral shaft below its head."""
    moved = {}
    for z, ring in PECTORALIS_MAJOR.items():
        if z > 0:
            continue
        pull = float(np.interp(z, [-99, -60, -25, 0], [0.0, 1.0, 1.0, 0.3]))
        tip = {3: (16, 20), 4: (34, 34), 5: (22, 22)}
        moved[z] = [(u + pull * tip.get(k, (0, 0))[0], y + pull * tip.get(k, (0, 0))[1]) for k, (u, y) in enumerate(ring)]
    moved[12] = [(60, -66), (70, -70), (82, -68), (92, -62), (96, -56), (88, -54), (76, -58), (66, -62)]
    return dict(sorted(moved.items()))


def _ellipse(u: float, y: float, ru: float, ry: float, degrees: float) -> list[tuple[float, float]]:
    angle = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    turn = np.deg2rad(degrees)
    a, b = ru * np.cos(angle), ry * np.sin(angle)
    return list(zip(u + a * np.cos(turn) - b * np.sin(turn), y + a * np.sin(turn) + b * np.cos(turn), strict=True))


def _loft(frame: Frame, side: str, keys: Outline, grow: float) -> Loft:
    z = np.array(sorted(keys), dtype=float)
    heights, outlines = frame.outline(z, [keys[int(k)] for k in z], side)
    return Loft(heights, outlines, grow)


def _strip(frame: Frame, side: str, keys: Sheet, grow: float) -> Strip:
    z = np.array(sorted(keys), dtype=float)
    heights, lines = frame.outline(z, [keys[int(k)][0] for k in z], side)
    half = np.array([keys[int(k)][1] for k in z], dtype=float)
    return Strip(heights, lines, np.maximum(half + grow * half / (half.max() + 1e-9), 0.6))


def _beside_scapula(sign: float, offsets_mm: tuple[float, ...], half: tuple[float, ...]) -> Sheet:
    """Sheet along the blade, on the rib side (-1) or behind it (+1)."""
    keys: Sheet = {}
    for z, (line, _) in SCAPULA.items():
        if z in (9, -152):
            continue
        p = np.array(line)
        along = p[-1] - p[0]
        normal = np.array([-along[1], along[0]]) / np.linalg.norm(along)
        if normal[1] * sign < 0:
            normal = -normal
        fade = float(np.interp(z, [-130, -110, -10, 2], [0.45, 1.0, 1.0, 0.6]))
        shifted = p + normal * np.array(offsets_mm)[:, None] * fade
        keys[z] = ([(float(u), float(y)) for u, y in shifted], [h * fade for h in half])
    return keys


def _serratus(frame: Frame, side: str, grow: float) -> Strip:
    """Muscle on the lateral chest wall, in digitations."""
    z = np.arange(-190.0, -9.0, 10.0)
    lines, half = [], []
    for height in z:
        s = np.linspace(0.36, 0.72 if height < -60 else 0.66, 7)
        lines.append([wall_point(float(height), float(f), 10.5 + float(np.interp(height, [-70, -40], [1.5, 4.5])))[0] for f in s])
        wave = 0.75 + 0.25 * np.sin(height / 24.0 * 2 * np.pi + s * 20)
        taper = np.clip(np.minimum(s - 0.33, 0.78 - s) / 0.12, 0.3, 1)
        half.append(4.2 * wave * taper * np.interp(height, [-190, -150, -70, -45, -20, -10], [0.5, 1, 1, 1.5, 1.7, 1.0]))
    heights, outlines = frame.outline(z, lines, side)
    return Strip(heights, outlines, np.maximum(np.array(half) + grow, 0.8))


def scapula(frame: Frame, side: str) -> tuple[Strip, Strip]:
    """Blade and spine of the scapula."""
    return _strip(frame, side, SCAPULA, 0.0), _strip(frame, side, SCAPULAR_SPINE, 0.0)


def humerus(frame: Frame, side: str, arms: str) -> list[Tube]:
    """Head and shaft."""
    if arms == "raised":
        head = [(147, -11, -4), (150, -13, 4)]
        shaft = [(150, -14, 4), (156, -22, 30), (160, -40, 110)]
    else:
        head = [(150, -8, -4), (154, -8, 2)]
        shaft = [(158, -8, -6), (172, -8, -34), (188, -6, -110), (196, 0, -215)]
    return [
        Tube.through(frame.side(head, side), [20.5, 21.5]),
        Tube.through(frame.side(shaft, side), [15, 12.5, 11, 11][: len(shaft)]),
    ]


def coracoid(frame: Frame, side: str) -> Tube:
    """Coracoid process, where pectoralis minor ends."""
    return Tube.through(frame.side([(124, -4, 6), (120, -16, 12), (121, -28, 9)], side), [7, 6, 5])


def arm_down(frame: Frame, side: str) -> Tube:
    """Envelope of the upper arm's muscles, arm at the side."""
    return Tube.through(frame.side([(176, -8, -30), (186, -8, -80), (192, -6, -140), (198, 0, -225)], side), [26, 32, 34, 32])


def hull_points(items: list[Muscle], z_mm: Float64) -> list[Float64]:
    """For each patient height ``(m,)``, outline points ``(n, 2)`` of all muscles present there."""
    points: list[list[Float64]] = [[np.empty((0, 2))] for _ in z_mm]
    for muscle in items:
        shape = muscle.shape
        here = np.flatnonzero((z_mm >= shape.z_mm[0]) & (z_mm <= shape.z_mm[-1]))
        if not len(here):
            continue
        if isinstance(shape, Loft):
            for k, outline in zip(here, shape.outlines(z_mm[here], 24), strict=True):
                points[k].append(outline)
        else:
            for k, line, half in zip(here, *shape.lines(z_mm[here], 9), strict=True):
                points[k].extend(line + half[:, None] * offset for offset in ([1, 0], [-1, 0], [0, 1], [0, -1]))
    return [np.concatenate(p) for p in points]
