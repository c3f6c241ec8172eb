"""The atlas drawn without a graphics card."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from axilla.atlas import Atlas, build_atlas
from axilla.errors import InvalidValueError
from axilla.figures import SceneSettings, overview

ONE_VIEW = SceneSettings(turns_deg=(0.0,), view_px=200, has_close_views=False)


@pytest.fixture
def atlas(small_case) -> Atlas:
    body = np.asarray(small_case.volume.array > -500)
    return build_atlas(small_case.volume, small_case.segmentation, small_case.nodes, {"skin": body})


def colored(drawing, color) -> np.ndarray:
    """Rows and columns of pixels of about a color's hue."""
    rgb = np.asarray(Image.open(io.BytesIO(drawing.data)).convert("RGB")).astype(float)
    unit = rgb / np.maximum(np.linalg.norm(rgb, axis=2, keepdims=True), 1)
    return np.argwhere(unit @ (np.asarray(color) / np.linalg.norm(color)) > 0.985)


def test_nodes_are_drawn_where_the_numbers_say(atlas):
    drawing = overview(atlas, {"R01": 1, "L01": 2}, ONE_VIEW)
    numbers = drawing.numbers.set_index("node_id")
    assert numbers.loc["R01", "x_px"] < 100 < numbers.loc["L01", "x_px"]  # seen from the front: right on the left
    assert numbers.loc["R01", "y_px"] < numbers.loc["L01", "y_px"]  # nearer to the head is higher
    row, column = np.median(colored(drawing, (0xD5, 0x5E, 0x00)), axis=0)
    assert abs(column - numbers.loc["L01", "x_px"]) < 25
    assert abs(row - numbers.loc["L01", "y_px"]) < 12


def test_turning_brings_the_right_side_forward(atlas):
    settings = SceneSettings(turns_deg=(0.0, 50.0, -50.0), view_px=120, has_close_views=False)
    numbers = overview(atlas, settings=settings).numbers
    x = numbers[numbers["node_id"] == "R01"].set_index("turn_deg")["x_px"]
    assert abs(x[50] - 60) < abs(x[0] - 60)


def test_each_axilla_with_nodes_is_shown_close(atlas):
    drawing = overview(atlas, settings=SceneSettings(turns_deg=(0.0,), view_px=120))
    close = drawing.numbers[drawing.numbers["view"] != "whole"]
    assert close[["view", "node_id"]].to_numpy().tolist() == [["R", "R01"], ["L", "L01"]]
    assert close["x_px"].tolist() == [30.0, 30.0]  # a lone node lies in the middle of its view of half the width
    assert "close to each axilla" in drawing.alt
    assert drawing.size_px[0] == 120


def test_surfaces_have_no_holes(atlas):
    """No white pixel inside the solid ball that a node is."""
    drawing = overview(atlas, {"R01": 1}, SceneSettings(turns_deg=(0.0,), view_px=400, supersampling=1))
    rgb = np.asarray(Image.open(io.BytesIO(drawing.data)).convert("RGB")).astype(float)
    place = drawing.numbers.query("view == 'whole' and node_id == 'R01'").iloc[0]
    x, y = int(place["x_px"]), int(place["y_px"])
    patch = rgb[y - 8 : y + 8, x - 12 : x + 12]
    assert (patch[..., 2] - patch[..., 0]).min() > 30  # blue everywhere


def test_many_nodes_keep_their_names_apart():
    from axilla.figures.scene import _spread_rows

    rows = _spread_rows([50.0] * 10, 13, 200)
    assert np.diff(rows).min() >= 13 - 1e-9
    assert rows[0] > 0
    assert rows[-1] < 200
    crowded = _spread_rows([5.0] * 40, 13, 200)
    assert np.diff(crowded).min() > 4
    assert crowded[-1] < 200


def test_equal_atlases_give_equal_bytes(atlas):
    assert overview(atlas, settings=ONE_VIEW).data == overview(atlas, settings=ONE_VIEW).data


def test_an_empty_atlas_is_refused(atlas):
    with pytest.raises(InvalidValueError, match="nothing to draw"):
        overview(Atlas(atlas.geometry, (), ()))
