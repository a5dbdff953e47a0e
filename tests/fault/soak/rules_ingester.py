"""The rules about ingesters: how they start, die, hang, and meet each other."""

from __future__ import annotations

import signal
import time
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import rule

from ingester import errors
from ingester.contract.crash import Point
from tests.fault.soak.faults import Fault
from tests.fault.soak.schedule import FIRED, WHICH, Schedule
from tests.support.waiting import until

_POINTS: Final = sorted(point for point in Point if point.startswith("ingester."))
_NAMES: Final = st.sampled_from(["one", "one", "one", "two"])


class IngesterRules(Schedule):
    """What happens to ingesters."""

    @rule(name=_NAMES)
    def start_ingester(self, name: str) -> None:
        """One more, of a name that may be taken."""
        self.wanted = True
        if len(self.plant.alive()) < 3:
            self._start(name)

    @rule(point=st.sampled_from(_POINTS), nth=st.integers(1, 5), count=st.integers(1, 200))
    def ingester_dies_at(self, point: Point, nth: int, count: int) -> None:
        """One that takes over, and is told where to die; it may live on if it does not come there."""
        ingester = self._start("one", f"{point}:{nth}")
        self._arrive(count, 0)
        self._settle()
        if point is Point.RELEASED and ingester.alive:
            ingester.signal(signal.SIGTERM)
            until(lambda: not ingester.alive, what="the ingester stops")

    @rule(which=WHICH, pause_ms=st.integers(0, 200))
    def kill_ingester(self, which: int, pause_ms: int) -> None:
        """SIGKILL, a moment after whatever came before."""
        if ingester := self._ingester(which):
            time.sleep(pause_ms / 1000)
            if ingester.alive:
                ingester.kill()
                FIRED.count(Fault.INGESTER_KILLED, ingester.ended() == -signal.SIGKILL)

    @rule(which=WHICH)
    def stop_ingester(self, which: int) -> None:
        """SIGTERM; it stays away until the next start."""
        self.wanted = False
        if ingester := self._ingester(which):
            ingester.signal(signal.SIGTERM)
            until(lambda: not ingester.alive, what="the ingester stops")
            FIRED.count(Fault.INGESTER_STOPPED, ingester.ended() == errors.OK)

    @rule(count=st.integers(0, 100))
    def standby_takes_over(self, count: int) -> None:
        """One of another name waits, and takes over as all others hang for longer than the lease; they wake up."""
        self._free_redis()
        others = self.plant.alive()
        standby = self._start("three")
        until(
            lambda: standby.said("event=standby") or standby.said("event=claimed") or not standby.alive,
            what="it began",
        )
        for ingester in others:
            ingester.signal(signal.SIGSTOP)
        self._arrive(count, 0)
        time.sleep(1.3)
        for ingester in others:
            ingester.signal(signal.SIGCONT)

    @rule(which=WHICH, ms=st.integers(50, 1600), count=st.integers(0, 100))
    def hold_ingester(self, which: int, ms: int, count: int) -> None:
        """It hangs, maybe for longer than its lease lasts, and goes on."""
        if ingester := self._ingester(which):
            ingester.signal(signal.SIGSTOP)
            FIRED.count(Fault.INGESTER_HELD, ingester.held)
            self._arrive(count, 0)
            time.sleep(ms / 1000)
            ingester.signal(signal.SIGCONT)
