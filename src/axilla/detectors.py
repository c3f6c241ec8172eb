"""Detectors: whatever turns a CT into node masks, behind one protocol, so that another can be plugged in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

import numpy as np
from scipy import ndimage

from axilla._version import __version__
from axilla.anatomy import find_anatomy, morphology
from axilla.errors import InputRefusedError, UsageError
from axilla.locate import LocateSettings, Location, describe, locate, warnings_about
from axilla.node import SIDES, Node, Segment, Segmentation
from axilla.volume import Volume

ENTRY_POINT_GROUP = "axilla.detectors"
"""Packages register a detector's factory (called without arguments) under this group of entry points."""

BUILT_IN = "built-in"
"""Name of the detector that comes with axilla."""


@dataclass(frozen=True)
class Provenance:
    """Where a detector and its weights come from; shown beside every result it made."""

    name: str
    version: str
    license: str
    """Of the detector and its weights; empty where nothing says it."""
    trained_on: str = ""
    """What data its weights were fitted to; empty for a detector without training."""
    command: str = ""
    """The program as the user gave it, with its placeholders."""
    sha256: str = ""
    """Fingerprint of the weights, or of the mask's file; empty where there is neither."""


@runtime_checkable
class Detector(Protocol):
    """Something that locates nodes."""

    @property
    def provenance(self) -> Provenance:
        """What it is and where it comes from."""

    def detect(self, volume: Volume) -> Location:
        """The nodes of a CT, on its own grid."""


@dataclass(frozen=True)
class BuiltInDetector:
    """The method of :func:`axilla.locate.locate`; its model of a node was fitted to synthetic nodes."""

    settings: LocateSettings = field(default_factory=LocateSettings)

    @property
    def provenance(self) -> Provenance:
        """What it is and where it comes from."""
        return Provenance(BUILT_IN, __version__, "Apache-2.0", _fitted_on())

    def detect(self, volume: Volume) -> Location:
        """The nodes of a CT, on its own grid."""
        return locate(volume, self.settings)


def _fitted_on() -> str:
    """What the built-in model of a node says it was fitted to."""
    text = resources.files("axilla.locate").joinpath("node_model.json").read_text(encoding="utf-8")
    return "; ".join(json.loads(text)["fitted_on"])


_DEFAULTS = LocateSettings()

MOST_NODES = 1000
"""More separate objects than both axillae ever hold: the segmentation is of something else, or is speckle."""


def location_of(
    volume: Volume, segmentation: Segmentation, notes: Sequence[str] = (), settings: LocateSettings = _DEFAULTS
) -> Location:
    """What a detector elsewhere segmented, as nodes described and numbered like axilla's own.

    A single label is taken as binary and split into its connected parts (faces, edges and corners connect); several labels are
    instances, one node each. Nodes are numbered by side, then from head to foot.

    Parameters
    ----------
    volume : Volume
    segmentation : Segmentation
        On the CT's grid. Segments without voxels are left out; no voxel at all means that no node was found.
    notes : sequence of str
        Sentences to put before the warnings.
    settings : LocateSettings
        Its anatomy settings are used.

    Raises
    ------
    InputRefusedError
        If two labels overlap, or there are more objects than nodes can be.
    """
    instances = _instances(segmentation)
    anatomy = find_anatomy(volume, settings.anatomy)
    found = describe(volume, Segmentation(volume.geometry, instances), anatomy=anatomy)
    masks = {segment.label: segment for segment in instances}
    segments, nodes, count = [], [], dict.fromkeys(SIDES, 0)
    for label, node in enumerate(sorted(found, key=_numbering), start=1):
        count[node.side] += 1
        name = f"{node.side}{count[node.side]:02d}"
        segments.append(replace(masks[node.label], label=label, name=name))
        nodes.append(replace(node, label=label, node_id=name))
    warnings = (*notes, *warnings_about(volume, anatomy))
    return Location(Segmentation(volume.geometry, tuple(segments)), tuple(nodes), anatomy, anatomy.coverage, warnings)


def _numbering(node: Node) -> tuple[int, float, float, float]:
    x, y, z = node.center_xyz_mm
    return (SIDES.index(node.side), -z, y, x)


def _instances(segmentation: Segmentation) -> tuple[Segment, ...]:
    """One segment per object, labels 1, 2, ..."""
    present = [segment for segment in segmentation.segments if segment.mask.any()]
    parts = _parts(present[0]) if len(present) == 1 else present
    _check_count(len(parts))
    taken = np.zeros(segmentation.geometry.shape_zyx, dtype=bool)
    for segment in parts:
        if taken[segment.slices_zyx][segment.mask].any():
            raise InputRefusedError(f"Label {segment.label} overlaps another label; each voxel may belong to one node only.")
        taken[segment.slices_zyx] |= segment.mask
    return tuple(replace(segment, label=label, name="") for label, segment in enumerate(parts, start=1))


def _check_count(n: int) -> None:
    if n > MOST_NODES:
        raise InputRefusedError(f"The segmentation holds {n} separate objects, more than {MOST_NODES}; give one of nodes only.")


def _parts(segment: Segment) -> list[Segment]:
    """Connected parts of a mask."""
    labels, n = morphology.components(segment.mask, fully_connected=True)
    _check_count(n)
    parts = []
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        z, y, x = (offset + part.start for offset, part in zip(segment.offset_zyx, box, strict=True))
        parts.append(Segment(label, (z, y, x), labels[box] == label))
    return parts


def detector_names() -> tuple[str, ...]:
    """Names that :func:`get_detector` knows: the built-in one first, then those of installed packages."""
    return (BUILT_IN, *sorted({point.name for point in entry_points(group=ENTRY_POINT_GROUP)} - {BUILT_IN}))


def get_detector(name: str = BUILT_IN) -> Detector:
    """The detector of a name.

    Raises
    ------
    UsageError
        If no installed package offers it, or what it offers is no detector.
    """
    if name == BUILT_IN:
        return BuiltInDetector()
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name == name:
            detector = point.load()()
            if not isinstance(detector, Detector):
                raise UsageError(
                    f"'{name}' was expected to be a detector with `provenance` and `detect`; ask its package's authors."
                )
            return detector
    raise UsageError(f"There is no detector '{name}'; installed are {', '.join(detector_names())}.")
