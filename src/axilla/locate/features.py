"""What is measured on each lump to tell a node from a vessel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import ConvexHull

from axilla.locate.crop import SideCrop
from axilla.locate.tissue import Tissue
from axilla.segment import Pieces
from axilla.volume import BoolArray, SlicesZYX, TripleFloat, TripleInt

_HALF_NEIGHBORS = np.array([s for s in np.ndindex(3, 3, 3) if s > (1, 1, 1)]) - 1
_CORNERS = np.array(list(np.ndindex(2, 2, 2))) - 0.5


@dataclass(frozen=True)
class Lump:
    """One lump, or several joined, with its measurements.

    Parameters
    ----------
    labels : tuple of int
        The pieces it is made of.
    offset_zyx, mask
        Its place on the working grid.
    radius_mm : float
        Largest inscribed ball.
    volume_mm3 : float
    lengths_mm : tuple of float
        Extents along its principal axes, longest first.
    fat_contact, muscle_contact : float
        Shares of its surface that face fat and walls; the rest faces other lumps.
    neck : float
        Widest passage to another lump, as a share of `radius_mm`, both less the half voxel to the surface.
    peak_hu : float
        90th percentile of its soft voxels: what partial volume leaves of its own density.
    pad_share : float
        Share of its volume in the fat pad.
    wall_neck : float
        Widest passage into a wall, as a share of `radius_mm`: about 1 for the tip of a muscle.
    solidity : float
        Volume as a share of the convex hull's.
    spacing : tuple of float
        Working spacing (z, y, x), mm.
    """

    labels: tuple[int, ...]
    offset_zyx: TripleInt
    mask: BoolArray
    radius_mm: float
    volume_mm3: float
    lengths_mm: TripleFloat
    fat_contact: float
    muscle_contact: float
    neck: float
    peak_hu: float
    pad_share: float
    wall_neck: float
    solidity: float
    spacing: TripleFloat

    @property
    def elongation(self) -> float:
        """Longest over middle extent."""
        return self.lengths_mm[0] / self.lengths_mm[1]

    @property
    def bend(self) -> float:
        """Least extent over thickness: 1 for a flat plate or straight tube, more for a bowl or hook."""
        return self.lengths_mm[2] / (2 * self.radius_mm)

    @cached_property
    def sheetness(self) -> float:
        """Volume over that of a tube of its thickness and inner length: 1 for any bent vessel, more for a sheet."""
        length = geodesic_length(self.mask, self.spacing)
        return self.volume_mm3 / (np.pi * self.radius_mm**2 * length)

    @property
    def ballness(self) -> float:
        """Share of the volume that its largest inscribed ball takes."""
        return min(1.0, 4 / 3 * np.pi * self.radius_mm**3 / self.volume_mm3)


def measure_all(pieces: Pieces, tissue: Tissue, crop: SideCrop, min_radius_mm: float) -> dict[int, Lump]:
    """Every piece of at least `min_radius_mm`, by label."""
    boxes = ndimage.find_objects(pieces.labels)
    lumps = {}
    for label, found in enumerate(boxes, start=1):
        if found is not None and pieces.peaks[label] >= min_radius_mm:
            box = (found[0], found[1], found[2])
            lumps[label] = measure((label,), box, pieces, tissue, crop)
    return lumps


def measure(labels: tuple[int, ...], box: SlicesZYX, pieces: Pieces, tissue: Tissue, crop: SideCrop) -> Lump:
    """Measurements of one piece, or of several taken as one."""
    wide = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in box)
    z, y, x = wide
    wide = (z, y, x)
    around = pieces.labels[wide]
    mask = np.isin(around, labels)
    radius = float(max(pieces.peaks[label] for label in labels))
    fat, muscle = _contacts(mask, around, tissue, wide)
    half = min(crop.spacing[1:]) / 2
    inside = crop.hu[wide][mask & tissue.soft[wide]]
    outer = [
        height for pair, height in pieces.saddles.items() if (pair[0] in labels) != (pair[1] in labels)
    ]  # fmt: skip
    return Lump(
        labels=labels, offset_zyx=(z.start, y.start, x.start), mask=mask, radius_mm=radius,
        volume_mm3=float(np.count_nonzero(mask) * crop.voxel_mm3), lengths_mm=principal_lengths(mask, crop.spacing),
        fat_contact=fat, muscle_contact=muscle, neck=max(0.0, max(outer, default=0.0) - half) / max(radius - half, half),
        peak_hu=float(np.percentile(inside, 90)) if inside.size else crop.fat_hu,
        pad_share=float(np.count_nonzero(mask & tissue.pad[wide]) / np.count_nonzero(mask)),
        wall_neck=_wall_neck(mask, tissue, wide) / radius, solidity=_solidity(mask, crop.spacing), spacing=crop.spacing,
    )  # fmt: skip


def principal_lengths(mask: BoolArray, spacing: TripleFloat) -> TripleFloat:
    """Extents of a mask along its principal axes, one voxel included, longest first, mm."""
    points = np.argwhere(mask) * np.asarray(spacing)
    points = points - points.mean(axis=0)
    _, axes = np.linalg.eigh(points.T @ points)
    along = points @ axes
    voxel = np.abs(axes.T) @ np.asarray(spacing)
    lengths = sorted((np.ptp(along, axis=0) + voxel).tolist(), reverse=True)
    return (lengths[0], lengths[1], lengths[2])


def geodesic_length(mask: BoolArray, spacing: TripleFloat) -> float:
    """Length of a mask along its own inside, end to end with half a voxel at both ends, mm.

    The longest shortest path found by two sweeps through its largest connected part (26 neighbors): exact for trees,
    a close lower bound for lumps.
    """
    index = np.full(np.add(mask.shape, 2), -1)
    inner = index[1:-1, 1:-1, 1:-1]
    inner[mask] = np.arange(np.count_nonzero(mask))
    points = np.argwhere(mask) + 1
    starts, ends, lengths = [], [], []
    for step in _HALF_NEIGHBORS:
        other = index[tuple((points + step).T)]
        linked = other >= 0
        starts.append(np.flatnonzero(linked))
        ends.append(other[linked])
        lengths.append(np.full(int(linked.sum()), np.linalg.norm(step * np.asarray(spacing))))
    n = len(points)
    values = (np.concatenate(lengths), (np.concatenate(starts), np.concatenate(ends)))
    graph = coo_array(values, shape=(n, n)).tocsr()
    source, reach = 0, 0.0
    for _ in range(2):
        distance = dijkstra(graph, directed=False, indices=np.array([source]))[0]
        distance[~np.isfinite(distance)] = -1
        source, reach = int(distance.argmax()), float(distance.max())
    return reach + min(spacing)


def _wall_neck(mask: BoolArray, tissue: Tissue, box: SlicesZYX) -> float:
    """Depth of the soft tissue where a mask meets a wall, mm; 0 where they do not meet."""
    wall = tissue.muscle[box]
    if not wall.any():
        return 0.0
    meeting = mask & ndimage.binary_dilation(wall)
    return float(tissue.wall_depth[box][meeting].max(initial=0.0))


def _solidity(mask: BoolArray, spacing: TripleFloat) -> float:
    """Volume over the convex hull's volume, both of whole voxels."""
    surface = mask & ~ndimage.binary_erosion(mask)
    points = np.argwhere(surface).astype(np.float64)
    corners = (points[:, None] + _CORNERS).reshape(-1, 3) * spacing
    hull = ConvexHull(corners)
    return float(np.count_nonzero(mask) * np.prod(spacing) / hull.volume)


def _contacts(mask: BoolArray, around: npt.NDArray[np.int32], tissue: Tissue, box: SlicesZYX) -> tuple[float, float]:
    """Shares of the voxel faces of a mask's surface that face fat and walls."""
    other = ((around > 0) | tissue.vessels[box]) & ~mask
    wall = tissue.muscle[box]
    faces = fat = walls = 0
    for axis in range(3):
        for first in (slice(None, -1), slice(1, None)):
            second = slice(1, None) if first.start is None else slice(None, -1)
            here = tuple(first if a == axis else slice(None) for a in range(3))
            there = tuple(second if a == axis else slice(None) for a in range(3))
            surface = mask[here] & ~mask[there]
            faces += int(np.count_nonzero(surface))
            walls += int(np.count_nonzero(surface & wall[there]))
            fat += int(np.count_nonzero(surface & ~wall[there] & ~other[there]))
    return (fat / faces, walls / faces) if faces else (0.0, 0.0)
