"""Work in forked processes: every result once, errors as they are, and a death is told."""

from __future__ import annotations

import os
import signal
import time

import pytest

from firehose.errors import CorruptBatch, WorkerLost
from firehose.quality.workers import map_unordered


def squared(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


def refusing(number: int) -> int:
    if number == 3:
        raise CorruptBatch("number 3 is torn")
    return number


def dying(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("processes", [1, 2, 9])
def test_every_task_is_done_once(processes: int) -> None:
    done = list(map_unordered(squared, range(20), processes))
    assert sorted(square for square, _ in done) == [number * number for number in range(20)]
    others = {pid for _, pid in done} - {os.getpid()}
    assert (len(others) > 0) == (processes > 1)
    assert len(others) <= processes


@pytest.mark.parametrize("processes", [1, 2])
def test_what_is_begun_when_the_time_is_over_is_ended_and_no_more(processes: int) -> None:
    end = time.monotonic() + 1

    def long(number: int) -> int:
        while time.monotonic() < end:
            os.sched_yield()
        return number

    assert sorted(map_unordered(long, range(10), processes, seconds=0.9)) == list(range(processes))
    assert list(map_unordered(long, range(10), processes, seconds=0)) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_is_raised_as_it_is(processes: int) -> None:
    with pytest.raises(CorruptBatch, match="number 3 is torn"):
        list(map_unordered(refusing, range(10), processes))


def test_a_death_is_told_and_nothing_hangs() -> None:
    with pytest.raises(WorkerLost, match="exit code -9"):
        list(map_unordered(dying, range(10), 2))


def test_leaving_early_ends_the_processes() -> None:
    pids = set()
    work = map_unordered(squared, range(1000), 2)
    for _ in range(4):
        pids.add(next(work)[1])
    work.close()  # type: ignore[attr-defined]  # a generator, which its type does not say
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
