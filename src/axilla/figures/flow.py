"""The flow diagram (the paper's Figure 2, after STARD 2015): who was offered, who is out and why, what is left."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from axilla.errors import InvalidValueError
from axilla.figures.drawing import GRAY, INK, PALE, Drawing, finish, new_figure, styled
from axilla.model import NOT_EVALUABLE


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
    groups : mapping of str to int
        Evaluable nodes by group; may be empty.
    calls : mapping of str to int
        Patients by the model's call (``metastatic``, ``benign``, ``not evaluable``); may be empty.

    Raises
    ------
    InvalidValueError
        If more are not evaluable than there are, or the parts do not add up to the whole.
    """

    name: str
    patients: int
    patients_not_evaluable: int = 0
    nodes: int = 0
    nodes_not_evaluable: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[str, int] = field(default_factory=dict)
    calls: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.patients_not_evaluable <= self.patients or not 0 <= self.nodes_not_evaluable <= self.nodes:
            raise InvalidValueError(f"Cohort {self.name}: more not evaluable than there are.")
        wholes = {"statuses": self.patients, "groups": self.nodes_evaluable, "calls": self.patients}
        for name, whole in wholes.items():
            parts = MappingProxyType(dict(getattr(self, name)))
            if parts and sum(parts.values()) != whole:
                raise InvalidValueError(f"Cohort {self.name}: {name} of {sum(parts.values())} of {whole}.")
            object.__setattr__(self, name, parts)
        if self.calls and self.calls.get(NOT_EVALUABLE, 0) != self.patients_not_evaluable:
            raise InvalidValueError(f"Cohort {self.name}: {self.patients_not_evaluable} not evaluable, but not so called.")

    @property
    def nodes_evaluable(self) -> int:
        """Nodes with features."""
        return self.nodes - self.nodes_not_evaluable


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
        rows: list[tuple[str, str, int | None, int | None]] = [("offered", "", self.offered, None)]
        for step, reasons in (("excluded", self.excluded), ("failed", self.failed)):
            rows.append((f"all {step}", "", sum(reasons.values()), None))
            rows += [(step, reason, n, None) for reason, n in _by_size(reasons)]
        rows.append(("analyzed", "", self.analyzed, None))
        for cohort in self.cohorts:
            rows.append(("cohort", cohort.name, cohort.patients, cohort.nodes))
            rows += [("status", f"{cohort.name}: {status}", n, None) for status, n in cohort.statuses.items()]
            rows.append(("evaluable", cohort.name, cohort.patients - cohort.patients_not_evaluable, cohort.nodes_evaluable))
            rows.append((NOT_EVALUABLE, cohort.name, cohort.patients_not_evaluable, cohort.nodes_not_evaluable))
            rows += [("group", f"{cohort.name}: {group}", None, n) for group, n in cohort.groups.items()]
            rows += [("call", f"{cohort.name}: {call}", n, None) for call, n in cohort.calls.items()]
        return pd.DataFrame(rows, columns=["step", "item", "patients", "nodes"]).astype({"patients": "Int64", "nodes": "Int64"})


def flow_diagram(counts: FlowCounts) -> Drawing:
    """Boxes and arrows from the actual counts."""
    side_lines = [
        [f"Excluded: {sum(counts.excluded.values())}", *_reasons(counts.excluded)],
        [f"Not finished: {sum(counts.failed.values())}", *_reasons(counts.failed)],
    ]
    heights = [_box_height(lines) + _GAP_IN for lines in side_lines]
    columns = [_cohort_boxes(cohort) for cohort in counts.cohorts]
    rows = [max(map(_box_height, boxes)) for boxes in zip(*columns, strict=True)]
    total_in = 0.8 + sum(heights) + 0.6 + sum(height + _STEP_IN for height in rows) + 0.15
    with styled():
        figure = new_figure(_WIDTH_IN, total_in, is_arranged=False)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set(xlim=(0, _WIDTH_IN), ylim=(0, total_in))
        axes.set_axis_off()
        top = total_in - 0.45
        _box(axes, 2.6, top, 3.0, 0.6, [f"Patients offered: {counts.offered}"], is_filled=True)
        included = top - 0.3 - sum(heights) - 0.3
        _arrow(axes, (2.6, top - 0.3), (2.6, included + 0.3))
        middle = top - 0.3
        for height, lines in zip(heights, side_lines, strict=True):
            middle -= height / 2
            _arrow(axes, (2.6, middle), (4.3, middle))
            _box(axes, 6.75, middle, 4.9, height - _GAP_IN, lines, left=True)
            middle -= height / 2
        _box(axes, 2.6, included, 3.0, 0.6, [f"Patients analyzed: {counts.analyzed}"], is_filled=True)
        _draw_cohorts(axes, columns, rows, included - 0.3)
        return finish(figure, "flow", _alt(counts), counts.frame())


_WIDTH_IN = 9.4
_LINE_IN = 0.19
"""Height of a line of text, inches."""
_GAP_IN = 0.14
_STEP_IN = 0.42
"""Length of an arrow between rows of boxes."""

_MOST_REASONS = 12
"""The rarer ones beyond are drawn together; the numbers beside the figure name all."""
_REASON_WIDTH = 66
_NAMES = {
    "training": ["Training", "(cN+, nodes without status)"],
    "validation": ["Validation", "(cN+, nodes with status)"],
    "cN0": ["cN0", "(clinically node-negative)"],
}


def _by_size(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Reasons, most frequent first."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _reasons(counts: Mapping[str, int]) -> list[str]:
    """A line or two per reason."""
    ordered = _by_size(counts)
    shown, others = ordered[:_MOST_REASONS], ordered[_MOST_REASONS:]
    lines = [line for reason, n in shown for line in _wrapped(_printable(reason), f": {n}")]
    return [*lines, f"{len(others)} other reasons: {sum(n for _, n in others)}"] if others else lines


def _wrapped(words: str, end: str) -> list[str]:
    lines = textwrap.wrap(words, _REASON_WIDTH, max_lines=2, placeholder="\u2026") or ["no reason given"]
    return [*lines[:-1], lines[-1] + end]


def _printable(words: str) -> str:
    """Words without characters an SVG may not hold."""
    return "".join(letter if letter.isprintable() else " " for letter in words)


def _cohort_boxes(cohort: CohortFlow) -> tuple[list[str], list[str], list[str]]:
    """Lines of a cohort's boxes: its patients, their nodes, the model's calls."""
    patients = [*_NAMES.get(cohort.name, [cohort.name, ""]), f"patients: {cohort.patients}"]
    nodes = [f"nodes, operated side: {cohort.nodes}", f"{NOT_EVALUABLE}: {cohort.nodes_not_evaluable}"]
    groups = cohort.groups or {"evaluable": cohort.nodes_evaluable}
    calls = cohort.calls or {NOT_EVALUABLE: cohort.patients_not_evaluable}
    return (
        [*patients, *(f"{status}: {n}" for status, n in cohort.statuses.items())],
        [*nodes, *(f"{group}: {n}" for group, n in groups.items())],
        ["patients by the model's call", *(f"{call}: {n}" for call, n in calls.items())],
    )


def _alt(counts: FlowCounts) -> str:
    cohorts = [
        f"{cohort.name} {cohort.patients} with {cohort.nodes} nodes ({cohort.nodes_not_evaluable} {NOT_EVALUABLE})"
        for cohort in counts.cohorts
    ]
    return (
        f"Flow diagram: {counts.offered} patients offered, {sum(counts.excluded.values())} excluded, "
        f"{sum(counts.failed.values())} not finished, {counts.analyzed} analyzed: {', '.join(cohorts) or 'no cohort'}."
    )


def _draw_cohorts(axes: Axes, columns: Sequence[tuple[list[str], ...]], rows: list[float], start: float) -> None:
    """A column per cohort: its patients, then its nodes, then its calls."""
    for number, boxes in enumerate(columns):
        width = (_WIDTH_IN - 0.4) / len(columns)
        x, bottom = 0.2 + width * (number + 0.5), start
        axes.plot(
            [2.6, 2.6, x, x], [start, start - _STEP_IN / 2, start - _STEP_IN / 2, start - _STEP_IN], color=GRAY, linewidth=1.2
        )
        for row, (lines, height) in enumerate(zip(boxes, rows, strict=True)):
            if row:
                _arrow(axes, (x, bottom), (x, bottom - _STEP_IN))
            bottom -= _STEP_IN + height
            bold = 2 if row == 0 else 1
            _box(axes, x, bottom + height / 2, min(width - 0.25, 2.8), height, lines, n_bold=bold, is_filled=row == 0)


def _box_height(lines: list[str]) -> float:
    return max(0.6, _LINE_IN * len(lines) + 0.25)


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
