"""From the nouns to one HTML page that needs nothing but itself.

The page asks for no file and no network, and says so to the browser (content security policy): pictures are data URIs, the
style is inline, there is no script. Everything that comes from outside axilla is escaped.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from axilla._version import __version__
from axilla.figures.drawing import GROUP_COLORS, GROUP_NAMES, Drawing
from axilla.node import SIDES, Node
from axilla.report.card import model_card
from axilla.report.groups import groups_in_words
from axilla.report.methods import prediction_methods, study_methods
from axilla.report.nouns import PredictionReport, StudyReport
from axilla.report.summary import in_short, nodes_left_out, study_warnings
from axilla.report.tables import COHORTS, study_tables
from axilla.report.words import is_missing, number, p_short, p_value, percent, plain, sentence, short

SIDE_NAMES = {"R": "right", "L": "left"}

COVERAGE_WORDS = {
    "whole": "the whole axilla lies in the field of view",
    "partial": "only a part of the axilla lies in the field of view: nodes may be missing",
    "absent": "the axilla does not lie in the field of view: nothing can be said of it",
}

MANY_PATIENTS = 60
"""From this number on, the table of patients is folded on the screen; it prints all the same."""

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
            withheld=sentence(report.withheld_reason.removeprefix("no group given: ")),
            has_remarks=any(row["warnings"] for row in rows),
            has_groups=_has_groups(report.predictions),
            methods=prediction_methods(report),
            card=model_card(report.model),
            **_shared(report.settings, report.versions),
        )
    )


def render_study(report: StudyReport) -> str:
    """The report of a study as HTML."""
    results = report.results
    return (
        _environment()
        .get_template("study.html.j2")
        .render(
            report=report,
            banner=_banner(report.is_synthetic or bool(results.get("is_synthetic")), report.model),
            short=in_short(report),
            warnings=study_warnings(report),
            tables=study_tables(report),
            node_level=results.get("node_level") or {},
            not_here=nodes_left_out(report),
            patient_level=results.get("patient_level") or {},
            cohorts=COHORTS,
            group_words=groups_in_words(report.differences),
            failed=[patient for patient in report.patients if patient.failure],
            is_folded=len(report.patients) > MANY_PATIENTS,
            methods=study_methods(report),
            card=model_card(report.model, report),
            **_shared(report.settings, report.versions),
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
        number=number,
        percent=percent,
        p_value=p_value,
        p_short=p_short,
        short=short,
        data_uri=data_uri,
        value=plain,
        css_string=_css_string,
    )
    environment.globals.update(group_names=GROUP_NAMES, group_colors=GROUP_COLORS, side_names=SIDE_NAMES)
    return environment


def _shared(settings: Mapping[str, Mapping[str, Any]], versions: Mapping[str, str]) -> dict[str, Any]:
    """What both reports end with."""
    return {"settings": _flat_settings(settings), "versions": {"axilla": __version__, **versions}}


def _css_string(words: str) -> Markup:
    """Words as a string of a style sheet: whatever is no letter, digit or space is written as its number and a space."""
    letters = (
        letter if letter.isascii() and (letter.isalnum() or letter == " ") else f"\\{ord(letter):06x} " for letter in words
    )
    return Markup('"{}"').format(Markup("".join(letters)))  # noqa: S704 - only letters, digits, spaces and numbers are left


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
        "group": None if is_missing(group) else int(group),
        "score": found.get("score"),
        "probability": found.get("probability"),
        "warnings": "" if remark == report.withheld_reason else remark,  # said once above, not once per node
        "picture": report.pictures.get(node.node_id),
    }


def _has_groups(predictions: pd.DataFrame | None) -> bool:
    return predictions is not None and bool(predictions["group"].notna().any())


def _flat_settings(settings: Mapping[str, Any], stage: str = "") -> list[tuple[str, str, str]]:
    """Stage, name and value of every setting; settings within settings are stages of their own."""
    rows: list[tuple[str, str, str]] = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            rows += _flat_settings(value, f"{stage}.{name}" if stage else str(name))
        else:
            rows.append((stage, str(name), plain(value)))
    return rows
