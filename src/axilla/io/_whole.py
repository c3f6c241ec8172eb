"""Whether an image file is whole.

ITK fills what is missing of a cut-off NIfTI file, or of a damaged compressed MetaImage, with whatever lies in memory, and
reads NaN and infinity in a NIfTI file as 0, which is soft tissue; it says nothing (measured with SimpleITK 2.5). So both are
checked here, before ITK reads.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from axilla.errors import InputRefusedError

_CHUNK = 1 << 20
_NIFTI1_BYTES, _NIFTI2_BYTES = 348, 540
_FLOATS = {16: "f4", 64: "f8"}
"""NIfTI's numbers of its floating-point types."""


def check_whole(path: Path) -> None:
    """Read a NIfTI, NRRD or MetaImage file to its end and compare with what its header announces.

    Raises
    ------
    InputRefusedError
        If bytes are missing, a checksum does not fit, or a NIfTI file holds values that are not finite.
    """
    name = path.name.lower()
    try:
        if name.endswith((".nii", ".nii.gz")):
            with path.open("rb") as raw:
                is_gzip = raw.read(2) == b"\x1f\x8b"
            with gzip.open(path, "rb") if is_gzip else path.open("rb") as stream:
                is_whole = _nifti_is_whole(stream)  # type: ignore[arg-type]
        elif name.endswith((".mha", ".nrrd")):
            with path.open("rb") as stream:
                is_whole = _compressed_part_is_whole(stream)
        else:
            return
    except (OSError, EOFError, ValueError, OverflowError, zlib.error, struct.error):
        is_whole = False
    if not is_whole:
        raise InputRefusedError("The image file is damaged or cut off: it holds less than its header announces; copy it again.")


@dataclass(frozen=True)
class _NiftiHeader:
    """What a NIfTI-1 or NIfTI-2 header says of the values that follow."""

    n_bytes: int
    start: int
    dtype: np.dtype[np.floating[Any]] | None
    """Of floating-point values; None for others."""
    is_single_file: bool


def _nifti_is_whole(stream: BinaryIO) -> bool:
    header = _nifti_header(stream.read(_NIFTI2_BYTES))
    if header is None:
        return False
    if header.is_single_file:
        stream.seek(header.start)
    found, n_bad = 0, 0
    while chunk := stream.read(_CHUNK):
        found += len(chunk)
        if header.dtype is not None:
            values = np.frombuffer(chunk[: len(chunk) // header.dtype.itemsize * header.dtype.itemsize], header.dtype)
            n_bad += int(np.count_nonzero(~np.isfinite(values)))
    if n_bad:
        raise InputRefusedError(f"{n_bad} voxel(s) of the image are NaN or infinite; replace them (air is -1024 HU).")
    return not header.is_single_file or found >= header.n_bytes


def _nifti_header(header: bytes) -> _NiftiHeader | None:
    order = next((o for o in "<>" if struct.unpack(o + "i", header[:4])[0] in {_NIFTI1_BYTES, _NIFTI2_BYTES}), "")
    if not order:
        return None
    if struct.unpack(order + "i", header[:4])[0] == _NIFTI1_BYTES:
        sizes = struct.unpack(order + "8h", header[40:56])
        (kind, bits), (start,) = struct.unpack(order + "2h", header[70:74]), struct.unpack(order + "f", header[108:112])
        is_single_file = header[344:347] == b"n+1"
    else:
        sizes = struct.unpack(order + "8q", header[16:80])
        (kind, bits), (start,) = struct.unpack(order + "2h", header[12:16]), struct.unpack(order + "q", header[168:176])
        is_single_file = header[4:7] == b"n+2"
    n_bytes = bits // 8
    for size in sizes[1 : 1 + sizes[0]]:
        n_bytes *= max(1, size)
    dtype = np.dtype(order + _FLOATS[kind]) if kind in _FLOATS else None
    return _NiftiHeader(n_bytes, max(0, int(start)), dtype, is_single_file)


def _compressed_part_is_whole(stream: BinaryIO) -> bool:
    """Compressed MetaImage and NRRD data end with their own checksum; ITK notices short uncompressed data itself."""
    is_compressed = False
    for _ in range(100_000):
        line = stream.readline(1 << 16)
        if not line:
            return False
        key, _, value = (part.strip().lower() for part in line.replace(b":", b"=", 1).partition(b"="))
        is_compressed |= (key, value) in {(b"compresseddata", b"true"), (b"encoding", b"gzip"), (b"encoding", b"gz")}
        if key == b"elementdatafile" or not line.strip():
            break
    unpacker = zlib.decompressobj(wbits=47)
    while is_compressed and not unpacker.eof and (chunk := stream.read(_CHUNK)):
        unpacker.decompress(chunk)
    return unpacker.eof or not is_compressed
