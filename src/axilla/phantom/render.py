"""One synthetic CT with its truth.

1. Paint the anatomy on thin slices (``scene``). 2. Find places for the planned nodes in the axillary fat (``placement``).
3. Paint twigs and nodes, each node supersampled so that its truth mask is "more than half of the voxel" (a node too
small to fill half of any voxel keeps its fullest one, so that none is lost). 4. Average thin
slices to the CT's thickness, blur, add noise and streaks (``scan``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from axilla.errors import InvalidValueError
from axilla.node import Segment, Segmentation
from axilla.phantom.frame import Float64
from axilla.phantom.nodes import NodePlan, NodeShape
from axilla.phantom.placement import level_of, place_nodes
from axilla.phantom.scan import Streaks, average_slices, noise_sd, scan, sub_slices
from axilla.phantom.scene import Scene, paint_scene
from axilla.phantom.settings import PHANTOM_VERSION, PhantomSettings
from axilla.phantom.shapes import Canvas, Float32
from axilla.phantom.strands import small_vessel_hu
from axilla.phantom.tissue import FAT_HU, TISSUES
from axilla.phantom.vessels import twigs_to
from axilla.volume import Acquisition, BoolArray, Geometry, Labels, TripleFloat, Volume

FIELD_CENTER_Y_MM = -22.0
"""Middle of body and couch, reference mm."""

_METAL_STREAK_HU = 55.0
"""Amplitude of the rays around a clip or a port's chamber."""

_SAMPLE_MM = 0.6
"""Distance of the points by which a voxel's share of a node is counted."""


@dataclass(frozen=True)
class TruthNode:
    """A synthetic node as it came to lie in the CT; sizes are those of its truth mask."""

    node_id: str
    label: int
    side: str
    level: str
    status: str
    kind: str
    center_xyz_mm: TripleFloat
    short_axis_mm: float
    """Widest extent perpendicular to the long axis, on the axial slice where the long axis is longest."""
    long_axis_mm: float
    volume_mm3: float


@dataclass(frozen=True)
class SyntheticCase:
    """A synthetic CT, the truth about its nodes, and its anatomy (codes: ``axilla.phantom.TISSUES``)."""

    volume: Volume
    truth: Segmentation
    nodes: tuple[TruthNode, ...]
    anatomy: Labels
    version: str = PHANTOM_VERSION


@dataclass(frozen=True)
class CasePlan:
    """What to render: settings, planned nodes, seed."""

    settings: PhantomSettings
    nodes: tuple[NodePlan, ...] = field(default_factory=tuple)
    seed: int = 0


def render_case(plan: CasePlan) -> SyntheticCase:
    """Render one synthetic CT; the same plan gives the same bytes.

    Raises
    ------
    InvalidValueError
        If the nodes do not fit into the axillae.
    """
    settings = plan.settings
    scene_seed, node_seed, scan_seed = np.random.SeedSequence(plan.seed).spawn(3)
    geometry = _geometry(settings)
    count = sub_slices(settings.spacing_xyz_mm[2])
    canvas = _canvas(geometry, count)
    scene = paint_scene(canvas, settings, np.random.default_rng(scene_seed))
    segments, nodes = _add_nodes(canvas, count, geometry, scene, plan, np.random.default_rng(node_seed))
    rng = np.random.default_rng(scan_seed)
    clean = average_slices(canvas.hu, count)
    array = _scan(clean, canvas, count, scene, settings, rng)
    acquisition = Acquisition(
        manufacturer="axilla phantom",
        model_name=settings.scanner.name,
        kernel=settings.scanner.kernel,
        kvp=120.0,
        slice_thickness_mm=settings.spacing_xyz_mm[2],
        patient_position="HFS" if settings.position == "supine" else "HFP",
        contrast_agent="" if settings.contrast == "none" else "iodine (synthetic)",
        is_synthetic=True,
    )
    anatomy = canvas.tissue[count // 2 :: count].astype(np.uint16)
    names = {code: name for name, code in TISSUES.items() if code}
    case = SyntheticCase(
        Volume(array, geometry, acquisition),
        Segmentation(geometry, tuple(segments)),
        tuple(nodes),
        Labels(anatomy, geometry, names),
    )
    return case if settings.position == "supine" else _turned(case)


def _turned(case: SyntheticCase) -> SyntheticCase:
    """The same patient with rows and columns running the other way: how a scanner stores a prone patient."""
    old = case.volume.geometry
    _, ny, nx = old.shape_zyx
    x, y, z = old.to_mm((0, ny - 1, nx - 1)).tolist()
    geometry = replace(old, origin_xyz_mm=(x, y, z), direction=((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0)))
    segments = []
    for segment in case.truth.segments:
        k, j, i = segment.offset_zyx
        _, height, width = segment.mask.shape
        segments.append(replace(segment, offset_zyx=(k, ny - j - height, nx - i - width), mask=segment.mask[:, ::-1, ::-1]))
    return replace(
        case,
        volume=replace(case.volume, array=np.ascontiguousarray(case.volume.array[:, ::-1, ::-1]), geometry=geometry),
        truth=Segmentation(geometry, tuple(segments)),
        anatomy=Labels(np.ascontiguousarray(case.anatomy.array[:, ::-1, ::-1]), geometry, case.anatomy.names),
    )


def _geometry(settings: PhantomSettings) -> Geometry:
    nz, ny, nx = settings.shape_zyx
    sx, sy, sz = settings.spacing_xyz_mm
    shift_x, shift_y = settings.shift_xy_mm
    origin = (
        shift_x - (nx - 1) / 2 * sx,
        FIELD_CENTER_Y_MM + shift_y - (ny - 1) / 2 * sy,
        settings.top_mm - (nz - 1) * sz,
    )
    return Geometry((nz, ny, nx), settings.spacing_xyz_mm, origin)


def _canvas(geometry: Geometry, count: int) -> Canvas:
    nz, ny, nx = geometry.shape_zyx
    sx, sy, sz = geometry.spacing_xyz_mm
    x0, y0, z0 = geometry.origin_xyz_mm
    fine = sz / count
    z = z0 - sz / 2 + fine / 2 + fine * np.arange(nz * count)
    return Canvas(
        z.astype(np.float32), (y0 + sy * np.arange(ny)).astype(np.float32), (x0 + sx * np.arange(nx)).astype(np.float32)
    )


def _scan(
    clean: Float32, canvas: Canvas, count: int, scene: Scene, settings: PhantomSettings, rng: np.random.Generator
) -> npt.NDArray[np.int16]:
    width = (
        float(np.ptp(canvas.x_mm[(clean[len(clean) // 2] > -300).any(axis=0)])) if (clean[len(clean) // 2] > -300).any() else 400
    )
    sd = noise_sd(settings, width)
    streaks = Streaks(settings, sd, rng)
    dense = _dense_spots(scene, settings)

    def artifact(k: int, slice_hu: Float32) -> Float32 | None:
        result = streaks.shoulders(slice_hu)
        z = float(canvas.z_mm[k * count : (k + 1) * count].mean())
        for point, strength in dense:
            if abs(point[2] - z) < max(4.0, settings.spacing_xyz_mm[2]):
                streaks.add_rays(result, canvas.y_mm, canvas.x_mm, point[1::-1], strength, k)
        return result

    return scan(clean, settings, sd, artifact, rng)


def _dense_spots(scene: Scene, settings: PhantomSettings) -> list[tuple[Float64, float]]:
    """Points of metal and of the injected vein, and how strongly they streak."""
    spots = [(point, _METAL_STREAK_HU) for point in scene.metal]
    excess = scene.enhancement.injected_vein - 220.0
    if settings.injection_side == "none" or settings.contrast == "none" or excess <= 0:
        return spots
    points = scene.vessels[settings.injection_side].trunk_vein.points_xyz_mm[3::3]
    return spots + [(p, 0.10 * excess) for p in points]


def _add_nodes(
    canvas: Canvas, count: int, geometry: Geometry, scene: Scene, plan: CasePlan, rng: np.random.Generator
) -> tuple[list[Segment], list[TruthNode]]:
    shapes: list[NodeShape] = []
    for side in ("R", "L"):
        wanted = tuple(node for node in plan.nodes if node.side == side)
        placed = place_nodes(wanted, side, scene.frame, scene.obstacles[side], rng)
        tubes = scene.vessels[side].all[2:]
        for tube in twigs_to([_hilum_point(s) for s in placed], tubes, rng):
            canvas.paint_tube(tube, small_vessel_hu(scene.enhancement, rng))
        shapes += sorted(placed, key=lambda s: -s.center_xyz_mm[2])
    segments: list[Segment] = []
    nodes: list[TruthNode] = []
    number = {"R": 0, "L": 0}
    for shape in shapes:
        mask = _paint_node(canvas, count, shape, scene)
        if mask is None or not bool(geometry.contains(shape.center_xyz_mm)):
            continue
        side = shape.plan.side
        number[side] += 1
        label = len(segments) + 1
        name = f"{side}{number[side]:02d}"
        segments.append(Segment(label, mask[0], mask[1], name))
        nodes.append(_truth_node(shape, label, name, geometry, mask, scene))
    if not plan.settings.allow_partial_axilla and len(nodes) != len(plan.nodes):
        raise InvalidValueError(
            f"{len(plan.nodes) - len(nodes)} of {len(plan.nodes)} planned nodes are outside this grid; give a larger one."
        )
    return segments, nodes


def _hilum_point(shape: NodeShape) -> Float64:
    """Where a node's vessel enters."""
    if shape.plan.kind == "crescent":
        return shape.to_patient(1.5 * shape.hilum_center)
    return shape.to_patient(shape.semi_mm * (0.0, 0.0, 0.9))


def _paint_node(canvas: Canvas, count: int, shape: NodeShape, scene: Scene) -> tuple[tuple[int, int, int], BoolArray] | None:
    """Paint a supersampled node; its truth crop on the CT's grid, or None where it has no voxel."""
    reach = float(shape.semi_mm.max()) * 1.4 + max(canvas.voxel_mm, canvas.dz_mm * count)
    surface = shape.surface(200)
    low = surface.min(axis=0)[::-1] - canvas.voxel_mm
    high = surface.max(axis=0)[::-1] + canvas.voxel_mm
    box = canvas.box(np.maximum(low, shape.center_xyz_mm[::-1] - reach), np.minimum(high, shape.center_xyz_mm[::-1] + reach))
    if box is None:
        return None
    zs = slice(box[0].start // count * count, -(-box[0].stop // count) * count)
    box = (zs, box[1], box[2])
    share, core = _sample(canvas, box, shape)
    share *= canvas.tissue[box] != TISSUES["node"]
    hit = share > 0
    z, y, x = np.nonzero(hit)
    centers = np.column_stack([canvas.x_mm[box[2]][x], canvas.y_mm[box[1]][y], canvas.z_mm[box[0]][z]]).astype(np.float64)
    cortex = shape.plan.cortex_hu + scene.enhancement.node_offset + shape.texture_hu(centers)
    hu = np.zeros(share.shape, dtype=np.float32)
    hu[hit] = cortex + core[hit] * (shape.core_hu(FAT_HU) - cortex)
    canvas.blend(box, share, hu, TISSUES["node"])
    occupancy = average_slices(share, count)
    most = float(occupancy.max(initial=0.0))
    if most <= 0:
        return None
    mask = occupancy > 0.5 if most > 0.5 else occupancy >= most
    inner = tuple(slice(int(i.min()), int(i.max()) + 1) for i in np.nonzero(mask))
    offset = (zs.start // count + inner[0].start, box[1].start + inner[1].start, box[2].start + inner[2].start)
    return offset, mask[inner].copy()


def _sample(canvas: Canvas, box: tuple[slice, slice, slice], shape: NodeShape) -> tuple[Float32, Float32]:
    """Share of each voxel inside the node, and share of that which is hilum or necrosis, from a grid of points in it."""
    steps = (canvas.dz_mm, canvas.voxel_mm, canvas.voxel_mm)
    factors = [int(np.clip(np.ceil(step / _SAMPLE_MM), 2, 4)) for step in steps]
    axes = []
    for axis, part, step, n in zip((canvas.z_mm, canvas.y_mm, canvas.x_mm), box, steps, factors, strict=True):
        offsets = ((np.arange(n) + 0.5) / n - 0.5) * step
        axes.append((axis[part].astype(np.float64)[:, None] + offsets).ravel())
    points = np.stack(np.meshgrid(*axes, indexing="ij")[::-1], axis=-1).reshape(-1, 3)
    inside, core = shape.evaluate(points)
    split = tuple(size for axis, n in zip(axes, factors, strict=True) for size in (len(axis) // n, n))

    def mean(values: npt.NDArray[np.float32]) -> Float32:
        return np.asarray(values.reshape(split).mean(axis=(1, 3, 5)), dtype=np.float32)

    share = mean(inside.astype(np.float32))
    return share, np.asarray(mean(core.astype(np.float32)) / np.maximum(share, np.float32(1e-6)), dtype=np.float32)


def _truth_node(
    shape: NodeShape, label: int, name: str, geometry: Geometry, mask: tuple[tuple[int, int, int], BoolArray], scene: Scene
) -> TruthNode:
    offset, voxels = mask
    index = np.argwhere(voxels) + offset
    center = geometry.to_mm(index.mean(axis=0))
    short, long = axial_axes_mm(voxels, geometry.spacing_xyz_mm[:2])
    plan = shape.plan
    level = level_of(scene.frame, plan.side, np.asarray(center)[None])[0]
    x, y, z = center.tolist()
    return TruthNode(
        name, label, plan.side, level, plan.status, plan.kind, (x, y, z), short, long, len(index) * geometry.voxel_volume_mm3
    )


def axial_axes_mm(mask: BoolArray, spacing_xy_mm: tuple[float, float]) -> tuple[float, float]:
    """Short and long axis of a mask ``(z, y, x)`` on the axial slice where the long axis is longest, voxel edges included."""
    best = (0.0, 0.0)
    corners = np.array([(-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)])
    for plane in mask:
        if not plane.any():
            continue
        edge = plane & ~_eroded(plane)
        points = (np.argwhere(edge)[:, None] + corners).reshape(-1, 2) * np.asarray(spacing_xy_mm)[::-1]
        angle = np.linspace(0, np.pi, 90, endpoint=False)
        extent = np.ptp(points @ np.stack([np.cos(angle), np.sin(angle)]), axis=0)
        long = int(np.argmax(extent))
        if extent[long] > best[1]:
            best = (float(extent[(long + 45) % 90]), float(extent[long]))
    return best


def _eroded(plane: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    padded = np.pad(plane, 1)
    return np.asarray(padded[2:, 1:-1] & padded[:-2, 1:-1] & padded[1:-1, 2:] & padded[1:-1, :-2])
