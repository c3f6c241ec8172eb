"""Radiomic features: seconds, memory and agreement, ours beside PyRadiomics, flash-radiomics and pictologics.

One thread; 1 mm voxels, bin width 25 HU; the tools take turns of five calls, so that a busy moment meets all alike, and the best
call counts. Files are read before the clock starts, except where a whole command is timed. ``make bench`` finds the peers by
$AXILLA_PYRADIOMICS_PYTHON, $AXILLA_FLASH_PYTHON and $AXILLA_PICTOLOGICS_PYTHON, each the Python of an environment of its own.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from axilla.radiomics import FEATURE_NAMES, FEATURES
from benchmarks._measured import DIAMETERS_MM, MARGIN_VOX, SIZES, crop, paint, whole_ct, write
from benchmarks._tools import OURS, Peer, Tool, start

PEERS = ("pyradiomics", "flash", "pictologics")
RELATIVE, ABSOLUTE = 1e-6, 1e-9
MANY = 200
"""Nodes that two threads share."""

TURN = 5
"""Calls in a turn, of which the best counts: the first finds the processor's caches filled by another tool."""

PATIENCE_S = 2.0
"""A tool whose best calls add up to this sits the other rounds out; it answers at least twice, the first time uncounted."""


def main(arguments: Sequence[str] = ()) -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks features", description=__doc__)
    for name in PEERS:
        parser.add_argument(f"--{name}", metavar="PYTHON", help=f"the Python of an environment that holds {name}")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="which seconds; cpu on a busy machine")
    parser.add_argument("--rounds", type=int, default=15, help="rounds, of which the best counts")
    given = parser.parse_args(arguments)
    peers = [Peer(name, getattr(given, name) or os.environ.get(f"AXILLA_{name.upper()}_PYTHON")) for name in PEERS]
    with TemporaryDirectory() as name:
        folder = Path(name)
        ct, mask, source = whole_ct(folder)
        tools = start(peers)
        print(", ".join(f"{tool.name} {tool.version}" for tool in tools) + f"; CT by {source}; {given.clock} clock\n")
        bench = _Bench(tools, given.clock, given.rounds)
        _per_node(bench, ct, mask, folder)
        _agreement(tools, ct, mask, folder)
        _whole(bench, ct, mask)
        for tool in tools:
            tool.close()
        present = [peer for peer in peers if peer.name in {tool.name for tool in tools}]
        _memory([Peer(OURS, sys.executable), *present], ct, mask)
        _growth(given.clock, given.rounds, folder, ct, mask)
        _jobs(given.rounds, ct, mask)
        _starts(present, folder, ct, mask)


class _Bench:
    """The tools and how they are timed."""

    def __init__(self, tools: list[Tool], clock: str, rounds: int) -> None:
        self.tools, self.clock, self.rounds = tools, clock, rounds

    def best(self, key: str, labels: Sequence[int] = (1,)) -> dict[str, float]:
        """Seconds per label by tool: the best of all rounds, in which the tools take turns, after one that does not count."""
        times: dict[str, list[float]] = {tool.name: [] for tool in self.tools}
        for tool in self.tools:
            tool.measure(key, labels)
        for _ in range(self.rounds):
            for tool in self.tools:
                if sum(times[tool.name]) < PATIENCE_S:
                    times[tool.name].append(tool.measure(key, labels, calls=TURN)[self.clock])
        return {name: min(found) / len(labels) for name, found in times.items()}


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A Markdown table."""
    print(f"### {title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |", flush=True)
    print()


def _beside(times: dict[str, float]) -> list[str]:
    """Ours in ms, then each peer's and how many times ours that is."""
    ours = times[OURS]
    peers = [f"{1000 * seconds:.1f} ({seconds / ours:.1f} x)" for name, seconds in times.items() if name != OURS]
    return [f"{1000 * ours:.2f}", *peers]


def _heads(tools: Sequence[Tool]) -> list[str]:
    return [f"{tool.name}, ms" for tool in tools]


def _per_node(bench: _Bench, ct: Path, mask: Path, folder: Path) -> None:
    rows = []
    batch = _Bench(bench.tools[:1], bench.clock, bench.rounds)
    for size, label in SIZES.items():
        key, files = f"crop {size}", crop(ct, mask, label, folder)
        for tool in bench.tools:
            tool.load(key, *files)
        ours, *theirs = _beside(bench.best(key))
        rows.append([f"{size} mm", ours, f"{1000 * batch.best(key, [1] * 20)[OURS]:.2f}", *theirs])
    head = ["node", f"{OURS}, ms", "20 in one call, ms per node", *_heads(bench.tools[1:])]
    _table("One node, cropped (in brackets: times ours)", head, rows)


def _agreement(tools: Sequence[Tool], ct: Path, mask: Path, folder: Path) -> None:
    """On the node of 20 mm with its voxels taken as 1 mm, so that no tool resamples and definitions alone are compared."""
    files = crop(ct, mask, SIZES[20], folder, as_1_mm=True)
    found = {}
    for tool in tools:
        tool.load("agreement", *files)
        found[tool.name] = tool.measure("agreement", show=True)["features"][0]
    ours = found.pop(OURS)
    codes = {entry.column: entry.ibsi for entry in FEATURES}
    rows = []
    for name, theirs in found.items():
        by_code = {key.rsplit("_", 1)[-1]: value for key, value in theirs.items()}
        paired = [(ours[c], theirs.get(c, by_code.get(codes[c] or "-"))) for c in FEATURE_NAMES]
        rows.append([name, sum(b is not None for _, b in paired), sum(_agree(a, b) for a, b in paired)])
    if rows:
        _table("Features of the 107 (voxels of 1 mm, not resampled)", ["tool", "has", "agrees within 1e-6"], rows)


def _agree(ours: float | None, theirs: float | None) -> bool:
    return ours is not None and theirs is not None and math.isclose(ours, theirs, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def _whole(bench: _Bench, ct: Path, mask: Path) -> None:
    for tool in bench.tools:
        tool.load("whole", ct, mask)
    rows = [[f"{size} mm", *_beside(bench.best("whole", [label]))] for size, label in SIZES.items()]
    _table("One node on the whole CT, 512 x 512 x 300 (in brackets: times ours)", ["node", *_heads(bench.tools)], rows)


def _memory(peers: Sequence[Peer], ct: Path, mask: Path) -> None:
    """Peak of a process that reads the whole CT and the mask and measures."""
    rows = []
    for peer, n in [(peers[0], 1), (peers[0], len(DIAMETERS_MM)), *((peer, 1) for peer in peers[1:])]:
        tool = Tool(peer.name, str(peer.python))
        read = tool.load("whole", ct, mask)["peak_mb"]
        done = tool.measure("whole", range(len(DIAMETERS_MM), len(DIAMETERS_MM) - n, -1))["peak_mb"]
        rows.append([f"{peer.name}, {n} node(s)", *(f"{mb:.0f}" for mb in (tool.imports_mb, read, done))])
        tool.close()
    head = ["whole CT (150 MB of int16) and mask (75 MB)", "after imports", "after reading", "after measuring"]
    _table("Peak memory, MB", head, rows)


def _growth(clock: str, rounds: int, folder: Path, ct: Path, mask: Path) -> None:
    """Ours alone: by node size, by number of nodes, by size of the CT."""
    tool = Tool(OURS, sys.executable)
    bench, rows = _Bench([tool], clock, rounds), []
    for diameter in (5, 10, 20, 30, 40, 60):
        n = 2 * MARGIN_VOX + int(diameter * 1.5)
        image, labels = paint((n, n + 20, n + 20), [((n // 2, n // 2 + 10, n // 2 + 10), diameter)])
        files = write(image, folder / "growth_ct.nii.gz"), write(labels, folder / "growth_mask.nii.gz")
        tool.load("growth", *files)
        seconds = bench.best("growth")[OURS]
        rows.append([f"node of {diameter} mm", f"{1000 * seconds:.2f}", f"{1e6 * seconds / (math.pi / 6 * diameter**3):.2f}"])
    _table("Growth with node volume", ["", "ms per node", "us per mm3"], rows)
    tool.load("whole", ct, mask)
    rows = []
    for n in (1, 5, 20):
        labels_chosen = [SIZES[10]] if n == 1 else list(range(1, n + 1))
        rows.append([f"{n} node(s) in one call, whole CT", f"{1000 * bench.best('whole', labels_chosen)[OURS]:.2f}"])
    tool.load("crop", *crop(ct, mask, SIZES[10], folder))
    rows.append(["the 10 mm node, cropped CT", f"{1000 * bench.best('crop')[OURS]:.2f}"])
    _table("Growth with number of nodes and CT size", ["", "ms per node"], rows)
    tool.close()


def _jobs(rounds: int, ct: Path, mask: Path) -> None:
    """Ours alone, in one thread and in two; wall seconds, whatever the clock."""
    tools = {n: Tool(OURS, sys.executable, {"AXILLA_BENCHMARK_JOBS": str(n)}) for n in (1, 2)}
    found: dict[int, list[float]] = {n: [] for n in tools}
    for tool in tools.values():
        tool.load("whole", ct, mask)
    for _ in range(rounds):
        for n, tool in tools.items():
            found[n].append(tool.measure("whole", [SIZES[20]] * MANY)["wall"])
    rows = [[f"jobs={n}", f"{min(walls):.3f}", f"{min(found[1]) / min(walls):.2f} x"] for n, walls in found.items()]
    for tool in tools.values():
        tool.close()
    busy = f"; {os.getloadavg()[0]:.1f} processes want {os.cpu_count()} cores" if hasattr(os, "getloadavg") else ""
    _table(f"{MANY} nodes of 20 mm on the whole CT in one call, wall seconds{busy}", ["", "s", "as fast as one"], rows)


def _starts(peers: Sequence[Peer], folder: Path, ct: Path, mask: Path) -> None:
    """Whole processes: import, the first extraction ever (kernels compile), a later one; peers from start to first answer."""
    ct, mask = crop(ct, mask, SIZES[10], folder)
    command = [sys.executable, "-m", "axilla", "extract", str(ct), str(mask), "-o", str(folder / "features.csv")]
    fresh = {"NUMBA_CACHE_DIR": str(folder / "cache")}
    rows = [["import axilla", f"{min(_run([sys.executable, '-c', 'import axilla']) for _ in range(5)):.2f}"]]
    rows.append(["axilla extract, first ever (fresh NUMBA_CACHE_DIR)", f"{_run(command, fresh):.2f}"])
    rows.append(["axilla extract, later", f"{min(_run(command, fresh) for _ in range(5)):.2f}"])
    for peer in peers:
        begun = time.perf_counter()
        tool = Tool(peer.name, str(peer.python))
        tool.load("crop", ct, mask)
        tool.measure("crop")
        rows.append([f"{peer.name}, later: from start to the first node's features", f"{time.perf_counter() - begun:.2f}"])
        tool.close()
    _table("Start, wall seconds (one node of a crop)", ["", "s"], rows)


def _run(command: Sequence[str], environment: dict[str, str] | None = None) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, **(environment or {})})
    return time.perf_counter() - begun
