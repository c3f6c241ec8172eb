"""What every command shares: progress on stderr, the result on stdout."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from axilla.pipeline import Progress


@contextlib.contextmanager
def progress_on_stderr() -> Iterator[Progress]:
    """A progress function: a live line in a terminal, one plain line per stage elsewhere (logs, CI)."""
    if not sys.stderr.isatty():
        yield _PlainProgress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
    )
    with RichProgress(*columns, console=Console(stderr=True), transient=False) as bars:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield show


class _PlainProgress:
    """One line when a stage starts and one when it ends."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage not in self._started:
            self._started[stage] = time.monotonic()
            sys.stderr.write(f"{stage} ...\n")
        if done >= total:
            sys.stderr.write(f"{stage}: {done}/{total} in {time.monotonic() - self._started[stage]:.1f} s\n")
        sys.stderr.flush()


def emit(result: Mapping[str, Any], lines: Iterable[str], *, as_json: bool) -> None:
    """Print the result: JSON when asked for, else plain lines."""
    if as_json:
        sys.stdout.write(json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        sys.stdout.writelines(line + "\n" for line in lines)
    sys.stdout.flush()
