"""Sensitivity by short axis against false positives per axilla, Dice and surface distance of matched nodes, seconds per CT.

First implants: synthetic nodes in the CT named by $AXILLA_BENCH_CT (and the overlap with $AXILLA_BENCH_ROIS, masks of its nodes).
Then the phantom by contrast, slice thickness and body type. Matching is one to one; a hit is IoU >= 0.3 or the truth's center
inside; as many hits as possible, then the largest total overlap. Options: python -m benchmarks.locate --help
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from axilla.errors import InvalidValueError
from axilla.evaluate import DetectionCase, DetectionSettings, at_most, compare, detection_summary, froc, match
from axilla.io import read_ct
from axilla.io.exchange import read_mask
from axilla.locate import LocateSettings, Location
from axilla.phantom import PHANTOM_VERSION, implant
from benchmarks._nodes import CONDITIONS, LOWEST_SCORE, Measured, locate_all, measure, parse_seeds, phantom_case, seeds_text

CLASSES = ("3-5", "5-10", ">10", ">=3", ">=5")
RATES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""False positives per axilla at which the FROC is read."""


def main(arguments: Sequence[str] = ()) -> None:
    """Print the tables."""
    options = _options(arguments)
    threshold = LocateSettings().min_score
    print(f"{PHANTOM_VERSION}; detection threshold {threshold:g} (FROC down to {LOWEST_SCORE:g}); one CT at a time")
    print(
        "LoG: the plain threshold-plus-Laplacian-of-Gaussian detector, its sensitivity at >= 3 mm and 1 false positive per axilla"
    )
    if options.ct is not None:
        _implants(options.ct, options.rois, parse_seeds(options.implant_seeds), options, threshold)
    else:
        print("\nNo implants: name a real CT with --ct or $AXILLA_BENCH_CT.")
    if not options.only_implants:
        _phantoms(parse_seeds(options.seeds), options, threshold)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    own = {name: os.environ.get(f"AXILLA_BENCH_{name}") for name in ("CT", "ROIS")}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ct", type=Path, default=own["CT"] and Path(own["CT"]), help="real CT to implant nodes into")
    parser.add_argument("--rois", type=Path, default=own["ROIS"] and Path(own["ROIS"]), help="node masks on that CT")
    parser.add_argument("--implant-seeds", default="7001-7004", help="one set of implants each (default: %(default)s)")
    parser.add_argument("--nodes-per-side", type=int, default=6, help="implants per axilla (default: %(default)s)")
    parser.add_argument("--seeds", default="7001-7006", help="synthetic patients (default: %(default)s)")
    parser.add_argument("--cases", type=int, default=1, help="of these, patients of every condition but the base (default: 1)")
    parser.add_argument("--conditions", default="", help="only those whose name holds this")
    parser.add_argument("--only-implants", action="store_true", help="leave the phantom out")
    parser.add_argument("--misses", action="store_true", help="also list every node of 3 mm or more that was not found")
    return parser.parse_args(list(arguments))


def _implants(ct: Path, rois: Path | None, seeds: Sequence[int], options: argparse.Namespace, threshold: float) -> None:
    n_per_side = options.nodes_per_side
    volume = read_ct(ct).volume
    own, seconds = locate_all(volume)
    n_own = sum(node.detection_score >= threshold for node in own.nodes)
    print(
        f"\n### Implants into the own CT {volume.geometry.shape_zyx}: seeds {seeds_text(seeds)}, {n_per_side} wanted per axilla"
    )
    print(
        f"Without implants: {n_own} labels in {seconds:.1f} s. 'new': not counting labels where the CT has one without implants."
    )
    measured = [measure(implant(volume, n_per_side, seed), f"implants {seed}", own) for seed in seeds]
    _head()
    _row("all labels", measured, lambda m: m.axilla, threshold)
    _row("new labels", measured, lambda m: m.new or m.axilla, threshold)
    if options.misses:
        _misses(measured, threshold)
    _froc([m.new or m.axilla for m in measured], [m.baseline for m in measured])
    if rois is not None:
        _own_rois(rois, threshold, own)


def _own_rois(path: Path, threshold: float, own: Location) -> None:
    """How the labels overlap with masks drawn on the CT."""
    truth = read_mask(path, own.segmentation.geometry).segmentation
    print(f"\nMasks drawn on the own CT, against labels of at least {threshold:g}:")
    segments = {segment.label: segment for segment in truth.segments if segment.mask.any()}
    case = compare(truth, own.segmentation, dict.fromkeys(segments, 1.0))
    scores = {node.label: node.detection_score for node in own.nodes}
    names = {node.label: node.node_id for node in own.nodes}
    for label, segment in segments.items():
        pairs = case.pairs[case.pairs["truth_label"] == label].sort_values("iou", ascending=False)
        told = [
            f"Dice {row.dice:.2f} with {names[row.found_label]} (score {scores[row.found_label]:.2f})"
            for row in pairs.itertuples() if scores[row.found_label] >= threshold
        ]  # fmt: skip
        print(f"  {segment.name or label}: {segment.n_voxels} voxels; {', '.join(told) or 'not covered'}")


def _phantoms(seeds: Sequence[int], options: argparse.Namespace, threshold: float) -> None:
    n_others = options.cases
    print(f"\n### {PHANTOM_VERSION}: base on seeds {seeds_text(seeds)}, the others on {seeds_text(seeds[:n_others])}")
    _head()
    base: list[Measured] = []
    for name, settings in CONDITIONS.items():
        if options.conditions not in name:
            continue
        own_seeds = seeds if not base and name.startswith("base") else seeds[:n_others]
        measured = [measure(phantom_case(settings, seed), f"{name} {seed}") for seed in own_seeds]
        base = base or measured
        _row(name, measured, lambda m: m.axilla, threshold)
        if options.misses:
            _misses(measured, threshold)
    if base:
        _froc([m.axilla for m in base], [m.baseline for m in base])


def _head() -> None:
    sizes = "".join(f"{name + ' mm':>14}" for name in CLASSES)
    print(f"{'':<32}{'CTs':>4}{sizes}{'FP/axilla':>11}{'Dice':>7}{'surface':>9}{'at 1 FP':>9}{'LoG':>6}{'s/CT':>7}")


def _row(name: str, measured: list[Measured], choose: Callable[[Measured], DetectionCase], threshold: float) -> None:
    cases = [choose(m) for m in measured]
    summary = detection_summary(cases, threshold)
    sizes = "".join(f"{_counted(summary, size):>14}" for size in CLASSES)
    fit = f"{summary['dice']:>7.2f}{summary['surface_mm']:>6.2f} mm"
    at_one = _percent(_sensitivity(cases, 1.0, ">=3"))
    plain = _percent(_sensitivity([m.baseline for m in measured], 1.0, ">=3"))
    seconds = np.median([m.seconds for m in measured])
    rate = summary["false_positives_per_axilla"]
    print(f"{name:<32}{len(cases):>4}{sizes}{rate:>11.2f}{fit}{at_one:>9}{plain:>6}{seconds:>7.1f}", flush=True)


def _misses(measured: list[Measured], threshold: float) -> None:
    for one in measured:
        case = one.axilla
        found = set(match(case, threshold)["truth_label"])
        for node in one.nodes:
            if node.label in found or node.short_axis_mm < DetectionSettings().size_edges_mm[0]:
                continue
            pairs = case.pairs[case.pairs["truth_label"] == node.label]
            near = [f"score {case.scores[pair.found_label]:.2f} IoU {pair.iou:.2f}" for pair in pairs.itertuples()]
            size = f"{node.short_axis_mm:.1f} x {node.long_axis_mm:.1f} mm"
            print(f"  missed: {case.name} {node.node_id} {node.kind} {size}; {', '.join(near) or 'no candidate there'}")


def _froc(cases: list[DetectionCase], baseline: list[DetectionCase]) -> None:
    print(f"\n{'FROC: sensitivity at FP/axilla':<32}{'':>4}" + "".join(f"{f'<= {rate:g}':>14}" for rate in RATES))
    for detector, group in (("axilla", cases), ("LoG", baseline)):
        curve = froc(group, _thresholds(group))
        for size in CLASSES:
            shown = "".join(f"{_percent(_read(curve, rate, size)):>14}" for rate in RATES)
            print(f"{detector + ', ' + size + ' mm':<36}{shown}")


def _sensitivity(cases: list[DetectionCase], rate: float, size: str) -> float:
    return _read(froc(cases, _thresholds(cases)), rate, size)


def _read(curve: pd.DataFrame, rate: float, size: str) -> float:
    try:
        return float(at_most(curve, rate)[f"sensitivity {size}"])
    except InvalidValueError:
        return 0.0


def _thresholds(cases: list[DetectionCase]) -> list[float]:
    """Enough of the scores to read the curve: the best two hundred, thinned."""
    scores = np.array(sorted({s for case in cases for s in case.scores.values()}, reverse=True))
    if scores.size <= 80:
        return scores.tolist()
    return scores[np.unique(np.geomspace(1, scores.size, 80).astype(int) - 1)].tolist()


def _counted(summary: dict[str, float], size: str) -> str:
    n = int(summary[f"n {size}"])
    return f"{round(summary[f'sensitivity {size}'] * n)}/{n} {_percent(summary[f'sensitivity {size}'])}" if n else "-"


def _percent(share: float) -> str:
    return "-" if np.isnan(share) else f"{share:.0%}"


if __name__ == "__main__":
    main(sys.argv[1:])
