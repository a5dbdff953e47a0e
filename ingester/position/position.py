"""Where to resume: what a position means to a host. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from ingester.jetstream.hosts import V1, V2, V2_TIME_CURSOR, Host

#: Hosts stamp the same event differently: on another host the rewind is at least so long (µs).
OTHER_HOST_REWIND_US: Final = 60_000_000


class Position(NamedTuple):
    """The last event in Redis: ``cursor`` is for this host and protocol only, ``time_us`` for all.

    Without a host it is a time that the user named; without a time it is the live tail.
    """

    cursor: int = 0
    time_us: int = 0
    host: str = ""
    protocol: str = ""

    def of(self, host: Host) -> bool:
        """Whether ``host`` can take the cursor itself."""
        return (self.host, self.protocol) == (host.name, host.protocol)


def resume_at(position: Position, host: Host, rewind_ms: int, now_us: int, *, by_time: bool = False) -> int:
    """The cursor that asks ``host`` for what follows ``position``; 0: for the live tail.

    ``by_time``: the host has refused its own sequence number. ``now_us``: this machine's clock; a later time,
    as after this clock was set back, may be answered with the live tail, and lose what lies between. Only a time
    that the user named is taken as it is.
    """
    own = position.of(host)
    if own and position.cursor and host.protocol == V2 and not by_time:
        # Twice what the network sends in a second, so that a replay covers events that were reordered.
        return max(1, position.cursor - rewind_ms)
    if not position.time_us:
        return 0
    time_us, rewind_us = position.time_us, rewind_ms * 1000
    if position.host:
        time_us = min(time_us, now_us)
        if by_time or not own:
            rewind_us = max(rewind_us, OTHER_HOST_REWIND_US)
    return max(1 if host.protocol == V1 else V2_TIME_CURSOR, time_us - rewind_us)
