"""Whether an image file is whole.

ITK fills what is missing of a damaged compressed MetaImage with whatever lies in memory and says nothing (measured with SimpleITK
2.5), so completeness is checked here, before ITK reads. NIfTI has a module of its own.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import BinaryIO

from axilla.errors import InputRefusedError
from axilla.io import _nifti

_CHUNK = 1 << 20


def check_whole(path: Path) -> None:
    """Read a NIfTI, NRRD or MetaImage file to its end and compare with what its header announces.

    Raises
    ------
    InputRefusedError
        If bytes are missing, a checksum does not fit, or a NIfTI file holds values that are not finite.
    """
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        _nifti.scan(path, keep=False)
        return
    if not name.endswith((".mha", ".nrrd")):
        return
    try:
        with path.open("rb") as stream:
            is_whole = _compressed_part_is_whole(stream)
    except (OSError, zlib.error):
        is_whole = False
    if not is_whole:
        raise InputRefusedError("The image file is damaged or cut off: it holds less than its header announces; copy it again.")


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
