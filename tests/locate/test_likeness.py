"""Rays, levels and the readable model behind a detection score."""

import json
from importlib import resources

import numpy as np
import pytest

from axilla.errors import InvalidValueError
from axilla.locate.features import GROUPS, NAMES
from axilla.locate.likeness import node_model, parse_model
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
    assert any(name.startswith("phantom-1") for name in data["fitted_on"])
    assert data["measurements"] == list(NAMES)
    assert len(node_model().feature) == len(data["trees"])


TOY = {
    "intercept": -1.0,
    "measurements": ["fat_contact", "neck"],
    "trees": [
        {"feature": [0, -1, 1, -1, -1], "threshold": [0.5, 0, 0.2, 0, 0], "left": [1, 0, 3, 0, 0], "right": [2, 0, 4, 0, 0],
         "value": [0.0, -2.0, 1.0, 3.0, -1.0]},
        {"feature": [-1], "threshold": [0.0], "left": [0], "right": [0], "value": [0.5]},
    ],
}  # fmt: skip


def _row(fat_contact, neck):
    values = np.zeros(len(NAMES))
    values[NAMES.index("fat_contact")], values[NAMES.index("neck")] = fat_contact, neck
    return values


@pytest.mark.parametrize(
    ("fat", "neck", "log_odds"),
    [(0.5, 0.0, -2.5), (0.6, 0.2, 2.5), (0.6, 0.21, -1.5)],  # at the threshold a value goes left
)
def test_trees_answer_with_the_leaf_reached_and_evidence_sums_to_it(fat, neck, log_odds):
    model = parse_model(json.dumps(TOY))
    row = _row(fat, neck)
    assert model.log_odds(row[None])[0] == pytest.approx(log_odds)
    evidence = model.evidence(row)
    assert set(evidence) == set(GROUPS)
    assert model.intercept + 0.5 + sum(evidence.values()) == pytest.approx(log_odds)
    assert evidence["neck"] == pytest.approx(0.0 if fat <= 0.5 else log_odds + 0.5 - 1.0)


def test_evidence_of_the_shipped_model_sums_to_its_answer():
    model, rng = node_model(), np.random.default_rng(1)
    for row in rng.uniform(0, 3, (20, len(NAMES))):
        total = model.intercept + sum(model.evidence(row).values())
        assert model.log_odds(row[None])[0] == pytest.approx(total)


def test_a_model_of_other_measurements_is_refused():
    with pytest.raises(InvalidValueError, match="taste"):
        parse_model(json.dumps(TOY | {"measurements": ["taste"]}))
