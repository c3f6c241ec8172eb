"""Islands split into lumps at their necks, and the lumps' neighborhood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import watershed

from axilla.anatomy import morphology
from axilla.anatomy.morphology import DistanceMap
from axilla.locate.settings import LocateSettings
from axilla.volume import BoolArray, TripleFloat

LabelArray = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Pieces:
    """Lumps of soft tissue on a working grid.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        1..n.
    depth : ndarray of float32
        Distance to the islands' outside, mm.
    peaks : ndarray of float64, shape (n + 1,)
        Largest depth of each piece: its inscribed radius.
    saddles : mapping of pair to float
        Depth of the deepest passage between two touching pieces (smaller label first), mm.
    """

    labels: LabelArray
    depth: DistanceMap
    peaks: npt.NDArray[np.float64]
    saddles: dict[tuple[int, int], float]


def split(islands: BoolArray, spacing: TripleFloat, settings: LocateSettings) -> Pieces:
    """Watershed of the depth map, over-split lumps joined again where their passage is nearly as wide as they are."""
    depth = morphology.distance_to(~islands, spacing)
    raw = _lumps(depth, islands, spacing, settings)
    peaks = _peaks(raw, depth)
    saddles = passages(raw, depth)
    volumes = np.bincount(raw.ravel(), minlength=len(peaks)) * float(np.prod(spacing))
    mapping = _join(peaks, volumes, saddles, settings)
    labels = mapping[raw].astype(np.int32)
    return Pieces(labels, depth, _peaks(labels, depth), passages(labels, depth))


def passages(labels: LabelArray, depth: DistanceMap) -> dict[tuple[int, int], float]:
    """Deepest passage between each pair of touching pieces."""
    found: dict[tuple[int, int], float] = {}
    n = int(labels.max(initial=0)) + 1
    for axis in range(3):
        low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        touching = (labels[low] != labels[high]) & (labels[low] > 0) & (labels[high] > 0)
        first, second = labels[low][touching].astype(np.int64), labels[high][touching].astype(np.int64)
        height = np.minimum(depth[low][touching], depth[high][touching])
        keys, place = np.unique(np.minimum(first, second) * n + np.maximum(first, second), return_inverse=True)
        best = np.zeros(len(keys))
        np.maximum.at(best, place, height)
        for key, value in zip(keys.tolist(), best.tolist(), strict=True):
            pair = (key // n, key % n)
            found[pair] = max(found.get(pair, 0.0), value)
    return found


def _lumps(depth: DistanceMap, islands: BoolArray, spacing: TripleFloat, settings: LocateSettings) -> LabelArray:
    size = [2 * max(1, round(settings.min_peak_mm / s)) + 1 for s in spacing]
    is_peak = (depth >= settings.min_peak_mm) & (depth == ndimage.maximum_filter(depth, size=size))
    markers, _ = morphology.components(is_peak, fully_connected=True)
    return np.asarray(watershed(-depth, markers, mask=islands), dtype=np.int32)


def _peaks(labels: LabelArray, depth: DistanceMap) -> npt.NDArray[np.float64]:
    peaks = np.zeros(int(labels.max(initial=0)) + 1)
    inside = labels > 0
    np.maximum.at(peaks, labels[inside], depth[inside])
    return peaks


def _join(
    peaks: npt.NDArray[np.float64],
    volumes: npt.NDArray[np.float64],
    saddles: dict[tuple[int, int], float],
    settings: LocateSettings,
) -> npt.NDArray[np.int64]:
    """New labels 1..m after joining pieces, widest passages first.

    A thin tube that ends in a thick lump stays apart, unless it is so short that it is a bump of the lump.
    """
    parent = np.arange(len(peaks))
    top, size = peaks.copy(), volumes.copy()

    def root(label: int) -> int:
        while parent[label] != label:
            parent[label] = parent[parent[label]]
            label = int(parent[label])
        return label

    for (a, b), saddle in sorted(saddles.items(), key=lambda item: (-item[1], item[0])):
        thin, thick = sorted((root(a), root(b)), key=lambda label: (top[label], label))
        if thin == thick or saddle < settings.merge_saddle * top[thin]:
            continue
        is_bump = size[thin] < settings.bump_volume * 4 / 3 * np.pi * top[thin] ** 3
        if top[thick] <= settings.tube_ratio * top[thin] or is_bump:
            parent[thin] = thick
            size[thick] += size[thin]
    roots = np.array([root(label) for label in range(len(peaks))])
    _, compact = np.unique(roots, return_inverse=True)
    return np.asarray(compact, dtype=np.int64)
