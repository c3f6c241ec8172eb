"""The locate stage: from a CT to its axillary nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from axilla.anatomy import Anatomy, find_anatomy
from axilla.locate.candidates import find_candidates
from axilla.locate.crop import to_own_grid
from axilla.locate.describe import describe
from axilla.locate.settings import LocateSettings
from axilla.node import SIDES, Candidate, Node, Segment, Segmentation
from axilla.volume import FloatArray, TripleInt, Volume

_DEFAULTS = LocateSettings()


@dataclass(frozen=True)
class Location:
    """The nodes of one CT.

    Parameters
    ----------
    segmentation : Segmentation
        One segment per node on the CT's own grid, named by ``node_id``.
    nodes : tuple of Node
        In the order of labels: right before left, head before foot.
    anatomy : Anatomy
        What they were found in.
    coverage : mapping of str to str
        Per side ``"whole"``, ``"partial"`` or ``"absent"``.
    warnings : tuple of str
        Sentences a reader of these nodes must see.
    """

    segmentation: Segmentation
    nodes: tuple[Node, ...]
    anatomy: Anatomy
    coverage: Mapping[str, str]
    warnings: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "coverage", MappingProxyType(dict(self.coverage)))


def locate(volume: Volume, settings: LocateSettings = _DEFAULTS) -> Location:
    """Find, separate and segment the axillary lymph nodes of a CT, without any training.

    Parameters
    ----------
    volume : Volume
        CT in HU, any orientation.
    settings : LocateSettings

    Returns
    -------
    Location
        A side whose axilla is not in the field gives no nodes, and a warning says so.
    """
    anatomy = find_anatomy(volume, settings.anatomy)
    candidates: list[Candidate] = []
    for side in SIDES:
        if anatomy.coverage[side] != "absent":
            candidates += find_candidates(volume, anatomy, side, settings)
    kept = _numbered(candidates, volume)
    segments, sides, scores, columns = [], {}, {}, {}
    for label, (name, offset, candidate) in enumerate(kept, start=1):
        segments.append(Segment(label, offset, candidate.mask, name))
        sides[label], scores[label] = candidate.side, candidate.score
        parts = {f"score_{key}": value for key, value in candidate.parts.items()}
        columns[label] = {**dict(candidate.measurements), **parts}
    segmentation = Segmentation(volume.geometry, tuple(segments))
    nodes = describe(volume, segmentation, sides, scores, anatomy, columns)
    return Location(segmentation, nodes, anatomy, anatomy.coverage, warnings_about(volume, anatomy))


def warnings_about(volume: Volume, anatomy: Anatomy) -> tuple[str, ...]:
    """What a reader must know about this CT before believing what was found on it, and what was not."""
    sentences = [anatomy.reasons[side] for side in SIDES if anatomy.coverage[side] != "whole"]
    slice_mm = volume.geometry.canonical().spacing_zyx_mm[0]
    if slice_mm > 2:
        sentences.append(
            f"Slices are {slice_mm:.3g} mm apart: nodes shorter than about {2 * slice_mm:.3g} mm along the body may be missed, "
            "and neighbors may appear as one."
        )
    is_chest = any(anatomy.coverage[side] != "absent" for side in SIDES)
    if is_chest and not anatomy.is_enhanced:
        sentences.append(
            "No contrast enhancement was measured in the heart and great vessels: vessels are hard to tell from nodes."
        )
    return tuple(dict.fromkeys(sentences))


def _numbered(candidates: list[Candidate], volume: Volume) -> list[tuple[str, TripleInt, Candidate]]:
    """Names and own-grid offsets in the order of labels: side, then head to foot."""
    fine = volume.geometry.canonical()
    height = {id(c): _center_mm(c, fine.spacing_zyx_mm) for c in candidates}
    ordered = sorted(candidates, key=lambda c: (SIDES.index(c.side), *(-height[id(c)])))
    count = dict.fromkeys(SIDES, 0)
    named = []
    for candidate in ordered:
        count[candidate.side] += 1
        offset, mask = to_own_grid(candidate.mask, candidate.offset_zyx, volume.geometry)
        own = Candidate(candidate.side, offset, mask, candidate.score, candidate.parts, candidate.measurements)
        named.append((f"{candidate.side}{count[candidate.side]:02d}", offset, own))
    return named


def _center_mm(candidate: Candidate, spacing: tuple[float, float, float]) -> FloatArray:
    return np.asarray((np.argwhere(candidate.mask).mean(axis=0) + candidate.offset_zyx) * spacing)
