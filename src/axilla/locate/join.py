"""Fragments of one crescent joined, and fatty hila taken in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from axilla.anatomy import morphology
from axilla.locate.crop import SideCrop
from axilla.locate.features import Lump, measure
from axilla.locate.score import enhancement, score
from axilla.locate.settings import LocateSettings
from axilla.locate.tissue import Tissue
from axilla.segment import Pieces
from axilla.volume import BoolArray, SlicesZYX


def join_fragments(
    lumps: dict[int, Lump], pieces: Pieces, tissue: Tissue, crop: SideCrop, settings: LocateSettings
) -> list[Lump]:
    """Join thin neighbors of like density where the whole is as good a node as its parts, widest passages first.

    A crescent's cortex is about as thick as a vessel, so the watershed cuts it wherever it thins. Two balls that touch are
    left apart: each is a better node than both together.
    """
    owner = {label: label for label in lumps}
    current = dict(lumps)
    for (a, b), saddle in sorted(pieces.saddles.items(), key=lambda item: (-item[1], item[0])):
        if a not in owner or b not in owner or owner[a] == owner[b]:
            continue
        first, second = current[owner[a]], current[owner[b]]
        if not _may_join(first, second, saddle, crop, settings):
            continue
        joint = _joint(first, second, pieces, tissue, crop)
        before = max(score(first, crop).value, score(second, crop).value)
        if joint.lengths_mm[0] > settings.max_joint_mm or score(joint, crop).value < settings.joint_gain * before:
            continue
        kept, gone = owner[a], owner[b]
        current[kept] = joint
        del current[gone]
        for label in joint.labels:
            owner[label] = kept
    return list(current.values())


def _may_join(first: Lump, second: Lump, saddle: float, crop: SideCrop, settings: LocateSettings) -> bool:
    thinner, thicker = sorted((first.radius_mm, second.radius_mm))
    if thicker > settings.max_cortex_mm / 2 or saddle < settings.joint_saddle * thinner:
        return False
    if abs(first.peak_hu - second.peak_hu) > settings.joint_hu:
        return False
    shares = (enhancement(first, crop), enhancement(second, crop))
    return not any(np.isfinite(share) and share > settings.joint_enhancement for share in shares)


def _joint(first: Lump, second: Lump, pieces: Pieces, tissue: Tissue, crop: SideCrop) -> Lump:
    low = np.minimum(first.offset_zyx, second.offset_zyx)
    ends = [np.asarray(lump.offset_zyx) + lump.mask.shape for lump in (first, second)]
    high = np.maximum(*ends)
    z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return measure((*first.labels, *second.labels), (z, y, x), pieces, tissue, crop)


def with_hilum(lump: Lump, taken: BoolArray, tissue: Tissue, crop: SideCrop, settings: LocateSettings) -> Lump:
    """The lump with the fat its cortex embraces: notches a disk cannot enter, up to a share of the whole.

    `taken` marks voxels of other nodes; like muscle and other soft tissue they are never taken in.
    """
    margin = [int(np.ceil(settings.hilum_mouth_mm / s)) + 1 for s in crop.spacing]
    size = crop.hu.shape
    start = [max(0, o - m) for o, m in zip(lump.offset_zyx, margin, strict=True)]
    stop = [min(n, o + w + m) for n, o, w, m in zip(size, lump.offset_zyx, lump.mask.shape, margin, strict=True)]
    box: SlicesZYX = (slice(start[0], stop[0]), slice(start[1], stop[1]), slice(start[2], stop[2]))
    mask = np.zeros([b - a for a, b in zip(start, stop, strict=True)], dtype=bool)
    inner = tuple(slice(o - a, o - a + w) for o, a, w in zip(lump.offset_zyx, start, lump.mask.shape, strict=True))
    mask[inner] = lump.mask
    free = ~tissue.soft[box] & ~tissue.muscle[box] & ~taken[box]
    hilum = morphology.closed(mask, settings.hilum_mouth_mm / 2, crop.spacing, in_plane=True) & ~mask & free
    if hilum.sum() > settings.max_hilum_share / (1 - settings.max_hilum_share) * mask.sum():
        return lump
    whole = ndimage.binary_fill_holes(mask | hilum) & (free | mask)
    return replace(lump, offset_zyx=(start[0], start[1], start[2]), mask=whole)
