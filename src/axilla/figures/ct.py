"""Pictures of nodes on the CT, as a radiologist expects them: soft-tissue window, patient's right on the image's left.

They are drawn pixel by pixel (Pillow), because a study has a picture for each of hundreds of nodes and a chart library takes
a quarter of a second for each.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from skimage.measure import find_contours

from axilla.errors import InvalidValueError
from axilla.figures.drawing import JPEG, PNG, SKY, YELLOW, Drawing
from axilla.node import Node, Segment, Segmentation
from axilla.volume import BoolArray, FloatArray, TripleFloat, Volume, to_canonical

RGBArray: TypeAlias = npt.NDArray[np.uint8]

CONTEXT, AXIAL_PLAIN, AXIAL, CORONAL, SAGITTAL = "context", "axial plain", "axial", "coronal", "sagittal"
PANELS = (CONTEXT, AXIAL_PLAIN, AXIAL, CORONAL, SAGITTAL)
"""What a panel can show: the whole axial slice with the node framed, the axial slice without and with the outline, and the
two other planes with the outline."""

GROUP_OUTLINES = {1: SKY, 2: "#FF8C42"}
"""Outlines on gray tissue: light blue for group 1, light vermilion for group 2."""

NO_GROUP_OUTLINE = YELLOW


@dataclass(frozen=True)
class PictureSettings:
    """How a node is shown."""

    window_hu: float = 400.0
    """Width of the gray window, HU: the usual soft-tissue window of the chest."""

    level_hu: float = 40.0
    """Middle of the gray window, HU."""

    panels: tuple[str, ...] = PANELS
    """Panels from left to right, of :data:`PANELS`."""

    panel_px: int = 220
    """Edge of a panel, pixels. A 50 mm field in 220 pixels shows a 0.9 mm voxel as four pixels."""

    smallest_field_mm: float = 50.0
    """Edge of the close field, mm: a node of usual size with the vessels and muscles around it."""

    field_over_node: float = 2.2
    """The close field grows with large nodes to this multiple of their extent."""

    format: str = JPEG
    """``image/jpeg`` (small, for reports with hundreds of nodes) or ``image/png`` (lossless)."""

    jpeg_quality: int = 82
    """Quality of JPEG, 1-95; at 82 the noise of a CT and a thin outline stay what they are."""

    def __post_init__(self) -> None:
        unknown = [p for p in self.panels if p not in PANELS]
        if unknown or not self.panels:
            raise InvalidValueError(f"Panels are of {', '.join(PANELS)}, not {', '.join(unknown) or 'none'}.")
        if self.format not in (JPEG, PNG):
            raise InvalidValueError(f"A picture is {JPEG} or {PNG}, not {self.format!r}.")
        if min(self.window_hu, self.panel_px, self.smallest_field_mm, self.field_over_node) <= 0:
            raise InvalidValueError("Picture settings: window, panel, field and its factor must be positive.")


SMALL = PictureSettings(panels=(CONTEXT, AXIAL, CORONAL), panel_px=150, jpeg_quality=75)
"""For a study's report: about 12 kB a node."""


def node_picture(
    volume: Volume,
    segmentation: Segmentation,
    node: Node,
    group: int | None = None,
    settings: PictureSettings = PictureSettings(),
) -> Drawing:
    """One node on the CT, in a row of panels.

    Parameters
    ----------
    volume : Volume
    segmentation : Segmentation
        On the CT's grid; holds the node's label.
    node : Node
    group : int, optional
        1 or 2: colors the outline.
    settings : PictureSettings

    Returns
    -------
    Drawing
        `numbers` has one row per panel: plane, slice (array index along that axis), field of view, mm per pixel.

    Raises
    ------
    InvalidValueError
        If the segmentation is on another grid or lacks the node.
    """
    view = _View.of(volume, segmentation, node, settings)
    color = GROUP_OUTLINES.get(group or 0, NO_GROUP_OUTLINE)
    tiles = [_panel(view, panel, color, settings) for panel in settings.panels]
    image = Image.fromarray(np.concatenate(_with_gaps(tiles, settings.panel_px), axis=1))
    rows = [
        {"node_id": node.node_id, "panel": p, "slice_index": view.index_of(p), "field_mm": view.field_mm(p),
         "mm_per_px": view.field_mm(p) / settings.panel_px}
        for p in settings.panels
    ]  # fmt: skip
    alt = (
        f"Node {node.node_id} on the CT, {'right' if node.side == 'R' else 'left'} axilla, {_shown_in(settings.panels)}; "
        f"short axis {node.short_axis_mm:.1f} mm, slice {_slice_words(node)}."
    )
    return Drawing(f"node_{node.node_id}", _encode(image, settings), settings.format, alt, pd.DataFrame(rows), image.size)


def _shown_in(panels: Sequence[str]) -> str:
    """What each panel does with the node."""
    outlined = [panel for panel in panels if panel not in (CONTEXT, AXIAL_PLAIN)]
    views = f"{' and '.join(outlined)} view{'s' if len(outlined) > 1 else ''}"
    parts = {CONTEXT: "boxed in the whole slice", AXIAL_PLAIN: "plain in an axial view"}
    said = [words for panel, words in parts.items() if panel in panels]
    return ", ".join([*([f"outlined in the {views}"] if outlined else []), *said])


def contact_sheet(
    volume: Volume,
    segmentation: Segmentation,
    nodes: Sequence[Node],
    groups: Mapping[str, int] | None = None,
    settings: PictureSettings = PictureSettings(panel_px=150),
    columns: int = 6,
) -> Drawing:
    """All nodes of a CT at the same scale on one sheet: axial close-ups with outline and name.

    Parameters
    ----------
    volume, segmentation, settings
        As in :func:`node_picture`; the field of view is `settings.smallest_field_mm` for every node, so sizes compare.
    nodes : sequence of Node
        In the order to be shown.
    groups : mapping of str to int, optional
        Group by node_id.
    columns : int
        Nodes in a row.

    Raises
    ------
    InvalidValueError
        If there is no node, or as :func:`node_picture`.
    """
    if not nodes:
        raise InvalidValueError("A contact sheet needs at least one node.")
    groups = dict(groups or {})
    tiles = []
    for node in nodes:
        view = _View.of(volume, segmentation, node, settings, grows=False)
        color = GROUP_OUTLINES.get(groups.get(node.node_id, 0), NO_GROUP_OUTLINE)
        tile = Image.fromarray(_panel(view, AXIAL, color, settings, labeled=False))
        draw = ImageDraw.Draw(tile)
        draw_words(draw, (4, 2), f"{node.node_id}  {node.short_axis_mm:.1f} x {node.long_axis_mm:.1f} mm", 11, color)
        tiles.append(np.asarray(tile))
    columns = min(columns, len(tiles))
    blank = np.full_like(tiles[0], _BACKGROUND)
    tiles += [blank] * (-len(tiles) % columns)
    rows = [np.concatenate(_with_gaps(tiles[i : i + columns], settings.panel_px), axis=1) for i in range(0, len(tiles), columns)]
    gap = np.full((_GAP_PX, rows[0].shape[1], 3), _BACKGROUND, dtype=np.uint8)
    image = Image.fromarray(np.concatenate([part for row in rows for part in (row, gap)][:-1], axis=0))
    numbers = pd.DataFrame(
        {
            "node_id": [n.node_id for n in nodes],
            "slice_index": [n.slice_index for n in nodes],
            "short_axis_mm": [n.short_axis_mm for n in nodes],
            "long_axis_mm": [n.long_axis_mm for n in nodes],
            "group": [groups.get(n.node_id) for n in nodes],
        }
    )
    alt = f"Contact sheet of {len(nodes)} nodes, axial, all at the same scale ({settings.smallest_field_mm:.0f} mm wide)."
    return Drawing("contact_sheet", _encode(image, settings), settings.format, alt, numbers, image.size)


_GAP_PX = 3
_BACKGROUND = 24
"""Gray of the space between panels: neither air (black) nor bone."""

_OVERSAMPLING = 4
"""Outlines are drawn this many times larger and averaged down, so that a line of one pixel has no steps."""

_AXES = {CONTEXT: 0, AXIAL_PLAIN: 0, AXIAL: 0, CORONAL: 1, SAGITTAL: 2}
"""Canonical array axis across which each panel cuts."""

_EDGES = {0: ("R", "L"), 1: ("R", "L"), 2: ("A", "P")}
"""What lies at the left and right edge of an image cut across each canonical axis."""


@dataclass(frozen=True)
class _View:
    """One node's CT in canonical order (head, back, left) and what the panels need of it."""

    array: npt.NDArray[Any]
    spacing_zyx_mm: TripleFloat
    center_zyx: FloatArray
    cut_zyx: tuple[int, int, int]
    mask: BoolArray
    mask_start_zyx: tuple[int, int, int]
    close_field_mm: float
    name: str

    @classmethod
    def of(cls, volume: Volume, segmentation: Segmentation, node: Node, settings: PictureSettings, grows: bool = True) -> _View:
        if not segmentation.geometry.is_same_grid(volume.geometry):
            raise InvalidValueError("The segmentation is not on the CT's grid; resample it before drawing.")
        segment = next((s for s in segmentation.segments if s.label == node.label), None)
        if segment is None or not segment.n_voxels:
            raise InvalidValueError(f"Node {node.node_id} (label {node.label}) has no voxel in the segmentation.")
        canonical = volume.geometry.canonical()
        mask, start = _canonical_crop(segment, volume)
        inside = np.argwhere(mask)
        areas = [np.bincount(inside[:, axis]) for axis in range(3)]
        cut = [int(area.argmax()) + start[axis] for axis, area in enumerate(areas)]
        low, high = inside.min(axis=0) + start, inside.max(axis=0) + start
        extent_mm = float(((high - low + 1) * np.asarray(canonical.spacing_zyx_mm)).max())
        field_mm = max(settings.smallest_field_mm, settings.field_over_node * extent_mm if grows else 0.0)
        return cls(
            array=to_canonical(volume.array, volume.geometry),
            spacing_zyx_mm=canonical.spacing_zyx_mm,
            center_zyx=(low + high) / 2.0,
            cut_zyx=(cut[0], cut[1], cut[2]),
            mask=mask,
            mask_start_zyx=start,
            close_field_mm=field_mm,
            name=node.node_id,
        )

    def index_of(self, panel: str) -> int:
        """Canonical array index at which a panel cuts."""
        return self.cut_zyx[_AXES[panel]]

    def field_mm(self, panel: str) -> float:
        """Edge of a panel's field of view, mm."""
        if panel != CONTEXT:
            return self.close_field_mm
        columns = np.flatnonzero((self.array[self.cut_zyx[0]] > _BODY_HU).any(axis=0))
        width_vox = columns[-1] - columns[0] + 1 if columns.size else self.array.shape[2]
        return float(max(width_vox * self.spacing_zyx_mm[2] * 1.06, self.close_field_mm))

    def plane(self, panel: str) -> tuple[npt.NDArray[Any], BoolArray, FloatArray, FloatArray]:
        """Pixels of the cut, the mask on them, their spacing (row, column) in mm, and the middle of the view on them.

        Rows run from head to feet in coronal and sagittal cuts.
        """
        axis, index = _AXES[panel], self.index_of(panel)
        pixels = np.take(self.array, index, axis=axis)
        mask = np.zeros(pixels.shape, dtype=bool)
        rest = [a for a in range(3) if a != axis]
        rows, columns = (slice(self.mask_start_zyx[a], self.mask_start_zyx[a] + self.mask.shape[a]) for a in rest)
        mask[rows, columns] = np.take(self.mask, index - self.mask_start_zyx[axis], axis=axis)
        spacing = np.array([self.spacing_zyx_mm[a] for a in rest])
        middle = self.center_zyx[rest] if panel != CONTEXT else _middle(pixels > _BODY_HU)
        if axis != 0:
            pixels, mask = pixels[::-1], mask[::-1]
            middle = np.array([pixels.shape[0] - 1 - middle[0], middle[1]])
        return pixels, mask, spacing, middle


def _middle(inside: BoolArray) -> FloatArray:
    """Middle (row, column) of what is inside, or of the whole where nothing is."""
    middle = []
    for axis in range(2):
        hit = np.flatnonzero(inside.any(axis=1 - axis))
        middle.append((hit[0] + hit[-1]) / 2 if hit.size else (inside.shape[axis] - 1) / 2)
    return np.array(middle)


def _canonical_crop(segment: Segment, volume: Volume) -> tuple[BoolArray, tuple[int, int, int]]:
    """The segment's crop in canonical order and its first index there."""
    axes, flips = volume.geometry.canonical_permutation()
    mask = to_canonical(segment.mask, volume.geometry)
    start = []
    for row, axis in enumerate(axes):
        first, size, whole = segment.offset_zyx[axis], segment.mask.shape[axis], volume.geometry.shape_zyx[axis]
        start.append(whole - first - size if flips[row] else first)
    return mask, (start[0], start[1], start[2])


def _panel(view: _View, panel: str, color: str, settings: PictureSettings, labeled: bool = True) -> RGBArray:
    """One square panel."""
    pixels, mask, spacing, middle = view.plane(panel)
    size, mm_per_px = settings.panel_px, view.field_mm(panel) / settings.panel_px
    step = mm_per_px / spacing
    start = middle - step * (size - 1) / 2
    gray = _windowed(_sample(pixels, start, step, size), settings)
    image = Image.fromarray(np.repeat(gray[..., None], 3, axis=2))
    if panel == CONTEXT:
        _draw_frame(image, view, (start, step), spacing, color)
    elif panel != AXIAL_PLAIN:
        _draw_outline(image, mask, start, step, color)
    if labeled:
        _draw_labels(image, panel, mm_per_px)
    return np.asarray(image)


def _sample(pixels: npt.NDArray[Any], start: FloatArray, step: FloatArray, size: int) -> FloatArray:
    """A square of `size` samples of a plane, linear between pixels, averaged where it shrinks; air beyond the edge."""
    low = np.floor(start - 2 * np.maximum(step, 1)).astype(int).clip(0)
    high = np.ceil(start + step * size + 2 * np.maximum(step, 1)).astype(int)
    crop = pixels[low[0] : max(high[0], 0), low[1] : max(high[1], 0)].astype(np.float64)
    if not crop.size:
        return np.full((size, size), _AIR_HU)
    blur = np.where(step > 1, step / 2, 0.0)
    if blur.any():
        crop = ndimage.gaussian_filter(crop, blur)
    matrix = np.diag(step)
    return np.asarray(ndimage.affine_transform(crop, matrix, start - low, (size, size), order=1, mode="constant", cval=_AIR_HU))


_AIR_HU = -1024.0

_BODY_HU = -300.0
"""Denser than this is body (or table): the context panel is fitted around it."""


def _windowed(hu: FloatArray, settings: PictureSettings) -> npt.NDArray[np.uint8]:
    low = settings.level_hu - settings.window_hu / 2
    return np.asarray(np.round(((hu - low) / settings.window_hu).clip(0, 1) * 255), dtype=np.uint8)


def _draw_outline(image: Image.Image, mask: BoolArray, start: FloatArray, step: FloatArray, color: str) -> None:
    """The edge of the mask as a thin line."""
    size = image.size[0]
    overlay = Image.new("L", (size * _OVERSAMPLING, size * _OVERSAMPLING))
    draw = ImageDraw.Draw(overlay)
    for contour in find_contours(np.pad(mask, 1).astype(np.float64), 0.5):  # type: ignore[no-untyped-call]
        rows, columns = (((contour - 1 - start) / step + 0.5) * _OVERSAMPLING).T
        draw.line(list(zip(columns.tolist(), rows.tolist(), strict=True)), fill=255, width=_OVERSAMPLING + 1)
    image.paste(Image.new("RGB", image.size, color), mask=overlay.resize(image.size, Image.Resampling.BOX))


def _draw_frame(image: Image.Image, view: _View, grid: tuple[FloatArray, FloatArray], spacing: FloatArray, color: str) -> None:
    """A square around the node: the field of the close panels."""
    start, step = grid
    center = (view.center_zyx[1:] - start) / step
    half = view.close_field_mm / 2 / (step * spacing)
    (top, left), (bottom, right) = center - half, center + half
    ImageDraw.Draw(image).rectangle((left, top, right, bottom), outline=color)


def _draw_labels(image: Image.Image, panel: str, mm_per_px: float) -> None:
    """Side letters, the plane's name and a scale bar."""
    size = image.size[0]
    draw = ImageDraw.Draw(image)
    left, right = _EDGES[_AXES[panel]]
    draw_words(draw, (4, size // 2 - 7), left, 12)
    draw_words(draw, (size - 12, size // 2 - 7), right, 12)
    draw_words(draw, (4, 2), panel.replace(" plain", ""), 11)
    bar_mm = next((mm for mm in (100, 50, 20, 10, 5) if mm / mm_per_px <= size * 0.4), 5)
    length = bar_mm / mm_per_px
    y = size - 7
    draw.line((6, y, 6 + length, y), fill="white", width=2)
    draw_words(draw, (6, y - 16), f"{bar_mm} mm", 10)


def draw_words(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    words: str,
    size: int,
    color: str = "white",
    edge: str = "black",
) -> None:
    """Words with an edge around the letters, legible on anything."""
    draw.text(place, words, fill=color, font=_font(size), stroke_width=1, stroke_fill=edge)


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)


def _with_gaps(tiles: Sequence[RGBArray], height: int) -> list[RGBArray]:
    gap = np.full((height, _GAP_PX, 3), _BACKGROUND, dtype=np.uint8)
    return [part for tile in tiles for part in (tile, gap)][:-1]


def _encode(image: Image.Image, settings: PictureSettings) -> bytes:
    stream = io.BytesIO()
    if settings.format == JPEG:
        image.save(stream, "JPEG", quality=settings.jpeg_quality, subsampling=1, optimize=True)
    else:
        image.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _slice_words(node: Node) -> str:
    """The slice as a reader finds it: instance number where the CT is DICOM, else array index."""
    return f"{node.slice_index}" if node.instance_number is None else f"{node.slice_index} (instance {node.instance_number})"
