"""The stages of a study as a table, and how it is told whether what a stage wrote is up to date.

A patient's stage is up to date if it was made of the same inputs (digests of the CT, of files earlier stages wrote, of the
settings, and the version of axilla) and every file it wrote is still there, byte for byte. The study's own stages are computed at
every run, which takes a second, and written where any of their inputs or files changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axilla._version import __version__
from axilla.errors import InputRefusedError
from axilla.io.database import JournalRow


@dataclass(frozen=True)
class Stage:
    """One row of the table.

    Parameters
    ----------
    name : str
        As the journal and the progress lines have it.
    is_per_patient : bool
        Whether it works on one patient, in ``patients/<pseudonym>/``, or on the whole study.
    reads, writes : tuple of str
        Files in that folder; a name that ends in ``/`` is a folder and everything in it. ``CT`` and ``mask`` lie outside.
    settings : tuple of str
        Sections of ``study.toml`` it depends on.
    """

    name: str
    is_per_patient: bool
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    settings: tuple[str, ...]


OUTSIDE = ("CT", "mask")
"""What a patient's stages read from outside the study folder."""

NO_MASK = "none"
"""In the journal, in place of the digest of a mask, where the nodes were located."""

LOCATE = Stage(
    "locate",
    True,
    reads=OUTSIDE,
    writes=("ct.json", "nodes.nii.gz", "nodes.csv", "nodes.csv.json", "atlas.json", "atlas.glb", "pictures/"),
    settings=("anatomy", "skeleton", "pectorals", "vessels", "segment", "locate", "atlas"),
)
EXTRACT = Stage(
    "extract",
    True,
    reads=("CT", "nodes.nii.gz", "nodes.csv"),
    writes=("features.parquet",),
    settings=("radiomics",),
)
LEARN = Stage(
    "learn",
    False,
    reads=("study.db", "patients/*/nodes.csv", "patients/*/features.parquet"),
    writes=("model/", "results/"),
    settings=("criteria", "selection", "model", "predict", "rule", "rule_choice", "evaluate"),
)
REPORT = Stage(
    "report",
    False,
    reads=("model/", "results/", "patients/*/atlas.json", "patients/*/pictures/"),
    writes=("figures/", "report/", "results/tables/"),
    settings=(),
)
STAGES = (LOCATE, EXTRACT, LEARN, REPORT)
"""In the order they are done."""

PATIENT_STAGES = tuple(stage for stage in STAGES if stage.is_per_patient)

EDITABLE = ("nodes.nii.gz", "nodes.csv", "features.parquet")
"""Files somebody may have corrected by hand: if they are not as axilla wrote them, they are not overwritten."""


def inputs_of(stage: Stage, folder: Path, settings: Mapping[str, Any], outside: Mapping[str, str]) -> dict[str, str]:
    """What a patient's stage is made of: a digest by name.

    Parameters
    ----------
    stage : Stage
    folder : Path
        The patient's.
    settings : mapping
        In force for this stage; JSON types.
    outside : mapping of str to str
        Digests of what lies outside the folder; a CT or mask that cannot be looked at now has none.

    Returns
    -------
    dict of str to str
        A file that is not there has no entry.
    """
    files = {name: digest_of(folder / name) for name in stage.reads if (folder / name).is_file()}
    return {"axilla": __version__, "settings": digest_of_plain(settings), **outside, **files}


def outputs_of(stage: Stage, folder: Path) -> dict[str, str]:
    """Digest by name of every file the stage left in `folder`.

    Raises
    ------
    InputRefusedError
        If one is missing.
    """
    found = {}
    for name in stage.writes:
        paths = sorted(path for path in (folder / name).rglob("*") if path.is_file()) if name.endswith("/") else [folder / name]
        found.update({path.relative_to(folder).as_posix(): path for path in paths})
    missing = [name for name, path in found.items() if not path.is_file()]
    if missing:
        raise InputRefusedError(
            f"{folder / missing[0]} is missing right after it was written; does another program remove files?"
        )
    return {name: digest_of(path) for name, path in found.items()}


def is_current(row: JournalRow | None, inputs: Mapping[str, str], folder: Path) -> bool:
    """Whether what a stage wrote into `folder` stands, by its journal row and what it would be made of now.

    An input from outside that cannot be looked at now (a CT on a disc in the drawer) is taken as unchanged.

    Raises
    ------
    InputRefusedError
        If a file that may hold somebody's corrections is not as axilla wrote it.
    """
    if row is None or row.state != "done":
        return False
    intact = True
    for name, digest in row.outputs.items():
        path = folder / name
        is_same = path.is_file() and digest_of(path) == digest
        if not is_same and path.is_file() and name in EDITABLE:
            raise InputRefusedError(
                f"{folder.name}/{name} is not as axilla wrote it. Keep your version elsewhere (a corrected mask can be imported: "
                f"axilla import --masks), then remove {name}; axilla makes it again."
            )
        intact &= is_same
    absent = {*OUTSIDE} - set(inputs)
    return intact and {k: v for k, v in row.inputs.items() if k not in absent} == dict(inputs)


def why_again(row: JournalRow | None, inputs: Mapping[str, str]) -> str:
    """Which inputs are not what they were; empty if the stage was never done."""
    if row is None or row.state != "done":
        return ""
    return ", ".join(name for name in {**row.inputs, **inputs} if row.inputs.get(name) != inputs.get(name))


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_of_plain(value: object) -> str:
    """SHA-256 of a value of JSON types."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
