"""The flow diagram (the paper's Figure 2, after STARD 2015): who was offered, who is out and why, what is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from axilla.errors import InvalidValueError
from axilla.figures.drawing import GRAY, INK, PALE, Drawing, finish, new_figure, styled


@dataclass(frozen=True)
class CohortFlow:
    """One cohort's counts.

    Parameters
    ----------
    name : str
        ``training``, ``validation`` or ``cN0``.
    patients : int
        Patients in it whose CT was finished.
    patients_not_evaluable : int
        Those of them without an evaluable node.
    nodes, nodes_not_evaluable : int
        Nodes of the operated side, and those of them without features.
    statuses : mapping of str to int
        Patients by status (``benign``, ``metastatic``, ``unlabeled``); may be empty.
    """

    name: str
    patients: int
    patients_not_evaluable: int = 0
    nodes: int = 0
    nodes_not_evaluable: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.patients_not_evaluable <= self.patients or not 0 <= self.nodes_not_evaluable <= self.nodes:
            raise InvalidValueError(f"Cohort {self.name}: more not evaluable than there are.")
        if self.statuses and sum(self.statuses.values()) != self.patients:
            raise InvalidValueError(f"Cohort {self.name}: statuses of {sum(self.statuses.values())} of {self.patients} patients.")
        object.__setattr__(self, "statuses", MappingProxyType(dict(self.statuses)))


@dataclass(frozen=True)
class FlowCounts:
    """The whole flow; its numbers add up or it is refused.

    Parameters
    ----------
    offered : int
        Patients offered to the study.
    excluded, failed : mapping of str to int
        Patients by reason: not eligible; eligible but not finished (CT refused, ...).
    cohorts : tuple of CohortFlow
        Disjoint.

    Raises
    ------
    InvalidValueError
        If offered is not excluded + failed + the cohorts' patients.
    """

    offered: int
    excluded: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)
    cohorts: tuple[CohortFlow, ...] = ()

    def __post_init__(self) -> None:
        parts = (sum(self.excluded.values()), sum(self.failed.values()), sum(c.patients for c in self.cohorts))
        if sum(parts) != self.offered:
            raise InvalidValueError(
                f"The flow does not add up: {self.offered} offered, but {parts[0]} excluded + {parts[1]} failed + "
                f"{parts[2]} in cohorts."
            )
        object.__setattr__(self, "excluded", MappingProxyType(dict(self.excluded)))
        object.__setattr__(self, "failed", MappingProxyType(dict(self.failed)))

    @property
    def analyzed(self) -> int:
        """Patients in a cohort."""
        return sum(cohort.patients for cohort in self.cohorts)

    def frame(self) -> pd.DataFrame:
        """One row per number of the diagram: ``step, item, patients, nodes``."""
        rows: list[tuple[str, str, int, int | None]] = [("offered", "", self.offered, None)]
        rows += [("excluded", reason, n, None) for reason, n in self.excluded.items()]
        rows += [("failed", reason, n, None) for reason, n in self.failed.items()]
        for cohort in self.cohorts:
            rows.append(("cohort", cohort.name, cohort.patients, cohort.nodes))
            rows += [("cohort status", f"{cohort.name}: {status}", n, None) for status, n in cohort.statuses.items()]
            rows.append(("not evaluable", cohort.name, cohort.patients_not_evaluable, cohort.nodes_not_evaluable))
        return pd.DataFrame(rows, columns=["step", "item", "patients", "nodes"]).astype({"nodes": "Int64"})


def flow_diagram(counts: FlowCounts) -> Drawing:
    """Boxes and arrows from the actual counts."""
    side_lines = [
        [f"Excluded: {sum(counts.excluded.values())}", *_reasons(counts.excluded)],
        [f"Not finished: {sum(counts.failed.values())}", *_reasons(counts.failed)],
    ]
    heights = [max(1.0, _LINE_IN * len(lines) + 0.25) for lines in side_lines]
    total_in = 0.8 + sum(heights) + 3.9
    with styled():
        figure = new_figure(9.4, total_in, is_arranged=False)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set(xlim=(0, 9.4), ylim=(0, total_in))
        axes.set_axis_off()
        top = total_in - 0.45
        _box(axes, 3.0, top, 3.4, 0.6, [f"Patients offered: {counts.offered}"], is_filled=True)
        middles = [top - 0.3 - heights[0] / 2, top - 0.3 - heights[0] - heights[1] / 2]
        included = top - 0.3 - sum(heights) - 0.3
        _arrow(axes, (3.0, top - 0.3), (3.0, included + 0.3))
        for middle, height, lines in zip(middles, heights, side_lines, strict=True):
            _arrow(axes, (3.0, middle), (4.7, middle))
            _box(axes, 6.95, middle, 4.5, height - 0.14, lines, left=True)
        _box(axes, 3.0, included, 3.4, 0.6, [f"Patients analyzed: {counts.analyzed}"], is_filled=True)
        _draw_cohorts(axes, counts.cohorts, included - 0.3)
        alt = (
            f"Flow diagram: {counts.offered} patients offered, {sum(counts.excluded.values())} excluded, "
            f"{sum(counts.failed.values())} not finished, {counts.analyzed} analyzed: "
            + ", ".join(
                f"{c.name} {c.patients} with {c.nodes} nodes ({c.nodes_not_evaluable} not evaluable)" for c in counts.cohorts
            )
            + "."
        )
        return finish(figure, "flow", alt, counts.frame())


_LINE_IN = 0.19
"""Height of a line of text, inches."""

_NAMES = {
    "training": "Training\n(cN+, nodes without status)",
    "validation": "Validation\n(cN+, nodes with status)",
    "cN0": "cN0\n(clinically node-negative)",
}


def _reasons(counts: Mapping[str, int]) -> list[str]:
    return [f"{_short(reason)}: {n}" for reason, n in counts.items()]


def _short(words: str, most: int = 52) -> str:
    """Words that fit a box, without characters an SVG may not hold."""
    words = "".join(letter if letter.isprintable() else " " for letter in words)
    return words if len(words) <= most else words[: most - 1].rstrip() + "\u2026"


def _draw_cohorts(axes: Axes, cohorts: tuple[CohortFlow, ...], start: float) -> None:
    """A column per cohort: its patients, then its nodes."""
    for number, cohort in enumerate(cohorts):
        width = 9.0 / len(cohorts)
        x = 0.2 + width * (number + 0.5)
        first, second = start - 1.15, start - 2.75
        axes.plot([3.0, 3.0, x, x], [start, start - 0.25, start - 0.25, first + 0.6], color=GRAY, linewidth=1.2)
        statuses = [f"{status}: {n}" for status, n in cohort.statuses.items()]
        name = _NAMES.get(cohort.name, cohort.name).split("\n")
        lines = [*name, f"patients: {cohort.patients}", *statuses[:3]]
        _box(axes, x, first, min(width - 0.25, 2.8), 1.25, lines, n_bold=len(name), is_filled=True)
        _arrow(axes, (x, first - 0.625), (x, second + 0.5))
        evaluable = cohort.nodes - cohort.nodes_not_evaluable
        lines = [
            f"nodes, operated side: {cohort.nodes}",
            f"evaluable: {evaluable}",
            f"not evaluable: {cohort.nodes_not_evaluable}",
            f"patients not evaluable: {cohort.patients_not_evaluable}",
        ]
        _box(axes, x, second, min(width - 0.25, 2.8), 1.0, lines)


def _box(
    axes: Axes,
    x: float,
    y: float,
    width: float,
    height: float,
    lines: list[str],
    *,
    n_bold: int = 1,
    is_filled: bool = False,
    left: bool = False,
) -> None:
    """A box around lines of text, the first `n_bold` of them bold."""
    corner = (x - width / 2, y - height / 2)
    face = PALE if is_filled else "white"
    axes.add_patch(Rectangle(corner, width, height, facecolor=face, edgecolor=GRAY, linewidth=1.2))
    start = y + _LINE_IN * (len(lines) - 1) / 2
    for number, line in enumerate(lines):
        axes.text(
            x - width / 2 + 0.12 if left else x,
            start - number * _LINE_IN,
            line,
            ha="left" if left else "center",
            va="center",
            fontsize=9,
            fontweight="bold" if number < n_bold else "normal",
            color=INK,
        )


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate("", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": GRAY, "linewidth": 1.2})
