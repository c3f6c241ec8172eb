"""Anatomy on a synthetic chest whose tissues are known: where things lie, and what is said when they are not in the field."""

from dataclasses import replace

import numpy as np
import pytest

from axilla.anatomy import CoarseGrid, find_anatomy
from axilla.errors import InvalidValueError
from axilla.volume import Geometry, Volume


def _crop(volume, z=slice(None), y=slice(None), x=slice(None)):
    shape = volume.array.shape
    return volume.crop(tuple(slice(*s.indices(n)) for s, n in zip((z, y, x), shape, strict=True)))


def test_a_whole_chest_is_whole_on_both_sides(anatomy):
    assert dict(anatomy.coverage) == {"R": "whole", "L": "whole"}
    assert dict(anatomy.reasons) == {"R": "", "L": ""}
    assert -115 < anatomy.fat_hu < -85
    assert 40 < anatomy.muscle_hu < 75
    assert anatomy.is_enhanced


def test_masks_agree_with_the_tissues_painted(case, anatomy):
    codes = {name: code for code, name in case.anatomy.names.items()}
    lung = case.anatomy.array == codes["lung"]
    found = anatomy.mask("lungs")
    assert 2 * np.count_nonzero(lung & found) / (lung.sum() + found.sum()) > 0.9
    body = anatomy.mask("body")
    assert body[lung].mean() > 0.99
    assert not body[:, :2].any()


def test_sides_lie_on_their_side_and_do_not_meet(case, anatomy):
    right, left = anatomy.mask("axilla_R"), anatomy.mask("axilla_L")
    assert not (right & left).any()
    x = lambda mask: case.volume.geometry.to_mm(np.argwhere(mask))[:, 0].mean()  # noqa: E731
    assert x(right) < x(left)


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("flips", [(), (0,), (1, 2)])
def test_orientation_does_not_matter(case, anatomy, axes, flips):
    turned = reorient(case.volume, axes, flips)
    other = find_anatomy(turned)
    for name in anatomy.masks:
        np.testing.assert_array_equal(anatomy.masks[name], other.masks[name], err_msg=name)
    for side, traces in anatomy.traces.items():
        for own, turned_one in zip(traces, other.traces[side], strict=True):
            np.testing.assert_allclose(own.points_xyz_mm, turned_one.points_xyz_mm, atol=1e-6)
    back = undo(other.mask("axilla_R"), axes, flips)
    np.testing.assert_array_equal(back, anatomy.mask("axilla_R"))


def test_without_lungs_there_is_no_axilla(case):
    top = _crop(case.volume, z=slice(-8, None))
    anatomy = find_anatomy(top)
    assert dict(anatomy.coverage) == {"R": "absent", "L": "absent"}
    assert not anatomy.masks["axilla_R"].any()
    assert "lung" in anatomy.reasons["R"]


def test_a_cut_apex_is_partial(case):
    anatomy = find_anatomy(_crop(case.volume, z=slice(None, 55)))
    assert "whole" not in anatomy.coverage.values()
    assert "above" in anatomy.reasons["R"] or anatomy.coverage["R"] == "absent"


def test_a_laterally_cut_side_is_not_whole_and_the_other_is(case):
    body = np.flatnonzero(find_anatomy(case.volume).mask("body").any(axis=(0, 1)))
    anatomy = find_anatomy(_crop(case.volume, x=slice(int(body[0]) + 25, None)))
    assert anatomy.coverage["R"] != "whole"
    assert anatomy.coverage["L"] == "whole"


@pytest.mark.parametrize("kind", ["head", "limb", "two limbs", "gas"])
def test_other_body_parts_hold_no_axilla(kind):
    anatomy = find_anatomy(_other_part(kind))
    assert set(anatomy.coverage.values()) == {"absent"}
    assert all(anatomy.reasons.values())
    assert not any(anatomy.masks[f"axilla_{side}"].any() for side in "RL")


def _other_part(kind):
    """A head with skull and sinuses, one limb or two with a bone, or a trunk full of gas."""
    z, y, x = np.mgrid[:60, :110, :110] * 3.0
    hu = np.full(z.shape, -1000.0)
    if kind == "head":
        radius = np.sqrt(((x - 165) / 75) ** 2 + ((y - 165) / 95) ** 2 + ((z - 60) / 90) ** 2)
        hu[radius < 1] = 900
        hu[radius < 0.9] = 35
        hu[np.hypot((x - 165) / 25, (y - 95) / 14) < 1] = -1000
    for middle in {"limb": [165], "two limbs": [90, 240]}.get(kind, []):
        away = np.hypot(x - middle, y - 165)
        for radius, value in ((55, -100), (45, 55), (14, 900), (9, 30)):
            hu[away < radius] = value
    if kind == "gas":
        hu[np.hypot((x - 165) / 1.4, y - 165) < 100] = 40
        hu[np.hypot(x - 165, y - 250) < 18] = 500
        for middle in (90, 240):
            hu[(np.hypot(x - middle, y - 165) < 55) & (z > 20) & (z < 150)] = -1000
    noise = np.random.default_rng(0).normal(0, 8, hu.shape)
    return Volume((hu + noise).astype(np.int16), Geometry(hu.shape, (3.0, 3.0, 3.0)))


def test_air_alone_has_nothing_in_it():
    geometry = Geometry((20, 30, 30), (2.0, 2.0, 3.0))
    anatomy = find_anatomy(Volume(np.full(geometry.shape_zyx, -1000, dtype=np.int16), geometry))
    assert set(anatomy.coverage.values()) == {"absent"}
    assert "body" in anatomy.reasons["L"]


@pytest.mark.parametrize(("columns", "border"), [((0.0, 0.5), "left"), ((0.5, 1.0), "right")])
def test_a_chest_cut_through_gives_no_axilla(case, columns, border):
    n = case.volume.geometry.shape_zyx[2]
    first, last = (round(share * n) for share in columns)
    half = case.volume.crop((slice(None), slice(None), slice(first, last)))
    anatomy = find_anatomy(half)
    assert set(anatomy.coverage.values()) == {"absent"}
    assert f"cut by the {border} border" in anatomy.reasons["R"]


def test_an_axilla_cut_off_is_not_called_whole(case):
    n = case.volume.geometry.shape_zyx[2]
    anatomy = find_anatomy(case.volume.crop((slice(None), slice(None), slice(0, round(0.65 * n)))))
    assert anatomy.coverage["L"] != "whole"
    assert anatomy.coverage["R"] == "whole"


def test_a_chest_turned_back_to_front_is_told(case):
    array = np.ascontiguousarray(case.volume.array[:, ::-1])
    anatomy = find_anatomy(replace(case.volume, array=array))
    assert set(anatomy.coverage.values()) == {"absent"}
    assert "orientation" in anatomy.reasons["R"]


def test_coarse_grid_covers_the_ct_exactly():
    geometry = Geometry((10, 21, 31), (0.9, 0.8, 2.5), (5.0, -7.0, 11.0))
    grid = CoarseGrid.near(geometry, 3.0)
    assert grid.factors_zyx == (1, 4, 3)
    first = grid.geometry.to_mm((0, 0, 0))
    np.testing.assert_allclose(first, geometry.to_mm((0, 1.5, 1.0)))
    assert grid.to_ct(np.ones(grid.shape_zyx, dtype=bool)).shape == geometry.shape_zyx


def test_unknown_masks_are_refused(anatomy):
    with pytest.raises(InvalidValueError, match="no mask 'liver'"):
        anatomy.mask("liver")


def reorient(volume, axes, flips):
    """The same CT stored with other axis order and directions."""
    geometry = volume.geometry
    array = np.flip(np.transpose(volume.array, axes), flips)
    start = np.zeros(3)
    for new, old in enumerate(axes):
        start[old] = geometry.shape_zyx[old] - 1 if new in flips else 0
    columns = np.asarray(geometry.direction)[:, ::-1]
    turned = np.stack([columns[:, old] * (-1 if new in flips else 1) for new, old in enumerate(axes)], axis=1)
    spacing = [geometry.spacing_zyx_mm[old] for old in axes]
    other = Geometry(array.shape, tuple(spacing[::-1]), tuple(geometry.to_mm(start)), tuple(map(tuple, turned[:, ::-1])))
    return replace(volume, array=np.ascontiguousarray(array), geometry=other, slices=())


def undo(array, axes, flips):
    return np.transpose(np.flip(array, flips), np.argsort(axes))
