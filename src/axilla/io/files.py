"""Writing files so that nothing is ever half-written: a temporary name, flushed to disk, then renamed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from axilla.errors import CannotWriteError


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path`, on failure it is removed.

    `durable` waits until the disk has it; leave it out for many small files that can be made again. The temporary name keeps
    the suffixes, because image libraries choose the format by them.

    Raises
    ------
    CannotWriteError
        If the disk is full, the folder cannot be written to, or a folder stands where the file should.
    """
    with replacing_together(path, durable=durable) as (temporary,):
        yield temporary


@contextlib.contextmanager
def replacing_together(*paths: Path, durable: bool = True) -> Iterator[tuple[Path, ...]]:
    """As :func:`replacing`, for files that belong together: all are on the disk before the first is renamed.

    Raises
    ------
    CannotWriteError
        As :func:`replacing`.
    """
    temporaries = tuple(path.with_name(f".{uuid.uuid4().hex}.{path.name}") for path in paths)
    path = paths[0]
    try:
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
        yield temporaries
        for temporary in temporaries if durable else ():
            with temporary.open("rb+") as stream:
                os.fsync(stream.fileno())
        for path, temporary in zip(paths, temporaries, strict=True):
            temporary.replace(path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        for temporary in temporaries:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `folder`; on success its files replace those of `folder`, on failure nothing is left.

    Raises
    ------
    CannotWriteError
        If the disk is full, or `folder` cannot be written to.
    """
    temporary = folder.absolute().parent / f".{uuid.uuid4().hex}"  # a rename needs the same disk
    try:
        temporary.mkdir(parents=True)
        yield temporary
        for path in sorted(temporary.rglob("*")):
            target = folder / path.relative_to(temporary)
            if path.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that a killed run left in `folder`; only for a folder no other process writes to."""
    for path in folder.rglob(".*"):
        if re.fullmatch(r"\.[0-9a-f]{32}(\..*)?", path.name):
            path.unlink()


def check_can_write(path: Path, *, folder: bool = False) -> None:
    """Try, before long work, whether `path` (a file, or with `folder` a folder to fill) can be written; leaves nothing behind.

    Raises
    ------
    CannotWriteError
        If not.
    """
    wanted = path if folder else path.parent
    if not folder and path.is_dir():
        raise CannotWriteError(f"{path} is a folder, but a file is to be written there; give a file name.")
    try:
        existing = next(place for place in (wanted, *wanted.absolute().parents) if place.exists())
        if not existing.is_dir():
            raise CannotWriteError(f"{existing} is a file, but a folder is needed there; give another place.")
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> CannotWriteError:
    return CannotWriteError(f"{path} cannot be written ({error.strerror or error}); free space or give another place.")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with Unix line ends."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """Write JSON, indented, keys in the order given; NaN and infinity are refused because JSON has no word for them."""
    write_text(path, json_text(value))


def json_text(value: Any) -> str:
    """JSON as :func:`write_json` writes it."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
