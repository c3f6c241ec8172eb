"""Muscles packed against each other: at the shoulder they fill the room between them, parted by fascial planes, not by wide fat.

Each muscle grows toward its neighbors where there is room to spare, and stops halfway to the next one: where its own distance
and the nearest other muscle's are equal runs a plane of fat. Around the axillary vessels nothing grows: that room is the axilla.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from axilla.phantom.frame import Float64
from axilla.phantom.shapes import COARSE_MM, Capsules, Field, Float32, Tube

_FAR_MM = 60.0
_FASCIA_MM = 0.45
"""Half the thickness of the fat plane between two muscles."""

_GROWTH_MM = ([-110.0, -50.0, -25.0, -6.0], [0.3, 1.2, 4.0, 8.0])
"""Heights, and how far a muscle may grow there."""

_CORRIDOR_MM = (6.0, 13.0)
"""From the surface of an axillary trunk vessel: nothing grows up to the first distance, freely from the second."""


def pack(fields: Sequence[Field], body: Field, trunks: Sequence[Tube], cover_mm: float) -> list[Field]:
    """Grown and parted fields of one side's muscles, on the grids of `fields`; none comes nearer than `cover_mm` to the skin."""
    low = np.min([f.origin_zyx_mm for f in fields], axis=0)
    high = np.max([f.bounds_mm()[1] for f in fields], axis=0)
    shape = tuple(np.rint((high - low) / COARSE_MM).astype(int) + 1)
    first = np.full(shape, _FAR_MM, dtype=np.float32)
    second = first.copy()
    boxes = []
    for field in fields:
        start = np.rint((field.origin_zyx_mm - low) / COARSE_MM).astype(int)
        box = tuple(slice(int(a), int(a) + n) for a, n in zip(start, field.values.shape, strict=True))
        boxes.append(box)
        second[box] = np.minimum(second[box], np.maximum(first[box], field.values))
        first[box] = np.minimum(first[box], field.values)
    axes = [low[a] + COARSE_MM * np.arange(shape[a]) for a in range(3)]
    growth = _growth(axes, trunks)
    skin_at = body.over(axes[1].astype(np.float32), axes[2].astype(np.float32))
    skin = np.stack([skin_at(float(z)) for z in axes[0]])
    skin += np.float32(cover_mm)
    packed = []
    for field, box in zip(fields, boxes, strict=True):
        own = field.values
        other = np.where(own <= first[box], second[box], first[box])
        grown = np.maximum(own - np.minimum(growth[box], np.maximum(other - 1.0, 0.0)), skin[box])
        parted = np.maximum(grown, (own - other) / 2 + np.float32(_FASCIA_MM))
        packed.append(Field(parted.astype(np.float32), field.origin_zyx_mm, field.spacing_mm))
    return packed


def _growth(axes: list[Float64], trunks: Sequence[Tube]) -> Float32:
    """Allowed growth ``(z, y, x)`` on the side's coarse grid."""
    upward = np.interp(axes[0], *_GROWTH_MM).astype(np.float32)
    growth = np.broadcast_to(upward[:, None, None], [len(a) for a in axes]).copy()
    points = np.concatenate([t.points_xyz_mm for t in trunks])
    reach = _CORRIDOR_MM[1] + 7.0
    low, high = points.min(axis=0)[::-1] - reach, points.max(axis=0)[::-1] + reach
    low[0] = max(low[0], _GROWTH_MM[0][0])
    part = tuple(
        slice(int(np.searchsorted(a, lo)), int(np.searchsorted(a, hi))) for a, lo, hi in zip(axes, low, high, strict=True)
    )
    size = [p.stop - p.start for p in part]
    if min(size) <= 0:
        return growth
    z, y, x = (a[p][::2] for a, p in zip(axes, part, strict=True))
    grid = np.stack(np.meshgrid(z, y, x, indexing="ij"), axis=-1)[..., ::-1].reshape(-1, 3)
    distance = Capsules.of(trunks).distance(grid).reshape(len(z), len(y), len(x)).astype(np.float32)
    for axis in range(3):
        distance = np.repeat(distance, 2, axis=axis)
    near, free = _CORRIDOR_MM
    growth[part] *= np.clip((distance[: size[0], : size[1], : size[2]] - near) / (free - near), 0, 1)
    return growth
