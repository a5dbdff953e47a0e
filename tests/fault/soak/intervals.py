"""The intervals of a schedule, cut by Redis' clock at seconds that the machine chooses, without holes.

Lives here: how far each interval is, and which failures of a step have an excuse. Must not: start processes.
"""

from __future__ import annotations

import errno
import os
import signal
from datetime import UTC, datetime
from typing import Final

import msgspec

from firehose.batch.interval import Batch
from tests.fault.soak.steps import Run

STEPS: Final = ("drain", "validate", "publish")
#: What a drain says where there is nothing to drain: no ingester listened.
SILENCE: Final = ("NotListening", "MissedInterval", "BeforeFirstStart")
_NO_SPACE: Final = (errno.ENOSPC, errno.EFBIG)


class Interval(msgspec.Struct):
    """One interval. ``done`` are the steps that have succeeded since what they build on last changed."""

    batch: Batch
    done: set[str] = msgspec.field(default_factory=set)
    silent: bool = False
    published: int = 0
    overlapped: bool = False

    @property
    def missing(self) -> list[str]:
        """The steps that are still to be done, in order; of a silent interval only the drain's confirmation."""
        return [] if self.silent else [step for step in STEPS if step not in self.done]

    def begun(self, step: str, *, together: bool) -> None:
        """Note that a step has begun, ``together`` with another one of this interval: in any order."""
        self.overlapped = together
        # Even if it dies, it may have staged rows again.
        self.done -= {"validate": {"validate", "publish"}, "publish": {"publish"}}.get(step, set())

    def ended(self, run: Run) -> str:
        """Note what a step has done; returns the excuse of its failure, or nothing.

        Fails the schedule for a failure without an excuse.
        """
        if run.code == 0:
            self._succeeded(run.step)
            return ""
        excuse = self._excuse(run)
        assert excuse, (
            f"{run.step} of {run.batch.id} ended with {run.code}, which nothing excuses\n{run.outcome.trace}"
        )
        if excuse == "silent":
            self.silent = True
        return excuse

    def _succeeded(self, step: str) -> None:
        if step == "drain":
            self.silent = False
        if step == "publish":
            self.published += 1
        if step == "drain" or not self.overlapped:
            self.done.add(step)

    def _excuse(self, run: Run) -> str:
        outcome, error = run.outcome, run.outcome.error
        if run.code == -signal.SIGKILL:
            return "crash point" if run.proof else "killed" if "killed" in run.excuses else ""
        if error in SILENCE and run.step == "drain":
            return "silent"
        if error == "CorruptBatch" and "no manifest" in outcome.trace and "undrained" in run.excuses:
            return "undrained"
        if error == "NotStaged" and "validate" not in self.done:  # publish never validates by itself
            return "not validated"
        if error == "ServiceUnavailable" and "no Redis" in run.excuses:
            return "no Redis"
        full = outcome.errno in _NO_SPACE or any(os.strerror(number) in outcome.trace for number in _NO_SPACE)
        if full and "disk full" in run.excuses:
            return "disk full"
        if error in ("CorruptBatch", "CorruptLake", "LakeChanged") and "torn" in run.excuses:
            return "torn"
        return ""


class Intervals:
    """All intervals of a schedule, in the order of time."""

    def __init__(self, start_s: int) -> None:
        self.all: list[Interval] = []
        self.start = _instant(start_s)
        self._until_s = start_s

    def cut(self, at_s: int) -> bool:
        """End the current interval at a second of Redis' clock; False: it has not begun yet."""
        if at_s <= self._until_s:
            return False
        self.all.append(Interval(Batch.of(_instant(self._until_s), _instant(at_s))))
        self._until_s = at_s
        return True

    def of(self, run: Run) -> Interval:
        """The interval of a step."""
        return next(interval for interval in self.all if interval.batch == run.batch)

    def published_later(self, interval: Interval) -> bool:
        """Whether a later interval has been published already."""
        return any(one.published for one in self.all[self.all.index(interval) + 1 :])


def _instant(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
