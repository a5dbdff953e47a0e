"""Runs one function on many tasks in forked processes, so that a batch uses all cores.

Forked, since Great Expectations takes ten seconds to import and the caller has it already. Must not: know what a
task is.
"""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from itertools import takewhile
from math import inf
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar, cast

from firehose import progress
from firehose.errors import FirehoseError, WorkerLost
from ingester.contract.logs import get_logger

log = get_logger(__name__)
T = TypeVar("T")
R = TypeVar("R")


def map_unordered(
    function: Callable[[T], R],
    tasks: Iterable[T],
    processes: int,
    seconds: float = inf,
    meanwhile: Callable[[], object] | None = None,
) -> Iterator[R]:
    """Yield ``function``'s results as they come, in any order. With one process, in this one.

    In a worker of another call all is done in that one: its siblings have the other cores.

    No task is begun once so many ``seconds`` are over. The next task is asked for when a process is free for it.
    ``meanwhile`` is what this process does once all of several are at work.

    The caller's death ends the processes once each has ended the task at hand; leaving the iterator ends them
    at once.

    Raises:
        WorkerLost: a process died.
        Exception: whatever ``function`` raised.
    """
    until = time.monotonic() + seconds
    waiting = takewhile(lambda _: time.monotonic() < until, tasks)
    if multiprocessing.current_process().daemon:
        yield from (_collected(function, task) for task in waiting)
        return
    count = min(processes, len(tasks)) if isinstance(tasks, Sized) else processes
    if count <= 1:
        gc.freeze()
        try:
            yield from (_collected(function, task) for task in waiting)
        finally:
            gc.unfreeze()
        return
    with _started(function, count) as workers:
        for connection in list(workers):
            _next(connection, waiting, workers)
        if meanwhile:
            meanwhile()
        while workers:
            for ready in wait(list(workers)):
                connection = cast(Connection, ready)
                yield _received(connection, workers[connection])
                _next(connection, waiting, workers)


def _next(connection: Connection, waiting: Iterator[Any], workers: dict[Connection, Any]) -> None:
    """Give a worker its next task; or let it end."""
    if (task := next(waiting, None)) is None:
        del workers[connection]
        connection.close()
    else:
        connection.send(task)


def _collected(function: Callable[[T], R], task: T) -> R:
    """Great Expectations leaves cycles that hold whole tables. What was there before is frozen: this is quick."""
    try:
        return function(task)
    finally:
        gc.collect()


def _received(connection: Connection, process: Any) -> Any:
    try:
        result, error = connection.recv()
    except (EOFError, ConnectionResetError):
        process.join(5)
        raise WorkerLost(
            f"a worker process died with exit code {process.exitcode} (-9: most often the kernel, out of memory); "
            "what was done is kept, and a retry goes on from there"
        ) from None
    if error is not None:
        raise error
    return result


@contextmanager
def _started(function: Callable[[Any], Any], count: int) -> Iterator[dict[Connection, Any]]:
    context = multiprocessing.get_context("fork")
    workers: dict[Connection, Any] = {}
    processes = []
    try:
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(function, theirs, [*workers, ours]), daemon=True)
            process.start()
            theirs.close()
            processes.append(process)
            workers[ours] = process
        yield workers
    except BaseException:
        for process in processes:
            process.kill()
        raise
    finally:
        for connection in workers:
            connection.close()
        for process in processes:
            process.join()


def _work(function: Callable[[Any], Any], connection: Connection, others: list[Connection]) -> None:
    for other in others:  # or the end of the caller would not be seen here
        other.close()
    gc.freeze()
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        try:
            with progress.unshown():  # the caller shows how many tasks are done
                answer: tuple[Any, Exception | None] = (_collected(function, task), None)
        except FirehoseError as error:  # it says what is wrong by itself
            answer = (None, error)
        except Exception as error:
            log.exception("a worker failed")
            answer = (None, error)
        try:
            connection.send(answer)
        except BrokenPipeError:
            return
