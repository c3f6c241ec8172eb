"""Masks made elsewhere: label images, Slicer segmentations, DICOM SEG and RTSTRUCT, brought onto the CT's grid.

1. Each format is read into segments on its own grid, names kept, overlapping segments whole.
2. A grid that is the CT's, cropped, flipped or permuted, is brought over voxel by voxel, nothing interpolated.
3. Any other grid is refused with both geometries shown, or resampled (nearest neighbor) when asked, and said so.
RTSTRUCT contours are drawn on the CT's own grid (see :mod:`axilla.io.contours`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from axilla.errors import InputRefusedError
from axilla.io.images import is_image, read_layers
from axilla.io.segments import NO_LABEL, cropped, empty, from_indices, numbered
from axilla.node import Segment, Segmentation
from axilla.volume import Geometry, SliceReference, SlicesZYX

_LATTICE_TOLERANCE_VOX = 0.02
"""Two grids share their voxel centers when none is off by more than this fraction of a voxel."""


@dataclass(frozen=True)
class MaskReading:
    """A mask on the CT's grid, and what was done to bring it there."""

    segmentation: Segmentation
    notes: tuple[str, ...] = ()


def read_mask(path: Path, geometry: Geometry, resample: bool = False, slices: Sequence[SliceReference] = ()) -> MaskReading:
    """Read a mask for a CT.

    Parameters
    ----------
    path : Path
        NIfTI, NRRD, MetaImage, ``.seg.nrrd``, DICOM SEG (binary, labelmap) or RTSTRUCT.
    geometry : Geometry
        The CT's grid.
    resample : bool
        Whether a mask on another grid is resampled (nearest neighbor) instead of refused.
    slices : sequence of SliceReference
        The CT's DICOM slices where it has them: an RTSTRUCT that names the slices of another CT is refused like one on
        another grid.

    Raises
    ------
    InputRefusedError
        If the file is no mask, is damaged, or lies on another grid and `resample` is not set.
    """
    if is_image(path):
        return _onto(_from_image(path), geometry, resample)
    if not path.is_file():
        what = f"{path} is a folder, not a mask" if path.is_dir() else f"There is no mask file at {path}"
        raise InputRefusedError(f"{what}; give the file that holds the mask.")
    from axilla.io.dicom.masks import Structures, read_dicom_mask  # pydicom is slow to import

    found = read_dicom_mask(path, geometry)
    if isinstance(found, Structures):
        own = {reference.sop_instance_uid for reference in slices}
        if own and found.instances and not own & found.instances and not resample:
            raise InputRefusedError(
                f"The RTSTRUCT was drawn on another CT: none of the {len(found.instances)} slices it names is among this CT's. "
                "Give the CT it was drawn on, or ask for --resample-mask to draw it on this one all the same."
            )
        segmentation, notes = found.draw(geometry, snap_to_slices=resample)
        return MaskReading(segmentation, (*notes, *_empty_notes(segmentation)))
    return _onto(found, geometry, resample)


def _from_image(path: Path) -> Segmentation:
    layers, geometry, header = read_layers(path)
    declared = {(value, layer): name for value, name, layer in _slicer_segments(header)}
    places = {(value, layer): box for layer, array in enumerate(layers) for value, box in _boxes(array).items()}
    wanted = [*(key for key in declared if key[1] < len(layers)), *(key for key in places if key not in declared)]
    return numbered(geometry, [(key[0], _label_in(layers, key, places.get(key), declared.get(key, ""))) for key in wanted])


def _boxes(array: npt.NDArray[np.unsignedinteger[Any]]) -> dict[int, SlicesZYX]:
    """The box around each label of a label map, ascending; SciPy's ``find_objects``, whose import takes longer than this does."""
    ends: dict[int, npt.NDArray[np.int64]] = {}
    for z, plane in enumerate(array):
        y, x = np.nonzero(plane)
        values = plane[y, x]
        for value in np.unique(values).tolist():
            inside = values == value
            low, high = (z, y[inside].min(), x[inside].min()), (z, y[inside].max(), x[inside].max())
            known = ends.get(value, np.array([low, high]))
            ends[value] = np.array([np.minimum(known[0], low), np.maximum(known[1], high)])
    return {value: _slices(*ends[value].tolist()) for value in sorted(ends)}


def _slices(low: list[int], high: list[int]) -> SlicesZYX:
    z, y, x = (slice(first, last + 1) for first, last in zip(low, high, strict=True))
    return (z, y, x)


def _label_in(layers: npt.NDArray[Any], key: tuple[int, int], box: SlicesZYX | None, name: str) -> Segment:
    value, layer = key
    if box is None:
        return empty(NO_LABEL, name)
    z, y, x = (part.start for part in box)
    return Segment(NO_LABEL, (z, y, x), layers[layer][box] == value, name)


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
        return empty(segment.label, segment.name)
    index = np.rint(target.to_index(source.to_mm(segment.indices_zyx()))).astype(np.int64)
    inside = ((index >= 0) & (index < np.asarray(target.shape_zyx))).all(axis=1)
    return from_indices(segment.label, segment.name, index[inside])


def _resampled(segment: Segment, source: Geometry, target: Geometry) -> Segment:
    """Nearest neighbor: each target voxel whose center lies in a voxel of the segment."""
    if not segment.n_voxels:
        return empty(segment.label, segment.name)
    crop = source.crop(segment.slices_zyx)
    corners = target.to_index(crop.to_mm(np.array(list(np.ndindex(2, 2, 2))) * np.asarray(crop.shape_zyx) - 0.5))
    low = np.maximum(0, np.floor(corners.min(axis=0)).astype(int))
    high = np.minimum(target.shape_zyx, np.ceil(corners.max(axis=0)).astype(int) + 1)
    if (high <= low).any():
        return empty(segment.label, segment.name)
    grid = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij"), axis=-1)
    index = np.floor(crop.to_index(target.to_mm(grid)) + 0.5).astype(np.int64)
    inside = ((index >= 0) & (index < np.asarray(crop.shape_zyx))).all(axis=-1)
    mask = np.zeros(grid.shape[:3], dtype=bool)
    mask[inside] = segment.mask[tuple(index[inside].T)]
    return cropped(segment.label, segment.name, mask, (int(low[0]), int(low[1]), int(low[2])))
