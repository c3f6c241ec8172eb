"""Small CT series that tests bend out of shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedCTImageStorage

from axilla.io.dicom import WriteSettings, write_ct
from axilla.volume import Acquisition, Geometry, Volume

ACQUISITION = Acquisition(manufacturer="SIEMENS", kernel="B40f", kvp=120.0, slice_thickness_mm=1.5, patient_position="HFS")


def block(n: int = 6, seed: int = 1, spacing_mm: float = 1.5, **grid: object) -> Volume:
    """Noise of air to bone on a small grid."""
    rng = np.random.default_rng(seed)
    array = rng.integers(-1024, 1500, size=(n, 12, 16)).astype(np.int16)
    given = {"spacing_xyz_mm": (0.8, 0.7, spacing_mm), "origin_xyz_mm": (-20.0, 30.5, -100.25), **grid}
    return Volume(array, Geometry(array.shape, **given), replace(ACQUISITION, slice_thickness_mm=spacing_mm))


def thorax(blood_hu: int, n: int = 30, spacing_mm: float = 5.0) -> Volume:
    """An oval body with two lungs and a heart of `blood_hu` between them."""
    y, x = np.mgrid[:100, :120] * 4.0
    array = np.full((n, 100, 120), -1000, dtype=np.int16)
    array[:, ((x - 240) / 190) ** 2 + ((y - 200) / 140) ** 2 < 1] = -80
    for center in (140, 340):
        array[:, ((x - center) / 65) ** 2 + ((y - 200) / 100) ** 2 < 1] = -850
    array[:, ((x - 240) / 55) ** 2 + ((y - 165) / 50) ** 2 < 1] = blood_hu
    geometry = Geometry(array.shape, (4.0, 4.0, spacing_mm), (-240.0, -200.0, 0.0))
    return Volume(array, geometry, replace(ACQUISITION, slice_thickness_mm=spacing_mm))


def edit(folder: Path, change: Callable[[Dataset, int], object]) -> None:
    """Apply `change(dataset, index)` to every file; a file for which it returns False is deleted."""
    for index, path in enumerate(sorted(folder.rglob("*.dcm"))):
        dataset = pydicom.dcmread(path)
        if change(dataset, index) is False:
            path.unlink()
        else:
            dataset.save_as(path)


def put(folder: Path, volume: Volume | None = None, **kwargs: object) -> Path:
    """Write a series."""
    settings = kwargs.pop("settings", WriteSettings())
    write_ct(volume or block(), folder, patient_id=str(kwargs.pop("patient_id", "P0001")), settings=settings, **kwargs)
    return folder


def enhanced(folder: Path, path: Path, order: list[int]) -> None:
    """Join a classic series into one enhanced multi-frame file with the frames in `order`."""
    slices = [pydicom.dcmread(p) for p in sorted(folder.glob("*.dcm"))]
    whole = pydicom.dcmread(sorted(folder.glob("*.dcm"))[0])
    whole.SOPClassUID = whole.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    whole.NumberOfFrames = len(order)
    shared, frames = Dataset(), []
    shared.PixelMeasuresSequence = Sequence([_subset(whole, "PixelSpacing", "SliceThickness")])
    shared.PlaneOrientationSequence = Sequence([_subset(whole, "ImageOrientationPatient")])
    shared.PixelValueTransformationSequence = Sequence([_subset(whole, "RescaleSlope", "RescaleIntercept", "RescaleType")])
    frame_type = Dataset()
    frame_type.FrameType = list(whole.ImageType)
    shared.CTImageFrameTypeSequence = Sequence([frame_type])
    shared.CTReconstructionSequence = Sequence([_subset(whole, "ConvolutionKernel")])
    for index in order:
        frame = Dataset()
        frame.PlanePositionSequence = Sequence([_subset(slices[index], "ImagePositionPatient")])
        frames.append(frame)
    whole.SharedFunctionalGroupsSequence, whole.PerFrameFunctionalGroupsSequence = Sequence([shared]), Sequence(frames)
    for keyword in [
        "PixelSpacing",
        "SliceThickness",
        "ImageOrientationPatient",
        "ImagePositionPatient",
        "RescaleSlope",
        "RescaleIntercept",
        "RescaleType",
        "ConvolutionKernel",
        "SliceLocation",
    ]:
        delattr(whole, keyword)
    whole.PixelData = b"".join(slices[i].PixelData for i in order)
    whole.save_as(path)


def _subset(dataset: Dataset, *keywords: str) -> Dataset:
    item = Dataset()
    for keyword in keywords:
        item[keyword] = dataset[keyword]
    return item
