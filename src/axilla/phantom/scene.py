"""Painting one patient's anatomy on the canvas, from the couch up to the axillary vessels; nodes come later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from axilla.phantom import limb, trunk
from axilla.phantom.body import SKIN_MM, body_field, breast_centers, fat_thickness_mm, paint_table
from axilla.phantom.devices import paint_clips, paint_port
from axilla.phantom.frame import SIDE_SIGN, Float64, Frame
from axilla.phantom.packing import pack
from axilla.phantom.placement import Obstacles
from axilla.phantom.settings import PhantomSettings
from axilla.phantom.shapes import Canvas, Field, Texture, Tube
from axilla.phantom.strands import paint_strands, small_vessel_hu
from axilla.phantom.tissue import (
    CARTILAGE_HU,
    CORTEX_HU,
    FAT_HU,
    GLAND_HU,
    LUNG_HU,
    MARROW_HU,
    SHAFT_MARROW_HU,
    SKIN_HU,
    TISSUES,
    Enhancement,
    fat_texture,
    lung_texture,
    muscle_texture,
    smooth_noise,
)
from axilla.phantom.vessels import AxillaryVessels, axillary_vessels, tree


@dataclass(frozen=True)
class Scene:
    """What the nodes need to know of the painted anatomy."""

    frame: Frame
    enhancement: Enhancement
    vessels: dict[str, AxillaryVessels]
    obstacles: dict[str, Obstacles]
    metal: tuple[Float64, ...] = ()
    """Where clips and a port's chamber lie, xyz mm."""


def paint_scene(canvas: Canvas, settings: PhantomSettings, rng: np.random.Generator) -> Scene:
    """Paint everything but the nodes."""
    frame = Frame.draw(settings, rng)
    enhancement = Enhancement.draw(settings, rng)
    muscles = {side: limb.muscles(frame, side, settings.arms, settings.muscularity) for side in SIDE_SIGN}
    body = body_field(frame, settings, muscles["R"] + muscles["L"], canvas)
    paint_table(canvas, body, settings.position)
    _paint_body(canvas, settings, frame, body, rng)
    vessels = {side: axillary_vessels(frame, side, settings.arms, rng) for side in SIDE_SIGN}
    trunks = {side: (vessels[side].arteries[0], vessels[side].veins[0]) for side in SIDE_SIGN}
    fields = _paint_muscles(canvas, settings, muscles, _Room(frame, body, trunks), enhancement, rng)
    bones = _paint_scapulae(canvas, settings, frame)
    wall = _paint_thorax(canvas, frame, enhancement, rng)
    _paint_axial_skeleton(canvas, frame)
    _paint_mediastinum(canvas, frame, enhancement)
    obstacles = {}
    metal: list[Float64] = []
    for side in SIDE_SIGN:
        paint_vessels(canvas, vessels[side], side, settings, enhancement, rng)
        tubes = (*vessels[side].all, trunk.clavicle(frame, side), *limb.humerus(frame, side, settings.arms))
        if settings.arms == "down":
            tubes = (*tubes, limb.arm_down(frame, side))
        first_ribs = tuple(trunk.ribs(frame, side)[0][:2])
        cover = 3.0 + 0.75 * fat_thickness_mm(settings)
        solids = (*fields[side], *bones[side], wall)
        obstacles[side] = Obstacles.gather(frame, side, solids, (*tubes, *first_ribs), body, cover)
        paint_strands(canvas, vessels[side].all[2:], obstacles[side], enhancement, rng)
        if settings.clips == side:
            metal += paint_clips(canvas, vessels[side].all[2:], obstacles[side], rng)
    if settings.port != "none":
        metal += paint_port(canvas, frame, body, settings.port)
    return Scene(frame, enhancement, vessels, obstacles, tuple(metal))


def _paint_body(canvas: Canvas, settings: PhantomSettings, frame: Frame, body: Field, rng: np.random.Generator) -> None:
    canvas.paint_field(body, SKIN_HU, TISSUES["skin"])
    canvas.paint_field(body, FAT_HU, TISSUES["fat"], SKIN_MM, fat_texture(canvas, rng))
    for _, center, semi in breast_centers(frame, settings):
        _paint_gland(canvas, center, semi, settings.gland_density, rng)


def _paint_gland(canvas: Canvas, center: np.ndarray, semi: np.ndarray, density: float, rng: np.random.Generator) -> None:
    """Glandular lobes: where a smooth field, favored toward the middle and the nipple, is high."""
    reach = semi * 0.92
    box = canvas.box((center - reach)[::-1], (center + reach)[::-1])
    if box is None:
        return
    zs, ys, xs = box
    lobes = smooth_noise(canvas, rng, (6.0, 6.0, 6.0))
    y, x = canvas.y_mm[ys], canvas.x_mm[xs]
    for k in range(zs.start, zs.stop):
        z = float(canvas.z_mm[k])
        radius = np.sqrt(
            ((x[None, :] - center[0]) / reach[0]) ** 2
            + ((y[:, None] - center[1] + 4) / (0.8 * reach[1])) ** 2
            + ((z - center[2]) / reach[2]) ** 2
        )
        value = lobes.on_slice(z, y, x) + 2.6 * (density - 0.35) + 1.1 - 2.3 * radius
        share = np.clip(value / 0.5, 0, 1) * (canvas.tissue[k, ys, xs] == TISSUES["fat"])
        canvas.blend((k, ys, xs), share.astype(np.float32), GLAND_HU, TISSUES["gland"])


@dataclass(frozen=True)
class _Room:
    """What the muscles have to share their room with."""

    frame: Frame
    body: Field
    trunks: dict[str, tuple[Tube, Tube]]


def _paint_muscles(
    canvas: Canvas,
    settings: PhantomSettings,
    muscles: dict[str, list[limb.Muscle]],
    room: _Room,
    enhancement: Enhancement,
    rng: np.random.Generator,
) -> dict[str, list[Field]]:
    texture = muscle_texture(canvas, rng, float(np.clip(settings.habitus * 0.9 + rng.uniform(-0.1, 0.3), 0, 1)))
    fine, bulges = smooth_noise(canvas, rng, (7.0, 6.0, 6.0)), smooth_noise(canvas, rng, (22.0, 15.0, 15.0))
    rough = Field(0.7 * fine.values + 2.0 * bulges.values, fine.origin_zyx_mm, fine.spacing_mm)
    heights = canvas.heights_mm()
    fields: dict[str, list[Field]] = {}
    for side, items in muscles.items():
        if settings.arms == "down":
            canvas.paint_tube(limb.arm_down(room.frame, side), enhancement.muscle, TISSUES["muscle"])
        shapes = [muscle.shape.field(z_range_mm=heights) for muscle in items]
        cover = 2.0 + 0.6 * fat_thickness_mm(settings)
        fields[side] = [_roughened(field, rough) for field in pack(shapes, room.body, room.trunks[side], cover)]
        for field in fields[side]:
            hu = enhancement.muscle + float(rng.normal(0, 2.0))
            canvas.paint_field(field, hu, TISSUES["muscle"], texture=texture)
    return fields


def _roughened(field: Field, rough: Field) -> Field:
    """A boundary that is not a mathematician's."""
    low, _ = field.bounds_mm()
    shape = field.values.shape
    z, y, x = (low[a] + field.spacing_mm * np.arange(shape[a]) for a in range(3))
    at = rough.over(y.astype(np.float32), x.astype(np.float32))
    bumps = np.stack([at(float(h)) for h in z])
    return Field(field.values + bumps, low, field.spacing_mm)


def _paint_scapulae(canvas: Canvas, settings: PhantomSettings, frame: Frame) -> dict[str, list[Field]]:
    fields: dict[str, list[Field]] = {}
    for side in SIDE_SIGN:
        fields[side] = []
        for strip in limb.scapula(frame, side):
            field = strip.field(z_range_mm=canvas.heights_mm())
            fields[side].append(field)
            canvas.paint_field(field, CORTEX_HU * 0.75, TISSUES["bone"])
            canvas.paint_field(field, MARROW_HU + 60, TISSUES["bone"], 1.5)
        head, shaft = limb.humerus(frame, side, settings.arms)
        canvas.paint_tube(shaft, SHAFT_MARROW_HU, TISSUES["bone"], CORTEX_HU, 3.5)
        for tube in (limb.coracoid(frame, side), trunk.clavicle(frame, side), head):
            canvas.paint_tube(tube, MARROW_HU + 30, TISSUES["bone"], CORTEX_HU * 0.8, 1.5)
    return fields


def _paint_thorax(canvas: Canvas, frame: Frame, enhancement: Enhancement, rng: np.random.Generator) -> Field:
    """Intercostal muscles, ribs, pleural cavity with fat, lungs and their vessels; returns the chest wall's outside."""
    cavity = trunk.cavity_loft(frame).field(18.0, canvas.heights_mm())
    wall = Field(cavity.values - np.float32(trunk.CHEST_WALL_MM + 1.5), cavity.origin_zyx_mm, cavity.spacing_mm)
    intercostal = trunk.CHEST_WALL_MM - 1.0
    canvas.paint_field(cavity, enhancement.muscle - 8, TISSUES["muscle"], -intercostal)
    canvas.paint_field(cavity, FAT_HU + 15, TISSUES["fat"], -1.2)
    middle = trunk.mediastinum(frame).field(18.0, canvas.heights_mm())
    _paint_lungs(canvas, cavity, middle, lung_texture(canvas, rng), enhancement.organ)
    for side, sign in SIDE_SIGN.items():
        bony, cartilage = trunk.ribs(frame, side)
        for tube in cartilage:
            canvas.paint_tube(tube, CARTILAGE_HU, TISSUES["cartilage"])
        for tube in bony:
            canvas.paint_tube(tube, MARROW_HU, TISSUES["bone"], CORTEX_HU * 0.8, 1.7)
        _paint_lung_vessels(canvas, frame, sign, enhancement, rng)
    return wall


def _paint_lungs(canvas: Canvas, cavity: Field, middle: Field, texture: Texture, organ_hu: float) -> None:
    box = canvas.box(*cavity.bounds_mm())
    if box is None:
        return
    zs, ys, xs = box
    y, x = canvas.y_mm[ys], canvas.x_mm[xs]
    cavity_at, middle_at = cavity.over(y, x), middle.over(y, x)
    low, high = middle.bounds_mm()
    for k in range(zs.start, zs.stop):
        z = float(canvas.z_mm[k])
        outside = cavity_at(z)
        if low[0] <= z <= high[0]:
            outside = np.maximum(outside, -middle_at(z))
        below = trunk.diaphragm_mm(y, x) - np.float32(z)
        if float(below.max()) > 0:
            share = np.clip(0.5 - np.maximum(outside, -below) / canvas.voxel_mm, 0, 1)
            canvas.blend((k, ys, xs), share, organ_hu, TISSUES["organ"])
            outside = np.maximum(outside, below)
        share = np.clip(0.5 - outside / canvas.voxel_mm, 0, 1)
        canvas.blend((k, ys, xs), share, LUNG_HU + texture(k, ys, xs), TISSUES["lung"])


def _paint_lung_vessels(canvas: Canvas, frame: Frame, sign: float, enhancement: Enhancement, rng: np.random.Generator) -> None:
    hilum = frame.warp([sign * 42.0, -6.0, -98.0])
    for direction in ((0.5, -0.3, 0.9), (0.8, 0.5, 0.5), (0.9, -0.8, 0.1), (0.9, 0.6, -0.5), (0.6, -0.4, -0.9), (0.4, 0.7, -0.9)):
        way = np.array(direction) * (sign, 1, 1) + rng.normal(0, 0.2, 3)
        for tube in tree(hilum, way, 30.0, 4.2, rng, 4):
            inside = [_code(canvas, p) in (TISSUES["lung"], TISSUES["airway"]) for p in tube.points_xyz_mm[1:]]
            if all(inside):
                canvas.paint_tube(tube, enhancement.heart)


def _code(canvas: Canvas, point_xyz_mm: np.ndarray) -> int:
    index = []
    for axis, value in zip((canvas.z_mm, canvas.y_mm, canvas.x_mm), point_xyz_mm[::-1], strict=True):
        if not axis[0] <= value <= axis[-1]:
            return -1
        index.append(int(np.searchsorted(axis, value)))
    return int(canvas.tissue[tuple(index)])


def _paint_axial_skeleton(canvas: Canvas, frame: Frame) -> None:
    """Vertebrae with canal, arches, processes and disks; sternum."""
    sternum = trunk.sternum(frame).field(z_range_mm=canvas.heights_mm())
    canvas.paint_field(sternum, CORTEX_HU * 0.6, TISSUES["bone"])
    canvas.paint_field(sternum, MARROW_HU - 40, TISSUES["bone"], 1.8)
    for k, z in enumerate(canvas.z_mm):
        center = trunk.spine_center(frame, float(z) / float(frame.scale_xyz[2]))
        _paint_vertebra(canvas, k, center, float(frame.scale_xyz[0]), (float(z) % trunk.VERTEBRA_MM) / trunk.VERTEBRA_MM)


def _paint_vertebra(canvas: Canvas, k: int, center: np.ndarray, size: float, phase: float) -> None:
    box = canvas.box((canvas.z_mm[k], center[1] - 24, center[0] - 44), (canvas.z_mm[k], center[1] + 66, center[0] + 44))
    if box is None:
        return
    _, ys, xs = box
    x = ((canvas.x_mm[xs] - center[0]) / size)[None, :]
    y = ((canvas.y_mm[ys] - center[1]) / size)[:, None]
    waist = 1.0 - 0.08 * np.sin(np.pi * phase)
    body = (np.sqrt((x / 18.5) ** 2 + (y / 15.0) ** 2) - waist) * 15.0
    canal = (np.sqrt((x / 9.5) ** 2 + ((y - 22.0) / 8.0) ** 2) - 1.0) * 8.0
    here = (k, ys, xs)
    edge = canvas.voxel_mm

    def paint(distance: np.ndarray, hu: float, tissue: str) -> None:
        canvas.blend(here, np.clip(0.5 - distance / edge, 0, 1).astype(np.float32), hu, TISSUES[tissue])

    arch = np.maximum(np.abs(canal - 2.5) - 2.6, -(y - 12.0))
    spinous = np.maximum(np.abs(x) - 2.6, np.maximum(30.0 - y, y - (50.0 + 8.0 * np.cos(2 * np.pi * phase))))
    lateral = 12 + 0.0 * x
    process = np.maximum(np.abs(y - 27.0 - 0.12 * np.abs(x)) - 4.5, np.maximum(lateral - np.abs(x), np.abs(x) - 33.0))
    if 0.30 < phase < 0.75:
        arch = np.minimum(arch, process)
    is_disk = phase < 0.17
    paint(arch, 560.0, "bone")
    paint(spinous, 480.0, "bone")
    if is_disk:
        paint(body, 85.0, "cartilage")
    else:
        endplate = 0.17 <= phase < 0.24 or phase > 0.94
        paint(body, 620.0, "bone")
        paint(body + 1.6, 420.0 if endplate else MARROW_HU, "bone")
    paint(canal, 32.0, "organ")


def _paint_mediastinum(canvas: Canvas, frame: Frame, enhancement: Enhancement) -> None:
    for tube in trunk.veins(frame):
        canvas.paint_tube(tube, enhancement.vein, TISSUES["vein"])
    heart = trunk.heart(frame).field(z_range_mm=canvas.heights_mm())
    canvas.paint_field(heart, enhancement.muscle + 35.0, TISSUES["heart"])
    for tube in trunk.heart_chambers(frame):
        canvas.paint_tube(tube, enhancement.heart, TISSUES["heart"])
    canvas.paint_tube(trunk.esophagus(frame), 45.0, TISSUES["organ"])
    for tube in trunk.arteries(frame):
        canvas.paint_tube(tube, enhancement.artery, TISSUES["artery"])
    for tube in trunk.airways(frame):
        canvas.paint_tube(Tube(tube.points_xyz_mm, tube.radii_mm), -990.0, TISSUES["airway"], 50.0, 1.6)


def paint_vessels(
    canvas: Canvas,
    vessels: AxillaryVessels,
    side: str,
    settings: PhantomSettings,
    enhancement: Enhancement,
    rng: np.random.Generator,
) -> None:
    """Arteries and veins of one axilla; the injected side's trunk vein is dense, branches are paler than trunks."""
    injected = settings.injection_side == side
    for index, tube in enumerate(vessels.arteries):
        hu = enhancement.artery if index == 0 else 0.75 * enhancement.artery
        canvas.paint_tube(tube, hu, TISSUES["artery"])
    for index, tube in reversed(list(enumerate(vessels.veins))):
        trunk_hu = enhancement.injected_vein if injected else enhancement.vein
        canvas.paint_tube(tube, trunk_hu if index == 0 else small_vessel_hu(enhancement, rng), TISSUES["vein"])
