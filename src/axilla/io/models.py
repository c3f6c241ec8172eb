"""Models on disk: readable JSON."""

from __future__ import annotations

import json
from pathlib import Path

from axilla.errors import InputRefusedError
from axilla.io.files import write_json
from axilla.model import Model, model_from_dict, model_to_dict


def write_model(model: Model, path: Path) -> None:
    """Write a model."""
    write_json(path, model_to_dict(model))


def read_model(path: Path) -> Model:
    """Read a model.

    Raises
    ------
    InputRefusedError
        If there is no such file, it is not JSON, or not a model this axilla reads.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputRefusedError(
            f"There is no model file at {path}; make one with: axilla train FEATURES... -o {path.name}"
        ) from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputRefusedError(f"{path} is not a model: it is not JSON ({error}).") from error
    return model_from_dict(content)
