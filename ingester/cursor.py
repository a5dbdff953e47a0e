"""Where to resume: what a position means to a host, and the URL of a subscription that starts there. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ingester.hosts import V1, V2, Host
from ingester.settings import IngesterSettings

#: Hosts stamp the same event differently: on another host the rewind is at least so long (µs).
OTHER_HOST_REWIND_US: Final = 60_000_000
#: From here on v2 takes a cursor for a time in µs, below for a sequence number.
V2_TIME_CURSOR: Final = 10**15


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


def subscribe_url(
    settings: IngesterSettings, host: Host, cursor: int, *, skip_large: bool = False, dictionary: int = 0
) -> str:
    """The URL to connect to; ``cursor`` 0 means the live tail.

    ``skip_large``: ask the server to leave out what is larger than ``max_message_bytes``, which it would
    otherwise send again and again. ``dictionary``: the id of the zstd dictionary that undoes its compression.
    """
    parts = urlsplit(host.url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    v1 = host.protocol == V1
    wanted = [name.strip() for name in settings.wanted_collections.split(",")]
    query += [("wantedCollections" if v1 else "collections", name) for name in wanted if name]
    if dictionary:
        query.append(("compress", "true") if v1 else ("zstdDictionary", str(dictionary)))
    if skip_large:
        query.append(("maxMessageSizeBytes", str(settings.max_message_bytes)))
    if cursor:
        query.append(("cursor", str(cursor)))
    return urlunsplit(parts._replace(query=urlencode(query)))
