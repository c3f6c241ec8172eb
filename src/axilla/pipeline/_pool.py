"""One patient a job, in this process or in several; results come back in the order of the jobs."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import SimpleITK as sitk
from threadpoolctl import threadpool_limits

from axilla.errors import UnfinishedError
from axilla.pipeline._progress import Progress

Task = TypeVar("Task")
Result = TypeVar("Result")


def run_jobs(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    jobs: int | None,
    stage: str,
    progress: Progress,
    finished: Callable[[Task, Result], None] | None = None,
) -> list[tuple[Task, Result]]:
    """Call `function` (importable, side effects on files only) on every task, `jobs` at a time (default: one a core).

    `finished` is called in this process as each one ends.

    An exception ends the run and is raised here; what one patient's data may break, `function` itself must catch and return.

    Raises
    ------
    UnfinishedError
        If a worker process was ended from outside.
    """
    finished = finished or _nothing
    jobs = jobs or os.cpu_count() or 1
    progress(stage, 0, len(tasks))
    results: dict[int, Result] = {}
    if jobs <= 1 or len(tasks) <= 1:
        for index, task in enumerate(tasks):
            results[index] = function(task)
            finished(task, results[index])
            progress(stage, index + 1, len(tasks))
    else:
        workers = min(jobs, len(tasks))
        threads = max(1, (os.cpu_count() or 1) // workers)
        others = set(multiprocessing.active_children())
        context = multiprocessing.get_context("spawn")  # forking a process with live threads (ITK, BLAS) can hang
        with ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare_worker, initargs=(threads,)) as pool:
            pending: dict[Future[Result], int] = {pool.submit(function, task): index for index, task in enumerate(tasks)}
            try:
                while pending:
                    done, _ = wait(pending, return_when=FIRST_COMPLETED)
                    for future in done:
                        index = pending.pop(future)
                        results[index] = future.result()
                        finished(tasks[index], results[index])
                    progress(stage, len(results), len(tasks))
            except BrokenProcessPool as error:
                raise UnfinishedError(
                    f"A worker process was ended from outside, usually for want of memory; what was finished is kept: "
                    f"run again with fewer at a time (--jobs {max(1, workers - 1)})."
                ) from error
            except BaseException:
                for process in set(multiprocessing.active_children()) - others:
                    process.terminate()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    return [(task, results[index]) for index, task in enumerate(tasks)]


def _nothing(task: object, result: object) -> None:
    """Do nothing when a task ends."""


def _prepare_worker(threads: int) -> None:
    """Share the cores, and end with the main process: a killed one cannot stop its workers itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the main process ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)  # type: ignore[no-untyped-call]
    threadpool_limits(threads)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
