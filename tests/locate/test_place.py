"""Level, distance to vessels and to the skin, on an anatomy built by hand: midline at x = 150 mm, lung apex at z = 90 mm."""

from dataclasses import replace

import numpy as np
import pytest

from axilla.anatomy import Anatomy, CoarseGrid, VesselTrace
from axilla.locate.place import PlaceSettings, Surroundings
from axilla.volume import Geometry

HALF_WIDTH_MM = 120.0
TEN_BELOW_APEX_MM = 80.0


@pytest.fixture(scope="module")
def anatomy():
    grid = CoarseGrid(Geometry((40, 40, 100), (3.0, 3.0, 3.0)), (1, 1, 1))
    body, cage, minor = (np.zeros(grid.shape_zyx, dtype=bool) for _ in range(3))
    body[:, 5:35, 5:95] = True
    cage[:, 10:30, 10:90] = True
    minor[12:30, 8:11, 70:88] = True  # 60 to 112 mm left of the midline, from 3 to 54 mm below the apex
    masks = {"body": body, "cage": cage, "pectoralis_minor_L": minor, "pectoralis_minor_R": np.zeros_like(body)}
    trace = VesselTrace("artery", np.array([[x, 60.0, 60.0] for x in np.arange(240.0, 285.0, 3.0)]), np.full(15, 2.0))
    coverage, reasons = {"L": "whole", "R": "absent"}, {"L": "", "R": ""}
    return Anatomy(grid, masks, coverage, reasons, -100.0, 55.0, 150.0, True, 150.0, 90.0, traces={"L": (trace,)})


def _left(share, height_mm=TEN_BELOW_APEX_MM):
    return np.array([150 + share * HALF_WIDTH_MM, 60.0, height_mm])


def test_levels_go_from_lateral_to_medial_and_are_empty_near_a_border(anatomy):
    around = Surroundings(anatomy)
    at = {share: around.level(_left(share), "L") for share in (1.1, 0.70, 0.3, 0.82)}
    assert [at[share].name for share in (1.1, 0.70, 0.3)] == ["I", "II", "III"]
    assert {level.source for level in at.values()} == {"landmarks"}
    assert at[0.82].name == ""
    assert at[0.82].confidence < PlaceSettings().min_confidence
    assert around.level(np.array([20.0, 60.0, TEN_BELOW_APEX_MM]), "R").name == ""


def test_an_outlined_muscle_moves_the_borders_and_makes_them_surer(anatomy):
    around = Surroundings(replace(anatomy, minor_confidence={"L": 1.0}))
    behind_its_edge = _left(0.82)
    assert around.level(behind_its_edge, "L").name == "II"
    assert around.level(behind_its_edge, "L").source == "pectoralis minor"
    assert around.level(_left(1.1), "L").name == "I"
    below_its_lower_end = _left(1.1, 90.0 - 70.0)
    assert around.level(below_its_lower_end, "L").source == "landmarks"
    unsure = Surroundings(replace(anatomy, minor_confidence={"L": 0.5})).level(behind_its_edge, "L")
    assert unsure.confidence < around.level(behind_its_edge, "L").confidence


def test_an_outline_far_from_the_landmarks_is_not_believed(anatomy):
    masks = dict(anatomy.masks) | {"pectoralis_minor_L": np.roll(anatomy.masks["pectoralis_minor_L"], -20, axis=2)}
    around = Surroundings(replace(anatomy, masks=masks, minor_confidence={"L": 1.0}))
    assert around.level(_left(0.7), "L").source == "landmarks"


def test_without_an_apex_there_is_no_level(anatomy):
    level = Surroundings(replace(anatomy, apex_mm=float("nan"))).level(_left(0.7), "L")
    assert (level.name, level.source) == ("", "")
    assert np.isnan(level.confidence)


def test_the_distance_to_a_traced_vessel_is_that_to_its_wall(anatomy):
    around = Surroundings(anatomy)
    assert around.vessel_mm(np.array([[261.0, 75.0, 60.0], [261.0, 90.0, 60.0]]), "L") == pytest.approx(13.0)
    assert around.vessel_mm(np.array([[261.0, 61.0, 60.0]]), "L") == 0
    assert (around.vessel_names("L"), around.vessel_names("R")) == ("artery", "")
    assert np.isnan(around.vessel_mm(np.array([[30.0, 75.0, 60.0]]), "R"))
    assert np.isnan(Surroundings(replace(anatomy, traces={})).vessel_mm(np.array([[261.0, 75.0, 60.0]]), "L"))


def test_the_distance_to_the_skin(anatomy):
    assert Surroundings(anatomy).skin_mm(np.array([150.0, 24.0, 60.0])) == pytest.approx(12.0)
    assert Surroundings(anatomy).skin_mm(np.array([0.0, 24.0, 60.0])) == 0
