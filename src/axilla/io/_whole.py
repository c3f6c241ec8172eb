"""Whether an image file is whole.

ITK fills what is missing of a cut-off NIfTI file, or of a damaged compressed MetaImage, with whatever lies in memory and says
nothing (measured with SimpleITK 2.5), so completeness is checked here, before ITK reads.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from axilla.errors import InputRefusedError

_CHUNK = 1 << 20
_NIFTI1_BYTES, _NIFTI2_BYTES = 348, 540


def check_whole(path: Path) -> None:
    """Read a NIfTI, NRRD or MetaImage file to its end and compare with what its header announces.

    Raises
    ------
    InputRefusedError
        If bytes are missing or a checksum does not fit.
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
    except (OSError, EOFError, zlib.error, struct.error):
        is_whole = False
    if not is_whole:
        raise InputRefusedError("The image file is damaged or cut off: it holds less than its header announces; copy it again.")


def _nifti_is_whole(stream: BinaryIO) -> bool:
    header = stream.read(_NIFTI2_BYTES)
    order = next((o for o in "<>" if struct.unpack(o + "i", header[:4])[0] in {_NIFTI1_BYTES, _NIFTI2_BYTES}), "")
    if not order:
        return False
    if struct.unpack(order + "i", header[:4])[0] == _NIFTI1_BYTES:
        sizes = struct.unpack(order + "8h", header[40:56])
        bits, start = struct.unpack(order + "h", header[72:74])[0], struct.unpack(order + "f", header[108:112])[0]
        is_single_file = header[344:347] == b"n+1"
    else:
        sizes = struct.unpack(order + "8q", header[16:80])
        bits, start = struct.unpack(order + "h", header[14:16])[0], struct.unpack(order + "q", header[168:176])[0]
        is_single_file = header[4:7] == b"n+2"
    needed = bits // 8
    for size in sizes[1 : 1 + sizes[0]]:
        needed *= max(1, size)
    found = len(header)
    while chunk := stream.read(_CHUNK):
        found += len(chunk)
    return not is_single_file or found >= int(start) + needed


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
