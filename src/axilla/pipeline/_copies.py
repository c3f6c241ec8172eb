"""Bringing a patient's files into the study: from discs and sticks always, from elsewhere when asked.

The copies bear pseudonyms and hashes in their names; what is in them stays as it was.
"""

from __future__ import annotations

import functools
import hashlib
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from axilla.io.copies import check_space, copy_file
from axilla.io.database import MaskRow, SeriesRow
from axilla.io.dicom import Series
from axilla.io.disks import REMOVABLE, kind_of_disk, mount_of, mounts
from axilla.io.files import remove_leftovers
from axilla.io.images import SUFFIXES
from axilla.io.study import StudyFolder
from axilla.pipeline._progress import Progress

_DETACHED = (".nhdr", ".mhd")
"""Images whose voxels lie in a second file."""


@dataclass(frozen=True)
class Brought:
    """Where each file lies now, as the catalog names it; how many files and how many of them were copied."""

    places: Mapping[str, str]
    n_copied: int

    def series(self, rows: Iterable[SeriesRow]) -> list[SeriesRow]:
        """`rows` with the copies in place of what was copied."""
        return [replace(row, files=tuple(dict.fromkeys(self.places.get(name, name) for name in row.files))) for row in rows]

    def masks(self, rows: Mapping[str, MaskRow]) -> dict[str, MaskRow]:
        """`rows` with the copies in place of what was copied."""
        return {name: replace(row, path=self.places.get(row.path, row.path)) for name, row in rows.items()}

    @property
    def lines(self) -> tuple[str, ...]:
        """What to say of it."""
        if not self.places:
            return ()
        there = len(self.places) - self.n_copied
        return (f"{self.n_copied} files copied into the study" + (f", {there} were there already" if there else ""),)


def bring(
    folder: StudyFolder,
    found: Mapping[str, Sequence[Series]],
    masks: Mapping[str, MaskRow],
    *,
    copy_all: bool,
    progress: Progress,
) -> Brought:
    """Copy the CT files and masks that lie on a removable disk other than the study's own, or all; by patient's pseudonym.

    Raises
    ------
    InputRefusedError
        If a file cannot be read any more; what was copied stays, and importing again goes on.
    CannotWriteError
        If the study's disk has no room.
    """
    choice = _Choice(folder.root.resolve(), copy_all)
    copies = {source: target for name, series in found.items() for source, target in _of_series(folder, name, series).items()}
    copies |= {Path(row.path): _of_mask(folder, row) for row in masks.values() if _is_one_file(row)}
    copies = {source: target for source, target in copies.items() if choice.is_copied(source)}
    if copies:
        check_space(folder.root, copies)
        folder.dicom.mkdir(mode=0o700, exist_ok=True)  # what is in the files tells who the patients are
        folder.masks.mkdir(mode=0o700, exist_ok=True)
        remove_leftovers(folder.dicom)
    n_copied = 0
    for place, (source, target) in enumerate(copies.items()):
        progress("copy files", place, len(copies))
        n_copied += copy_file(source, target)
    if copies:
        progress("copy files", len(copies), len(copies))
    return Brought({str(source): str(target) for source, target in copies.items()}, n_copied)


class _Choice:
    """Which files are copied."""

    def __init__(self, root: Path, copy_all: bool) -> None:
        self._root, self._copy_all, self._mounts = root, copy_all, mounts()
        self._own = mount_of(root, self._mounts)
        self._on_disc = functools.cache(self._is_on_disc)

    def is_copied(self, source: Path) -> bool:
        """Whether this file is."""
        return not source.is_relative_to(self._root) and (self._copy_all or self._on_disc(source.parent))

    def _is_on_disc(self, folder: Path) -> bool:
        return mount_of(folder, self._mounts) != self._own and kind_of_disk(folder, self._mounts) == REMOVABLE


def _of_series(folder: StudyFolder, name: str, series: Sequence[Series]) -> dict[Path, Path]:
    """Where a patient's CT files go: ``dicom/P0001/<series>/<image>.dcm``; archives, which may hold several patients, beside."""
    copies: dict[Path, Path] = {}
    taken: set[Path] = set()
    for one in (one for one in series if one.is_ct):
        for item in one.slices:
            source = item.source.path
            if source in copies:
                continue
            if item.source.member:
                target = folder.dicom / "archives" / f"{_hashed(*_listed(source))}.zip"
            else:
                target = folder.dicom / name / _hashed(one.series_uid) / f"{_hashed(item.sop_instance_uid)}.dcm"
            while target in taken:  # an image that lies there twice is told when it is read, as it would be where it lay
                target = target.with_name(f"{target.stem}-{target.suffix}")
            copies[source] = target
            taken.add(target)
    return copies


def _listed(archive: Path) -> list[str]:
    """What an archive lists; it tells archives apart without reading all of them."""
    with zipfile.ZipFile(archive) as opened:
        return [f"{info.filename} {info.file_size} {info.CRC}" for info in opened.infolist()]


def _is_one_file(row: MaskRow) -> bool:
    """Whether a mask can be copied; one cataloged earlier may be gone, which the run tells."""
    return Path(row.path).is_file() and not row.path.lower().endswith(_DETACHED)


def _of_mask(folder: StudyFolder, row: MaskRow) -> Path:
    """Where a mask goes: ``masks/P0001.seg.nrrd``."""
    name = row.path.lower()
    ending = next((ending for ending in SUFFIXES if name.endswith(ending)), ".dcm")
    slicer = ".seg" if name.endswith(f".seg{ending}") else ""
    return folder.masks / f"{row.patient_id}{slicer}{ending}"


def _hashed(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]
