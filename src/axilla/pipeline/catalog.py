"""``axilla import``: from DICOM sources, a clinical sheet and masks drawn by hand to a study's catalog.

Patients are those of the clinical sheet, in its order, then those of the DICOM files that the sheet does not know. Pseudonyms are
given once and kept: importing again, with more sources, adds. A clinical sheet is the study's whole sheet, though: it takes the
place of the one before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from axilla.cohort import Patient, screen
from axilla.errors import AxillaError, InputRefusedError
from axilla.io.clinical import read_clinical_sheet
from axilla.io.database import MaskRow, SeriesRow
from axilla.io.dicom import Catalog, Series, SeriesInfo, choose_series, scan
from axilla.io.dicom.choose import refusal_reason
from axilla.io.masks import FoundMasks, find_masks
from axilla.io.study import StudyFolder
from axilla.pipeline._copies import bring
from axilla.pipeline._outcome import Outcome
from axilla.pipeline._progress import Progress, silent
from axilla.pipeline._pseudonyms import check_shared, check_zeros, pseudonyms


def import_study(
    sources: Sequence[Path],
    root: Path,
    clinical: Path | None = None,
    masks: Path | None = None,
    *,
    copy: bool = False,
    title: str = "",
    progress: Progress = silent,
) -> Outcome:
    """Catalog the sources into a study.

    Parameters
    ----------
    sources : sequence of Path
        DICOM folders, files, ZIPs, CDs.
    root : Path
        The study; made if absent.
    clinical : Path, optional
        The study's whole clinical sheet: patients with DICOM files who are not in it lose the row of an earlier one, those
        without are dropped. Default: the rows stay as they are.
    masks : Path, optional
        Folder of masks drawn by hand, one per patient, named by the hospital identifier (:mod:`axilla.io.masks`).
    copy : bool
        Whether CT files and masks are copied into the study; those on CDs and sticks are in any case.
    title : str
        What a new ``study.toml`` calls the study; default: the folder's name.

    Raises
    ------
    InputRefusedError
        If a source or the sheet cannot be read, the sheet has faulty rows (all are named), lost the identifiers' leading
        zeros or names no patient with DICOM files, no DICOM image was found, a patient has more than one mask, or a file to
        copy cannot be read any more.
    StudyBusyError
        If another process works on the study.
    CannotWriteError
        If the study cannot be written, or has no room for the copies.
    """
    existing = StudyFolder(root)
    if existing.is_of_tables:
        raise InputRefusedError(f"{root} holds a study made from feature tables; give another folder for one from CTs.")
    sheet = read_clinical_sheet(clinical) if clinical else {}
    with contextlib.ExitStack() as held:
        is_there = existing.database_path.is_file()
        if is_there:  # whoever has to wait is told before all headers are read
            held.enter_context(existing.writing("axilla import"))
        catalog = _scanned(sources, progress)
        found = _by_hospital_id(catalog)
        earlier = _earlier_ids(existing) if is_there else {}
        imaged = [*found, *(name for name, has_dicom in earlier.items() if has_dicom)]
        if clinical:
            check_zeros(sheet, imaged, "the DICOM files")
            check_shared(sheet, clinical.name, imaged, "the DICOM files")
        drawn = find_masks(masks, {*imaged, *(sheet or earlier)}) if masks else None
        folder = StudyFolder.create(root, title)
        if not is_there:
            held.enter_context(folder.writing("axilla import"))
        return _add(folder, sheet, catalog, found, drawn, copy, progress)


def _scanned(sources: Sequence[Path], progress: Progress) -> Catalog:
    progress("read headers", 0, 1)
    catalog = scan([source.resolve() for source in sources])
    progress("read headers", 1, 1)
    if not catalog.series:
        raise InputRefusedError(
            f"No DICOM image was found in {', '.join(map(str, sources))} ({len(catalog.unread)} other files)."
        )
    return catalog


def _earlier_ids(folder: StudyFolder) -> dict[str, bool]:
    """The study's patients by hospital identifier, and whether any DICOM of them was cataloged."""
    key = folder.read_key()
    with folder.database() as database:
        imaged = {row.patient_id for row in database.series()}
        return {key[patient.patient_id]: patient.patient_id in imaged for patient in database.patients()}


def _add(
    folder: StudyFolder,
    sheet: Mapping[str, Patient],
    catalog: Catalog,
    found: Mapping[str, tuple[Series, ...]],
    drawn: FoundMasks | None,
    copy: bool,
    progress: Progress,
) -> Outcome:
    """Add what was found to the study's key and catalog."""
    key = pseudonyms(folder.read_key(), [*sheet, *found])
    with folder.database() as database:
        earlier = {patient.patient_id: patient for patient in database.patients()}
        rows, mask_rows = list(database.series()), database.masks()
    found = _with_earlier(found, rows, key)
    for done, (hospital_id, series) in enumerate(found.items()):
        progress("choose series", done, len(found))
        pseudonym = key[hospital_id]
        rows = [row for row in rows if row.patient_id != pseudonym] + _series_rows(pseudonym, series)
    progress("choose series", len(found), len(found))
    named = {key[hospital_id]: replace(patient, patient_id=key[hospital_id]) for hospital_id, patient in sheet.items()}
    known = {**{row.patient_id: Patient(row.patient_id) for row in rows}, **(named or earlier)}
    folder.write_key({pseudonym: hospital_id for hospital_id, pseudonym in key.items()})
    if drawn:
        mask_rows = _with_masks(mask_rows, drawn, key)
    mask_rows = {patient_id: row for patient_id, row in mask_rows.items() if patient_id in known}
    series_found = {key[hospital_id]: series for hospital_id, series in found.items()}
    brought = bring(folder, series_found, mask_rows, copy_all=copy, progress=progress)
    rows, mask_rows = brought.series(rows), brought.masks(mask_rows)
    with folder.database() as database:
        database.save_catalog(list(known.values()), rows, list(mask_rows.values()))
    has_sheet = any(patient.has_row for patient in known.values())
    outcome = _outcome(folder, list(known.values()), rows, catalog, has_sheet)
    if sheet:
        outcome = _with_sheet_lines(outcome, named, earlier, rows)
    screened = _screened(folder, list(known.values())) if has_sheet else ()
    outcome = _with_lines(outcome, (*brought.lines, *screened), {"copied": brought.n_copied})
    return _with_mask_lines(outcome, mask_rows, rows, drawn.others if drawn else ())


def _with_sheet_lines(
    outcome: Outcome, named: Mapping[str, Patient], earlier: Mapping[str, Patient], rows: Sequence[SeriesRow]
) -> Outcome:
    """Who of the sheet has no DICOM, and whose row of an earlier sheet is gone."""
    imaged = {row.patient_id for row in rows}
    n_without = len(named.keys() - imaged)
    lost = sorted(patient_id for patient_id, patient in earlier.items() if patient.has_row and patient_id not in named)
    ends = {patient_id: "" if patient_id in imaged else " (without DICOM too; dropped from the study)" for patient_id in lost}
    lines = (
        *([f"{n_without} of the {len(named)} patients of the clinical sheet have no DICOM"] if n_without else []),
        *(f"no longer in the clinical sheet: {patient_id}{end}" for patient_id, end in ends.items()),
    )
    return _with_lines(outcome, lines, {"sheet_without_dicom": n_without, "no_longer_in_sheet": lost})


def _screened(folder: StudyFolder, patients: Sequence[Patient]) -> tuple[str, ...]:
    """How many meet the criteria; what is wrong with these is told now, and refused when the study is run."""
    try:
        cohort = screen(patients, folder.decisions().criteria())
    except AxillaError as error:
        return (f"warning: {error}",)
    return (f"{len(cohort.patients)} patients meet the criteria, {len(cohort.excluded)} do not",)


def _with_masks(earlier: Mapping[str, MaskRow], drawn: FoundMasks, key: Mapping[str, str]) -> dict[str, MaskRow]:
    """The masks cataloged earlier, those of the folder given now as it is now."""
    kept = {patient_id: row for patient_id, row in earlier.items() if drawn.folder not in Path(row.path).parents}
    return {**kept, **{key[name]: MaskRow(key[name], str(path)) for name, path in drawn.files.items()}}


def _with_mask_lines(outcome: Outcome, masks: Mapping[str, MaskRow], rows: Sequence[SeriesRow], others: Sequence[str]) -> Outcome:
    """What was found in the folder of masks, and who has none; nothing where the study has no masks."""
    if not masks and not others:
        return outcome
    without = sorted(row.patient_id for row in rows if row.is_chosen and row.patient_id not in masks)
    lines = (
        f"{len(masks)} patients with a mask; the nodes of {len(without)} others are located by the detector",
        *(f"no mask: {patient_id}" for patient_id in without),
        *(f"mask not used: {sentence}" for sentence in others),
    )
    result = {"with_mask": sorted(masks), "without_mask": without, "masks_not_used": list(others)}
    return _with_lines(outcome, lines, result)


def _with_lines(outcome: Outcome, lines: Sequence[str], result: Mapping[str, Any]) -> Outcome:
    """An outcome with lines before its last, which says what to do next."""
    return replace(outcome, result={**outcome.result, **result}, lines=(*outcome.lines[:-1], *lines, outcome.lines[-1]))


def _with_earlier(
    found: Mapping[str, tuple[Series, ...]], rows: Sequence[SeriesRow], key: Mapping[str, str]
) -> Mapping[str, tuple[Series, ...]]:
    """The series found, and those of the same patients cataloged earlier: one series is chosen among all of them."""
    now = {key[hospital_id]: {one.series_uid for one in series} for hospital_id, series in found.items()}
    earlier = [row for row in rows if row.patient_id in now and row.series_uid.partition("#")[0] not in now[row.patient_id]]
    paths = sorted({Path(name) for row in earlier for name in row.files if Path(name).exists()})
    if not paths:
        return found
    again = _by_hospital_id(scan(paths))
    return {
        hospital_id: (*series, *(one for one in again.get(hospital_id, ()) if one.series_uid not in now[key[hospital_id]]))
        for hospital_id, series in found.items()
    }


def _by_hospital_id(catalog: Catalog) -> Mapping[str, tuple[Series, ...]]:
    """Series by hospital identifier.

    Raises
    ------
    InputRefusedError
        If two patients share an identifier (different issuers, or placeholder identifiers).
    """
    found: dict[str, tuple[Series, ...]] = {}
    for series in catalog.patients.values():
        hospital_id = series[0].first.hospital_id
        if hospital_id in found:
            raise InputRefusedError(
                "Several patients in these sources have the same PatientID, or none; give each an ID of its own and import again."
            )
        found[hospital_id] = series
    return found


def _series_rows(patient_id: str, series: Sequence[Series]) -> list[SeriesRow]:
    """The chosen series, and the others with the reason why not."""
    try:
        choice = choose_series(series)
    except InputRefusedError:
        return [_row(patient_id, one, one.info, refusal_reason(one)) for one in series]
    others = {info.series_uid: info for info in choice.others}
    rows = [_row(patient_id, choice.series, choice.info, "")]
    rows += [
        _row(patient_id, one, others[one.choice_id], others[one.choice_id].reason) for one in series if one is not choice.series
    ]
    return rows


def _row(patient_id: str, series: Series, info: SeriesInfo, reason: str) -> SeriesRow:
    files = tuple(dict.fromkeys(str(item.source.path) for item in series.slices))
    text = f"{info.n_slices} slices, {info.plane or 'oblique'}, {info.description or info.modality}"
    return SeriesRow(patient_id, series.choice_id, not reason, reason, files, info.n_slices, text)


def _outcome(
    folder: StudyFolder, patients: Sequence[Patient], rows: Sequence[SeriesRow], catalog: Catalog, has_sheet: bool
) -> Outcome:
    chosen = {row.patient_id: row for row in rows if row.is_chosen}
    without = {
        patient.patient_id: _why_none(patient.patient_id, rows) for patient in patients if patient.patient_id not in chosen
    }
    others = [row for row in rows if not row.is_chosen]
    result = {
        "study": str(folder.root),
        "patients": len(patients),
        "with_ct": len(chosen),
        "without_ct": list(without),
        "why_without_ct": without,
        "series": [
            {"patient_id": row.patient_id, "series_uid": row.series_uid, "chosen": row.is_chosen, "reason": row.reason}
            for row in rows
        ],
        "unread_files": [{"name": item.name, "reason": item.reason} for item in catalog.unread],
        "notes": list(catalog.notes),
    }
    lines = (
        f"{len(patients)} patients, {len(chosen)} with a chosen CT series; {len(others)} other series, "
        f"{len(catalog.unread)} files not used",
        *(f"not chosen: {row.patient_id}: {row.description}: {row.reason}" for row in others),
        *(f"no usable CT: {patient_id}: {why}" for patient_id, why in without.items()),
        *catalog.notes,
        *([] if has_sheet else ["no clinical sheet given: add one with --clinical before running the study"]),
        f"next: axilla run {folder.root}",
    )
    return Outcome(result, lines)


def _why_none(patient_id: str, rows: Sequence[SeriesRow]) -> str:
    """Why a patient has no chosen series."""
    reasons = dict.fromkeys(row.reason for row in rows if row.patient_id == patient_id)
    return "; ".join(reasons) or "no DICOM of this patient"
