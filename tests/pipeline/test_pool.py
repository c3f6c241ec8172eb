"""Worker processes: they end with the main process, and one that is killed is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from axilla.errors import UnfinishedError
from axilla.pipeline._pool import run_jobs
from axilla.pipeline._progress import silent


def end_abruptly(_task: int) -> None:
    os._exit(9)


def note_pid_and_wait(folder: Path) -> None:
    (folder / str(os.getpid())).touch()
    time.sleep(60)


def test_a_killed_worker_is_one_sentence() -> None:
    with pytest.raises(UnfinishedError, match="--jobs 1"):
        run_jobs(end_abruptly, [1, 2, 3], 2, "work", silent)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_the_main_process(tmp_path: Path, kill: signal.Signals) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from pathlib import Path; import test_pool as t\n"
        f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"if __name__ == '__main__': t.run_jobs(t.note_pid_and_wait, [Path({str(tmp_path)!r})] * 2, 2, 'w', t.silent)\n"
    )
    main = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
    main.send_signal(kill)
    main.wait(20)
    workers = [int(path.name) for path in tmp_path.iterdir()]
    wait_until(lambda: not any(is_alive(pid) for pid in workers))


def wait_until(happened, seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.1)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/status")
    return not (status.is_file() and "State:\tZ" in status.read_text())
