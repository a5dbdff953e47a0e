"""The rules about the steps of batches: any order, again, at once, killed, held, without Redis."""

from __future__ import annotations

import signal
import time
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import rule

from ingester.contract.crash import Point
from tests.fault.soak.faults import Fault
from tests.fault.soak.intervals import STEPS
from tests.fault.soak.schedule import FIRED, WHICH, Schedule, steps

_POINTS: Final = {step: sorted(point for point in Point if point.startswith(f"{step}.")) for step in STEPS}
_STEP: Final = st.sampled_from(STEPS)


class StepRules(Schedule):
    """What is done to batches."""

    @rule(wait=st.booleans())
    def cut(self, wait: bool) -> None:
        """The current interval ends with this second; maybe it has not passed when a step of it begins."""
        self._cut(wait=wait)

    @rule(which=WHICH, number=st.integers(1, 3))
    def advance(self, which: int, number: int) -> None:
        """Some next steps of an interval, if it needs any."""
        if interval := self._unfinished(which):
            for step in interval.missing[:number]:
                self._end(self._begin(interval, step))

    @rule(which=WHICH, step=_STEP)
    def step_again(self, which: int, step: str) -> None:
        """Any step of an interval, of a published one if there is any, at its turn or not."""
        published = [interval for interval in self.intervals.all if interval.published]
        if interval := published[which % len(published)] if published else self._interval(which):
            before = interval.published
            run = self._end(self._begin(interval, step))
            FIRED.count(Fault.STEP_AGAIN, before and run.code == 0)

    @rule(which=WHICH, nth=st.integers(1, 3), point=st.integers(0, 99))
    def step_dies_at(self, which: int, nth: int, point: int) -> None:
        """The next step of an interval dies at one of its durable boundaries."""
        if interval := self._unfinished(which):
            step = interval.missing[0]
            points = _POINTS[step]
            self._end(self._begin(interval, step, crash_at=f"{points[point % len(points)]}:{nth}"))

    @rule(which=WHICH, ms=st.integers(0, 1500))
    def step_is_killed(self, which: int, ms: int) -> None:
        """The next step of an interval dies at any moment."""
        if interval := self._unfinished(which):
            run = self._begin(interval, interval.missing[0])
            if not steps().ended(run, ms / 1000):
                run.excuses.add("killed")
                run.signal(signal.SIGKILL)
            self._end(run)
            FIRED.count(Fault.STEP_KILLED, run.code == -signal.SIGKILL)

    @rule(which=WHICH, hold_ms=st.integers(50, 600), after_ms=st.integers(0, 300))
    def step_is_held(self, which: int, hold_ms: int, after_ms: int) -> None:
        """The next step of an interval hangs somewhere, as on a slow disk, and goes on."""
        if interval := self._unfinished(which):
            run = self._begin(interval, interval.missing[0])
            if not steps().ended(run, after_ms / 1000):
                run.signal(signal.SIGSTOP)
                FIRED.count(Fault.STEP_HELD, run.held)
                time.sleep(hold_ms / 1000)
                run.signal(signal.SIGCONT)
            self._end(run)

    @rule(which=WHICH, other=WHICH, step=_STEP)
    def two_at_once(self, which: int, other: int, step: str) -> None:
        """The next step of an interval, and any step of any, the same one perhaps."""
        one, two = self._unfinished(which), self._interval(other)
        if one and two:
            runs = [self._begin(one, one.missing[0]), self._begin(two, step)]
            FIRED.count(Fault.STEPS_AT_ONCE, not any(steps().ended(run) for run in runs))
            for run in runs:
                self._end(run)

    @rule(which=WHICH)
    def in_the_background(self, which: int) -> None:
        """The next step of an interval, while other things happen."""
        if len(self.running) < 2 and (interval := self._unfinished(which)):
            self._begin(interval, interval.missing[0])

    @rule(which=WHICH, count=st.integers(0, 100))
    def step_without_redis(self, which: int, count: int) -> None:
        """The next step of an interval begins while Redis is away."""
        if interval := self._unfinished(which):
            self._redis_goes()
            self.plant.buffer.stop()
            run = self._begin(interval, interval.missing[0], excuse="no Redis")
            steps().ended(run, 0.5)
            self._redis_comes(count)
            self._end(run)
