"""The pictures a patient's stage leaves for the study's report: every node, with its text."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from axilla.errors import InputRefusedError
from axilla.figures import Drawing
from axilla.io.files import write_bytes, write_json

INDEX = "pictures.json"
SCHEMA = 1


def write_pictures(drawings: Iterable[Drawing], folder: Path) -> None:
    """Write each picture, then the index that names them: without it the set is incomplete."""
    entries = []
    for drawing in drawings:
        write_bytes(folder / drawing.file_name, drawing.data)
        entries.append(
            {
                "name": drawing.name,
                "file": drawing.file_name,
                "type": drawing.media_type,
                "alt": drawing.alt,
                "size": drawing.size_px,
            }
        )
    write_json(folder / INDEX, {"schema": SCHEMA, "pictures": entries})


def read_pictures(folder: Path) -> tuple[Drawing, ...]:
    """The pictures in the order they were written.

    Raises
    ------
    InputRefusedError
        If the index or a picture is missing, or of another schema.
    """
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        if index["schema"] != SCHEMA:
            raise InputRefusedError(f"{folder / INDEX} has schema {index['schema']}; this axilla reads schema {SCHEMA}.")
        return tuple(
            Drawing(e["name"], (folder / e["file"]).read_bytes(), e["type"], e["alt"], size_px=tuple(e["size"]))
            for e in index["pictures"]
        )
    except FileNotFoundError as error:
        raise InputRefusedError(f"{folder} lacks {error.filename}; run the study again.") from error
