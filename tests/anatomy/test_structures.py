"""Bones, muscles, vessels and lungs by name, against what the phantom drew."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from axilla.anatomy import find_anatomy
from axilla.locate import locate
from axilla.phantom import TISSUES, PhantomSettings, limb, trunk
from axilla.phantom.frame import Frame
from axilla.phantom.shapes import Capsules

SIDES = "RL"
CHEST, CHEST_SEED = PhantomSettings(shape_zyx=(84, 176, 264), spacing_xyz_mm=(1.7, 1.7, 2.0)), 5
"""The chest of the fixture `case`."""


@pytest.fixture(scope="module")
def frame():
    """The patient that the fixture's seed draws."""
    scene_seed = np.random.SeedSequence(CHEST_SEED).spawn(3)[0]
    return Frame.draw(CHEST, np.random.default_rng(scene_seed))


def _points(anatomy, name):
    return anatomy.grid.geometry.to_mm(np.argwhere(anatomy.masks[name]).astype(float))


def _tissue(case, anatomy, name):
    """What the phantom painted, at the middle of the coarse voxels of one mask."""
    index = np.rint(case.volume.geometry.to_index(_points(anatomy, name))).astype(int)
    index = np.minimum(index, np.array(case.anatomy.array.shape) - 1)
    return case.anatomy.array[tuple(index.T)]


def _dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


@pytest.mark.parametrize("side", SIDES)
def test_bones_are_the_ones_they_are_called(anatomy, frame, side):
    bones = {
        "ribs": (*trunk.ribs(frame, side)[0], *trunk.ribs(frame, side)[1]),
        "clavicle": (trunk.clavicle(frame, side),),
        "humerus": limb.humerus(frame, side, "raised"),
    }
    for name, tubes in bones.items():
        distance = Capsules.of(tubes).distance(_points(anatomy, f"{name}_{side}"))
        assert np.mean(distance < 3.0) > 0.8, name
    head = limb.humerus(frame, side, "raised")[0].points_xyz_mm.mean(axis=0)
    assert np.linalg.norm(_points(anatomy, f"humeral_head_{side}").mean(axis=0) - head) < 6
    blade = _points(anatomy, f"scapula_{side}")
    assert len(blade) * 0.027 > 30
    assert np.abs(blade[:, 0]).min() > np.abs(_points(anatomy, "spine")[:, 0]).max() - 15


def test_named_bones_are_bone_and_do_not_overlap(case, anatomy):
    names = ["spine", "sternum", *(f"{kind}_{side}" for kind in ("ribs", "scapula", "clavicle", "humerus") for side in SIDES)]
    total = sum(anatomy.masks[name].astype(int) for name in names)
    assert total.max() == 1
    for side in SIDES:
        assert not (anatomy.masks[f"humeral_head_{side}"] & ~anatomy.masks[f"humerus_{side}"]).any()
    named = np.count_nonzero((total > 0) & anatomy.masks["bones"])
    assert named / np.count_nonzero(anatomy.masks["bones"]) > 0.85


@pytest.mark.parametrize("side", SIDES)
def test_pectorals_are_muscle_and_lie_one_behind_the_other(case, anatomy, frame, side):
    major = _points(anatomy, f"pectoralis_major_{side}")
    assert np.mean(_tissue(case, anatomy, f"pectoralis_major_{side}") == TISSUES["muscle"]) > 0.75
    drawn = {muscle.name: muscle.shape.field() for muscle in limb.muscles(frame, side, "raised", CHEST.muscularity)}
    assert np.mean(drawn["pectoralis major"].at(major) < 6.0) > 0.7
    minor = _points(anatomy, f"pectoralis_minor_{side}")
    confidence = anatomy.minor_confidence[side]
    assert (confidence > 0) == (len(minor) > 0)
    if confidence:
        assert 0.6 <= confidence <= 1
        assert np.mean(drawn["pectoralis minor"].at(minor) < 6.0) > 0.8
        assert minor[:, 1].mean() > major[:, 1].mean()


def test_pectoralis_minor_is_told_on_this_chest(anatomy):
    assert max(anatomy.minor_confidence.values()) > 0.8


@pytest.mark.parametrize("side", SIDES)
def test_artery_and_vein_are_traced_through_blood(case, anatomy, side):
    traces = {trace.name: trace for trace in anatomy.traces[side]}
    assert set(traces) == {"artery", "vein"}
    for name, trace in traces.items():
        blood = case.volume.geometry.to_mm(np.argwhere(case.anatomy.array == TISSUES[name]))
        distance = cKDTree(blood).query(trace.points_xyz_mm)[0]
        assert np.median(distance) < 1.5, name
        assert np.percentile(distance, 80) < 3.5, name
        assert 1.5 < np.median(trace.radii_mm) < 7
        reach = np.abs(trace.points_xyz_mm[:, 0])
        assert reach[-1] > reach[0] + 40


def test_without_contrast_no_vessel_is_traced(case):
    blood = np.isin(case.anatomy.array, [TISSUES[name] for name in ("artery", "vein", "heart")])
    plain = find_anatomy(replace(case.volume, array=np.where(blood, np.int16(42), case.volume.array)))
    assert not plain.is_enhanced
    assert not any(plain.traces.values())
    assert plain.blood_hu < plain.muscle_hu + 15


def test_where_the_apex_is_cut_nothing_is_guessed_by_its_height(case):
    anatomy = find_anatomy(case.volume.crop((slice(0, 50), slice(0, 176), slice(0, 264))))
    assert np.isnan(anatomy.apex_mm)
    assert set(anatomy.minor_confidence.values()) == {0.0}
    assert not any(anatomy.traces.values())


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("part", ["whole", "lower half"])
def test_a_solid_lung_moves_neither_midline_nor_axilla(case, anatomy, side, part):
    solid = _solid(case, anatomy, side, part)
    assert solid.coverage == anatomy.coverage
    assert abs(solid.midline_mm - anatomy.midline_mm) < 8
    for name in ("axilla_R", "axilla_L"):
        assert _dice(solid.masks[name], anatomy.masks[name]) > 0.88
    assert _dice(solid.masks[f"lung_{side}"], anatomy.masks[f"lung_{side}"]) > 0.65
    assert solid.is_enhanced


def _solid(case, anatomy, side, part):
    lung = (case.anatomy.array == TISSUES["lung"]) & anatomy.mask(f"lung_{side}")
    if part == "lower half":
        slices = np.flatnonzero(lung.any(axis=(1, 2)))
        lung[slices.mean().astype(int) :] = False
    near = anatomy.mask(f"lung_{side}") & (case.volume.array < -150)
    solid = lung | near & lung.any(axis=(1, 2))[:, None, None]
    return find_anatomy(replace(case.volume, array=np.where(solid, np.int16(40), case.volume.array)))


def test_lungs_have_no_airways_and_do_not_meet(case, anatomy):
    assert not (anatomy.masks["lung_R"] & anatomy.masks["lung_L"]).any()
    airway = [np.mean(_tissue(case, anatomy, f"lung_{side}") == TISSUES["airway"]) for side in SIDES]
    assert max(airway) < 0.01


def test_metal_and_streaks_leave_the_regions_where_they_are(case, anatomy):
    array = case.volume.array.copy()
    index = np.argwhere(anatomy.mask("fat_L"))
    middle = index[len(index) // 2]
    array[middle[0] - 2 : middle[0] + 2, middle[1] - 2 : middle[1] + 2, middle[2] - 2 : middle[2] + 2] = 3000
    y, x = np.mgrid[:176, :264]
    rays = 50 * np.sign(np.sin(36 * np.arctan2(y - middle[1], x - middle[2])))
    band = slice(middle[0] - 3, middle[0] + 3)
    array[band] += (rays * (array[band] > -500)).astype(np.int16)
    metal = find_anatomy(replace(case.volume, array=array))
    assert metal.coverage == anatomy.coverage
    for name in ("axilla_R", "axilla_L"):
        assert _dice(metal.masks[name], anatomy.masks[name]) > 0.97


def test_nodes_know_what_their_level_rests_on(case):
    for node in locate(case.volume).nodes:
        assert node.measurements["level_source"] in {"pectoralis minor", "landmarks"}
        assert node.measurements["axillary_vessels"] in {"artery, vein", "vessel", ""}
