"""``axilla extract``: a CT and a mask, from their files to the feature table. Imports little, because it is called often."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from axilla.errors import InputRefusedError, UsageError
from axilla.io import CTReading, read_ct
from axilla.io.exchange import read_mask
from axilla.io.files import check_can_write
from axilla.io.images import ImageSettings
from axilla.io.tables import write_features
from axilla.node import Segment, Segmentation
from axilla.pipeline._outcome import Outcome
from axilla.pipeline._progress import Progress, silent
from axilla.pipeline._versions import versions
from axilla.radiomics import RadiomicsSettings, extract
from axilla.table import FeatureTable
from axilla.volume import Volume

PSEUDONYM = "P0001"
"""The patient of a single CT; its own identifiers never enter a result."""

_MEASURED_WITH = ("numpy", "numba", "pandas", "SimpleITK")

AS_STORED = ImageSettings(must_be_hu=False, keep_floats=True)
"""The mask says what is measured, and another program's answer to the same file must be the same: no image is refused for its
values, and floats stay floats."""


def read_one_ct(ct: Path, series_uid: str | None, progress: Progress, image: ImageSettings | None = None) -> CTReading:
    """Read a CT and say so."""
    progress("read CT", 0, 1)
    reading = read_ct(ct, series_uid, image)
    progress("read CT", 1, 1)
    return reading


def choose_settings(
    path: Path | None, *, bin_width: float | None = None, voxel_spacing: str | None = None, convention: str | None = None
) -> tuple[RadiomicsSettings, tuple[str, ...]]:
    """The settings of a file, or the paper's, with what the options override; and remarks on the file.

    Raises
    ------
    InputRefusedError
        If the file cannot be used.
    UsageError
        If an option's value cannot be used.
    """
    settings = RadiomicsSettings()
    notes: tuple[str, ...] = ()
    if path is not None:
        from axilla.io.feature_settings import read_feature_settings

        reading = read_feature_settings(path)
        settings, notes = reading.settings, reading.notes
    changes: dict[str, Any] = {}
    if bin_width is not None:
        changes |= {"bin_width": bin_width, "bin_count": None}
    if voxel_spacing is not None:
        changes["voxel_spacing_xyz_mm"] = _spacing(voxel_spacing)
    if convention is not None:
        changes["convention"] = convention
    return dataclasses.replace(settings, **changes), notes


def _spacing(text: str) -> tuple[float, ...] | None:
    """``none``, one number or three."""
    if text.strip().lower() == "none":
        return None
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, 3):
        raise UsageError(f"--voxel-spacing is one number, three as X,Y,Z (mm), or none, not {text!r}.")
    return numbers * 3 if len(numbers) == 1 else numbers


def extract_features(
    ct: Path,
    mask: Path,
    out: Path,
    *,
    patient_id: str = PSEUDONYM,
    resample_mask: bool = False,
    series_uid: str | None = None,
    settings: RadiomicsSettings | None = None,
    settings_notes: tuple[str, ...] = (),
    jobs: int | None = None,
    progress: Progress = silent,
) -> Outcome:
    """Measure every label of a mask and write the feature table.

    Parameters
    ----------
    ct, mask : Path
        The image, and the regions drawn on it.
    out : Path
        ``.csv`` or ``.parquet``; a sidecar ``<out>.json`` names settings, versions, inputs and remarks.
    patient_id : str
        Pseudonym written into the table.
    resample_mask : bool
        Whether a mask on another grid is brought onto the CT's (nearest neighbor) instead of refused.
    series_uid : str, optional
        SeriesInstanceUID to use instead of axilla's choice.
    settings : RadiomicsSettings, optional
        How to measure; the paper's way if left out.
    settings_notes : tuple of str
        Remarks on the file the settings came from.
    jobs : int, optional
        Regions measured at the same time; one a core if left out. The numbers do not depend on it.
    progress : Progress
        Told where the work is.

    Raises
    ------
    InputRefusedError
        If the CT or the mask cannot be used, or the mask is empty.
    UsageError
        If the name of `out` says no format that can be written.
    """
    settings = settings or RadiomicsSettings()
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise UsageError(f"The feature table's name must end in .csv or .parquet, not {out.name!r}.")
    check_can_write(out)
    volume = read_one_ct(ct, series_uid, progress, AS_STORED).volume
    reading = read_mask(mask, volume.geometry, resample_mask, volume.slices)
    if not any(segment.n_voxels for segment in reading.segmentation.segments):
        raise InputRefusedError("The mask has no voxel in any label, so there is nothing to measure; draw the nodes first.")
    segmentation, renamed = _told_apart(reading.segmentation)
    notes = (*settings_notes, *volume.warnings, *_on_numbers(volume), *reading.notes, *renamed)
    progress("extract features", 0, 1)
    table = extract(volume, segmentation, settings, patient_id, jobs=jobs or os.cpu_count() or 1)
    progress("extract features", 1, 1)
    provenance = {
        "settings": _plain(settings),
        "versions": {**versions(_MEASURED_WITH), "python": platform.python_version()},
        "inputs": {"ct": _fingerprint(ct, volume), "mask": _fingerprint(mask, volume)},
        "notes": list(notes),
    }
    write_features(table, out, is_synthetic=volume.acquisition.is_synthetic, provenance=provenance)
    return _outcome(table, out, notes)


def _outcome(table: FeatureTable, out: Path, notes: tuple[str, ...]) -> Outcome:
    counts = table.frame["feature_status"].value_counts().to_dict()
    result = {"features": str(out), "rows": len(table), "status": counts, "warnings": list(notes)}
    not_ok = table.frame[table.frame["reason"] != ""]
    lines = (
        f"{len(table)} labels, {counts.get('ok', 0)} measured: {out}",
        *(f"{node}: {reason}" for node, reason in zip(not_ok["node_id"], not_ok["reason"], strict=True)),
        *(f"note: {sentence}" for sentence in notes),
    )
    return Outcome(result, lines)


def _told_apart(segmentation: Segmentation) -> tuple[Segmentation, tuple[str, ...]]:
    """Segments whose names differ, for a row is known by its name; one without a name is called by its label."""
    named = [(segment.name.strip() or str(segment.label), segment) for segment in segmentation.segments]
    names = [name for name, _ in named]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if not repeated:
        return segmentation, ()
    segments = tuple(
        dataclasses.replace(segment, name=_beside(names, name, segment) if name in repeated else name) for name, segment in named
    )
    note = f"Several segments are called {', '.join(map(repr, repeated))}; their labels were added to their names."
    return Segmentation(segmentation.geometry, segments), (note,)


def _beside(names: list[str], name: str, segment: Segment) -> str:
    """The name with the label added, and again until no other segment is called so."""
    while name in names:
        name = f"{name}#{segment.label}"
    return name


def _on_numbers(volume: Volume) -> tuple[str, ...]:
    """What PyRadiomics' rule on number types does to a CT that came as floats."""
    if volume.array.dtype.kind != "f":
        return ()
    return ("The CT file holds floats: values between its voxels are not cut to whole numbers, as those of an integer CT are.",)


def _plain(settings: RadiomicsSettings) -> dict[str, Any]:
    """Settings as ``--settings`` reads them; JSON has no infinity, so an open end is null."""
    plain = dataclasses.asdict(settings)
    if settings.resegment_range is not None:
        plain["resegment_range"] = [end if math.isfinite(end) else None for end in settings.resegment_range]
    return plain


def _fingerprint(path: Path, volume: Volume) -> Mapping[str, Any]:
    """SHA-256 of a file; of a folder, of the CT read from it (values, then grid)."""
    if path.is_file():
        with path.open("rb") as stream:
            return {"sha256": hashlib.file_digest(stream, "sha256").hexdigest(), "of": "file"}
    digest = hashlib.sha256(repr((volume.array.dtype.str, volume.geometry)).encode())
    for plane in volume.array:
        digest.update(plane.tobytes())
    return {"sha256": digest.hexdigest(), "of": "values"}
