"""How a long job tells where it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called as ``progress(stage, done, total)``: with ``done = 0`` when a stage starts, with ``done = total`` when it ends."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Report that `done` of `total` steps of `stage` are finished."""
        ...


def silent(stage: str, done: int, total: int) -> None:
    """Tell nothing."""
