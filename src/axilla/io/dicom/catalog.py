"""Scan sources for DICOM and sort what is found into series.

1. Every file is opened once, its header read, its pixels left alone.
2. Slices of one patient and SeriesInstanceUID are split where the header says that they are different images: other image
   type, size, pixel spacing, kernel, orientation.
3. Where slices of a stack still share a position, the stack is split by acquisition, temporal or cardiac phase, if that
   resolves it; otherwise it stays whole and the reader refuses it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from axilla.errors import InputRefusedError
from axilla.io.dicom.headers import CT_CLASSES, NotUsableError, SliceHeader, quiet, read_dataset, read_slices
from axilla.io.dicom.sources import FileSource, Opener, SourceSettings, Unread, find_sources
from axilla.volume import FloatArray

Progress = Callable[[int], None]
"""Told the number of files looked at so far."""

_SAME_ORIENTATION_COSINE = np.cos(np.deg2rad(2.0))
"""Slices whose axes differ by less are taken for one stack; the reader is stricter and refuses a drifting one."""

_SAME_POSITION_MM = 1e-3


@dataclass(frozen=True)
class SeriesInfo:
    """What a person needs to tell series apart, without identities (the series UID is there to be named in a choice)."""

    series_uid: str
    series_number: int
    description: str
    modality: str
    n_slices: int
    image_type: tuple[str, ...]
    kernel: str
    slice_thickness_mm: float | None
    slice_spacing_mm: float | None
    z_extent_mm: float
    """From the first to the last slice's outer face, along the slice normal."""
    field_of_view_mm: float
    plane: str
    """``axial``, ``coronal``, ``sagittal`` or empty."""
    has_contrast_tag: bool
    enhancement_hu: float | None = None
    """Measured in the middle of the chest; ``None`` where not measured."""
    reason: str = ""
    """Why the series was not chosen; empty for the chosen one."""


@dataclass(frozen=True)
class Series:
    """Slices of one stack, not yet read. `part` numbers the stacks of one SeriesInstanceUID from 1."""

    slices: tuple[SliceHeader, ...]
    part: int = 1
    n_parts: int = 1
    has_mixed_orientations: bool = False
    """Another stack of the same UID differs in nothing but its orientation."""

    @property
    def first(self) -> SliceHeader:
        """A representative slice."""
        return self.slices[0]

    @property
    def series_uid(self) -> str:
        """The SeriesInstanceUID."""
        return self.first.series_uid

    @property
    def choice_id(self) -> str:
        """What the user names to choose it: the UID, with ``#part`` where one UID holds several stacks."""
        return self.series_uid if self.n_parts == 1 else f"{self.series_uid}#{self.part}"

    @property
    def patient_key(self) -> str:
        """Hash that tells patients apart."""
        return self.first.patient_key

    @property
    def is_ct(self) -> bool:
        """Whether the slices are CT images."""
        return self.first.sop_class in CT_CLASSES and self.first.modality in {"CT", ""}

    def offsets_mm(self) -> FloatArray | None:
        """Positions ``(n,)`` along the slice normal, mm; ``None`` where a slice has no position."""
        normal = normal_of(self.first)
        if normal is None or any(s.position_xyz_mm is None for s in self.slices):
            return None
        return np.array([s.position_xyz_mm for s in self.slices], dtype=np.float64) @ normal

    @property
    def info(self) -> SeriesInfo:
        """Its description for lists."""
        first, offsets = self.first, self.offsets_mm()
        spacing, extent = None, 0.0
        if offsets is not None:
            steps = np.diff(np.unique(np.round(offsets, 3)))
            spacing = float(np.median(steps)) if steps.size else None
            extent = float(np.ptp(offsets)) + (spacing or first.acquisition.slice_thickness_mm or 0.0)
        spacing_yx = first.spacing_yx_mm or (0.0, 0.0)
        return SeriesInfo(
            series_uid=self.choice_id,
            series_number=first.series_number,
            description=first.description,
            modality=first.modality,
            n_slices=len(self.slices),
            image_type=first.image_type,
            kernel=first.acquisition.kernel,
            slice_thickness_mm=first.acquisition.slice_thickness_mm,
            slice_spacing_mm=spacing,
            z_extent_mm=extent,
            field_of_view_mm=min(first.rows * spacing_yx[0], first.columns * spacing_yx[1]),
            plane=plane_of(first),
            has_contrast_tag=bool(first.acquisition.contrast_agent),
        )


@dataclass(frozen=True)
class Catalog:
    """What a scan found: every series of every patient, every file not used, and remarks."""

    series: tuple[Series, ...]
    unread: tuple[Unread, ...] = ()
    notes: tuple[str, ...] = ()
    patients: Mapping[str, tuple[Series, ...]] = field(init=False)

    def __post_init__(self) -> None:
        patients: dict[str, list[Series]] = defaultdict(list)
        for series in self.series:
            patients[series.patient_key].append(series)
        object.__setattr__(self, "patients", {key: tuple(found) for key, found in patients.items()})

    def find(self, choice_id: str) -> tuple[Series, ...]:
        """The series that a ``choice_id`` or series UID names.

        An identifier with a part number also finds the series when only that part's files were scanned, because a stack
        that is alone in its UID carries no number.
        """
        exact = tuple(series for series in self.series if series.choice_id == choice_id)
        uid = choice_id.partition("#")[0]
        return exact or tuple(series for series in self.series if series.series_uid == uid)


def scan(sources: Iterable[Path] | Path, settings: SourceSettings | None = None, progress: Progress | None = None) -> Catalog:
    """Look at every file of folders, ZIP archives and CDs, and sort the DICOM images found into series.

    Files that a CD's DICOMDIR does not list are read like any other; files it lists and that are missing are told.

    Raises
    ------
    InputRefusedError
        If a source does not exist or an archive is damaged or passes a bound.
    """
    slices: list[SliceHeader] = []
    unread: list[Unread] = []
    notes: list[str] = []
    directories: list[tuple[FileSource, tuple[str, ...]]] = []
    names: set[str] = set()
    with Opener() as opener:
        paths = [sources] if isinstance(sources, Path) else list(sources)
        for count, item in enumerate(find_sources(paths, settings or SourceSettings()), start=1):
            if isinstance(item, Unread):
                unread.append(item)
            else:
                names.add(_folded(item.name))
                _look(opener, item, slices, unread, directories)
            if progress is not None:
                progress(count)
    for source, listed in directories:
        base = _folded(source.name).rpartition("/")[0]
        missing = [name for name in listed if _folded(f"{base}/{name}" if base else name) not in names]
        if missing:
            notes.append(f"The CD's directory (DICOMDIR) lists {len(missing)} file(s) of {len(listed)} that are not there.")
    notes += _doubtful_persons(slices)
    return Catalog(tuple(group_series(slices)), tuple(unread), tuple(notes))


def _doubtful_persons(slices: Iterable[SliceHeader]) -> list[str]:
    """Names change and are misspelled, so this is told, not refused."""
    persons: dict[str, set[str]] = defaultdict(set)
    for one in slices:
        persons[one.patient_key].add(one.person_key)
    n_doubtful = sum(len(found) > 1 for found in persons.values())
    if not n_doubtful:
        return []
    return [
        f"{n_doubtful} PatientID(s) stand with differing names or dates of birth; make sure that each is one person, "
        "because their series are taken for one patient's."
    ]


def group_series(slices: Iterable[SliceHeader]) -> list[Series]:
    """Slices sorted into stacks, in the order of series number and UID."""
    by_uid: dict[tuple[str, str], list[SliceHeader]] = defaultdict(list)
    for item in slices:
        by_uid[item.patient_key, item.series_uid].append(item)
    found = []
    for key in sorted(by_uid, key=lambda k: (k[0], by_uid[k][0].series_number, k[1])):
        stacks = [part for stack in _stacks(by_uid[key]) for part in _split_repeated(stack)]
        stacks.sort(key=lambda stack: -len(stack))
        mixed = _mixed_orientations(stacks)
        for part, stack in enumerate(stacks, start=1):
            found.append(Series(tuple(stack), part, len(stacks), has_mixed_orientations=mixed[part - 1]))
    return found


def normal_of(item: SliceHeader) -> FloatArray | None:
    """Unit normal of a slice, LPS: the direction of growing slice index; ``None`` without a usable orientation."""
    if item.orientation is None:
        return None
    row, column = np.asarray(item.orientation[:3]), np.asarray(item.orientation[3:])
    normal = np.cross(row, column)
    length = float(np.linalg.norm(normal))
    return normal / length if length > 0.5 else None


def plane_of(item: SliceHeader) -> str:
    """The anatomical plane a slice lies closest to, within about 25 degrees; else empty."""
    normal = normal_of(item)
    if normal is None:
        return ""
    axis = int(np.argmax(np.abs(normal)))
    return ("sagittal", "coronal", "axial")[axis] if abs(normal[axis]) >= 0.9 else "oblique"


def _look(
    opener: Opener,
    source: FileSource,
    slices: list[SliceHeader],
    unread: list[Unread],
    directories: list[tuple[FileSource, tuple[str, ...]]],
) -> None:
    try:
        with opener.open(source) as stream:
            n_bytes = stream.seek(0, 2)
            stream.seek(0)
            if source.name.rpartition("/")[2].upper() in {"DICOMDIR", "DICOMDIR."}:
                directories.append((source, _listed_files(stream)))
                return
            slices.extend(read_slices(stream, source, n_bytes))
    except (NotUsableError, InputRefusedError) as error:
        unread.append(Unread(source.name, str(error)))


def _listed_files(stream: object) -> tuple[str, ...]:
    """The file names a DICOMDIR references, relative to it."""
    with quiet():
        directory = read_dataset(stream, headers_only=False)  # type: ignore[arg-type]
        found = []
        for record in directory.get("DirectoryRecordSequence") or ():
            parts = record.get("ReferencedFileID")
            if parts:
                found.append("/".join([parts] if isinstance(parts, str) else [str(p) for p in parts]))
    return tuple(found)


def _folded(name: str) -> str:
    """A file name as CDs compare it: without case, version (``;1``) or the dot of an empty extension."""
    return name.replace("\\", "/").lower().split(";")[0].rstrip(".")


def _stacks(slices: list[SliceHeader]) -> list[list[SliceHeader]]:
    """Split by what makes images incomparable, then by orientation."""
    found: dict[Hashable, list[SliceHeader]] = defaultdict(list)
    for item in slices:
        found[_kind(item)].append(item)
    stacks = []
    for stack in found.values():
        by_axes: list[list[SliceHeader]] = []
        for item in stack:
            home = next((group for group in by_axes if _parallel(group[0], item)), None)
            if home is None:
                by_axes.append([item])
            else:
                home.append(item)
        stacks.extend(by_axes)
    return stacks


def _kind(item: SliceHeader) -> Hashable:
    spacing = None if item.spacing_yx_mm is None else tuple(round(v, 4) for v in item.spacing_yx_mm)
    return (
        item.modality,
        item.sop_class,
        item.image_type[:3],
        item.rows,
        item.columns,
        spacing,
        item.acquisition.kernel,
        item.rescale_type,
        item.frame_of_reference,
    )


def _parallel(one: SliceHeader, other: SliceHeader) -> bool:
    if one.orientation is None or other.orientation is None:
        return one.orientation is other.orientation
    a, b = np.asarray(one.orientation), np.asarray(other.orientation)
    return bool(min(a[:3] @ b[:3], a[3:] @ b[3:]) >= _SAME_ORIENTATION_COSINE)


def _split_repeated(stack: list[SliceHeader]) -> list[list[SliceHeader]]:
    """Split a stack with repeated positions by the first property that leaves none repeated."""
    if not _repeats(stack):
        return [stack]
    properties: list[Callable[[SliceHeader], Hashable]] = [
        *[lambda s, i=i: s.phase[i] for i in range(len(stack[0].phase))],
        lambda s: s.image_type,
        lambda s: (s.image_type, s.phase),
        lambda s: (s.acquisition.kvp, s.acquisition.slice_thickness_mm),
    ]
    for value_of in properties:
        parts: dict[Hashable, list[SliceHeader]] = defaultdict(list)
        for item in stack:
            parts[value_of(item)].append(item)
        if len(parts) > 1 and not any(_repeats(part) for part in parts.values()) and max(map(len, parts.values())) > 1:
            return [parts[key] for key in sorted(parts, key=str)]
    return [stack]


def _repeats(stack: list[SliceHeader]) -> bool:
    offsets = Series(tuple(stack)).offsets_mm()
    return offsets is not None and len(stack) > 1 and bool((np.diff(np.sort(offsets)) < _SAME_POSITION_MM).any())


def _mixed_orientations(stacks: list[list[SliceHeader]]) -> list[bool]:
    kinds = [_kind(stack[0]) for stack in stacks]
    normals = [None if stack[0].orientation is None else tuple(np.round(stack[0].orientation, 2)) for stack in stacks]
    return [
        any(
            kinds[i] == kinds[j] and normals[i] != normals[j] and None not in (normals[i], normals[j])
            for j in range(len(stacks))
            if j != i
        )
        for i in range(len(stacks))
    ]


def with_reason(info: SeriesInfo, reason: str) -> SeriesInfo:
    """The same description with a reason for not choosing it."""
    return replace(info, reason=reason)
