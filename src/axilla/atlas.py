"""The atlas: surfaces of the nodes and of the anatomy around them, each node linked to its place on the CT.

1. Every node is meshed at full resolution. Its signed distance map is interpolated to nearly cubic voxels (so that thick
   slices leave no steps), smoothed by less than a voxel, and cut at the level that encloses the volume of its voxels.
2. Skin, lungs and bones are context: meshed on a coarse copy of their masks and thinned to a budget of triangles.
3. Each node keeps its slice, DICOM instance and bounding box, so that picking it in 3D leads to the CT.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import fast_simplification
import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import marching_cubes

from axilla.errors import InvalidValueError
from axilla.node import SIDES, Node, Segment, Segmentation
from axilla.volume import BoolArray, FloatArray, Geometry, TripleFloat, TripleInt, Volume, bounding_box

FaceArray = npt.NDArray[np.int32]

NODE_PREFIX = "node:"
"""Meshes of nodes are named ``node:<node_id>``; every other mesh is context and named after its mask."""


@dataclass(frozen=True)
class AtlasSettings:
    """How surfaces are made."""

    node_spacing_mm: float = 0.8
    """Grid on which a node is meshed, mm; along each axis the CT's own spacing is divided into equal steps of at most this,
    but never coarsened. 0.8 mm is about the in-plane voxel of a chest CT, so only thick slices are interpolated."""

    node_smoothing_vox: float = 0.7
    """Standard deviation of the Gaussian on the node's distance map, in voxels of that grid. Below one voxel: it takes the
    steps of the voxel grid and leaves lobes and hila."""

    volume_tolerance: float = 0.01
    """Largest relative difference between a node's mesh and the volume of its voxels that ends the search for the level."""

    context_spacing_mm: Mapping[str, float] = field(default_factory=lambda: {"skin": 3.0, "lungs": 2.5, "bones": 1.8})
    """Voxel to which the mask of a context surface is averaged, mm. Ribs need 2 mm, skin does not."""

    context_triangles: Mapping[str, int] = field(default_factory=lambda: {"skin": 60_000, "lungs": 60_000, "bones": 120_000})
    """Most triangles of a context surface: what a laptop without a graphics card still turns smoothly."""

    other_spacing_mm: float = 2.5
    """As `context_spacing_mm`, for masks not named there."""

    other_triangles: int = 60_000
    """As `context_triangles`, for masks not named there."""

    context_smoothing_vox: float = 0.7
    """Standard deviation of the Gaussian on the averaged mask, in coarse voxels."""

    context_smallest_mm3: float = 400.0
    """Pieces of a context mask below this volume, mm3, are left out of the picture (calcifications, contrast, table screws)."""

    def __post_init__(self) -> None:
        positive = (self.node_spacing_mm, self.volume_tolerance, self.other_spacing_mm, *self.context_spacing_mm.values())
        if min(positive) <= 0 or min(self.node_smoothing_vox, self.context_smoothing_vox, self.context_smallest_mm3) < 0:
            raise InvalidValueError("Atlas settings: spacings and tolerance must be positive, smoothing and volumes at least 0.")
        if min(self.other_triangles, *self.context_triangles.values()) < 4:
            raise InvalidValueError("Atlas settings: a closed surface needs at least 4 triangles.")
        object.__setattr__(self, "context_spacing_mm", MappingProxyType(dict(self.context_spacing_mm)))
        object.__setattr__(self, "context_triangles", MappingProxyType(dict(self.context_triangles)))


@dataclass(frozen=True)
class Mesh:
    """A closed triangle surface in patient space.

    Parameters
    ----------
    name : str
        ``"node:R01"``, ``"skin"``, ``"lungs"``, ``"bones"`` or another mask's name.
    vertices_xyz_mm : ndarray of float64, shape (n, 3)
        LPS mm. Stored read-only.
    faces : ndarray of int32, shape (m, 3)
        Vertex indices, counterclockwise seen from outside. Stored read-only.

    Raises
    ------
    InvalidValueError
        If shapes are wrong, a vertex is not finite, or a face names a vertex that does not exist.
    """

    name: str
    vertices_xyz_mm: FloatArray
    faces: FaceArray

    def __post_init__(self) -> None:
        vertices = np.array(self.vertices_xyz_mm, dtype=np.float64)
        faces = np.array(self.faces, dtype=np.int32)
        if vertices.ndim != 2 or faces.ndim != 2 or vertices.shape[1:] != (3,) or faces.shape[1:] != (3,):
            raise InvalidValueError(f"Mesh {self.name}: expected (n, 3) arrays, got {vertices.shape} and {faces.shape}.")
        if not faces.size or not np.isfinite(vertices).all():
            raise InvalidValueError(f"Mesh {self.name}: expected finite vertices and at least one face.")
        if faces.min() < 0 or faces.max() >= len(vertices):
            raise InvalidValueError(f"Mesh {self.name}: a face names vertex {faces.max()} of {len(vertices)}.")
        for array in (vertices, faces):
            array.flags.writeable = False
        object.__setattr__(self, "vertices_xyz_mm", vertices)
        object.__setattr__(self, "faces", faces)

    @property
    def volume_mm3(self) -> float:
        """Volume enclosed, mm3; negative if the faces point inward."""
        return signed_volume(self.vertices_xyz_mm, self.faces)

    @property
    def is_node(self) -> bool:
        """Whether this is the surface of a node."""
        return self.name.startswith(NODE_PREFIX)

    def normals(self) -> FloatArray:
        """Outward unit normals at the vertices ``(n, 3)``, the mean of the faces around weighted by their area."""
        corners = self.vertices_xyz_mm[self.faces]
        face_normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals = np.zeros_like(self.vertices_xyz_mm)
        for corner in range(3):
            for axis in range(3):
                normals[:, axis] += np.bincount(self.faces[:, corner], face_normals[:, axis], minlength=len(normals))
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        return np.where(length > 0, normals / np.where(length > 0, length, 1.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True)
class NodeLink:
    """From a node's surface to its place on the CT.

    Parameters
    ----------
    node_id, label, side, center_xyz_mm
        As in :class:`axilla.node.Node`.
    slice_index : int
        Array index along z of the slice to open.
    instance_number, sop_instance_uid
        The DICOM instance of that slice; ``None`` and empty when the CT was not DICOM.
    box_start_zyx, box_stop_zyx : tuple of int
        The node's bounding box as array indices; stop is one past the last.
    """

    node_id: str
    label: int
    side: str
    center_xyz_mm: TripleFloat
    slice_index: int
    instance_number: int | None
    sop_instance_uid: str
    box_start_zyx: TripleInt
    box_stop_zyx: TripleInt

    def __post_init__(self) -> None:
        if self.side not in SIDES:
            raise InvalidValueError(f"A side is one of {SIDES}, not {self.side!r}.")
        if any(stop <= start for start, stop in zip(self.box_start_zyx, self.box_stop_zyx, strict=True)):
            raise InvalidValueError(f"Node {self.node_id}: empty box {self.box_start_zyx} to {self.box_stop_zyx}.")
        if not self.box_start_zyx[0] <= self.slice_index < self.box_stop_zyx[0]:
            raise InvalidValueError(
                f"Node {self.node_id}: slice {self.slice_index} is not one of its slices "
                f"({self.box_start_zyx[0]} to {self.box_stop_zyx[0] - 1})."
            )

    @property
    def mesh_name(self) -> str:
        """Name of the node's mesh."""
        return f"{NODE_PREFIX}{self.node_id}"


@dataclass(frozen=True)
class Atlas:
    """Surfaces and links of one CT.

    Parameters
    ----------
    geometry : Geometry
        The CT's grid, to which `links` refer.
    meshes : tuple of Mesh
        Nodes first, in the order of `links`, then the context.
    links : tuple of NodeLink
        One per node.
    is_synthetic : bool
        Whether the CT was made by a simulator.
    warnings : tuple of str
        The CT's warnings.

    Raises
    ------
    InvalidValueError
        If names are not unique or a node lacks its mesh or its link.
    """

    geometry: Geometry
    meshes: tuple[Mesh, ...]
    links: tuple[NodeLink, ...]
    is_synthetic: bool = False
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [mesh.name for mesh in self.meshes]
        if len(set(names)) != len(names):
            raise InvalidValueError(f"Names of meshes must be unique, got {', '.join(names)}.")
        surfaces = sorted(name for name in names if name.startswith(NODE_PREFIX))
        if surfaces != sorted(link.mesh_name for link in self.links):
            raise InvalidValueError("Each node of an atlas needs one mesh and one link.")

    def mesh(self, name: str) -> Mesh:
        """The mesh of a name.

        Raises
        ------
        InvalidValueError
            If there is none.
        """
        for mesh in self.meshes:
            if mesh.name == name:
                return mesh
        raise InvalidValueError(f"The atlas has no mesh {name!r}; it has {', '.join(m.name for m in self.meshes)}.")


def build_atlas(
    volume: Volume,
    segmentation: Segmentation,
    nodes: Sequence[Node],
    masks: Mapping[str, BoolArray | tuple[BoolArray, Geometry]],
    settings: AtlasSettings = AtlasSettings(),
) -> Atlas:
    """Surfaces of nodes and anatomy, and the links of nodes to slices.

    Parameters
    ----------
    volume : Volume
        The CT.
    segmentation : Segmentation
        Node masks on the CT's grid.
    nodes : sequence of Node
        Each with a label of `segmentation`.
    masks : mapping of str to ndarray of bool, shape (z, y, x)
        Anatomy by name (``"skin"``: the body, ``"lungs"``, ``"bones"``) on the CT's grid, or with a grid of its own as
        ``(mask, geometry)``; empty masks give no mesh.
    settings : AtlasSettings

    Returns
    -------
    Atlas
        Meshes in LPS mm, faces counterclockwise from outside whatever the grid's orientation.

    Raises
    ------
    InvalidValueError
        If grids differ, a node has no voxels, or its slice or DICOM instance contradicts the CT.
    """
    geometry = volume.geometry
    if not segmentation.geometry.is_same_grid(geometry):
        raise InvalidValueError("The segmentation is not on the CT's grid; resample it before building an atlas.")
    segments = {segment.label: segment for segment in segmentation.segments}
    meshes, links = [], []
    for node in nodes:
        if node.label not in segments or not segments[node.label].n_voxels:
            raise InvalidValueError(f"Node {node.node_id} (label {node.label}) has no voxel in the segmentation.")
        links.append(_link(node, segments[node.label], volume))
        meshes.append(mesh_segment(segments[node.label], geometry, links[-1].mesh_name, settings))
    for name, given in masks.items():
        mask, grid = given if isinstance(given, tuple) else (given, geometry)
        if mask.shape != grid.shape_zyx:
            raise InvalidValueError(f"Mask {name!r} of shape {mask.shape} does not fit its grid {grid.shape_zyx}.")
        context = mesh_context(mask, grid, name, settings)
        if context is not None:
            meshes.append(context)
    return Atlas(geometry, tuple(meshes), tuple(links), volume.acquisition.is_synthetic, volume.warnings)


def mesh_segment(segment: Segment, geometry: Geometry, name: str, settings: AtlasSettings = AtlasSettings()) -> Mesh:
    """Smooth closed surface of one segment, enclosing the volume of its voxels.

    Parameters
    ----------
    segment : Segment
        With at least one voxel.
    geometry : Geometry
        The whole grid the segment lies in.
    name : str
        The mesh's name.
    settings : AtlasSettings

    Raises
    ------
    InvalidValueError
        If the segment is empty.
    """
    box = bounding_box(segment.mask)
    mask = np.pad(segment.mask[box], _PADDING_VOX)
    start_zyx = np.array([s.start for s in box]) + np.asarray(segment.offset_zyx) - _PADDING_VOX
    spacing_mm = np.asarray(geometry.spacing_zyx_mm)
    inside = ndimage.distance_transform_edt(mask, sampling=spacing_mm)
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing_mm)
    steps = np.maximum(1, np.ceil(spacing_mm / settings.node_spacing_mm - 1e-6)).astype(int)
    distance_mm = _interpolate(inside - outside, steps)
    distance_mm = ndimage.gaussian_filter(distance_mm, settings.node_smoothing_vox, mode="nearest")
    target_mm3 = np.count_nonzero(mask) * geometry.voxel_volume_mm3
    vertices_zyx, faces = _surface_of_volume(distance_mm, spacing_mm / steps, target_mm3, settings.volume_tolerance)
    vertices_xyz_mm = geometry.to_mm(vertices_zyx / steps + start_zyx)
    return Mesh(name, vertices_xyz_mm, _outward(vertices_xyz_mm, faces))


def mesh_context(
    mask: BoolArray,
    geometry: Geometry,
    name: str,
    settings: AtlasSettings = AtlasSettings(),
) -> Mesh | None:
    """Coarse closed surface of an anatomy mask within its budget of triangles, or ``None`` where nothing is left of it."""
    if not mask.any():
        return None
    box = bounding_box(mask)
    goal_mm = settings.context_spacing_mm.get(name, settings.other_spacing_mm)
    block = np.maximum(1, np.round(goal_mm / np.asarray(geometry.spacing_zyx_mm))).astype(int)
    fraction = _without_small_pieces(
        _block_mean(np.asarray(mask[box], dtype=bool), block), block, geometry, settings.context_smallest_mm3
    )
    field_zyx = ndimage.gaussian_filter(np.pad(fraction, _PADDING_VOX), settings.context_smoothing_vox, mode="constant")
    if field_zyx.max() <= _HALF:
        return None
    vertices_zyx, faces = _isosurface(field_zyx, _HALF)
    budget = settings.context_triangles.get(name, settings.other_triangles)
    if len(faces) > budget:
        vertices_zyx, faces = fast_simplification.simplify(vertices_zyx, faces, target_count=budget)
    start_zyx = np.array([s.start for s in box])
    index_zyx = (np.asarray(vertices_zyx, dtype=np.float64) - _PADDING_VOX) * block + (block - 1) / 2 + start_zyx
    vertices_xyz_mm = geometry.to_mm(index_zyx)
    return Mesh(name, vertices_xyz_mm, _outward(vertices_xyz_mm, faces))


def signed_volume(vertices: FloatArray, faces: npt.NDArray[np.integer]) -> float:
    """Volume of a closed surface by the divergence theorem; positive when the faces turn counterclockwise seen from outside."""
    corners = vertices[faces] - vertices.mean(axis=0)
    return float(np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6.0)


_PADDING_VOX = 2
"""Empty voxels around a mask, so that its surface is closed and smoothing sees the outside."""

_HALF = 0.5
"""The level of a smoothed mask at which its surface stays in place."""

_LEVEL_STEPS = 12
"""Most steps of the search for the level; each halves the interval or better, so this reaches a thousandth of a voxel."""


def _link(node: Node, segment: Segment, volume: Volume) -> NodeLink:
    """The node's link; its DICOM instance is taken from the CT where the CT has one."""
    box = bounding_box(segment.mask)
    start = [int(s.start) + o for s, o in zip(box, segment.offset_zyx, strict=True)]
    stop = [int(s.stop) + o for s, o in zip(box, segment.offset_zyx, strict=True)]
    number, uid = node.instance_number, node.sop_instance_uid
    if volume.slices and 0 <= node.slice_index < len(volume.slices):
        reference = volume.slices[node.slice_index]
        if uid and uid != reference.sop_instance_uid:
            raise InvalidValueError(f"Node {node.node_id}: its DICOM instance is not the CT's at slice {node.slice_index}.")
        number, uid = reference.instance_number, reference.sop_instance_uid
    return NodeLink(
        node_id=node.node_id,
        label=node.label,
        side=node.side,
        center_xyz_mm=node.center_xyz_mm,
        slice_index=node.slice_index,
        instance_number=number,
        sop_instance_uid=uid,
        box_start_zyx=(start[0], start[1], start[2]),
        box_stop_zyx=(stop[0], stop[1], stop[2]),
    )


def _interpolate(values: FloatArray, steps: npt.NDArray[np.int_]) -> FloatArray:
    """Linear interpolation with `steps` steps per voxel along each axis; sample 0 stays on voxel 0."""
    for axis, n in enumerate(steps):
        if n > 1:
            position = np.arange((values.shape[axis] - 1) * n + 1) / n
            low = np.minimum(position.astype(int), values.shape[axis] - 2)
            shape = [1, 1, 1]
            shape[axis] = -1
            weight = (position - low).reshape(shape)
            values = np.take(values, low, axis) * (1 - weight) + np.take(values, low + 1, axis) * weight
    return values


def _surface_of_volume(
    values: FloatArray, spacing_zyx_mm: FloatArray, target_mm3: float, tolerance: float
) -> tuple[FloatArray, npt.NDArray[np.int32]]:
    """Isosurface (vertices in array indices) of the level that encloses `target_mm3`, found by bisection."""
    rank = min(values.size - 1, round(target_mm3 / float(np.prod(spacing_zyx_mm))))
    level = float(np.partition(values, values.size - 1 - rank, axis=None)[values.size - 1 - rank])
    low, high = float(values.min()), float(values.max())
    vertices, faces = np.empty((0, 3)), np.empty((0, 3), dtype=np.int32)
    for _ in range(_LEVEL_STEPS):
        vertices, faces = _isosurface(values, min(max(level, low + 1e-9), high - 1e-9))
        volume_mm3 = abs(signed_volume(vertices * spacing_zyx_mm, faces))
        if abs(volume_mm3 / target_mm3 - 1) <= tolerance:
            break
        # Moving the level by d moves the surface by about d mm: one Newton step, kept inside the bracket.
        if volume_mm3 > target_mm3:
            low = level
        else:
            high = level
        step = (volume_mm3 - target_mm3) / max(_area(vertices * spacing_zyx_mm, faces), 1e-9)
        level = level + step if low < level + step < high else (low + high) / 2
    return vertices, faces


def _isosurface(values: FloatArray, level: float) -> tuple[FloatArray, npt.NDArray[np.int32]]:
    """Marching cubes (Lewiner's variant): vertices in array indices, and faces."""
    vertices, faces, _, _ = marching_cubes(values, level)  # type: ignore[no-untyped-call]
    return vertices.astype(np.float64), faces.astype(np.int32)


def _area(vertices: FloatArray, faces: npt.NDArray[np.integer]) -> float:
    corners = vertices[faces]
    return float(np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2)


def _outward(vertices: FloatArray, faces: npt.NDArray[np.integer]) -> FaceArray:
    """The faces, turned where needed (a left-handed grid mirrors them)."""
    turned = faces if signed_volume(vertices, faces) >= 0 else faces[:, ::-1]
    return np.ascontiguousarray(turned, dtype=np.int32)


def _block_mean(mask: BoolArray, block: npt.NDArray[np.int_]) -> FloatArray:
    """Fraction of each block of voxels inside the mask; the last blocks are filled up with outside."""
    counts: npt.NDArray[np.unsignedinteger] = mask.view(np.uint8)
    for axis, n in enumerate(block):
        counts = np.add.reduceat(counts, np.arange(0, counts.shape[axis], n), axis=axis, dtype=np.uint16)
    return counts / float(np.prod(block))


def _without_small_pieces(
    fraction: FloatArray, block: npt.NDArray[np.int_], geometry: Geometry, smallest_mm3: float
) -> FloatArray:
    """The averaged mask without connected pieces below a volume."""
    voxel_mm3 = geometry.voxel_volume_mm3 * float(np.prod(block))
    pieces, n = ndimage.label(fraction > 0)
    volumes_mm3 = np.bincount(pieces.ravel(), fraction.ravel(), minlength=n + 1) * voxel_mm3
    return np.where((volumes_mm3 >= smallest_mm3)[pieces], fraction, 0.0)
