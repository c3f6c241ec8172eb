"""Segments as readers make them: each cropped to its own box at once, so that many of them cost only their own size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from axilla.node import Segment, Segmentation
from axilla.volume import BoolArray, Geometry, TripleInt, bounding_box

NO_LABEL = 1
"""Label of a segment made before it is known which labels are taken."""


def empty(label: int, name: str) -> Segment:
    """A segment without a voxel: a file may name one, and it is refused later, by name."""
    return Segment(label, (0, 0, 0), np.zeros((0, 0, 0), dtype=bool), name)


def cropped(label: int, name: str, mask: BoolArray, offset_zyx: TripleInt = (0, 0, 0)) -> Segment:
    """A segment of a mask ``(z, y, x)`` whose first voxel lies at `offset_zyx` of the grid."""
    if not mask.any():
        return empty(label, name)
    box = bounding_box(mask)
    z, y, x = (offset + part.start for offset, part in zip(offset_zyx, box, strict=True))
    return Segment(label, (z, y, x), mask[box].copy(), name)


def from_indices(label: int, name: str, index_zyx: npt.NDArray[np.int64]) -> Segment:
    """A segment of voxel indices ``(n, 3)``."""
    if not len(index_zyx):
        return empty(label, name)
    first, last = index_zyx.min(axis=0), index_zyx.max(axis=0)
    mask = np.zeros(last - first + 1, dtype=bool)
    mask[tuple((index_zyx - first).T)] = True
    return Segment(label, (int(first[0]), int(first[1]), int(first[2])), mask, name)


def numbered(geometry: Geometry, found: Iterable[tuple[int, Segment]]) -> Segmentation:
    """Segments with the file's own numbers where these are distinct and within 1..65535; else numbered in order."""
    pairs = list(found)
    own = [number for number, _ in pairs]
    is_usable = len(set(own)) == len(own) and all(1 <= number <= np.iinfo(np.uint16).max for number in own)
    labels = own if is_usable else range(1, len(own) + 1)
    return Segmentation(geometry, tuple(replace(segment, label=label) for label, (_, segment) in zip(labels, pairs, strict=True)))
