"""Pixels of a stack to HU.

HU = slope * stored + intercept (PS3.3 C.11.1.1.2), slice by slice; padding and everything below -1024 becomes
:data:`~axilla.volume.AIR_HU`, because there the scanner measured nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

from axilla.errors import InputRefusedError
from axilla.io.dicom.catalog import Series
from axilla.io.dicom.enhancement import measure_enhancement
from axilla.io.dicom.headers import NotUsableError, SliceHeader, quiet, read_dataset
from axilla.io.dicom.sharpness import is_sharp
from axilla.io.dicom.sources import FileSource, Opener
from axilla.io.dicom.stack import Stack, StackSettings, build_stack
from axilla.volume import AIR_HU, SliceReference, Volume


@dataclass(frozen=True)
class ReadSettings:
    """What is remarked on when a series is read."""

    thick_slice_mm: float = 2.0
    """mm. Slices thicker than this blur nodes of a few millimeters; Qu et al. 2024 read 1-2 mm slices."""
    highest_padding_hu: float = -500.0
    """HU. A padding value above this would lie among tissue; it is then not believed, because it would punch holes."""
    enhanced_hu: float = 80.0
    """HU of blood in heart and great vessels from which a CT counts as enhanced: unenhanced blood has 30-60 HU."""
    highest_air_hu: float = -200.0
    """HU. A body CT holds air, lung or fat; where the unit is unspecified, a series whose smallest value lies above this is
    refused."""
    overlap_fraction: float = 0.8
    """Slices overlap when their spacing is below this fraction of their thickness; worth saying when below half."""


@dataclass(frozen=True)
class _Frame:
    header: SliceHeader
    hu: npt.NDArray[Any]
    ignored_padding: bool


def read_series(series: Series, settings: ReadSettings | None = None, stack_settings: StackSettings | None = None) -> Volume:
    """A series as a volume in HU, slices in the order of their positions along the slice normal.

    Identical copies of a slice (same position, same pixels) are dropped with a warning; different ones are refused.

    Raises
    ------
    InputRefusedError
        If the slices do not make one regular, complete, decodable CT volume.
    """
    settings = settings or ReadSettings()
    stack = build_stack(series, stack_settings or StackSettings())
    array, warnings = _array(stack, settings)
    _check_unit(series, array, settings)
    first = series.first
    if any(header.is_lossy for header in series.slices):
        warnings.append("The images were compressed with loss; fine texture is not the scanner's.")
    volume = Volume(
        array,
        stack.geometry,
        acquisition=first.acquisition,
        slices=tuple(SliceReference(g[0].instance_number, g[0].sop_instance_uid) for g in stack.positions),
        warnings=(*warnings, *_acquisition_warnings(series, stack, settings)),
    )
    enhancement = measure_enhancement(volume.array, volume.geometry)
    if enhancement is not None and enhancement < settings.enhanced_hu:
        volume = volume.with_warnings(
            f"No contrast enhancement was measured (blood about {enhancement:.0f} HU); vessels and nodes look alike."
        )
    return volume


def read_sample(series: Series, n_slices: int) -> Volume:
    """About `n_slices` evenly spaced slices as a coarse volume, for measurements that need no more.

    Raises
    ------
    InputRefusedError
        As :func:`read_series`.
    """
    stack = build_stack(series, StackSettings())
    step = max(1, len(stack.positions) // n_slices)
    positions = stack.positions[::step]
    geometry = stack.geometry
    x, y, z = geometry.spacing_xyz_mm
    coarse = Stack(
        positions,
        type(geometry)((len(positions), *geometry.shape_zyx[1:]), (x, y, z * step), geometry.origin_xyz_mm, geometry.direction),
    )
    array, _ = _array(coarse, ReadSettings())
    return Volume(array, coarse.geometry)


def _check_unit(series: Series, array: npt.NDArray[Any], settings: ReadSettings) -> None:
    if series.first.rescale_type == "US" and array.min() > settings.highest_air_hu:
        raise InputRefusedError(
            f"The series does not say its unit (RescaleType US) and its values, from {array.min():g} to {array.max():g}, do not "
            "look like HU; choose another series."
        )


def _array(stack: Stack, settings: ReadSettings) -> tuple[npt.NDArray[Any], list[str]]:
    """All slices in HU, int16 where every one is whole-numbered, else float32."""
    place = {id(header): index for index, group in enumerate(stack.positions) for header in group}
    array: npt.NDArray[Any] = np.zeros(stack.geometry.shape_zyx, dtype=np.int16)
    is_filled = np.zeros(len(stack.positions), dtype=bool)
    n_copies, ignored = 0, 0
    for frame in _decoded((header for group in stack.positions for header in group), settings):
        index = place[id(frame.header)]
        ignored += frame.ignored_padding
        if is_filled[index]:
            if not np.array_equal(array[index], frame.hu.astype(array.dtype)):
                raise InputRefusedError(
                    "The CT series holds duplicate slices: different images at one position (several phases or "
                    "reconstructions mixed); export one of them."
                )
            n_copies += 1
            continue
        if frame.hu.dtype != array.dtype and array.dtype != np.float32:
            array = array.astype(np.result_type(array.dtype, frame.hu.dtype))
        array[index] = frame.hu
        is_filled[index] = True
    warnings = []
    if n_copies:
        warnings.append(f"{n_copies} identical copies of slices were dropped.")
    if ignored:
        warnings.append("The files name a padding value that lies among tissue; it was not believed.")
    if array.min() == array.max():
        raise InputRefusedError(f"Every voxel of the CT series is {array.min()} HU; the export is empty, so repeat it.")
    return array, warnings


def _decoded(headers: Iterable[SliceHeader], settings: ReadSettings) -> Iterable[_Frame]:
    """Slices in HU, file by file, so that a multi-frame file is decoded once."""
    by_source: dict[FileSource, list[SliceHeader]] = {}
    for header in headers:
        by_source.setdefault(header.source, []).append(header)
    with Opener() as opener:
        for source, wanted in by_source.items():
            stored, is_float = _stored(opener, source, wanted[0])
            for header in wanted:
                frame = stored if header.frame is None else stored[header.frame]
                yield _to_hu(frame, header, is_float, settings)


def _stored(opener: Opener, source: FileSource, header: SliceHeader) -> tuple[npt.NDArray[Any], bool]:
    try:
        with opener.open(source) as stream, quiet():
            dataset = read_dataset(stream, headers_only=False)
            _fill_syntax(dataset)
            stored = pixel_array(dataset, raw=True)
    except (NotUsableError, InputRefusedError) as error:
        raise InputRefusedError(f"A slice of the CT series cannot be read again: {error}.") from error
    except MemoryError:
        raise
    except Exception as error:  # decoders raise many kinds on damaged data
        raise InputRefusedError(
            f"A slice of the CT series cannot be decoded ({_syntax_name(dataset)}): its pixel data are damaged, cut off or in "
            "an unsupported form; export the series again, uncompressed."
        ) from error
    if stored.shape[-2:] != (header.rows, header.columns) or stored.ndim != (2 if header.frame is None else 3):
        raise InputRefusedError("A slice's pixels do not have the size its header says; export the series again.")
    return stored, stored.dtype.kind == "f"


def _fill_syntax(dataset: Dataset) -> None:
    """Files without meta header: say how they were in fact encoded, because decoding asks."""
    if not getattr(dataset, "file_meta", None) or "TransferSyntaxUID" not in dataset.file_meta:
        dataset.ensure_file_meta()
        little, implicit = dataset.is_little_endian, dataset.is_implicit_VR
        dataset.file_meta.TransferSyntaxUID = UID(
            "1.2.840.10008.1.2" if implicit else ("1.2.840.10008.1.2.1" if little else "1.2.840.10008.1.2.2")
        )


def _syntax_name(dataset: Dataset) -> str:
    syntax = getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", None)
    return syntax.name if syntax is not None else "no transfer syntax"


def _to_hu(stored: npt.NDArray[Any], header: SliceHeader, is_float: bool, settings: ReadSettings) -> _Frame:
    slope, intercept = header.rescale or (1.0, 0.0)
    hu: npt.NDArray[Any]
    if slope.is_integer() and intercept.is_integer() and not is_float:
        hu = stored.astype(np.int32) * int(slope) + int(intercept)
    else:
        hu = stored.astype(np.float64) * slope + intercept
        if np.array_equal(hu, np.rint(hu)):
            hu = hu.astype(np.int32)
    ignored = False
    if header.padding is not None:
        first, last = header.padding
        is_padding = (stored >= first) & (stored <= last)
        if is_padding.any():
            ignored = max(first * slope + intercept, last * slope + intercept) > settings.highest_padding_hu
            if not ignored:
                hu[is_padding] = AIR_HU
    hu = np.maximum(hu, AIR_HU)
    if hu.dtype.kind == "f":
        return _Frame(header, hu.astype(np.float32), ignored)
    return _Frame(header, hu.astype(np.int16) if hu.max() <= np.iinfo(np.int16).max else hu, ignored)


def _acquisition_warnings(series: Series, stack: Stack, settings: ReadSettings) -> list[str]:
    spacing, thickness = stack.geometry.spacing_xyz_mm[2], series.first.acquisition.slice_thickness_mm
    warnings = []
    thickest = max(spacing, thickness or 0.0)
    if thickest > settings.thick_slice_mm + 1e-3:
        warnings.append(
            f"Slices are {thickest:.3g} mm thick (more than {settings.thick_slice_mm:g} mm); nodes of a few millimeters may be "
            "missed and measurements are coarse."
        )
    if thickness and spacing < settings.overlap_fraction * thickness:
        warnings.append(f"Slices overlap: {thickness:.3g} mm thick, {spacing:.3g} mm apart.")
    if thickness and spacing > 1.1 * thickness:
        warnings.append(f"There are gaps between slices: {thickness:.3g} mm thick, {spacing:.3g} mm apart.")
    if is_sharp(series.first):
        warnings.append(
            f"The reconstruction kernel ({series.first.acquisition.kernel}) is sharp; noise alters texture and HU edges."
        )
    if series.first.rescale_type == "US":
        warnings.append("The files leave the unit unspecified (RescaleType US); the values look like HU and were taken for it.")
    if "ORIGINAL" not in series.first.image_type:
        warnings.append("The images are derived, not the scanner's original reconstruction.")
    if abs(series.first.gantry_tilt_deg) > 0.5:
        warnings.append(
            f"The header names a gantry tilt of {series.first.gantry_tilt_deg:g} degrees, but the slices' positions show none."
        )
    return warnings
