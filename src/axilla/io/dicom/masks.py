"""DICOM SEG and RTSTRUCT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.pixels.utils import pixel_array

from axilla.errors import InputRefusedError, InvalidValueError
from axilla.io.contours import Contour, draw
from axilla.io.dicom.headers import DAMAGE, NotUsableError, quiet, read_dataset
from axilla.io.segments import NO_LABEL, cropped, empty, from_indices, numbered
from axilla.node import Segment, Segmentation
from axilla.volume import BoolArray, FloatArray, Geometry

_SEG_CLASSES = {"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"}
_RTSTRUCT_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
_BACKGROUND_CODE = ("125040", "DCM")
"""DICOM's property type for the labels of a labelmap that mean: no segment."""

_MOST_SLICES = 20_000
"""More slices than any CT has; damaged positions would otherwise ask for all memory."""


def read_dicom_mask(path: Path, target: Geometry) -> Segmentation | Structures:
    """Segments on the file's own grid (SEG), or contours that have none (RTSTRUCT).

    Raises
    ------
    InputRefusedError
        If the file is neither, or is damaged.
    """
    dataset = _open(path)
    with _parsing():
        kind, modality = str(dataset.get("SOPClassUID", "")), dataset.get("Modality") or "unknown"
        if kind in _SEG_CLASSES:
            return _from_seg(dataset, target)
        if kind == _RTSTRUCT_CLASS:
            return _read_structures(dataset)
    raise InputRefusedError(
        f"Expected a mask (NIfTI, NRRD, DICOM SEG or RTSTRUCT), but the file is DICOM of modality {modality}; "
        "give the mask, not the images."
    )


@dataclass(frozen=True)
class Structures:
    """What an RTSTRUCT holds.

    Parameters
    ----------
    names, contours : mapping
        Region names and closed contours by ROI number.
    n_other : int
        How many open contours and points there are beside.
    instances : frozenset of str
        SOPInstanceUIDs of the slices that the contours were drawn on, where the file names them.
    """

    names: Mapping[int, str]
    contours: Mapping[int, tuple[Contour, ...]]
    n_other: int
    instances: frozenset[str] = frozenset()

    def draw(self, target: Geometry, snap_to_slices: bool) -> tuple[Segmentation, tuple[str, ...]]:
        """The regions on the CT's grid, and remarks; refuses as :func:`axilla.io.contours.draw` does."""
        if not any(self.contours.values()):
            raise InputRefusedError("The RTSTRUCT holds no closed contour; export the structures again.")
        drawn = draw(self.contours, target, snap_to_slices=snap_to_slices)
        found = [(n, from_indices(NO_LABEL, self.names.get(n, ""), drawn.indices_zyx[n])) for n in self.contours]
        notes = drawn.notes
        if self.n_other:
            left_out = f"{self.n_other} open contour(s) or point(s) of the RTSTRUCT were left out; only closed ones count."
            notes = (*notes, left_out)
        return numbered(target, found), notes


@contextmanager
def _parsing() -> Iterator[None]:
    """Turn what goes wrong while a DICOM mask's elements are read into a refusal."""
    try:
        with quiet():
            yield
    except InvalidValueError as error:
        raise InputRefusedError(f"The mask cannot be used: {error}") from error
    except DAMAGE as error:
        raise InputRefusedError("The DICOM mask is damaged: its header cannot be understood; save it again.") from error


def _open(path: Path) -> Dataset:
    try:
        with path.open("rb") as stream:
            return read_dataset(stream, headers_only=False)
    except NotUsableError as error:
        raise InputRefusedError(
            f"The mask file is neither an image nor usable DICOM ({error}); give NIfTI, NRRD, DICOM SEG or RTSTRUCT."
        ) from error


def _from_seg(dataset: Dataset, target: Geometry) -> Segmentation:
    """DICOM SEG: each frame is a slice of one segment (binary) or of all (labelmap); absent frames are empty."""
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or [])[:1]
    frames = list(dataset.get("PerFrameFunctionalGroupsSequence") or [])
    if not frames:
        raise InputRefusedError("The DICOM SEG holds no frames; save the segmentation again.")
    pixels = _seg_pixels(dataset, len(frames))
    geometry, index = _seg_grid(frames, shared, dataset, target)
    names = {int(s.SegmentNumber): str(s.get("SegmentLabel", "")) for s in dataset.SegmentSequence}
    background = _background_values(dataset)
    is_labelmap = str(dataset.get("SegmentationType", "")) == "LABELMAP"
    found: dict[int, list[tuple[int, BoolArray]]] = {n: [] for n in names if not (is_labelmap and n in background)}
    for place, groups, image in zip(index, frames, pixels, strict=True):
        if is_labelmap:
            for value in set(np.unique(image).tolist()) - background:
                found.setdefault(value, []).append((place, image == value))
        else:
            number = int(_macro(groups, shared, "SegmentIdentificationSequence").ReferencedSegmentNumber)
            found.setdefault(number, []).append((place, image > 0))
    return numbered(geometry, [(n, _stacked(names.get(n, ""), slices)) for n, slices in sorted(found.items())])


def _stacked(name: str, slices: list[tuple[int, BoolArray]]) -> Segment:
    """One segment of its slices ``(y, x)``; several at one place are joined."""
    drawn = [(place, image) for place, image in slices if image.any()]
    if not drawn:
        return empty(NO_LABEL, name)
    places = [place for place, _ in drawn]
    mask = np.zeros((max(places) - min(places) + 1, *drawn[0][1].shape), dtype=bool)
    for place, image in drawn:
        mask[place - min(places)] |= image
    return cropped(NO_LABEL, name, mask, (min(places), 0, 0))


def _seg_pixels(dataset: Dataset, n_frames: int) -> npt.NDArray[Any]:
    try:
        pixels = pixel_array(dataset)
    except Exception as error:  # decoders raise many kinds on damaged data
        raise InputRefusedError("The DICOM SEG's pixels cannot be decoded; save the segmentation again.") from error
    pixels = pixels[np.newaxis] if pixels.ndim == 2 else pixels
    if len(pixels) != n_frames:
        raise InputRefusedError(f"The DICOM SEG describes {n_frames} frames but holds {len(pixels)}; save it again.")
    if str(dataset.get("SegmentationType", "")) == "FRACTIONAL":
        full = int(dataset.get("MaximumFractionalValue", 255))
        if not np.isin(pixels, (0, full)).all():
            raise InputRefusedError(
                "The DICOM SEG is fractional (probabilities), not a mask; threshold it and save it as binary."
            )
    return np.asarray(pixels)


def _background_values(dataset: Dataset) -> set[int]:
    """Values of a labelmap that mean no segment: its padding value, and segments coded as background."""
    values = {0}
    if "PixelPaddingValue" in dataset:
        values.add(int(dataset.PixelPaddingValue))
    for segment in dataset.SegmentSequence:
        code = next(iter(segment.get("SegmentedPropertyTypeCodeSequence") or []), Dataset())
        if (str(code.get("CodeValue", "")), str(code.get("CodingSchemeDesignator", ""))) == _BACKGROUND_CODE:
            values.add(int(segment.SegmentNumber))
    return values


def _macro(groups: Dataset, shared: list[Dataset], name: str) -> Dataset:
    for item in (groups, *shared):
        sequence = item.get(name)
        if sequence:
            found: Dataset = sequence[0]
            return found
    raise InputRefusedError(f"The DICOM SEG does not say where its frames lie or what they show ({name}); save it again.")


def _seg_grid(frames: list[Dataset], shared: list[Dataset], dataset: Dataset, target: Geometry) -> tuple[Geometry, list[int]]:
    """The grid that holds all frames, and each frame's index along z."""
    axes = np.array([_macro(f, shared, "PlaneOrientationSequence").ImageOrientationPatient for f in frames], dtype=np.float64)
    positions = np.array([_macro(f, shared, "PlanePositionSequence").ImagePositionPatient for f in frames], dtype=np.float64)
    if np.ptp(axes, axis=0).max() > 1e-3:
        raise InputRefusedError("The DICOM SEG's frames have mixed orientations; save the segmentation again on one grid.")
    row = axes[0, :3] / np.linalg.norm(axes[0, :3])
    normal = np.cross(row, axes[0, 3:] / np.linalg.norm(axes[0, 3:]))
    offsets = positions @ normal
    measures = _macro(frames[0], shared, "PixelMeasuresSequence")
    step = _slice_step(np.unique(np.round(offsets, 4)), measures, target, normal)
    index = np.rint((offsets - offsets.min()) / step).astype(int)
    if index.max() >= _MOST_SLICES:
        raise InputRefusedError(f"The DICOM SEG's frames span more than {_MOST_SLICES} slices; its positions are damaged.")
    first = positions[int(np.argmin(offsets))]
    along = first + np.outer(index * step, normal)
    if np.abs(along - positions).max() > 0.05:
        raise InputRefusedError("The DICOM SEG's frames do not lie on one regular grid; save the segmentation again.")
    y_mm, x_mm = (float(v) for v in measures.PixelSpacing)
    matrix = np.stack([row, np.cross(normal, row), normal], axis=1)
    shape = (int(index.max()) + 1, int(dataset.Rows), int(dataset.Columns))
    geometry = Geometry(shape, (x_mm, y_mm, step), tuple(first.tolist()), tuple(tuple(r) for r in matrix.tolist()))  # type: ignore[arg-type]
    return geometry, index.tolist()


def _slice_step(offsets: FloatArray, measures: Dataset, target: Geometry, normal: FloatArray) -> float:
    """Distance between slices: the CT's own where the frames fit it, else what the file says, else the least step found."""
    ct_axes = np.abs(np.asarray(target.direction).T @ normal)
    along = int(np.argmax(ct_axes))
    candidates = [target.spacing_xyz_mm[along]] if ct_axes[along] > 0.999 else []
    candidates += [float(measures.get(k) or 0) for k in ("SpacingBetweenSlices", "SliceThickness")]
    steps = np.diff(offsets)
    if steps.size:
        candidates.append(float(steps.min()))
    for step in candidates:
        multiples = (offsets - offsets[0]) / step if step > 0 else np.array([0.5])
        if np.abs(multiples - np.rint(multiples)).max() * step <= 0.05:
            return float(step)
    raise InputRefusedError("The DICOM SEG's frames are not evenly spaced; save the segmentation again on one grid.")


def _read_structures(dataset: Dataset) -> Structures:
    names = {int(r.ROINumber): str(r.get("ROIName", "")) for r in dataset.get("StructureSetROISequence") or []}
    contours: dict[int, list[Contour]] = {number: [] for number in names}
    n_other = 0
    instances: set[str] = set()
    for roi in dataset.get("ROIContourSequence") or []:
        number = int(roi.ReferencedROINumber)
        for item in roi.get("ContourSequence") or []:
            instances |= {str(image.ReferencedSOPInstanceUID) for image in item.get("ContourImageSequence") or []}
            values = np.asarray(item.get("ContourData") or [], dtype=np.float64)
            if str(item.get("ContourGeometricType", "CLOSED_PLANAR")).upper() not in {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"}:
                n_other += 1
                continue
            if not values.size or values.size % 3 or not np.isfinite(values).all():
                raise InputRefusedError(
                    "A contour of the RTSTRUCT is damaged (its points are not three numbers each); export it again."
                )
            contours.setdefault(number, []).append(Contour(values.reshape(-1, 3)))
    return Structures(names, {number: tuple(found) for number, found in contours.items()}, n_other, frozenset(instances))
