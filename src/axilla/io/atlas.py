"""The atlas on disk: ``atlas.glb`` (surfaces, glTF 2.0 binary) and ``atlas.json`` (what they are and where they belong).

A GLB is in meters, Y up, front toward +Z (Khronos glTF 2.0 specification, section 3.4). For a patient in LPS that is
``(x, y, z)_glb = (left, head, front)``, about the middle of the atlas so that any viewer finds it; ``atlas.json`` holds the
exact 4 x 4 matrix back to LPS millimeters.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from axilla.atlas import Atlas, Mesh, NodeLink
from axilla.errors import InputRefusedError
from axilla.io.files import write_bytes, write_json
from axilla.volume import FloatArray, Geometry

SCHEMA = 1
"""Schema number of ``atlas.json``."""

GLB_NAME = "atlas.glb"
JSON_NAME = "atlas.json"

_MM_PER_METER = 1000.0

_LPS_OF_GLB = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Columns: the LPS directions of the GLB's X (left), Y (head) and Z (front)."""

Color = tuple[float, float, float, float]

CONTEXT_COLORS: Mapping[str, Color] = {
    "skin": (0.85, 0.68, 0.58, 0.16),
    "lungs": (0.58, 0.70, 0.82, 0.22),
    "bones": (0.90, 0.87, 0.78, 1.0),
}
"""Red, green, blue and opacity, linear 0-1, of the context surfaces."""

OTHER_COLOR: Color = (0.70, 0.70, 0.70, 0.5)
"""Color of context surfaces not named in `CONTEXT_COLORS`."""

NODE_COLOR: Color = (0.87, 0.77, 0.05, 1.0)
"""Color of nodes without a group: yellow."""

GROUP_COLORS: Mapping[int, Color] = {1: (0.0, 0.17, 0.45, 1.0), 2: (0.67, 0.11, 0.0, 1.0)}
"""Color of nodes by presumed group: blue for 1, vermilion for 2 (Okabe and Ito's colors, told apart by every kind of color
vision), in glTF's linear values."""


@dataclass(frozen=True)
class AtlasReading:
    """What :func:`read_atlas` finds.

    Parameters
    ----------
    meshes : mapping of str to Mesh
        By name, back in LPS mm (single precision).
    description : mapping
        The content of ``atlas.json``.
    """

    meshes: Mapping[str, Mesh]
    description: Mapping[str, Any]

    @property
    def atlas(self) -> Atlas:
        """The atlas that was written (vertices in single precision)."""
        grid = Geometry(**{name: _tuples(value) for name, value in self.description["ct_grid"].items()})
        names = [field.name for field in fields(NodeLink)]
        links = [NodeLink(**{name: _tuples(node[name]) for name in names}) for node in self.description["nodes"]]
        warnings = tuple(self.description["warnings"])
        return Atlas(grid, tuple(self.meshes.values()), tuple(links), self.description["is_synthetic"], warnings)


def _tuples(value: Any) -> Any:
    """JSON's lists as tuples."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def write_atlas(atlas: Atlas, folder: Path, groups: Mapping[str, int] | None = None) -> None:
    """Write ``atlas.glb`` and ``atlas.json``.

    Parameters
    ----------
    atlas : Atlas
    folder : Path
        Made where it does not exist.
    groups : mapping of str to int, optional
        Presumed group (1 or 2) by ``node_id``: colors the nodes and is written beside them.
    """
    groups = dict(groups or {})
    glb_to_lps_mm = _glb_to_lps_mm(atlas)
    colors = {mesh.name: _color(mesh, groups) for mesh in atlas.meshes}
    write_bytes(folder / GLB_NAME, _encode_glb(atlas, glb_to_lps_mm, colors))
    write_json(folder / JSON_NAME, _describe(atlas, glb_to_lps_mm, groups))


def read_atlas(folder: Path) -> AtlasReading:
    """Read what :func:`write_atlas` wrote.

    Raises
    ------
    InputRefusedError
        If a file is missing or is not of this schema.
    """
    try:
        description = json.loads((folder / JSON_NAME).read_text(encoding="utf-8"))
        content = (folder / GLB_NAME).read_bytes()
    except (OSError, ValueError) as error:
        raise InputRefusedError(f"No readable atlas in {folder.name}: {error}; run `axilla locate` again.") from error
    if not isinstance(description, dict) or description.get("schema") != SCHEMA:
        raise InputRefusedError(f"{JSON_NAME} in {folder.name} is not an atlas of schema {SCHEMA}; run `axilla locate` again.")
    glb_to_lps_mm = np.asarray(description["glb_to_lps_mm"], dtype=np.float64)
    return AtlasReading(_decode_glb(content, glb_to_lps_mm), description)


def _glb_to_lps_mm(atlas: Atlas) -> FloatArray:
    """4 x 4 matrix from GLB meters to LPS mm; the GLB's origin is the middle of the atlas, in whole millimeters."""
    points = np.concatenate([m.vertices_xyz_mm for m in atlas.meshes]) if atlas.meshes else atlas.geometry.corners_mm()
    matrix = np.eye(4)
    matrix[:3, :3] = _LPS_OF_GLB * _MM_PER_METER
    matrix[:3, 3] = np.round((points.min(axis=0) + points.max(axis=0)) / 2)
    return matrix


def _color(mesh: Mesh, groups: Mapping[str, int]) -> Color:
    if mesh.is_node:
        return GROUP_COLORS.get(groups.get(mesh.name.partition(":")[2], 0), NODE_COLOR)
    return CONTEXT_COLORS.get(mesh.name, OTHER_COLOR)


def _describe(atlas: Atlas, glb_to_lps_mm: FloatArray, groups: Mapping[str, int]) -> dict[str, Any]:
    """The content of ``atlas.json``."""
    nodes = []
    for link in atlas.links:
        points = atlas.mesh(link.mesh_name).vertices_xyz_mm
        nodes.append(
            asdict(link)
            | {
                "mesh": link.mesh_name,
                "box_low_xyz_mm": points.min(axis=0).round(3).tolist(),
                "box_high_xyz_mm": points.max(axis=0).round(3).tolist(),
                "group": groups.get(link.node_id),
            }
        )
    geometry = atlas.geometry
    return {
        "schema": SCHEMA,
        "glb": GLB_NAME,
        "is_synthetic": atlas.is_synthetic,
        "research_use_only": True,
        "warnings": list(atlas.warnings),
        "glb_to_lps_mm": glb_to_lps_mm.tolist(),
        "ct_grid": {
            "shape_zyx": list(geometry.shape_zyx),
            "spacing_xyz_mm": list(geometry.spacing_xyz_mm),
            "origin_xyz_mm": list(geometry.origin_xyz_mm),
            "direction": [list(row) for row in geometry.direction],
        },
        "meshes": [
            {
                "name": mesh.name,
                "kind": "node" if mesh.is_node else "context",
                "triangles": len(mesh.faces),
                "volume_mm3": round(mesh.volume_mm3, 3),
            }
            for mesh in atlas.meshes
        ],
        "nodes": nodes,
    }


# glTF's own numbers (specification, sections 3.6 and 4.4).
_FLOAT, _UNSIGNED_INT = 5126, 5125
_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
_GLB_MAGIC, _GLB_VERSION, _JSON_CHUNK, _BIN_CHUNK = 0x46546C67, 2, 0x4E4F534A, 0x004E4942


def _encode_glb(atlas: Atlas, glb_to_lps_mm: FloatArray, colors: Mapping[str, Color]) -> bytes:
    """One node, mesh and material per surface, each named; one buffer."""
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "axilla"},
        "scene": 0,
        "scenes": [{"nodes": list(range(len(atlas.meshes)))}],
    }
    lists: dict[str, list[Any]] = {key: [] for key in ("nodes", "meshes", "materials", "accessors", "bufferViews")}
    chunks: list[bytes] = []
    inverse = np.linalg.inv(glb_to_lps_mm)
    for index, mesh in enumerate(atlas.meshes):
        positions = mesh.vertices_xyz_mm @ inverse[:3, :3].T + inverse[:3, 3]
        attributes = {
            "POSITION": _add_array(lists, chunks, positions.astype("<f4"), _ARRAY_BUFFER, with_bounds=True),
            "NORMAL": _add_array(lists, chunks, (mesh.normals() @ _LPS_OF_GLB).astype("<f4"), _ARRAY_BUFFER),
        }
        faces = _add_array(lists, chunks, mesh.faces.reshape(-1).astype("<u4"), _ELEMENT_ARRAY_BUFFER)
        lists["nodes"].append({"name": mesh.name, "mesh": index})
        lists["meshes"].append(
            {"name": mesh.name, "primitives": [{"attributes": attributes, "indices": faces, "material": index}]}
        )
        lists["materials"].append(_material(mesh.name, colors[mesh.name]))
    document |= {key: value for key, value in lists.items() if value}  # glTF forbids empty lists
    if not atlas.meshes:
        document["scenes"] = [{"name": "empty"}]
    binary = b"".join(chunks)
    if binary:
        document["buffers"] = [{"byteLength": len(binary)}]
    return _pack(json.dumps(document, separators=(",", ":")).encode(), binary)


def _material(name: str, color: Color) -> dict[str, Any]:
    """A matte material; translucent surfaces are drawn from both sides and blended."""
    material: dict[str, Any] = {
        "name": name,
        "pbrMetallicRoughness": {"baseColorFactor": list(color), "metallicFactor": 0.0, "roughnessFactor": 0.7},
    }
    if color[3] < 1:
        material |= {"alphaMode": "BLEND", "doubleSided": True}
    return material


def _add_array(
    lists: dict[str, list[Any]], chunks: list[bytes], array: npt.NDArray[Any], target: int, with_bounds: bool = False
) -> int:
    """Append an array to the buffer; returns the index of its accessor."""
    content = array.tobytes()
    lists["bufferViews"].append({"buffer": 0, "byteOffset": sum(map(len, chunks)), "byteLength": len(content), "target": target})
    chunks.append(content)
    accessor: dict[str, Any] = {
        "bufferView": len(lists["bufferViews"]) - 1,
        "componentType": _UNSIGNED_INT if array.dtype.kind == "u" else _FLOAT,
        "count": len(array),
        "type": "SCALAR" if array.ndim == 1 else "VEC3",
    }
    if with_bounds:
        accessor |= {"min": array.min(axis=0).tolist(), "max": array.max(axis=0).tolist()}
    lists["accessors"].append(accessor)
    return len(lists["accessors"]) - 1


def _pack(document: bytes, binary: bytes) -> bytes:
    """A GLB of its JSON and binary chunks, each filled up to a multiple of four bytes."""
    chunks = [(_JSON_CHUNK, document + b" " * (-len(document) % 4))]
    if binary:
        chunks.append((_BIN_CHUNK, binary + b"\0" * (-len(binary) % 4)))
    body = b"".join(struct.pack("<II", len(content), kind) + content for kind, content in chunks)
    return struct.pack("<III", _GLB_MAGIC, _GLB_VERSION, 12 + len(body)) + body


def _decode_glb(content: bytes, glb_to_lps_mm: FloatArray) -> dict[str, Mesh]:
    """Meshes by name of a GLB laid out as :func:`_encode_glb` does it."""
    try:
        magic, version, length = struct.unpack_from("<III", content)
        json_length = struct.unpack_from("<I", content, 12)[0]
        document = json.loads(content[20 : 20 + json_length])
    except (struct.error, ValueError) as error:
        raise InputRefusedError(f"{GLB_NAME} cannot be read: {error}; run `axilla locate` again.") from error
    if (magic, version, length) != (_GLB_MAGIC, _GLB_VERSION, len(content)):
        raise InputRefusedError(f"{GLB_NAME} is cut short or is no GLB of version 2; run `axilla locate` again.")
    binary = content[20 + json_length + 8 :]

    def array(index: int) -> npt.NDArray[Any]:
        accessor = document["accessors"][index]
        view = document["bufferViews"][accessor["bufferView"]]
        dtype = "<u4" if accessor["componentType"] == _UNSIGNED_INT else "<f4"
        values = np.frombuffer(binary, dtype, view["byteLength"] // 4, view["byteOffset"])
        return values.reshape(-1, 3)

    meshes = {}
    for node in document.get("nodes", []):
        primitive = document["meshes"][node["mesh"]]["primitives"][0]
        positions = array(primitive["attributes"]["POSITION"]).astype(np.float64)
        points = positions @ glb_to_lps_mm[:3, :3].T + glb_to_lps_mm[:3, 3]
        meshes[node["name"]] = Mesh(node["name"], points, array(primitive["indices"]).astype(np.int32))
    return meshes
