"""Draw the pictures the pages show, from the code itself: ``python docs/make_pictures.py [NAME ...]``.

``phantom`` draws docs/images/phantom_*.png: synthetic cases only, window 400 HU wide around 40 HU.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from axilla.phantom import CasePlan, PhantomSettings, SyntheticCase, plan_node, render_case

IMAGES = Path(__file__).resolve().parent / "images"
SEED = 3
SETTINGS = PhantomSettings(shape_zyx=(150, 300, 440), spacing_xyz_mm=(1.0, 1.0, 1.0), habitus=0.5)


def phantom() -> None:
    """Three planes of one case, both axillae at five heights, and a row of nodes."""
    rng = np.random.default_rng(SEED)
    statuses = ["benign"] * 7 + ["metastatic"] * 3
    nodes = tuple(plan_node(side, status, rng) for side in "RL" for status in statuses)
    case = render_case(CasePlan(SETTINGS, nodes, SEED))
    _planes(case)
    _axillae(case)
    _nodes(case)
    _variants(nodes)


def _window(hu: np.ndarray) -> np.ndarray:
    return np.clip((hu.astype(np.float64) + 160) / 400, 0, 1)


def _show(axes: plt.Axes, hu: np.ndarray, truth: np.ndarray | None = None, title: str = "") -> None:
    axes.imshow(_window(hu), cmap="gray", vmin=0, vmax=1, interpolation="bicubic")
    if truth is not None and truth.any():
        axes.contour(truth > 0, [0.5], colors="tab:orange", linewidths=0.7)
    axes.set_title(title, fontsize=7, pad=2)
    axes.axis("off")


def _save(figure: plt.Figure, name: str) -> None:
    IMAGES.mkdir(exist_ok=True)
    figure.subplots_adjust(0, 0, 1, 0.95, 0.02, 0.08)
    figure.savefig(IMAGES / f"phantom_{name}.png", dpi=80, pil_kwargs={"optimize": True})
    plt.close(figure)


def _planes(case: SyntheticCase) -> None:
    array, geometry = case.volume.array, case.volume.geometry
    figure, axes = plt.subplots(1, 3, figsize=(11, 2.9), width_ratios=[1.47, 1.47, 1.0])
    k, j, i = np.rint(geometry.to_index((-118.0, -42.0, -45.0))).astype(int)
    _show(axes[0], array[k], title="axial")
    _show(axes[1], array[::-1, j], title="coronal")
    _show(axes[2], array[::-1, :, i], title="sagittal, right axilla")
    _save(figure, "planes")


def _axillae(case: SyntheticCase) -> None:
    array, geometry, truth = case.volume.array, case.volume.geometry, case.truth.to_labels().array
    figure, axes = plt.subplots(2, 5, figsize=(11, 5))
    for column, z_mm in enumerate((-8.0, -25.0, -45.0, -65.0, -90.0)):
        for row, (low, high) in enumerate(((-180.0, -60.0), (60.0, 180.0))):
            k, j, i = np.rint(geometry.to_index((low, -125.0, z_mm))).astype(int)
            box = (k, slice(max(j, 0), j + 130), slice(i, i + int(high - low)))
            _show(axes[row, column], array[box], truth[box], f"{'RL'[row]}, {z_mm:.0f} mm")
    _save(figure, "axillae")


def _nodes(case: SyntheticCase) -> None:
    array, geometry, truth = case.volume.array, case.volume.geometry, case.truth.to_labels().array
    nodes = sorted(case.nodes, key=lambda n: (n.kind, -n.volume_mm3))[::2][:9]
    figure, axes = plt.subplots(2, len(nodes), figsize=(11, 2.7))
    for column, node in enumerate(nodes):
        k, j, i = np.rint(geometry.to_index(node.center_xyz_mm)).astype(int)
        box = (k, slice(j - 20, j + 20), slice(i - 20, i + 20))
        _show(axes[0, column], array[box], title=f"{node.kind}, {node.status}")
        _show(axes[1, column], array[box], truth[box] == node.label, f"{node.short_axis_mm:.0f} x {node.long_axis_mm:.0f} mm")
    _save(figure, "nodes")


def _variants(nodes: tuple) -> None:
    wide = replace(SETTINGS, shape_zyx=(72, 190, 260), spacing_xyz_mm=(1.7, 1.7, 2.0))
    chosen = {
        "man, thin, muscular": replace(wide, sex="male", habitus=0.1, muscularity=0.9),
        "obese, noise 30 HU": replace(wide, habitus=0.95, noise_sd_hu=30.0),
        "dense contrast, arterial": replace(wide, contrast="arterial", injection_side="R"),
        "arms down, no contrast": replace(wide, arms="down", contrast="none"),
        "prone, clips and port": replace(wide, position="prone", clips="R", port="L"),
    }
    figure, axes = plt.subplots(1, len(chosen), figsize=(11, 1.9))
    for column, (title, settings) in enumerate(chosen.items()):
        case = render_case(CasePlan(settings, nodes[:4], SEED))
        k = round(float(case.volume.geometry.to_index((0.0, 0.0, -30.0))[0]))
        _show(axes[column], case.volume.array[k], title=title)
    _save(figure, "variants")


PICTURES: dict[str, Callable[[], None]] = {"phantom": phantom}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=[], metavar="NAME", help=", ".join(PICTURES))
    for picture in parser.parse_args().names or PICTURES:
        PICTURES[picture]()
