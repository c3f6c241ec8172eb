"""Node measurements of any segmentation on a CT: found here, corrected by a reader, or brought along."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.spatial import cKDTree

from axilla.anatomy import Anatomy, AnatomySettings, find_anatomy
from axilla.anatomy.morphology import distance_to
from axilla.errors import InvalidValueError
from axilla.locate.axes import axial_axes, principal_lengths
from axilla.locate.place import Surroundings
from axilla.node import Node, Segment, Segmentation
from axilla.volume import Geometry, Volume, to_canonical

_ANATOMY = AnatomySettings()


def describe(
    volume: Volume,
    segmentation: Segmentation,
    sides: Mapping[int, str] | None = None,
    scores: Mapping[int, float] | None = None,
    anatomy: Anatomy | None = None,
    measurements: Mapping[int, Mapping[str, float | str]] | None = None,
) -> tuple[Node, ...]:
    """Measure every segment that has a voxel.

    Parameters
    ----------
    volume : Volume
    segmentation : Segmentation
        On the CT's grid. Segments without voxels are left out.
    sides : mapping of int to str, optional
        Side by label; the others are told by the patient's midline.
    scores : mapping of int to float, optional
        ``detection_score`` by label; 1 for the others: a segment someone drew is a node by assumption.
    anatomy : Anatomy, optional
        Found from the CT when needed and not given.
    measurements : mapping, optional
        Further columns by label.

    Returns
    -------
    tuple of Node
        In the order of labels; ``node_id`` is the segment's name, or its label.

    Raises
    ------
    InvalidValueError
        If the segmentation lies on another grid than the CT.
    """
    if not segmentation.geometry.is_same_grid(volume.geometry):
        raise InvalidValueError("The segmentation does not lie on the CT's grid; resample it first.")
    segments = [segment for segment in segmentation.segments if segment.mask.any()]
    if not segments:
        return ()
    anatomy = anatomy or find_anatomy(volume, _ANATOMY)
    sides, scores, measurements = sides or {}, scores or {}, measurements or {}
    gaps = _gaps_mm(segments, volume.geometry)
    names = _unique_names(segments)
    around = Surroundings(anatomy)
    nodes = []
    for segment, name, gap in zip(segments, names, gaps, strict=True):
        node = _Measured(volume, segment, anatomy)
        side = sides.get(segment.label) or node.side()
        level = around.level(node.center, side)
        extra = node.columns() | {
            "level_confidence": level.confidence,
            "level_source": level.source,
            "skin_mm": around.skin_mm(node.center),
            "axillary_vessel_mm": around.vessel_mm(volume.geometry.to_mm(segment.indices_zyx()), side),
            "axillary_vessels": around.vessel_names(side),
            "nearest_node_mm": gap,
        }
        extra |= dict(measurements.get(segment.label, {}))
        nodes.append(node.as_node(name, side, level.name, float(scores.get(segment.label, 1.0)), extra))
    return tuple(nodes)


class _Measured:
    """One segment's measurements."""

    def __init__(self, volume: Volume, segment: Segment, anatomy: Anatomy) -> None:
        self.volume, self.segment, self.anatomy = volume, segment, anatomy
        geometry = volume.geometry
        self.values_hu = volume.array[segment.slices_zyx][segment.mask].astype(np.float64)
        self.center = geometry.to_mm(segment.indices_zyx().mean(axis=0))
        self.grid = geometry.crop(segment.slices_zyx)
        self.mask = to_canonical(segment.mask, self.grid)
        self.spacing = self.grid.canonical().spacing_zyx_mm
        self.axes = axial_axes(self.mask, self.spacing[1:])

    def side(self) -> str:
        """The side by the patient's midline, or by the body's middle where no chest was found."""
        coarse = self.anatomy.grid
        column = coarse.geometry.to_index(self.center)[2] * coarse.spacing_zyx_mm[2]
        midline = self.anatomy.midline_mm
        if not np.isfinite(midline):
            body = np.flatnonzero(self.anatomy.masks["body"].any(axis=(0, 1)))
            middle = body.mean() if body.size else (coarse.shape_zyx[2] - 1) / 2
            midline = float(middle * coarse.spacing_zyx_mm[2])
        return "L" if column > midline else "R"

    def columns(self) -> dict[str, float | str]:
        """Further measurements by column name."""
        lengths = principal_lengths(self.mask, self.spacing)
        threshold = (self.anatomy.fat_hu + self.anatomy.muscle_hu) / 2
        return {
            "sd_hu": float(self.values_hu.std()),
            "hilum_share": float(np.mean(self.values_hu < threshold)),
            "cortex_mm": self._cortex_mm(threshold),
            "length_1_mm": lengths[0],
            "length_2_mm": lengths[1],
            "length_3_mm": lengths[2],
            "axis_slice_index": float(self._slice_index(self.axes.slice_index)),
        }

    def as_node(self, name: str, side: str, level: str, detection_score: float, extra: Mapping[str, float | str]) -> Node:
        """The noun."""
        index = self._slice_index(self.axes.largest_slice_index)
        reference = self.volume.slices[index] if self.volume.slices else None
        x, y, z = (float(v) for v in self.center)
        return Node(
            node_id=name, label=self.segment.label, side=side, level=level, center_xyz_mm=(x, y, z),
            short_axis_mm=self.axes.short_mm, long_axis_mm=self.axes.long_mm,
            volume_mm3=self.segment.n_voxels * self.volume.geometry.voxel_volume_mm3, mean_hu=float(self.values_hu.mean()),
            detection_score=detection_score, slice_index=index,
            instance_number=reference.instance_number if reference else None,
            sop_instance_uid=reference.sop_instance_uid if reference else "", measurements=extra,
        )  # fmt: skip

    def _slice_index(self, row: int) -> int:
        """Array index along the CT's own first axis of a canonical row, where the CT is axial; else of the center."""
        axes, flips = self.grid.canonical_permutation()
        if axes[0] != 0:
            return round(float(self.segment.indices_zyx()[:, 0].mean()))
        own = self.mask.shape[0] - 1 - row if flips[0] else row
        return self.segment.offset_zyx[0] + own

    def _cortex_mm(self, threshold_hu: float) -> float:
        """Thickest place of the soft part: diameter of the largest ball in it, mm; 0 for a node all of fat."""
        cortex = self.mask & (to_canonical(self.volume.array[self.segment.slices_zyx], self.grid) >= threshold_hu)
        if not cortex.any():
            return 0.0
        outside = ~np.pad(cortex, 1)
        return max(2 * float(distance_to(outside, self.spacing).max()) - min(self.spacing), min(self.spacing))


def _unique_names(segments: list[Segment]) -> list[str]:
    """Node names: the segment's own, or its label; a repeated name gets its label appended."""
    names = [segment.name or str(segment.label) for segment in segments]
    return [name if names.count(name) == 1 else f"{name}_{segment.label}" for name, segment in zip(names, segments, strict=True)]


def _gaps_mm(segments: list[Segment], geometry: Geometry) -> list[float]:
    """Distance from each segment to the nearest voxel center of another, mm; NaN for a single one."""
    if len(segments) == 1:
        return [float("nan")]
    points = [geometry.to_mm(segment.indices_zyx()) for segment in segments]
    centers = np.array([p.mean(axis=0) for p in points])
    reach = np.array([np.sqrt(((p - c) ** 2).sum(axis=1).max()) for p, c in zip(points, centers, strict=True)])
    trees = [cKDTree(p) for p in points]
    gaps = []
    for i, own in enumerate(points):
        best = np.inf
        lower = np.sqrt(((centers - centers[i]) ** 2).sum(axis=1)) - reach - reach[i]
        for j in np.argsort(lower):
            if j != i and lower[j] < best:
                best = min(best, float(trees[j].query(own, distance_upper_bound=best)[0].min()))
        gaps.append(best)
    return gaps
