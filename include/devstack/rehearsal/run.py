"""Runs a rehearsal: each step in its turn, up to the first that fails. Must not: know what a step does."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from devstack.rehearsal.place import place
from devstack.rehearsal.steps import Steps
from firehose.errors import FirehoseError


class StepDone(msgspec.Struct, frozen=True, kw_only=True):
    """A step, what it checked, and its seconds. ``failed``: why it did not pass; empty: it did."""

    step: str
    checked: str
    failed: str
    seconds: float


class RehearsalReport(msgspec.Struct, frozen=True, kw_only=True):
    """Every step that was taken, in order: if one failed, it is the last."""

    days: int
    records: int
    steps: list[StepDone]
    seconds: float

    @property
    def failed(self) -> str:
        """The step that failed, and why; empty: none."""
        last = self.steps[-1]
        return f"{last.step}: {last.failed}" if last.failed else ""


def rehearse(
    days: int, records: int, *, only_old: int = 0, tell: Callable[[StepDone], object] = lambda _: None
) -> RehearsalReport:
    """Make both systems with ``records`` events of ``days`` days, take all stages and go back.

    ``only_old``: so many posts are planted that the stream never had, at which the comparison has to stop.
    ``tell`` hears of each step.

    Raises:
        ServiceUnavailable: Redis does not start.
        EndpointError: ClickHouse does not start.
    """
    began, done = time.monotonic(), list[StepDone]()
    with place(days, records, only_old) as where:
        for step in Steps(where):
            started, checked, failed = time.monotonic(), "", ""
            try:
                checked = step.do()
            except FirehoseError as error:
                failed = str(error)
            seconds = round(time.monotonic() - started, 1)
            done.append(StepDone(step=step.name, checked=checked, failed=failed, seconds=seconds))
            tell(done[-1])
            if failed:
                break
    return RehearsalReport(days=days, records=records, steps=done, seconds=round(time.monotonic() - began, 1))
