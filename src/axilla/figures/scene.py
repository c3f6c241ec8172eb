"""The atlas as a picture: surfaces drawn without a graphics card, nodes named, so that a report on paper has its 3D view.

Surfaces are sampled densely, projected in parallel, and sorted by depth (a z-buffer of points). Bones and nodes are solid;
lungs and skin are glass: clear where they face the viewer, visible along their edges. Nodes shine through what covers them.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image, ImageColor, ImageDraw

from axilla.atlas import Atlas, FaceArray, Mesh, NodeLink
from axilla.errors import InvalidValueError
from axilla.figures.ct import draw_words
from axilla.figures.drawing import BLUE, INK, JPEG, VERMILION, Drawing
from axilla.node import SIDES
from axilla.volume import BoolArray, FloatArray

RGB = tuple[float, float, float]
_Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class SceneSettings:
    """How the atlas is looked at."""

    turns_deg: tuple[float, ...] = (0.0, 50.0, -50.0)
    """One view each: rotation about the body's long axis, degrees; 0 looks at the patient from the front, positive brings the
    patient's right side forward."""

    view_px: int = 420
    """Width and height of a view, pixels."""

    has_close_views: bool = True
    """Whether each axilla with nodes is also shown close, half turned to its side and without skin."""

    supersampling: int = 2
    """Views are drawn this many times larger and averaged down."""

    light_xyz: tuple[float, float, float] = (-0.35, 0.5, 0.8)
    """Direction of the light in the view: right, up, toward the viewer."""

    def __post_init__(self) -> None:
        if not self.turns_deg or self.view_px < 32 or self.supersampling < 1:
            raise InvalidValueError("A scene needs at least one view of at least 32 pixels.")


NODE_COLORS: Mapping[int, str] = {0: "#C9A400", 1: BLUE, 2: VERMILION}
"""Nodes by group; 0: no group given."""

_SOLID_COLORS: Mapping[str, RGB] = {"bones": (0.93, 0.90, 0.83)}
_GLASS_COLORS: Mapping[str, RGB] = {"skin": (0.72, 0.53, 0.43), "lungs": (0.42, 0.58, 0.74)}
_OTHER_GLASS: RGB = (0.6, 0.6, 0.6)

_GLASS_FACING, _GLASS_EDGE = 0.07, 0.6
"""Opacity of glass seen straight on and at its edge."""

_HIDDEN_NODE = 0.55
"""How much of a node is seen through bone."""

_AMBIENT = 0.42
"""Light where the lamp does not reach."""

_DIAGONAL_SEEN, _MARGIN = 0.9, 0.06
"""Share of the body's horizontal diagonal that fits into a view; empty edge of a view, as share of its width."""

_CLOSE_TURNS_DEG = {"R": 30.0, "L": -30.0}
"""How far a close view turns each side forward."""

_CLOSE_FIELD_MM, _CLOSE_RIM_MM, _CLOSE_HEIGHT = 130.0, 25.0, 0.75
"""Smallest width of a close view, mm; what it shows around the outermost centers, mm; its height as share of a view's."""

_HOLE_MM = 2.0
"""How much deeper than its neighbors a pixel must lie to be a hole in the samples, mm."""

_SAMPLES_PER_PX = 1.6
"""Points per pixel of a surface: with fewer, holes remain; more cost time only."""

_JPEG_QUALITY = 90
"""At 90 letters and thin lines stay sharp at a quarter of the size of a PNG."""

_MOST_SAMPLES = 3_000_000
"""Bound on the points of one surface, for memory."""


def overview(atlas: Atlas, groups: Mapping[str, int] | None = None, settings: SceneSettings = SceneSettings()) -> Drawing:
    """Views of the atlas side by side, every node named.

    Parameters
    ----------
    atlas : Atlas
        With at least one mesh.
    groups : mapping of str to int, optional
        Group by node_id: colors the nodes.
    settings : SceneSettings

    Returns
    -------
    Drawing
        JPEG. `numbers`: view (``whole``, ``R`` or ``L``), turn_deg, node_id, its pixel in that view, and group.

    Raises
    ------
    InvalidValueError
        If the atlas is empty.
    """
    if not atlas.meshes:
        raise InvalidValueError("The atlas is empty: there is nothing to draw.")
    groups = dict(groups or {})
    surfaces = [_Surface(mesh, mesh.normals()) for mesh in atlas.meshes]
    whole, close, rows = [], [], []
    for turn in settings.turns_deg:
        camera = _Camera.around(atlas, turn, settings)
        image, places = _draw_view(atlas.links, surfaces, groups, camera, settings)
        whole.append(image)
        rows += _rows("whole", turn, places)
    sides = [side for side in SIDES if settings.has_close_views and any(link.side == side for link in atlas.links)]
    for side in sides:
        links = tuple(link for link in atlas.links if link.side == side)
        camera = _Camera.close_to(links, _CLOSE_TURNS_DEG[side], settings.view_px * len(whole) // len(sides), settings)
        named = {link.mesh_name for link in links}
        shown = [s for s in surfaces if s.mesh.name in named or (not s.mesh.is_node and s.mesh.name != "skin")]
        image, places = _draw_view(links, shown, groups, camera, settings)
        close.append(image)
        rows += _rows(side, _CLOSE_TURNS_DEG[side], places)
    sheet = _sheet(whole, close)
    stream = io.BytesIO()
    sheet.save(stream, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    numbers = pd.DataFrame(rows, columns=["view", "turn_deg", "node_id", "x_px", "y_px"])
    numbers["group"] = [groups.get(node) for node in numbers["node_id"]]
    context = ", ".join(m.name for m in atlas.meshes if not m.is_node) or "nothing around them"
    ways = f"in {len(whole)} views" + (" and close to each axilla" if close else "")
    alt = f"3D atlas of {len(atlas.links)} nodes with {context}, {ways}."
    return Drawing("overview", stream.getvalue(), JPEG, alt, numbers, sheet.size)


def _rows(view: str, turn_deg: float, places: Mapping[str, tuple[float, float]]) -> list[dict[str, object]]:
    return [{"view": view, "turn_deg": turn_deg, "node_id": node, "x_px": x, "y_px": y} for node, (x, y) in places.items()]


@dataclass(frozen=True)
class _Camera:
    """Parallel projection from LPS mm to pixels; depth grows toward the viewer."""

    rotation: FloatArray
    center_xyz_mm: FloatArray
    px_per_mm: float
    width_px: int
    height_px: int
    edge_of_names: str = "both"
    """Where names stand: ``both`` edges of the view, or the outer one, ``left`` or ``right``."""

    @classmethod
    def around(cls, atlas: Atlas, turn_deg: float, settings: SceneSettings) -> _Camera:
        points = np.concatenate([m.vertices_xyz_mm for m in atlas.meshes])
        low, high = points.min(axis=0), points.max(axis=0)
        width_px = settings.view_px * settings.supersampling
        width_mm = max(float(np.hypot(*(high - low)[:2])) * _DIAGONAL_SEEN, 1.0)
        px_per_mm = width_px * (1 - 2 * _MARGIN) / width_mm
        height = (float((high - low)[2]) * px_per_mm + 2 * _MARGIN * width_px) / settings.supersampling
        height_px = round(min(max(height, settings.view_px * 0.5), settings.view_px * 1.6)) * settings.supersampling
        px_per_mm = min(px_per_mm, height_px * (1 - _MARGIN) / max(float((high - low)[2]), 1.0))
        return cls(_rotation(turn_deg), (low + high) / 2, px_per_mm, width_px, height_px)

    @classmethod
    def close_to(cls, links: Sequence[NodeLink], turn_deg: float, width_px: int, settings: SceneSettings) -> _Camera:
        """Fitted around the centers of the nodes of one side."""
        centers = np.array([link.center_xyz_mm for link in links])
        rotation = _rotation(turn_deg)
        seen = centers @ rotation.T
        extent_mm = np.ptp(seen, axis=0)[:2] + 2 * _CLOSE_RIM_MM
        width, height = (round(n) * settings.supersampling for n in (width_px, settings.view_px * _CLOSE_HEIGHT))
        px_per_mm = min(width * 0.8 / max(extent_mm[0], _CLOSE_FIELD_MM), height / max(extent_mm[1], _CLOSE_FIELD_MM / 2))
        middle = (seen.min(axis=0) + seen.max(axis=0)) / 2
        outer = "left" if links[0].side == "R" else "right"
        return cls(rotation, rotation.T @ middle, float(px_per_mm), width, height, outer)

    def project(self, points_xyz_mm: FloatArray) -> FloatArray:
        """``(n, 3)``: column and row in pixels, depth in mm."""
        seen = (points_xyz_mm - self.center_xyz_mm) @ self.rotation.T
        column = self.width_px / 2 + seen[:, 0] * self.px_per_mm
        row = self.height_px / 2 - seen[:, 1] * self.px_per_mm
        return np.stack([column, row, seen[:, 2]], axis=1)


def _rotation(turn_deg: float) -> FloatArray:
    """Rows: image right, image up, toward the viewer. From the front the patient's left is on the image's right."""
    angle = np.deg2rad(turn_deg)
    front = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
    about_z = np.array([[np.cos(angle), -np.sin(angle), 0.0], [np.sin(angle), np.cos(angle), 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(front @ about_z)


@dataclass(frozen=True)
class _Surface:
    """A mesh with its normals, computed once for all views."""

    mesh: Mesh
    normals: FloatArray


@dataclass(frozen=True)
class _Layer:
    """The foremost points of one surface, one per pixel it covers."""

    pixel: npt.NDArray[np.int_]
    depth: FloatArray
    facing: FloatArray
    """1 where the surface faces the viewer, 0 at its edge."""
    shade: FloatArray


def _draw_view(
    links: Sequence[NodeLink], surfaces: Sequence[_Surface], groups: Mapping[str, int], camera: _Camera, settings: SceneSettings
) -> tuple[Image.Image, dict[str, tuple[float, float]]]:
    """One view and where the nodes are on it."""
    layers = {surface.mesh.name: _rasterize(surface, camera, settings) for surface in surfaces}
    context = [surface.mesh.name for surface in surfaces if not surface.mesh.is_node]
    canvas = np.ones((camera.height_px * camera.width_px, 3))
    depth = np.full(len(canvas), -np.inf)
    for name in (n for n in context if n in _SOLID_COLORS):
        _paint(canvas, layers[name], _SOLID_COLORS[name], 1.0)
        depth[layers[name].pixel] = np.maximum(depth[layers[name].pixel], layers[name].depth)
    for name in (n for n in context if n not in _SOLID_COLORS and n != "skin"):
        _paint_glass(canvas, layers[name], name)
    for link in sorted(links, key=lambda k: float(layers[k.mesh_name].depth.max(initial=-np.inf))):
        layer = layers[link.mesh_name]
        is_hidden = layer.depth < depth[layer.pixel]
        _paint(canvas, layer, _rgb(NODE_COLORS[groups.get(link.node_id, 0)]), np.where(is_hidden, _HIDDEN_NODE, 1.0))
    if "skin" in layers:
        _paint_glass(canvas, layers["skin"], "skin")
    pixels = np.round(canvas.clip(0, 1) * 255).astype(np.uint8).reshape(camera.height_px, camera.width_px, 3)
    image = Image.fromarray(pixels).reduce(settings.supersampling)
    places = {}
    for link in links:
        x, y, _ = camera.project(np.array([link.center_xyz_mm]))[0] / settings.supersampling
        places[link.node_id] = (round(float(x), 1), round(float(y), 1))
    _draw_names(image, places, groups, camera.edge_of_names)
    _draw_sides(image, camera)
    return image, places


def _sheet(whole: Sequence[Image.Image], close: Sequence[Image.Image]) -> Image.Image:
    """Whole views in a row, close ones in a row below."""
    width = max(sum(view.width for view in whole), sum(view.width for view in close))
    height = whole[0].height + (close[0].height if close else 0)
    sheet = Image.new("RGB", (width, height), "white")
    for row, top in ((whole, 0), (close, whole[0].height)):
        left = 0
        for view in row:
            sheet.paste(view, (left, top))
            left += view.width
    return sheet


def _paint_glass(canvas: FloatArray, layer: _Layer, name: str) -> None:
    opacity = _GLASS_FACING + (_GLASS_EDGE - _GLASS_FACING) * (1 - layer.facing) ** 3
    _paint(canvas, layer, _GLASS_COLORS.get(name, _OTHER_GLASS), opacity)


def _paint(canvas: FloatArray, layer: _Layer, color: RGB, opacity: float | FloatArray) -> None:
    """Lay a shaded color over the canvas."""
    alpha = np.broadcast_to(np.asarray(opacity, dtype=np.float64), layer.pixel.shape)[:, None]
    canvas[layer.pixel] = canvas[layer.pixel] * (1 - alpha) + np.asarray(color) * layer.shade[:, None] * alpha


def _rasterize(surface: _Surface, camera: _Camera, settings: SceneSettings) -> _Layer:
    """The foremost points of a surface, by dense regular sampling of the triangles that face the viewer."""
    projected = camera.project(surface.mesh.vertices_xyz_mm).astype(np.float32)
    turned = (surface.normals @ camera.rotation.T).astype(np.float32)
    faces = surface.mesh.faces[_is_seen(projected, turned, surface.mesh.faces, camera)]
    corners = projected[faces]
    edges = corners[:, 1:, :2] - corners[:, :1, :2]
    area_px = np.abs(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]) / 2
    longest_px = np.sqrt((edges**2).sum(axis=2).max(axis=1, initial=0.0))
    wanted = np.maximum(area_px * _SAMPLES_PER_PX, longest_px)
    wanted *= min(1.0, _MOST_SAMPLES / max(float(wanted.sum()), 1.0))
    counts = np.maximum(1, np.ceil(wanted)).astype(np.int64)
    triangle = np.repeat(np.arange(len(counts)), counts)
    weights = _barycentric(int(counts.max(initial=1)))[np.arange(len(triangle)) - np.repeat(np.cumsum(counts) - counts, counts)]
    points = _blend(weights, corners, triangle)
    pixel, kept = _foremost(points, camera)
    seen = _blend(weights[kept], turned[faces], triangle[kept]).astype(np.float64)
    unit = seen / np.maximum(np.linalg.norm(seen, axis=1, keepdims=True), 1e-12)
    light = np.asarray(settings.light_xyz) / np.linalg.norm(settings.light_xyz)
    shade = _AMBIENT + (1 - _AMBIENT) * (unit @ light).clip(0, 1)
    return _Layer(pixel, points[kept, 2].astype(np.float64), unit[:, 2].clip(0, 1), shade)


def _is_seen(projected: _Float32Array, turned: _Float32Array, faces: FaceArray, camera: _Camera) -> BoolArray:
    """Which triangles face the viewer and reach into the view."""
    is_front = np.any(np.asarray(turned[:, 2] > 0)[faces], axis=1)
    beyond = np.stack(
        [projected[:, 0] < 0, projected[:, 0] > camera.width_px, projected[:, 1] < 0, projected[:, 1] > camera.height_px], axis=1
    )
    is_beside = np.any(np.all(beyond[faces], axis=1), axis=1)
    return np.asarray(is_front & ~is_beside)


def _blend(weights: _Float32Array, corners: _Float32Array, triangle: npt.NDArray[np.int_]) -> _Float32Array:
    """Weighted means of the corners ``(m, 3, 3)`` of triangles, one per sample."""
    blended: _Float32Array = weights[:, :1] * corners[triangle, 0]
    for corner in (1, 2):
        blended += weights[:, corner, None] * corners[triangle, corner]
    return blended


def _barycentric(n: int) -> _Float32Array:
    """Evenly spread weights ``(n, 3)`` in a triangle: Roberts' R2 sequence folded onto it, the middle first."""
    number = np.arange(n)
    u = (1 / 3 + number * 0.7548776662466927) % 1.0
    v = (1 / 3 + number * 0.5698402909980532) % 1.0
    fold = u + v > 1
    u, v = np.where(fold, 1 - u, u), np.where(fold, 1 - v, v)
    return np.stack([1 - u - v, u, v], axis=1).astype(np.float32)


def _foremost(points: _Float32Array, camera: _Camera) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_]]:
    """Pixels covered, and for each the index of the point nearest to the viewer."""
    column, row = np.floor(points[:, 0]).astype(np.int64), np.floor(points[:, 1]).astype(np.int64)
    inside = np.flatnonzero((column >= 0) & (column < camera.width_px) & (row >= 0) & (row < camera.height_px))
    nearest = np.full(camera.height_px * camera.width_px, -1)
    if inside.size:
        depth = points[inside, 2]
        # 16 bits of depth (hundredths of a millimeter) let NumPy sort by counting, ten times as fast.
        steps = (depth - depth.min()) / max(float(np.ptp(depth)), 1e-6) * np.iinfo(np.uint16).max
        order = inside[np.argsort(steps.astype(np.uint16), kind="stable")]
        nearest[row[order] * camera.width_px + column[order]] = order  # assigned in turn: the nearest stays
        nearest = _without_holes(nearest.reshape(camera.height_px, camera.width_px), points[:, 2]).ravel()
    pixel = np.flatnonzero(nearest >= 0)
    return pixel, nearest[pixel]


def _without_holes(nearest: npt.NDArray[np.int_], depth: _Float32Array) -> npt.NDArray[np.int_]:
    """Pixels that the samples missed, or through which something deeper shows, take the point of a neighbor.

    A pixel is such a hole when at least three of its four neighbors lie clearly nearer to the viewer.
    """
    height = np.where(nearest >= 0, depth[nearest], -np.inf).astype(np.float32)
    padded = np.pad(height, 1, constant_values=-np.inf)
    index = np.pad(nearest, 1, constant_values=-1)
    before, same, after = slice(0, -2), slice(1, -1), slice(2, None)
    beside = ((before, same), (after, same), (same, before), (same, after))
    count = np.zeros(height.shape, dtype=np.uint8)
    for place in beside:
        count += padded[place] > height + _HOLE_MM
    row, column = np.nonzero(count >= 3)
    candidates = np.stack([padded[place][row, column] for place in beside])
    best = candidates.argmax(axis=0)
    filled = nearest.copy()
    filled[row, column] = np.stack([index[place][row, column] for place in beside])[best, np.arange(len(row))]
    return filled


def _draw_names(
    image: Image.Image, places: Mapping[str, tuple[float, float]], groups: Mapping[str, int], edge_of_names: str
) -> None:
    """Names in columns beside the body, each with a line to its node; no two overlap.

    `edge_of_names` is ``left``, ``right``, or ``both`` for the edge nearer to each node.
    """
    draw = ImageDraw.Draw(image)
    size, line_px = image.size[0], 13
    height = image.size[1]
    for is_left in (True, False):
        here = [name for name, (x, _) in places.items() if _goes_left(edge_of_names, x < size / 2) == is_left]
        side = sorted((places[name][1], places[name][0], name) for name in here)
        top = _spread_rows([y for y, _, _ in side], line_px, height)
        for (y, x, name), row in zip(side, top, strict=True):
            color = NODE_COLORS[groups.get(name, 0)]
            edge = 30 if is_left else size - 32
            draw.line((edge, row, x, y), fill=color, width=1)
            draw_words(draw, (4 if is_left else size - 30, row - 7), name, 10, color, "white")


def _goes_left(edge_of_names: str, is_in_left_half: bool) -> bool:
    return is_in_left_half if edge_of_names == "both" else edge_of_names == "left"


def _spread_rows(rows: Sequence[float], gap: float, size: int) -> list[float]:
    """Ascending rows moved to lie `gap` apart (closer where the image is too low for that) and within the image."""
    gap = min(gap, size / (len(rows) + 1))
    moved: list[float] = []
    for row in rows:
        moved.append(max(row, moved[-1] + gap) if moved else max(row, gap))
    limit = size - gap
    for index in reversed(range(len(moved))):
        moved[index] = min(moved[index], limit)
        limit = moved[index] - gap
    return moved


def _draw_sides(image: Image.Image, camera: _Camera) -> None:
    """R and L at the edges to which the patient's right and left point."""
    draw = ImageDraw.Draw(image)
    width, height = image.size
    left, right = ("R", "L") if camera.rotation[0, 0] > 0 else ("L", "R")
    draw_words(draw, (6, height - 20), left, 13, INK, "white")
    draw_words(draw, (width - 16, height - 20), right, 13, INK, "white")


def _rgb(color: str) -> RGB:
    red, green, blue = ImageColor.getrgb(color)[:3]
    return (red / 255, green / 255, blue / 255)
