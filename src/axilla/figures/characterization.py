"""How the features of the two groups differ (the paper's Figure 4), on two printed pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from axilla.errors import InvalidValueError
from axilla.figures.drawing import (
    GRAY,
    GROUP_COLORS,
    GROUP_NAMES,
    INK,
    PAGE_WIDTH_IN,
    PALE,
    PURPLE,
    Drawing,
    finish,
    new_figure,
    styled,
)
from axilla.stats import LEVEL, SIGNIFICANCE

CLASS_NAMES = {
    "shape": "Shape",
    "firstorder": "First order",
    "glcm": "GLCM",
    "glrlm": "GLRLM",
    "glszm": "GLSZM",
    "gldm": "GLDM",
    "ngtdm": "NGTDM",
    "other": "Other",
}
"""The seven classes of features, in the paper's order, by the word in PyRadiomics' names; and what belongs to none."""

PAGES: Mapping[str, tuple[str, ...]] = {
    "characterization": ("shape", "firstorder", "glcm"),
    "characterization_texture": ("glrlm", "glszm", "gldm", "ngtdm", "other"),
}
"""Name of each page's figure, and its classes: about as many features on the one as on the other."""

NEEDED = ("cohort", "feature", "feature_class", "mean_1", "mean_2", "effect", "low", "high", "p_holm")

DIRECTIONS = "\u2190 higher in group 1 \u00b7 higher in group 2 \u2192"

_ROW_IN = 0.122
"""Between two features: on paper, lines of 7 points stand clear of each other."""

_OFFSET = 0.2
"""Of the first cohort above, of the second below the line of a feature."""

_ROOM = 1.15
"""The panels end this much beyond the farthest mark; an interval that goes farther is cut."""


def feature_class(name: str) -> str:
    """The class of a feature by its name: a key of :data:`CLASS_NAMES`."""
    return next((word for word in CLASS_NAMES if f"_{word}_" in name), "other")


def characterization(differences: pd.DataFrame, level: float = LEVEL) -> dict[str, Drawing]:
    """Standardized means of both groups and effect sizes with their intervals, feature by feature, sorted within each class.

    Parameters
    ----------
    differences : DataFrame
        Columns :data:`NEEDED`, others are kept in the numbers; one row per cohort (training first, at most two are drawn) and
        feature. NaN where there is nothing to show.
    level : float
        Confidence level of the intervals.

    Returns
    -------
    dict of str to Drawing
        By :data:`PAGES`, those that have a feature; `numbers` are the rows shown, from top to bottom.

    Raises
    ------
    InvalidValueError
        If a column is missing.
    """
    missing = [column for column in NEEDED if column not in differences.columns]
    if missing:
        raise InvalidValueError(f"The characterization of the groups lacks the columns {', '.join(missing)}.")
    has_nodes = differences[["mean_1", "mean_2"]].notna().any(axis=1)
    cohorts = list(dict.fromkeys(differences.loc[has_nodes, "cohort"]))[:2]
    shown = _sorted(differences[differences["cohort"].isin(cohorts)], cohorts)
    limits = _limits(shown, ["mean_1", "mean_2"]), _limits(shown, ["effect"], ["low", "high"])
    pages = {name: shown[shown["feature_class"].isin(classes)] for name, classes in PAGES.items()}
    return {name: _page(name, rows, cohorts, limits, level) for name, rows in pages.items() if len(rows)}


def _sorted(frame: pd.DataFrame, cohorts: Sequence[str]) -> pd.DataFrame:
    """By class; in a class by the first cohort's effect, the highest in group 2 first, what has none last."""
    first = frame[frame["cohort"] == cohorts[0]].set_index("feature")["effect"] if cohorts else pd.Series(dtype=float)
    rank = frame["feature_class"].map({name: number for number, name in enumerate(CLASS_NAMES)})
    keys = pd.DataFrame({"rank": rank, "effect": -frame["feature"].map(first), "feature": frame["feature"]})
    return frame.loc[keys.sort_values(["rank", "effect", "feature"], kind="stable").index].reset_index(drop=True)


def _limits(frame: pd.DataFrame, marks: list[str], ends: Sequence[str] = ()) -> tuple[float, float]:
    """The same for every panel: around zero and all marks, and the ends of intervals unless they are exceptionally far."""
    points = frame[marks].to_numpy(dtype=np.float64).ravel()
    points = points[np.isfinite(points)]
    usual = [frame[column].dropna().quantile((0.02, 0.98)).to_numpy() for column in ends]
    every = np.concatenate([points, [0.0], *usual])
    low, high = float(np.nanmin(every)), float(np.nanmax(every))
    room = (_ROOM - 1) * max(high - low, 0.5)
    return low - room, high + room


def _page(
    name: str, frame: pd.DataFrame, cohorts: Sequence[str], limits: tuple[tuple[float, float], ...], level: float
) -> Drawing:
    parts = {key: frame[frame["feature_class"] == key] for key in dict.fromkeys(frame["feature_class"])}
    n_features = [part["feature"].nunique() for part in parts.values()]
    with styled():
        figure = new_figure(PAGE_WIDTH_IN, 1.45 + _ROW_IN * sum(n_features) + 0.27 * len(parts))
        grid = figure.subplots(len(parts), 2, squeeze=False, sharex="col", height_ratios=n_features, width_ratios=(1.15, 1))
        for (means, effects), (key, part) in zip(grid, parts.items(), strict=True):
            _panels(means, effects, part, cohorts, limits)
            means.set_title(f"{CLASS_NAMES[key]} ({part['feature'].nunique()})", fontsize=8.5, pad=3)
        for axes in grid[:-1].ravel():
            axes.tick_params(axis="x", length=0)
        grid[-1][0].set_xlabel("Mean, in SD of the training nodes", fontsize=8)
        grid[-1][1].set_xlabel(f"Hedges' g, {100 * level:g} % interval\n{DIRECTIONS}", fontsize=8)
        _legend(figure, cohorts)
        return finish(figure, name, _alt(parts, cohorts), frame)


def _panels(
    means: Axes, effects: Axes, part: pd.DataFrame, cohorts: Sequence[str], limits: tuple[tuple[float, float], ...]
) -> None:
    """One class: means on the left, effects on the right, a line per feature."""
    features = list(dict.fromkeys(part["feature"]))
    for axes, (low, high) in zip((means, effects), limits, strict=True):
        axes.axvline(0, color=GRAY, linewidth=0.8, zorder=1)
        axes.set(xlim=(low, high), ylim=(len(features) - 0.4, -0.6))
        axes.hlines(range(len(features)), low, high, color=PALE, linewidth=0.5, zorder=0)
        axes.tick_params(axis="x", labelsize=7.5)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
        axes.tick_params(axis="y", length=0)
        for side in ("left", "bottom"):
            axes.spines[side].set_color(PALE)
    means.set_yticks(range(len(features)), [name.rpartition("_")[2] for name in features], fontsize=7)
    effects.set_yticks([])
    if part["effect"].isna().all():
        middle = (len(features) - 1) / 2
        effects.text(sum(limits[1]) / 2, middle, "nothing to compare", ha="center", va="center", fontsize=8, color=GRAY)
    for number, cohort in enumerate(cohorts):
        rows = part[part["cohort"] == cohort].set_index("feature").reindex(features)
        place = np.arange(len(features)) + (number - (len(cohorts) - 1) / 2) * 2 * _OFFSET
        _draw_means(means, rows, place, is_first=number == 0)
        _draw_effects(effects, rows, place, is_first=number == 0)


def _draw_means(axes: Axes, rows: pd.DataFrame, place: np.ndarray, *, is_first: bool) -> None:
    axes.hlines(place, rows["mean_1"], rows["mean_2"], color=GRAY, linewidth=0.6, zorder=1)
    for group, marker in ((1, "o"), (2, "^")):
        color = GROUP_COLORS[group]
        face = color if is_first else "white"
        axes.scatter(
            rows[f"mean_{group}"], place, s=11, marker=marker, facecolors=face, edgecolors=color, linewidths=0.7, zorder=2
        )


def _draw_effects(axes: Axes, rows: pd.DataFrame, place: np.ndarray, *, is_first: bool) -> None:
    color, marker = _EFFECT_STYLE[not is_first]
    axes.hlines(place, rows["low"], rows["high"], color=color, linewidth=1.0, zorder=2)
    differs = (rows["p_holm"] < SIGNIFICANCE).to_numpy()
    axes.scatter(rows["effect"][differs], place[differs], s=11, marker=marker, color=color, linewidths=0, zorder=3)
    other = rows["effect"][~differs]
    axes.scatter(other, place[~differs], s=11, marker=marker, facecolors="white", edgecolors=color, linewidths=0.8, zorder=3)


_EFFECT_STYLE = ((INK, "o"), (PURPLE, "s"))
"""Color and marker of the first and the second cohort."""


def _legend(figure: Figure, cohorts: Sequence[str]) -> None:
    """Above the page: groups as they are drawn in each cohort on the left, effects on the right."""
    groups, effects = [], []
    for number, cohort in enumerate(cohorts):
        for group, marker in ((1, "o"), (2, "^")):
            color = GROUP_COLORS[group]
            face = color if number == 0 else "white"
            label = f"{GROUP_NAMES[group].partition(' (')[0]}, {cohort}"
            groups.append(_mark(marker, color, face, label))
        color, marker = _EFFECT_STYLE[number]
        effects.append(_mark(marker, color, color, f"{cohort}, P < {SIGNIFICANCE:g} after Holm"))
        effects.append(_mark(marker, color, "white", f"{cohort}, P at least {SIGNIFICANCE:g}"))
    style: Any = {"ncols": 2, "fontsize": 7, "handletextpad": 0.2, "columnspacing": 1.0}
    figure.legend(handles=groups, loc="outside upper left", **style)
    figure.legend(handles=effects, loc="outside upper right", **style)


def _mark(marker: str, color: str, face: str, label: str) -> Line2D:
    return Line2D([], [], linestyle="", marker=marker, markersize=4, color=color, markerfacecolor=face, label=label)


def _alt(parts: Mapping[str, pd.DataFrame], cohorts: Sequence[str]) -> str:
    """How many features of each class differ, for those who cannot see it."""
    said = []
    for key, part in parts.items():
        counts = [
            f"{int((rows['p_holm'] < SIGNIFICANCE).sum())} of {len(rows)} differ in {cohort}"
            for cohort, rows in ((cohort, part[part["cohort"] == cohort]) for cohort in cohorts)
        ]
        said.append(f"{CLASS_NAMES[key]}: {', '.join(counts)}")
    return f"Group 2 against group 1, feature by feature (P < {SIGNIFICANCE:g} after Holm). {'; '.join(said) or 'No feature'}."
