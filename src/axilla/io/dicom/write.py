"""Write a volume as a classic CT series, for the simulator and for tests.

The files are deterministic: the same volume and settings give the same bytes. Every identifier is made from
`patient_id` and `uid_seed`; dates and times are fixed and say nothing.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, RLELossless

from axilla.errors import InvalidValueError
from axilla.io.files import replacing
from axilla.volume import Volume

SYNTHETIC_MARK = "SYNTHETIC axilla phantom"
"""Stands in SeriesDescription and ImageComments of simulated series; the reader recognizes it."""

_NAMESPACE = uuid.UUID("6d6cbd0f-6d4b-5c7f-9a6e-1f9e6f1a2c11")
_DATE, _TIME = "20000101", "120000"


@dataclass(frozen=True)
class WriteSettings:
    """How a series is written."""

    intercept_hu: int = -1024
    """HU of stored value 0; the usual one."""
    rle: bool = False
    """Whether to compress losslessly (RLE); larger studies become smaller and slower to write."""
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "AXIAL")
    """DICOM's words for where the pixels come from."""
    feet_last: bool = False
    """Whether files and InstanceNumbers run from the last slice to the first; readers must not care."""
    instance_numbers: tuple[int, ...] = ()
    """InstanceNumber per slice, e.g. random ones for tests; empty: 1, 2, ..."""


def write_ct(
    volume: Volume,
    folder: Path,
    *,
    patient_id: str,
    patient_name: str = "",
    uid_seed: str = "",
    series_number: int = 1,
    series_description: str = "",
    settings: WriteSettings | None = None,
) -> None:
    """Write one file per slice (``CT0001.dcm``, ...) into `folder`.

    Parameters
    ----------
    volume : Volume
        HU, rounded to whole numbers; its grid must be right-handed, because DICOM's slice normal always is. Its
        `acquisition` fills the equipment and acquisition fields; a synthetic one is marked unmistakably.
    folder : Path
        Created where absent.
    patient_id, patient_name : str
        Written as they are: use pseudonyms.
    uid_seed : str
        Distinguishes series of the same patient; same seed, same UIDs.
    series_number : int
        DICOM's SeriesNumber.
    series_description : str
        Free text; the synthetic mark is put before it.
    settings : WriteSettings
        Encoding and order.

    Raises
    ------
    InvalidValueError
        If the grid is left-handed or a value does not fit 16 bits.
    """
    settings = settings or WriteSettings()
    if np.linalg.det(np.asarray(volume.geometry.direction)) < 0:
        raise InvalidValueError("DICOM slices need a right-handed grid; flip one axis of the volume first.")
    stored = _stored_values(volume, settings.intercept_hu)
    shared = _series_header(volume, patient_id, patient_name or patient_id, f"{patient_id}/{uid_seed}/{series_number}", settings)
    shared.SeriesNumber = series_number
    shared.SeriesDescription = _description(volume, series_description)
    numbers = _instance_numbers(volume, settings)
    order = range(len(stored))[::-1] if settings.feet_last else range(len(stored))
    for place, index in enumerate(order, start=1):
        dataset = _slice(shared, volume, stored[index], index)
        dataset.InstanceNumber = numbers[place - 1]
        if settings.rle:
            dataset.compress(RLELossless, generate_instance_uid=False)
        with replacing(folder / f"CT{place:04d}.dcm", durable=False) as temporary:
            dataset.save_as(temporary, enforce_file_format=True)


def make_uid(*words: str) -> UID:
    """A DICOM UID under 2.25 made from words: the same words give the same UID (PS3.5 annex B.2)."""
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, '/'.join(words)).int}")


def _stored_values(volume: Volume, intercept_hu: int) -> npt.NDArray[np.int16]:
    whole = volume.array if volume.array.dtype.kind in "iu" else np.rint(volume.array)
    stored = whole.astype(np.int32) - np.int32(intercept_hu)
    limits = np.iinfo(np.int16)
    if stored.min() < limits.min or stored.max() > limits.max:
        raise InvalidValueError(f"HU {volume.array.min()}..{volume.array.max()} do not fit 16-bit DICOM pixels.")
    return np.asarray(stored, dtype=np.dtype("<i2"))


def _description(volume: Volume, text: str) -> str:
    words = [SYNTHETIC_MARK] if volume.acquisition.is_synthetic else []
    return " ".join([*words, *([text] if text else [])])[:64]


def _instance_numbers(volume: Volume, settings: WriteSettings) -> tuple[int, ...]:
    numbers = settings.instance_numbers or tuple(range(1, volume.array.shape[0] + 1))
    if len(numbers) != volume.array.shape[0]:
        raise InvalidValueError(f"Expected {volume.array.shape[0]} instance numbers, got {len(numbers)}.")
    return numbers


def _series_header(volume: Volume, patient_id: str, name: str, seed: str, settings: WriteSettings) -> Dataset:
    """What all slices share: patient, study, series, frame of reference, equipment, acquisition."""
    made, header = volume.acquisition, Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    header.ImageType = list(settings.image_type)
    header.SOPClassUID = CTImageStorage
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        setattr(header, keyword, _DATE)
    for keyword in ("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime"):
        setattr(header, keyword, _TIME)
    for keyword in ("AccessionNumber", "ReferringPhysicianName", "PatientBirthDate", "PatientSex"):
        setattr(header, keyword, "")
    header.StudyID, header.Modality = "1", "CT"
    header.Manufacturer = made.manufacturer
    if made.model_name:
        header.ManufacturerModelName = made.model_name
    header.PatientName, header.PatientID = name, patient_id
    header.BodyPartExamined = "CHEST"
    header.PatientPosition = made.patient_position or "HFS"
    if made.contrast_agent:
        header.ContrastBolusAgent = made.contrast_agent
    if made.kernel:
        header.ConvolutionKernel = made.kernel
    header.KVP = made.kvp
    header.SliceThickness = made.slice_thickness_mm or volume.geometry.spacing_xyz_mm[2]
    header.StudyInstanceUID = make_uid(patient_id, "study")
    header.SeriesInstanceUID = make_uid(seed, "series")
    header.FrameOfReferenceUID = make_uid(patient_id, "frame")
    header.PositionReferenceIndicator = ""
    header.AcquisitionNumber = 1
    if made.is_synthetic:
        header.ImageComments = f"{SYNTHETIC_MARK}: not a patient"
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.Rows, header.Columns = volume.geometry.shape_zyx[1:]
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 16, 15, 1
    header.RescaleIntercept, header.RescaleSlope, header.RescaleType = settings.intercept_hu, 1, "HU"
    header.WindowCenter, header.WindowWidth = 40, 400
    x_mm, y_mm, _ = volume.geometry.spacing_xyz_mm
    header.PixelSpacing = [_ds(y_mm), _ds(x_mm)]
    direction = np.asarray(volume.geometry.direction)
    header.ImageOrientationPatient = [_ds(v) for v in (*direction[:, 0], *direction[:, 1])]
    return header


def _slice(shared: Dataset, volume: Volume, stored: npt.NDArray[np.int16], index: int) -> FileDataset:
    uid = make_uid(str(shared.SeriesInstanceUID), str(index))
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = make_uid("axilla", "writer")
    meta.ImplementationVersionName = "AXILLA"
    dataset = FileDataset("", dict(shared), file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPInstanceUID = uid
    position = volume.geometry.to_mm((index, 0, 0))
    dataset.ImagePositionPatient = [_ds(v) for v in position]
    dataset.SliceLocation = _ds(position[2])
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OW"
    return dataset


def _ds(value: float) -> str:
    """A decimal string of at most 16 characters that keeps as many digits as fit."""
    number = float(value) + 0.0
    for digits in range(15, 5, -1):
        text = f"{number:.{digits}g}"
        if len(text) <= 16:
            return text
    return f"{number:.8g}"
