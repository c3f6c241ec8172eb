"""NIfTI, NRRD and MetaImage files to volumes and label maps, and back.

SimpleITK reads and writes them; it speaks LPS for every format (NIfTI's RAS is turned around by its reader), so its
origin, spacing and direction are :class:`~axilla.volume.Geometry`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from axilla.errors import CannotWriteError, InputRefusedError, InvalidValueError
from axilla.io._whole import check_whole
from axilla.io.files import replacing
from axilla.volume import Geometry, Labels, Volume

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
"""File name endings read as images."""

_WRITTEN = (".nii.gz", ".nii", ".nrrd", ".mha")
"""Endings written: one file each, so that replacing it is atomic."""

_Reader: Any = sitk.ImageFileReader  # SimpleITK carries no usable types

_SYNTHETIC_KEYS = ("descrip", "ITK_FileNotes", "axilla_synthetic")
_SYNTHETIC_WORD = "SYNTHETIC axilla"


@dataclass(frozen=True)
class ImageSettings:
    """What an image file must look like to be taken for a CT in HU."""

    highest_air_hu: float = -200.0
    """HU. A body CT holds air or lung and fat; an image whose smallest value lies above this is no CT in HU (a
    windowed 0..255 picture, a mask, an image shifted by +1024)."""
    lowest_hu: float = -32768.0
    """HU. Values below mark an image that is not CT; scanners pad with -1024 to -3024, some with -32768."""
    highest_hu: float = 65535.0
    """HU. Extended CT scales end at 30,710 (metal); a larger value marks another unit."""


def is_image(path: Path) -> bool:
    """Whether the file name ends like an image axilla reads."""
    return path.name.lower().endswith(SUFFIXES)


def read_image(path: Path, settings: ImageSettings | None = None) -> Volume:
    """A CT in HU from NIfTI, NRRD or MetaImage.

    Raises
    ------
    InputRefusedError
        If the file is no readable 3D scalar image on a rectangular grid, holds values that are not finite, or does not
        look like HU.
    """
    image = _read(path)
    geometry = _geometry(image)
    array = sitk.GetArrayFromImage(image)
    _check_finite(array)
    _check_hu(array, settings or ImageSettings())
    volume = Volume(np.ascontiguousarray(_as_integers(array)), geometry)
    if any(_SYNTHETIC_WORD in image.GetMetaData(key) for key in _SYNTHETIC_KEYS if image.HasMetaDataKey(key)):
        volume = _marked_synthetic(volume)
    return volume


def write_image(volume: Volume, path: Path) -> None:
    """Write a CT; a synthetic one is marked so in the header where the format has a free text field."""
    image = _to_sitk(volume.array, volume.geometry)
    if volume.acquisition.is_synthetic:
        image.SetMetaData("ITK_FileNotes" if ".nii" in path.name.lower() else "axilla_synthetic", _SYNTHETIC_WORD)
    _write(image, path)


def read_labels(path: Path) -> Labels:
    """A label map of whole numbers 0..65535; Slicer's ``.seg.nrrd`` gives the names.

    Overlapping segments (a ``.seg.nrrd`` with several layers) do not fit one label map: use
    :func:`axilla.io.exchange.read_mask`.

    Raises
    ------
    InputRefusedError
        If the file is no readable 3D image of whole numbers on a rectangular grid.
    """
    image = _read(path)
    geometry = _geometry(image)
    try:
        return Labels(whole_numbers(sitk.GetArrayFromImage(image)), geometry, _segment_names(metadata(image)))
    except InvalidValueError as error:
        raise InputRefusedError(str(error)) from error


def write_labels(labels: Labels, path: Path) -> None:
    """Write a uint16 label map; into a ``.nrrd`` name also Slicer's segment names."""
    image = _to_sitk(labels.array, labels.geometry)
    if path.name.lower().endswith(".nrrd"):
        for key, value in _slicer_fields(labels).items():
            image.SetMetaData(key, value)
    _write(image, path)


def metadata(image: Any) -> dict[str, str]:
    """The header's key-value pairs."""
    return {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}


def read_layers(path: Path) -> tuple[npt.NDArray[Any], Geometry, dict[str, str]]:
    """Labels as ``(layer, z, y, x)``, their grid and the header: a mask file may hold several overlapping layers.

    Raises
    ------
    InputRefusedError
        As :func:`read_labels`.
    """
    image = _open(path)
    if image.GetDimension() != 3:
        raise InputRefusedError(f"A mask must be a 3D image, but this file is {image.GetDimension()}D; save one volume.")
    array = sitk.GetArrayFromImage(image)
    array = np.moveaxis(array, -1, 0) if image.GetNumberOfComponentsPerPixel() > 1 else array[np.newaxis]
    return whole_numbers(array), _geometry(image), metadata(image)


def whole_numbers(array: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    """The array as uint16.

    Raises
    ------
    InputRefusedError
        If a value is fractional, negative, above 65535 or not finite.
    """
    if array.dtype.kind == "f":
        _check_finite(array)
        if not np.array_equal(array, np.rint(array)):
            raise InputRefusedError(
                "A mask must hold whole-number labels, but this file holds fractions (a probability map or an interpolated "
                "mask?); threshold it first."
            )
    if array.size and (array.min() < 0 or array.max() > np.iinfo(np.uint16).max):
        raise InputRefusedError(f"A mask's labels must lie in 0..65535, but this file holds {array.min()}..{array.max()}.")
    return np.ascontiguousarray(array.astype(np.uint16))


def _open(path: Path) -> Any:
    if not path.is_file():
        raise InputRefusedError(f"There is no image file at {path}; check the path.")
    if not is_image(path):
        raise InputRefusedError(f"An image file's name must end in one of {', '.join(SUFFIXES)}.")
    if path.stat().st_size == 0:
        raise InputRefusedError("The image file is empty; copy it again.")
    check_whole(path)
    reader = _Reader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        _check_directions(reader.GetDirection(), reader.GetDimension())
        image = reader.Execute()
    except RuntimeError as error:
        if "orthonormal" in str(error):
            raise InputRefusedError(
                "The image's axes are not at right angles (sheared or tilted); resample it on a rectangular grid first."
            ) from error
        raise InputRefusedError("The file cannot be read as an image: it is damaged, cut off, or of another format.") from error
    return image


def _read(path: Path) -> Any:
    image = _open(path)
    if image.GetDimension() != 3:
        raise InputRefusedError(
            f"Expected one 3D image, but this file is {image.GetDimension()}D with size {image.GetSize()}; save a single volume."
        )
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise InputRefusedError(
            f"Expected one number per voxel, but this image has {image.GetNumberOfComponentsPerPixel()} (color or vector); "
            "save a scalar volume."
        )
    return image


def _check_directions(direction: tuple[float, ...], dimension: int) -> None:
    matrix = np.asarray(direction).reshape(dimension, dimension)
    if np.abs(matrix.T @ matrix - np.eye(dimension)).max() > 1e-3:
        raise InputRefusedError(
            "The image's axes are not at right angles (sheared or tilted); resample it on a rectangular grid first."
        )


def _geometry(image: Any) -> Geometry:
    x, y, z = image.GetSize()
    rows = np.asarray(image.GetDirection()).reshape(3, 3).tolist()
    try:
        return Geometry((z, y, x), image.GetSpacing(), image.GetOrigin(), tuple(tuple(row) for row in rows))  # type: ignore[arg-type]
    except InvalidValueError as error:
        raise InputRefusedError(f"The image's grid is not usable: {error}") from error


def _check_finite(array: npt.NDArray[Any]) -> None:
    if array.dtype.kind == "c":
        raise InputRefusedError("The image holds complex numbers; a CT or mask holds real ones.")
    if array.dtype.kind != "f":
        return
    bad = ~np.isfinite(array)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0][-3:])
        raise InputRefusedError(
            f"{int(bad.sum())} voxel(s) of the image are NaN or infinite, the first at index (z, y, x) = {first}; "
            "replace them (air is -1024 HU)."
        )


def _check_hu(array: npt.NDArray[Any], settings: ImageSettings) -> None:
    low, high = float(array.min()), float(array.max())
    if low == high:
        raise InputRefusedError(f"The image is empty: every voxel is {low:g}; check the export.")
    if low > settings.highest_air_hu or low < settings.lowest_hu or high > settings.highest_hu:
        raise InputRefusedError(
            f"A CT in HU holds air or fat below {settings.highest_air_hu:g} HU, but this image's values run from {low:g} to "
            f"{high:g}; export the CT in HU, not as a windowed picture, mask or another modality."
        )


def _as_integers(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """int16 or int32 where every value is a whole number, also in a float file: integer CT is its own case in features."""
    if array.dtype.kind == "f" and not np.array_equal(array, np.rint(array)):
        return array
    fits = array.min() >= np.iinfo(np.int16).min and array.max() <= np.iinfo(np.int16).max
    return array.astype(np.int16 if fits else np.int32)


def _marked_synthetic(volume: Volume) -> Volume:
    return replace(volume, acquisition=replace(volume.acquisition, is_synthetic=True))


def _to_sitk(array: npt.NDArray[Any], geometry: Geometry) -> Any:
    image: Any = sitk.GetImageFromArray(np.ascontiguousarray(array))
    image.SetSpacing(geometry.spacing_xyz_mm)
    image.SetOrigin(geometry.origin_xyz_mm)
    image.SetDirection(np.asarray(geometry.direction).ravel().tolist())
    return image


def _write(image: Any, path: Path) -> None:
    if not path.name.lower().endswith(_WRITTEN):
        raise InputRefusedError(f"An image is written as one of {', '.join(_WRITTEN)}; give the file such an ending.")
    with replacing(path) as temporary:
        try:
            sitk.WriteImage(image, str(temporary), useCompression=not path.name.lower().endswith(".nii"))
            check_whole(temporary)  # on a full disk ITK may say nothing
        except (RuntimeError, InputRefusedError) as error:
            raise CannotWriteError(
                f"{path} cannot be written whole; is the disk full? Free space or give another place."
            ) from error


def _segment_names(header: Mapping[str, str]) -> dict[int, str]:
    """Label -> name from Slicer's ``SegmentN_LabelValue`` and ``SegmentN_Name`` fields."""
    names = {}
    for key, value in header.items():
        stem = key.removesuffix("_LabelValue")
        if stem != key and stem.startswith("Segment") and value.strip().isdigit():
            names[int(value)] = header.get(f"{stem}_Name", "")
    return names


def _slicer_fields(labels: Labels) -> dict[str, str]:
    """Slicer's segmentation fields (its documented ``.seg.nrrd`` keys), one shared layer."""
    extent = " ".join(f"0 {size - 1}" for size in labels.geometry.shape_zyx[::-1])
    fields = {
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }
    for number, value in enumerate(labels.values):
        name = labels.names.get(value, str(value))
        fields |= {
            f"Segment{number}_ID": f"Segment_{value}",
            f"Segment{number}_Name": name,
            f"Segment{number}_NameAutoGenerated": "0",
            f"Segment{number}_LabelValue": str(value),
            f"Segment{number}_Layer": "0",
            f"Segment{number}_Extent": extent,
        }
    return fields
