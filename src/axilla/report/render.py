"""From the nouns to one HTML page that needs nothing but itself.

The page asks for no file and no network, and says so to the browser (content security policy): pictures are data URIs, the
style is inline, there is no script. Everything that comes from outside axilla is escaped.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from axilla._version import __version__
from axilla.figures import CLASS_NAMES
from axilla.figures.drawing import GROUP_COLORS, GROUP_NAMES, Drawing
from axilla.node import SIDES, Node
from axilla.report.groups import groups_in_words
from axilla.report.methods import methods_sentences
from axilla.report.nouns import PredictionReport, StudyReport

DASH = "\u2013"
"""Shown where there is no value."""

SIDE_NAMES = {"R": "right", "L": "left"}

COVERAGE_WORDS = {
    "whole": "the whole axilla lies in the field of view",
    "partial": "only a part of the axilla lies in the field of view: nodes may be missing",
    "absent": "the axilla does not lie in the field of view: nothing can be said of it",
}

RATE_NAMES = {
    "ccr": "Correct classification rate",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "Positive predictive value",
    "npv": "Negative predictive value",
    "fpr": "False positive rate",
    "fnr": "False negative rate",
}

N_LARGEST = 10
"""Features listed as those that differ most; all stand in ``results/group_differences.csv``."""

THICK_SLICE_MM = 1.5
"""Above this slice spacing a report says what thick slices do; the paper's CTs had 1 mm."""


def render_prediction(report: PredictionReport) -> str:
    """The report of one CT as HTML."""
    geometry = report.geometry.canonical()
    rows = [_node_row(report, node) for node in report.nodes]
    return (
        _environment()
        .get_template("prediction.html.j2")
        .render(
            report=report,
            banner=_banner(report.is_synthetic, report.model),
            facts=_ct_facts(report),
            warnings=_with_slice_warning(report.warnings, geometry.spacing_xyz_mm[2]),
            sides=[_side(report, side) for side in SIDES],
            rows=rows,
            withheld=_sentence(report.withheld_reason.removeprefix("no group given: ")),
            has_remarks=any(row["warnings"] for row in rows),
            has_groups=_has_groups(report.predictions),
            methods=methods_sentences(report.settings, report.model, has_given_mask=report.has_given_mask),
            **_shared(report.model, report.settings, report.versions),
        )
    )


def render_study(report: StudyReport) -> str:
    """The report of a study as HTML."""
    results = report.results
    patient_level = results.get("patient_level") or {}
    return (
        _environment()
        .get_template("study.html.j2")
        .render(
            report=report,
            banner=_banner(report.is_synthetic or bool(results.get("is_synthetic")), report.model),
            warnings=list(dict.fromkeys([*report.warnings, *(results.get("warnings") or [])])),
            node_level=results.get("node_level") or {},
            patient_levels=patient_level,
            table1=_frame(report.baseline),
            cohort_table=_frame(report.cohorts),
            groups=_groups(report),
            classes=_classes(report.class_summary),
            failed=[p for p in report.patients if p.failure],
            methods=methods_sentences(report.settings, report.model, is_study=True, seed=report.seed, tools=report.tools),
            **_shared(report.model, report.settings, report.versions),
        )
    )


def data_uri(drawing: Drawing) -> str:
    """The drawing's bytes as a data URI."""
    return f"data:{drawing.media_type};base64,{base64.b64encode(drawing.data).decode('ascii')}"


@lru_cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("axilla.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=_number, percent=_percent, p_value=_p_value, p_short=_p_short, data_uri=data_uri, value=_value, short=_short
    )
    environment.globals.update(
        rate_names=RATE_NAMES, group_names=GROUP_NAMES, group_colors=GROUP_COLORS, side_names=SIDE_NAMES, class_names=CLASS_NAMES
    )
    return environment


def _shared(
    model: Mapping[str, Any] | None, settings: Mapping[str, Mapping[str, Any]], versions: Mapping[str, str]
) -> dict[str, Any]:
    """What both reports end with."""
    return {"card": _model_card(model), "settings": _flat_settings(settings), "versions": {"axilla": __version__, **versions}}


def _banner(is_synthetic: bool, model: Mapping[str, Any] | None) -> list[str]:
    sentences = ["Research use only. Not a medical device; not for diagnosis or treatment."]
    if is_synthetic:
        sentences.append(
            "Synthetic data: made by a simulator. The figures show that the software works, not how well it does in patients."
        )
    if model and (model.get("provenance") or {}).get("is_synthetic"):
        sentences.append("The model was trained on synthetic data. What it says of a real patient has no validity.")
    return sentences


def _with_slice_warning(warnings: Sequence[str], spacing_mm: float) -> list[str]:
    """The warnings, and one on thick slices where none of them is about slices yet."""
    unique = list(dict.fromkeys(warnings))
    if spacing_mm > THICK_SLICE_MM and not any("slice" in sentence.lower() for sentence in unique):
        unique.append(
            f"Slices are {spacing_mm:g} mm apart: nodes below about {2 * spacing_mm:g} mm may be missed, and shape and texture "
            "are measured on interpolated slices."
        )
    return unique


def _ct_facts(report: PredictionReport) -> list[tuple[str, str]]:
    geometry, acquisition = report.geometry.canonical(), report.acquisition
    z, y, x = geometry.shape_zyx
    sx, sy, sz = geometry.spacing_xyz_mm
    facts = [
        ("Patient (pseudonym)", report.patient_id),
        ("Slices", f"{z}, {sz:g} mm apart"),
        ("Slice thickness", f"{acquisition.slice_thickness_mm:g} mm" if acquisition.slice_thickness_mm else ""),
        ("Matrix", f"{x} x {y}, pixels of {sx:.3g} x {sy:.3g} mm"),
        ("Scanner", " ".join(filter(None, (acquisition.manufacturer, acquisition.model_name)))),
        ("Reconstruction kernel", acquisition.kernel),
        ("Tube voltage", f"{acquisition.kvp:g} kV" if acquisition.kvp else ""),
        ("Patient position", acquisition.patient_position),
    ]
    return [(name, value or "not stated") for name, value in facts if value or name != "Patient (pseudonym)"]


def _side(report: PredictionReport, side: str) -> dict[str, Any]:
    """What is said of one axilla."""
    nodes = [node for node in report.nodes if node.side == side]
    coverage = report.coverage.get(side, "")
    calls = [] if report.patients is None or report.withheld_reason else report.patients.to_dict("records")
    call = next((row for row in calls if row["side"] in (side, "")), None)
    return {
        "name": SIDE_NAMES[side],
        "coverage": coverage,
        "coverage_words": COVERAGE_WORDS.get(coverage, "not examined: the node mask was given by the user"),
        "n_nodes": len(nodes),
        "largest_mm": max((node.short_axis_mm for node in nodes), default=None),
        "call": call,
    }


def _node_row(report: PredictionReport, node: Node) -> dict[str, Any]:
    """One node with what the model says of it."""
    found: dict[str, Any] = {}
    if report.predictions is not None:
        rows = report.predictions[report.predictions["node_id"] == node.node_id].to_dict("records")
        found = {str(key): value for key, value in rows[0].items()} if rows else {}
    group: Any = found.get("group")
    remark = str(found.get("warnings") or "")
    return {
        "node": node,
        "group": None if _is_missing(group) else int(group),
        "score": found.get("score"),
        "probability": found.get("probability"),
        "warnings": "" if remark == report.withheld_reason else remark,  # said once above, not once per node
        "picture": report.pictures.get(node.node_id),
    }


def _has_groups(predictions: pd.DataFrame | None) -> bool:
    return predictions is not None and bool(predictions["group"].notna().any())


def _model_card(model: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The model in a reader's words, from ``model_to_dict``."""
    if not model:
        return None
    provenance, settings = model.get("provenance") or {}, model.get("settings") or {}
    features = [feature["name"] for feature in model.get("features") or []]
    votes = model.get("votes") or []
    facts = [
        ("Trained on", "synthetic data (simulated CTs)" if provenance.get("is_synthetic") else "data declared as real"),
        ("Training nodes", f"{provenance.get('n_nodes', DASH)} of {provenance.get('n_patients', DASH)} patients"),
        ("Group 1 / Group 2", f"{provenance.get('n_group_1', DASH)} / {provenance.get('n_group_2', DASH)} nodes"),
        ("Not evaluable in training", f"{provenance.get('n_not_evaluable', DASH)} nodes"),
        ("Features used", f"{len(features)}; {len(model.get('dropped') or {})} not used"),
        ("Method", f"z-scores, correlation filter (|r| > {settings.get('correlation_threshold', DASH)}), K-means with k = 2"),
        ("Seed, starts", f"{settings.get('seed', DASH)}, {settings.get('n_init', DASH)}"),
        ("Fingerprint of the training data", str(provenance.get("data_sha256", DASH))[:16]),
    ]
    return {
        "facts": facts,
        "features": features,
        "votes": votes,
        "agreeing": sum(vote.get("agrees") is True for vote in votes),
        "warnings": model.get("warnings") or [],
        "versions": provenance.get("versions") or {},
    }


def _flat_settings(settings: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    return [(stage, name, _value(value)) for stage, values in settings.items() for name, value in values.items()]


def _frame(frame: pd.DataFrame | None) -> dict[str, Any] | None:
    """A table as it is shown."""
    if frame is None or frame.empty:
        return None
    rows = [[_value(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    return {"columns": [str(column) for column in frame.columns], "rows": rows}


def _groups(report: StudyReport) -> dict[str, Any]:
    """How the groups differ: per class, in words, and the features that differ most in the first (the training) cohort."""
    frame = report.differences
    if frame is None or frame.empty:
        return {"words": [], "largest": []}
    cohorts = {str(name): rows.set_index("feature") for name, rows in frame.groupby("cohort", sort=False)}
    trained = next(iter(cohorts.values()))
    order = trained["effect"].abs().dropna().sort_values(ascending=False, kind="stable").index[:N_LARGEST]
    largest = [(str(name), [rows.loc[name].to_dict() for rows in cohorts.values()]) for name in order]
    methods = sorted({str(method) for method in frame["method"] if method})
    return {"words": groups_in_words(frame), "largest": largest, "cohorts": list(cohorts), "methods": methods}


def _classes(frame: pd.DataFrame | None) -> dict[str, list[dict[str, Any]]]:
    """The summary of each class of features, cohort by cohort."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in [] if frame is None else frame.to_dict("records"):
        rows.setdefault(str(row["feature_class"]), []).append({str(key): value for key, value in row.items()})
    return rows


def _sentence(words: str) -> str:
    """Words as a sentence: capital first, full stop last."""
    return words[:1].upper() + words[1:].removesuffix(".") + "." if words else ""


def _is_missing(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def _number(value: Any, digits: int = 1) -> str:
    """A number with fixed digits, or a dash."""
    if _is_missing(value):
        return DASH
    words = f"{float(value):.{digits}f}"
    return words.replace("-", "\u2212" if float(words) else "")  # rounded to zero is zero


def _short(value: Any) -> str:
    """A number with three significant digits, or a dash."""
    return DASH if _is_missing(value) else f"{float(value):.3g}".replace("-", "\u2212")


def _percent(value: Any, digits: int = 1) -> str:
    """A share in percent, or a dash."""
    return DASH if _is_missing(value) else f"{100 * float(value):.{digits}f} %"


def _p_value(value: Any) -> str:
    """A P value as journals print it."""
    if _is_missing(value):
        return DASH
    return f"{float(value):.3f}" if float(value) >= 0.001 else f"{float(value):.1e}"


def _p_short(value: Any) -> str:
    """A P value as far as its size tells anything, in tables of many."""
    return "<\u00a00.001" if not _is_missing(value) and float(value) < 0.001 else _p_value(value)


def _value(value: Any) -> str:
    """Any plain value in words."""
    if _is_missing(value):
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_value(item)}" for key, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_value, value))
    return str(value)
