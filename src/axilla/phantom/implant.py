"""Synthetic nodes in a real CT: what a detector finds of them is its sensitivity on this scanner, this protocol, this body.

1. ``find_anatomy`` gives each side's axilla. 2. In it, room is where the CT itself shows clean fat: every voxel's distance to the
nearest other tissue. 3. The phantom's nodes (same shapes, cortices, hila, textures) are placed there, free or just touching a
vessel or muscle, never inside one. 4. Each node is sampled finely, blurred by the CT's measured point spread in plane and by its
slice thickness along z, and mixed with the CT. The CT's own noise stays where the node is, strands of fat under it do not.
Voxels that no node reaches are those of the CT, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from axilla.anatomy import Anatomy, find_anatomy
from axilla.errors import InputRefusedError, InvalidValueError
from axilla.node import SIDES, Segmentation
from axilla.phantom.frame import Float64
from axilla.phantom.nodes import NodePlan, NodeShape, plan_node, shape_node
from axilla.phantom.render import SyntheticCase, TruthNode, axial_axes_mm
from axilla.phantom.settings import PHANTOM_VERSION
from axilla.phantom.shapes import Float32
from axilla.phantom.tissue import TISSUES
from axilla.volume import BoolArray, Geometry, Labels, SlicesZYX, Volume, bounding_box, from_canonical, to_canonical

IMPLANT_WARNING = "Synthetic lymph nodes were blended into this CT ({version}); it shows no patient's true state."
_CLEAN_PERCENTILE = 20.0
"""Of the SDs in 5 x 5 pixels of fat: so few windows hold nothing but fat in a real axilla."""
_FWHM = float(np.sqrt(8 * np.log(2)))


@dataclass(frozen=True)
class ImplantSettings:
    """How synthetic nodes are put into a real CT."""

    short_axis_mm: tuple[float, float] = (3.0, 15.0)
    """Smallest and largest short axis, mm, spread evenly; 3 mm is the paper's claim, above 15 mm no detector fails."""

    touching_share: float = 0.4
    """Share of nodes that touch a vessel or muscle; real nodes hang on vessels."""

    metastatic_share: float = 0.5
    """Share drawn from the metastatic class: solid, denser; the others mostly have a fatty hilum."""

    soft_share: float = 0.4
    """Share of the way from the patient's fat to muscle HU above which a voxel is not fat and no node may enter it."""

    free_mm: float = 0.8
    """Fat left around a node that touches nothing, mm."""

    shrink: float = 0.9
    """Factor by which a node that fits nowhere is made smaller, again and again; below the smallest size it is left out."""

    def __post_init__(self) -> None:
        low, high = self.short_axis_mm
        if not 2.0 <= low <= high <= 30.0:
            raise InvalidValueError(f"Implants' short axes must be a range within 2..30 mm, not {self.short_axis_mm}.")
        shares = (self.touching_share, self.metastatic_share, self.soft_share)
        if not all(0 <= share <= 1 for share in shares) or not 0.5 <= self.shrink < 1:
            raise InvalidValueError(f"Shares must lie in 0..1 and the shrink factor in 0.5..1, not {shares} and {self.shrink}.")


_DEFAULTS = ImplantSettings()


@dataclass(frozen=True)
class Sharpness:
    """What was measured of a CT's image quality."""

    noise_sd_hu: float
    """In its axillary fat."""
    resolution_mm: float
    """Full width at half maximum in plane."""
    thickness_mm: float
    """Of its slices."""


def implant(volume: Volume, n_per_side: int, seed: int, settings: ImplantSettings = _DEFAULTS) -> SyntheticCase:
    """Blend synthetic nodes into the axillary fat of a real CT.

    Parameters
    ----------
    volume : Volume
        CT in HU, any orientation.
    n_per_side : int
        Nodes wanted per axilla in view, 1..15. Where the fat has no room left, fewer are implanted.
    seed : int
        The same CT, seed and settings give the same bytes.
    settings : ImplantSettings

    Returns
    -------
    SyntheticCase
        The changed CT (``acquisition.is_synthetic``, with a warning), the truth on its grid, and a label map of the nodes alone
        as anatomy. ``level`` of the truth nodes is empty: it was not determined.

    Raises
    ------
    InputRefusedError
        If no axilla with fat is in the field of view.
    InvalidValueError
        If the number or the seed make no sense.
    """
    if not 1 <= n_per_side <= 15 or seed < 0:
        raise InvalidValueError(f"Expected 1 to 15 nodes per side and a seed of at least 0, not {n_per_side} and {seed}.")
    anatomy = find_anatomy(volume)
    sides = [side for side in SIDES if anatomy.coverage[side] != "absent"]
    if not sides:
        reasons = " ".join(anatomy.reasons[side] for side in SIDES if anatomy.reasons.get(side))
        raise InputRefusedError(
            f"No axilla is in this CT's field of view, so no nodes can be implanted; choose a chest CT. {reasons}"
        )
    geometry = volume.geometry.canonical()
    array = np.array(to_canonical(volume.array, volume.geometry))
    labels = np.zeros(array.shape, dtype=np.uint16)
    sharpness = measure_sharpness(volume, anatomy)
    placed: list[NodeShape] = []
    for side, seeds in zip(SIDES, np.random.SeedSequence(seed).spawn(2), strict=True):
        if side in sides:
            rng = np.random.default_rng(seeds)
            room = _Room.find(array, geometry, anatomy, side, settings)
            placed += _place_all(room, side, n_per_side, settings, rng)
    nodes = _blend_all(array, labels, geometry, placed, anatomy, sharpness)
    if not nodes:
        raise InputRefusedError("The axillae of this CT hold no clean fat in which a node could be implanted; choose another CT.")
    return _case(volume, array, labels, nodes)


def measure_sharpness(volume: Volume, anatomy: Anatomy) -> Sharpness:
    """Noise in the axillary fat, in-plane point spread at the skin, and slice thickness of a CT."""
    array, geometry = to_canonical(volume.array, volume.geometry), volume.geometry.canonical()
    thickness = max(volume.acquisition.slice_thickness_mm or 0.0, geometry.spacing_xyz_mm[2])
    spread = [np.zeros(1, dtype=np.float32)]
    for side in SIDES:
        mask = to_canonical(anatomy.mask(f"fat_{side}"), volume.geometry)
        if mask.any():
            box = bounding_box(mask)
            crop = array[box].astype(np.float32) - np.float32(anatomy.fat_hu)
            mean, square = (ndimage.uniform_filter(part, (1, 5, 5)) for part in (crop, crop**2))
            spread.append(np.sqrt(np.maximum(square - mean**2, 0.0) * 25 / 24)[mask[box]])
    noise = float(np.percentile(np.concatenate(spread), _CLEAN_PERCENTILE))
    return Sharpness(noise, _resolution_mm(array, geometry), float(min(thickness, 3 * geometry.spacing_xyz_mm[2])))


def _resolution_mm(array: npt.NDArray[np.generic], geometry: Geometry) -> float:
    """From the steepest of air-to-skin edges along y: 25-75 % rise of a Gaussian edge is 1.349 SD."""
    spacing = geometry.spacing_xyz_mm[1]
    widths = []
    for plane in array[:: max(1, len(array) // 24)]:
        columns = plane.astype(np.float32)[:, :: max(1, plane.shape[1] // 96)]
        for profile in columns.T:
            first = int(np.argmax(profile > -500))
            if not 6 < first < len(profile) - 8 or profile[first - 6 : first - 3].max() > -900:
                continue
            part = profile[first - 5 : first + 5]
            top = float(part.max())
            rise = np.maximum.accumulate(part[: int(part.argmax()) + 1]).astype(np.float64) + 1e-6 * np.arange(
                int(part.argmax()) + 1
            )
            low, high = np.interp([-1000 + 0.25 * (top + 1000), -1000 + 0.75 * (top + 1000)], rise, np.arange(len(rise)))
            widths.append(float(high - low) * spacing)
    if len(widths) < 50:
        return 1.0
    return float(np.clip(_FWHM * np.percentile(widths, 15) / 1.349, 0.7, 2.0))


@dataclass(frozen=True)
class _Room:
    """Where nodes of one side may lie, on a crop of the canonical grid."""

    geometry: Geometry
    clearance_mm: Float32
    """Distance of fat voxels in the axilla from anything else; negative outside."""

    @classmethod
    def find(
        cls, array: npt.NDArray[np.generic], geometry: Geometry, anatomy: Anatomy, side: str, settings: ImplantSettings
    ) -> _Room:
        """Distances in the side's axilla."""
        region = anatomy.grid.to_fine(anatomy.masks[f"axilla_{side}"])
        box = bounding_box(region, 3)
        limit = anatomy.fat_hu + settings.soft_share * (anatomy.muscle_hu - anatomy.fat_hu)
        smooth = ndimage.gaussian_filter(array[box].astype(np.float32), [0.0, *(0.6 / s for s in geometry.spacing_zyx_mm[1:])])
        free = (smooth < limit) & (smooth > anatomy.fat_hu - 80) & region[box]
        inside = ndimage.distance_transform_edt(free, geometry.spacing_zyx_mm)
        outside = ndimage.distance_transform_edt(~free, geometry.spacing_zyx_mm)
        return cls(geometry.crop(box), (inside - outside).astype(np.float32))

    def at(self, points_xyz_mm: Float64) -> Float64:
        """Clearance at points ``(n, 3)``; far outside beyond the crop."""
        index = self.geometry.to_index(points_xyz_mm)
        return np.asarray(ndimage.map_coordinates(self.clearance_mm, index.T, order=1, mode="constant", cval=-99.0))


def _place_all(room: _Room, side: str, count: int, settings: ImplantSettings, rng: np.random.Generator) -> list[NodeShape]:
    """Places for nodes spread over the sizes, largest first; a node that fits nowhere is left out."""
    low, high = settings.short_axis_mm
    sizes = low + (high - low) * (np.arange(count) + rng.uniform(0, 1, count)) / count
    placed: list[NodeShape] = []
    for size in sizes[::-1]:
        plan = _sized(side, float(size), settings, rng)
        while plan.axes_mm[2] >= low:
            shape = _place(plan, room, placed, settings, rng)
            if shape is not None:
                placed.append(shape)
                break
            long, middle, short = (settings.shrink * axis for axis in plan.axes_mm)
            plan = replace(plan, axes_mm=(long, middle, short), cortex_mm=settings.shrink * plan.cortex_mm)
    return sorted(placed, key=lambda shape: -shape.center_xyz_mm[2])


def _sized(side: str, short_mm: float, settings: ImplantSettings, rng: np.random.Generator) -> NodePlan:
    """A node of either class with the given short axis."""
    status = "metastatic" if rng.uniform() < settings.metastatic_share else "benign"
    plan = plan_node(side, status, rng)
    scale = short_mm / plan.axes_mm[2]
    long, middle, short = (float(axis * scale) for axis in plan.axes_mm)
    contact = "touching" if rng.uniform() < settings.touching_share else "free"
    return replace(plan, axes_mm=(long, middle, short), cortex_mm=plan.cortex_mm * scale, contact=contact)  # type: ignore[arg-type]


def _place(
    plan: NodePlan, room: _Room, others: list[NodeShape], settings: ImplantSettings, rng: np.random.Generator
) -> NodeShape | None:
    half, is_touching = plan.axes_mm[2] / 2, plan.contact == "touching"
    clear = room.clearance_mm
    fits = (clear > 0.9 * half) & (clear < half + 2.5) if is_touching else clear > half + settings.free_mm
    places = np.argwhere(fits)
    if not len(places):
        return None
    for index in places[rng.integers(0, len(places), 80)]:
        center = room.geometry.to_mm(index + rng.uniform(-0.5, 0.5, 3))
        shape = shape_node(plan, center, rng)
        surface = shape.surface(120)
        margin = float(room.at(surface).min())
        if not (-0.2 < margin < 0.9 if is_touching else margin > settings.free_mm):
            continue
        if all(_apart(shape, surface, other) for other in others):
            return shape
    return None


def _apart(shape: NodeShape, surface: Float64, other: NodeShape) -> bool:
    if np.linalg.norm(shape.center_xyz_mm - other.center_xyz_mm) > 1.4 * (shape.semi_mm[0] + other.semi_mm[0]) + 3.0:
        return True
    return not other.evaluate(surface)[0].any() and not shape.evaluate(other.surface(120))[0].any()


def _blend_all(
    array: npt.NDArray[np.generic],
    labels: npt.NDArray[np.uint16],
    geometry: Geometry,
    shapes: list[NodeShape],
    anatomy: Anatomy,
    sharpness: Sharpness,
) -> list[TruthNode]:
    """Blend every node into `array` and mark it in `labels`."""
    nodes: list[TruthNode] = []
    number = dict.fromkeys(SIDES, 0)
    offset = 0.0 if anatomy.is_enhanced else -38.0
    for shape in shapes:
        box, share, hu = _sample(shape, geometry, anatomy.fat_hu, offset)
        mask = (share > 0.5) & (labels[box] == 0)
        if not mask.any():
            continue
        label = len(nodes) + 1
        number[shape.plan.side] += 1
        _blend(array[box], share, hu, geometry, sharpness)
        labels[box][mask] = label
        nodes.append(_truth(shape, label, f"{shape.plan.side}{number[shape.plan.side]:02d}", mask, box, geometry))
    return nodes


_SAMPLE_MM = 0.45
"""Distance of the points by which a voxel's share of a node is counted."""


def _sample(shape: NodeShape, geometry: Geometry, fat_hu: float, offset_hu: float) -> tuple[SlicesZYX, Float32, Float32]:
    """Box around a node, the share of each voxel inside it, and the mean HU of that share."""
    spacing = np.asarray(geometry.spacing_zyx_mm)
    index = geometry.to_index(shape.surface(200))
    margin = np.ceil(4.0 / spacing)
    low = np.maximum(np.floor(index.min(axis=0) - margin), 0).astype(int)
    high = np.minimum(np.ceil(index.max(axis=0) + margin) + 1, geometry.shape_zyx).astype(int)
    box = (slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1])), slice(int(low[2]), int(high[2])))
    steps = [int(np.clip(np.ceil(s / _SAMPLE_MM), 2, 10)) for s in spacing]
    axes = [(np.arange(a, b)[:, None] + (np.arange(n) + 0.5) / n - 0.5).ravel() for a, b, n in zip(low, high, steps, strict=True)]
    points = geometry.to_mm(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3))
    inside, core = shape.evaluate(points)
    values = np.zeros(len(points), dtype=np.float32)
    cortex = shape.plan.cortex_hu + offset_hu + shape.texture_hu(points[inside])
    values[inside] = cortex + core[inside] * (shape.core_hu(fat_hu) - cortex)
    split = tuple(size for a, b, n in zip(low, high, steps, strict=True) for size in (int(b - a), n))
    share = inside.astype(np.float32).reshape(split).mean(axis=(1, 3, 5))
    total = values.reshape(split).mean(axis=(1, 3, 5))
    return box, share, np.asarray(total / np.maximum(share, np.float32(1e-6)), dtype=np.float32)


def _blend(view: npt.NDArray[np.generic], share: Float32, hu: Float32, geometry: Geometry, sharpness: Sharpness) -> None:
    """Mix a node into the CT's box `view` as the scanner would have shown it, keeping the noise found there."""
    sz, sy, sx = geometry.spacing_zyx_mm
    variance = sharpness.resolution_mm**2 / _FWHM**2
    overlap = max(sharpness.thickness_mm**2 - sz**2, 0.0) / 12
    sigma = [np.sqrt(overlap) / sz, *(np.sqrt(max(variance - s**2 / 12, 0.0)) / s for s in (sy, sx))]
    seen = ndimage.gaussian_filter(share, sigma, mode="nearest")
    lit = ndimage.gaussian_filter(share * hu, sigma, mode="nearest")
    old = np.asarray(view, dtype=np.float32)
    smooth = ndimage.median_filter(old, (1, 5, 5), mode="nearest")
    limit = 2.5 * max(sharpness.noise_sd_hu, 1.0)
    noise = np.clip(old - smooth, -limit, limit)
    mixed = (1 - seen) * old + lit + seen * noise
    changed = seen > 0.004
    view[changed] = (np.rint(mixed) if view.dtype.kind in "iu" else mixed)[changed].astype(view.dtype)


def _truth(shape: NodeShape, label: int, name: str, mask: BoolArray, box: SlicesZYX, geometry: Geometry) -> TruthNode:
    index = np.argwhere(mask) + [s.start for s in box]
    x, y, z = geometry.to_mm(index.mean(axis=0)).tolist()
    short, long = axial_axes_mm(mask, geometry.spacing_xyz_mm[:2])
    volume = len(index) * geometry.voxel_volume_mm3
    plan = shape.plan
    return TruthNode(name, label, plan.side, "", plan.status, plan.kind, (x, y, z), short, long, volume)


def _case(
    volume: Volume, array: npt.NDArray[np.generic], labels: npt.NDArray[np.uint16], nodes: list[TruthNode]
) -> SyntheticCase:
    """The changed CT and its truth, back in the CT's own orientation."""
    own = np.ascontiguousarray(from_canonical(labels, volume.geometry))
    truth = Segmentation.from_labels(Labels(own, volume.geometry, {node.label: node.node_id for node in nodes}))
    changed = replace(
        volume,
        array=np.ascontiguousarray(from_canonical(array, volume.geometry)),
        acquisition=replace(volume.acquisition, is_synthetic=True),
    ).with_warnings(IMPLANT_WARNING.format(version=PHANTOM_VERSION))
    code = np.uint16(TISSUES["node"])
    anatomy = Labels(np.where(own > 0, code, np.uint16(0)), volume.geometry, {int(code): "node"})
    return SyntheticCase(changed, truth, tuple(nodes), anatomy)
