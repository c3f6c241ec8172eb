"""``axilla locate``, ``extract`` and ``predict``: one CT, from its files to the files made of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from axilla.figures import overview, node_picture
from axilla.io import CTReading, read_ct
from axilla.io.exchange import read_mask
from axilla.io.files import write_text
from axilla.io.models import read_model
from axilla.io.tables import write_table
from axilla.model import Model, PatientRule, PredictSettings, apply_patient_rule, predict, withheld_reason
from axilla.pipeline._outcome import Outcome
from axilla.pipeline._progress import Progress, silent
from axilla.pipeline.case import (
    CaseSettings,
    Located,
    build,
    describe_nodes,
    locate_nodes,
    measure,
    write_located,
    write_measured,
)
from axilla.radiomics import RadiomicsSettings
from axilla.report import PredictionReport, render_prediction

PSEUDONYM = "P0001"
"""The patient of a single CT; its own identifiers never enter a result."""


def locate_ct(
    ct: Path, out: Path, *, series_uid: str | None = None, settings: CaseSettings | None = None, progress: Progress = silent
) -> Outcome:
    """Find the nodes of a CT and write ``nodes.nii.gz, nodes.csv, atlas.json, atlas.glb``."""
    settings = settings or CaseSettings()
    reading = _read(ct, series_uid, progress)
    located = locate_nodes(reading.volume, settings, progress)
    atlas = build(located, settings, progress)
    write_located(located, atlas, out)
    return Outcome(_located_result(located, reading, out), (*_located_lines(located, reading), f"written to {out}"))


def extract_features(
    ct: Path,
    mask: Path,
    out: Path,
    *,
    resample_mask: bool = False,
    series_uid: str | None = None,
    settings: CaseSettings | None = None,
    progress: Progress = silent,
) -> Outcome:
    """Measure every label of a mask and write the feature table."""
    settings = settings or CaseSettings()
    volume = _read(ct, series_uid, progress).volume
    reading = read_mask(mask, volume.geometry, resample=resample_mask)
    located = Located(volume, reading.segmentation, (), {}, {}, (*volume.warnings, *reading.notes))
    table = measure(located, settings, PSEUDONYM, progress)
    write_measured(table, located, out)
    counts = table.frame["feature_status"].value_counts().to_dict()
    result = {"features": str(out), "rows": len(table), "status": counts, "warnings": list(located.warnings)}
    not_ok = table.frame[table.frame["reason"] != ""]
    lines = (
        f"{len(table)} labels, {counts.get('ok', 0)} measured: {out}",
        *(f"{node}: {reason}" for node, reason in zip(not_ok["node_id"], not_ok["reason"], strict=True)),
        *(f"warning: {sentence}" for sentence in located.warnings),
    )
    return Outcome(result, lines)


def predict_ct(
    ct: Path,
    model_path: Path,
    out: Path,
    *,
    mask: Path | None = None,
    allow_synthetic_model: bool = False,
    series_uid: str | None = None,
    settings: CaseSettings | None = None,
    progress: Progress = silent,
) -> Outcome:
    """One CT end to end: nodes, atlas, features, groups and scores, calls per side, report."""
    settings = settings or CaseSettings()
    model = read_model(model_path)
    reading = _read(ct, series_uid, progress)
    volume = reading.volume
    if mask is None:
        located = locate_nodes(volume, settings, progress)
    else:
        brought = read_mask(mask, volume.geometry)
        located = describe_nodes(volume, brought.segmentation, brought.notes, settings)
    table = measure(located, settings, PSEUDONYM, progress)
    withheld = withheld_reason(
        model, is_synthetic_input=volume.acquisition.is_synthetic, allow_synthetic_model=allow_synthetic_model
    )
    predictions = predict(model, table, withheld=withheld, feature_settings=feature_settings(settings.radiomics))
    sides = {(PSEUDONYM, node.node_id): node.side for node in located.nodes}
    patients = apply_patient_rule(predictions, PatientRule(), node_sides=sides, patient_ids=[PSEUDONYM])
    atlas = build(located, settings, progress)
    progress("write report", 0, 1)
    write_located(located, atlas, out)
    write_measured(table, located, out / "features.csv")
    is_synthetic = volume.acquisition.is_synthetic or (model.provenance.is_synthetic and not withheld)
    write_table(predictions, out / "predictions.csv", "predictions", is_synthetic=is_synthetic)
    write_table(patients, out / "patients.csv", "patients", is_synthetic=is_synthetic)
    progress("write report", 1, 1)
    return Outcome({}, ())


def feature_settings(settings: RadiomicsSettings) -> dict[str, str | float | bool | None]:
    """The feature settings as a model records them: plain values only."""
    flat = {}
    for name, value in dataclasses.asdict(settings).items():
        flat[name] = value if isinstance(value, str | float | int | bool | None) else str(value)
    return flat
