"""Rays, levels and the readable model behind a detection score."""

import json
from importlib import resources

import numpy as np
import pytest

from axilla.locate.likeness import node_model
from axilla.locate.star import stars

SPACING = (1.5, 1.0, 1.0)


def _points():
    z, y, x = np.mgrid[:40, :60, :60]
    return (z - 20.3) * 1.5, (y - 30.4) * 1.0, (x - 29.7) * 1.0


def _image(distance_mm):
    """Soft tissue 50 HU where the signed distance is negative, fat -100 HU outside, blurred like a CT."""
    return (-100 + 150 / (1 + np.exp(distance_mm / 0.3))).astype(np.float32)


def _star(hu, radius):
    (star,) = stars(hu, SPACING, [np.array([20.0, 30.0, 30.0])], [radius], [-25.0])
    return star


@pytest.mark.parametrize("radius", [2.0, 3.1, 5.0])
def test_a_ball_is_closed_and_measured_between_voxels(radius):
    z, y, x = _points()
    star = _star(_image(np.sqrt(z**2 + y**2 + x**2) - radius), radius)
    assert star.thickness_mm == pytest.approx(2 * radius, abs=0.5)
    assert star.open_share == 0
    assert star.through_share == 0


def test_a_tube_is_open_at_both_ends_and_its_stub_at_one():
    z, y, x = _points()
    across = np.hypot(z, x)
    tube = _star(_image(across - 2.5), 2.5)
    stub = _star(_image(np.maximum(across - 2.5, y - 2.5)), 2.5)
    assert tube.through_share > 0.05
    assert stub.through_share < 0.5 * tube.through_share
    assert tube.open_share > stub.open_share > 0


def test_a_sheet_is_more_open_than_a_tube():
    z, y, x = _points()
    sheet = _star(_image(np.abs(y) - 2.5), 2.5)
    tube = _star(_image(np.hypot(z, x) - 2.5), 2.5)
    assert sheet.open_share > 1.5 * tube.open_share


def test_the_model_is_readable_and_says_what_it_was_fitted_to():
    data = json.loads(resources.files("axilla.locate").joinpath("node_model.json").read_text(encoding="utf-8"))
    assert "phantom-1" in data["fitted_on"]
    model = node_model()
    evidence = model.evidence(model.typical)
    assert set(evidence) == {"size", "shape", "fat", "neck", "density"}
    assert all(value == pytest.approx(0) for value in evidence.values())
    better = dict(model.typical) | {"fat_contact": 1.0}
    assert model.probability(model.evidence(better)) > model.probability(evidence)
    assert set(model.weights) == set(data["terms"])
