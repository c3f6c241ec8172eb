"""``axilla import``: from DICOM sources, a clinical sheet and masks drawn by hand to a study's catalog.

Patients are those of the clinical sheet, in its order, then those of the DICOM files that the sheet does not know. Pseudonyms are
given once and kept: importing again, with more sources, adds.
"""

from __future__ import annotations

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
from axilla.pipeline._pseudonyms import check_zeros, pseudonyms


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
        The clinical sheet.
    masks : Path, optional
        Folder of masks drawn by hand, one per patient, named by the hospital identifier (:mod:`axilla.io.masks`).
    copy : bool
        Whether CT files and masks are copied into the study; those on CDs and sticks are in any case.
    title : str
        What a new ``study.toml`` calls the study; default: the folder's name.

    Raises
    ------
    InputRefusedError
        If a source or the sheet cannot be read, the sheet has faulty rows (all are named) or lost the identifiers' leading
        zeros, no DICOM image was found, a patient has more than one mask, or a file to copy cannot be read any more.
    CannotWriteError
        If the study cannot be written, or has no room for the copies.
    """
    sheet = read_clinical_sheet(clinical) if clinical else {}
    progress("read headers", 0, 1)
    catalog = scan([source.resolve() for source in sources])
    progress("read headers", 1, 1)
    if not catalog.series:
        raise InputRefusedError(
            f"No DICOM image was found in {', '.join(map(str, sources))} ({len(catalog.unread)} other files)."
        )
    found = _by_hospital_id(catalog)
    check_zeros(sheet, found, "the DICOM files")
    if StudyFolder(root).is_of_tables:
        raise InputRefusedError(f"{root} holds a study made from feature tables; give another folder for one from CTs.")
    drawn = find_masks(masks, {*StudyFolder(root).read_key().values(), *sheet, *found}) if masks else None
    folder = StudyFolder.create(root, title)
    with folder.writing("axilla import"):
        return _add(folder, sheet, catalog, found, drawn, copy, progress)


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
        known = {patient.patient_id: patient for patient in database.patients()}
        rows, mask_rows = list(database.series()), database.masks()
    for hospital_id, patient in sheet.items():
        known[key[hospital_id]] = replace(patient, patient_id=key[hospital_id])
    found = _with_earlier(found, rows, key)
    for done, (hospital_id, series) in enumerate(found.items()):
        progress("choose series", done, len(found))
        pseudonym = key[hospital_id]
        known.setdefault(pseudonym, Patient(pseudonym))
        rows = [row for row in rows if row.patient_id != pseudonym] + _series_rows(pseudonym, series)
    progress("choose series", len(found), len(found))
    folder.write_key({pseudonym: hospital_id for hospital_id, pseudonym in key.items()})
    if drawn:
        mask_rows = _with_masks(mask_rows, drawn, key)
    series_found = {key[hospital_id]: series for hospital_id, series in found.items()}
    brought = bring(folder, series_found, mask_rows, copy_all=copy, progress=progress)
    rows, mask_rows = brought.series(rows), brought.masks(mask_rows)
    with folder.database() as database:
        database.save_catalog(list(known.values()), rows, list(mask_rows.values()))
    has_sheet = bool(sheet) or any(patient.facts for patient in known.values())
    outcome = _outcome(folder, list(known.values()), rows, catalog, has_sheet)
    screened = _screened(folder, list(known.values())) if has_sheet else ()
    outcome = _with_lines(outcome, (*brought.lines, *screened), {"copied": brought.n_copied})
    return _with_mask_lines(outcome, mask_rows, rows, drawn.others if drawn else ())


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
    without = [patient.patient_id for patient in patients if patient.patient_id not in chosen]
    others = [row for row in rows if not row.is_chosen]
    result = {
        "study": str(folder.root),
        "patients": len(patients),
        "with_ct": len(chosen),
        "without_ct": without,
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
        *(f"no usable CT: {patient_id}" for patient_id in without),
        *catalog.notes,
        *([] if has_sheet else ["no clinical sheet given: add one with --clinical before running the study"]),
        f"next: axilla run {folder.root}",
    )
    return Outcome(result, lines)
