"""Fit the node model of `axilla locate`: ``python -m benchmarks._fit -o node_model.json`` (an hour; see docs/locate.md).

Every hypothesis of a synthetic CT is measured as `axilla.locate` measures it, and labeled by its overlap with the truth. Boosted
trees learn the label; they are written as readable JSON with what they were fitted to.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from sklearn.ensemble import HistGradientBoostingClassifier

from axilla.anatomy import find_anatomy
from axilla.io import read_ct
from axilla.io.exchange import read_mask
from axilla.locate.candidates import measured
from axilla.locate.crop import SideCrop, crop_side
from axilla.locate.features import NAMES
from axilla.locate.hypotheses import Hypothesis
from axilla.locate.settings import LocateSettings
from axilla.locate.tissue import find_tissue
from axilla.node import SIDES
from axilla.phantom import PHANTOM_VERSION, SyntheticCase, implant, plan_cohort, render_case
from axilla.volume import BoolArray, FloatArray, Volume, to_canonical
from benchmarks._nodes import CONDITIONS, parse_seeds, phantom_case

PLAN: dict[str, str] = {
    "base: 1 mm, venous": "1001-1040",
    "slices: 3 mm": "1021-1040",
    "contrast: none": "1041-1046",
    "contrast: arterial, injected R": "1051-1056",
    "body: thin woman": "1061-1063",
    "body: obese woman": "1071-1073",
    "body: muscular man": "1081-1086",
    "body: arms down": "1084,1091-1096",
    "noise: 25 HU": "1101-1106",
    "slices: 5 mm": "1111-1114",
    "slices: 0.6 mm": "1121-1123",
    "cohort": "2001-2004,2011-2046",
}
"""Seeds by condition of `benchmarks._nodes.CONDITIONS`; ``cohort`` is a default patient of ``axilla simulate``. No figure that is
reported comes from these seeds."""

IMPLANTS = "implants"
IMPLANT_SEEDS = "6001-6012"
"""Implants into the real CT named with ``--ct``, six wanted per axilla."""

THIN_SEEDS, THIN_MM = "6021-6028", 1.0
"""Implants into the same CT with its slices interpolated to this distance: real vessels and muscles as thin slices show them."""

IMPLANT_WEIGHT = 0.5
"""A hypothesis of the real CT counts as half one of the phantom: all implants share one patient's anatomy."""

OVERLAP = (0.25, 0.65)
"""Below the first intersection over union a hypothesis is no node, above the second it is one; between them it counts as both in
proportion, so that the better of two overlapping outlines gets the higher score."""


@dataclass(frozen=True)
class Examples:
    """Measurements, ``(n, len(NAMES))``; how much of a node each hypothesis is, 0-1; how much each counts."""

    values: FloatArray
    target: FloatArray
    weight: FloatArray


def examples(case_volume: Volume, truth: npt.NDArray[np.uint16], ignored: BoolArray | None = None) -> Examples:
    """All hypotheses of a CT; those that touch `ignored` voxels (nodes or doubtful ones of a real CT) are left out."""
    labels = to_canonical(truth, case_volume.geometry).astype(np.int64)
    left_out = None if ignored is None else to_canonical(ignored, case_volume.geometry)
    full = np.bincount(labels.ravel())
    anatomy, settings = find_anatomy(case_volume), LocateSettings()
    values, targets = [np.empty((0, len(NAMES)))], [np.empty(0)]
    for side in SIDES:
        if anatomy.coverage[side] == "absent":
            continue
        crop, tissue = find_tissue(crop_side(case_volume, anatomy, side, settings), settings)
        own = labels[crop.box]
        skipped = np.zeros(own.shape, dtype=bool) if left_out is None else left_out[crop.box]
        for group in measured(tissue, crop, settings):
            overlap, touches = _overlaps(group.items, own, skipped, full, crop)
            values.append(group.values[~touches])
            targets.append(np.clip((overlap[~touches] - OVERLAP[0]) / (OVERLAP[1] - OVERLAP[0]), 0, 1))
    target = np.concatenate(targets)
    return Examples(np.concatenate(values), target, np.ones(len(target)))


def _overlaps(
    items: Sequence[Hypothesis], labels: npt.NDArray[np.int64], skipped: BoolArray, full: npt.NDArray[np.intp], crop: SideCrop
) -> tuple[FloatArray, BoolArray]:
    """Best intersection over union of each hypothesis with a true node, and whether it touches what is left out."""
    part = items[0].partition
    native = part.pieces.labels[:: crop.steps].astype(np.int64)
    n = len(part.pieces.peaks)
    joint = np.bincount((native * len(full) + labels).ravel(), minlength=n * len(full)).reshape(n, -1)
    out = np.bincount(native[skipped], minlength=n)
    best, touches = np.zeros(len(items)), np.zeros(len(items), dtype=bool)
    for row, item in enumerate(items):
        pieces = list(item.pieces)
        inside = joint[pieces].sum(axis=0)
        union = inside.sum() + full - inside
        best[row] = (inside[1:] / np.maximum(union[1:], 1)).max(initial=0.0)
        touches[row] = out[pieces].any()
    return best, touches


def fit(data: Examples) -> HistGradientBoostingClassifier:
    """Boosted trees; partial nodes enter twice, as node and as not, with weights that sum to one."""
    positive = data.target > 0
    values = np.concatenate([data.values, data.values[positive]])
    label = np.concatenate([np.zeros(len(data.values)), np.ones(int(positive.sum()))])
    weight = np.concatenate([data.weight * (1 - data.target), (data.weight * data.target)[positive]])
    model = HistGradientBoostingClassifier(
        max_iter=500, learning_rate=0.05, max_leaf_nodes=31, min_samples_leaf=60, l2_regularization=5.0, max_features=0.3,
        early_stopping=False, random_state=0,
    )  # fmt: skip
    return model.fit(values[weight > 0], label[weight > 0], sample_weight=weight[weight > 0])


def as_json(model: HistGradientBoostingClassifier, data: Examples, fitted_on: Sequence[str]) -> dict[str, object]:
    """The trees as tables; above the leaves stands the mean of what lies below, for the attribution of evidence.

    Every tree is shifted so that its root is zero, and the intercept takes up the shifts: with it, evidence sums to the answer.
    """
    trees, intercept = [], float(model._baseline_prediction.ravel()[0])
    for (predictor,) in model._predictors:
        nodes = predictor.nodes
        value, count = nodes["value"].astype(np.float64), nodes["count"].astype(np.float64)
        for i in range(len(nodes) - 1, -1, -1):
            if not nodes["is_leaf"][i]:
                below = [int(nodes["left"][i]), int(nodes["right"][i])]
                value[i] = float((value[below] * count[below]).sum() / count[below].sum())
        intercept, value = intercept + value[0], value - value[0]
        inner = ~nodes["is_leaf"].astype(bool)
        trees.append({
            "feature": np.where(inner, nodes["feature_idx"], -1).tolist(),
            "threshold": [float(f"{t:.9g}") for t in np.where(inner, nodes["num_threshold"], 0.0)],
            "left": np.where(inner, nodes["left"], 0).tolist(),
            "right": np.where(inner, nodes["right"], 0).tolist(),
            "value": [float(f"{v:.5g}") for v in value],
        })  # fmt: skip
    return {
        "schema": 2,
        "what": "Boosted decision trees that tell nodes from other soft tissue; see axilla/locate/likeness.py.",
        "fitted_on": list(fitted_on),
        "hypotheses": len(data.values),
        "of_which_nodes": float(f"{data.target.sum():.6g}"),
        "measurements": list(NAMES),
        "intercept": intercept,
        "trees": trees,
    }


Case = tuple[SyntheticCase, BoolArray | None]


def planned(ct: Path | None, rois: Path | None) -> Iterator[tuple[str, Callable[[], Case]]]:
    """Names of the synthetic patients of :data:`PLAN`, then of the implants, and how each is made.

    A case is a CT with its truth, and for implants the voxels of nodes the CT has by itself.
    """
    for condition, seeds in PLAN.items():
        for seed in (seed for part in seeds.split(",") for seed in parse_seeds(part)):
            yield f"{PHANTOM_VERSION} {condition} {seed}", partial(_phantom, condition, seed)
    if ct is not None:
        volume = read_ct(ct).volume
        known = None if rois is None else read_mask(rois, volume.geometry).segmentation.to_labels().array > 0
        for seed in parse_seeds(IMPLANT_SEEDS):
            yield f"{IMPLANTS} {seed}", partial(_implanted, volume, known, seed)
        thin, thin_known = _with_thin_slices(volume, known)
        for seed in parse_seeds(THIN_SEEDS):
            yield f"{IMPLANTS} thin {seed}", partial(_implanted, thin, thin_known, seed)


def _phantom(condition: str, seed: int) -> Case:
    if condition == "cohort":
        return render_case(plan_cohort(1, seed)[0].case), None
    return phantom_case(CONDITIONS[condition], seed), None


def _implanted(volume: Volume, known: BoolArray | None, seed: int) -> Case:
    case = implant(volume, 6, seed)
    return case, None if known is None else known & (case.truth.to_labels().array == 0)


def _with_thin_slices(volume: Volume, known: BoolArray | None) -> tuple[Volume, BoolArray | None]:
    """A CT stored slice by slice, and a mask on it, with slices `THIN_MM` apart."""
    geometry = volume.geometry
    ratio = (geometry.spacing_zyx_mm[0] / THIN_MM, 1, 1)
    array = np.rint(ndimage.zoom(volume.array.astype(np.float32), ratio, order=3, mode="nearest", grid_mode=True)).astype(
        np.int16
    )
    spacing = (*geometry.spacing_xyz_mm[:2], geometry.spacing_zyx_mm[0] * len(volume.array) / len(array))
    thin = replace(volume, array=array, geometry=replace(geometry, shape_zyx=array.shape, spacing_xyz_mm=spacing), slices=())
    mask = None if known is None else ndimage.zoom(known, ratio, order=0, mode="nearest", grid_mode=True)
    return thin, mask


def gather(ct: Path | None, rois: Path | None, cache: Path) -> Examples:
    """Examples of all planned cases; each is kept in a file, so that a run can be stopped and gone on with."""
    cache.mkdir(parents=True, exist_ok=True)
    parts = []
    for name, make in sorted(planned(ct, rois), key=lambda case: _file_name(case[0])):
        file = cache / _file_name(name)
        if not file.exists():
            case, ignored = make()
            found = examples(case.volume, case.truth.to_labels().array, ignored)
            np.savez_compressed(file, values=found.values, target=found.target)
        with np.load(file) as stored:
            target = stored["target"]
            weight = np.full(len(target), IMPLANT_WEIGHT if name.startswith(IMPLANTS) else 1.0)
            parts.append(Examples(stored["values"], target, weight))
        print(f"{name}: {len(target)} hypotheses, {int((target > 0).sum())} on nodes", file=sys.stderr, flush=True)
    return Examples(*(np.concatenate([getattr(p, key) for p in parts]) for key in ("values", "target", "weight")))


def _file_name(case: str) -> str:
    return f"{case.replace(':', '').replace(',', '').replace(' ', '_')}.npz"


def sources(has_ct: bool) -> list[str]:
    """What the model was fitted to, in words."""
    words = [f"{PHANTOM_VERSION} {condition}, seeds {seeds}" for condition, seeds in PLAN.items()]
    return (
        [
            *words,
            f"{IMPLANTS} of {PHANTOM_VERSION} nodes into one real CT, seeds {IMPLANT_SEEDS}",
            f"the same at {THIN_MM:g} mm, seeds {THIN_SEEDS}",
        ]
        if has_ct
        else words
    )


def main(arguments: Sequence[str]) -> None:
    """Gather, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, required=True, help="where the model goes")
    parser.add_argument("--ct", type=Path, help="real CT to implant nodes into")
    parser.add_argument("--rois", type=Path, help="masks of that CT's own nodes: what touches them is left out")
    parser.add_argument("--cache", type=Path, required=True, help="folder of the measured cases")
    options = parser.parse_args(list(arguments))
    data = gather(options.ct, options.rois, options.cache)
    options.out.write_text(json.dumps(as_json(fit(data), data, sources(options.ct is not None))) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
