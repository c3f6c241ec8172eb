"""What a command has to say when it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """The result of a command.

    Parameters
    ----------
    result : mapping
        For programs; JSON types only.
    lines : tuple of str
        For people.
    failed : mapping of str to str
        Patients that could not be finished, and why. The others are done.
    """

    result: Mapping[str, Any]
    lines: tuple[str, ...]
    failed: Mapping[str, str] = field(default_factory=dict)
