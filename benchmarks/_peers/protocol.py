"""What every tool's worker speaks: JSON lines in, JSON lines out. Standard library only, because each tool has its own Python."""

from __future__ import annotations

import json
import os
import sys
import time

try:
    import resource
except ImportError:  # not on Windows
    resource = None

SLOW_S = 0.2
"""A call that takes longer is not repeated."""


def serve(version, load, measure, rows=list):
    """Answer ``load`` and ``measure`` until the input ends.

    `load(image_path, mask_path)` gives what `measure(loaded, labels)` takes; `rows` makes a list of ``{feature: value}`` of what
    that gives. Only `measure` is timed, and of several calls the best counts. What the tool prints goes to stderr.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    loaded = {}

    def say(**answer):
        answers.write(json.dumps({**answer, "peak_mb": _peak_mb()}) + "\n")
        answers.flush()

    say(version=version)
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["do"] == "load":
            loaded[asked["key"]] = load(asked["image"], asked["mask"])
            say()
            continue
        found, spent = _timed(measure, loaded[asked["key"]], asked["labels"])
        for _ in range(asked["calls"] - 1 if spent[0] < SLOW_S else 0):
            again = _timed(measure, loaded[asked["key"]], asked["labels"])[1]
            spent = [min(pair) for pair in zip(spent, again)]  # noqa: B905
        features = [{name: _number(value) for name, value in row.items()} for row in rows(found)] if asked["show"] else []
        say(wall=spent[0], cpu=spent[1], features=features)


def _timed(measure, loaded, labels):
    start = time.perf_counter(), time.process_time()
    found = measure(loaded, labels)
    return found, [time.perf_counter() - start[0], time.process_time() - start[1]]


def _number(value):
    """A float, or its real part; None where it is not a finite number."""
    number = complex(value).real
    return number if number - number == 0 else None


def _peak_mb():
    """Of this process alone: on Linux ``ru_maxrss`` begins with what the parent held."""
    status = "/proc/self/status"
    if os.path.exists(status):  # noqa: PTH110  standard library of any Python
        with open(status) as stream:  # noqa: PTH123
            return next(int(line.split()[1]) / 1024 for line in stream if line.startswith("VmHWM"))
    return 0.0 if resource is None else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
