"""Where the nodes of the two groups lie (the paper's Figure 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from axilla.errors import InvalidValueError
from axilla.figures.drawing import (
    GROUP_COLORS,
    GROUP_NAMES,
    INK,
    PAGE_WIDTH_IN,
    PALE,
    Drawing,
    finish,
    new_figure,
    say_nothing_to_show,
    styled,
)
from axilla.volume import FloatArray

MANY_NODES = 300
"""From here on the marks are small, or they cover each other."""


@dataclass(frozen=True)
class GroupedNodes:
    """The nodes of one cohort in the model's space.

    Parameters
    ----------
    cohort : str
        As it is to be shown.
    z_scores : ndarray, shape (n_nodes, n_features)
        The features the model uses, by the training nodes' mean and SD (``model.z_scores``).
    groups : ndarray of int, shape (n_nodes,)
        1 or 2.

    Raises
    ------
    InvalidValueError
        If sizes disagree, a value is not finite, or a group is neither 1 nor 2.
    """

    cohort: str
    z_scores: FloatArray
    groups: npt.NDArray[np.integer]

    def __post_init__(self) -> None:
        z, groups = np.asarray(self.z_scores, dtype=np.float64), np.asarray(self.groups)
        if z.ndim != 2 or groups.shape != (len(z),) or not np.isfinite(z).all():
            raise InvalidValueError(
                f"{self.cohort}: expected finite z-scores (n, m) and n groups, got {z.shape}, {groups.shape}."
            )
        if not np.isin(groups, (1, 2)).all():
            raise InvalidValueError(f"{self.cohort}: a group is 1 or 2.")
        object.__setattr__(self, "z_scores", z)
        object.__setattr__(self, "groups", groups.astype(np.int64))


def cluster_plot(cohorts: Sequence[GroupedNodes], centers: FloatArray) -> Drawing:
    """Nodes in the plane of the first two principal components, a panel per cohort.

    The plane is fitted on the first cohort (training) alone; the others are laid into it.

    Parameters
    ----------
    cohorts : sequence of GroupedNodes
        Training first; all with the same features.
    centers : ndarray, shape (2, n_features)
        The model's centers (group 1, group 2).

    Returns
    -------
    Drawing
        `numbers`: cohort, group, pc1, pc2 per node, and the centers as cohort ``"center"``; on each row the shares of the
        training nodes' variance that the components hold.

    Raises
    ------
    InvalidValueError
        If there is no training node or features differ.
    """
    if not cohorts or len(cohorts[0].z_scores) < 2:
        raise InvalidValueError("A cluster plot needs at least two training nodes.")
    if any(c.z_scores.shape[1] != np.shape(centers)[1] for c in cohorts):
        raise InvalidValueError("A cluster plot needs the same features in every cohort and in the centers.")
    mean, plane, shares = _principal_plane(cohorts[0].z_scores, centers)
    center_points = (centers - mean) @ plane
    frames = [
        pd.DataFrame({"cohort": c.cohort, "group": c.groups}).assign(**_columns((c.z_scores - mean) @ plane)) for c in cohorts
    ]
    frames.append(pd.DataFrame({"cohort": "center", "group": [1, 2]}).assign(**_columns(center_points)))
    numbers = pd.concat(frames, ignore_index=True).assign(variance_pc1=shares[0], variance_pc2=shares[1])
    with styled():
        figure = new_figure(min(PAGE_WIDTH_IN, 3.6 * len(cohorts)), 3.6)
        panels = figure.subplots(1, len(cohorts), squeeze=False, sharex=True, sharey=True)[0]
        for axes, cohort, frame in zip(panels, cohorts, frames, strict=False):
            _scatter(axes, frame, center_points)
            n_1, n_2 = (int(np.sum(cohort.groups == group)) for group in (1, 2))
            axes.set_title(f"{cohort.cohort}: {len(cohort.groups)} nodes\ngroup 1: {n_1}, group 2: {n_2}", fontsize=8.5)
            axes.tick_params(labelsize=7.5)
        figure.supxlabel(f"Principal component 1 ({100 * shares[0]:.0f} % of the training nodes' variance)", fontsize=8.5)
        panels[0].set_ylabel(f"Principal component 2 ({100 * shares[1]:.0f} % of variance)", fontsize=8.5)
        handles, labels = next(axes.get_legend_handles_labels() for axes in panels if axes.collections)
        figure.legend(handles, labels, loc="outside upper left", ncols=1 if len(cohorts) == 1 else 3, fontsize=8, markerscale=1.4)
        counts = "; ".join(f"{c.cohort}: {np.sum(c.groups == 1)} in group 1, {np.sum(c.groups == 2)} in group 2" for c in cohorts)
        return finish(figure, "clusters", f"Cluster plot of nodes by principal components. {counts}.", numbers)


def _principal_plane(training: FloatArray, centers: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean, axes ``(n_features, 2)`` and their shares of variance.

    Group 2 lies to the right, and the second axis has the sign of its largest part, so that equal data give equal pictures.
    """
    mean = training.mean(axis=0)
    _, singular, rows = np.linalg.svd(training - mean, full_matrices=False)
    plane = np.zeros((training.shape[1], 2))
    plane[:, : min(2, len(rows))] = rows[:2].T
    if (centers[1] - centers[0]) @ plane[:, 0] < 0:
        plane[:, 0] *= -1
    if plane[np.abs(plane[:, 1]).argmax(), 1] < 0:
        plane[:, 1] *= -1
    variance = np.pad(singular**2, (0, 2))
    return mean, plane, variance[:2] / max(float(variance.sum()), 1e-300)


def _columns(points: FloatArray) -> dict[str, FloatArray]:
    return {"pc1": points[:, 0], "pc2": points[:, 1]}


def _scatter(axes: Axes, frame: pd.DataFrame, centers: FloatArray) -> None:
    if frame.empty:
        say_nothing_to_show(axes, "no evaluable node")
        return
    size = 14 if len(frame) < MANY_NODES else 6
    for group, marker in ((1, "o"), (2, "^")):
        part, color = frame[frame["group"] == group], GROUP_COLORS[group]
        axes.scatter(
            part["pc1"], part["pc2"], s=size, marker=marker, color=color, alpha=0.55, linewidths=0, label=GROUP_NAMES[group]
        )
    for center, color in zip(centers, GROUP_COLORS.values(), strict=True):
        axes.scatter(center[0], center[1], s=75, marker="X", color=color, edgecolors="white", linewidths=1.2, zorder=3)
    axes.scatter([], [], s=50, marker="X", color=INK, label="Centers of the groups")
    axes.axhline(0, color=PALE, linewidth=0.8, zorder=0)
    axes.axvline(0, color=PALE, linewidth=0.8, zorder=0)
