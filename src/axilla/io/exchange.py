"""Masks made elsewhere: label images, Slicer segmentations, DICOM SEG and RTSTRUCT, brought onto the CT's grid.

1. Each format is read into segments on its own grid, names kept, overlapping segments whole.
2. A grid that is the CT's, cropped, flipped or permuted, is brought over voxel by voxel, nothing interpolated.
3. Any other grid is refused with both geometries shown, or resampled (nearest neighbor) when asked, and said so.
RTSTRUCT contours are drawn on the CT's own grid (see :mod:`axilla.io.contours`).
"""

from __future__ import annotations

from collections.abc import Iterator
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
from axilla.io.images import is_image, read_layers
from axilla.node import Segment, Segmentation
from axilla.volume import BoolArray, FloatArray, Geometry, bounding_box

_SEG_CLASSES = {"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"}
_RTSTRUCT_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
_BACKGROUND_CODE = ("125040", "DCM")
"""DICOM's property type for the labels of a labelmap that mean: no segment."""

_MOST_SLICES = 20_000
"""More slices than any CT has; damaged positions would otherwise ask for all memory."""

_LATTICE_TOLERANCE_VOX = 0.02
"""Two grids share their voxel centers when none is off by more than this fraction of a voxel."""


@dataclass(frozen=True)
class MaskReading:
    """A mask on the CT's grid, and what was done to bring it there."""

    segmentation: Segmentation
    notes: tuple[str, ...] = ()


def read_mask(path: Path, geometry: Geometry, resample: bool = False) -> MaskReading:
    """Read a mask for a CT.

    Parameters
    ----------
    path : Path
        NIfTI, NRRD, MetaImage, ``.seg.nrrd``, DICOM SEG (binary, labelmap) or RTSTRUCT.
    geometry : Geometry
        The CT's grid.
    resample : bool
        Whether a mask on another grid is resampled (nearest neighbor) instead of refused.

    Raises
    ------
    InputRefusedError
        If the file is no mask, is damaged, or lies on another grid and `resample` is not set.
    """
    if is_image(path):
        return _onto(_from_image(path), geometry, resample)
    if not path.is_file():
        raise InputRefusedError(f"There is no mask file at {path}; check the path.")
    dataset = _open(path)
    with _parsing():
        kind, modality = str(dataset.get("SOPClassUID", "")), dataset.get("Modality") or "unknown"
    if kind in _SEG_CLASSES:
        with _parsing():
            segmentation = _from_seg(dataset, geometry)
        return _onto(segmentation, geometry, resample)
    if kind == _RTSTRUCT_CLASS:
        with _parsing():
            structures = _read_structures(dataset)
        return _drawn(structures, geometry, resample)
    raise InputRefusedError(
        f"Expected a mask (NIfTI, NRRD, DICOM SEG or RTSTRUCT), but the file is DICOM of modality {modality}; "
        "give the mask, not the images."
    )


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


def _from_image(path: Path) -> Segmentation:
    layers, geometry, header = read_layers(path)
    named = _slicer_segments(header)
    wanted = named or [(value, "", layer) for layer, array in enumerate(layers) for value in _values(array)]
    declared = {(value, layer) for value, _, layer in named}
    wanted += [
        (value, "", layer)
        for layer, array in enumerate(layers)
        for value in _values(array)
        if named and (value, layer) not in declared
    ]
    return _numbered(geometry, [(value, name, layers[layer] == value) for value, name, layer in wanted if layer < len(layers)])


def _values(array: npt.NDArray[np.uint16]) -> list[int]:
    return [int(v) for v in np.flatnonzero(np.bincount(array.ravel())) if v]


def _slicer_segments(header: dict[str, str]) -> list[tuple[int, str, int]]:
    """Label value, name and layer of each segment a ``.seg.nrrd`` declares, in its order."""
    found = []
    number = 0
    while f"Segment{number}_ID" in header or f"Segment{number}_Name" in header:
        value = header.get(f"Segment{number}_LabelValue", str(number + 1)).strip()
        layer = header.get(f"Segment{number}_Layer", "0").strip()
        if not value.isdigit() or not layer.isdigit():
            raise InputRefusedError("The segmentation's header is damaged (label value or layer is no number); save it again.")
        found.append((int(value), header.get(f"Segment{number}_Name", ""), int(layer)))
        number += 1
    return found


def _numbered(geometry: Geometry, masks: list[tuple[int, str, BoolArray]]) -> Segmentation:
    """Segments keep their own numbers where these are distinct; else they are numbered in order."""
    own = [value for value, _, _ in masks]
    is_distinct = len(set(own)) == len(own) and all(1 <= value <= 65535 for value in own)
    segments = [_cropped(value if is_distinct else order, name, mask) for order, (value, name, mask) in enumerate(masks, start=1)]
    return Segmentation(geometry, tuple(segments))


def _cropped(label: int, name: str, mask: BoolArray, offset_zyx: tuple[int, int, int] = (0, 0, 0)) -> Segment:
    if not mask.any():
        return Segment(label, (0, 0, 0), np.zeros((0, 0, 0), dtype=bool), name)
    box = bounding_box(mask)
    z, y, x = (offset + part.start for offset, part in zip(offset_zyx, box, strict=True))
    return Segment(label, (z, y, x), mask[box].copy(), name)


def _onto(source: Segmentation, target: Geometry, resample: bool) -> MaskReading:
    """Bring segments onto the CT's grid."""
    if source.geometry.is_same_grid(target):
        return MaskReading(Segmentation(target, source.segments), _empty_notes(source))
    if _shares_lattice(source.geometry, target):
        moved = tuple(_moved(segment, source.geometry, target) for segment in source.segments)
        lost = sum(s.n_voxels for s in source.segments) - sum(s.n_voxels for s in moved)
        if lost and not resample:
            raise InputRefusedError(f"{lost} voxel(s) of the mask lie outside the CT; give the CT that it was drawn on.")
        notes: tuple[str, ...] = ("The mask's grid is the CT's, cropped or turned; it was brought over voxel by voxel.",)
        if lost:
            notes += (f"{lost} voxel(s) of the mask lie outside the CT and were left out.",)
        result = Segmentation(target, moved)
        return MaskReading(result, (*notes, *_empty_notes(result)))
    if not resample:
        raise InputRefusedError(
            f"The mask lies on another grid than the CT. Mask: {_shown(source.geometry)}. CT: {_shown(target)}. "
            "Give the CT it was drawn on, or ask for resampling (--resample-mask)."
        )
    result = Segmentation(target, tuple(_resampled(segment, source.geometry, target) for segment in source.segments))
    if any(s.n_voxels for s in source.segments) and not any(s.n_voxels for s in result.segments):
        raise InputRefusedError(
            f"The mask does not meet the CT at all. Mask: {_shown(source.geometry)}. CT: {_shown(target)}. "
            "Give the CT it belongs to."
        )
    note = f"The mask was resampled (nearest neighbor) from {_shown(source.geometry)} to the CT's grid."
    return MaskReading(result, (note, *_empty_notes(result)))


def _empty_notes(segmentation: Segmentation) -> tuple[str, ...]:
    n_empty = sum(not segment.n_voxels for segment in segmentation.segments)
    return (f"{n_empty} segment(s) of the mask hold no voxel.",) if n_empty else ()


def _shown(geometry: Geometry) -> str:
    size = " x ".join(str(n) for n in geometry.shape_zyx[::-1])
    spacing = " x ".join(f"{v:.4g}" for v in geometry.spacing_xyz_mm)
    origin = ", ".join(f"{v:.2f}" for v in geometry.origin_xyz_mm)
    axes = " ".join(f"({', '.join(f'{v:.3g}' for v in column)})" for column in np.asarray(geometry.direction).T)
    return f"{size} voxels of {spacing} mm from ({origin}) mm along {axes}"


def _shares_lattice(source: Geometry, target: Geometry) -> bool:
    """Whether every voxel center of the mask's grid is one of the CT's grid, continued beyond its ends."""
    corners = target.to_index(source.corners_mm())
    one, other = source.canonical(), target.canonical()
    same_steps = np.allclose(one.spacing_xyz_mm, other.spacing_xyz_mm, rtol=0, atol=1e-3)
    return bool(same_steps and np.abs(corners - np.rint(corners)).max() <= _LATTICE_TOLERANCE_VOX)


def _moved(segment: Segment, source: Geometry, target: Geometry) -> Segment:
    """The segment's voxels at the same places of the target grid; those outside are dropped."""
    if not segment.n_voxels:
        return _cropped(segment.label, segment.name, segment.mask)
    index = np.rint(target.to_index(source.to_mm(segment.indices_zyx()))).astype(np.int64)
    inside = ((index >= 0) & (index < np.asarray(target.shape_zyx))).all(axis=1)
    return _from_indices(segment.label, segment.name, index[inside])


def _from_indices(label: int, name: str, index_zyx: npt.NDArray[np.int64]) -> Segment:
    if not len(index_zyx):
        return Segment(label, (0, 0, 0), np.zeros((0, 0, 0), dtype=bool), name)
    first, last = index_zyx.min(axis=0), index_zyx.max(axis=0)
    mask = np.zeros(last - first + 1, dtype=bool)
    mask[tuple((index_zyx - first).T)] = True
    return Segment(label, (int(first[0]), int(first[1]), int(first[2])), mask, name)


def _resampled(segment: Segment, source: Geometry, target: Geometry) -> Segment:
    """Nearest neighbor: each target voxel whose center lies in a voxel of the segment."""
    if not segment.n_voxels:
        return _cropped(segment.label, segment.name, segment.mask)
    crop = source.crop(segment.slices_zyx)
    corners = target.to_index(crop.to_mm(np.array(list(np.ndindex(2, 2, 2))) * np.asarray(crop.shape_zyx) - 0.5))
    low = np.maximum(0, np.floor(corners.min(axis=0)).astype(int))
    high = np.minimum(target.shape_zyx, np.ceil(corners.max(axis=0)).astype(int) + 1)
    if (high <= low).any():
        return Segment(segment.label, (0, 0, 0), np.zeros((0, 0, 0), dtype=bool), segment.name)
    grid = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij"), axis=-1)
    index = np.floor(crop.to_index(target.to_mm(grid)) + 0.5).astype(np.int64)
    inside = ((index >= 0) & (index < np.asarray(crop.shape_zyx))).all(axis=-1)
    mask = np.zeros(grid.shape[:3], dtype=bool)
    mask[inside] = segment.mask[tuple(index[inside].T)]
    return _cropped(segment.label, segment.name, mask, (int(low[0]), int(low[1]), int(low[2])))


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
            for value in _values(image.astype(np.uint16)):
                if value not in background:
                    found.setdefault(value, []).append((place, image == value))
        else:
            number = int(_macro(groups, shared, "SegmentIdentificationSequence").ReferencedSegmentNumber)
            found.setdefault(number, []).append((place, image > 0))
    segments = []
    for number, slices in sorted(found.items()):
        mask = np.zeros(geometry.shape_zyx, dtype=bool)
        for place, image in slices:
            mask[place] |= image
        segments.append((number, names.get(number, ""), mask))
    return _numbered(geometry, segments)


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


@dataclass(frozen=True)
class _Structures:
    """What an RTSTRUCT holds: region names and closed contours by ROI number, and how many others."""

    names: dict[int, str]
    contours: dict[int, tuple[Contour, ...]]
    n_other: int


def _read_structures(dataset: Dataset) -> _Structures:
    names = {int(r.ROINumber): str(r.get("ROIName", "")) for r in dataset.get("StructureSetROISequence") or []}
    contours: dict[int, list[Contour]] = {number: [] for number in names}
    n_other = 0
    for roi in dataset.get("ROIContourSequence") or []:
        number = int(roi.ReferencedROINumber)
        for item in roi.get("ContourSequence") or []:
            values = np.asarray(item.get("ContourData") or [], dtype=np.float64)
            if str(item.get("ContourGeometricType", "CLOSED_PLANAR")).upper() not in {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"}:
                n_other += 1
                continue
            if not values.size or values.size % 3 or not np.isfinite(values).all():
                raise InputRefusedError(
                    "A contour of the RTSTRUCT is damaged (its points are not three numbers each); export it again."
                )
            contours.setdefault(number, []).append(Contour(values.reshape(-1, 3)))
    return _Structures(names, {number: tuple(found) for number, found in contours.items()}, n_other)


def _drawn(structures: _Structures, target: Geometry, resample: bool) -> MaskReading:
    if not any(structures.contours.values()):
        raise InputRefusedError("The RTSTRUCT holds no closed contour; export the structures again.")
    drawn = draw(structures.contours, target, snap_to_slices=resample)
    labels = list(structures.contours)
    is_usable = all(1 <= n <= 65535 for n in labels)
    segments = tuple(
        _from_indices(number if is_usable else order, structures.names.get(number, ""), drawn.indices_zyx[number])
        for order, number in enumerate(labels, start=1)
    )
    result = Segmentation(target, segments)
    notes = drawn.notes
    if structures.n_other:
        notes = (
            *notes,
            f"{structures.n_other} open contour(s) or point(s) of the RTSTRUCT were left out; only closed ones count.",
        )
    return MaskReading(result, (*notes, *_empty_notes(result)))
