"""DICOM headers to slices: one :class:`SliceHeader` per image or per frame, pixels not yet read."""

from __future__ import annotations

import hashlib
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage

from axilla.io.dicom.sources import FileSource
from axilla.io.dicom.write import SYNTHETIC_MARK
from axilla.volume import Acquisition

CT_CLASSES = (CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)

_LOSSY_SYNTAXES = {f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 53, 55, 81)}
"""JPEG baseline, extended, spectral selection, progressive; JPEG-LS near-lossless."""
_MAYBE_LOSSY_SYNTAXES = {f"1.2.840.10008.1.2.4.{n}" for n in (91, 93, 203, 112)}
"""JPEG 2000, its part 2, HTJ2K and JPEG XL: lossless only where the file says so."""

_KEYWORDS = [
    "SpecificCharacterSet", "ImageType", "SOPClassUID", "SOPInstanceUID", "Modality", "Manufacturer",
    "ManufacturerModelName", "SeriesDescription", "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate",
    "SliceThickness", "KVP", "GantryDetectorTilt", "ConvolutionKernel", "ContrastBolusAgent", "PatientPosition",
    "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "AcquisitionNumber", "InstanceNumber",
    "ImagePositionPatient", "ImageOrientationPatient", "FrameOfReferenceUID", "TemporalPositionIdentifier",
    "TemporalPositionIndex", "ImageComments", "SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames",
    "Rows", "Columns", "PixelSpacing", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleIntercept", "RescaleSlope", "RescaleType",
    "ModalityLUTSequence", "LossyImageCompression", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence", "NominalPercentageOfCardiacPhase", "TriggerTime", "MultienergyCTAcquisition",
    "DirectoryRecordSequence",
]  # fmt: skip

HU_TYPES = {"", "HU", "HU_MOD", "US"}
"""RescaleTypes that may mean HU. US is "unspecified" (Slicer and others write it on plain CT): believed only where the pixels
look like HU, and said."""

_PLACEHOLDER_IDS = {"", "0", "1", "ANON", "ANONYMOUS", "ANONYMIZED", "ANONYMISED", "UNKNOWN", "NONE", "NOID", "PATIENT"}
"""PatientIDs that do not tell patients apart."""


DAMAGE = (ArithmeticError, AttributeError, LookupError, NotImplementedError, TypeError, ValueError, EOFError, struct.error)
"""What pydicom raises while it parses damaged elements: it does so late, when an element is first looked at."""


class NotUsableError(Exception):
    """A file is no DICOM image this reader can use; the message is the reason told to the user."""


@dataclass(frozen=True)
class SliceHeader:
    """What one CT slice's header says; ``None`` where it does not. Pixels are read later from `source`."""

    source: FileSource
    frame: int | None
    sop_instance_uid: str
    series_uid: str
    study_uid: str
    patient_key: str
    hospital_id: str = field(repr=False)
    """PatientID as the hospital wrote it; goes into the study's owner-only key and nowhere else."""
    person_key: str = field(repr=False)
    """A hash of name and date of birth: one PatientID with several of these may be several persons."""
    modality: str
    sop_class: str
    instance_number: int
    series_number: int
    description: str
    image_type: tuple[str, ...]
    position_xyz_mm: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing_yx_mm: tuple[float, ...] | None
    rows: int
    columns: int
    rescale: tuple[float, float] | None
    """Slope and intercept; ``None`` where absent or replaced by a lookup table."""
    rescale_type: str
    padding: tuple[int, int] | None
    """Stored values, first and last, that mean: nothing was reconstructed here."""
    is_lossy: bool
    has_pixels: bool
    is_truncated: bool
    frame_of_reference: str
    phase: tuple[str, ...]
    """Acquisition, temporal position, cardiac phase: what may tell stacks of one series apart."""
    gantry_tilt_deg: float
    n_samples: int
    acquisition: Acquisition = field(default_factory=Acquisition)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence pydicom's remarks on malformed values: each is checked here and told in this project's words."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_dataset(stream: BinaryIO, headers_only: bool) -> Dataset:
    """The data set of a DICOM file, with or without preamble and meta header.

    Raises
    ------
    NotUsableError
        If the bytes are no DICOM, or end inside the header.
    """
    start = stream.read(132)
    stream.seek(0)
    if not start:
        raise NotUsableError("empty file")
    if start[128:] != b"DICM" and not _starts_like_dicom(start):
        raise NotUsableError("not DICOM")
    try:
        with quiet():
            tags: list[Any] | None = list(_KEYWORDS) if headers_only else None
            dataset = dcmread(stream, force=True, stop_before_pixels=headers_only, specific_tags=tags)
            if not hasattr(dataset, "SOPClassUID") and "DirectoryRecordSequence" not in dataset:
                raise NotUsableError("not DICOM, or damaged: it names no kind of object (SOP class)")
    except NotUsableError:
        raise
    except InvalidDicomError as error:
        raise NotUsableError("not DICOM") from error
    except Exception as error:  # pydicom raises many kinds on damaged bytes
        raise NotUsableError("damaged or cut-off DICOM header") from error
    return dataset


def read_slices(stream: BinaryIO, source: FileSource, n_bytes: int) -> tuple[SliceHeader, ...]:
    """The slices of one DICOM file (one, or one per frame); other objects give one entry too, so that they can be told.

    Raises
    ------
    NotUsableError
        If the file is no DICOM, truncated in its header, or lacks its identifiers.
    """
    dataset = read_dataset(stream, headers_only=True)
    if "DirectoryRecordSequence" in dataset:
        raise NotUsableError("DICOMDIR")
    try:
        return _all_slices(dataset, stream, source, n_bytes)
    except DAMAGE as error:
        raise NotUsableError("damaged or cut-off DICOM header") from error


def _all_slices(dataset: Dataset, stream: BinaryIO, source: FileSource, n_bytes: int) -> tuple[SliceHeader, ...]:
    with quiet():
        if not _text(dataset, "SeriesInstanceUID") or not _text(dataset, "SOPInstanceUID"):
            raise NotUsableError("DICOM without a series or instance identifier")
        has_pixels, truncated = _pixel_state(dataset, stream, n_bytes)
        frames = _frames(dataset)
        return tuple(_slice_header(dataset, source, frame, groups, has_pixels, truncated) for frame, groups in frames)


def patient_key(dataset: Dataset) -> str:
    """A hash that tells patients apart; it stays inside the study (an ID of few digits could be guessed back from it)."""
    patient_id = _text(dataset, "PatientID").upper()
    words = [patient_id, _text(dataset, "IssuerOfPatientID")]
    if patient_id in _PLACEHOLDER_IDS:
        words += [_text(dataset, "PatientName").upper(), _text(dataset, "PatientBirthDate"), _text(dataset, "StudyInstanceUID")]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]


def _person_key(dataset: Dataset) -> str:
    name = re.sub(r"[^\w]+", "", _text(dataset, "PatientName").upper())
    return hashlib.sha256(f"{name}\n{_text(dataset, 'PatientBirthDate')}".encode()).hexdigest()[:16]


def _starts_like_dicom(start: bytes) -> bool:
    """Without preamble: the first tag is of group 0002 or 0008, in either byte order."""
    return len(start) >= 8 and start[:2] in {b"\x02\x00", b"\x08\x00", b"\x00\x02", b"\x00\x08"}


def _pixel_state(dataset: Dataset, stream: BinaryIO, n_bytes: int) -> tuple[bool, bool]:
    """Whether pixel data follow the header, and whether they are cut off (seen for uncompressed data only)."""
    syntax = _syntax(dataset)
    if syntax.is_deflated:
        return True, False
    order = "<" if syntax.is_little_endian else ">"
    start = stream.read(12)
    if len(start) < 8 or struct.unpack(order + "HH", start[:4]) not in {(0x7FE0, 0x0010), (0x7FE0, 0x0008), (0x7FE0, 0x0009)}:
        return False, False
    if syntax.is_compressed:
        return True, False
    needed = _int(dataset, "Rows") * _int(dataset, "Columns") * max(1, _int(dataset, "SamplesPerPixel", 1))
    needed = needed * max(1, _int(dataset, "NumberOfFrames", 1)) * _int(dataset, "BitsAllocated", 16) // 8
    return True, n_bytes - stream.tell() + (4 if syntax.is_implicit_VR else 0) < needed


def _syntax(dataset: Dataset) -> UID:
    meta = getattr(dataset, "file_meta", None)
    syntax = UID(str(getattr(meta, "TransferSyntaxUID", "") or ""))
    if syntax.is_transfer_syntax:
        return syntax
    little, implicit = dataset.is_little_endian, dataset.is_implicit_VR
    return UID("1.2.840.10008.1.2" if implicit else ("1.2.840.10008.1.2.1" if little else "1.2.840.10008.1.2.2"))


def _frames(dataset: Dataset) -> list[tuple[int | None, list[Dataset]]]:
    """Frame index and the functional groups that speak for it (its own first, then the shared ones)."""
    if "PerFrameFunctionalGroupsSequence" not in dataset:
        n = _int(dataset, "NumberOfFrames", 1)
        return [(None, [])] if n <= 1 else [(i, []) for i in range(n)]
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or [])[:1]
    return [(i, [own, *shared]) for i, own in enumerate(dataset.PerFrameFunctionalGroupsSequence)]


def _group(dataset: Dataset, groups: list[Dataset], macro: str) -> Dataset:
    """A functional group macro's item for one frame, or the data set itself for a classic image."""
    for item in groups:
        sequence = item.get(macro)
        if sequence:
            found: Dataset = sequence[0]
            return found
    return dataset


def _slice_header(
    dataset: Dataset, source: FileSource, frame: int | None, groups: list[Dataset], has_pixels: bool, truncated: bool
) -> SliceHeader:
    measures = _group(dataset, groups, "PixelMeasuresSequence")
    values = _group(dataset, groups, "PixelValueTransformationSequence")
    frame_type = _strings(_group(dataset, groups, "CTImageFrameTypeSequence"), "FrameType") or _strings(dataset, "ImageType")
    return SliceHeader(
        source=source,
        frame=frame,
        sop_instance_uid=_text(dataset, "SOPInstanceUID"),
        series_uid=_text(dataset, "SeriesInstanceUID"),
        study_uid=_text(dataset, "StudyInstanceUID"),
        patient_key=patient_key(dataset),
        hospital_id=_text(dataset, "PatientID"),
        person_key=_person_key(dataset),
        modality=_text(dataset, "Modality"),
        sop_class=_text(dataset, "SOPClassUID"),
        instance_number=(frame + 1) if frame is not None else _int(dataset, "InstanceNumber"),
        series_number=_int(dataset, "SeriesNumber"),
        description=_text(dataset, "SeriesDescription"),
        image_type=frame_type,
        position_xyz_mm=_floats(_group(dataset, groups, "PlanePositionSequence"), "ImagePositionPatient", 3),
        orientation=_floats(_group(dataset, groups, "PlaneOrientationSequence"), "ImageOrientationPatient", 6),
        spacing_yx_mm=_floats(measures, "PixelSpacing", 2),
        rows=_int(dataset, "Rows"),
        columns=_int(dataset, "Columns"),
        rescale=_rescale(values),
        rescale_type=_text(values, "RescaleType"),
        padding=_padding(dataset),
        is_lossy=_is_lossy(dataset),
        has_pixels=has_pixels,
        is_truncated=truncated,
        frame_of_reference=_text(dataset, "FrameOfReferenceUID"),
        phase=_phase(dataset, groups),
        gantry_tilt_deg=_float(_group(dataset, groups, "CTAcquisitionDetailsSequence"), "GantryDetectorTilt") or 0.0,
        n_samples=_int(dataset, "SamplesPerPixel", 1),
        acquisition=_acquisition(dataset, groups, measures),
    )


def _acquisition(dataset: Dataset, groups: list[Dataset], measures: Dataset) -> Acquisition:
    kernel = _strings(_group(dataset, groups, "CTReconstructionSequence"), "ConvolutionKernel")
    marks = f"{_text(dataset, 'SeriesDescription')} {_text(dataset, 'ImageComments')}"
    return Acquisition(
        modality=_text(dataset, "Modality"),
        manufacturer=_text(dataset, "Manufacturer"),
        model_name=_text(dataset, "ManufacturerModelName"),
        kernel=" ".join(kernel),
        kvp=_float(_group(dataset, groups, "CTXRayDetailsSequence"), "KVP"),
        slice_thickness_mm=_float(measures, "SliceThickness"),
        patient_position=_text(dataset, "PatientPosition"),
        contrast_agent=_text(dataset, "ContrastBolusAgent"),
        is_synthetic=SYNTHETIC_MARK.lower() in marks.lower(),
    )


def _phase(dataset: Dataset, groups: list[Dataset]) -> tuple[str, ...]:
    content = _group(dataset, groups, "FrameContentSequence")
    return (
        _text(content, "StackID"),
        _text(content, "TemporalPositionIndex") or _text(dataset, "TemporalPositionIdentifier"),
        _text(dataset, "NominalPercentageOfCardiacPhase") or _text(dataset, "TriggerTime"),
        _text(content, "FrameAcquisitionNumber") or _text(dataset, "AcquisitionNumber"),
    )


def _rescale(values: Dataset) -> tuple[float, float] | None:
    slope, intercept = _float(values, "RescaleSlope"), _float(values, "RescaleIntercept")
    if slope is None or intercept is None or slope == 0 or "ModalityLUTSequence" in values:
        return None
    return slope, intercept


def _padding(dataset: Dataset) -> tuple[int, int] | None:
    try:
        first = int(dataset.PixelPaddingValue)
        last = int(dataset.get("PixelPaddingRangeLimit", first))
    except (AttributeError, TypeError, ValueError):
        return None
    bits = _int(dataset, "BitsAllocated", 16)
    if _int(dataset, "PixelRepresentation"):
        first, last = (v - (1 << bits) if v >= 1 << (bits - 1) else v for v in (first, last))
    return min(first, last), max(first, last)


def _is_lossy(dataset: Dataset) -> bool:
    syntax, said = str(_syntax(dataset)), _text(dataset, "LossyImageCompression")
    return said == "01" or syntax in _LOSSY_SYNTAXES or (syntax in _MAYBE_LOSSY_SYNTAXES and said != "00")


def _text(dataset: Dataset, keyword: str) -> str:
    try:
        value = dataset.get(keyword)
    except Exception:  # a malformed value is as good as none
        return ""
    return "" if value is None else str(value).strip().strip("\0").strip()


def _strings(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    value = dataset.get(keyword)
    if value is None or value == "":
        return ()
    return tuple(str(v).strip().upper() if keyword != "ConvolutionKernel" else str(v).strip() for v in _many(value))


def _many(value: Any) -> list[Any]:
    return list(value) if not isinstance(value, str | bytes) and hasattr(value, "__iter__") else [value]


def _int(dataset: Dataset, keyword: str, default: int = 0) -> int:
    try:
        return int(dataset.get(keyword) or default)
    except (TypeError, ValueError):
        return default


def _float(dataset: Dataset, keyword: str) -> float | None:
    numbers = _floats(dataset, keyword, 1)
    return None if numbers is None else numbers[0]


def _floats(dataset: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """Exactly `count` finite numbers, or nothing."""
    try:
        value = dataset.get(keyword)
        numbers = tuple(float(v) for v in _many(value)) if value is not None else ()
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and bool(np.isfinite(numbers).all()) else None
