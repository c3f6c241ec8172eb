"""Synthetic nodes in a given CT: everything else stays, places are fat, the truth is on the CT's grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from axilla.anatomy import find_anatomy
from axilla.errors import InputRefusedError, InvalidValueError
from axilla.phantom import TISSUES, CasePlan, ImplantSettings, PhantomSettings, implant, render_case
from axilla.phantom.implant import measure_sharpness
from axilla.volume import Volume

SETTINGS = PhantomSettings(shape_zyx=(60, 150, 210), spacing_xyz_mm=(2.0, 2.0, 2.5), sex="male", habitus=0.6, noise_sd_hu=12)


@pytest.fixture(scope="module")
def background():
    return render_case(CasePlan(SETTINGS, (), 8))


@pytest.fixture(scope="module")
def case(background):
    return implant(background.volume, 5, 3)


def test_implants_are_there_and_say_so(case):
    assert case.volume.acquisition.is_synthetic
    assert any("Synthetic lymph nodes" in sentence for sentence in case.volume.warnings)
    assert {n.side for n in case.nodes} == {"R", "L"}
    assert 6 <= len(case.nodes) <= 10
    assert [s.name for s in case.truth.segments] == [n.node_id for n in case.nodes]
    sizes = [n.short_axis_mm for n in case.nodes]
    assert min(sizes) < 8 < max(sizes)
    assert case.truth.geometry == case.volume.geometry


def test_voxels_away_from_the_implants_are_untouched(background, case):
    changed = case.volume.array != background.volume.array
    assert changed.any()
    assert case.volume.array.dtype == background.volume.array.dtype
    at = case.volume.geometry.to_mm(np.argwhere(changed))
    centers = np.array([n.center_xyz_mm for n in case.nodes])
    reach = np.array([n.long_axis_mm for n in case.nodes])
    assert (np.linalg.norm(at[:, None] - centers, axis=2) < 1.2 * reach + 8).any(axis=1).all()
    assert changed.mean() < 0.01


def test_implants_lie_in_fat_and_replace_it(background, case):
    labels = case.truth.to_labels().array
    under = background.anatomy.array[labels > 0]
    assert (under == TISSUES["fat"]).mean() > 0.9
    for name in ("bone", "lung", "air", "skin"):
        assert (under == TISSUES[name]).mean() == 0, name
    for node in case.nodes:
        if node.kind == "solid" and node.short_axis_mm > 6:
            assert case.volume.array[labels == node.label].mean() > background.volume.array[labels == node.label].mean() + 80


def test_the_same_seed_gives_the_same_bytes(background, case):
    again, other = implant(background.volume, 5, 3), implant(background.volume, 1, 4)
    assert np.array_equal(again.volume.array, case.volume.array)
    assert again.nodes == case.nodes
    assert not np.array_equal(other.volume.array, case.volume.array)


def test_a_feet_first_flipped_ct_gets_the_same_nodes(background, case):
    volume = background.volume
    geometry = volume.geometry
    z, _, x = geometry.shape_zyx
    direction = ((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
    ox, oy, oz = geometry.to_mm((z - 1, 0, x - 1)).tolist()
    flipped = replace(
        volume, array=volume.array[::-1, :, ::-1], geometry=replace(geometry, origin_xyz_mm=(ox, oy, oz), direction=direction)
    )
    other = implant(flipped, 5, 3)
    for a, b in zip(case.nodes, other.nodes, strict=True):
        assert a.center_xyz_mm == pytest.approx(b.center_xyz_mm, abs=1e-3)
    assert np.array_equal(other.volume.array[::-1, :, ::-1], case.volume.array)


def test_sharpness_is_measured(background):
    measured = measure_sharpness(background.volume, find_anatomy(background.volume))
    assert 3 < measured.noise_sd_hu < 15
    assert 0.7 <= measured.resolution_mm <= 2.0
    assert measured.thickness_mm == 2.5


def test_a_ct_without_an_axilla_is_refused(background):
    geometry = background.volume.geometry
    with pytest.raises(InputRefusedError, match="axilla"):
        implant(Volume(np.full(geometry.shape_zyx, -1000, dtype=np.int16), geometry), 3, 1)
    with pytest.raises(InputRefusedError, match="axilla"):
        implant(background.volume.crop((slice(0, 16), slice(0, 150), slice(60, 150))), 3, 1)


@pytest.mark.parametrize(("n", "seed"), [(0, 1), (16, 1), (3, -1)])
def test_nonsense_is_refused(background, n, seed):
    with pytest.raises(InvalidValueError):
        implant(background.volume, n, seed)


@pytest.mark.parametrize(
    "changes", [{"short_axis_mm": (9.0, 4.0)}, {"touching_share": 1.2}, {"shrink": 1.0}, {"soft_share": -0.1}]
)
def test_nonsense_settings_are_refused(changes):
    with pytest.raises(InvalidValueError):
        ImplantSettings(**changes)


@pytest.mark.slow
def test_implants_in_the_real_ct(shared):
    from axilla.io import read_ct

    volume = read_ct(shared / "data" / "ct_chest_C3N-00249.zip").volume
    case = implant(volume, 6, 1)
    assert len(case.nodes) >= 11
    labels = case.truth.to_labels().array
    assert (volume.array[labels > 0] > 20).mean() < 0.06, "hardly any soft tissue lay where implants are"
    assert (case.volume.array != volume.array).mean() < 0.002
    assert case.volume.slices == volume.slices
