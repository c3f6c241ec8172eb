"""A lymph node, a candidate for one, and a set of segmented ones on a CT's grid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from axilla.errors import InvalidValueError
from axilla.volume import BoolArray, Geometry, Labels, SlicesZYX, TripleFloat, TripleInt, bounding_box

SIDES = ("R", "L")
"""Patient sides, in the order nodes are numbered: right before left, as a radiologist reads the image."""

LEVELS = ("", "I", "II", "III")
"""Axillary levels relative to pectoralis minor; empty where not determined."""


@dataclass(frozen=True)
class Segment:
    """One object's mask, stored as a crop of the CT's grid, so that segments may overlap and cost only their own size.

    Parameters
    ----------
    label : int
        1..65535, unique within a segmentation.
    offset_zyx : tuple of int
        Array index of the crop's first voxel in the whole grid.
    mask : ndarray of bool, shape (z, y, x)
        The crop. May be empty of True voxels only if `offset_zyx` and shape still lie in the grid
        (a mask file may name a segment that has no voxel; it is then refused later, by name).
    name : str
        The segment's or node's name (node_id), e.g. ``"L03"`` or a Slicer segment name.
    """

    label: int
    offset_zyx: TripleInt
    mask: BoolArray
    name: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.label <= np.iinfo(np.uint16).max:
            raise InvalidValueError(f"A segment's label must lie in 1..65535, not {self.label}.")
        mask = np.asarray(self.mask, dtype=bool)
        if mask.ndim != 3 or min(self.offset_zyx) < 0:
            raise InvalidValueError(
                f"Segment {self.label}: expected a 3D crop inside the grid, got {mask.shape} at {self.offset_zyx}."
            )
        view = mask.view()
        view.flags.writeable = False
        object.__setattr__(self, "mask", view)
        object.__setattr__(self, "offset_zyx", tuple(int(i) for i in self.offset_zyx))

    @property
    def slices_zyx(self) -> SlicesZYX:
        """The crop's place in the whole grid."""
        z, y, x = (slice(start, start + size) for start, size in zip(self.offset_zyx, self.mask.shape, strict=True))
        return (z, y, x)

    @property
    def n_voxels(self) -> int:
        """Number of voxels inside."""
        return int(np.count_nonzero(self.mask))

    def indices_zyx(self) -> npt.NDArray[np.int64]:
        """Array indices ``(n, 3)`` of the voxels inside, in the whole grid."""
        return np.asarray(np.argwhere(self.mask) + np.asarray(self.offset_zyx), dtype=np.int64)


@dataclass(frozen=True)
class Segmentation:
    """Segments on one grid, in the order of their labels; they may overlap."""

    geometry: Geometry
    segments: tuple[Segment, ...] = ()

    def __post_init__(self) -> None:
        labels = [segment.label for segment in self.segments]
        if len(set(labels)) != len(labels):
            raise InvalidValueError(f"Segment labels must be unique, got {labels}.")
        for segment in self.segments:
            if any(s.stop > size for s, size in zip(segment.slices_zyx, self.geometry.shape_zyx, strict=True)):
                raise InvalidValueError(
                    f"Segment {segment.label} reaches outside the grid {self.geometry.shape_zyx}: {segment.slices_zyx}."
                )
        object.__setattr__(self, "segments", tuple(sorted(self.segments, key=lambda s: s.label)))

    @classmethod
    def from_labels(cls, labels: Labels) -> Segmentation:
        """One segment per label present; each is cropped to its own box."""
        from scipy.ndimage import find_objects  # slow to import, and only label maps need it

        segments = []
        for label, box in enumerate(find_objects(labels.array), start=1):
            if box is not None:
                offset = (box[0].start, box[1].start, box[2].start)
                segments.append(Segment(label, offset, labels.array[box] == label, labels.names.get(label, "")))
        return cls(labels.geometry, tuple(segments))

    @classmethod
    def from_masks(cls, geometry: Geometry, masks: Iterable[tuple[str, BoolArray]]) -> Segmentation:
        """Segments 1, 2, ... from named whole-grid masks, cropped to their boxes (an empty mask keeps an empty segment)."""
        segments = []
        for label, (name, mask) in enumerate(masks, start=1):
            if mask.shape != geometry.shape_zyx:
                raise InvalidValueError(f"Mask '{name}' of shape {mask.shape} does not fit the grid {geometry.shape_zyx}.")
            box = bounding_box(mask) if mask.any() else (slice(0, 0), slice(0, 0), slice(0, 0))
            segments.append(Segment(label, (box[0].start, box[1].start, box[2].start), mask[box].copy(), name))
        return cls(geometry, tuple(segments))

    def to_labels(self) -> Labels:
        """The label map.

        Raises
        ------
        InvalidValueError
            If two segments share a voxel: a label map cannot hold both.
        """
        array = np.zeros(self.geometry.shape_zyx, dtype=np.uint16)
        for segment in self.segments:
            view = array[segment.slices_zyx]
            if view[segment.mask].any():
                other = int(view[segment.mask].max())
                raise InvalidValueError(f"Segments {other} and {segment.label} overlap; a label map cannot hold both.")
            view[segment.mask] = segment.label
        return Labels(array, self.geometry, {s.label: s.name for s in self.segments if s.name})


@dataclass(frozen=True)
class Candidate:
    """Something that may be a node.

    Parameters
    ----------
    side : str
        ``"R"`` or ``"L"``.
    offset_zyx, mask
        As in :class:`Segment`.
    score : float
        ``detection_score``, 0-1: is it a node.
    parts : mapping of str to float
        What the score is made of, so that a person can see why a candidate was kept.
    measurements : mapping of str to float
        Further values of the candidate, by column name.
    """

    side: str
    offset_zyx: TripleInt
    mask: BoolArray
    score: float
    parts: Mapping[str, float] = field(default_factory=dict)
    measurements: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_side(self.side)
        _check_score(self.score)
        object.__setattr__(self, "parts", MappingProxyType(dict(self.parts)))
        object.__setattr__(self, "measurements", MappingProxyType(dict(self.measurements)))


@dataclass(frozen=True)
class Node:
    """A lymph node of one CT: where it is, how large, and how sure we are that it is one.

    Parameters
    ----------
    node_id : str
        Unique within the CT, e.g. ``"R01"``: side, then head to foot.
    label : int
        Its value in ``nodes.nii.gz``.
    side : str
        ``"R"`` or ``"L"``.
    level : str
        ``"I"``, ``"II"``, ``"III"`` or empty when not determined.
    center_xyz_mm : tuple of float
        Center of mass, LPS mm.
    short_axis_mm, long_axis_mm : float
        As RECIST 1.1 measures them, in the axial plane.
    volume_mm3, mean_hu : float
    detection_score : float
        0-1.
    slice_index : int
        Array index along z of the slice on which the node is largest.
    instance_number, sop_instance_uid
        The DICOM instance of that slice; ``None`` and empty when the CT was not DICOM.
    measurements : mapping of str to float
        Further named columns.
    """

    node_id: str
    label: int
    side: str
    level: str
    center_xyz_mm: TripleFloat
    short_axis_mm: float
    long_axis_mm: float
    volume_mm3: float
    mean_hu: float
    detection_score: float
    slice_index: int
    instance_number: int | None = None
    sop_instance_uid: str = ""
    measurements: Mapping[str, float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_side(self.side)
        _check_score(self.detection_score)
        if self.level not in LEVELS:
            raise InvalidValueError(f"A level is one of {LEVELS}, not {self.level!r}.")
        if not 0 < self.short_axis_mm <= self.long_axis_mm + 1e-9:
            raise InvalidValueError(
                f"Node {self.node_id}: expected 0 < short axis <= long axis, got {self.short_axis_mm} and {self.long_axis_mm} mm."
            )
        if not self.volume_mm3 > 0:
            raise InvalidValueError(f"Node {self.node_id}: expected a positive volume, got {self.volume_mm3} mm3.")
        if not np.isfinite([*self.center_xyz_mm, self.mean_hu]).all():
            raise InvalidValueError(
                f"Node {self.node_id}: expected a finite center and mean HU, got {self.center_xyz_mm} and {self.mean_hu}."
            )
        object.__setattr__(self, "measurements", MappingProxyType(dict(self.measurements)))


def _check_side(side: str) -> None:
    if side not in SIDES:
        raise InvalidValueError(f"A side is one of {SIDES}, not {side!r}.")


def _check_score(score: float) -> None:
    if not 0 <= score <= 1:
        raise InvalidValueError(f"A detection score lies in 0..1, not {score}.")
