"""Anatomy over bodies, contrasts and slice thicknesses, and on the real CT: minutes long."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from axilla.anatomy import find_anatomy
from axilla.locate.place import Surroundings
from axilla.phantom import CasePlan, CohortSettings, PhantomSettings, plan_cohort, render_case

BASE = PhantomSettings(shape_zyx=(56, 230, 230), spacing_xyz_mm=(2.0, 2.0, 3.0))
CHESTS = {
    "venous": BASE,
    "without contrast": replace(BASE, contrast="none"),
    "arterial, injected R": replace(BASE, contrast="arterial", injection_side="R"),
    "thin woman": replace(BASE, habitus=0.1, muscularity=0.3),
    "obese woman": replace(BASE, habitus=0.9),
    "muscular man": replace(BASE, sex="male", habitus=0.3, muscularity=0.9),
    "arms down": replace(BASE, arms="down"),
    "prone": replace(BASE, position="prone"),
    "port and clips": replace(BASE, port="R", clips="L"),
    "noisy": replace(BASE, noise_sd_hu=25.0),
}


def _chest(settings, seed):
    cohort = CohortSettings(phantom=settings, vary_scans=False, ineligible_share=0.0)
    plan = plan_cohort(1, seed, cohort)[0].case
    return render_case(CasePlan(settings, plan.nodes, plan.seed))


@pytest.mark.slow
@pytest.mark.parametrize("name", CHESTS)
def test_every_node_lies_in_its_axilla_and_levels_that_are_given_are_right(name):
    inside = given = right = total = 0
    for seed in (101, 102):
        case = _chest(CHESTS[name], seed)
        anatomy = find_anatomy(case.volume)
        assert "absent" not in anatomy.coverage.values()
        assert anatomy.is_enhanced == (name != "without contrast")
        around = Surroundings(anatomy)
        for node in case.nodes:
            center = np.array(node.center_xyz_mm)
            index = tuple(np.rint(anatomy.grid.geometry.to_index(center)).astype(int))
            total += 1
            inside += bool(anatomy.masks[f"axilla_{node.side}"][index])
            level = around.level(center, node.side).name
            given += level != ""
            right += level == node.level
    assert inside >= total - 1
    assert given >= 0.6 * total
    assert right >= 0.95 * given


@pytest.fixture(scope="module")
def real(shared):
    from axilla.io import read_ct

    return read_ct(shared / "data" / "ct_chest_C3N-00249.zip").volume


@pytest.fixture(scope="module")
def real_anatomy(real):
    return find_anatomy(real)


def test_the_real_cts_five_rois_lie_in_the_axilla(shared, real, real_anatomy):
    from axilla.io.images import read_labels

    rois = read_labels(shared / "data" / "ct_chest_C3N-00249_rois.nii.gz")
    for label in range(1, 6):
        index = np.argwhere(rois.array == label)
        own = np.rint(real.geometry.to_index(rois.geometry.to_mm(index.astype(float)))).astype(int)
        side = "L" if label <= 2 else "R"
        assert real_anatomy.mask(f"axilla_{side}")[tuple(own.T)].all(), label


def test_the_real_cts_muscles_and_vessels_are_told(real, real_anatomy):
    for side in "RL":
        assert real_anatomy.minor_confidence[side] > 0.8
        minor = real.array[real_anatomy.mask(f"pectoralis_minor_{side}")]
        assert abs(np.median(minor) - real_anatomy.muscle_hu) < 15
        assert {trace.name for trace in real_anatomy.traces[side]} == {"artery", "vein"}
        for trace in real_anatomy.traces[side]:
            index = np.rint(real.geometry.to_index(trace.points_xyz_mm)).astype(int)
            assert np.median(real.array[tuple(index.T)]) > real_anatomy.muscle_hu + 15


@pytest.mark.parametrize(
    ("z", "x", "coverage"),
    [
        ((96, 102), (0, 512), {"R": "absent", "L": "absent"}),  # neck
        ((0, 32), (0, 512), {"R": "absent", "L": "absent"}),  # abdomen
        ((0, 45), (0, 512), {"R": "absent", "L": "absent"}),  # abdomen and the lungs' bases
        ((0, 80), (0, 512), {"R": "partial", "L": "partial"}),  # apices cut
        ((0, 102), (60, 512), {"R": "partial", "L": "whole"}),  # right arm cut
        ((0, 102), (0, 450), {"R": "whole", "L": "partial"}),  # left arm cut
        ((0, 102), (0, 256), {"R": "absent", "L": "absent"}),  # half a chest
    ],
)
def test_a_part_of_the_real_ct_says_what_it_holds(real, z, x, coverage):
    anatomy = find_anatomy(real.crop((slice(*z), slice(0, 512), slice(*x))))
    assert dict(anatomy.coverage) == coverage
    for side, answer in coverage.items():
        assert (anatomy.reasons[side] == "") == (answer == "whole")
        assert (not anatomy.masks[f"axilla_{side}"].any()) == (answer == "absent")


@pytest.mark.slow
@pytest.mark.parametrize("side", "RL")
@pytest.mark.parametrize("part", ["whole", "lower half"])
def test_a_solid_lung_in_the_real_ct_leaves_the_axillae_in_place(real, real_anatomy, side, part):
    lung = real_anatomy.mask(f"lung_{side}")
    solid = lung | ndimage.binary_dilation(lung, iterations=2) & (real.array < -150)
    if part == "lower half":
        slices = np.flatnonzero(solid.any(axis=(1, 2)))
        solid[int(slices.mean()) :] = False
    anatomy = find_anatomy(replace(real, array=np.where(solid, np.int16(40), real.array)))
    assert dict(anatomy.coverage) == {"R": "whole", "L": "whole"}
    for name in ("axilla_R", "axilla_L"):
        both = anatomy.masks[name] & real_anatomy.masks[name]
        total = np.count_nonzero(anatomy.masks[name]) + np.count_nonzero(real_anatomy.masks[name])
        assert 2 * np.count_nonzero(both) / total > 0.88


def test_the_outlined_muscle_corrects_the_real_cts_levels(real, real_anatomy):
    around = Surroundings(real_anatomy)
    lateral_to_the_muscle = {"L2": (417, 242, 88), "R1": (114, 235, 87), "R2": (133, 245, 81)}
    for name, (x, y, z) in lateral_to_the_muscle.items():
        level = around.level(real.geometry.to_mm((z, y, x)), name[0])
        assert (level.name, level.source) == ("I", "pectoralis minor")
