"""How well the groups match pathology: per node (the paper's Figure 5) and per patient (Figure 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from axilla.errors import InvalidValueError
from axilla.figures.drawing import (
    BLUE,
    GRAY,
    INK,
    ORANGE,
    PALE,
    STATUS_COLORS,
    VERMILION,
    Drawing,
    finish,
    new_figure,
    say_nothing_to_show,
    styled,
)
from axilla.volume import FloatArray

RATE_LABELS = {
    "ccr": "CCR",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "PPV",
    "npv": "NPV",
    "fpr": "FPR",
    "fnr": "FNR",
}


_ROOM_FOR_TWO_LINES = 0.12
"""Share of the tallest bar that a part needs to hold two lines."""

COHORT_TITLES = {
    "cN+": "cN+ with training patients (as the paper)",
    "cN+ without training patients": "cN+ without training patients (leak-free)",
}
"""What a reader has to see of a cohort; others go by their name."""


def node_level(results: Mapping[str, Any], nodes: pd.DataFrame) -> Drawing:
    """Counts per group, ROC of the score with the two-group label as a point, and the rates with their intervals.

    Parameters
    ----------
    results : mapping
        ``node_level`` of ``results.json``.
    nodes : DataFrame
        The nodes counted there: columns ``status`` (metastatic or benign) and ``score``.

    Returns
    -------
    Drawing
        `numbers`: ``panel, item, x, value, low, high``; of the ROC, `x` is the false positive rate and `value` the sensitivity.
    """
    if not {"status", "score"} <= set(nodes.columns):
        raise InvalidValueError("The node-level figure needs the columns status and score.")
    counts, rates = results["counts"], results["rates"]
    fpr, tpr = roc_points(nodes["status"].eq("metastatic").tolist(), nodes["score"].to_numpy(dtype=np.float64))
    rows = [*_count_rows(counts), *_group_rows(counts), *_rate_rows("rates", rates), *_rate_rows("auc", _aucs(results))]
    rows += [{"panel": "roc", "item": "score", "x": f, "value": t} for f, t in zip(fpr, tpr, strict=True)]
    rows.append({"panel": "roc", "item": "label", "x": rates["fpr"]["estimate"], "value": rates["sensitivity"]["estimate"]})
    with styled():
        figure = new_figure(9.6, 3.7)
        left, middle, right = figure.subplots(1, 3)
        _count_panel(left, counts)
        _roc_panel(middle, fpr, tpr, results)
        _rate_panel(right, {"model": rates}, ("ccr", "sensitivity", "specificity", "ppv", "npv"), {"model": INK})
        right.set_title("Rates with intervals")
        alt = (
            f"Node level: of {results['n']} nodes {counts['tp']} true positive, {counts['fn']} false negative, {counts['tn']} "
            f"true negative, {counts['fp']} false positive; ROC curve and rates with intervals."
        )
        columns = ["panel", "item", "x", "value", "low", "high"]
        return finish(figure, "node_level", alt, pd.DataFrame(rows, columns=columns))


def patient_level(results: Mapping[str, Mapping[str, Any]]) -> Drawing:
    """Correct and wrong calls and the rates per cohort, model beside clinical assessment.

    Parameters
    ----------
    results : mapping of str to mapping
        ``patient_level`` of ``results.json``, by cohort.

    Returns
    -------
    Drawing
        `numbers`: ``cohort, panel, item, value, low, high``.

    Raises
    ------
    InvalidValueError
        If there is no cohort.
    """
    if not results:
        raise InvalidValueError("The patient-level figure needs at least one cohort.")
    rows: list[dict[str, Any]] = []
    with styled():
        figure = new_figure(3.2 * max(len(results), 2), 5.8)
        grid = figure.subplots(2, len(results), squeeze=False, height_ratios=(1, 1.2))
        for column, (cohort, level) in enumerate(results.items()):
            rows += [{"cohort": cohort, **row} for row in _patient_rows(level)]
            _patient_panels(grid[0][column], grid[1][column], level)
            grid[0][column].set_title(f"{_wrapped(COHORT_TITLES.get(cohort, cohort))}\n{level.get('n', 0)} patients")
        alt = (
            "Patient level: "
            + "; ".join(_patient_words(COHORT_TITLES.get(cohort, cohort), level) for cohort, level in results.items())
            + "."
        )
        columns = ["cohort", "panel", "item", "value", "low", "high"]
        return finish(figure, "patient_level", alt, pd.DataFrame(rows, columns=columns))


def roc_points(is_metastatic: Sequence[bool], scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """False and true positive rate at every threshold, from none called positive to all; empty without both classes."""
    truth = np.asarray(is_metastatic, dtype=bool)
    keep = np.isfinite(scores)
    truth, scores = truth[keep], scores[keep]
    if truth.all() or not truth.any():
        return np.zeros(0), np.zeros(0)
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.diff(scores[order]) != 0, True)
    tpr = np.cumsum(truth[order])[last_of_tie] / truth.sum()
    fpr = np.cumsum(~truth[order])[last_of_tie] / (~truth).sum()
    return np.append(0.0, fpr), np.append(0.0, tpr)


def _aucs(results: Mapping[str, Any]) -> dict[str, Any]:
    return {name: results[name] for name in ("auc_score", "auc_hard_label") if results.get(name)}


def _count_rows(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"panel": "counts", "item": key, "value": counts[key]} for key in ("tp", "fn", "tn", "fp")]


def _group_rows(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Size of each group and the share of each status in it."""
    rows: list[dict[str, Any]] = []
    for group, (benign, metastatic) in enumerate(((counts["tn"], counts["fn"]), (counts["fp"], counts["tp"])), start=1):
        total = benign + metastatic
        rows.append({"panel": "groups", "item": f"group {group}", "value": total})
        parts = {"benign": benign, "metastatic": metastatic} if total else {}
        rows += [{"panel": "share", "item": f"group {group}: {name}", "value": n / total} for name, n in parts.items()]
    return rows


def _rate_rows(panel: str, rates: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"panel": panel, "item": name, "value": rate["estimate"], "low": rate["low"], "high": rate["high"]}
        for name, rate in rates.items()
    ]


def _count_panel(axes: Axes, counts: Mapping[str, int]) -> None:
    """What pathology says of each group."""
    bars = {"benign": (counts["tn"], counts["fp"]), "metastatic": (counts["fn"], counts["tp"])}
    bottom = np.zeros(2)
    total = [counts["tn"] + counts["fn"], counts["fp"] + counts["tp"]]
    for status, heights in bars.items():
        axes.bar(
            (0, 1), heights, 0.62, bottom=bottom, color=STATUS_COLORS[status], label=f"pathology {status}", edgecolor="white"
        )
        for x, (height, start) in enumerate(zip(heights, bottom, strict=True)):
            if height:
                between = "\n" if height > _ROOM_FOR_TWO_LINES * max(total) else " "
                words = f"{height}{between}({100 * height / total[x]:.1f} %)"
                axes.text(x, start + height / 2, words, ha="center", va="center", fontsize=9)
        bottom += heights
    axes.set_xticks((0, 1), (f"Group 1\nn = {total[0]}", f"Group 2\nn = {total[1]}"))
    axes.set_ylabel("Nodes")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.set_title("Groups against pathology")
    axes.set_ylim(0, max(max(total) * 1.22, 1))
    axes.legend(loc="upper right", fontsize=9)


def _roc_panel(axes: Axes, fpr: FloatArray, tpr: FloatArray, results: Mapping[str, Any]) -> None:
    axes.set_title("ROC of the score")
    axes.plot((0, 1), (0, 1), color=PALE, linewidth=1, zorder=0)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="False positive rate", ylabel="Sensitivity", aspect="equal")
    if not fpr.size:
        axes.text(0.5, 0.5, "needs metastatic and\nbenign nodes", ha="center", va="center", color=GRAY)
        return
    axes.plot(fpr, tpr, color=BLUE, linewidth=1.8, label=f"score: AUC {_estimate(results.get('auc_score'))}")
    rates = results["rates"]
    if rates["fpr"]["estimate"] is not None and rates["sensitivity"]["estimate"] is not None:
        label = f"two-group label: AUC {_estimate(results.get('auc_hard_label'))}"
        axes.plot(rates["fpr"]["estimate"], rates["sensitivity"]["estimate"], "D", color=VERMILION, markersize=7, label=label)
    axes.legend(loc="lower right", fontsize=8.5)


def _rate_panel(axes: Axes, series: Mapping[str, Mapping[str, Any]], names: Sequence[str], colors: Mapping[str, str]) -> None:
    """Estimates as points with their intervals, one row per rate."""
    height = 0.28
    for number, (label, rates) in enumerate(series.items()):
        shown = [(row, rates[name]) for row, name in enumerate(names) if rates.get(name) and rates[name]["estimate"] is not None]
        offset = (number - (len(series) - 1) / 2) * height
        for row, rate in shown:
            axes.hlines(row + offset, rate["low"], rate["high"], color=colors[label], linewidth=1.8)
            text = f"{100 * rate['estimate']:.1f} %"
            axes.text(1.04, row + offset, text, ha="left", va="center", fontsize=8.5, color=colors[label])
        axes.plot(
            [r["estimate"] for _, r in shown],
            [row + offset for row, _ in shown],
            "o" if number == 0 else "s",
            color=colors[label],
            label=label,
        )
    axes.set(xlim=(-0.02, 1.02), ylim=(len(names) - 0.5, -0.5))
    axes.set_yticks(range(len(names)), [RATE_LABELS[name] for name in names])
    axes.set_xticks((0, 0.25, 0.5, 0.75, 1), ("0", "25", "50", "75", "100 %"))
    axes.grid(axis="x", color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    if len(series) > 1:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, fontsize=9)


def _patient_rows(level: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not level.get("n"):
        return []
    counts = level["counts"]
    rows = [*_count_rows(counts), *_rate_rows("rates", level["rates"])]
    rows.append({"panel": "correct", "item": "model", "value": counts["tp"] + counts["tn"]})
    rows.append({"panel": "patients", "item": "all", "value": level["n"]})
    if level.get("clinical"):
        right = round(level["clinical"]["ccr"]["estimate"] * level["n"])
        rows.append({"panel": "correct", "item": "clinical", "value": right})
        rows += _rate_rows("clinical", {"ccr": level["clinical"]["ccr"]})
    return rows


def _patient_panels(above: Axes, below: Axes, level: Mapping[str, Any]) -> None:
    if not level.get("n"):
        say_nothing_to_show(above, "not evaluable")
        below.set_axis_off()
        return
    counts = level["counts"]
    correct, n = counts["tp"] + counts["tn"], level["n"]
    bars = [("Model", correct)]
    clinical = level.get("clinical") or {}
    if clinical and clinical["ccr"]["estimate"] is not None:
        bars.append(("Clinical", round(clinical["ccr"]["estimate"] * n)))
    for x, (_, right) in enumerate(bars):
        above.bar(x, right, 0.6, color=BLUE, label="correct" if x == 0 else None)
        above.bar(x, n - right, 0.6, bottom=right, color=ORANGE, label="wrong" if x == 0 else None, hatch="//", edgecolor="white")
        above.text(x, n * 1.02, f"{right} of {n}", ha="center", va="bottom", fontsize=9)
    above.set_xticks(range(len(bars)), [name for name, _ in bars])
    above.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    above.set(ylim=(0, n * 1.35), xlim=(-0.6, 1.6), ylabel="Patients")
    above.legend(loc="upper right", fontsize=8.5, ncols=2)
    series: dict[str, Mapping[str, Any]] = {"model": level["rates"]}
    if len(bars) > 1:
        series["clinical"] = {"ccr": clinical["ccr"]}
    _rate_panel(below, series, ("ccr", "sensitivity", "specificity"), {"model": INK, "clinical": GRAY})


def _patient_words(cohort: str, level: Mapping[str, Any]) -> str:
    if not level.get("n"):
        return f"{cohort} not evaluable"
    counts = level["counts"]
    return f"{cohort}: {counts['tp'] + counts['tn']} of {level['n']} patients called correctly"


def _estimate(quantity: Mapping[str, Any] | None) -> str:
    return "not computable" if not quantity or quantity["estimate"] is None else f"{quantity['estimate']:.3f}"


def _wrapped(words: str, most: int = 26) -> str:
    """Broken once, at a space, where it is too long for a panel's title."""
    if len(words) <= most:
        return words
    cut = words.rfind(" ", 0, most)
    return words if cut < 0 else f"{words[:cut]}\n{words[cut + 1 :]}"
