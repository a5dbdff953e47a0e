"""One schedule under way: what runs, what has been done, and what all rules share.

Lives here: the beginning, what goes on between two rules, the begin and end of steps. Must not: faults.
"""

from __future__ import annotations

import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from firehose.batch import late
from firehose.batch.interval import Batch
from firehose.settings import Settings
from firehose.store import LocalLake
from tests.fault.soak.faults import Fault, Fired
from tests.fault.soak.intervals import STEPS, Interval, Intervals
from tests.fault.soak.pairs import PAIRS, Pair, Spoken
from tests.fault.soak.plant import Ingester, Plant
from tests.fault.soak.steps import Run, Steps
from tests.fault.soak.tape import Tape
from tests.support.waiting import until

#: By how much the second host stamps the same event later (µs): one event lies in two hours by these stamps.
DISAGREE_US: Final = 150_000
#: How far an ingester rewinds: on v1 in milliseconds, ten events or none; on v2 in events, all of them or some.
REWINDS_MS: Final = (1000, 20)
#: More intervals are not cut by themselves: validating one takes a second.
INTERVALS: Final = 4
#: Which of several things a rule is about: the remainder by their number counts.
WHICH: Final = st.integers(0, 11)


class Summary(msgspec.Struct):
    """What all schedules of this process did."""

    schedules: int = 0
    events: int = 0
    delivered: int = 0
    missing: int = 0
    intervals: int = 0
    seconds: float = 0.0


FIRED: Final = Fired()
SUMMARY: Final = Summary()
_steps: list[Steps] = []


def steps() -> Steps:
    """The driver of all schedules of this process."""
    if not _steps:
        _steps.append(Steps())
    return _steps[0]


def close() -> None:
    """End the driver."""
    while _steps:
        _steps.pop().close()


class Schedule(RuleBasedStateMachine):
    """The state that the rules act upon, without any rule."""

    def __init__(self) -> None:
        super().__init__()
        self.began = time.monotonic()
        self.home = Path(tempfile.mkdtemp(prefix="soak-"))
        self.plant = Plant(self.home)
        self.settings = Settings(
            home=str(self.home),
            lake=str(self.plant.lake),
            redis_url=self.plant.buffer.server.url,
            disk_reserve_mib=0,  # the disk is small, and fills up
        )
        self.intervals = Intervals(self.plant.buffer.now_s())
        self.running: list[Run] = []
        self.tape = Tape(0)
        self.spoken = Spoken()
        self.begun = self.forgotten = self.renumbered = False
        self.wanted = True

    @initialize(
        speak=st.sampled_from(list(PAIRS)),
        rewind_ms=st.sampled_from(REWINDS_MS),
        seed=st.integers(0, 3),
        count=st.integers(1, 400),
        done=st.integers(0, 3),
    )
    def begin(self, speak: Pair, rewind_ms: int, seed: int, count: int, done: int) -> None:
        """Hosts that ``speak`` these protocols, a tape, an ingester that has its first events, and two intervals.

        Of the one that has ended some steps are ``done``.
        """
        for host, protocol in zip(self.plant.hosts, speak, strict=True):
            host.protocol = protocol
        self.plant.rewind_ms = rewind_ms
        self.tape = Tape(seed, DISAGREE_US)
        self._start("one")
        self._arrive(40, 0)
        until(self._caught_up, what="the first events are in Redis")
        # As the drain of the interval before has done, which ended before the ingester was first started.
        start = self.intervals.start
        late.skip(LocalLake(self.plant.lake), Batch.of(start - timedelta(seconds=1), start))
        self._arrive(count, 0)
        self._settle()
        self._cut(wait=True)
        for step in STEPS[:done]:
            self._end(self._begin(self.intervals.all[0], step))
        self.begun = True

    @invariant()
    def life_goes_on(self) -> None:
        """Between two rules some events arrive, a dead ingester is started again, and intervals pass."""
        if not self.begun:
            return
        self._look()
        self._arrive(15, 0)
        if self.wanted and not self.plant.alive():
            self._start("one")
        if len(self.intervals.all) < INTERVALS:
            self.intervals.cut(self.plant.buffer.now_s() - 1)

    def _start(self, name: str, crash_at: str = "") -> Ingester:
        # It begins at the oldest event while neither Redis nor the lake says where to go on.
        return self.plant.start_ingester(name, 1, crash_at)

    def _arrive(self, count: int, step_us: int) -> None:
        for host, messages in zip(self.plant.hosts, self.tape.take(count, step_us), strict=True):
            host.put(messages)

    def _look(self) -> None:
        if switch := self.spoken.look(self.plant.buffer.protocol()):
            FIRED.count(switch)

    def _cut(self, *, wait: bool) -> None:
        at_s = self.plant.buffer.now_s() + 1
        self.intervals.cut(at_s)
        if wait:
            until(lambda: self.plant.buffer.now_s() >= at_s, what="the second has passed")

    def _settle(self) -> None:
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline and not self._caught_up():
            if self.plant.buffer.full or not self.plant.alive() or not any(host.up for host in self.plant.hosts):
                return
            time.sleep(0.01)

    def _caught_up(self) -> bool:
        # The last event may be one whose time cannot be read.
        return self.plant.buffer.time_us() in {one.time_us for sent in self.tape.sent for one in sent[-3:]}

    def _ingester(self, which: int) -> Ingester | None:
        alive = self.plant.alive()
        return alive[which % len(alive)] if alive else None

    def _interval(self, which: int) -> Interval | None:
        intervals = self.intervals.all
        return intervals[which % len(intervals)] if intervals else None

    def _unfinished(self, which: int) -> Interval | None:
        unfinished = [one for one in self.intervals.all if one.missing]
        return unfinished[which % len(unfinished)] if unfinished else None

    def _redis_goes(self) -> int:
        self._free_redis()
        self._without_redis()
        return self._redis_pid()

    def _free_redis(self) -> None:
        if self.plant.buffer.full:
            FIRED.count(Fault.REDIS_FULL, self.plant.buffer.refusals() > 0)
            self.plant.buffer.free()

    def _without_redis(self) -> None:
        for run in self.running:
            run.excuses.add("no Redis")

    def _redis_comes(self, count: int) -> None:
        self._arrive(count, 0)
        self.plant.buffer.start()

    def _redis_pid(self) -> int:
        process = self.plant.buffer.server.process
        return process.pid if process else 0

    def _begin(self, interval: Interval, step: str, crash_at: str = "", excuse: str = "") -> Run:
        disk = self.plant.disk
        run = steps().begin(
            self.settings,
            step,
            interval.batch,
            self.home,
            crash_at=crash_at,
            largest_file=disk.largest_file,
        )
        run.excuses |= {excuse}
        run.excuses |= {"disk full"} if disk.full else set()
        run.excuses |= {"undrained"} if "drain" not in interval.done else set()
        interval.begun(step, together=any(other.batch == interval.batch for other in self.running))
        self.running.append(run)
        return run

    def _join(self) -> None:
        while self.running:
            self._end(self.running[0])

    def _end(self, run: Run) -> Run:
        steps().wait(run)
        if run in self.running:
            self.running.remove(run)
        interval = self.intervals.of(run)
        later = self.intervals.published_later(interval)
        excuse = interval.ended(run)
        note(f"{run.step} of {run.batch.id}: {excuse or 'done'}")
        FIRED.count(Fault.STEP_CRASHED, FIRED.point(run.proof))
        FIRED.count(Fault.STEP_WITHOUT_REDIS, excuse == "no Redis")
        FIRED.count(Fault.DISK_FULL, excuse == "disk full")
        FIRED.count(Fault.OUT_OF_ORDER, later and run.step == "publish" and not excuse and interval.published == 1)
        return run
