"""What the hour has shown, as a table or JSON, and which bounds it has missed.

Lives here: the sum of all judgements. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from tests.fault.soak_hour.availability import RECOVERY_S, TARGET, Availability
from tests.fault.soak_hour.conservation import Account
from tests.fault.soak_hour.expectations import Outcome, Told
from tests.fault.soak_hour.sampling import Verdict

_MIB: Final = 1 << 20
_SHOWN: Final = 10


class Report(NamedTuple):
    """Everything that was judged. ``failed``: faults that could not be injected, ``still``: uncleared alerts."""

    asked: dict[str, Any]
    seconds: float
    load: tuple[float, float]
    faults: list[str]
    failed: list[str]
    availability: dict[str, Availability]
    processes: list[Verdict]
    events: Account
    alerts: list[Outcome]
    unexpected: list[Told]
    still: list[str]
    mails: tuple[int, int]

    def missed(self) -> Iterator[str]:
        """A line for each bound that was missed; none: the hour is passed."""
        yield from (f"fault: {line}" for line in self.failed)
        for name, found in self.availability.items():
            if not found.met:
                yield f"availability of {name}: {found.own:.3%} outside of injected outages, not {TARGET:.1%}"
        for verdict in self.processes:
            if not verdict.rss.flat:
                yield f"memory of {verdict.service} ({verdict.pid}) grew by {verdict.rss.rise / _MIB:.0f} MiB"
            if not verdict.fds.flat:
                yield f"descriptors of {verdict.service} ({verdict.pid}) grew by {verdict.fds.rise:.0f}"
        yield from (f"events: {line}" for line in self.events.problems)
        for outcome in self.alerts:
            if outcome.fired_s is None:
                yield f"alert {outcome.alert} was not told for: {outcome.fault}"
            elif outcome.cleared_s is None:
                yield f"alert {outcome.alert} did not clear after: {outcome.fault}"
        yield from (f"alert {told.key} was told, and no fault explains it" for told in self.unexpected)
        yield from (f"alert {key} is still told at the end" for key in self.still)
        if self.mails[0] != self.mails[1]:
            yield f"the webhook was sent {self.mails[0]} messages, and the mail server {self.mails[1]}"

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "asked": self.asked,
            "seconds": round(self.seconds),
            "load": self.load,
            "faults": self.faults,
            "availability": {name: found._asdict() for name, found in self.availability.items()},
            "processes": [
                {"service": v.service, "pid": v.pid, "rss": v.rss._asdict(), "fds": v.fds._asdict(), "pss": v.pss}
                for v in self.processes
            ],
            "events": self.events._asdict(),
            "alerts": [outcome._asdict() for outcome in self.alerts],
            "unexpected": [told._asdict() for told in self.unexpected],
            "messages": {"webhook": self.mails[0], "mail": self.mails[1]},
            "missed": list(self.missed()),
        }

    def as_text(self) -> Iterator[str]:
        """The table, line by line."""
        load = f"load of the machine {self.load[0]:.1f} (median), {self.load[1]:.1f} (most)"
        yield f"{self.seconds / 60:.0f} minutes, {len(self.faults)} faults; {load}"
        yield from self._availability()
        yield from self._processes()
        events = self.events
        yield "events:"
        yield f"  {events.sent:,} sent, {events.delivered:,} delivered ({events.repeated:,} of them again),"
        yield f"  {events.rows:,} rows, {events.quarantined:,} quarantined, {events.rubbish:,} of them rubbish,"
        yield f"  {events.in_gaps:,} missing in recorded gaps, {events.silent:,} lost without a word"
        if events.alike:
            yield f"  {events.alike:,} were sent with the bytes of another: whether both are there cannot be told"
        yield "alerts:"
        for outcome in self.alerts:
            when = f"told {_clock(outcome.fired_s)}, cleared {_clock(outcome.cleared_s)}"
            yield f"  {outcome.alert:17} {when}  {outcome.fault}"
        yield f"  {self.mails[0]} messages to the webhook, {self.mails[1]} mails"
        missed = list(self.missed())
        yield "missed:" if missed else "PASSED: every bound was kept"
        yield from (f"  {line}" for line in missed)

    def _availability(self) -> Iterator[str]:
        yield f"availability (target {TARGET:.1%}, without injected outages and {RECOVERY_S:.0f} s after each):"
        for name, found in self.availability.items():
            taken = "; ".join(f"{looks} looks while {fault}" for fault, looks in found.by_fault.items())
            own = f"{found.own:8.3%} of {found.looks - found.injected} looks"
            yield f"  {name:8} {own}; of all {found.looks}: {found.raw:.3%}"
            if taken:
                yield f"           not served: {taken}"
            for probe in found.unserved[:_SHOWN]:
                yield f"           not served {_clock(probe.at_s)}: {probe.said}"

    def _processes(self) -> Iterator[str]:
        yield "processes (growth by a robust line after five minutes; less than ten minutes of it are not judged):"
        for v in self.processes:
            if not v.rss.judged:
                yield f"  {v.service:22} {v.pid:7} seen for {v.rss.seconds:.0f} s: not judged"
                continue
            rss = f"{v.rss.median / _MIB:5.0f} MiB {v.rss.rise / _MIB:+6.1f} (bound {v.rss.allowed / _MIB:.0f})"
            fds = f"{v.fds.median:4.0f} descriptors {v.fds.rise:+5.1f} (bound {v.fds.allowed:.0f})"
            pss = f"PSS {v.pss[0] / _MIB:.0f} to {v.pss[1] / _MIB:.0f} MiB"
            yield f"  {v.service:22} {v.pid:7} {rss}, {fds} in {v.rss.seconds / 60:.0f} min; {pss}"


def _clock(at_s: float | None) -> str:
    return "never   " if at_s is None else f"{datetime.fromtimestamp(at_s, UTC):%H:%M:%S}"
