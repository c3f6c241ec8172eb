"""The surface of a mask: area, enclosed volume and diameters. Arrays only.

The surface is the marching-cubes mesh (Lorensen & Cline 1987, SIGGRAPH 21(4):163-169) of the binary mask at level 0.5: every
vertex is the middle of an edge between a voxel inside and a neighbor outside. The case table is made here from a rule:

1. On each face of a cube of eight voxels a segment cuts each run of inside corners off; where two diagonal corners of a face
   are inside, each is cut off alone. If the corner ``(1, 1, 0)`` is inside, inside and outside change roles first. The segments
   chain to polygons.
2. A polygon is split into triangles from one of its vertices: from the one that makes the fewest planes, or, for the polygon
   of seven vertices, from the one on its plane of mirror symmetry.

This reproduces the area and the volume of PyRadiomics' ``cShape`` for each of the 256 cubes at any spacing. The rule does not
close the surface everywhere (two cubes may disagree on the face they share), so that the volume depends on where the origin
lies: it is the outer corner voxel of the mask's box, padded by one voxel.
"""

from __future__ import annotations

import itertools
from functools import cache, lru_cache

import numpy as np

from axilla.volume import FloatArray, TripleFloat, TripleInt

_CORNERS_ZYX: tuple[TripleInt, ...] = tuple((z, y, x) for z, y, x in itertools.product((0, 1), repeat=3))
"""Corners of a cube; corner k is bit k of its code."""

_ROLE_CORNER_ZYX = (1, 1, 0)
"""Where this corner is inside, the table describes the outside."""

_Vertex = tuple[float, ...]
_Polygon = tuple[_Vertex, ...]


@lru_cache(maxsize=32)
def cube_measures(spacing_zyx_mm: TripleFloat) -> tuple[FloatArray, FloatArray]:
    """What one cube of each kind adds to area and volume.

    A cube at offset t adds ``det(a + t, b + t, c + t) / 6`` to the volume for each of its triangles abc, which is
    ``(det(a, b, c) + t . (a x b + b x c + c x a)) / 6``.

    Returns
    -------
    area_mm2 : ndarray, shape (256,)
    volume_mm3 : ndarray, shape (256, 4)
        Of a cube at the origin, then what each step of its offset along z, y, x adds.
    """
    area, volume = np.zeros(256), np.zeros((256, 4))
    for code in range(256):
        a, b, c = np.moveaxis(cube_triangles(code) * spacing_zyx_mm, 1, 0)
        area[code] = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
        normal = (np.cross(a, b) + np.cross(b, c) + np.cross(c, a)).sum(axis=0)
        volume[code] = [np.einsum("ij,ij->", a, np.cross(b, c)), *(normal * spacing_zyx_mm)]
    return area, volume / 6


@cache
def cube_triangles(code: int) -> FloatArray:
    """Triangles ``(n, 3, 3)`` of one cube: vertices as (z, y, x) in voxels; normals point out of the mask."""
    inside = {corner for bit, corner in enumerate(_CORNERS_ZYX) if code >> bit & 1}
    reverse = _ROLE_CORNER_ZYX in inside
    if reverse:
        inside = set(_CORNERS_ZYX) - inside
    triangles = [triangle for polygon in _polygons(inside) for triangle in _fan(polygon, _apex(polygon))]
    array = np.asarray(triangles, dtype=np.float64).reshape(-1, 3, 3)
    return array[:, ::-1] if reverse else array


def _polygons(inside: set[TripleInt]) -> list[_Polygon]:
    """The closed polygons that separate the inside corners of a cube from the others."""
    following: dict[_Vertex, _Vertex] = {}
    for ring in _face_rings():
        for start in range(4):
            if ring[start - 1] in inside or ring[start] not in inside:
                continue
            end = start
            while ring[(end + 1) % 4] in inside:
                end += 1
            entry, leave = _middle(ring[start - 1], ring[start]), _middle(ring[end % 4], ring[(end + 1) % 4])
            following[entry] = leave
    polygons = []
    while following:
        polygon = [min(following)]
        while (vertex := following.pop(polygon[-1])) != polygon[0]:
            polygon.append(vertex)
        polygons.append(tuple(polygon))
    return polygons


@cache
def _face_rings() -> tuple[tuple[TripleInt, ...], ...]:
    """The four corners of each face, in one sense of rotation as seen from outside the cube."""
    rings = []
    for axis, side in itertools.product(range(3), (0, 1)):
        ring = []
        for first, second in ((0, 0), (1, 0), (1, 1), (0, 1)):
            corner = [0, 0, 0]
            corner[axis], corner[(axis + 1) % 3], corner[(axis + 2) % 3] = side, first, second
            ring.append((corner[0], corner[1], corner[2]))
        rings.append(tuple(ring if side else ring[::-1]))
    return tuple(rings)


def _middle(a: TripleInt, b: TripleInt) -> _Vertex:
    return tuple((p + q) / 2 for p, q in zip(a, b, strict=True))


def _fan(polygon: _Polygon, apex: int) -> list[tuple[_Vertex, _Vertex, _Vertex]]:
    """The polygon's triangles that all meet in one vertex."""
    turned = polygon[apex:] + polygon[:apex]
    return [(turned[0], turned[k], turned[k + 1]) for k in range(1, len(polygon) - 1)]


def _apex(polygon: _Polygon) -> int:
    """The vertex to split a polygon from."""
    choices = range(len(polygon))
    if len(polygon) == 7:
        return next(k for k in choices if _is_mirrored(polygon, k))
    return min(choices, key=lambda k: _n_planes(polygon, k))


def _is_mirrored(polygon: _Polygon, apex: int) -> bool:
    """Whether the vertices left and right of one are equally far from it."""
    points = np.asarray(polygon)
    distance = np.linalg.norm(np.roll(points, -apex, axis=0) - points[apex], axis=1)
    return bool(np.allclose(distance[1:], distance[:0:-1]))


def _n_planes(polygon: _Polygon, apex: int) -> int:
    """How many planes the triangles of a fan lie in."""
    planes = set()
    for a, b, c in np.asarray(_fan(polygon, apex)):
        normal = np.cross(b - a, c - a)
        normal /= np.linalg.norm(normal)
        planes.add(tuple(np.round([*normal, normal @ a], 6) + 0.0))
    return len(planes)
