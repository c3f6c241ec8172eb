"""Pictures of nodes: the right place, the right side, the right size, whatever the grid."""

from __future__ import annotations

import io
import itertools
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from axilla.errors import InvalidValueError
from axilla.figures import SMALL, PictureSettings, contact_sheet, node_picture
from axilla.figures.ct import AXIAL, AXIAL_PLAIN, CONTEXT, CORONAL, SAGITTAL
from axilla.node import Segmentation
from axilla.volume import to_canonical

PLAIN = PictureSettings(panels=(AXIAL_PLAIN,), panel_px=200, format="image/png")


def pixels(drawing) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(drawing.data)).convert("L")).astype(float)


def inner(image: np.ndarray, margin: int = 25) -> np.ndarray:
    """Without letters and scale bar at the edges."""
    return image[margin:-margin, margin:-margin]


def bright_box_px(image: np.ndarray) -> tuple[int, int, int, int]:
    """First and last row and column of the bright node."""
    hit = np.argwhere(inner(image) > 150)
    (top, left), (bottom, right) = hit.min(axis=0), hit.max(axis=0)
    return top + 25, bottom + 25, left + 25, right + 25


def test_a_node_has_its_true_size_and_lies_in_the_middle(small_case):
    top, bottom, left, right = bright_box_px(pixels(node_picture(*_args(small_case), settings=PLAIN)))
    px_per_mm = 200 / 50
    assert right - left + 1 == pytest.approx(12 * px_per_mm, abs=4)  # 12 voxels of 1 mm along x
    assert bottom - top + 1 == pytest.approx(10 * px_per_mm, abs=4)  # 10 along y
    assert (left + right) / 2 == pytest.approx(99.5, abs=2)
    assert (top + bottom) / 2 == pytest.approx(99.5, abs=2)


def test_thick_slices_keep_their_height_in_coronal_and_sagittal_panels(small_case):
    picture = node_picture(
        *_args(small_case), settings=PictureSettings(panels=(CORONAL, SAGITTAL), panel_px=200, format="image/png")
    )
    image = pixels(picture)
    for panel, width_mm in ((image[:, :200], 12), (image[:, 203:], 10)):
        top, bottom, left, right = bright_box_px(panel)
        assert bottom - top + 1 == pytest.approx(3 * 3 * 4, abs=6)  # 3 slices of 3 mm at 4 pixels a mm
        assert right - left + 1 == pytest.approx(width_mm * 4, abs=5)


def test_the_patients_right_is_on_the_images_left(small_case):
    settings = PictureSettings(panels=(CONTEXT,), panel_px=200, smallest_field_mm=15.0, format="image/png")
    columns = []
    for node in small_case.nodes:
        image = pixels(node_picture(small_case.volume, small_case.segmentation, node, settings=settings))
        columns.append(np.argwhere(image[25:170, 16:-16] > 110)[:, 1].mean() + 16)
    assert columns[0] == pytest.approx(100 + (19.5 - 39.5) * 200 / 74.2, abs=3)  # R01, middle of the body at x = 39.5
    assert columns[1] == pytest.approx(100 + (62.5 - 39.5) * 200 / 74.2, abs=3)  # L01


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", [(False, False, False), (True, False, True), (False, True, True)])
def test_every_orientation_gives_the_same_picture(case_maker, small_case, axes, flips):
    turned = case_maker(axes, flips)
    assert np.array_equal(to_canonical(turned.volume.array, turned.volume.geometry), small_case.volume.array)
    settings = PictureSettings(panel_px=80, format="image/png")
    for number in range(2):
        expected = node_picture(small_case.volume, small_case.segmentation, small_case.nodes[number], 2, settings)
        found = node_picture(turned.volume, turned.segmentation, turned.nodes[number], 2, settings)
        assert np.abs(pixels(found) - pixels(expected)).max() <= 1


def test_the_outline_lies_on_the_nodes_edge(small_case):
    plain = node_picture(*_args(small_case), settings=PLAIN)
    outlined = node_picture(*_args(small_case), settings=PictureSettings(panels=(AXIAL,), panel_px=200, format="image/png"))
    rgb = np.asarray(Image.open(io.BytesIO(outlined.data)).convert("RGB")).astype(int)
    colored = np.argwhere(rgb[..., 0] - rgb[..., 2] > 60)
    top, bottom, left, right = bright_box_px(pixels(plain))
    assert np.abs(colored.min(axis=0) - (top, left)).max() <= 3
    assert np.abs(colored.max(axis=0) - (bottom, right)).max() <= 3


def test_a_node_at_the_edge_of_the_ct_has_a_picture(small_case):
    small = small_case.volume.geometry.crop((slice(9, 12), slice(20, 30), slice(14, 26)))
    volume = small_case.volume.crop((slice(9, 12), slice(20, 30), slice(14, 26)))
    labels = small_case.segmentation.to_labels().array[9:12, 20:30, 14:26]
    segmentation = Segmentation.from_masks(small, [("R01", labels == 1)])
    image = pixels(node_picture(volume, segmentation, small_case.nodes[0], settings=PLAIN))
    assert image[100, 100] > 150
    assert image[60, 60] < 30


def test_pictures_for_a_study_are_small_and_equal_input_gives_equal_bytes(small_case):
    first, second = (node_picture(*_args(small_case), settings=SMALL) for _ in range(2))
    assert first.data == second.data
    assert len(first.data) < 15_000
    assert first.media_type == "image/jpeg"
    assert "R01" in first.alt
    assert "instance 10" in first.alt


def test_numbers_say_what_is_shown(small_case):
    numbers = node_picture(*_args(small_case)).numbers
    assert numbers["panel"].tolist() == ["context", "axial plain", "axial", "coronal", "sagittal"]
    assert numbers["slice_index"].tolist()[1:3] == [9, 9]
    assert 20 <= numbers["slice_index"].tolist()[3] < 30
    assert numbers["field_mm"].tolist()[1] == 50.0


def test_contact_sheet_shows_every_node_at_one_scale(small_case):
    sheet = contact_sheet(small_case.volume, small_case.segmentation, small_case.nodes, {"R01": 2}, columns=2)
    assert sheet.size_px == (303, 150)
    assert sheet.numbers["node_id"].tolist() == ["R01", "L01"]
    with pytest.raises(InvalidValueError, match="at least one node"):
        contact_sheet(small_case.volume, small_case.segmentation, ())


def test_wrong_use_is_refused(small_case):
    volume, segmentation, node = _args(small_case)
    with pytest.raises(InvalidValueError, match="no voxel"):
        node_picture(volume, segmentation, replace(node, label=7))
    with pytest.raises(InvalidValueError, match="not on the CT's grid"):
        node_picture(volume.crop((slice(0, 5), slice(0, 60), slice(0, 80))), segmentation, node)
    with pytest.raises(InvalidValueError, match="Panels are of"):
        PictureSettings(panels=("oblique",))
    with pytest.raises(InvalidValueError, match="A picture is"):
        PictureSettings(format="image/gif")


def _args(case):
    return case.volume, case.segmentation, case.nodes[0]


def test_the_text_says_where_the_node_is_outlined_and_where_boxed(small_case):
    small = node_picture(*_args(small_case), settings=SMALL).alt
    assert "outlined in the axial and coronal views, boxed in the whole slice;" in small
    assert "outlined in the axial view;" in node_picture(*_args(small_case), settings=PictureSettings(panels=(AXIAL,))).alt
