"""The candidates of one side with their scores."""

from __future__ import annotations

import numpy as np

from axilla.anatomy import Anatomy
from axilla.locate.crop import SideCrop, crop_side, to_canonical_crop
from axilla.locate.features import Lump, measure_all
from axilla.locate.join import join_fragments, with_hilum
from axilla.locate.score import Score, enhancement, score
from axilla.locate.settings import LocateSettings
from axilla.locate.tissue import find_tissue
from axilla.node import Candidate
from axilla.segment import split
from axilla.volume import SlicesZYX, Volume, bounding_box


def find_candidates(volume: Volume, anatomy: Anatomy, side: str, settings: LocateSettings) -> list[Candidate]:
    """Candidates of one side that reach the settings' score, on the canonical grid, best first."""
    crop, tissue = find_tissue(crop_side(volume, anatomy, side, settings), settings)
    pieces = split(tissue.islands, crop.spacing, settings.segment)
    lumps = join_fragments(measure_all(pieces, tissue, crop, settings.segment.min_peak_mm), pieces, tissue, crop, settings)
    scored = [(score(lump, crop), lump) for lump in lumps]
    scored = sorted((pair for pair in scored if pair[0].value >= settings.min_score), key=lambda pair: -pair[0].value)
    taken = np.zeros(crop.hu.shape, dtype=bool)
    for _, lump in scored:
        taken[_place(lump)] |= lump.mask
    found = []
    for result, lump in scored:
        whole = with_hilum(lump, taken, tissue, crop, settings)
        taken[_place(whole)] |= whole.mask
        candidate = _candidate(whole, result, crop)
        if candidate is not None:
            found.append(candidate)
    return found


def _place(lump: Lump) -> SlicesZYX:
    z, y, x = (slice(start, start + size) for start, size in zip(lump.offset_zyx, lump.mask.shape, strict=True))
    return (z, y, x)


def _candidate(lump: Lump, result: Score, crop: SideCrop) -> Candidate | None:
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
    }
    return Candidate(crop.side, start, mask[box].copy(), result.value, result.parts, measurements)
