"""The state machine: random schedules of events, faults and steps, and at the end of each the conservation oracle.

Rules only say what happens; what runs is in ``plant``, what excuses a failed step in ``intervals``, what must hold
in ``oracle``. A rule whose object is not there (no ingester to kill) does nothing, so that what is drawn never
depends on how fast a process was.
"""

from __future__ import annotations

import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from firehose.lake.verify import verify
from firehose.settings import Settings
from ingester import errors, wire
from ingester.crash import Point
from tests.fault.ingester.harness import stored
from tests.fault.soak.faults import Fault, Fired
from tests.fault.soak.intervals import STEPS, Interval, Intervals
from tests.fault.soak.oracle import Account, judge
from tests.fault.soak.plant import Ingester, Plant, until
from tests.fault.soak.steps import Run, Steps
from tests.fault.soak.tape import Tape
from tests.fault.soak.tear import KINDS, choose

#: Steps of the source's clock (µs), most often none. Beyond an hour the ingester doubts a single event's time.
CLOCK_STEPS: Final = (0, 0, 0, 0, 1_500_000, -1_500_000, 600_000_000, -600_000_000, 5_400_000_000, -5_400_000_000)
#: Steps of Redis' clock (µs), short ones: a drain waits until its interval has passed by this clock.
REDIS_CLOCK_STEPS: Final = (400_000, 1_500_000, 4_000_000, -400_000, -1_500_000, -4_000_000)
#: By how much the second host stamps the same event later (µs).
DISAGREE_US: Final = 0
#: More intervals are not cut by themselves: validating one takes a second.
INTERVALS: Final = 4

_INGESTER_POINTS: Final = sorted(point for point in Point if point.startswith("ingester."))
_STEP_POINTS: Final = {step: sorted(point for point in Point if point.startswith(f"{step}.")) for step in STEPS}
_NAMES: Final = st.sampled_from(["one", "one", "one", "two"])
_WHICH: Final = st.integers(0, 11)
_STEP: Final = st.sampled_from(STEPS)


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


class Firehose(RuleBasedStateMachine):
    """The whole way from two hosts to the lake, under faults."""

    def __init__(self) -> None:
        super().__init__()
        self.began = time.monotonic()
        self.home = Path(tempfile.mkdtemp(prefix="soak-"))
        self.plant = Plant(self.home)
        self.settings = Settings(
            home=str(self.home), lake=str(self.plant.lake), redis_url=self.plant.buffer.server.url
        )
        self.intervals = Intervals(self.plant.buffer.now_s())
        self.running: list[Run] = []
        self.tape = Tape(0)
        self.begun = self.forgotten = False
        self.wanted = True

    # The source.

    @initialize(seed=st.integers(0, 3), count=st.integers(1, 400))
    def begin(self, seed: int, count: int) -> None:
        """A tape, and an ingester that has taken in its first events: two intervals, of which one has ended."""
        self.tape = Tape(seed, DISAGREE_US)
        self._start("one")
        self._arrive(40, 0)
        until(self._caught_up, "the first events are in Redis")
        self._arrive(count, 0)
        self._settle()
        self._cut(wait=True)
        self.begun = True

    @invariant()
    def life_goes_on(self) -> None:
        """Between two rules some events arrive, a dead ingester is started again, and intervals pass."""
        if not self.begun:
            return
        self._arrive(15, 0)
        if self.wanted and not self.plant.alive():
            self._start("one")
        if len(self.intervals.all) < INTERVALS:
            self.intervals.cut(self.plant.buffer.now_s() - 1)

    @rule(count=st.integers(1, 250), step_us=st.sampled_from(CLOCK_STEPS), settle=st.booleans())
    def events_arrive(self, count: int, step_us: int, settle: bool) -> None:
        """Both hosts go on; with ``settle`` the ingester is given the time to follow."""
        self._arrive(count, step_us)
        if settle:
            self._settle()

    @rule(which=st.integers(0, 1))
    def host_down(self, which: int) -> None:
        """A host dies."""
        host = self.plant.hosts[which]
        if host.up:
            host.kill()
            FIRED.count(Fault.HOST_KILLED)

    @rule(which=st.integers(0, 1))
    def host_up(self, which: int) -> None:
        """A host comes back with all that it has retained, and what it has received since."""
        host = self.plant.hosts[which]
        if not host.up:
            host.start()
            host.ready()

    @rule(retained=st.integers(0, 200), count=st.integers(0, 100))
    def hosts_forget(self, retained: int, count: int) -> None:
        """Both hosts begin anew with their last events only: what the ingester has not had by now is a gap."""
        for host in self.plant.hosts:
            host.kill()
        self._arrive(count, 0)
        for host in self.plant.hosts:
            host.forget(retained)
            host.start()
        for host in self.plant.hosts:
            host.ready()
        self.forgotten = True
        FIRED.count(Fault.HOSTS_FORGOT)

    # The ingester.

    @rule(name=_NAMES)
    def start_ingester(self, name: str) -> None:
        """One more, of a name that may be taken."""
        self.wanted = True
        if len(self.plant.alive()) < 3:
            self._start(name)

    @rule(point=st.sampled_from(_INGESTER_POINTS), nth=st.integers(1, 5), count=st.integers(1, 200))
    def ingester_dies_at(self, point: Point, nth: int, count: int) -> None:
        """One that takes over, and is told where to die; it may live on if it does not come there."""
        ingester = self._start("one", f"{point}:{nth}")
        self._arrive(count, 0)
        self._settle()
        if point is Point.RELEASED and ingester.alive:
            ingester.signal(signal.SIGTERM)
            until(lambda: not ingester.alive, "the ingester stops")

    @rule(which=_WHICH, pause_ms=st.integers(0, 200))
    def kill_ingester(self, which: int, pause_ms: int) -> None:
        """SIGKILL, a moment after whatever came before."""
        if ingester := self._ingester(which):
            time.sleep(pause_ms / 1000)
            if ingester.alive:
                ingester.kill()
                FIRED.count(Fault.INGESTER_KILLED, ingester.ended() == -signal.SIGKILL)

    @rule(which=_WHICH)
    def stop_ingester(self, which: int) -> None:
        """SIGTERM; it stays away until the next start."""
        self.wanted = False
        if ingester := self._ingester(which):
            ingester.signal(signal.SIGTERM)
            until(lambda: not ingester.alive, "the ingester stops")
            FIRED.count(Fault.INGESTER_STOPPED, ingester.ended() == errors.OK)

    @rule(which=_WHICH, ms=st.integers(50, 1600), count=st.integers(0, 100))
    def hold_ingester(self, which: int, ms: int, count: int) -> None:
        """It hangs, maybe for longer than its lease lasts, and goes on."""
        if ingester := self._ingester(which):
            ingester.signal(signal.SIGSTOP)
            FIRED.count(Fault.INGESTER_HELD, ingester.state == "T")
            self._arrive(count, 0)
            time.sleep(ms / 1000)
            ingester.signal(signal.SIGCONT)

    # Redis.

    @rule(count=st.integers(0, 100))
    def restart_redis(self, count: int) -> None:
        """In order; events arrive meanwhile."""
        before = self._redis_goes()
        self.plant.buffer.stop()
        self._redis_comes(count)
        FIRED.count(Fault.REDIS_RESTARTED, self._redis_pid() != before)

    @rule(count=st.integers(0, 100), torn=st.sampled_from([0, 0, 1, 40, 400, 4000, 40_000]), part=st.floats(0, 1))
    def kill_redis(self, count: int, torn: int, part: float) -> None:
        """SIGKILL; as after a power loss its log may lack its end, down to any byte."""
        buffer = self.plant.buffer
        before = self._redis_goes()
        assert buffer.server.process is not None
        buffer.server.kill()
        FIRED.count(Fault.REDIS_KILLED, buffer.server.process.returncode == -signal.SIGKILL)
        if torn:
            log = buffer.log
            size = log.stat().st_size
            left = max(0, size - 1 - int(torn * part))
            with log.open("r+b") as stream:
                stream.truncate(left)
            FIRED.count(Fault.REDIS_TORN, left < size)
        self._redis_comes(count)
        assert self._redis_pid() != before

    @rule()
    def fill_redis(self) -> None:
        """Redis takes nothing more."""
        self.plant.buffer.fill()

    @rule(count=st.integers(0, 100))
    def free_redis(self, count: int) -> None:
        """After a flood it has room again."""
        buffer = self.plant.buffer
        if buffer.full:
            self._arrive(count, 0)
            time.sleep(0.1)
            FIRED.count(Fault.REDIS_FULL, buffer.refusals() > 0)
            buffer.free()

    @rule()
    def cut_off_redis(self) -> None:
        """Every connection to Redis breaks, whatever was under way on it."""
        self._without_redis()
        FIRED.count(
            Fault.REDIS_CUT_OFF, self.plant.buffer.client.client_kill_filter(_type="normal", skipme=True) > 0
        )

    @rule(ms=st.integers(50, 800), count=st.integers(0, 100))
    def hold_redis(self, ms: int, count: int) -> None:
        """It hangs, and goes on."""
        server = self.plant.buffer.server
        assert server.process is not None
        server.process.send_signal(signal.SIGSTOP)
        state = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(") ")[2][:1]
        FIRED.count(Fault.REDIS_HELD, state == "T")
        self._arrive(count, 0)
        time.sleep(ms / 1000)
        server.process.send_signal(signal.SIGCONT)

    @rule(folder=st.booleans(), count=st.integers(0, 100))
    def wipe_redis(self, folder: bool, count: int) -> None:
        """Everything in it is gone: by a command, or with its disk."""
        buffer = self.plant.buffer
        keys = buffer.client.dbsize()
        if folder:
            self._redis_goes()
            buffer.server.kill()
            shutil.rmtree(buffer.server.folder)
            self._redis_comes(count)
        else:
            buffer.client.flushall()
            self._arrive(count, 0)
        FIRED.count(Fault.REDIS_WIPED, keys > 0)

    @rule(by_us=st.sampled_from(REDIS_CLOCK_STEPS), count=st.integers(0, 100))
    def step_redis_clock(self, by_us: int, count: int) -> None:
        """The clock that stamps entries and closes intervals steps; events arrive after it."""
        buffer = self.plant.buffer
        before = buffer.now_us() - time.time_ns() // 1000
        buffer.clock.step(by_us)
        stepped = buffer.now_us() - time.time_ns() // 1000 - before
        FIRED.count(Fault.REDIS_CLOCK_FORWARD, stepped > by_us / 2 > 0)
        FIRED.count(Fault.REDIS_CLOCK_BACK, stepped < by_us / 2 < 0)
        self._arrive(count, 0)

    # The steps of batches.

    @rule(wait=st.booleans())
    def cut(self, wait: bool) -> None:
        """The current interval ends with this second; maybe it has not passed when a step of it begins."""
        self._cut(wait=wait)

    @rule(which=_WHICH, number=st.integers(1, 3))
    def advance(self, which: int, number: int) -> None:
        """Some next steps of an interval, if it needs any."""
        if interval := self._unfinished(which):
            for step in interval.missing[:number]:
                self._end(self._begin(interval, step))

    @rule(which=_WHICH, step=_STEP)
    def step_again(self, which: int, step: str) -> None:
        """Any step of any interval, at its turn or not."""
        if interval := self._interval(which):
            before = interval.published
            run = self._end(self._begin(interval, step))
            FIRED.count(Fault.STEP_AGAIN, before and run.code == 0)

    @rule(which=_WHICH, nth=st.integers(1, 3), point=st.integers(0, 99))
    def step_dies_at(self, which: int, nth: int, point: int) -> None:
        """The next step of an interval dies at one of its durable boundaries."""
        if interval := self._unfinished(which):
            step = interval.missing[0]
            points = _STEP_POINTS[step]
            self._end(self._begin(interval, step, crash_at=f"{points[point % len(points)]}:{nth}"))

    @rule(which=_WHICH, ms=st.integers(0, 1500))
    def step_is_killed(self, which: int, ms: int) -> None:
        """The next step of an interval dies at any moment."""
        if interval := self._unfinished(which):
            run = self._begin(interval, interval.missing[0])
            if not steps().ended(run, ms / 1000):
                run.excuses.add("killed")
                run.signal(signal.SIGKILL)
            self._end(run)
            FIRED.count(Fault.STEP_KILLED, run.code == -signal.SIGKILL)

    @rule(which=_WHICH, hold_ms=st.integers(50, 600), after_ms=st.integers(0, 300))
    def step_is_held(self, which: int, hold_ms: int, after_ms: int) -> None:
        """The next step of an interval hangs somewhere, as on a slow disk, and goes on."""
        if interval := self._unfinished(which):
            run = self._begin(interval, interval.missing[0])
            if not steps().ended(run, after_ms / 1000):
                run.signal(signal.SIGSTOP)
                FIRED.count(Fault.STEP_HELD, run.state == "T")
                time.sleep(hold_ms / 1000)
                run.signal(signal.SIGCONT)
            self._end(run)

    @rule(which=_WHICH, other=_WHICH, step=_STEP)
    def two_at_once(self, which: int, other: int, step: str) -> None:
        """The next step of an interval, and any step of any, the same one perhaps."""
        one, two = self._unfinished(which), self._interval(other)
        if one and two:
            runs = [self._begin(one, one.missing[0]), self._begin(two, step)]
            FIRED.count(Fault.STEPS_AT_ONCE, not any(steps().ended(run) for run in runs))
            for run in runs:
                self._end(run)

    @rule(which=_WHICH)
    def in_the_background(self, which: int) -> None:
        """The next step of an interval, while other things happen."""
        if len(self.running) < 2 and (interval := self._unfinished(which)):
            self._begin(interval, interval.missing[0])

    # The disk.

    @rule(left=st.integers(0, 60_000))
    def fill_disk(self, left: int) -> None:
        """The lake's disk has room for a few bytes."""
        if not self.plant.disk.full:
            self.plant.disk.fill(left)
            for run in self.running:
                run.excuses.add("disk full")

    @rule()
    def free_disk(self) -> None:
        """And room again."""
        self.plant.disk.free()

    @rule(which=_WHICH, kind=st.sampled_from(KINDS), number=_WHICH, part=st.floats(0, 0.999))
    def tear(self, which: int, kind: int | str, number: int, part: float) -> None:
        """A finished file is damaged, noticed, and restored."""
        self._join()
        interval = self._interval(which)
        if interval is None or not (torn := choose(self.plant.lake, interval.batch, kind, number, part)):
            return
        torn.tear()
        if torn.step:
            run = self._begin(interval, torn.step, excuse="torn")
            noticed = self._end(run).code != 0
        else:
            noticed = not verify(self.plant.lake).ok
        assert noticed or torn.step, f"nobody noticed {torn.path}"
        assert torn.restore() or not noticed
        FIRED.count(Fault.FILE_TORN, noticed)

    # The end.

    def teardown(self) -> None:
        """Make everything healthy, take in and process all that is missing, and ask the oracle."""
        try:
            if sys.exc_info()[0] is None:
                self._finish()
        finally:
            for run in self.running:
                run.signal(signal.SIGKILL)
                steps().wait(run)
            self.plant.close()
            shutil.rmtree(self.home, ignore_errors=True)

    def _finish(self) -> None:
        self._heal()
        self._take_in_the_rest()
        self._process_the_rest()
        while left := self._left():
            # What a torn log has brought back, or a clock has put into a past interval, goes with the next batch.
            assert len(self.intervals.all) < 40, f"still in Redis: {left}"
            self._take_in_the_rest()
            self._process_the_rest()
        account = judge(self.plant.lake, self.tape, forgotten=self.forgotten)
        self._judge_ingesters()
        self._count(account)

    def _left(self) -> dict[str, int]:
        client = self.plant.buffer.client
        return {queue: left for queue in wire.QUEUES if (left := client.xlen(wire.stream_key(queue)))}

    def _count(self, account: Account) -> None:
        FIRED.count(Fault.REPEATED, account.dropped)
        FIRED.count(Fault.POISON, account.quarantined)
        FIRED.count(Fault.GAP, account.missing)
        FIRED.count(Fault.CLOCK_FORWARD, sum(step > 0 for _, step in self.tape.steps))
        FIRED.count(Fault.CLOCK_BACK, sum(step < 0 for _, step in self.tape.steps))
        SUMMARY.schedules += 1
        SUMMARY.events += account.sent
        SUMMARY.delivered += account.delivered
        SUMMARY.missing += account.missing
        SUMMARY.intervals += len(self.intervals.all)
        SUMMARY.seconds += time.monotonic() - self.began

    def _join(self) -> None:
        while self.running:
            self._end(self.running[0])

    def _heal(self) -> None:
        self._join()
        self.plant.disk.free()
        if self.plant.buffer.full:
            self.plant.buffer.free()
        self.plant.buffer.clock.advance()
        for host in self.plant.hosts:
            if not host.up:
                host.start()
                host.ready()

    def _take_in_the_rest(self) -> None:
        for ingester in self.plant.alive():
            ingester.kill()
        ingester = self._start("one")
        # A create, the last event of all, once in Redis says that all before it have passed.
        while b'"create"' not in self.tape.sent[0][-1].line or self.tape.count < 2:
            self._arrive(1, 0)
        self._arrive(1, 0)
        last = [sent[-1].line for sent in self.tape.sent]
        until(lambda: ingester.said("event=connected") and self._holds(last), "the last event is in Redis")
        assert ingester.stop(60) == errors.OK

    def _process_the_rest(self) -> None:
        self.intervals.cut(self.plant.buffer.now_s() + 1)
        order = list(self.intervals.all)
        random.Random(len(order) * 1009 + self.tape.count).shuffle(order)
        for interval in order:
            # Entries that a torn log has brought back are deleted by a repeated drain.
            interval.silent = False
            interval.done.discard("drain")
            for step in interval.missing:
                if not interval.silent:
                    self._end(self._begin(interval, step))
            assert interval.silent or not interval.missing

    def _judge_ingesters(self) -> None:
        for ingester in self.plant.ingesters:
            code = ingester.ended()
            FIRED.count(Fault.INGESTER_FENCED, code == errors.FENCED)
            FIRED.count(Fault.INGESTER_SUPERSEDED, code == errors.SUPERSEDED)
            FIRED.count(Fault.INGESTER_STANDBY, ingester.said("event=standby"))
            FIRED.count(Fault.HOST_SWITCHED, ingester.said("event=host_switched"))
            proof = ingester.proof.read_text() if ingester.proof.exists() else ""
            FIRED.count(Fault.INGESTER_CRASHED, FIRED.point(proof))
            known = [errors.OK, errors.UNWRITTEN, errors.FENCED, errors.SUPERSEDED, -signal.SIGKILL]
            said = ingester.log.read_text()
            if not said:
                known.append(-signal.SIGTERM)  # it was stopped before it had begun
            assert code in known and "Traceback" not in said, f"an ingester ended with {code}:\n{said}"

    # What rules share.

    def _start(self, name: str, crash_at: str = "") -> Ingester:
        # It begins at the oldest event while neither Redis nor the lake says where to go on.
        return self.plant.start_ingester(name, 1, crash_at)

    def _arrive(self, count: int, step_us: int) -> None:
        for host, messages in zip(self.plant.hosts, self.tape.take(count, step_us), strict=True):
            host.put(messages)

    def _cut(self, *, wait: bool) -> None:
        at_s = self.plant.buffer.now_s() + 1
        self.intervals.cut(at_s)
        if wait:
            until(lambda: self.plant.buffer.now_s() >= at_s, "the second has passed")

    def _settle(self) -> None:
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline and not self._caught_up():
            if self.plant.buffer.full or not self.plant.alive() or not any(host.up for host in self.plant.hosts):
                return
            time.sleep(0.01)

    def _caught_up(self) -> bool:
        # The last event may be one whose time nobody can read.
        return self.plant.buffer.time_us() in {one.time_us for sent in self.tape.sent for one in sent[-3:]}

    def _holds(self, lines: list[bytes]) -> bool:
        return not set(lines).isdisjoint(stored(self.plant.buffer.client))

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
        buffer = self.plant.buffer
        if buffer.full:
            FIRED.count(Fault.REDIS_FULL, buffer.refusals() > 0)
        self._without_redis()
        return self._redis_pid()

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
