"""The rules about Redis: restarts, a torn log, no memory, no data, no connection, a hang, another time."""

from __future__ import annotations

import shutil
import signal
import time
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import rule

from ingester.jetstream.hosts import V2
from tests.fault.soak.faults import Fault
from tests.fault.soak.schedule import FIRED, Schedule
from tests.fault.soak.steps import stopped

#: Steps of Redis' clock (µs), short ones: a drain waits until its interval has passed by this clock.
CLOCK_STEPS: Final = (400_000, 1_500_000, 4_000_000, -400_000, -1_500_000, -4_000_000)


class RedisRules(Schedule):
    """What happens to Redis."""

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

    @rule(count=st.integers(0, 300), ms=st.integers(100, 1000), free=st.booleans())
    def fill_redis(self, count: int, ms: int, free: bool) -> None:
        """Redis takes nothing more, for a while or until it is freed."""
        self.plant.buffer.fill()
        self._arrive(count, 0)
        time.sleep(ms / 1000)
        if free:
            self._free_redis()

    @rule(count=st.integers(0, 100))
    def free_redis(self, count: int) -> None:
        """After a flood it has room again."""
        self._arrive(count, 0)
        self._free_redis()

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
        FIRED.count(Fault.REDIS_HELD, stopped(server.process.pid))
        self._arrive(count, 0)
        time.sleep(ms / 1000)
        server.process.send_signal(signal.SIGCONT)

    @rule(folder=st.booleans(), count=st.integers(0, 100))
    def wipe_redis(self, folder: bool, count: int) -> None:
        """Everything in it is gone: by a command, or with its disk."""
        buffer = self.plant.buffer
        keys, numbered = buffer.client.dbsize(), buffer.protocol() == V2
        if folder:
            self._redis_goes()
            buffer.server.kill()
            shutil.rmtree(buffer.server.folder)
            self._redis_comes(count)
        else:
            buffer.client.flushall()
            self._arrive(count, 0)
        FIRED.count(Fault.REDIS_WIPED, keys > 0)
        FIRED.count(Fault.WIPED_ON_V2, numbered)

    @rule(by_us=st.sampled_from(CLOCK_STEPS), count=st.integers(0, 100))
    def step_redis_clock(self, by_us: int, count: int) -> None:
        """The clock that stamps entries and closes intervals steps; events arrive after it."""
        buffer = self.plant.buffer
        before = buffer.now_us() - time.time_ns() // 1000
        buffer.clock.step(by_us)
        stepped = buffer.now_us() - time.time_ns() // 1000 - before
        FIRED.count(Fault.REDIS_CLOCK_FORWARD, stepped > by_us / 2 > 0)
        FIRED.count(Fault.REDIS_CLOCK_BACK, stepped < by_us / 2 < 0)
        self._arrive(count, 0)
