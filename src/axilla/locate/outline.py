"""The outline of a node: its cortex with the fat it embraces."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from axilla.anatomy import morphology
from axilla.locate.crop import SideCrop
from axilla.locate.settings import LocateSettings
from axilla.locate.tissue import Tissue
from axilla.volume import BoolArray, SlicesZYX, TripleInt


def at_half_density(offset: TripleInt, mask: BoolArray, high_hu: float, crop: SideCrop, settings: LocateSettings) -> BoolArray:
    """The mask less the surface voxels that are nearer to fat than to the node's own density.

    Islands end halfway between fat and muscle; an enhancing node is denser, and its blur reaches that level outside of it.
    """
    z, y, x = (slice(start, start + size) for start, size in zip(offset, mask.shape, strict=True))
    level = crop.fat_hu + 0.5 * (high_hu - crop.fat_hu)
    deep = ndimage.binary_erosion(np.pad(mask, 1))[1:-1, 1:-1, 1:-1]
    trimmed = mask & (deep | (crop.hu[z, y, x] > level))
    return trimmed if np.count_nonzero(trimmed) >= settings.min_trimmed_share * np.count_nonzero(mask) else mask


def with_hilum(
    offset: TripleInt, cortex: BoolArray, taken: BoolArray, tissue: Tissue, crop: SideCrop, settings: LocateSettings
) -> tuple[TripleInt, BoolArray]:
    """The cortex with notches of fat that a disk cannot enter, up to a share of the whole, and its new offset.

    `taken` marks voxels of other nodes; like muscle and other soft tissue they are never taken in.
    """
    margin = [int(np.ceil(settings.hilum_mouth_mm / s)) + 1 for s in crop.spacing]
    start = [max(0, o - m) for o, m in zip(offset, margin, strict=True)]
    stop = [min(n, o + w + m) for n, o, w, m in zip(crop.hu.shape, offset, cortex.shape, margin, strict=True)]
    box: SlicesZYX = (slice(start[0], stop[0]), slice(start[1], stop[1]), slice(start[2], stop[2]))
    mask = np.zeros([b - a for a, b in zip(start, stop, strict=True)], dtype=bool)
    mask[tuple(slice(o - a, o - a + w) for o, a, w in zip(offset, start, cortex.shape, strict=True))] = cortex
    free = ~tissue.soft[box] & ~tissue.muscle[box] & ~taken[box]
    hilum = morphology.closed(mask, settings.hilum_mouth_mm / 2, crop.spacing, in_plane=True) & ~mask & free
    if hilum.sum() > settings.max_hilum_share / (1 - settings.max_hilum_share) * mask.sum():
        return offset, cortex
    return (start[0], start[1], start[2]), ndimage.binary_fill_holes(mask | hilum) & (free | mask)
