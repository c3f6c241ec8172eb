"""The surface mesh and the diameters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from axilla.radiomics import mesh

SPACING = (1.3, 0.7, 2.1)


def ball(radius: int) -> np.ndarray:
    grid = np.indices((2 * radius + 1,) * 3) - radius
    return (grid**2).sum(axis=0) <= radius**2


def test_one_voxel_is_an_octahedron() -> None:
    surface = mesh.measure_surface(np.ones((1, 1, 1), dtype=bool), (1.0, 1.0, 1.0))
    assert surface.volume_mm3 == pytest.approx(1 / 6)
    assert surface.area_mm2 == pytest.approx(np.sqrt(3))
    assert surface.diameter_mm == 1
    assert surface.diameters_in_plane_zyx_mm == (1, 1, 1)


def test_a_cuboid_is_chamfered_at_its_edges() -> None:
    # six 3 x 3 faces, twelve bevels 3 long and sqrt(1/2) wide, eight corner triangles of side sqrt(1/2)
    surface = mesh.measure_surface(np.ones((4, 4, 4), dtype=bool), (1.0, 1.0, 1.0))
    assert surface.area_mm2 == pytest.approx(6 * 9 + 12 * 3 * np.sqrt(0.5) + 8 * np.sqrt(3) / 8)
    assert surface.volume_mm3 == pytest.approx(64 - 12 * 3 / 8 - 8 * (1 / 8 - 1 / 48))


def test_a_large_ball_approaches_the_formulas() -> None:
    surface = mesh.measure_surface(ball(20), (1.0, 1.0, 1.0))
    radius = (3 * np.count_nonzero(ball(20)) / (4 * np.pi)) ** (1 / 3)
    assert surface.volume_mm3 == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.01)
    assert surface.area_mm2 == pytest.approx(4 * np.pi * radius**2, rel=0.1)
    assert surface.diameter_mm == pytest.approx(41, abs=0.01)


@pytest.mark.parametrize("code", range(256))
def test_a_cube_and_its_complement_have_the_same_triangles_turned_over(code: int) -> None:
    ours, other = mesh.cube_triangles(code), mesh.cube_triangles(255 - code)
    np.testing.assert_array_equal(ours, other[:, ::-1])


@pytest.mark.parametrize("code", range(256))
def test_every_crossing_of_a_cube_is_a_vertex_and_nothing_else_is(code: int) -> None:
    corners = list(np.ndindex(2, 2, 2))
    inside = {corner for bit, corner in enumerate(corners) if code >> bit & 1}
    edges = [(a, b) for a in corners for b in corners if a < b and np.abs(np.subtract(a, b)).sum() == 1]
    crossings = {tuple(np.add(a, b) / 2) for a, b in edges if (a in inside) != (b in inside)}
    assert {tuple(v) for v in mesh.cube_triangles(code).reshape(-1, 3)} == crossings


@pytest.mark.parametrize("code", [c for c in range(1, 255) if bin(c).count("1") in (1, 7)])
def test_a_corner_is_cut_off_by_one_triangle(code: int) -> None:
    assert len(mesh.cube_triangles(code)) == 1


def test_a_ball_is_closed() -> None:
    """A closed surface has the same volume wherever the origin lies."""
    padded = np.pad(ball(6), 1)
    _, here = mesh.mesh_area_and_volume(padded, SPACING)
    _, there = mesh.mesh_area_and_volume(np.pad(padded, ((5, 0), (0, 0), (9, 0))), SPACING)
    assert here == pytest.approx(there, rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_diameters_equal_all_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random(rng.integers(1, 5, 3)) < 0.5
    mask.flat[0] = True
    vertices = mesh.mesh_vertices(np.pad(mask, 1))
    points = vertices * np.asarray(SPACING) / 2
    overall, in_plane = mesh.diameters(vertices, SPACING)
    assert overall == pytest.approx(pdist(points).max(), rel=1e-12)
    for axis in range(3):
        planes = [points[vertices[:, axis] == value] for value in np.unique(vertices[:, axis])]
        expected = max((pdist(plane).max() for plane in planes if len(plane) > 1), default=0)
        assert in_plane[axis] == pytest.approx(expected, rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 2))
def test_area_and_volume_equal_the_sum_over_cubes(seed: int, axis: int) -> None:
    mask = np.random.default_rng(seed).random((3, 4, 3)) < 0.6
    padded = np.pad(mask, 1)
    area = volume = 0.0
    codes = mesh.cube_codes(padded)
    for offset in np.ndindex(codes.shape):
        for a, b, c in (mesh.cube_triangles(int(codes[offset])) + offset) * SPACING:
            area += np.linalg.norm(np.cross(b - a, c - a)) / 2
            volume += a @ np.cross(b, c) / 6
    assert mesh.mesh_area_and_volume(padded, SPACING) == pytest.approx((area, volume), rel=1e-12)
