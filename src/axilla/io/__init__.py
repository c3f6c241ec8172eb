"""The edge to files: DICOM, images, masks, studies, tables. ``read_ct`` reads a CT from any of the forms it comes in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from axilla.errors import InputRefusedError, UsageError
from axilla.io.images import ImageSettings, is_image, read_image
from axilla.volume import Volume

if TYPE_CHECKING:
    from axilla.io.dicom.catalog import Catalog, SeriesInfo
    from axilla.io.dicom.sources import Unread

__all__ = ["CTReading", "read_ct"]


@dataclass(frozen=True)
class CTReading:
    """A CT read from outside, and what else lay there.

    Parameters
    ----------
    volume : Volume
        The CT; its warnings include doubts about the choice of series.
    series : SeriesInfo or None
        The series chosen; ``None`` when the source was an image file.
    others : tuple of SeriesInfo
        Every other series, each with the reason why it was not chosen.
    patient_key : str
        Tells patients apart; empty for image files. Not for export.
    unread : tuple of Unread
        Files not used, with reasons.
    notes : tuple of str
        Remarks on the source (a CD that lacks files).
    """

    volume: Volume
    series: SeriesInfo | None = None
    others: tuple[SeriesInfo, ...] = ()
    patient_key: str = ""
    unread: tuple[Unread, ...] = ()
    notes: tuple[str, ...] = ()


def read_ct(path: Path, series_uid: str | None = None, image: ImageSettings | None = None) -> CTReading:
    """Read a CT: a DICOM folder, file, ZIP or CD, or a NIfTI, NRRD or MetaImage file.

    Parameters
    ----------
    path : Path
        Where it lies.
    series_uid : str, optional
        SeriesInstanceUID to use instead of axilla's choice.
    image : ImageSettings, optional
        What an image file must look like.

    Raises
    ------
    InputRefusedError
        If there is no CT, more than one patient, or no series that makes a regular volume.
    UsageError
        If a series is chosen of an image file.
    """
    if is_image(path):
        if series_uid is not None:
            raise UsageError("An image file holds no series; leave --series out, or give the DICOM files.")
        return CTReading(read_image(path, image))
    from axilla.io.dicom import choose_series, read_series, scan  # pydicom is slow to import

    catalog = scan([path])
    if not catalog.series:
        raise InputRefusedError(_nothing_found(catalog))
    with_ct = {key: found for key, found in catalog.patients.items() if any(s.is_ct for s in found)}
    if series_uid is not None:
        named = {k: found for k, found in with_ct.items() if any(series_uid in {s.series_uid, s.choice_id} for s in found)}
        with_ct = named or with_ct
    if len(with_ct) > 1:
        raise InputRefusedError(
            f"The source holds CT of {len(with_ct)} patients, but one CT is read at a time; give one patient's folder, "
            "or use axilla import for a cohort."
        )
    choice = choose_series(next(iter(with_ct.values()), catalog.series), series_uid)
    volume = read_series(choice.series).with_warnings(*choice.warnings, *catalog.notes, *_lost(catalog))
    key = choice.series.patient_key
    return CTReading(volume, choice.info, choice.others, key, catalog.unread, catalog.notes)


def _lost(catalog: Catalog) -> tuple[str, ...]:
    """Gaps within a series are seen from its positions; slices lost at its ends are not, so damaged files are told."""
    n_lost = sum(item.may_be_a_slice for item in catalog.unread)
    if not n_lost:
        return ()
    return (f"{n_lost} file(s) beside the series could not be read; if they are its end slices, the CT is shorter than made.",)


def _nothing_found(catalog: Catalog) -> str:
    if not catalog.unread:
        return "No file was found there; give a folder, ZIP or CD with the DICOM files of a chest CT."
    reasons: dict[str, int] = {}
    for item in catalog.unread:
        reasons[item.reason] = reasons.get(item.reason, 0) + 1
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items(), key=lambda r: -r[1])[:3])
    return (
        f"None of the {len(catalog.unread)} files found is a readable DICOM image ({told}); give the DICOM files of a chest CT."
    )
