"""What touches a lump, and whether it runs through it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from axilla.locate.crop import SideCrop
from axilla.locate.features import Lump
from axilla.locate.tissue import Tissue
from axilla.segment import Pieces

_WIDE = 0.35
"""A passage of this share of the lump's radius counts as a neighbor; narrower ones are strands of fascia."""

_VESSEL_SHARE = 0.03
"""Share of the surface that must face a dense vessel for it to count."""

Neighborhoods = dict[int, list[tuple[int, float]]]
"""Pieces and the depth of the passage to them, mm, by piece."""


def neighborhoods(pieces: Pieces) -> Neighborhoods:
    """The neighbors of every piece."""
    found: Neighborhoods = {}
    for (a, b), height in pieces.saddles.items():
        found.setdefault(a, []).append((b, height))
        found.setdefault(b, []).append((a, height))
    return found


def opposition(lump: Lump, around: Neighborhoods, pieces: Pieces, tissue: Tissue, crop: SideCrop) -> float:
    """Least cosine between the directions from a lump's middle to two of its neighbors.

    -1 where a vessel runs in at one end and out at the other; 1 with fewer than two neighbors.
    """
    wide = {b for a in lump.labels for b, height in around.get(a, []) if height >= _WIDE * lump.radius_mm}
    wide -= set(lump.labels)
    z, y, x = (slice(start, start + size) for start, size in zip(lump.offset_zyx, lump.mask.shape, strict=True))
    ring = ndimage.binary_dilation(lump.mask) & ~lump.mask
    labels, vessel = pieces.labels[z, y, x], ring & tissue.vessels[z, y, x]
    contacts = [ring & (labels == other) for other in sorted(wide)]
    if np.count_nonzero(vessel) > _VESSEL_SHARE * np.count_nonzero(ring):
        contacts.append(vessel)
    middle = np.argwhere(lump.mask).mean(axis=0)
    directions = []
    for contact in contacts:
        if contact.any():
            step = (np.argwhere(contact).mean(axis=0) - middle) * crop.spacing
            directions.append(step / max(float(np.linalg.norm(step)), 1e-6))
    pairs = [float(a @ b) for i, a in enumerate(directions) for b in directions[:i]]
    return min(pairs, default=1.0)
