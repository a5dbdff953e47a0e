"""Verifies hour files in two processes, until a time is over. Must not: decide which."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from firehose.errors import CorruptLake
from firehose.lake import verification
from firehose.maintenance.plan import Chosen
from firehose.quality import workers
from firehose.store import LakePath

_PROCESSES: Final = 2
# Less than this is verified sooner than processes are forked.
_FORK_BYTES: Final = 8 * 1024 * 1024


class Outcome(NamedTuple):
    """The rows of a file that is sound, or why it is not."""

    rows: int
    problem: str


class _Task(NamedTuple):
    lake: LakePath
    check: Chosen


def verified(lake: LakePath, checks: Sequence[Chosen], seconds: float) -> Iterator[Outcome]:
    """Verify these, as they come, until the time is over: what is under way then is given up.

    Raises:
        WorkerLost: a process died.
    """
    until = time.monotonic() + seconds
    large = sum(check.bytes for check in checks) >= _FORK_BYTES
    processes = min(_PROCESSES, os.cpu_count() or 1) if large else 1
    tasks = [_Task(lake, check) for check in checks]
    if seconds <= 0:
        return
    for outcome in workers.map_unordered(_verify, tasks, processes):
        yield outcome
        if time.monotonic() >= until:
            return


def _verify(task: _Task) -> Outcome:
    try:
        return Outcome(verification.verify(task.lake, task.check.file).rows, "")
    except CorruptLake as error:
        return Outcome(0, str(error))
