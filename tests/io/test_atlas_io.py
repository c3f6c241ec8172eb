"""atlas.glb and atlas.json: valid glTF, and a matrix that leads every node back to its place in the patient."""

from __future__ import annotations

import json

import numpy as np
import pytest
import trimesh

from axilla.atlas import Atlas, build_atlas
from axilla.errors import InputRefusedError
from axilla.io.atlas import GROUP_COLORS, read_atlas, write_atlas
from axilla.node import Node, Segmentation
from axilla.volume import Acquisition, Geometry, SliceReference, Volume

CENTERS_ZYX = {"R01": (10, 16, 9), "L01": (8, 20, 30)}


@pytest.fixture
def atlas() -> Atlas:
    """Two balls in an oblique, left-handed grid far from the scanner's origin."""
    angle = np.deg2rad(20)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]) @ np.diag([1, 1, -1])
    geometry = Geometry((20, 40, 40), (0.9, 0.9, 2.0), (-190.0, -310.0, 1450.0), tuple(map(tuple, turn)))
    index = np.indices(geometry.shape_zyx).reshape(3, -1).T
    masks, nodes = [], []
    for label, (name, center) in enumerate(CENTERS_ZYX.items(), start=1):
        offset = (index - center) * geometry.spacing_zyx_mm
        mask = ((offset**2).sum(axis=1) <= 36).reshape(geometry.shape_zyx)
        masks.append((name, mask))
        volume = mask.sum() * geometry.voxel_volume_mm3
        nodes.append(Node(name, label, name[0], "I", tuple(geometry.to_mm(center)), 12, 12, volume, 50, 0.8, center[0]))
    slices = tuple(SliceReference(z + 1, f"2.25.{z}") for z in range(20))
    array = np.zeros(geometry.shape_zyx, dtype=np.int16)
    ct = Volume(array, geometry, Acquisition(is_synthetic=True), slices, ("synthetic CT",))
    body = np.ones(geometry.shape_zyx, dtype=bool)
    return build_atlas(ct, Segmentation.from_masks(geometry, masks), nodes, {"skin": body, "bones": body})


def test_glb_is_read_by_others_and_leads_back_to_the_patient(atlas, tmp_path):
    write_atlas(atlas, tmp_path)
    document = json.loads((tmp_path / "atlas.json").read_text())
    scene = trimesh.load(tmp_path / "atlas.glb")
    assert set(scene.geometry) == {"node:R01", "node:L01", "skin", "bones"}
    assert set(scene.graph.nodes_geometry) == set(scene.geometry)
    matrix = np.asarray(document["glb_to_lps_mm"])
    for node in document["nodes"]:
        mesh = scene.geometry[node["mesh"]]
        points = mesh.vertices @ matrix[:3, :3].T + matrix[:3, 3]
        assert np.abs((points.min(axis=0) + points.max(axis=0)) / 2 - node["center_xyz_mm"]).max() < 0.6
        assert np.allclose(points.min(axis=0), node["box_low_xyz_mm"], atol=1e-3)
        assert mesh.is_watertight
        assert mesh.volume * 1e9 == pytest.approx(4 / 3 * np.pi * 216, rel=0.1)  # positive: outward, in meters
        assert np.einsum("ij,ij->i", mesh.vertex_normals, mesh.vertices - mesh.vertices.mean(axis=0)).min() > 0


def test_glb_is_in_meters_with_y_to_the_head_and_z_to_the_front(atlas, tmp_path):
    write_atlas(atlas, tmp_path)
    matrix = np.asarray(json.loads((tmp_path / "atlas.json").read_text())["glb_to_lps_mm"])
    assert np.allclose(matrix[:3, :3] @ [1, 0, 0], [1000, 0, 0])  # X: patient's left
    assert np.allclose(matrix[:3, :3] @ [0, 1, 0], [0, 0, 1000])  # Y: head
    assert np.allclose(matrix[:3, :3] @ [0, 0, 1], [0, -1000, 0])  # Z: front
    assert np.linalg.det(matrix[:3, :3]) > 0
    bounds = trimesh.load(tmp_path / "atlas.glb").bounds
    assert np.abs(bounds.mean(axis=0)).max() < 1e-3  # about the middle
    assert np.abs(bounds).max() < 0.1  # centimeters, not kilometers


def test_json_holds_links_warnings_and_the_synthetic_flag(atlas, tmp_path):
    write_atlas(atlas, tmp_path, groups={"L01": 2})
    document = json.loads((tmp_path / "atlas.json").read_text())
    assert document["schema"] == 1
    assert document["is_synthetic"] is True
    assert document["warnings"] == ["synthetic CT"]
    first, second = document["nodes"]
    assert (first["node_id"], first["slice_index"], first["instance_number"], first["group"]) == ("R01", 10, 11, None)
    assert (second["node_id"], second["sop_instance_uid"], second["group"]) == ("L01", "2.25.8", 2)
    assert [m["kind"] for m in document["meshes"]] == ["node", "node", "context", "context"]


def test_groups_color_the_nodes_and_skin_is_translucent(atlas, tmp_path):
    write_atlas(atlas, tmp_path, groups={"R01": 1, "L01": 2})
    scene = trimesh.load(tmp_path / "atlas.glb")
    for name, group in (("R01", 1), ("L01", 2)):
        material = scene.geometry[f"node:{name}"].visual.material
        assert material.name == f"node:{name}"
        assert np.allclose(np.asarray(material.baseColorFactor) / 255, GROUP_COLORS[group], atol=0.01)
    assert scene.geometry["skin"].visual.material.alphaMode == "BLEND"


def test_round_trip(atlas, tmp_path):
    write_atlas(atlas, tmp_path)
    reading = read_atlas(tmp_path)
    for mesh in atlas.meshes:
        again = reading.meshes[mesh.name]
        assert np.array_equal(again.faces, mesh.faces)
        assert np.abs(again.vertices_xyz_mm - mesh.vertices_xyz_mm).max() < 1e-3
    assert reading.atlas.links == atlas.links
    assert reading.atlas.geometry.is_same_grid(atlas.geometry)


def test_equal_atlases_give_equal_bytes(atlas, tmp_path):
    for name in ("a", "b"):
        write_atlas(atlas, tmp_path / name)
    for file in ("atlas.glb", "atlas.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_an_atlas_without_anything_is_still_a_valid_file(atlas, tmp_path):
    write_atlas(Atlas(atlas.geometry, (), ()), tmp_path)
    assert dict(read_atlas(tmp_path).meshes) == {}


def test_damage_is_told(atlas, tmp_path):
    with pytest.raises(InputRefusedError, match="No readable atlas"):
        read_atlas(tmp_path)
    write_atlas(atlas, tmp_path)
    content = (tmp_path / "atlas.glb").read_bytes()
    (tmp_path / "atlas.glb").write_bytes(content[:-8])
    with pytest.raises(InputRefusedError, match="cut short"):
        read_atlas(tmp_path)
    (tmp_path / "atlas.glb").write_bytes(b"hello")
    with pytest.raises(InputRefusedError, match="cannot be read"):
        read_atlas(tmp_path)
    (tmp_path / "atlas.json").write_text('{"schema": 99}')
    with pytest.raises(InputRefusedError, match="schema 1"):
        read_atlas(tmp_path)
