"""Copying files into a study: whole or not at all, and not again what is there."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from axilla.errors import CannotWriteError, InputRefusedError
from axilla.io.files import replacing

_CHUNK = 2**20


def copy_file(source: Path, target: Path) -> bool:
    """Copy `source` to `target`, unless it lies there already with the same bytes; True where it was copied.

    Raises
    ------
    InputRefusedError
        If `source` cannot be read to its end (a disc that was ejected or is scratched).
    CannotWriteError
        If `target` cannot be written (disk full); nothing of it is then left.
    """
    if target.is_file() and _size(source) == target.stat().st_size and _digest(source) == _digest(target):
        return False
    with replacing(target) as temporary, temporary.open("wb") as stream:
        for chunk in _chunks(source):
            stream.write(chunk)
    return True


def check_space(folder: Path, copies: Mapping[Path, Path]) -> None:
    """Tell, before the first of `copies` (target by source) is made, that `folder` has no room for all of them.

    Raises
    ------
    CannotWriteError
        If so.
    """
    needed = sum(_size(source) for source, target in copies.items() if not target.is_file())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise CannotWriteError(
            f"{len(copies)} files are to be copied, which takes {needed / 1e9:.3g} GB, but {folder} has {free / 1e9:.3g} GB "
            "free; free space, or make the study on another disk."
        )


def _size(source: Path) -> int:
    try:
        return source.stat().st_size
    except OSError as error:
        raise _unreadable(error) from error


def _digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    for chunk in _chunks(path):
        digest.update(chunk)
    return digest.digest()


def _chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file; its trouble is told apart from that of the file that is written."""
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> InputRefusedError:
    return InputRefusedError(
        f"A file to copy cannot be read any more ({error.strerror or 'unreadable'}); put the disc back or clean it, and import "
        "again: what was copied stays."
    )
