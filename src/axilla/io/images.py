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
from axilla.io import _nifti
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
    must_be_hu: bool = True
    """Whether an image that does not look like HU is refused, or kept with a warning. A small crop around a node holds no
    air, and features may be asked of other images."""
    keep_floats: bool = False
    """Whether a file of floats stays floats though every value is a whole number. PyRadiomics goes by the file's type:
    it cuts values between the voxels to whole numbers only where the file holds integers."""


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
    settings = settings or ImageSettings()
    image = _read(path)
    array = image.array
    _check_finite(array)
    doubt = _doubt_about_hu(array, settings)
    if doubt and settings.must_be_hu:
        raise InputRefusedError(doubt)
    volume = Volume(_as_integers(array, settings.keep_floats), _geometry(image), warnings=(doubt,) if doubt else ())
    if any(_SYNTHETIC_WORD in image.metadata.get(key, "") for key in _SYNTHETIC_KEYS):
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
        return Labels(whole_numbers(image.array), geometry, _segment_names(image.metadata))
    except InvalidValueError as error:
        raise InputRefusedError(str(error)) from error


def write_labels(labels: Labels, path: Path) -> None:
    """Write a uint16 label map; into a ``.nrrd`` name also Slicer's segment names."""
    image = _to_sitk(labels.array, labels.geometry)
    if path.name.lower().endswith(".nrrd"):
        for key, value in _slicer_fields(labels).items():
            image.SetMetaData(key, value)
    _write(image, path)


def read_layers(path: Path) -> tuple[npt.NDArray[Any], Geometry, dict[str, str]]:
    """Labels as ``(layer, z, y, x)``, their grid and the header: a mask file may hold several overlapping layers.

    Raises
    ------
    InputRefusedError
        As :func:`read_labels`.
    """
    image = _open(path)
    if image.dimension not in (3, 4):
        raise InputRefusedError(f"A mask must be a 3D image, but this file is {image.dimension}D; save one volume.")
    array = np.moveaxis(image.array, -1, 0) if image.n_components > 1 else image.array
    return whole_numbers(array.reshape(-1, *array.shape[-3:])), _geometry(image), image.metadata


@dataclass(frozen=True)
class _Opened:
    """An image file: what ITK says of its grid, and its voxels.

    Parameters
    ----------
    header : SimpleITK's reader or image
        Size, spacing, origin, direction and metadata.
    array : ndarray
        Voxels, indices reversed; components, where a voxel has several, along a last axis.
    """

    header: Any
    array: npt.NDArray[Any]

    @property
    def dimension(self) -> int:
        """Number of axes."""
        return int(self.header.GetDimension())

    @property
    def n_components(self) -> int:
        """Numbers per voxel."""
        return int(self.array.shape[-1]) if self.array.ndim > self.dimension else 1

    @property
    def metadata(self) -> dict[str, str]:
        """The header's key-value pairs."""
        return {key: self.header.GetMetaData(key) for key in self.header.GetMetaDataKeys()}


class _Voxels:
    """Hands NumPy an ITK image's own memory, because a CT is large, and keeps the image alive as long as an array looks at it."""

    def __init__(self, image: Any) -> None:
        self._image = image
        self.__array_interface__ = sitk.GetArrayViewFromImage(image).__array_interface__


def whole_numbers(array: npt.NDArray[Any]) -> npt.NDArray[np.unsignedinteger[Any]]:
    """The array as uint8 or uint16, not copied where it already is.

    Raises
    ------
    InputRefusedError
        If a value is fractional, negative, above 65535 or not finite.
    """
    if array.dtype in (np.uint8, np.uint16):
        return array
    _check_finite(array)
    low, high = (array.min(), array.max()) if array.size else (0, 0)
    if array.dtype.kind == "f" and not _is_whole(array):
        between = "values between 0 and 1: probabilities" if low >= 0 and high <= 1 else f"fractions in {low:g}..{high:g}"
        raise InputRefusedError(
            f"A mask must hold whole-number labels, but this file holds {between}, not a drawn mask; threshold it first."
        )
    if low < 0 or high > np.iinfo(np.uint16).max:
        raise InputRefusedError(f"A mask's labels must lie in 0..65535, but this file holds {low:g}..{high:g}; number them anew.")
    return array.astype(np.uint16)


def _open(path: Path) -> _Opened:
    if not path.is_file():
        raise InputRefusedError(f"There is no image file at {path}; check the path.")
    if not is_image(path):
        raise InputRefusedError(f"An image file's name must end in one of {', '.join(SUFFIXES)}.")
    if path.stat().st_size == 0:
        raise InputRefusedError("The image file is empty; copy it again.")
    values = None
    if path.name.lower().endswith((".nii", ".nii.gz")):
        values = _nifti.scan(path, keep=True)
    else:
        check_whole(path)
    reader = _Reader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        _check_directions(reader.GetDirection(), reader.GetDimension())
        if values is not None and values.size == np.prod(reader.GetSize()):
            return _Opened(reader, values.reshape(reader.GetSize()[::-1]))
        image = reader.Execute()
    except RuntimeError as error:
        if "orthonormal" in str(error):
            raise InputRefusedError(
                "The image's axes are not at right angles (sheared or tilted); resample it on a rectangular grid first."
            ) from error
        raise InputRefusedError("The file cannot be read as an image: it is damaged, cut off, or of another format.") from error
    return _Opened(image, np.asarray(_Voxels(image)))


def _read(path: Path) -> _Opened:
    image = _open(path)
    if image.dimension != 3:
        raise InputRefusedError(
            f"Expected one 3D image, but this file is {image.dimension}D with size {image.header.GetSize()}; save one volume."
        )
    if image.n_components != 1:
        raise InputRefusedError(
            f"Expected one number per voxel, but this image has {image.n_components} (color or vector); save a scalar volume."
        )
    return image


def _check_directions(direction: tuple[float, ...], dimension: int) -> None:
    matrix = np.asarray(direction).reshape(dimension, dimension)
    if np.abs(matrix.T @ matrix - np.eye(dimension)).max() > 1e-3:
        raise InputRefusedError(
            "The image's axes are not at right angles (sheared or tilted); resample it on a rectangular grid first."
        )


def _geometry(image: _Opened) -> Geometry:
    """The grid of a 3D image, or of each volume of a 4D one."""
    header, n = image.header, image.dimension
    x, y, z = header.GetSize()[:3]
    rows = np.asarray(header.GetDirection()).reshape(n, n)[:3, :3].tolist()
    try:
        return Geometry((z, y, x), header.GetSpacing()[:3], header.GetOrigin()[:3], tuple(tuple(row) for row in rows))  # type: ignore[arg-type]
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


def _doubt_about_hu(array: npt.NDArray[Any], settings: ImageSettings) -> str:
    """Why the image is no CT in HU; empty where it may be one."""
    low, high = float(array.min()), float(array.max())
    if low == high:
        return f"The image is empty: every voxel is {low:g}; check the export."
    if low > settings.highest_air_hu or low < settings.lowest_hu or high > settings.highest_hu:
        return (
            f"A CT in HU holds air or fat below {settings.highest_air_hu:g} HU, but this image's values run from {low:g} to "
            f"{high:g}; export the CT in HU, not as a windowed picture, mask or another modality."
        )
    return ""


def _as_integers(array: npt.NDArray[Any], keep_floats: bool) -> npt.NDArray[Any]:
    """The smallest integer type where every value is a whole number: integer CT is its own case in features."""
    if array.dtype.kind == "f" and (keep_floats or not _is_whole(array)):
        return array
    low, high = array.min(), array.max()
    fitting = (kind for kind in (np.int16, np.int32) if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    return array.astype(next(fitting, np.int64), copy=False)


def _is_whole(array: npt.NDArray[Any]) -> bool:
    """Whether every value is a whole number; asked slice by slice, because a copy of a CT is large."""
    return all(np.array_equal(array[index], np.rint(array[index])) for index in np.ndindex(array.shape[:-2]))


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
