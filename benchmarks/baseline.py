"""Sensitivity of the plain threshold-plus-LoG detector on the phantom: what a detector must beat; it must stay below 60 %.

Default cohort profile, eight seeds that are used for nothing else; a hit is a candidate whose center lies in a node not yet hit.
"""

from __future__ import annotations

import numpy as np

from axilla.anatomy import find_anatomy
from axilla.phantom import PHANTOM_VERSION, SyntheticCase, plan_cohort, render
from benchmarks._log_baseline import Blob, find_blobs

SEEDS = tuple(range(9001, 9009))
BOUNDS_MM = ((0.0, 5.0), (5.0, 10.0), (10.0, 99.0), (0.0, 99.0))
RATES = (0.5, 1.0, 2.0, 4.0)
"""False positives per axilla at which the sensitivity is read."""


def main() -> None:
    """Print sensitivity by short axis at several rates of false positives."""
    scored: list[tuple[float, float]] = []
    sizes: list[float] = []
    for seed in SEEDS:
        case = render(plan_cohort(1, seed)[0])
        scored += score(case, find_blobs(case.volume, find_anatomy(case.volume)))
        sizes += [node.short_axis_mm for node in case.nodes]
    print(f"{PHANTOM_VERSION}, seeds {SEEDS[0]}-{SEEDS[-1]}, {len(sizes)} nodes, {2 * len(SEEDS)} axillae")
    print(f"{'FP per axilla':<16}{'< 5 mm':>14}{'5-10 mm':>14}{'> 10 mm':>14}{'all':>14}")
    for rate in RATES:
        found = at_rate(scored, rate * 2 * len(SEEDS))
        print(f"{rate:<16g}" + "".join(f"{_share(found, sizes, low, high):>14}" for low, high in BOUNDS_MM))


def score(case: SyntheticCase, blobs: list[Blob]) -> list[tuple[float, float]]:
    """Response of each candidate and the short axis of the node it hits first, NaN where it hits none."""
    labels = case.truth.to_labels().array
    taken: set[int] = set()
    result = []
    for blob in blobs:
        z, y, x = np.rint(case.volume.geometry.to_index(blob.center_xyz_mm)).astype(int)
        label = int(labels[z, y, x])
        if label not in taken:
            result.append((blob.response, case.nodes[label - 1].short_axis_mm if label else float("nan")))
        if label:
            taken.add(label)
    return result


def at_rate(scored: list[tuple[float, float]], false_allowed: float) -> list[float]:
    """Short axes of the nodes found before more than `false_allowed` false candidates are."""
    false, found = 0, []
    for _, short_axis_mm in sorted(scored, reverse=True, key=lambda item: item[0]):
        false += bool(np.isnan(short_axis_mm))
        if false > false_allowed:
            break
        if not np.isnan(short_axis_mm):
            found.append(short_axis_mm)
    return found


def _share(found: list[float], sizes: list[float], low: float, high: float) -> str:
    hit, there = (sum(low <= size < high for size in group) for group in (found, sizes))
    return f"{hit}/{there} {hit / max(there, 1):.0%}"
