"""The same regions as every kind of mask file; each writer takes the labels, the CT as a DICOM folder and where to write."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence

from axilla.volume import Labels


def image(array: np.ndarray, labels: Labels, is_vector: bool = False) -> sitk.Image:
    """A SimpleITK image on the labels' grid."""
    made = sitk.GetImageFromArray(array, isVector=is_vector)
    grid = labels.geometry
    n = made.GetDimension()
    direction = np.eye(n)
    direction[:3, :3] = grid.direction
    made.SetSpacing((*grid.spacing_xyz_mm, 1.0)[:n])
    made.SetOrigin((*grid.origin_xyz_mm, 0.0)[:n])
    made.SetDirection(direction.ravel().tolist())
    return made


def label_map(labels: Labels, ct: Path, path: Path) -> None:
    sitk.WriteImage(image(labels.array, labels), str(path))


def floats(labels: Labels, ct: Path, path: Path) -> None:
    sitk.WriteImage(image(labels.array.astype(np.float64), labels), str(path))


def cropped(labels: Labels, ct: Path, path: Path) -> None:
    sitk.WriteImage(image(labels.array, labels)[5:40, 2:30, 3:18], str(path))


def turned(labels: Labels, ct: Path, path: Path) -> None:
    sitk.WriteImage(sitk.PermuteAxes(sitk.Flip(image(labels.array, labels), (True, False, True)), (2, 0, 1)), str(path))


def time_layers(labels: Labels, ct: Path, path: Path) -> None:
    """4D: one volume per label."""
    layers = np.stack([np.where(labels.array == value, value, 0) for value in labels.values]).astype(np.uint8)
    sitk.WriteImage(image(layers, labels), str(path))


def slicer(labels: Labels, ct: Path, path: Path) -> None:
    """``.seg.nrrd`` with a layer per segment, each of value 1 there."""
    layers = np.stack([labels.array == value for value in labels.values], axis=-1).astype(np.uint8)
    made = image(layers, labels, is_vector=True)
    for number, value in enumerate(labels.values):
        for key, text in (("ID", f"S{number}"), ("Name", labels.names[value]), ("LabelValue", "1"), ("Layer", str(number))):
            made.SetMetaData(f"Segment{number}_{key}", text)
    sitk.WriteImage(made, str(path), useCompression=True)


def dicom_seg(labels: Labels, ct: Path, path: Path, kind: str = "BINARY") -> None:
    import highdicom as hd

    code = hd.sr.CodedConcept("59441001", "SCT", "Lymph node")
    manual = hd.seg.SegmentAlgorithmTypeValues.MANUAL
    described = [hd.seg.SegmentDescription(n, labels.names[v], code, code, manual) for n, v in enumerate(labels.values, start=1)]
    slices = [pydicom.dcmread(file) for file in sorted(ct.iterdir())]
    slices.sort(key=lambda item: item.ImagePositionPatient[2])
    pixels = np.stack([labels.array == value for value in labels.values], axis=-1).astype(np.uint8)
    hd.seg.Segmentation(slices, pixels, kind, described, hd.UID(), 9, hd.UID(), 1, "m", "m", "1", "1").save_as(path)


def dicom_labelmap(labels: Labels, ct: Path, path: Path) -> None:
    dicom_seg(labels, ct, path, "LABELMAP")


def rtstruct(labels: Labels, ct: Path, path: Path) -> None:
    """Each row of a region's slice is a contour of its own along the voxels' centers: outlines belong to a region."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = "1.2.840.10008.5.1.4.1.1.481.3", "2.25.1", "RTSTRUCT"
    rois, drawn = [], []
    slices = [pydicom.dcmread(file, stop_before_pixels=True) for file in sorted(ct.iterdir())]
    uids = {round(float(item.ImagePositionPatient[2]), 3): item.SOPInstanceUID for item in slices}
    for number, value in enumerate(labels.values, start=1):
        roi, contours = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, contours.ReferencedROINumber = number, labels.names[value], number
        contours.ContourSequence = Sequence([_contour(row, uids) for row in _rows(labels, value)])
        rois.append(roi)
        drawn.append(contours)
    dataset.StructureSetROISequence, dataset.ROIContourSequence = Sequence(rois), Sequence(drawn)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID, dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, "2.25.1"
    dataset.save_as(path, enforce_file_format=True)


def _rows(labels: Labels, value: int) -> list[np.ndarray]:
    found = []
    for z, y in np.argwhere((labels.array == value).any(axis=2)):
        x = np.flatnonzero(labels.array[z, y] == value)
        found.append(
            labels.geometry.to_mm([(z, y - 0.25, x[0]), (z, y - 0.25, x[-1]), (z, y + 0.25, x[-1]), (z, y + 0.25, x[0])])
        )
    return found


def _contour(points: np.ndarray, uids: dict[float, str]) -> Dataset:
    item, drawn_on = Dataset(), Dataset()
    drawn_on.ReferencedSOPClassUID, drawn_on.ReferencedSOPInstanceUID = pydicom.uid.CTImageStorage, uids[round(points[0][2], 3)]
    item.ContourImageSequence = Sequence([drawn_on])
    item.ContourGeometricType, item.NumberOfContourPoints = "CLOSED_PLANAR", len(points)
    item.ContourData = [f"{v:.4f}" for v in np.ravel(points)]
    return item


def zipped(folder: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)


MASKS = {
    "m.nii": (label_map, False),
    "m.nii.gz": (label_map, False),
    "m.nrrd": (label_map, False),
    "m.mha": (label_map, False),
    "floats.nii.gz": (floats, False),
    "cropped.nii.gz": (cropped, False),
    "turned.nrrd": (turned, False),
    "layers.nii.gz": (time_layers, False),
    "m.seg.nrrd": (slicer, True),
    "seg.dcm": (dicom_seg, True),
    "labelmap.dcm": (dicom_labelmap, True),
    "rtstruct.dcm": (rtstruct, True),
}
"""File name: its writer, and whether the format keeps names."""
