"""The surface mesh."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axilla.kernels.surface import mesh_counts, squared_diameters
from axilla.radiomics import mesh

SPACING = (1.3, 0.7, 2.1)
CUBIC = (1.0, 1.0, 1.0)


def ball(radius: int) -> np.ndarray:
    grid = np.indices((2 * radius + 1,) * 3) - radius
    return (grid**2).sum(axis=0) <= radius**2


def measure(padded: np.ndarray, spacing: tuple[float, float, float] = SPACING) -> tuple[float, float]:
    """Area and volume."""
    cubes, _ = mesh_counts(padded)
    area, volume = mesh.cube_measures(spacing)
    return cubes[:, 0] @ area, (cubes * volume).sum()


def test_one_voxel_is_an_octahedron() -> None:
    area, volume = measure(np.pad(np.ones((1, 1, 1), dtype=bool), 1), CUBIC)
    assert volume == pytest.approx(1 / 6)
    assert area == pytest.approx(np.sqrt(3))


def test_a_cuboid_is_chamfered_at_its_edges() -> None:
    # six 3 x 3 faces, twelve bevels 3 long and sqrt(1/2) wide, eight corner triangles of side sqrt(1/2)
    area, volume = measure(np.pad(np.ones((4, 4, 4), dtype=bool), 1), CUBIC)
    assert area == pytest.approx(6 * 9 + 12 * 3 * np.sqrt(0.5) + 8 * np.sqrt(3) / 8)
    assert volume == pytest.approx(64 - 12 * 3 / 8 - 8 * (1 / 8 - 1 / 48))


def test_a_large_ball_approaches_the_formulas() -> None:
    padded = np.pad(ball(20), 1)
    area, volume = measure(padded, CUBIC)
    radius = (3 * np.count_nonzero(padded) / (4 * np.pi)) ** (1 / 3)
    assert volume == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.01)
    assert area == pytest.approx(4 * np.pi * radius**2, rel=0.1)
    assert np.sqrt(squared_diameters(padded, np.full(3, 0.5))[0]) == pytest.approx(41, abs=0.01)


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
    _, here = measure(padded)
    _, there = measure(np.pad(padded, ((5, 0), (0, 0), (9, 0))))
    assert here == pytest.approx(there, rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_area_and_volume_equal_the_sum_over_cubes(seed: int) -> None:
    mask = np.random.default_rng(seed).random((3, 4, 3)) < 0.6
    padded = np.pad(mask, 1)
    area = volume = 0.0
    corners = list(np.ndindex(2, 2, 2))
    for offset in np.ndindex(*(np.array(padded.shape) - 1)):
        code = sum(int(padded[tuple(np.add(offset, corner))]) << bit for bit, corner in enumerate(corners))
        for a, b, c in (mesh.cube_triangles(code) + offset) * SPACING:
            area += np.linalg.norm(np.cross(b - a, c - a)) / 2
            volume += a @ np.cross(b, c) / 6
    assert measure(padded) == pytest.approx((area, volume), rel=1e-12)
