"""A folder of masks drawn by hand: which file is whose.

Each patient has one file named by its identifier (``SIM0001.nii.gz``, ``SIM0001.seg.nrrd``, ``SIM0001.dcm``), or a folder of that
name that holds one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from axilla.errors import InputRefusedError
from axilla.io.dicom.sources import printable
from axilla.io.images import SUFFIXES, is_image

_ENDINGS = (*(f".seg{suffix}" for suffix in SUFFIXES), *SUFFIXES, ".dcm")
"""What may follow a patient's identifier; the longest is taken off."""

_PREAMBLE, _DICOM = 128, b"DICM"
"""A DICOM file (PS3.10, 7.1) says so after its preamble."""


@dataclass(frozen=True)
class FoundMasks:
    """The folder, the mask file by the patient's name, and the entries that are nobody's mask, each with the reason."""

    folder: Path
    files: dict[str, Path]
    others: tuple[str, ...]


def find_masks(folder: Path, names: Collection[str]) -> FoundMasks:
    """The masks in `folder` of the patients called `names`.

    Raises
    ------
    InputRefusedError
        If there is no such folder, or a patient has more than one mask (all such patients are named).
    """
    if not folder.is_dir():
        raise InputRefusedError(f"There is no folder of masks at {folder}; --masks wants the folder, one mask per patient in it.")
    found: dict[str, list[Path]] = {}
    others = []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        name, masks = _owner(entry.name, names), _masks_of(entry)
        if name is None:
            others.append(f"{printable(entry.name)}: no patient is called so")
        elif not masks:
            others.append(f"{printable(entry.name)}: not a mask (NIfTI, NRRD, MHA, DICOM)")
        else:
            found.setdefault(name, []).extend(masks)
    several = [f"{name} ({', '.join(printable(mask.name) for mask in masks)})" for name, masks in found.items() if len(masks) > 1]
    if several:
        raise InputRefusedError(f"{folder} holds more than one mask of {'; '.join(several)}; leave the one that counts.")
    return FoundMasks(folder.resolve(), {name: masks[0].resolve() for name, masks in found.items()}, tuple(others))


def _owner(entry: str, names: Collection[str]) -> str | None:
    """Whose mask a file or folder of this name is; the identifier itself may hold points."""
    endings = sorted((ending for ending in _ENDINGS if entry.lower().endswith(ending)), key=len, reverse=True)
    candidates = (entry, *(entry[: -len(ending)] for ending in endings))
    return next((name for name in candidates if name in names), None)


def _masks_of(entry: Path) -> list[Path]:
    """The masks an entry is or holds."""
    files = [entry] if entry.is_file() else sorted(path for path in entry.rglob("*") if path.is_file())
    return [path for path in files if not path.name.startswith(".") and _is_mask(path)]


def _is_mask(path: Path) -> bool:
    """By its name, or by what a DICOM file says at its start; whether it can be read shows when the CT is there."""
    if is_image(path):
        return True
    try:
        with path.open("rb") as stream:
            return stream.read(_PREAMBLE + len(_DICOM))[_PREAMBLE:] == _DICOM
    except OSError:
        return False
