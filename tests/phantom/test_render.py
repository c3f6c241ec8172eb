from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from axilla.errors import InvalidValueError
from axilla.phantom import (
    SCANNERS,
    TISSUES,
    CasePlan,
    CohortSettings,
    PhantomSettings,
    ScannerProfile,
    SyntheticCase,
    plan_cohort,
    plan_node,
    render,
    render_case,
)

SMALL = PhantomSettings(shape_zyx=(56, 208, 208), spacing_xyz_mm=(2.2, 2.2, 2.7))
FEW = replace(SMALL, shape_zyx=(20, 160, 160), spacing_xyz_mm=(2.6, 2.6, 2.0), top_mm=-15, allow_partial_axilla=True)
QUIET = PhantomSettings(
    shape_zyx=(92, 300, 330), spacing_xyz_mm=(1.4, 1.4, 1.8), noise_sd_hu=0, scanner=ScannerProfile(resolution_mm=0.3)
)


def _nodes(seed: int, benign: int = 7, metastatic: int = 4):
    rng = np.random.default_rng(seed)
    statuses = ["benign"] * benign + ["metastatic"] * metastatic
    return tuple(plan_node(side, status, rng) for side in ("R", "L") for status in statuses)


def _digest(case: SyntheticCase) -> str:
    array = np.ascontiguousarray(case.volume.array).tobytes() + case.truth.to_labels().array.tobytes()
    return hashlib.sha256(array + repr(case.nodes).encode()).hexdigest()


@pytest.fixture(scope="module")
def case() -> SyntheticCase:
    return render_case(CasePlan(QUIET, _nodes(5), 11))


@pytest.fixture(scope="module")
def bare() -> SyntheticCase:
    return render_case(CasePlan(QUIET, (), 11))


def _code(case: SyntheticCase, name: str):
    return case.anatomy.array == TISSUES[name]


def test_the_same_plan_gives_the_same_bytes_in_another_process():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_render as t;"
        "print(t._digest(t.render_case(t.CasePlan(t.FEW, t._nodes(2, 3, 1), 7))))"
    )
    here = str(Path(__file__).parent)
    other = subprocess.run([sys.executable, "-c", code, here], capture_output=True, text=True, check=True).stdout.strip()
    assert other == _digest(render_case(CasePlan(FEW, _nodes(2, 3, 1), 7)))
    assert other != _digest(render_case(CasePlan(FEW, _nodes(2, 3, 1), 8)))


def test_every_planned_node_is_in_the_truth_once(case):
    assert len(case.nodes) == 22
    assert [n.label for n in case.nodes] == list(range(1, 23))
    assert [s.name for s in case.truth.segments] == [n.node_id for n in case.nodes]
    assert sorted(n.status for n in case.nodes) == ["benign"] * 14 + ["metastatic"] * 8
    for side in ("R", "L"):
        heights = [n.center_xyz_mm[2] for n in case.nodes if n.side == side]
        assert len(heights) == 11
        assert heights == pytest.approx(sorted(heights, reverse=True), abs=2.5)


def test_no_node_lies_in_muscle_bone_skin_or_air(case, bare):
    under = bare.anatomy.array[case.truth.to_labels().array > 0]
    names = {code: name for name, code in TISSUES.items()}
    share = {names[c]: float((under == c).mean()) for c in np.unique(under)}
    assert share["fat"] > 0.97, share
    for name in ("air", "skin", "bone", "lung", "heart", "organ"):
        assert share.get(name, 0.0) == 0.0, share
    assert share.get("muscle", 0.0) < 0.01, share


def test_truth_agrees_with_itself(case):
    geometry = case.volume.geometry
    for node, segment in zip(case.nodes, case.truth.segments, strict=True):
        assert node.volume_mm3 == pytest.approx(segment.n_voxels * geometry.voxel_volume_mm3)
        assert geometry.to_mm(segment.indices_zyx().mean(axis=0)) == pytest.approx(node.center_xyz_mm)
        assert 0 < node.short_axis_mm <= node.long_axis_mm
        ball = np.pi / 6 * node.long_axis_mm * node.short_axis_mm**2
        assert 0.3 * ball < node.volume_mm3
        assert ndimage.label(segment.mask, np.ones((3, 3, 3)))[1] == 1


def test_the_rim_of_a_node_is_where_the_truth_says(case):
    """Solid nodes: inside near the cortex, one voxel outside mostly fat again."""
    array, labels = case.volume.array, case.truth.to_labels().array
    everything = labels > 0
    inside, outside = [], []
    for node in case.nodes:
        if node.kind != "solid" or node.short_axis_mm < 5:
            continue
        mask = labels == node.label
        core = ndimage.binary_erosion(mask, iterations=1)
        shell = ndimage.binary_dilation(mask, iterations=2) & ~ndimage.binary_dilation(mask, iterations=1) & ~everything
        inside.append(float(array[core].mean()))
        outside.append(float(np.median(array[shell])))
    assert inside
    assert min(inside) > 20
    assert np.median(outside) < -70


def test_hila_are_fat_and_count_as_node(case):
    array, labels = case.volume.array, case.truth.to_labels().array
    hilar = [n for n in case.nodes if n.kind in ("ring", "crescent") and n.volume_mm3 > 150]
    assert hilar
    assert min(float(array[labels == n.label].min()) for n in hilar) < -40
    assert any(n.kind == "crescent" for n in case.nodes)


def test_right_is_at_low_x_and_every_center_is_in_the_field(case):
    middle = case.volume.array.shape[2] / 2
    for node in case.nodes:
        index = case.volume.geometry.to_index(node.center_xyz_mm)
        assert (index[2] < middle) == (node.side == "R")
        assert bool(case.volume.geometry.contains(node.center_xyz_mm))


def test_anatomy_is_in_its_place(bare):
    array, geometry = bare.volume.array, bare.volume.geometry
    lungs, n = ndimage.label(_code(bare, "lung"))
    sizes = np.sort(ndimage.sum_labels(lungs > 0, lungs, np.arange(1, n + 1)))[::-1] * geometry.voxel_volume_mm3 / 1e6
    assert sizes[0] > 0.3
    assert array[_code(bare, "lung")].mean() == pytest.approx(-850, abs=40)
    assert array[_code(bare, "fat")].mean() == pytest.approx(-100, abs=12)
    assert array[_code(bare, "muscle")].mean() == pytest.approx(57, abs=12)
    assert array[_code(bare, "bone")].mean() > 200
    assert 120 < np.median(array[_code(bare, "vein")]) < 190
    assert 150 < np.median(array[_code(bare, "artery")]) < 290
    heart = geometry.to_mm(np.argwhere(_code(bare, "heart")).mean(axis=0))
    assert heart[0] > 0, "the heart lies to the patient's left"
    spine = np.argwhere(_code(bare, "bone"))[:, 1].mean()
    assert spine > np.argwhere(_code(bare, "heart"))[:, 1].mean(), "bone lies behind the heart on the whole"


def test_synthetic_is_said(case):
    assert case.volume.acquisition.is_synthetic
    assert case.volume.acquisition.modality == "CT"
    assert case.volume.array.dtype == np.int16
    assert case.version.startswith("phantom-")


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [((50, 150, 180), (2.5, 1.9, 3.0)), ((33, 130, 210), (2.0, 2.0, 5.0)), ((60, 100, 150), (3.0, 3.0, 0.8))],
)
def test_any_grid(shape, spacing):
    settings = PhantomSettings(shape_zyx=shape, spacing_xyz_mm=spacing, allow_partial_axilla=True)
    case = render_case(CasePlan(settings, _nodes(1, 2, 1), 3))
    assert case.volume.array.shape == case.anatomy.array.shape == shape
    assert case.volume.geometry.spacing_xyz_mm == spacing
    assert case.truth.geometry == case.volume.geometry
    assert (case.volume.array > 300).any()


def test_thick_slices_keep_the_smallest_nodes():
    settings = replace(SMALL, shape_zyx=(30, 208, 208), spacing_xyz_mm=(2.2, 2.2, 5.0))
    case = render_case(CasePlan(settings, _nodes(6, 9, 0), 5))
    assert len(case.nodes) == 18
    assert all(s.n_voxels >= 1 for s in case.truth.segments)


def test_nodes_outside_a_partial_field_are_not_in_the_truth():
    settings = PhantomSettings(shape_zyx=(30, 150, 150), spacing_xyz_mm=(3.0, 3.0, 2.0), top_mm=-70, allow_partial_axilla=True)
    case = render_case(CasePlan(settings, _nodes(1, 6, 0), 3))
    assert len(case.nodes) < 6
    assert all(bool(case.volume.geometry.contains(n.center_xyz_mm)) for n in case.nodes)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"sex": "male", "habitus": 0.0, "muscularity": 1.0}, marks=pytest.mark.slow),
        {"sex": "female", "habitus": 1.0, "gland_density": 1.0, "contrast": "arterial", "injection_side": "L"},
        pytest.param({"sex": "female", "habitus": 0.0, "muscularity": 0.0, "contrast": "none"}, marks=pytest.mark.slow),
        {"sex": "male", "habitus": 0.6, "arms": "down", "contrast": "mixed"},
    ],
)
def test_extreme_bodies_hold_their_nodes(changes):
    settings = replace(SMALL, shape_zyx=(56, 224, 224), spacing_xyz_mm=(2.0, 2.0, 2.6), **changes)
    case = render_case(CasePlan(settings, _nodes(4, 8, 4), 2))
    assert len(case.nodes) == 24


def test_noise_is_what_was_asked_for():
    settings = replace(SMALL, spacing_xyz_mm=(2.0, 2.0, 1.0), shape_zyx=(12, 200, 210), top_mm=-40, allow_partial_axilla=True)
    arrays = {sd: render_case(CasePlan(replace(settings, noise_sd_hu=sd), (), 1)).volume.array.astype(float) for sd in (0, 8, 24)}
    sds = {sd: (arrays[sd] - arrays[0])[:, 60:140, 60:150].std() for sd in (8, 24)}
    assert sds[24] / sds[8] == pytest.approx(3, rel=0.1)
    assert sds[8] == pytest.approx(8, rel=0.2)


def test_the_injected_vein_is_dense_on_its_side_only():
    settings = replace(SMALL, contrast="arterial", injection_side="L")
    case = render_case(CasePlan(settings, (), 4))
    vein = np.argwhere(_code(case, "vein") & (case.volume.array > 320))
    x = case.volume.geometry.to_mm(vein)[:, 0]
    assert (x > 40).sum() > 40
    assert (x < -60).sum() < 0.05 * len(x)


@pytest.mark.parametrize(
    "changes",
    [
        {"shape_zyx": (4, 256, 256)},
        {"shape_zyx": (1000, 1000, 1000)},
        {"spacing_xyz_mm": (0.0, 1.0, 1.0)},
        {"spacing_xyz_mm": (1.0, 1.0, float("nan"))},
        {"spacing_xyz_mm": (0.5, 0.5, 1.5)},
        {"sex": "other"},
        {"arms": "crossed"},
        {"contrast": "oral"},
        {"injection_side": "foot"},
        {"habitus": 1.4},
        {"noise_sd_hu": -1.0},
        {"noise_sd_hu": 300.0},
        {"top_mm": -40.0},
        {"node_count_per_side": (0, 4)},
        {"node_count_per_side": (9, 4)},
    ],
)
def test_nonsense_settings_are_refused(changes):
    with pytest.raises(InvalidValueError):
        PhantomSettings(**changes)


def test_nonsense_scanners_are_refused():
    with pytest.raises(InvalidValueError):
        ScannerProfile(resolution_mm=9.0)
    assert len({p.kernel for p in SCANNERS.values()}) == 4


def test_classes_differ_but_overlap():
    rng = np.random.default_rng(0)
    scores, truth = [], []
    for status in ("benign", "metastatic"):
        for _ in range(1500):
            plan = plan_node("R", status, rng)
            scores.append((plan.axes_mm[2], plan.axes_mm[2] / plan.axes_mm[0], plan.cortex_hu))
            truth.append(status == "metastatic")
    values, truth_array = np.array(scores), np.array(truth)
    for column in range(3):
        assert 0.65 < _auc(values[:, column], truth_array) < 0.92
    z = ((values - values.mean(axis=0)) / values.std(axis=0)).sum(axis=1)
    assert 0.80 < _auc(z, truth_array) < 0.96


def _auc(score, truth) -> float:
    rank = np.argsort(np.argsort(score)) + 1.0
    n1, n0 = truth.sum(), (~truth).sum()
    return float((rank[truth].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def test_a_planned_patient_renders():
    plan = plan_cohort(5, 9, CohortSettings(phantom=SMALL))[4]
    case = render(plan)
    operated = [n for n in case.nodes if n.side == plan.patient.operated_side]
    assert len(operated) == plan.patient.nodes_examined
    assert sum(n.status == "metastatic" for n in operated) == plan.patient.nodes_positive
