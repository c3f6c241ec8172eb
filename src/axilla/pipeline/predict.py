"""``axilla locate`` and ``predict``: one CT, from its files to the files made of it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from axilla.anatomy.context import context_masks
from axilla.atlas import Atlas
from axilla.detectors import BUILT_IN, BuiltInDetector, Detector, Provenance
from axilla.errors import InputRefusedError, UsageError
from axilla.figures import contact_sheet, node_picture, overview
from axilla.io import CTReading
from axilla.io.detectors import MASK_NAME, ExternalSettings, MaskDetector, detector_from
from axilla.io.exchange import read_mask
from axilla.io.files import check_can_write, filling, write_bytes, write_json, write_text
from axilla.io.models import read_model
from axilla.io.tables import write_table
from axilla.model import Model, PatientRule, apply_patient_rule, model_to_dict, predict, withheld_reason
from axilla.node import SIDES
from axilla.pipeline._outcome import Outcome
from axilla.pipeline._progress import Progress, silent
from axilla.pipeline._versions import versions
from axilla.pipeline.case import (
    Located,
    build,
    describe_nodes,
    feature_settings,
    locate_nodes,
    measure,
    write_located,
    write_measured,
)
from axilla.pipeline.extraction import PSEUDONYM, read_one_ct
from axilla.pipeline.settings import CaseSettings, plain_settings
from axilla.report import PredictionReport, render_prediction
from axilla.table import FeatureTable
from axilla.volume import Volume

DETECTOR_FILE, CONTACT_SHEET_FILE = "detector.json", "contact_sheet.jpg"


@dataclass(frozen=True)
class DetectorChoice:
    """Which detector finds the nodes, and what it may do."""

    name: str = BUILT_IN
    allow_external: bool = False
    """Consent to run a program or a model from outside, given on the command line only."""
    external: ExternalSettings = field(default_factory=ExternalSettings)

    def detector(self, settings: CaseSettings) -> Detector:
        """The detector; refuses as :func:`axilla.io.detectors.detector_from` does."""
        return detector_from(self.name, allow_external=self.allow_external, settings=settings.locate, external=self.external)


_BUILT_IN = DetectorChoice()


def locate_ct(
    ct: Path,
    out: Path,
    *,
    detector: DetectorChoice = _BUILT_IN,
    with_contact_sheet: bool = False,
    series_uid: str | None = None,
    settings: CaseSettings | None = None,
    progress: Progress = silent,
) -> Outcome:
    """Find the nodes of a CT and write ``nodes.nii.gz, nodes.csv, atlas.json, atlas.glb, detector.json``.

    `with_contact_sheet` adds ``contact_sheet.jpg``: every node at the same scale.
    """
    settings = settings or CaseSettings()
    finder = detector.detector(settings)
    if (out / "predictions.csv").exists():
        raise InputRefusedError(f"{out} holds predictions, which would then be of other nodes; give another folder.")
    check_can_write(out, folder=True)
    reading = read_one_ct(ct, series_uid, progress)
    located = _locate(reading.volume, finder, settings, progress)
    atlas = build(located, settings, progress)
    has_sheet = with_contact_sheet and bool(located.nodes)
    with filling(out) as folder:
        write_located(located, atlas, folder)
        write_json(folder / DETECTOR_FILE, _described(finder.provenance))
        if has_sheet:
            sheet = contact_sheet(located.volume, located.segmentation, located.nodes)
            write_bytes(folder / CONTACT_SHEET_FILE, sheet.data)
    if not has_sheet:  # an older one would show other nodes
        (out / CONTACT_SHEET_FILE).unlink(missing_ok=True)
    result = {
        **_located_result(located, reading, out, finder.provenance),
        "contact_sheet": str(out / CONTACT_SHEET_FILE) if has_sheet else None,
    }
    return Outcome(result, (*_located_lines(located, reading), f"written to {out}"))


def predict_ct(
    ct: Path,
    model_path: Path,
    out: Path,
    *,
    mask: Path | None = None,
    detector: DetectorChoice = _BUILT_IN,
    allow_synthetic_model: bool = False,
    series_uid: str | None = None,
    settings: CaseSettings | None = None,
    progress: Progress = silent,
) -> Outcome:
    """One CT end to end: nodes, atlas, features, groups and scores, calls per side, report.

    Raises
    ------
    UsageError
        If both a mask and a detector are given.
    """
    settings = settings or CaseSettings()
    if mask is not None and detector != _BUILT_IN:
        raise UsageError("Nodes come either from a mask or from a detector; give --mask or --detector, not both.")
    finder = detector.detector(settings)
    check_can_write(out, folder=True)
    model = read_model(model_path)
    reading = read_one_ct(ct, series_uid, progress)
    volume = reading.volume
    provenance = finder.provenance
    if mask is None:
        located = _locate(volume, finder, settings, progress)
    else:
        brought = read_mask(mask, volume.geometry, slices=volume.slices)
        located = describe_nodes(volume, brought.segmentation, brought.notes, settings)
        provenance = MaskDetector.of(mask).provenance
    table = measure(located, settings, PSEUDONYM, progress)
    judged = _judge(model, table, located, settings, allow_synthetic_model)
    atlas = build(located, settings, progress)
    progress("write report", 0, 1)
    page = _report(reading, located, atlas, model, judged, settings, provenance)
    is_synthetic = volume.acquisition.is_synthetic or (model.provenance.is_synthetic and not judged.withheld)
    with filling(out) as folder:
        write_located(located, atlas, folder, judged.groups)
        write_json(folder / DETECTOR_FILE, _described(provenance))
        write_measured(table, located, folder / "features.csv")
        write_table(judged.predictions, folder / "predictions.csv", "predictions", is_synthetic=is_synthetic)
        write_table(judged.patients, folder / "patients.csv", "patients", is_synthetic=is_synthetic)
        write_text(folder / "report.html", page)
    progress("write report", 1, 1)
    return _prediction_outcome(reading, located, model, judged, out, provenance)


def _locate(volume: Volume, finder: Detector, settings: CaseSettings, progress: Progress) -> Located:
    """The nodes a detector finds."""
    if isinstance(finder, BuiltInDetector):
        return locate_nodes(volume, settings, progress)
    progress("locate nodes", 0, 1)
    found = finder.detect(volume)
    progress("locate nodes", 1, 1)
    context = context_masks(volume, found.anatomy, settings.locate.anatomy)
    return Located(volume, found.segmentation, found.nodes, context, found.coverage, (*volume.warnings, *found.warnings))


def _described(provenance: Provenance) -> dict[str, Any]:
    """``detector.json``."""
    return {"schema": 1, **dataclasses.asdict(provenance)}


@dataclass(frozen=True)
class _Judged:
    """What the model says of a CT's nodes, or why it says nothing."""

    predictions: pd.DataFrame
    patients: pd.DataFrame
    withheld: str

    @property
    def groups(self) -> dict[str, int]:
        """Group by node, of the nodes that have one."""
        given = self.predictions.dropna(subset=["group"])
        return dict(zip(given["node_id"], given["group"].astype(int), strict=True))


def _judge(model: Model, table: FeatureTable, located: Located, settings: CaseSettings, allow_synthetic_model: bool) -> _Judged:
    is_synthetic = located.volume.acquisition.is_synthetic
    withheld = withheld_reason(model, is_synthetic_input=is_synthetic, allow_synthetic_model=allow_synthetic_model)
    predictions = predict(model, table, withheld=withheld, feature_settings=feature_settings(settings.radiomics))
    sides = {(PSEUDONYM, node.node_id): node.side for node in located.nodes}
    patients = apply_patient_rule(predictions, PatientRule(), node_sides=sides, patient_ids=[PSEUDONYM])
    return _Judged(predictions, patients, withheld)


def _report(
    reading: CTReading,
    located: Located,
    atlas: Atlas,
    model: Model,
    judged: _Judged,
    settings: CaseSettings,
    provenance: Provenance,
) -> str:
    volume, nodes, groups = located.volume, located.nodes, judged.groups
    pictures = {node.node_id: node_picture(volume, located.segmentation, node, groups.get(node.node_id)) for node in nodes}
    return render_prediction(
        PredictionReport(
            geometry=volume.geometry,
            acquisition=volume.acquisition,
            nodes=nodes,
            coverage=located.coverage,
            pictures=pictures,
            overview=overview(atlas, groups) if atlas.meshes else None,
            contact_sheet=contact_sheet(volume, located.segmentation, nodes, groups) if nodes else None,
            predictions=judged.predictions,
            patients=judged.patients,
            model=model_to_dict(model),
            withheld_reason=judged.withheld,
            warnings=_all_warnings(reading, located, model, judged),
            settings={
                "detector": {name: value for name, value in plain_settings(provenance).items() if value},
                **{name: plain_settings(getattr(settings, name)) for name in ("locate", "radiomics", "atlas")},
            },
            versions=versions(),
            patient_id=PSEUDONYM,
            has_given_mask=provenance.name == MASK_NAME,
        )
    )


def _all_warnings(reading: CTReading, located: Located, model: Model, judged: _Judged) -> tuple[str, ...]:
    of_model = () if judged.withheld else model.warnings
    return tuple(dict.fromkeys((*of_model, *located.warnings, *reading.notes)))


def _prediction_outcome(
    reading: CTReading, located: Located, model: Model, judged: _Judged, out: Path, provenance: Provenance
) -> Outcome:
    warnings = _all_warnings(reading, located, model, judged)
    result = {
        **_located_result(located, reading, out, provenance),
        "groups": judged.groups,
        "withheld": judged.withheld,
        "patients": json.loads(judged.patients.to_json(orient="records")),
        "report": str(out / "report.html"),
        "warnings": list(warnings),
    }
    rows = judged.predictions.set_index("node_id")
    lines = [
        *_node_lines(located, rows),
        *(f"side {row.side}: {row.call} by the rule '{row.rule}'" for row in judged.patients.itertuples()),
        *([judged.withheld] if judged.withheld else []),
        *(f"warning: {sentence}" for sentence in warnings),
        "Research use only; not a medical device.",
        f"report: {out / 'report.html'}",
    ]
    return Outcome(result, tuple(lines))


def _located_result(located: Located, reading: CTReading, out: Path, provenance: Provenance) -> dict[str, Any]:
    return {
        "folder": str(out),
        "detector": dataclasses.asdict(provenance),
        "nodes": len(located.nodes),
        "by_side": {side: sum(node.side == side for node in located.nodes) for side in SIDES},
        "coverage": dict(located.coverage),
        "warnings": list(dict.fromkeys((*located.warnings, *reading.notes))),
        "other_series": [{"series_uid": info.series_uid, "reason": info.reason} for info in reading.others],
    }


def _node_lines(located: Located, predictions: pd.DataFrame | None = None) -> list[str]:
    """One line per node, largest detail a terminal shows."""
    head = f"{'node':<10}{'side':<6}{'level':<7}{'short':>7}{'long':>7} mm{'volume':>9} mm3{'mean':>6} HU{'detection':>11}"
    lines = [head + ("" if predictions is None else f"{'group':>7}{'score':>8}")]
    given = set() if predictions is None else set(predictions.dropna(subset=["group"]).index)
    for node in located.nodes:
        text = f"{node.node_id:<10}{node.side:<6}{node.level or '-':<7}{node.short_axis_mm:>7.1f}{node.long_axis_mm:>7.1f}   "
        text += f"{node.volume_mm3:>9.0f}    {round(node.mean_hu):>6}   {node.detection_score:>11.2f}"
        if predictions is not None:
            row = predictions.loc[node.node_id]
            has_group = node.node_id in given
            text += f"{row['group'] if has_group else '-':>7}{format(row['score'], '.2f') if has_group else '-':>8}"
        lines.append(text)
    return lines


def _located_lines(located: Located, reading: CTReading) -> tuple[str, ...]:
    return (
        *_node_lines(located),
        *(f"axilla {side}: {answer}" for side, answer in located.coverage.items()),
        *(f"warning: {sentence}" for sentence in dict.fromkeys((*located.warnings, *reading.notes))),
        *(f"series not chosen: {info.description or info.modality}: {info.reason}" for info in reading.others),
        "Research use only; not a medical device.",
    )
