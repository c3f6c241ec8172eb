"""Ways to cut the soft tissue of one side into pieces, and what is counted once per piece.

Everything counted here adds up: what holds for a union of pieces is the sum over its pieces, so that thousands of unions
can be judged without touching a voxel again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from axilla.anatomy import morphology
from axilla.anatomy.morphology import DistanceMap
from axilla.locate.crop import SideCrop
from axilla.locate.settings import LocateSettings
from axilla.locate.tissue import Tissue, with_hila
from axilla.segment import LabelArray, Pieces, cut_at_necks
from axilla.volume import BoolArray, FloatArray, SlicesZYX, TripleFloat

HU_EDGES = np.arange(-200.0, 424.0 + 1, 4.0)
"""Bins of the pieces' density histograms, HU; what lies beyond falls into the outermost."""

SURFACES = ("fat", "wall", "vessel", "soft")
"""What a piece's surface can face besides another piece: fat, muscle or bone, a dense vessel, other soft tissue."""


@dataclass(frozen=True)
class Partition:
    """One way to cut.

    Parameters
    ----------
    source : str
        Which tissue was cut, e.g. ``"all"``.
    spacing : tuple of float
        Working spacing (z, y, x), mm.
    pieces : Pieces
        Raw watershed pieces, not joined.
    sums : ndarray, shape (n + 1, 12)
        Per piece: voxels, soft voxels, voxels in the pad, sums of z, y, x, zz, yy, xx, zy, zx, yx (mm of the working box).
    histograms : ndarray, shape (n + 1, bins)
        Soft voxels by density.
    surface_mm2 : ndarray, shape (n + 1, 4)
        Area facing each of `SURFACES`.
    vessel_place, soft_place : ndarray, shape (n + 1, 3)
        Sum of area times place of the faces to dense vessels and to other soft tissue.
    contacts : list
        ``contacts[a]``: of each piece touching `a`, its label, the depth of the passage to it (mm), and of the faces between the
        two the area (mm2) and the sums of area times place, ``(4,)``.
    wall_neck_mm : ndarray, shape (n + 1,)
        Depth of the widest passage into a wall.
    deepest_zyx : ndarray, shape (n + 1, 3)
        Index of each piece's deepest voxel: the middle one of several.
    """

    source: str
    spacing: TripleFloat
    pieces: Pieces
    sums: FloatArray
    histograms: FloatArray
    surface_mm2: FloatArray
    vessel_place: FloatArray
    soft_place: FloatArray
    contacts: list[list[tuple[int, float, FloatArray]]]
    wall_neck_mm: FloatArray
    deepest_zyx: FloatArray

    @cached_property
    def boxes(self) -> list[SlicesZYX]:
        """The box of each piece: ``boxes[label - 1]``."""
        return [(z, y, x) for z, y, x in ndimage.find_objects(self.pieces.labels)]


def partitions(tissue: Tissue, crop: SideCrop, settings: LocateSettings) -> Iterator[Partition]:
    """The tissue cut in several ways; each finds nodes that the others lose.

    ``islands`` leaves dense vessels out; ``all`` keeps them, for a node may enhance like one; ``dense`` ways look at what is
    denser than a share of the step from fat to muscle, where strands and partial volume no longer connect neighbors, and
    give the rim back afterwards; ``walls`` also cuts muscle, for a node may be fused with it.
    """
    everything = tissue.islands | (tissue.vessels & ~tissue.muscle)
    yield _partition("islands", tissue.islands, tissue.islands, tissue, crop, settings)
    yield _partition("all", everything, everything, tissue, crop, settings)
    for share in settings.dense_shares:
        level = crop.fat_hu + share * (crop.muscle_hu - crop.fat_hu)
        core = with_hila(everything & (crop.hu > level), crop, settings) & everything
        yield _partition(f"dense {share:g}", core, everything, tissue, crop, settings)
    muscle = everything | (tissue.muscle & tissue.near & ~crop.walls)
    yield _partition("walls", muscle, muscle, tissue, crop, settings)


def _partition(
    source: str, core: BoolArray, whole: BoolArray, tissue: Tissue, crop: SideCrop, settings: LocateSettings
) -> Partition:
    pieces = cut_at_necks(core, crop.spacing, settings.segment)
    if core is not whole:
        pieces = _with_rim(pieces, whole, crop, settings)
    n = len(pieces.peaks)
    inside = np.nonzero(pieces.labels)
    owner = pieces.labels[inside]
    soft = tissue.soft[inside]
    bins = np.clip(np.digitize(crop.hu[inside][soft], HU_EDGES) - 1, 0, len(HU_EDGES) - 2)
    histograms = np.bincount(owner[soft] * (len(HU_EDGES) - 1) + bins, minlength=n * (len(HU_EDGES) - 1))
    points = np.stack(inside, axis=1) * np.asarray(crop.spacing)
    z, y, x = points.T
    columns = (np.ones(len(owner)), soft, tissue.pad[inside], z, y, x, z * z, y * y, x * x, z * y, z * x, y * x)
    sums = np.stack([np.bincount(owner, weights=column, minlength=n).astype(np.float64) for column in columns], axis=1)
    surface, places, contacts = _faces(pieces, whole, tissue, crop)
    return Partition(
        source=source, spacing=crop.spacing, pieces=pieces, sums=sums,
        histograms=np.asarray(histograms.reshape(n, -1), dtype=np.float64), surface_mm2=surface,
        vessel_place=places["vessel"], soft_place=places["soft"], contacts=contacts,
        wall_neck_mm=_wall_necks(pieces.labels, n, tissue), deepest_zyx=_deepest(pieces, inside, owner),
    )  # fmt: skip


def _with_rim(pieces: Pieces, whole: BoolArray, crop: SideCrop, settings: LocateSettings) -> Pieces:
    """Pieces of dense cores with the rim that partial volume took from them."""
    labels = morphology.grown_labels(pieces.labels, settings.dense_rim_mm, crop.spacing, whole)
    return Pieces(labels, pieces.depth, pieces.peaks, pieces.saddles)


def _faces(
    pieces: Pieces, whole: BoolArray, tissue: Tissue, crop: SideCrop
) -> tuple[FloatArray, dict[str, FloatArray], list[list[tuple[int, float, FloatArray]]]]:
    """Areas of the voxel faces between pieces and what is around them, with their places."""
    labels, n = pieces.labels, len(pieces.peaks)
    around = np.zeros(labels.shape, dtype=np.int8)
    around[whole | tissue.soft] = SURFACES.index("soft")
    around[tissue.vessels] = SURFACES.index("vessel")
    around[tissue.muscle | crop.walls] = SURFACES.index("wall")
    surface: FloatArray = np.zeros((n, len(SURFACES)))
    places: dict[str, FloatArray] = {"vessel": np.zeros((n, 3)), "soft": np.zeros((n, 3))}
    keys, rows = [], []
    for axis in range(3):
        area = float(np.prod(crop.spacing)) / crop.spacing[axis]
        low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        index = np.nonzero(labels[low] != labels[high])
        place = np.stack(index, axis=1) * np.asarray(crop.spacing)
        place[:, axis] += crop.spacing[axis] / 2
        first, second = labels[low][index], labels[high][index]
        for own, other, beyond in ((first, second, around[high][index]), (second, first, around[low][index])):
            outer = (own > 0) & (other == 0)
            surface += area * np.bincount(
                own[outer] * len(SURFACES) + beyond[outer], minlength=n * len(SURFACES)
            ).reshape(n, len(SURFACES))  # fmt: skip
            for name, sums in places.items():
                facing = outer & (beyond == SURFACES.index(name))
                for k in range(3):
                    sums[:, k] += area * np.bincount(own[facing], weights=place[facing, k], minlength=n)
        both = (first > 0) & (second > 0)
        low_label, high_label = np.minimum(first[both], second[both]), np.maximum(first[both], second[both])
        keys.append(low_label.astype(np.int64) * n + high_label)
        rows.append(area * np.column_stack([np.ones(int(both.sum())), place[both]]))
    return surface, places, _contacts(np.concatenate(keys), np.concatenate(rows), pieces)


def _contacts(keys: npt.NDArray[np.int64], rows: FloatArray, pieces: Pieces) -> list[list[tuple[int, float, FloatArray]]]:
    n = len(pieces.peaks)
    pairs, place = np.unique(keys, return_inverse=True)
    sums = np.stack([np.bincount(place, weights=rows[:, k], minlength=len(pairs)) for k in range(4)], axis=1)
    contacts: list[list[tuple[int, float, FloatArray]]] = [[] for _ in range(n)]
    for pair, row in zip(pairs.tolist(), sums, strict=True):
        a, b = divmod(pair, n)
        depth = pieces.saddles.get((a, b), 0.0)
        contacts[a].append((b, depth, row))
        contacts[b].append((a, depth, row))
    return contacts


def _wall_necks(labels: LabelArray, n: int, tissue: Tissue) -> FloatArray:
    """Depth of the soft tissue where a piece meets a wall, mm; 0 where they do not meet."""
    necks: FloatArray = np.zeros(n)
    for axis in range(3):
        for first in (slice(None, -1), slice(1, None)):
            second = slice(1, None) if first.start is None else slice(None, -1)
            here = tuple(first if a == axis else slice(None) for a in range(3))
            there = tuple(second if a == axis else slice(None) for a in range(3))
            meeting = (labels[here] > 0) & tissue.muscle[there] & (labels[there] == 0)
            np.maximum.at(necks, labels[here][meeting], tissue.wall_depth[here][meeting])
    return necks


def _deepest(pieces: Pieces, inside: tuple[npt.NDArray[np.intp], ...], owner: npt.NDArray[np.int32]) -> FloatArray:
    depth: DistanceMap = pieces.depth[inside]
    is_top = depth >= 0.999 * pieces.peaks[owner]
    tops, points = owner[is_top], np.stack(inside, axis=1)[is_top]
    order = np.argsort(tops, kind="stable")
    tops, points = tops[order], points[order]
    start = np.searchsorted(tops, np.arange(len(pieces.peaks)))
    count = np.bincount(tops, minlength=len(pieces.peaks))
    middle = np.minimum(start + count // 2, len(points) - 1)
    return points[middle].astype(np.float64) if len(points) else np.zeros((len(pieces.peaks), 3))
