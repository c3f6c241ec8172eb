"""One CT with known nodes, located by axilla and by the plain baseline, as cases for the FROC."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from axilla.evaluate import DetectionCase, compare, is_hit, match
from axilla.locate import LocateSettings, Location, locate
from axilla.node import SIDES, Segment, Segmentation
from axilla.phantom import CasePlan, CohortSettings, PhantomSettings, SyntheticCase, TruthNode, plan_cohort, render_case
from axilla.volume import Geometry, Volume
from benchmarks._log_baseline import Blob, find_blobs

LOWEST_SCORE = 0.05
"""The locator is asked for everything down to here, so that the FROC shows what lies below its threshold too."""

MOST_BLOBS = 200
"""Strongest blobs of the baseline looked at per CT: far more than the false positives shown."""

BASE = PhantomSettings(shape_zyx=(168, 460, 460), spacing_xyz_mm=(1.0, 1.0, 1.0))
"""1 mm cubes, venous, medium woman, arms raised; each condition changes one thing."""


def _slices(thickness_mm: float) -> PhantomSettings:
    z, y, x = BASE.shape_zyx
    return replace(BASE, shape_zyx=(round(z / thickness_mm), y, x), spacing_xyz_mm=(1.0, 1.0, thickness_mm))


CONDITIONS: dict[str, PhantomSettings] = {
    "base: 1 mm, venous": BASE,
    "contrast: none": replace(BASE, contrast="none"),
    "contrast: arterial, injected R": replace(BASE, contrast="arterial", injection_side="R"),
    "slices: 0.6 mm": _slices(0.6),
    "slices: 3 mm": _slices(3.0),
    "slices: 5 mm": _slices(5.0),
    "body: thin woman": replace(BASE, habitus=0.1, muscularity=0.3),
    "body: obese woman": replace(BASE, habitus=0.9),
    "body: muscular man": replace(BASE, sex="male", habitus=0.3, muscularity=0.9),
    "body: arms down": replace(BASE, arms="down"),
    "noise: 25 HU": replace(BASE, noise_sd_hu=25.0),
}


@dataclass(frozen=True)
class Measured:
    """One CT's outcome."""

    axilla: DetectionCase
    baseline: DetectionCase
    seconds: float
    nodes: tuple[TruthNode, ...]
    new: DetectionCase | None = None
    """For implants: without the labels that the CT has without them."""


def phantom_case(settings: PhantomSettings, seed: int) -> SyntheticCase:
    """A synthetic patient scanned as `settings` say, whatever the cohort would draw."""
    cohort = CohortSettings(phantom=settings, vary_scans=False, ineligible_share=0.0)
    plan = plan_cohort(1, seed, cohort)[0].case
    return render_case(CasePlan(settings, plan.nodes, plan.seed))


def locate_all(volume: Volume) -> tuple[Location, float]:
    """Everything found down to :data:`LOWEST_SCORE`, and the seconds that took."""
    start = time.perf_counter()
    location = locate(volume, replace(LocateSettings(), min_score=LOWEST_SCORE))
    return location, time.perf_counter() - start


def measure(case: SyntheticCase, name: str, own: Location | None = None) -> Measured:
    """Locate and compare; `own` is what was located on the CT before nodes were implanted."""
    location, seconds = locate_all(case.volume)
    sizes = {node.label: node.short_axis_mm for node in case.nodes}
    n_axillae = max(1, sum(location.coverage[side] != "absent" for side in SIDES))
    scores = {node.label: node.detection_score for node in location.nodes}
    found = compare(case.truth, location.segmentation, sizes, scores, name=name, n_axillae=n_axillae)
    blobs = find_blobs(case.volume, location.anatomy)[:MOST_BLOBS]
    baseline = _baseline(case, blobs, name, n_axillae)
    new = None if own is None else _without_own(found, location.segmentation, own)
    return Measured(found, baseline, seconds, case.nodes, new)


def _without_own(found: DetectionCase, segmentation: Segmentation, own: Location) -> DetectionCase:
    """Without labels on what was a node before, unless they hit an implant."""
    threshold = LocateSettings().min_score
    known = Segmentation(own.segmentation.geometry, tuple(
        segment for segment, node in zip(own.segmentation.segments, own.nodes, strict=True) if node.detection_score >= threshold
    ))  # fmt: skip
    before = compare(known, segmentation, {segment.label: 1.0 for segment in known.segments})
    again = set(before.pairs.loc[is_hit(before.pairs), "found_label"]) - set(match(found)["found_label"])
    scores = {label: score for label, score in found.scores.items() if label not in again}
    return replace(found, scores=scores, pairs=found.pairs[~found.pairs["found_label"].isin(again)])


def _baseline(case: SyntheticCase, blobs: list[Blob], name: str, n_axillae: int) -> DetectionCase:
    """The blobs as balls; generous: a blob's center in the true node is a hit too."""
    geometry = case.volume.geometry
    segments = [_ball(blob, label, geometry) for label, blob in enumerate(blobs, start=1)]
    sizes = {node.label: node.short_axis_mm for node in case.nodes}
    scores = {label: blob.response for label, blob in enumerate(blobs, start=1)}
    result = compare(case.truth, Segmentation(geometry, tuple(segments)), sizes, scores, name=name, n_axillae=n_axillae)
    labels = case.truth.to_labels().array
    at = np.rint(geometry.to_index(np.array([blob.center_xyz_mm for blob in blobs]).reshape(-1, 3))).astype(int)
    at = np.clip(at, 0, np.asarray(labels.shape) - 1)
    hit = {label: int(labels[tuple(index)]) for label, index in enumerate(at, start=1)}
    pairs = result.pairs
    is_inside = pairs["found_label"].map(hit) == pairs["truth_label"]
    return replace(result, pairs=pairs.assign(has_center=pairs["has_center"].astype(bool) | is_inside))


def _ball(blob: Blob, label: int, geometry: Geometry) -> Segment:
    """A blob as a ball of its radius; its center voxel always belongs to it."""
    spacing = np.asarray(geometry.spacing_zyx_mm)
    center = geometry.to_index(blob.center_xyz_mm)
    middle = np.clip(np.rint(center), 0, np.asarray(geometry.shape_zyx) - 1).astype(int)
    reach = np.ceil(blob.radius_mm / spacing).astype(int)
    low = np.maximum(middle - reach, 0)
    high = np.minimum(middle + reach + 1, geometry.shape_zyx)
    index = np.moveaxis(np.indices(tuple(high - low)), 0, -1) + low
    mask = (((index - center) * spacing) ** 2).sum(axis=-1) <= blob.radius_mm**2
    mask[tuple(middle - low)] = True
    return Segment(label, (int(low[0]), int(low[1]), int(low[2])), mask)


def parse_seeds(text: str) -> tuple[int, ...]:
    """``7001-7004`` or ``1,5,9``."""
    seeds: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        seeds += range(int(first), int(last or first) + 1)
    return tuple(seeds)


def seeds_text(seeds: Iterable[int]) -> str:
    """How :func:`parse_seeds` reads them."""
    values = list(seeds)
    is_run = values == list(range(values[0], values[0] + len(values)))
    return f"{values[0]}-{values[-1]}" if is_run and len(values) > 1 else ",".join(map(str, values))
