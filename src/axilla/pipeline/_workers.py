"""One task a patient, in this process, in several on this computer, or on a Dask cluster.

Local workers talk over TLS on the loopback address only (Dask runs what it is sent, so that another user of this computer must
not be able to send). One task a worker is under way at any time, so that a worker that dies takes no waiting task along.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import queue
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from axilla._version import __version__
from axilla.errors import UnfinishedError, UsageError
from axilla.pipeline._progress import Progress

if TYPE_CHECKING:
    from distributed import Client, Future

Task = TypeVar("Task")
Result = TypeVar("Result")

BYTES_PER_WORKER = 3 * 2**30
"""Memory a CT of 512 x 512 x 600 asks for (300 slices: 1.4 GB, docs/locate.md); as many workers are started as have it."""

RETRIES = 1
"""How often a task is tried again after its worker was ended; once more would end another worker."""

PATIENCE_S = 60.0
"""How long to wait for a first or a new worker before giving up."""

ANSWER_S = 30.0
"""How long a scheduler may take to answer at all."""

_TICK_S = 1.0
_TOPIC = "axilla"


@dataclass(frozen=True)
class Workers:
    """Who works.

    Parameters
    ----------
    jobs : int, optional
        Tasks at the same time on this computer; 1: in this process. By default one a core, as far as memory reaches.
    scheduler : str
        Address of a Dask scheduler (``tcp://host:8786``); its workers do the tasks then.

    Raises
    ------
    UsageError
        If both are given.
    """

    jobs: int | None = None
    scheduler: str = ""

    def __post_init__(self) -> None:
        if self.scheduler and self.jobs is not None:
            raise UsageError("A Dask scheduler has workers of its own: give --jobs or --scheduler, not both.")

    def number(self, n_tasks: int) -> int:
        """How many local processes to start for so many tasks."""
        return max(1, min(self.jobs or default_jobs(), n_tasks))


class Watch(Generic[Task, Result]):
    """Is told in the main process what becomes of the tasks; does nothing by itself."""

    def started(self, task: Task) -> None:
        """`task` is about to be done for the first time."""

    def told(self, task: Task, stage: str, done: int, total: int) -> None:
        """`task` tells where it is."""

    def retried(self, task: Task) -> None:
        """`task` is done again because its worker was ended."""

    def finished(self, task: Task, result: Result) -> None:
        """`task` was done."""

    def lost(self, task: Task, reason: str) -> Result:  # noqa: ARG002
        """What to take for the result of a task whose workers were ended every time: by default nothing, the run ends.

        Raises
        ------
        UnfinishedError
            With the reason.
        """
        raise UnfinishedError(f"A task could not be done: {reason}.")


class Counting(Watch[Task, Result]):
    """Tells how many tasks of a stage are done."""

    def __init__(self, stage: str, total: int, progress: Progress) -> None:
        self._stage, self._total, self._progress, self._done = stage, total, progress, 0
        progress(stage, 0, total)

    def finished(self, task: Task, result: Result) -> None:  # noqa: ARG002
        """One more."""
        self._done += 1
        self._progress(self._stage, self._done, self._total)


def default_jobs() -> int:
    """One worker a core, as far as memory reaches (both as the container allows)."""
    from dask.system import CPU_COUNT
    from distributed.system import MEMORY_LIMIT

    return max(1, min(int(CPU_COUNT), int(MEMORY_LIMIT) // BYTES_PER_WORKER))


def run_tasks(
    work: Callable[[Task, Progress], Result], tasks: Sequence[Task], workers: Workers, watch: Watch[Task, Result]
) -> list[Result]:
    """Call `work` (importable, side effects on files only, safe to do again) on all tasks; results in their order.

    An exception ends the run and is raised here; what one patient's data may break, `work` itself must catch and return.

    Raises
    ------
    UnfinishedError
        If workers were ended from outside, the scheduler cannot be reached, or has no worker.
    """
    if not tasks:
        return []
    if not workers.scheduler and workers.number(len(tasks)) == 1:
        return [_here(work, task, watch) for task in tasks]
    from distributed import CancelledError
    from distributed.comm.core import CommClosedError

    with _connected(workers, len(tasks)) as client:
        try:
            return _Run(work, tasks, watch, client, workers).results()
        except (CancelledError, CommClosedError) as error:
            raise UnfinishedError("The Dask scheduler went away; what was finished is kept: run again.") from error


def _here(work: Callable[[Task, Progress], Result], task: Task, watch: Watch[Task, Result]) -> Result:
    watch.started(task)
    result = work(task, lambda stage, done, total: watch.told(task, stage, done, total))
    watch.finished(task, result)
    return result


@contextlib.contextmanager
def _connected(workers: Workers, n_tasks: int) -> Iterator[Client]:
    """A client of the given scheduler, or of workers started for these tasks and ended with them."""
    import dask
    from distributed import Client
    from distributed.utils import silence_logging_cmgr

    if workers.scheduler:
        try:
            client = Client(workers.scheduler, set_as_default=False, timeout=ANSWER_S)
        except (OSError, ValueError) as error:
            raise UnfinishedError(
                f"No Dask scheduler answers at {workers.scheduler} ({error}); start one (dask scheduler) or use --jobs."
            ) from error
        with silence_logging_cmgr(logging.CRITICAL), client:  # what it would say is said in one sentence of ours
            _check_versions(client)
            yield client
        return
    with (
        dask.config.set(_LOCAL_CONFIG),
        tempfile.TemporaryDirectory(prefix="axilla-") as scratch,
        _local_cluster(workers.number(n_tasks), scratch) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


_LOCAL_CONFIG = {
    "distributed.scheduler.allowed-failures": RETRIES,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.deploy.lost-worker-timeout": "1 hour",
    "distributed.nanny.pre-spawn-environ": {},
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
"""A worker holds one CT and nothing to spill; one that takes more than its share is ended, and its task tried once more, in a
new one however long a busy computer takes to start it. Dask's own environment makes glibc give every freed array back to the
system at once, which made two workers a third slower. No page is served."""


def _local_cluster(number: int, scratch: str) -> contextlib.AbstractContextManager[object]:
    from distributed import LocalCluster, Security
    from distributed.system import MEMORY_LIMIT

    return LocalCluster(
        n_workers=number,
        threads_per_worker=1,
        processes=True,
        memory_limit=int(MEMORY_LIMIT / number),
        host="127.0.0.1",
        security=Security.temporary(),
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        local_directory=scratch,
        silence_logs=logging.CRITICAL,
    )


def _check_versions(client: Client) -> None:
    """Refuse a scheduler or workers of another version: their results would differ from what the study says."""
    try:
        found = {client.run_on_scheduler(_version), *client.run(_version).values()}
    except ImportError as error:
        raise UnfinishedError(
            f"The Dask scheduler or a worker has no axilla ({error}); install {__version__} there too."
        ) from error
    if wrong := sorted(found - {__version__}):
        raise UnfinishedError(f"The Dask cluster runs axilla {', '.join(wrong)}, this is {__version__}; install the same.")


def _version() -> str:
    return __version__


class _Run(Generic[Task, Result]):
    """The tasks of one run on a cluster: sends them, hears of them, gathers their results."""

    def __init__(
        self,
        work: Callable[[Task, Progress], Result],
        tasks: Sequence[Task],
        watch: Watch[Task, Result],
        client: Client,
        workers: Workers,
    ) -> None:
        self._work, self._tasks, self._watch, self._client = work, tasks, watch, client
        self._is_local = not workers.scheduler
        self._number = workers.number(len(tasks)) if self._is_local else 0
        self._inbox: queue.SimpleQueue[tuple[str, int, tuple[object, ...]]] = queue.SimpleQueue()
        self._futures: dict[int, Future[Result]] = {}
        self._starts: Counter[int] = Counter()
        self._results: dict[int, Result] = {}

    def results(self) -> list[Result]:
        """Do all tasks."""
        topic = f"{_TOPIC}-{self._client.id}"
        self._client.subscribe_topic(topic, lambda event: self._inbox.put(tuple(event[1])))
        waiting = iter(range(len(self._tasks)))
        idle_s = 0.0
        try:
            while len(self._results) < len(self._tasks):
                for index in itertools.islice(waiting, max(0, self._capacity() - len(self._futures))):
                    self._send(index, topic)
                try:
                    kind, index, content = self._inbox.get(timeout=_TICK_S)
                except queue.Empty:
                    idle_s = 0.0 if self._capacity() else idle_s + _TICK_S
                    self._check_patience(idle_s)
                    continue
                self._hear(kind, index, content)
        finally:
            with contextlib.suppress(OSError):
                self._client.cancel(list(self._futures.values()))
        return [self._results[index] for index in range(len(self._tasks))]

    def _capacity(self) -> int:
        """How many tasks may be under way: one a thread of every worker there is now."""
        return sum(self._client.nthreads().values())

    def _check_patience(self, idle_s: float) -> None:
        if idle_s >= PATIENCE_S:
            wanted = "run again with --jobs 1 (is memory short?)" if self._is_local else "start workers, then run again"
            raise UnfinishedError(f"There has been no worker for {idle_s:.0f} s; what was finished is kept: {wanted}.")

    def _send(self, index: int, topic: str) -> None:
        self._watch.started(self._tasks[index])
        threads = max(1, (os.cpu_count() or 1) // self._number) if self._is_local else 0
        future = self._client.submit(
            _attempt, self._work, self._tasks[index], index, topic, threads, pure=False, key=f"{topic}-{index}"
        )
        self._futures[index] = future
        future.add_done_callback(lambda _: self._inbox.put(("ended", index, ())))

    def _hear(self, kind: str, index: int, content: tuple[object, ...]) -> None:
        task = self._tasks[index]
        if kind == "ended":
            self._results[index] = result = self._result(index)
            self._watch.finished(task, result)
        elif kind == "started":
            self._starts[index] += 1
            if self._starts[index] > 1:
                self._watch.retried(task)
        elif index not in self._results:
            self._watch.told(task, *content)  # type: ignore[arg-type]

    def _result(self, index: int) -> Result:
        from distributed import KilledWorker

        future = self._futures.pop(index)
        try:
            return future.result()
        except KilledWorker as error:
            reason = f"its worker process was ended from outside {RETRIES + 1} times" if self._is_local else str(error)
            reason += ", usually for want of memory; run again with fewer at a time"
            reason += f" (--jobs {max(1, self._number - 1)})" if self._is_local else ""
            return self._watch.lost(self._tasks[index], reason)


def _attempt(work: Callable[[Task, Progress], Result], task: Task, index: int, topic: str, threads: int) -> Result:
    """In a worker: say that the task was begun, then do it."""
    import SimpleITK as sitk
    from distributed import get_worker
    from threadpoolctl import threadpool_limits

    worker = get_worker()
    worker.log_event(topic, ("started", index, ()))
    if threads:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)  # type: ignore[no-untyped-call]
        threadpool_limits(threads)
    return work(task, lambda stage, done, total: worker.log_event(topic, ("told", index, (stage, done, total))))
