"""Draw the pictures of docs/locate.md: ``python docs/make_pictures_locate.py``. By the code itself, from the phantom only."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from axilla.figures import contact_sheet
from axilla.figures.drawing import BLUE, GRAY, GREEN, ORANGE, PALE, PURPLE, SKY, VERMILION, YELLOW, new_figure, styled
from axilla.locate import LocateSettings, Location, locate
from axilla.locate.crop import SideCrop, crop_side
from axilla.locate.tissue import Tissue, find_tissue
from axilla.node import Node
from axilla.phantom import PHANTOM_VERSION, CohortSettings, SyntheticCase, plan_cohort, render
from axilla.segment import cut_at_necks
from axilla.volume import to_canonical

DOCS = Path(__file__).resolve().parent
SEED = 31
"""The synthetic patient shown."""

WINDOW_HU = (-160.0, 240.0)
MOST_BYTES = 150_000


def main() -> None:
    """Draw them all."""
    for name, data in pictures().items():
        if len(data) > MOST_BYTES:
            raise ValueError(f"{name} takes {len(data)} bytes, more than {MOST_BYTES}; draw it smaller.")
        (DOCS / "images" / name).write_bytes(data)
        print(f"docs/images/{name}: {len(data) / 1000:.0f} kB")


def pictures() -> dict[str, bytes]:
    """File name -> JPEG."""
    case = render(plan_cohort(1, SEED, CohortSettings(vary_scans=False, ineligible_share=0.0))[0])
    settings = LocateSettings()
    everything = locate(case.volume, replace(settings, min_score=0.01))
    kept = locate(case.volume, settings)
    side = max("RL", key=lambda s: sum(node.side == s for node in kept.nodes))
    crop, tissue = find_tissue(crop_side(case.volume, kept.anatomy, side, settings), settings)
    with styled():
        return {
            "locate-1-anatomy.jpg": _jpeg(_anatomy(case, kept)),
            "locate-2-tissue.jpg": _jpeg(_tissue(crop, tissue)),
            "locate-3-pieces.jpg": _jpeg(_pieces(crop, tissue, settings)),
            "locate-4-scores.jpg": _jpeg(_scores(everything, settings)),
            "locate-5-outlines.jpg": _jpeg(_outlines(case, kept)),
            "locate-6-nodes.jpg": _smaller(contact_sheet(case.volume, kept.segmentation, kept.nodes).data),
        }


def _anatomy(case: SyntheticCase, found: Location) -> Figure:
    """Body, lungs, cage, bones and the axilla of each side on the slice where the axillae are largest."""
    hu = to_canonical(case.volume.array, case.volume.geometry)
    anatomy = found.anatomy
    axilla = anatomy.grid.to_fine(anatomy.masks["axilla_R"] | anatomy.masks["axilla_L"])
    heights = np.flatnonzero(axilla.any(axis=(1, 2)))
    z = int(heights[int(0.4 * len(heights))])
    x = int(axilla.sum(axis=(0, 1)).argmax())
    body = anatomy.grid.to_fine(anatomy.masks["body"])
    rows = np.flatnonzero(body.any(axis=(0, 2)))
    view = slice(max(0, rows[0] - 5), rows[-1] + 5)
    colors = {"lungs": SKY, "cage": PURPLE, "bones": YELLOW, "axilla_R": ORANGE, "axilla_L": GREEN}
    words = {"axilla_R": "axilla, right", "axilla_L": "axilla, left"}
    figure = new_figure(9.2, 3.3)
    first, second = figure.subplots(1, 2)
    masks = {name: anatomy.grid.to_fine(anatomy.masks[name]) for name in colors}
    masks["cage"] = masks["cage"] & ~masks["lungs"]
    aspect = case.volume.geometry.spacing_xyz_mm[2] / case.volume.geometry.spacing_xyz_mm[1]
    _show(first, hu[z, view], {colors[name]: mask[z, view] for name, mask in masks.items()}, 0.35)
    _show(second, hu[::-1, view, x], {colors[name]: mask[::-1, view, x] for name, mask in masks.items()}, 0.35, aspect)
    first.set_title("axial")
    second.set_title("sagittal, through one axilla (front at the left)")
    _legend(figure, {words.get(name, name): color for name, color in colors.items()})
    return figure


def _tissue(crop: SideCrop, tissue: Tissue) -> Figure:
    """Walls, pad, vessels and islands of one side."""
    z, view = _view(tissue)
    figure = new_figure(9.2, 4.6)
    first, second = figure.subplots(1, 2)
    _show(first, crop.hu[z][view], {}, 0)
    parts = {"wall: muscle, bone, skin, chest": (VERMILION, tissue.muscle), "fat pad": (YELLOW, tissue.pad & ~tissue.islands)}
    parts |= {"dense vessel": (BLUE, tissue.vessels), "island: to be told apart": (GREEN, tissue.islands)}
    _show(second, crop.hu[z][view], {color: mask[z][view] for color, mask in parts.values()}, 0.45)
    first.set_title(f"CT, side {crop.side}")
    second.set_title("what it is taken for")
    _legend(figure, {name: color for name, (color, _) in parts.items()})
    return figure


def _pieces(crop: SideCrop, tissue: Tissue, settings: LocateSettings) -> Figure:
    """Islands, their depth, and the raw pieces they are cut into."""
    z, view = _view(tissue)
    pieces = cut_at_necks(tissue.islands, crop.spacing, settings.segment)
    figure = new_figure(9.2, 3.4)
    first, second, third = figure.subplots(1, 3)
    _show(first, crop.hu[z][view], {GREEN: tissue.islands[z][view]}, 0.5)
    second.imshow(pieces.depth[z][view], cmap="magma", interpolation="nearest")
    second.set_axis_off()
    palette = np.array([to_rgb(c) for c in (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, YELLOW)])
    labels = pieces.labels[z][view]
    image = _gray(crop.hu[z][view])
    image[labels > 0] = 0.35 * image[labels > 0] + 0.65 * palette[labels[labels > 0] % len(palette)]
    third.imshow(image, interpolation="nearest")
    third.set_axis_off()
    for axes, title in ((first, "islands"), (second, "depth below their surface"), (third, "raw pieces, cut at every neck")):
        axes.set_title(title)
    return figure


def _scores(found: Location, settings: LocateSettings) -> Figure:
    """Evidence and score parts of two candidates that were kept and two that were not."""
    ordered = [node for node in found.nodes if _columns(node, EVIDENCE)]
    ordered = sorted(ordered, key=lambda node: -node.detection_score)
    kept = [node for node in ordered if node.detection_score >= settings.min_score]
    refused = [node for node in ordered if node.detection_score < settings.min_score]
    shown = [*_spread(kept, 2), *_spread(refused, 2)]
    figure = new_figure(9.2, 4.4)
    panels = figure.subplots(2, len(shown), height_ratios=(5, 4), squeeze=False)
    reach = max(abs(value) for node in shown for value in _columns(node, EVIDENCE).values())
    for column, node in enumerate(shown):
        is_kept = node.detection_score >= settings.min_score
        color = BLUE if is_kept else VERMILION
        first = column == 0
        _bars(panels[0, column], _columns(node, EVIDENCE), color, (-reach, reach), first)
        _bars(panels[1, column], _columns(node, PARTS), color, (0, 1), True)
        words = "kept" if is_kept else "refused"
        panels[0, column].set_title(f"{words}: {node.detection_score:.2f}", fontsize=10)
        panels[0, column].axvline(0, color=GRAY, linewidth=0.8)
        panels[0, column].set_xlabel("evidence, log odds", fontsize=8)
        panels[1, column].set_xlabel("parts of the score", fontsize=8)
    return figure


EVIDENCE, PARTS = "evidence_", "score_"


def _columns(node: Node, prefix: str) -> dict[str, float]:
    return {name.removeprefix(prefix): float(v) for name, v in node.measurements.items() if name.startswith(prefix)}


def _bars(axes: Axes, values: Mapping[str, float], color: str, limits: tuple[float, float], is_named: bool) -> None:
    names = list(values)[::-1]
    axes.barh(names, [values[name] for name in names], color=color)
    axes.set_xlim(*limits)
    axes.tick_params(labelsize=8, labelleft=is_named)


def _spread(nodes: Sequence[Node], n: int) -> list[Node]:
    """First and middle of a list."""
    return [nodes[int(i)] for i in np.unique(np.linspace(0, (len(nodes) - 1) / 2, n).astype(int))] if nodes else []


def _outlines(case: SyntheticCase, found: Location) -> Figure:
    """Final outlines beside the truth on the slice that shows most nodes."""
    hu = to_canonical(case.volume.array, case.volume.geometry)
    truth = to_canonical(case.truth.to_labels().array, case.volume.geometry) > 0
    labels = to_canonical(found.segmentation.to_labels().array, case.volume.geometry) > 0
    z = _busiest(truth)
    rows, columns = (np.flatnonzero((truth | labels).any(axis=axes)) for axes in ((0, 2), (0, 1)))
    view = (slice(max(0, rows[0] - 20), rows[-1] + 20), slice(max(0, columns[0] - 20), columns[-1] + 20))
    figure = new_figure(9.2, 5.6)
    for axes, mask, color, title in zip(
        figure.subplots(2, 1), (truth, labels), (SKY, ORANGE), ("truth of the phantom", "located"), strict=True
    ):
        _show(axes, hu[z][view], {}, 0)
        axes.contour(mask[z][view], levels=[0.5], colors=[color], linewidths=1.2)
        axes.set_title(title)
    return figure


def _view(tissue: Tissue) -> tuple[int, tuple[slice, slice]]:
    """The slice with most islands, and the part of it around the fat pad."""
    z = _busiest(tissue.islands)
    rows, columns = (np.flatnonzero((tissue.pad | tissue.islands)[z].any(axis=axis)) for axis in (1, 0))
    return z, (slice(max(0, rows[0] - 8), rows[-1] + 8), slice(max(0, columns[0] - 8), columns[-1] + 8))


def _busiest(mask: npt.NDArray[np.bool_]) -> int:
    return int(mask.sum(axis=(1, 2)).argmax())


def _gray(hu: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    low, high = WINDOW_HU
    return np.repeat(np.clip((hu.astype(np.float64) - low) / (high - low), 0, 1)[..., None], 3, axis=2)


def _show(
    axes: Axes, hu: npt.NDArray[Any], masks: Mapping[str, npt.NDArray[np.bool_]], opacity: float, aspect: float = 1.0
) -> None:
    image = _gray(hu)
    for color, mask in masks.items():
        image[mask] = (1 - opacity) * image[mask] + opacity * np.array(to_rgb(color))
    axes.imshow(image, interpolation="nearest", aspect=aspect)
    axes.set_axis_off()


def _legend(figure: Figure, colors: Mapping[str, str]) -> None:
    handles = [Patch(facecolor=color, edgecolor=GRAY, label=name) for name, color in colors.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=9)


def _jpeg(figure: Figure) -> bytes:
    words = f"SYNTHETIC: {PHANTOM_VERSION}, seed {SEED}"
    figure.supxlabel(words, x=0.997, ha="right", fontsize=7, color=GRAY)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110, facecolor="white", edgecolor=PALE)
    return _smaller(stream.getvalue())


def _smaller(data: bytes) -> bytes:
    """As JPEG below the size limit."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    for quality in (85, 75, 65, 50):
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=quality, optimize=True)
        if stream.tell() <= MOST_BYTES:
            break
    return stream.getvalue()


if __name__ == "__main__":
    main()
