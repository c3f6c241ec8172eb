"""The atlas: closed, outward, volume-true surfaces on any grid, and links that lead back to the CT."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from axilla.atlas import Atlas, AtlasSettings, Mesh, NodeLink, build_atlas, mesh_context, mesh_segment, signed_volume
from axilla.errors import InvalidValueError
from axilla.node import Node, Segment, Segmentation
from axilla.volume import Geometry, SliceReference, Volume


def grid(shape=(24, 48, 48), spacing=(0.8, 0.8, 2.0), direction=((1, 0, 0), (0, 1, 0), (0, 0, 1))) -> Geometry:
    rows = tuple(tuple(row) for row in np.asarray(direction, dtype=float))
    return Geometry(shape, spacing, (-12.0, 30.0, -7.0), rows)


def ball_on(geometry: Geometry, radius_mm: float, center_zyx=None) -> np.ndarray:
    center = (np.asarray(geometry.shape_zyx) - 1) / 2 if center_zyx is None else np.asarray(center_zyx)
    offset = (np.indices(geometry.shape_zyx).reshape(3, -1).T - center) * geometry.spacing_zyx_mm
    return ((offset**2).sum(axis=1) <= radius_mm**2).reshape(geometry.shape_zyx)


def node_on(mask: np.ndarray, geometry: Geometry, node_id="R01", label=1) -> Node:
    index = np.argwhere(mask)
    volume = len(index) * geometry.voxel_volume_mm3
    center = geometry.to_mm(index.mean(axis=0))
    z = int(np.bincount(index[:, 0]).argmax())
    return Node(node_id, label, node_id[0], "", tuple(center), 5.0, 6.0, volume, 40.0, 0.9, z)


def mesh_of(mask: np.ndarray, geometry: Geometry) -> Mesh:
    return mesh_segment(Segment(1, (0, 0, 0), mask), geometry, "node:R01")


def is_closed(mesh: Mesh) -> bool:
    """Every edge belongs to two faces that run along it in opposite directions."""
    edges = np.concatenate([mesh.faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))]).astype(np.int64)
    forward = edges[:, 0] * len(mesh.vertices_xyz_mm) + edges[:, 1]
    backward = edges[:, 1] * len(mesh.vertices_xyz_mm) + edges[:, 0]
    return len(np.unique(forward)) == len(forward) and np.array_equal(np.sort(forward), np.sort(backward))


SHAPES = {
    "one voxel": lambda: np.ones((1, 1, 1), dtype=bool),
    "two diagonal voxels": lambda: np.eye(2, dtype=bool)[None],
    "a line of voxels": lambda: np.ones((1, 1, 9), dtype=bool),
    "a plate of one slice": lambda: np.ones((1, 9, 9), dtype=bool),
    "a ring": lambda: (
        np.pad(np.ones((2, 9, 9), dtype=bool), 0) & ~np.pad(np.ones((2, 5, 5), dtype=bool), ((0, 0), (2, 2), (2, 2)))
    ),
    "two pieces": lambda: np.isin(np.arange(9), (0, 1, 2, 6, 7, 8))[None, None, :] & np.ones((3, 4, 9), dtype=bool),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 0.7, 3.0)])
def test_a_surface_encloses_the_volume_of_its_voxels(shape, spacing):
    geometry = grid((20, 20, 20), spacing)
    mask = np.zeros(geometry.shape_zyx, dtype=bool)
    part = SHAPES[shape]()
    mask[5 : 5 + part.shape[0], 6 : 6 + part.shape[1], 4 : 4 + part.shape[2]] = part
    mesh = mesh_of(mask, geometry)
    assert mesh.volume_mm3 == pytest.approx(mask.sum() * geometry.voxel_volume_mm3, rel=0.05)
    assert is_closed(mesh)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    spacing=st.tuples(st.floats(0.5, 1.2), st.floats(0.5, 1.2), st.floats(0.6, 4.0)),
    is_mirrored=st.booleans(),
    radius=st.floats(3.0, 9.0),
)
def test_surfaces_are_outward_and_in_place_on_any_grid(seed, spacing, is_mirrored, radius):
    direction = Rotation.random(random_state=np.random.default_rng(seed)).as_matrix()
    if is_mirrored:
        direction = direction @ np.diag([1.0, 1.0, -1.0])
    shape = tuple(int(2 * radius / s) + 5 for s in reversed(spacing))
    geometry = grid(shape, spacing, direction)
    mask = ball_on(geometry, radius)
    mesh = mesh_of(mask, geometry)
    true_mm3 = mask.sum() * geometry.voxel_volume_mm3
    assert mesh.volume_mm3 == pytest.approx(true_mm3, rel=0.05)  # positive: faces turn outward
    middle = geometry.to_mm(np.argwhere(mask).mean(axis=0))
    assert np.abs(mesh.vertices_xyz_mm.mean(axis=0) - middle).max() < 0.6
    outward = np.einsum("ij,ij->i", mesh.normals(), mesh.vertices_xyz_mm - middle)
    assert (outward > 0).mean() > 0.99


def test_a_node_at_the_edge_of_the_ct_is_closed():
    geometry = grid((10, 20, 20))
    mask = np.zeros(geometry.shape_zyx, dtype=bool)
    mask[:3, :5, :6] = True
    mesh = mesh_of(mask, geometry)
    assert is_closed(mesh)
    assert mesh.volume_mm3 == pytest.approx(mask.sum() * geometry.voxel_volume_mm3, rel=0.05)


def test_smoothing_takes_the_steps_of_thick_slices():
    """The surface of a ball on 3 mm slices stays nearer to the ball than the voxels do."""
    geometry = grid((12, 40, 40), (0.8, 0.8, 3.0))
    mesh = mesh_of(ball_on(geometry, 9.0), geometry)
    middle = geometry.to_mm((np.asarray(geometry.shape_zyx) - 1) / 2)
    distance = np.linalg.norm(mesh.vertices_xyz_mm - middle, axis=1)
    assert np.abs(distance - np.median(distance)).max() < 1.5


def test_context_stays_within_its_budget_and_its_volume():
    geometry = grid((60, 80, 80), (1.0, 1.0, 1.0))
    mask = ball_on(geometry, 25.0)
    mesh = mesh_context(mask, geometry, "bones", AtlasSettings(context_triangles={"bones": 3000}))
    assert mesh is not None
    assert len(mesh.faces) <= 3000
    assert mesh.volume_mm3 == pytest.approx(mask.sum(), rel=0.03)
    assert np.abs(mesh.vertices_xyz_mm.mean(axis=0) - geometry.to_mm((29.5, 39.5, 39.5))).max() < 1.0


def test_context_leaves_out_small_pieces_and_empty_masks():
    geometry = grid((40, 40, 40), (1.0, 1.0, 1.0))
    mask = ball_on(geometry, 4.0)  # 257 mm3
    assert mesh_context(mask, geometry, "bones") is None
    assert mesh_context(np.zeros_like(mask), geometry, "bones") is None
    assert mesh_context(mask, geometry, "bones", AtlasSettings(context_smallest_mm3=0.0)) is not None


@pytest.fixture
def case() -> tuple[Volume, Segmentation, tuple[Node, ...]]:
    geometry = grid()
    references = tuple(SliceReference(100 - z, f"2.25.{z}") for z in range(geometry.shape_zyx[0]))
    volume = Volume(np.zeros(geometry.shape_zyx, dtype=np.int16), geometry, slices=references, warnings=("thick slices",))
    right, left = ball_on(geometry, 5.0, (12, 20, 12)), ball_on(geometry, 4.0, (10, 24, 36))
    segmentation = Segmentation.from_masks(geometry, [("R01", right), ("L01", left)])
    return volume, segmentation, (node_on(right, geometry), node_on(left, geometry, "L01", 2))


def test_links_lead_to_the_slice_and_its_dicom_instance(case):
    volume, segmentation, nodes = case
    atlas = build_atlas(volume, segmentation, nodes, {"skin": np.ones(volume.array.shape, dtype=bool)})
    assert [mesh.name for mesh in atlas.meshes] == ["node:R01", "node:L01", "skin"]
    link = atlas.links[1]
    assert (link.node_id, link.label, link.side, link.slice_index) == ("L01", 2, "L", 10)
    assert (link.instance_number, link.sop_instance_uid) == (90, "2.25.10")
    assert (link.box_start_zyx, link.box_stop_zyx) == ((8, 19, 31), (13, 30, 42))
    box = np.argwhere(segmentation.to_labels().array == 2)
    assert tuple(box.min(axis=0)) == link.box_start_zyx
    assert tuple(box.max(axis=0) + 1) == link.box_stop_zyx
    assert atlas.warnings == ("thick slices",)


def test_anatomy_may_come_on_a_coarse_grid_of_its_own(case):
    volume, segmentation, nodes = case
    coarse = volume.geometry.resampled((2.4, 2.4, 2.4))
    atlas = build_atlas(volume, segmentation, nodes, {"skin": (np.ones(coarse.shape_zyx, dtype=bool), coarse)})
    assert atlas.mesh("skin").volume_mm3 == pytest.approx(np.prod(coarse.shape_zyx) * 2.4**3, rel=0.1)


def test_what_contradicts_the_ct_is_refused(case):
    volume, segmentation, nodes = case
    elsewhere = Segmentation(grid((3, 3, 3)), ())
    with pytest.raises(InvalidValueError, match="not on the CT's grid"):
        build_atlas(volume, elsewhere, (), {})
    with pytest.raises(InvalidValueError, match="has no voxel"):
        build_atlas(volume, segmentation, (replace(nodes[0], label=9),), {})
    with pytest.raises(InvalidValueError, match="does not fit"):
        build_atlas(volume, segmentation, nodes, {"skin": np.ones((2, 2, 2), dtype=bool)})
    with pytest.raises(InvalidValueError, match="not the CT's at slice"):
        build_atlas(volume, segmentation, (replace(nodes[0], sop_instance_uid="2.25.999"),), {})
    with pytest.raises(InvalidValueError, match="not one of its slices"):
        build_atlas(volume, segmentation, (replace(nodes[0], slice_index=0),), {})


def test_an_atlas_checks_itself(case):
    volume, segmentation, nodes = case
    atlas = build_atlas(volume, segmentation, nodes, {})
    with pytest.raises(InvalidValueError, match="one mesh and one link"):
        Atlas(atlas.geometry, atlas.meshes, atlas.links[:1])
    with pytest.raises(InvalidValueError, match="unique"):
        Atlas(atlas.geometry, (*atlas.meshes, atlas.meshes[0]), atlas.links)
    with pytest.raises(InvalidValueError, match="no mesh 'liver'"):
        atlas.mesh("liver")
    with pytest.raises(InvalidValueError, match="names vertex"):
        Mesh("x", np.zeros((3, 3)), np.array([[0, 1, 3]]))
    with pytest.raises(InvalidValueError, match="empty box"):
        NodeLink("R01", 1, "R", (0.0, 0.0, 0.0), 0, None, "", (0, 0, 0), (0, 1, 1))
    assert not atlas.meshes[0].vertices_xyz_mm.flags.writeable


def test_signed_volume_of_a_tetrahedron():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=float) + 1000
    outward = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    assert signed_volume(vertices, outward) == pytest.approx(1 / 6)
    assert signed_volume(vertices, outward[:, ::-1]) == pytest.approx(-1 / 6)


@pytest.mark.parametrize("wrong", [{"node_spacing_mm": 0.0}, {"other_triangles": 2}, {"context_smoothing_vox": -1.0}])
def test_settings_refuse_what_makes_no_surface(wrong):
    with pytest.raises(InvalidValueError):
        AtlasSettings(**wrong)
