"""Workers: in this process, local ones and a cluster's; they end with the main process, and one that is killed is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from axilla.errors import CannotWriteError, UnfinishedError, UsageError
from axilla.pipeline import Progress, Workers, _workers
from axilla.pipeline._workers import Watch, run_tasks

Job = tuple[str, int]


def double(job: Job, progress: Progress) -> int:
    """Say it twice, and twice the number; some jobs end their process the first time, one every time."""
    folder, number = Path(job[0]), job[1]
    progress("half", 1, 2)
    if number == 13 or (number == 7 and not (folder / "died").exists()):
        (folder / "died").touch()
        os._exit(9)
    if number == 99:
        raise CannotWriteError("the disk is full")
    progress("whole", 2, 2)
    return 2 * number


def wait_a_little(job: Job, progress: Progress) -> int:
    progress("waiting", 0, 1)
    time.sleep(5)
    return job[1]


def note_pid_and_wait(folder: Path, _progress: Progress) -> None:
    (folder / str(os.getpid())).touch()
    time.sleep(60)


class Recorder(Watch[Job, int]):
    """Everything that was told."""

    def __init__(self) -> None:
        self.said: list[tuple[object, ...]] = []

    def started(self, task: Job) -> None:
        self.said.append(("started", task[1]))

    def told(self, task: Job, stage: str, done: int, total: int) -> None:
        self.said.append((stage, task[1], done, total))

    def retried(self, task: Job) -> None:
        self.said.append(("retried", task[1]))

    def finished(self, task: Job, result: int) -> None:
        self.said.append(("finished", task[1], result))


class Forgiving(Recorder):
    def lost(self, task: Job, reason: str) -> int:
        self.said.append(("lost", task[1], reason))
        return -1


def jobs_of(folder: Path, *numbers: int) -> list[Job]:
    return [(str(folder), number) for number in numbers]


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_order_and_everything_is_told(tmp_path: Path, jobs: int) -> None:
    recorder = Recorder()
    assert run_tasks(double, jobs_of(tmp_path, 3, 1, 2), Workers(jobs), recorder) == [6, 2, 4]
    for number in (1, 2, 3):
        wanted = [("started", number), ("half", number, 1, 2), ("whole", number, 2, 2), ("finished", number, 2 * number)]
        assert [said for said in recorder.said if said[1] == number] == wanted


def test_a_killed_worker_costs_one_retry(tmp_path: Path) -> None:
    recorder = Recorder()
    assert run_tasks(double, jobs_of(tmp_path, 1, 7, 2, 3), Workers(2), recorder) == [2, 14, 4, 6]
    assert recorder.said.count(("retried", 7)) == 1
    assert [said for said in recorder.said if said[0] == "retried"] == [("retried", 7)]


def test_a_task_that_ends_every_worker_is_lost_alone(tmp_path: Path) -> None:
    recorder = Forgiving()
    assert run_tasks(double, jobs_of(tmp_path, 1, 13, 2), Workers(2), recorder) == [2, -1, 4]
    ((_, number, reason),) = [said for said in recorder.said if said[0] == "lost"]
    assert number == 13
    assert "--jobs 1" in str(reason)


def test_by_default_a_lost_task_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(UnfinishedError, match="ended from outside 2 times"):
        run_tasks(double, jobs_of(tmp_path, 13, 1), Workers(2), Recorder())


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_ends_the_run_and_is_raised_here(tmp_path: Path, jobs: int) -> None:
    with pytest.raises(CannotWriteError, match="the disk is full"):
        run_tasks(double, jobs_of(tmp_path, 99, 1), Workers(jobs), Recorder())


def test_a_scheduler_has_workers_of_its_own() -> None:
    with pytest.raises(UsageError, match="not both"):
        Workers(2, "tcp://127.0.0.1:1")


def test_workers_start_as_memory_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dask.system.CPU_COUNT", 16)
    for memory, number in ((2**30, 1), (10 * 2**30, 3), (2**40, 16)):
        monkeypatch.setattr("distributed.system.MEMORY_LIMIT", memory)
        assert Workers().number(100) == number
    assert Workers().number(2) == 2
    assert Workers(5).number(100) == 5


def test_no_scheduler_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_workers, "ANSWER_S", 1.0)
    with pytest.raises(UnfinishedError, match="No Dask scheduler answers"):
        run_tasks(double, jobs_of(tmp_path, 1), Workers(scheduler="tcp://127.0.0.1:9"), Recorder())


def test_workers_of_another_version_are_refused(tmp_path: Path, cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_workers, "__version__", "0.0.0")
    with pytest.raises(UnfinishedError, match="install the same"):
        run_tasks(double, jobs_of(tmp_path, 1), Workers(scheduler=cluster.address), Recorder())


def test_a_cluster_does_the_same(tmp_path: Path, cluster) -> None:
    recorder = Recorder()
    assert run_tasks(double, jobs_of(tmp_path, 3, 1, 2), Workers(scheduler=cluster.address), recorder) == [6, 2, 4]
    assert ("half", 2, 1, 2) in recorder.said


def test_a_scheduler_without_workers_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lone_scheduler) -> None:
    monkeypatch.setattr(_workers, "PATIENCE_S", 2.0)
    with pytest.raises(UnfinishedError, match="start workers, then run again"):
        run_tasks(double, jobs_of(tmp_path, 1), Workers(scheduler=lone_scheduler.address), Recorder())


def test_a_scheduler_that_goes_away_is_one_sentence(cluster, capfd: pytest.CaptureFixture[str]) -> None:
    class Killing(Recorder):
        def told(self, task: Job, stage: str, done: int, total: int) -> None:
            cluster.scheduler.kill()

    with pytest.raises(UnfinishedError, match="scheduler went away; what was finished is kept"):
        run_tasks(wait_a_little, [("", 1), ("", 2), ("", 3)], Workers(scheduler=cluster.address), Killing())
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_the_main_process(tmp_path: Path, kill: signal.Signals) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from pathlib import Path; import test_workers as t\n"
        f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"if __name__ == '__main__': "
        f"t.run_tasks(t.note_pid_and_wait, [Path({str(tmp_path)!r})] * 2, t.Workers(2), t.Watch())\n"
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
