"""The two groups: where their nodes lie (the paper's Figure 3) and how their features differ (Figure 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from axilla.errors import InvalidValueError
from axilla.figures.drawing import (
    GRAY,
    GROUP_COLORS,
    GROUP_NAMES,
    INK,
    PALE,
    Drawing,
    finish,
    new_figure,
    say_nothing_to_show,
    styled,
)
from axilla.volume import FloatArray

CLASS_NAMES = {
    "shape": "Shape",
    "firstorder": "First order",
    "glcm": "GLCM",
    "glrlm": "GLRLM",
    "glszm": "GLSZM",
    "gldm": "GLDM",
    "ngtdm": "NGTDM",
}
"""The seven classes of features, in the paper's order, by the word in PyRadiomics' names."""


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
        `numbers`: cohort, group, pc1, pc2 per node, and the centers as cohort ``"center"``.

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
    numbers = pd.concat(frames, ignore_index=True)
    with styled():
        figure = new_figure(4.9 * len(cohorts), 4.4)
        panels = figure.subplots(1, len(cohorts), squeeze=False, sharex=True, sharey=True)[0]
        for axes, cohort, frame in zip(panels, cohorts, frames, strict=False):
            _scatter(axes, frame, center_points)
            axes.set_title(f"{cohort.cohort} ({len(cohort.groups)} nodes)")
            axes.set_xlabel(f"Principal component 1 ({100 * shares[0]:.0f} % of variance)")
        panels[0].set_ylabel(f"Principal component 2 ({100 * shares[1]:.0f} %)")
        counts = "; ".join(f"{c.cohort}: {np.sum(c.groups == 1)} in group 1, {np.sum(c.groups == 2)} in group 2" for c in cohorts)
        return finish(figure, "clusters", f"Cluster plot of nodes by principal components. {counts}.", numbers)


def group_profile(group_means: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """Mean z-scores of the two groups as a table.

    Parameters
    ----------
    group_means : mapping of str to (float, float)
        Per feature the mean training z-score of groups 1 and 2 (``model.group_means``).

    Returns
    -------
    DataFrame
        Columns ``feature, feature_class, mean_1, mean_2, difference`` (group 2 minus group 1), by class in the paper's order.
    """
    rows = [
        {"feature": name, "feature_class": _feature_class(name), "mean_1": float(means[0]), "mean_2": float(means[1])}
        for name, means in group_means.items()
    ]
    frame = pd.DataFrame(rows, columns=["feature", "feature_class", "mean_1", "mean_2"])
    frame["difference"] = frame["mean_2"] - frame["mean_1"]
    rank = frame["feature_class"].map({name: number for number, name in enumerate((*CLASS_NAMES, "other"))})
    return frame.iloc[np.argsort(rank.to_numpy(), kind="stable")].reset_index(drop=True)


def characterization(profile: pd.DataFrame) -> Drawing:
    """Every feature's mean z-score in both groups, banded by feature class.

    Parameters
    ----------
    profile : DataFrame
        From :func:`group_profile`.
    """
    with styled():
        figure = new_figure(12.0, 8.6)
        rows = figure.subplots(2, 1, sharey=True)
        half = _balanced_split(profile["feature_class"].tolist())
        for axes, part in zip(rows, (profile.iloc[:half], profile.iloc[half:]), strict=True):
            _profile_panel(axes, part)
        rows[0].legend(loc="lower left", bbox_to_anchor=(0.0, 1.13), ncols=2, borderaxespad=0.0)
        alt = f"Mean z-scores of {len(profile)} features in group 1 and group 2, by feature class; the numbers are in the table."
        return finish(figure, "characterization", alt, profile)


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
    for group, marker in ((1, "o"), (2, "^")):
        part = frame[frame["group"] == group]
        label = f"{GROUP_NAMES[group]}: {len(part)}"
        axes.scatter(
            part["pc1"], part["pc2"], s=16, marker=marker, color=GROUP_COLORS[group], alpha=0.6, linewidths=0, label=label
        )
    axes.scatter(
        centers[:, 0], centers[:, 1], s=70, marker="X", color=INK, edgecolors="white", linewidths=0.8, label="Centers", zorder=3
    )
    axes.axhline(0, color=PALE, linewidth=0.8, zorder=0)
    axes.axvline(0, color=PALE, linewidth=0.8, zorder=0)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=9, handletextpad=0.3)


def _profile_panel(axes: Axes, part: pd.DataFrame) -> None:
    if part.empty:
        say_nothing_to_show(axes, "no feature")
        return
    place = np.arange(len(part))
    low, high = part[["mean_1", "mean_2"]].min(axis=1), part[["mean_1", "mean_2"]].max(axis=1)
    axes.vlines(place, low, high, color=GRAY, linewidth=0.8, zorder=1)
    for group, marker in ((1, "o"), (2, "^")):
        axes.scatter(
            place, part[f"mean_{group}"], s=22, marker=marker, color=GROUP_COLORS[group], label=GROUP_NAMES[group], zorder=2
        )
    axes.axhline(0, color=GRAY, linewidth=0.8)
    classes = part["feature_class"].tolist()
    starts = [i for i in range(len(classes)) if i == 0 or classes[i] != classes[i - 1]]
    for number, (start, stop) in enumerate(zip(starts, [*starts[1:], len(classes)], strict=True)):
        if number % 2 == 0:
            axes.axvspan(start - 0.5, stop - 0.5, color=PALE, alpha=0.45, linewidth=0, zorder=0)
        name = CLASS_NAMES.get(classes[start], classes[start])
        axes.text(
            (start + stop - 1) / 2,
            1.01,
            name,
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=9,
            fontweight="bold",
        )
    axes.set_xlim(-0.5, len(part) - 0.5)
    axes.set_ylabel("Mean z-score (SD)")
    axes.set_xticks(place, [name.rpartition("_")[2] for name in part["feature"]], rotation=90, fontsize=7.5)


def _feature_class(name: str) -> str:
    return next((word for word in CLASS_NAMES if f"_{word}_" in name), "other")


def _balanced_split(classes: list[str]) -> int:
    """Where to break into two rows: at a class border nearest to the middle."""
    borders = [i for i in range(1, len(classes)) if classes[i] != classes[i - 1]]
    return min(borders, key=lambda i: abs(i - len(classes) / 2), default=(len(classes) + 1) // 2)
