"""NIfTI files read to their end in one pass.

ITK fills what is missing of a cut-off file with whatever lies in memory, reads NaN and infinity as 0, which is soft tissue, and
says nothing of either; and it holds the voxels twice while it reads (measured with SimpleITK 2.5). So every byte is looked at
here, and the voxels of a plain file are kept; where ITK would convert them (scaled values, pairs of files, vectors), it reads
them again.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from axilla.errors import InputRefusedError

_CHUNK = 1 << 20
_NIFTI1_BYTES, _NIFTI2_BYTES = 348, 540
_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
"""NIfTI's numbers of the types of plain values."""


@dataclass(frozen=True)
class _Header:
    """What a NIfTI-1 or NIfTI-2 header says of the values that follow."""

    sizes: tuple[int, ...]
    bits: int
    dtype: np.dtype[Any] | None
    """Of plain values; None for complex numbers, colors and the like."""
    start: int
    is_single_file: bool
    is_scaled: bool

    @property
    def n_values(self) -> int:
        """Number of values announced."""
        return int(np.prod([max(1, size) for size in self.sizes], dtype=object))

    @property
    def is_plain(self) -> bool:
        """Whether the file's values are the image's."""
        return self.dtype is not None and self.is_single_file and not self.is_scaled and len(self.sizes) <= 4


def scan(path: Path, *, keep: bool) -> npt.NDArray[Any] | None:
    """Read a NIfTI file to its end.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``.
    keep : bool
        Whether the values are wanted.

    Returns
    -------
    ndarray or None
        The values, flat, in the file's order; None if they are not wanted, or not what the image holds.

    Raises
    ------
    InputRefusedError
        If bytes are missing, a checksum does not fit, or a value is not finite.
    """
    try:
        with path.open("rb") as raw:
            is_gzip = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if is_gzip else path.open("rb") as stream:
            values, n_bad = _values(stream, keep)  # type: ignore[arg-type]
    except (OSError, EOFError, ValueError, OverflowError, MemoryError, zlib.error, struct.error) as error:
        raise InputRefusedError(
            "The image file is damaged or cut off: it holds less than its header announces; copy it again."
        ) from error
    if n_bad:
        raise InputRefusedError(f"{n_bad} voxel(s) of the image are NaN or infinite; replace them (air is -1024 HU).")
    return values


def _values(stream: BinaryIO, keep: bool) -> tuple[npt.NDArray[Any] | None, int]:
    """The values if they are wanted, and how many are not finite; ValueError where the file is not whole."""
    header = _header(stream.read(_NIFTI2_BYTES))
    if header.is_single_file:
        stream.seek(header.start)
    values = np.empty(header.n_values, header.dtype) if keep and header.is_plain else None
    needed = header.n_values * header.bits // 8 if header.is_single_file else 0
    place = values.view(np.uint8).data if values is not None else None
    found, n_bad = 0, 0
    while True:
        chunk = bytearray(_CHUNK) if place is None or found >= needed else place[found : found + _CHUNK]
        n = stream.readinto(chunk)  # type: ignore[attr-defined]
        if not n:
            break
        n_bad += _not_finite(memoryview(chunk)[: min(n, max(0, needed - found))], header.dtype)
        found += n
    if found < needed:
        raise ValueError("bytes are missing")
    return (None if values is None else _native(values)), n_bad


def _not_finite(part: memoryview, dtype: np.dtype[Any] | None) -> int:
    if dtype is None or dtype.kind != "f":
        return 0
    return int(np.count_nonzero(~np.isfinite(np.frombuffer(part[: len(part) // dtype.itemsize * dtype.itemsize], dtype))))


def _native(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same values in this machine's byte order, in place."""
    if values.dtype.isnative:
        return values
    return values.byteswap(inplace=True).view(values.dtype.newbyteorder("="))


def _header(data: bytes) -> _Header:
    order = next((o for o in "<>" if struct.unpack(o + "i", data[:4])[0] in {_NIFTI1_BYTES, _NIFTI2_BYTES}), "")
    if not order:
        raise ValueError("not a NIfTI header")
    is_first = struct.unpack(order + "i", data[:4])[0] == _NIFTI1_BYTES
    if is_first:
        sizes = struct.unpack(order + "8h", data[40:56])
        (kind, bits), (start, slope, inter) = struct.unpack(order + "2h", data[70:74]), struct.unpack(order + "3f", data[108:120])
    else:
        sizes = struct.unpack(order + "8q", data[16:80])
        (kind, bits), (start,) = struct.unpack(order + "2h", data[12:16]), struct.unpack(order + "q", data[168:176])
        slope, inter = struct.unpack(order + "2d", data[176:192])
    return _Header(
        sizes=sizes[1 : 1 + sizes[0]],
        bits=bits,
        dtype=np.dtype(order + _TYPES[kind]) if kind in _TYPES else None,
        start=max(0, int(start)),
        is_single_file=(data[344:347] == b"n+1") if is_first else (data[4:7] == b"n+2"),
        is_scaled=slope != 0 and (slope, inter) != (1, 0),
    )
