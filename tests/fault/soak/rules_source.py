"""The rules about the source: events, its clock, hosts that die, come back, or have forgotten."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import rule

from ingester.jetstream.hosts import V2
from tests.fault.soak.faults import Fault
from tests.fault.soak.schedule import FIRED, Schedule

#: Steps of the source's clock (µs), most often none. Beyond an hour the ingester doubts a single event's time.
CLOCK_STEPS: Final = (0, 0, 0, 0, 1_500_000, -1_500_000, 600_000_000, -600_000_000, 5_400_000_000, -5_400_000_000)
#: By how much a rebuilt v2 host counts from another number: little more than an ingester rewinds, or far off.
RENUMBERED_BY: Final = (-3000, -1050, -300, -60, -25, 1, 30, 300, 5000)


class SourceRules(Schedule):
    """What comes from the network."""

    @rule(count=st.integers(1, 250), step_us=st.sampled_from(CLOCK_STEPS), settle=st.booleans())
    def events_arrive(self, count: int, step_us: int, settle: bool) -> None:
        """Both hosts go on; with ``settle`` the ingester is given the time to follow."""
        self._arrive(count, 0 if self.forgotten or self.renumbered else step_us)
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

    @rule(which=st.integers(0, 1), by=st.sampled_from(RENUMBERED_BY), count=st.integers(0, 100))
    def host_counts_again(self, which: int, by: int, count: int) -> None:
        """A v2 host is rebuilt: it has all its events, and other numbers for them.

        Not on a clock that was set back: where a number is that of a later event, only its time tells.
        """
        host = self.plant.hosts[which]
        if host.protocol != V2 or self.tape.steps:
            return
        host.kill()
        self._arrive(count, 0)
        FIRED.count(Fault.COUNTS_AGAIN, host.count_again(by))
        host.start()
        host.ready()
        self.renumbered = True

    @rule(retained=st.integers(1, 200), count=st.integers(0, 100))
    def hosts_forget(self, retained: int, count: int) -> None:
        """Both hosts start again with their last events only: what the ingester has not had by now is a gap.

        Not on a clock that was set back, by which it cannot be told what is missing; nor before the first batch
        is drained: if Redis is then lost as well, there is no record left that there ever was an event.
        """
        if self.tape.steps or "drain" not in self.intervals.all[0].done:
            return
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
