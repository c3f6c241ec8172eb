"""Unions of pieces that may be nodes: the tree in which pieces join at ever narrower passages.

A node cut in two is a union high in the tree, a node glued to a vessel one of its branches. Instead of choosing one cut, every
branch of every way to cut is a hypothesis; the likeliest ones that do not overlap are kept.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from axilla.locate.partition import SURFACES, Partition
from axilla.locate.settings import LocateSettings
from axilla.volume import BoolArray, TripleInt


@dataclass(frozen=True)
class Hypothesis:
    """A union of pieces.

    Parameters
    ----------
    partition : Partition
    pieces : tuple of int
    radius_mm : float
        Largest inscribed ball.
    formed : float
        Narrowest passage inside it, as a share of the thinner part's radius; 1 for a single piece.
    passages : tuple of (float, float)
        Passages to what lies outside, widest first: depth of the passage and radius of what lies behind it, mm.
    """

    partition: Partition
    pieces: tuple[int, ...]
    radius_mm: float
    formed: float
    passages: tuple[tuple[float, float], ...]

    def mask(self) -> tuple[TripleInt, BoolArray]:
        """The union of its pieces in its box, with the box's offset on the working grid."""
        boxes = [self.partition.boxes[piece - 1] for piece in self.pieces]
        low = [min(box[axis].start for box in boxes) for axis in range(3)]
        high = [max(box[axis].stop for box in boxes) for axis in range(3)]
        z, y, x = (slice(a, b) for a, b in zip(low, high, strict=True))
        return (low[0], low[1], low[2]), np.isin(self.partition.pieces.labels[z, y, x], self.pieces)


def hypotheses(partition: Partition, settings: LocateSettings) -> list[Hypothesis]:
    """Every piece and every union that may be a node.

    The pair with the widest relative passage is joined, again and again, down to the narrowest passage inside a node.
    """
    forest = _Forest(partition, settings)
    found = [forest.hypothesis(label) for label in list(forest.tops) if forest.is_possible(label)]
    while (label := forest.join_next()) is not None:
        if forest.is_possible(label):
            found.append(forest.hypothesis(label))
    return found


class _Forest:
    """Pieces and unions not yet joined further, by label; unions get labels above the pieces'."""

    def __init__(self, partition: Partition, settings: LocateSettings) -> None:
        self.partition, self.settings = partition, settings
        self.tops = {label: float(peak) for label, peak in enumerate(partition.pieces.peaks) if peak > 0}
        self.members: dict[int, tuple[int, ...]] = {label: (label,) for label in self.tops}
        self.formed = dict.fromkeys(self.tops, 1.0)
        self.around: dict[int, dict[int, float]] = {label: {} for label in self.tops}
        self.counted = dict(enumerate(np.column_stack([
            partition.sums[:, :2] * np.prod(partition.spacing), partition.surface_mm2[:, SURFACES.index("fat")],
            partition.surface_mm2.sum(axis=1),
        ])))  # fmt: skip
        for (a, b), depth in partition.pieces.saddles.items():
            self.around[a][b] = self.around[b][a] = depth
        self.queue = [self._entry(a, b) for a in self.around for b in self.around[a] if a < b]
        heapq.heapify(self.queue)

    def _entry(self, a: int, b: int) -> tuple[float, int, int]:
        return (-self.around[a][b] / min(self.tops[a], self.tops[b]), min(a, b), max(a, b))

    def join_next(self) -> int | None:
        """Join the pair with the widest passage and give the union's label; ``None`` when all passages left are too narrow."""
        while self.queue:
            ratio, a, b = heapq.heappop(self.queue)
            if a in self.around and b in self.around:
                return None if -ratio < self.settings.min_passage else self._join(a, b, -ratio)
        return None

    def _join(self, a: int, b: int, ratio: float) -> int:
        label = len(self.partition.pieces.peaks) + len(self.formed)
        self.tops[label] = max(self.tops[a], self.tops[b])
        self.members[label] = self.members[a] + self.members[b]
        self.counted[label] = self.counted[a] + self.counted[b]
        self.formed[label] = min(ratio, self.formed[a], self.formed[b])
        outside: dict[int, float] = {}
        for part in (a, b):
            for other, depth in self.around.pop(part).items():
                if other not in (a, b):
                    del self.around[other][part]
                    outside[other] = max(depth, outside.get(other, 0.0))
        self.around[label] = outside
        for other, depth in outside.items():
            self.around[other][label] = depth
            heapq.heappush(self.queue, self._entry(label, other))
        return label

    def is_possible(self, label: int) -> bool:
        """Neither too small nor too large; a part of muscle only where it bulges into the fat."""
        settings = self.settings
        volume, soft, fat, surface = self.counted[label].tolist()
        if not (settings.min_volume_mm3 <= volume <= settings.max_volume_mm3 and soft > 0):
            return False
        if self.tops[label] < settings.segment.min_peak_mm or len(self.members[label]) > settings.max_pieces:
            return False
        is_bulge = fat >= settings.bulge_share * surface and self.tops[label] >= settings.bulge_radius_mm
        return is_bulge or self.partition.source != "walls"

    def hypothesis(self, label: int) -> Hypothesis:
        outer = sorted(((depth, self.tops[other]) for other, depth in self.around[label].items()), reverse=True)
        return Hypothesis(self.partition, self.members[label], self.tops[label], self.formed[label], tuple(outer))
