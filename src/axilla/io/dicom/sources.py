"""Folders, files and ZIP archives as a stream of named byte sources; nothing is ever unpacked to disk.

A ZIP member is read in memory, so a hostile member name (``../../x``, an absolute path) has nowhere to escape to; it is
refused all the same and told, because an honest archive holds none.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

from axilla.errors import InputRefusedError

_SKIPPED_NAMES = {".ds_store", "thumbs.db", "desktop.ini", "__macosx"}
_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".iso")
_READ_ERRORS = (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError)


@dataclass(frozen=True)
class SourceSettings:
    """Bounds that keep a hostile or mistaken input from filling memory or time."""

    max_files: int = 200_000
    """Files or archive members looked at in one scan; a large cohort is imported patient by patient."""
    max_unpacked_bytes: int = 64 * 2**30
    """Sum of an archive's unpacked sizes, bytes; a patient's CT examinations with thin slices reach about 10 GiB."""
    max_member_bytes: int = 4 * 2**30
    """Unpacked size of one archive member, bytes, because it is held in memory; an enhanced CT of 2000 slices is 1 GiB."""
    max_ratio: float = 250.0
    """Unpacked over packed size of a whole archive. Real CT compresses 2-6 fold, empty images perhaps 100 fold; a bomb
    more than 1000 fold."""


@dataclass(frozen=True)
class FileSource:
    """One file, or one member of a ZIP archive."""

    path: Path
    member: str = ""
    name: str = field(default="", compare=False)
    """How it is told to the user: relative to what was given, control characters removed."""


@dataclass(frozen=True)
class Unread:
    """A file that was looked at and not used, and why."""

    name: str
    reason: str

    @property
    def may_be_a_slice(self) -> bool:
        """Whether a damaged slice may hide behind it, rather than a file that has nothing to do with the CT."""
        return self.reason not in {"not DICOM", "not a regular file"}


class Opener:
    """Opens file sources; keeps ZIP archives open while in use (a context manager)."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._archives: dict[Path, zipfile.ZipFile] = {}

    def __enter__(self) -> Opener:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def open(self, source: FileSource) -> BinaryIO:
        """A seekable binary stream.

        Raises
        ------
        InputRefusedError
            If the file or member cannot be read (gone, damaged, encrypted).
        """
        try:
            if not source.member:
                return source.path.open("rb")
            if source.path not in self._archives:
                self._archives[source.path] = self._stack.enter_context(zipfile.ZipFile(source.path))
            return BytesIO(self._archives[source.path].read(source.member))
        except _READ_ERRORS as error:
            raise InputRefusedError(f"A file cannot be read ({_plain_reason(error)}); copy it again.") from error


def find_sources(sources: Iterable[Path], settings: SourceSettings) -> Iterator[FileSource | Unread]:
    """Every file and archive member below `sources`, in a fixed order, each once.

    A DICOMDIR given by itself stands for its folder.

    Raises
    ------
    InputRefusedError
        If a source does not exist, an archive is damaged, or a bound is passed.
    """
    seen: set[Path] = set()
    count = 0
    for given in sources:
        root = given.parent if given.name.upper() == "DICOMDIR" and given.is_file() else given
        if not root.exists():
            raise InputRefusedError(f"There is no file or folder at {given}; check the path.")
        for path in _walk(root):
            real = path.resolve()
            if real in seen:
                continue
            seen.add(real)
            for item in _expand(path, root, settings):
                count += 1
                if count > settings.max_files:
                    raise InputRefusedError(
                        f"More than {settings.max_files} files were found, which is the bound; give a smaller folder or archive."
                    )
                yield item


def printable(name: str) -> str:
    """A file name without control characters (they could rewrite a terminal), at most 200 characters."""
    return "".join(c if c.isprintable() else "�" for c in name)[-200:]


def _walk(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, folders, files in os.walk(root, followlinks=False):
        folders[:] = sorted(f for f in folders if f.lower() not in _SKIPPED_NAMES)
        for name in sorted(files):
            if name.lower() not in _SKIPPED_NAMES and not name.startswith("._"):
                yield Path(folder) / name


def _expand(path: Path, root: Path, settings: SourceSettings) -> Iterator[FileSource | Unread]:
    name = printable(path.name if path == root else path.relative_to(root).as_posix())
    if not path.is_file():
        yield Unread(name, "not a regular file")
    elif _is_zip(path):
        yield from _members(path, name, settings, is_given=path == root)
    else:
        yield FileSource(path, name=name)


def _is_zip(path: Path) -> bool:
    """By its first bytes, or its name; not by a ZIP directory at its end, which a DICOM file may carry by accident."""
    try:
        with path.open("rb") as stream:
            start = stream.read(4)
    except OSError:
        return False
    return start in {b"PK\x03\x04", b"PK\x05\x06"} or path.suffix.lower() == ".zip"


def _members(path: Path, name: str, settings: SourceSettings, is_given: bool) -> Iterator[FileSource | Unread]:
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except _READ_ERRORS as error:
        if is_given:
            raise InputRefusedError("The ZIP archive is damaged or cut off; copy or download it again.") from error
        yield Unread(name, "damaged ZIP archive")
        return
    _check_bounds(infos, settings)
    for info in sorted((i for i in infos if not i.is_dir()), key=lambda i: i.filename):
        parts = PurePosixPath(info.filename).parts
        if any(p.lower() in _SKIPPED_NAMES or p.startswith("._") for p in parts):
            continue
        member = printable(info.filename if is_given else f"{name}/{info.filename}")
        reason = _refusal(info, settings)
        yield Unread(member, reason) if reason else FileSource(path, info.filename, member)


def _check_bounds(infos: list[zipfile.ZipInfo], settings: SourceSettings) -> None:
    unpacked, packed = sum(i.file_size for i in infos), sum(i.compress_size for i in infos)
    if len(infos) > settings.max_files:
        raise InputRefusedError(
            f"The ZIP archive names {len(infos)} files, more than the bound of {settings.max_files}; split it by patient."
        )
    if unpacked > settings.max_unpacked_bytes:
        raise InputRefusedError(
            f"The ZIP archive unpacks to {unpacked / 2**30:.3g} GiB, more than the bound of "
            f"{settings.max_unpacked_bytes / 2**30:.3g} GiB; split it by patient."
        )
    if unpacked > 2**24 and unpacked > settings.max_ratio * max(packed, 1):
        raise InputRefusedError(
            f"The ZIP archive unpacks to {unpacked / max(packed, 1):.0f} times its size, which no CT does; it is not opened."
        )


def _refusal(info: zipfile.ZipInfo, settings: SourceSettings) -> str:
    """Why a member is not read; empty when it is."""
    name = info.filename
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if name.startswith(("/", "\\")) or ".." in parts or PureWindowsPath(name).drive:
        return "its name points outside the archive"
    if info.flag_bits & 0x1:
        return "encrypted; unpack the archive with its password first"
    if info.file_size > settings.max_member_bytes:
        return f"unpacks to more than {settings.max_member_bytes / 2**30:.3g} GiB"
    if name.lower().endswith(_ARCHIVES):
        return "an archive inside the archive; unpack the outer one first"
    return ""


def _plain_reason(error: BaseException) -> str:
    """The kind of failure without the path that the system's own message would show."""
    return "damaged archive" if isinstance(error, zipfile.BadZipFile) else (getattr(error, "strerror", None) or "damaged")
