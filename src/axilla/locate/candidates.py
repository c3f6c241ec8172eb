"""The candidates of one side: every hypothesis measured and judged, the likeliest ones that do not overlap kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from axilla.anatomy import Anatomy
from axilla.locate.crop import HuArray, SideCrop, crop_side, to_canonical_crop
from axilla.locate.features import NAMES, high_density, measurements
from axilla.locate.hypotheses import Hypothesis, hypotheses
from axilla.locate.likeness import NodeModel, node_model
from axilla.locate.outline import at_half_density, with_hilum
from axilla.locate.partition import partitions
from axilla.locate.score import CRESCENT_EVIDENCE, Score, crescent, crescent_evidence, node_score
from axilla.locate.settings import LocateSettings
from axilla.locate.star import Star, stars
from axilla.locate.tissue import Tissue, find_tissue
from axilla.node import Candidate
from axilla.volume import BoolArray, FloatArray, SlicesZYX, TripleInt, Volume, bounding_box


def find_candidates(volume: Volume, anatomy: Anatomy, side: str, settings: LocateSettings) -> list[Candidate]:
    """Candidates of one side that reach the settings' score, on the canonical grid, best first."""
    crop, tissue = find_tissue(crop_side(volume, anatomy, side, settings), settings)
    model = node_model()
    judged = [item for group in measured(tissue, crop, settings) for item in _judged(group, model, settings)]
    judged.sort(key=lambda item: -item.score.value)
    taken = np.zeros(crop.hu.shape, dtype=bool)
    found = []
    for item in judged:
        offset, mask = item.hypothesis.mask()
        place = _place(offset, mask)
        overlap = np.count_nonzero(mask & taken[place])
        if overlap > settings.max_overlap * np.count_nonzero(mask):
            continue
        high_hu = crop.fat_hu + item.values["density"] * (crop.muscle_hu - crop.fat_hu)
        cortex = at_half_density(offset, mask & ~taken[place], high_hu, crop, settings)
        offset, whole = with_hilum(offset, cortex, taken, tissue, crop, settings)
        taken[_place(offset, whole)] |= whole
        candidate = _candidate(offset, whole, item, crop)
        if candidate is not None:
            found.append(candidate)
    return found


@dataclass(frozen=True)
class Measured:
    """Hypotheses of one partition with the values of `axilla.locate.features.NAMES`, ``(n, len(NAMES))``."""

    items: tuple[Hypothesis, ...]
    values: FloatArray


def measured(tissue: Tissue, crop: SideCrop, settings: LocateSettings) -> Iterator[Measured]:
    """Every possible node of one side, partition by partition; what several partitions hold is given once."""
    if not tissue.islands.any():
        return
    filled = np.where(tissue.islands & ~tissue.soft, np.float32(crop.muscle_hu), crop.hu)
    size = [max(1, round(settings.crowd_mm / s)) for s in crop.spacing]
    crowd = ndimage.uniform_filter(tissue.soft.astype(np.float32), size)
    seen: set[tuple[float, ...]] = set()
    for partition in partitions(tissue, crop, settings):
        items = [h for h in hypotheses(partition, settings) if not (_key(h) in seen or seen.add(_key(h)))]  # type: ignore[func-returns-value]
        if items:
            rays = [_stars(items, filled, crop, share) for share in (0.5, settings.faint_share)]
            crowding = [float(crowd[tuple(partition.deepest_zyx[_deepest_piece(h)].astype(int))]) for h in items]
            yield Measured(tuple(items), measurements(items, rays[0], rays[1], crowding, crop))


def _key(hypothesis: Hypothesis) -> tuple[float, ...]:
    """Equal for the same voxels."""
    sums = hypothesis.partition.sums[list(hypothesis.pieces)].sum(axis=0)
    return (float(sums[0]), *np.round(sums[3:6] / sums[0], 2).tolist())


def _deepest_piece(hypothesis: Hypothesis) -> int:
    peaks = hypothesis.partition.pieces.peaks
    return max(hypothesis.pieces, key=lambda piece: (peaks[piece], -piece))


def _stars(items: Sequence[Hypothesis], hu: HuArray, crop: SideCrop, share: float) -> list[Star]:
    """Rays from each one's deepest place to where density falls below a share of the step from fat to the deepest piece's own."""
    part = items[0].partition
    roots = sorted({_deepest_piece(h) for h in items})
    own = np.minimum(crop.muscle_hu, high_density(part.histograms[roots]))
    radii = [max(1.2, float(part.pieces.peaks[root])) for root in roots]
    levels = (crop.fat_hu + share * (own - crop.fat_hu)).tolist()
    found = dict(zip(roots, stars(hu, crop.spacing, list(part.deepest_zyx[roots]), radii, levels), strict=True))
    return [found[_deepest_piece(h)] for h in items]


@dataclass(frozen=True)
class _Judged:
    hypothesis: Hypothesis
    score: Score
    values: dict[str, float]
    evidence: dict[str, float]


def _judged(group: Measured, model: NodeModel, settings: LocateSettings) -> Iterator[_Judged]:
    """Those that reach the settings' score."""
    for item, row, log_odds in zip(group.items, group.values, model.log_odds(group.values).tolist(), strict=True):
        values = dict(zip(NAMES, row.tolist(), strict=True))
        if node_score(log_odds + CRESCENT_EVIDENCE, 0.0, values).value < settings.min_score:
            continue
        look = crescent(item, values)
        score = node_score(log_odds, look, values)
        if score.value >= settings.min_score:
            yield _Judged(item, score, values, {**model.evidence(row), "crescent": crescent_evidence(look)})


def _place(offset: TripleInt, mask: BoolArray) -> SlicesZYX:
    z, y, x = (slice(start, start + size) for start, size in zip(offset, mask.shape, strict=True))
    return (z, y, x)


def _candidate(offset: TripleInt, mask: BoolArray, item: _Judged, crop: SideCrop) -> Candidate | None:
    """The outline on the canonical grid, or ``None`` when it lies between two slices."""
    start, native = to_canonical_crop(mask, offset, crop)
    if not native.any():
        return None
    box = bounding_box(native)
    start = (start[0] + box[0].start, start[1] + box[1].start, start[2] + box[2].start)
    measured_values = item.values | {f"evidence_{group}": value for group, value in item.evidence.items()}
    return Candidate(crop.side, start, native[box].copy(), item.score.value, item.score.parts, measured_values)
