"""The candidates of one side with their scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from axilla.anatomy import Anatomy
from axilla.locate.crop import SideCrop, crop_side, to_canonical_crop
from axilla.locate.features import Lump, measure_all
from axilla.locate.join import join_fragments, with_hilum
from axilla.locate.likeness import node_model, terms
from axilla.locate.neighbors import neighborhoods, opposition
from axilla.locate.score import Score, crescent_score, enhancement, is_possible, node_score
from axilla.locate.settings import LocateSettings
from axilla.locate.star import Star, stars
from axilla.locate.tissue import Tissue, find_tissue
from axilla.node import Candidate
from axilla.segment import Pieces, split
from axilla.volume import FloatArray, SlicesZYX, Volume, bounding_box


def find_candidates(volume: Volume, anatomy: Anatomy, side: str, settings: LocateSettings) -> list[Candidate]:
    """Candidates of one side that reach the settings' score, on the canonical grid, best first."""
    crop, tissue = find_tissue(crop_side(volume, anatomy, side, settings), settings)
    pieces = split(tissue.islands, crop.spacing, settings.segment)
    lumps = join_fragments(measure_all(pieces, tissue, crop, settings.segment.min_peak_mm), pieces, tissue, crop, settings)
    scored = _scored([lump for lump in lumps if is_possible(lump, crop)], pieces, tissue, crop)
    scored = sorted((item for item in scored if item.result.value >= settings.min_score), key=lambda item: -item.result.value)
    taken = np.zeros(crop.hu.shape, dtype=bool)
    for item in scored:
        taken[_place(item.lump)] |= item.lump.mask
    found = []
    for item in scored:
        whole = with_hilum(item.lump, taken, tissue, crop, settings)
        taken[_place(whole)] |= whole.mask
        candidate = _candidate(whole, item, crop)
        if candidate is not None:
            found.append(candidate)
    return found


@dataclass(frozen=True)
class _Scored:
    """A lump with all that is known of it."""

    lump: Lump
    result: Score
    star: Star
    evidence: dict[str, float]


def _scored(lumps: list[Lump], pieces: Pieces, tissue: Tissue, crop: SideCrop) -> list[_Scored]:
    """Every lump with the better of two scores: the fitted model's, and the crescent's."""
    model = node_model()
    filled = np.where(tissue.islands & ~tissue.soft, np.float32(crop.muscle_hu), crop.hu)
    centers = [_deepest(lump, pieces) for lump in lumps]
    radii = [max(1.2, lump.radius_mm) for lump in lumps]
    levels = [(crop.fat_hu + min(crop.muscle_hu, lump.peak_hu)) / 2 for lump in lumps]
    around = neighborhoods(pieces)
    found = []
    for lump, star in zip(lumps, stars(filled, crop.spacing, centers, radii, levels), strict=True):
        evidence = model.evidence(terms(lump, star, opposition(lump, around, pieces, tissue, crop), crop))
        ball, crescent = node_score(model.probability(evidence), lump, crop), crescent_score(lump, star.thickness_mm, crop)
        found.append(_Scored(lump, ball if ball.value >= crescent.value else crescent, star, evidence))
    return found


def _deepest(lump: Lump, pieces: Pieces) -> FloatArray:
    """Index of the lump's deepest voxel: the middle one of several."""
    depth = np.where(lump.mask, pieces.depth[_place(lump)], 0)
    points = np.argwhere(depth >= 0.999 * depth.max())
    return np.asarray(points[len(points) // 2] + lump.offset_zyx, dtype=np.float64)


def _place(lump: Lump) -> SlicesZYX:
    z, y, x = (slice(start, start + size) for start, size in zip(lump.offset_zyx, lump.mask.shape, strict=True))
    return (z, y, x)


def _candidate(lump: Lump, item: _Scored, crop: SideCrop) -> Candidate | None:
    """The lump on the canonical grid, or ``None`` when it lies between two slices."""
    offset, mask = to_canonical_crop(lump.mask, lump.offset_zyx, crop)
    if not mask.any():
        return None
    box = bounding_box(mask)
    start = (offset[0] + box[0].start, offset[1] + box[1].start, offset[2] + box[2].start)
    measurements = {
        "inscribed_radius_mm": lump.radius_mm,
        "fat_contact": lump.fat_contact,
        "neck": lump.neck,
        "elongation": lump.elongation,
        "wall_neck": lump.wall_neck,
        "solidity": lump.solidity,
        "bend": lump.bend,
        "sheetness": lump.sheetness,
        "ballness": lump.ballness,
        "peak_hu": lump.peak_hu,
        "enhancement": enhancement(lump, crop),
        "thickness_mm": item.star.thickness_mm,
        "open_share": item.star.open_share,
        "through_share": item.star.through_share,
    } | {f"evidence_{group}": value for group, value in item.evidence.items()}
    return Candidate(crop.side, start, mask[box].copy(), item.result.value, item.result.parts, measurements)
