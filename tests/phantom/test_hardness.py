"""What makes version 1 hard: packed muscles, pale veins, bent, matted and touching nodes, metal, prone patients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from axilla.phantom import TISSUES, CasePlan, PhantomSettings, ScannerProfile, plan_node, render_case
from axilla.phantom.nodes import STYLES, shape_node
from axilla.phantom.packing import pack
from axilla.phantom.shapes import COARSE_MM, Field, Tube
from axilla.phantom.strands import small_vessel_hu
from axilla.phantom.tissue import Enhancement

COARSE = PhantomSettings(
    shape_zyx=(64, 170, 250), spacing_xyz_mm=(1.6, 1.6, 2.25), noise_sd_hu=0, scanner=ScannerProfile(resolution_mm=0.3)
)


def _node(seed: int, status: str = "benign", **changes):
    return replace(plan_node("R", status, np.random.default_rng(seed)), level="I", **changes)


def _slab(y_mm: float) -> Field:
    """Distance to a plate 6 mm thick at depth `y_mm`."""
    y = COARSE_MM * np.arange(-20, 21)
    values = np.broadcast_to((np.abs(y - y_mm) - 3.0)[None, :, None], (6, 41, 9)).astype(np.float32)
    return Field(values, np.array([0.0, y[0], 0.0]))


def test_neighboring_muscles_meet_in_a_thin_plane_of_fat():
    body = Field(np.full((6, 41, 9), -200.0, dtype=np.float32), np.array([0.0, -60.0, 0.0]))
    far_trunk = Tube(np.array([[400.0, 0.0, 0.0], [400.0, 0.0, 9.0]]), np.array([3.0, 3.0]))
    a, b = pack([_slab(-7.5), _slab(7.5)], body, [far_trunk], 2.0)
    depths = np.linspace(-12, 12, 97)
    points = np.column_stack([np.full(97, 12.0), depths, np.full(97, 6.0)])
    inside_a, inside_b = a.at(points) < 0, b.at(points) < 0
    assert not (inside_a & inside_b).any()
    gap = depths[~inside_a & ~inside_b & (np.abs(depths) < 6)]
    assert 0.3 < np.ptp(gap) < 1.6
    assert gap.mean() == pytest.approx(0, abs=0.3)


def test_nothing_grows_around_the_axillary_vessels():
    body = Field(np.full((6, 41, 9), -200.0, dtype=np.float32), np.array([0.0, -60.0, 0.0]))
    trunk = Tube(np.array([[12.0, 0.0, 0.0], [12.0, 0.0, 15.0]]), np.array([3.0, 3.0]))
    a, _ = pack([_slab(-7.5), _slab(7.5)], body, [trunk], 2.0)
    assert a.at(np.array([[12.0, -3.0, 6.0]]))[0] > 0.5


def test_small_veins_are_as_dense_as_nodes():
    rng = np.random.default_rng(0)
    enhancement = Enhancement.draw(PhantomSettings(), rng)
    hu = np.array([small_vessel_hu(enhancement, rng) for _ in range(400)])
    cortex = STYLES["metastatic"].cortex_hu[0]
    assert abs(np.median(hu) - cortex) < 15
    assert (hu < enhancement.vein - 20).mean() > 0.6


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["benign", "metastatic"]))
def test_a_bent_node_is_itself_from_inside_and_outside(seed, status):
    rng = np.random.default_rng(seed)
    shape = shape_node(plan_node("L", status, rng), rng.normal(0, 50, 3), rng)
    surface = shape.surface(150)
    inner = shape.to_patient(0.97 * shape._to_local(surface))
    outer = shape.to_patient(1.03 * shape._to_local(surface))
    assert shape.evaluate(inner)[0].all()
    assert not shape.evaluate(outer)[0].any()


def test_crescents_open_into_the_fat():
    for seed in range(12):
        plan = _node(seed, kind="crescent", axes_mm=(16.0, 12.0, 9.0), cortex_mm=2.5)
        shape = shape_node(plan, np.zeros(3), np.random.default_rng(seed))
        surface = shape.to_patient(0.96 * shape._to_local(shape.surface(400)))
        inside, core = shape.evaluate(surface)
        assert inside.all()
        assert 0.02 < (core > 0.5).mean() < 0.6, "part of the outline is hilum: the C is open"


def test_benign_cortices_are_thin_and_crescents_curved():
    rng = np.random.default_rng(1)
    plans = [plan_node("R", "benign", rng) for _ in range(600)]
    hilar = [p for p in plans if p.kind in ("ring", "crescent")]
    assert 0.6 < len(hilar) / len(plans) < 0.85
    assert 1.2 < np.median([p.cortex_mm for p in hilar]) < 2.6
    bends = [np.abs(shape_node(p, np.zeros(3), rng).bend).max() * p.axes_mm[0] / 2 for p in hilar if p.kind == "crescent"]
    assert min(bends) >= 0.15


@pytest.fixture(scope="module")
def crowded():
    mate = _node(1, "metastatic", contact="free", kind="solid", axes_mm=(16.0, 13.0, 12.0), cortex_mm=6.0)
    matted = [_node(k, "metastatic", contact="matted", kind="solid", axes_mm=(9.0, 8.0, 7.0), cortex_mm=3.5) for k in (2, 3)]
    touching = [_node(k, contact="touching", kind="solid", axes_mm=(8.0, 6.0, 5.0), cortex_mm=2.5) for k in range(4, 8)]
    return render_case(CasePlan(replace(COARSE, clips="R", port="L"), (mate, *matted, *touching), 5))


def _near(labels, label, other, spacing_zyx):
    distance = ndimage.distance_transform_edt(~other, spacing_zyx)
    return float(distance[labels == label].min())


def test_matted_nodes_touch_and_stay_apart_in_the_truth(crowded):
    labels = crowded.truth.to_labels().array
    spacing = crowded.volume.geometry.spacing_zyx_mm
    matted = [n for n in crowded.nodes if n.status == "metastatic" and n.volume_mm3 < 700]
    assert len(matted) == 2
    for node in matted:
        others = (labels > 0) & (labels != node.label)
        assert _near(labels, node.label, others, spacing) < 2.4


def test_touching_nodes_touch_muscle_wall_or_vessel(crowded):
    labels, codes = crowded.truth.to_labels().array, crowded.anatomy.array
    solid = np.isin(codes, [TISSUES[name] for name in ("muscle", "artery", "vein", "bone")])
    touching = [n for n in crowded.nodes if n.status == "benign"]
    reach = [_near(labels, n.label, solid, crowded.volume.geometry.spacing_zyx_mm) for n in touching]
    assert np.median(reach) < 2.6


def test_clips_and_port_lie_on_their_sides(crowded):
    geometry, codes = crowded.volume.geometry, crowded.anatomy.array
    bone = ndimage.binary_dilation(codes == TISSUES["bone"], iterations=3)
    dense = geometry.to_mm(np.argwhere((crowded.volume.array > 400) & ~bone))
    assert (dense[:, 0] < -80).sum() >= 2, "clips in the right axilla"
    at = geometry.to_mm(np.argwhere(codes == TISSUES["metal"]))
    port = at[at[:, 0] > 40]
    assert len(port) > 20
    assert port[:, 1].min() < -60, "the port lies in front"
    assert crowded.volume.array.max() > 1000


def test_prone_is_the_same_patient_stored_the_other_way():
    small = replace(COARSE, shape_zyx=(20, 120, 180), spacing_xyz_mm=(2.4, 2.4, 2.5), top_mm=-30, allow_partial_axilla=True)
    plan = CasePlan(small, (_node(1), _node(2, "metastatic")), 4)
    supine, prone = render_case(plan), render_case(replace(plan, settings=replace(small, position="prone")))
    assert prone.volume.acquisition.patient_position == "HFP"
    assert prone.volume.geometry.direction[0][0] == prone.volume.geometry.direction[1][1] == -1.0
    assert prone.nodes == supine.nodes
    turned = prone.anatomy.array[:, ::-1, ::-1]
    assert (turned == supine.anatomy.array).mean() > 0.999
    for node, segment in zip(prone.nodes, prone.truth.segments, strict=True):
        assert prone.volume.geometry.to_mm(segment.indices_zyx().mean(axis=0)) == pytest.approx(node.center_xyz_mm)
    y = prone.volume.geometry.to_mm(np.argwhere(prone.anatomy.array == TISSUES["skin"]))[:, 1]
    couch = prone.volume.geometry.to_mm(np.argwhere((prone.anatomy.array == 0) & (prone.volume.array > -600)))[:, 1]
    assert np.median(couch) < np.median(y), "the couch is in front of a prone patient"
