"""What every command shares: progress on stderr, the result on stdout."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from axilla.pipeline import Progress


@contextlib.contextmanager
def progress_on_stderr() -> Iterator[Progress]:
    """A progress function: a live line per stage in a terminal, plain lines elsewhere (logs, CI); both say the time left."""
    if not sys.stderr.isatty():
        yield _PlainProgress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=Console(stderr=True), transient=False) as bars:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total, completed=done)
            bars.update(tasks[stage], completed=done, total=total)

        yield show


class _PlainProgress:
    """One line when a stage starts and one when it ends; in between, now and then, how much is done and how long it may take."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started: dict[str, tuple[float, int]] = {}
        self._said: dict[str, float] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = self._clock()
        if stage not in self._started:
            self._started[stage], self._said[stage] = (now, done), now
            sys.stderr.write(f"{stage}: {done}/{total} are up to date\n" if done else f"{stage} ...\n")
        began, before = self._started[stage]
        if done >= total:
            sys.stderr.write(f"{stage}: {done}/{total} in {now - began:.1f} s\n")
        elif done > before and now - self._said[stage] >= SECONDS_BETWEEN_LINES:
            self._said[stage] = now
            left_s = (now - began) / (done - before) * (total - done)
            sys.stderr.write(f"{stage}: {done}/{total}, about {_duration(left_s)} left\n")
        sys.stderr.flush()


SECONDS_BETWEEN_LINES = 20.0
"""Plain progress lines of one stage come no faster than this."""


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if seconds < 100 else f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def emit(result: Mapping[str, Any], lines: Iterable[str], *, as_json: bool) -> None:
    """Print the result: JSON when asked for, else plain lines."""
    if as_json:
        sys.stdout.write(json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        sys.stdout.writelines(line + "\n" for line in lines)
    sys.stdout.flush()
