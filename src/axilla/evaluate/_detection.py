"""How well located nodes match true ones: one-to-one matching, FROC by size, overlap and surface distance of the matched.

1. Every pair of a true and a located node that meet is measured once (:func:`compare`).
2. A pair is a hit when the masks overlap enough or the true node's center lies inside the located one.
3. At a detection threshold, true and located nodes are paired one to one: as many hits as possible, and of these pairings
   the one with the largest total overlap (Kuhn's assignment). Whatever is located and not paired is a false positive, also a
   second label on a node that is found already.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

from axilla.errors import InvalidValueError
from axilla.node import Segment, Segmentation
from axilla.volume import BoolArray, FloatArray, Geometry

PAIR_COLUMNS = ("truth_label", "found_label", "iou", "dice", "has_center", "surface_mm")
"""Columns of :attr:`DetectionCase.pairs`."""


@dataclass(frozen=True)
class DetectionSettings:
    """What counts as found, and by which sizes it is told."""

    hit_iou: float = 0.3
    """Intersection over union at which a located node is the true one: node detection's usual limit is lower than that of
    large organs, because one voxel around a node of 5 mm already halves it."""

    size_edges_mm: tuple[float, ...] = (3.0, 5.0, 10.0)
    """Short axes, mm, between the size classes. 3 mm is the least asked for; 5 mm is where CT reports begin to name nodes;
    10 mm is RECIST 1.1's limit of a normal node."""

    def __post_init__(self) -> None:
        if not 0 < self.hit_iou <= 1:
            raise InvalidValueError(f"The overlap of a hit lies in 0..1, not {self.hit_iou}.")
        edges = self.size_edges_mm
        if not edges or min(edges) <= 0 or list(edges) != sorted(set(edges)):
            raise InvalidValueError(f"Edges of size classes must be positive and ascending, not {edges}.")

    @property
    def size_classes(self) -> tuple[str, ...]:
        """Names of the size classes, small to large: ``<3``, ``3-5``, ``5-10``, ``>10``."""
        edges = self.size_edges_mm
        between = [f"{low:g}-{high:g}" for low, high in itertools.pairwise(edges)]
        return (f"<{edges[0]:g}", *between, f">{edges[-1]:g}")

    def size_class(self, short_axis_mm: float) -> str:
        """The class of a short axis; a lower edge belongs to its class, the last edge to the class below it."""
        edges = self.size_edges_mm
        place = int(np.searchsorted(edges, short_axis_mm, side="right"))
        if len(edges) > 1 and short_axis_mm == edges[-1]:
            place -= 1
        return self.size_classes[place]


_DEFAULTS = DetectionSettings()


@dataclass(frozen=True)
class DetectionCase:
    """One CT: its true nodes, its located nodes, and how they meet.

    Parameters
    ----------
    name : str
    short_axes_mm : mapping of int to float
        Of the true nodes, by label.
    scores : mapping of int to float
        Of the located nodes, by label.
    pairs : DataFrame
        :data:`PAIR_COLUMNS`, a row per pair that meets; `surface_mm` is NaN where the pair is no hit.
    n_axillae : int
        Axillae in the field of view, the unit of false positives.
    groups : mapping of str to str
        What the case is counted under (contrast, slice thickness, ...).
    """

    name: str
    short_axes_mm: Mapping[int, float]
    scores: Mapping[int, float]
    pairs: pd.DataFrame
    n_axillae: int = 2
    groups: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.n_axillae < 1:
            raise InvalidValueError(f"{self.name}: false positives are counted per axilla, so at least one is needed.")
        for name in ("short_axes_mm", "scores", "groups"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))


def compare(
    truth: Segmentation,
    found: Segmentation,
    short_axes_mm: Mapping[int, float],
    scores: Mapping[int, float] | None = None,
    *,
    name: str = "",
    n_axillae: int = 2,
    groups: Mapping[str, str] | None = None,
    settings: DetectionSettings = _DEFAULTS,
) -> DetectionCase:
    """Measure how true and located nodes of one CT meet.

    Parameters
    ----------
    truth, found : Segmentation
        On the same grid; segments without voxels are left out.
    short_axes_mm : mapping of int to float
        Short axis of each true node, by label.
    scores : mapping of int to float, optional
        Detection score of each located node, by label; 1 where not given.
    name, n_axillae, groups
        As in :class:`DetectionCase`.
    settings : DetectionSettings

    Raises
    ------
    InvalidValueError
        If the grids differ, or a true node has no short axis.
    """
    if not truth.geometry.is_same_grid(found.geometry):
        raise InvalidValueError("True and located nodes must lie on one grid; resample one of them first.")
    true_segments = [segment for segment in truth.segments if segment.mask.any()]
    missing = [segment.label for segment in true_segments if segment.label not in short_axes_mm]
    if missing:
        raise InvalidValueError(f"True nodes need a short axis each; labels {missing[:5]} have none.")
    found_segments = [segment for segment in found.segments if segment.mask.any()]
    rows = [
        row for one in true_segments for other in found_segments if (row := _pair(one, other, truth.geometry, settings.hit_iou))
    ]
    return DetectionCase(
        name,
        {segment.label: float(short_axes_mm[segment.label]) for segment in true_segments},
        {segment.label: float((scores or {}).get(segment.label, 1.0)) for segment in found_segments},
        pd.DataFrame(rows, columns=list(PAIR_COLUMNS)),
        n_axillae,
        groups or {},
    )


def match(case: DetectionCase, min_score: float = 0.0, settings: DetectionSettings = _DEFAULTS) -> pd.DataFrame:
    """The pairs of true and located nodes, one to one, among nodes located with at least `min_score`.

    Returns
    -------
    DataFrame
        Rows of ``case.pairs``, by true label.
    """
    pairs = case.pairs
    kept = pairs["found_label"].map(dict(case.scores)).to_numpy(dtype=np.float64) >= min_score
    hits = pairs[kept & is_hit(pairs, settings)]
    if hits.empty:
        return hits
    rows, row_of = np.unique(hits["truth_label"], return_inverse=True)
    columns, column_of = np.unique(hits["found_label"], return_inverse=True)
    value = np.zeros((len(rows), len(columns)))
    value[row_of, column_of] = 1 + min(value.shape) + hits["iou"]  # one more pair outweighs any overlap
    chosen = set(zip(*linear_sum_assignment(value, maximize=True), strict=True))
    paired = [pair in chosen for pair in zip(row_of, column_of, strict=True)]
    return hits[paired].sort_values("truth_label")


def is_hit(pairs: pd.DataFrame, settings: DetectionSettings = _DEFAULTS) -> BoolArray:
    """Which pairs are hits: enough overlap, or the true center inside the located node."""
    return np.asarray((pairs["iou"] >= settings.hit_iou) | pairs["has_center"].astype(bool), dtype=bool)


def detection_summary(
    cases: Sequence[DetectionCase], min_score: float = 0.0, settings: DetectionSettings = _DEFAULTS
) -> dict[str, float]:
    """Sensitivity by size class, false positives per axilla, and the fit of the matched nodes, over all cases together.

    Returns
    -------
    dict
        ``cases, axillae, false_positives_per_axilla, dice, surface_mm``, and for each size class, and for ``>=e`` of each edge
        but the last, ``n <class>`` and ``sensitivity <class>`` (NaN where no true node is of that size). `dice` and
        `surface_mm` are means over matched nodes of at least the smallest edge.
    """
    axillae, false_positives = 0, 0
    sizes: list[float] = []
    is_found: list[bool] = []
    dices: list[float] = []
    surfaces: list[float] = []
    for case in cases:
        matched = match(case, min_score, settings).set_index("truth_label")
        located = sum(score >= min_score for score in case.scores.values())
        axillae += case.n_axillae
        false_positives += located - len(matched)
        sizes += case.short_axes_mm.values()
        is_found += [label in matched.index for label in case.short_axes_mm]
        asked = [label for label in matched.index if case.short_axes_mm[label] >= settings.size_edges_mm[0]]
        dices += matched.loc[asked, "dice"].tolist()
        surfaces += matched.loc[asked, "surface_mm"].tolist()
    return {
        "cases": len(cases),
        "axillae": axillae,
        "false_positives_per_axilla": false_positives / axillae if axillae else float("nan"),
        "dice": float(np.mean(dices)) if dices else float("nan"),
        "surface_mm": float(np.mean(surfaces)) if surfaces else float("nan"),
        **_by_size(np.asarray(sizes, dtype=np.float64), np.asarray(is_found, dtype=bool), settings),
    }


def froc(
    cases: Sequence[DetectionCase], thresholds: Sequence[float] | None = None, settings: DetectionSettings = _DEFAULTS
) -> pd.DataFrame:
    """Free-response ROC: :func:`detection_summary` at each threshold, highest first; each threshold is matched anew.

    Parameters
    ----------
    cases : sequence of DetectionCase
    thresholds : sequence of float, optional
        Detection scores; every score that occurs where not given.
    settings : DetectionSettings
    """
    if thresholds is None:
        thresholds = sorted({score for case in cases for score in case.scores.values()})
    rows = [{"threshold": float(t), **detection_summary(cases, t, settings)} for t in sorted(thresholds, reverse=True)]
    return pd.DataFrame(rows, columns=["threshold", *detection_summary(cases, np.inf, settings)])


def at_most(curve: pd.DataFrame, false_positives_per_axilla: float) -> pd.Series:
    """The lowest threshold's row of a :func:`froc` curve up to which no more false positives per axilla are made.

    Raises
    ------
    InvalidValueError
        If every threshold makes more.
    """
    ordered = curve.sort_values("threshold", ascending=False)
    too_many = (ordered["false_positives_per_axilla"] > false_positives_per_axilla).to_numpy()
    n_allowed = int(too_many.argmax()) if too_many.any() else len(ordered)
    if not n_allowed:
        raise InvalidValueError(f"No threshold makes at most {false_positives_per_axilla:g} false positives per axilla.")
    return ordered.iloc[n_allowed - 1]


def mean_surface_distance_mm(first: Segment, second: Segment, geometry: Geometry) -> float:
    """Average symmetric surface distance of two masks, mm.

    The mean, over the surface voxels of both, of the distance to the nearest surface voxel of the other (Heimann et al.,
    IEEE Trans Med Imaging 2009;28:1251-65); surface voxels have a face neighbor outside.

    Raises
    ------
    InvalidValueError
        If a mask is empty.
    """
    if not first.mask.any() or not second.mask.any():
        raise InvalidValueError("The distance between surfaces needs two masks that are not empty.")
    one, other = (_surface(mask) for mask in _in_common_box(first, second))
    spacing = geometry.spacing_zyx_mm
    to_other = ndimage.distance_transform_edt(~other, sampling=spacing)[one]
    to_one = ndimage.distance_transform_edt(~one, sampling=spacing)[other]
    return float(np.concatenate([to_other, to_one]).mean())


def _pair(
    truth: Segment, found: Segment, geometry: Geometry, hit_iou: float
) -> tuple[int, int, float, float, bool, float] | None:
    """One row of :data:`PAIR_COLUMNS`; ``None`` where the boxes do not meet."""
    boxes = zip(truth.slices_zyx, found.slices_zyx, strict=True)
    if any(a.start >= b.stop or b.start >= a.stop for a, b in boxes):
        return None
    one, other = _in_common_box(truth, found)
    shared = int(np.count_nonzero(one & other))
    sizes = truth.n_voxels + found.n_voxels
    iou = shared / (sizes - shared)
    has_center = _has_center(truth, found)
    if not shared and not has_center:
        return None
    surface = mean_surface_distance_mm(truth, found, geometry) if iou >= hit_iou or has_center else float("nan")
    return truth.label, found.label, iou, 2 * shared / sizes, has_center, surface


def _has_center(truth: Segment, found: Segment) -> bool:
    """Whether the voxel of the true node's center of mass belongs to the located node."""
    index = np.rint(truth.indices_zyx().mean(axis=0)).astype(int) - np.asarray(found.offset_zyx)
    is_inside = bool((index >= 0).all() and (index < found.mask.shape).all())
    return is_inside and bool(found.mask[tuple(index)])


def _in_common_box(first: Segment, second: Segment) -> tuple[BoolArray, BoolArray]:
    """Both masks in the smallest box that holds both crops."""
    low = np.minimum(first.offset_zyx, second.offset_zyx)
    high = np.maximum(np.add(first.offset_zyx, first.mask.shape), np.add(second.offset_zyx, second.mask.shape))
    masks = []
    for segment in (first, second):
        whole = np.zeros(high - low, dtype=bool)
        place = tuple(slice(s.start - a, s.stop - a) for s, a in zip(segment.slices_zyx, low.tolist(), strict=True))
        whole[place] = segment.mask
        masks.append(whole)
    return masks[0], masks[1]


def _surface(mask: BoolArray) -> BoolArray:
    return np.asarray(mask & ~ndimage.binary_erosion(mask))


def _by_size(sizes_mm: FloatArray, is_found: BoolArray, settings: DetectionSettings) -> dict[str, float]:
    names = np.array([settings.size_class(size) for size in sizes_mm], dtype=str)
    groups = {name: names == name for name in settings.size_classes}
    groups |= {f">={edge:g}": sizes_mm >= edge for edge in settings.size_edges_mm[:-1]}
    result: dict[str, float] = {}
    for name, members in groups.items():
        n = int(np.count_nonzero(members))
        result[f"n {name}"] = n
        result[f"sensitivity {name}"] = float(is_found[members].mean()) if n else float("nan")
    return result
