"""Positions in the stream: the live tail, a time, or an event; and the cursor that each becomes for a host.

Lives here: the union, and the cursor for what follows a position. Must not: I/O, clocks, earlier requests
(resume).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias

from ingester.jetstream.hosts import V1, V2, V2_TIME_CURSOR, Host

#: Hosts stamp the same event differently: on another host the rewind is at least this long (µs).
OTHER_HOST_REWIND_US: Final = 60_000_000


@dataclass(frozen=True, slots=True)
class Live:
    """The live tail: there is no earlier event to continue from."""

    cursor: ClassVar[int] = 0
    time_us: ClassVar[int] = 0
    host: ClassVar[str] = ""
    protocol: ClassVar[str] = ""

    def of(self, host: Host) -> bool:
        """False: it does not come from a host."""
        return False


@dataclass(frozen=True, slots=True)
class AtTime:
    """Everything from ``time_us`` (µs) on.

    ``host`` is the host whose events had this time, in the lake or in a gap. It is empty if a user named the time,
    which is then requested without a rewind.
    """

    time_us: int
    host: str = ""

    cursor: ClassVar[int] = 0
    protocol: ClassVar[str] = ""

    def of(self, host: Host) -> bool:
        """False: a time is not a cursor of any host."""
        return False


@dataclass(frozen=True, slots=True)
class AfterEvent:
    """Everything after an event that was received.

    ``cursor`` is valid for this host and protocol only, ``time_us`` (µs) for all.
    """

    cursor: int
    time_us: int
    host: str
    protocol: str

    def of(self, host: Host) -> bool:
        """True if ``host`` understands the cursor."""
        return (self.host, self.protocol) == (host.name, host.protocol)


Position: TypeAlias = Live | AtTime | AfterEvent

#: The one value of its type.
LIVE: Final = Live()


def resume_at(position: Position, host: Host, rewind_ms: int, now_us: int, *, by_time: bool = False) -> int:
    """The cursor that requests from ``host`` what follows ``position``; 0: the live tail.

    ``by_time``: the host has refused its own sequence number. ``now_us`` is this machine's clock. No later time is
    requested, which could happen after the clock was set back: a host might answer with the live tail, and the
    events between would be lost.
    """
    own = position.of(host) and not by_time
    if own and host.protocol == V2:
        # Twice what the network sends in a second, so that a replay covers events that were reordered.
        return max(1, position.cursor - rewind_ms)
    if not position.time_us:
        return 0
    time_us, rewind_us = position.time_us, rewind_ms * 1000
    if position.host:
        time_us = min(time_us, now_us)
        rewind_us = rewind_us if own else max(rewind_us, OTHER_HOST_REWIND_US)
    return max(1 if host.protocol == V1 else V2_TIME_CURSOR, time_us - rewind_us)
