"""The tools of the feature benchmark: each answers from a process, and a Python environment, of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PEERS = Path(__file__).with_name("_peers")
OURS = "axilla"

_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"), "1"
)


class Tool:
    """One tool's worker process, kept for the whole benchmark."""

    def __init__(self, name: str, python: str, environment: dict[str, str] | None = None) -> None:
        self.name = name
        start = time.perf_counter()
        self._process = subprocess.Popen(
            [python, str(PEERS / f"{name}_worker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **_ONE_THREAD, **(environment or {})},
        )
        said = self._answer()
        self.version, self.imports_mb = said["version"], said["peak_mb"]
        self.start_s = time.perf_counter() - start

    def load(self, key: str, image: Path, mask: Path) -> dict[str, Any]:
        """Read a CT and a mask; not timed."""
        return self._ask(do="load", key=key, image=str(image), mask=str(mask))

    def measure(self, key: str, labels: Sequence[int] = (1,), *, calls: int = 1, show: bool = False) -> dict[str, Any]:
        """Measure labels of what was loaded: the best call's seconds by ``wall`` and ``cpu``; ``features`` if asked for."""
        return self._ask(do="measure", key=key, labels=list(labels), calls=calls, show=show)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, **question: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of {self.name} ended")
        return dict(json.loads(line))


@dataclass(frozen=True)
class Peer:
    """Another tool, and the Python it is installed in."""

    name: str
    python: str | None

    @property
    def why_absent(self) -> str:
        """Why it is not measured; empty where it is."""
        if not self.python:
            return f"no --{self.name} and no ${self.variable}"
        return "" if Path(self.python).is_file() else f"there is no {self.python}"

    @property
    def variable(self) -> str:
        """Names the Python where the option does not."""
        return f"AXILLA_{self.name.upper()}_PYTHON"


def start(peers: Sequence[Peer]) -> list[Tool]:
    """Ours first, then every peer that can be had; why the others cannot is printed."""
    tools = [Tool(OURS, sys.executable)]
    for peer in peers:
        reason = peer.why_absent
        try:
            if not reason and peer.python:
                tools.append(Tool(peer.name, peer.python))
        except RuntimeError as error:
            reason = str(error)
        if reason:
            print(f"{peer.name}: skipped, {reason}")
    return tools
