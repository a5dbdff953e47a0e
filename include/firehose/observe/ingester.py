"""The ingester as Redis shows it: when it last listened and wrote, how far behind it is, where it reads.

Lives here: the reading, by commands that both the roles ``pipeline`` and ``monitoring`` may use. Must not: judge.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from typing import Final, cast

import msgspec
import redis

from firehose.batch.buffer import redis_ms
from ingester.contract import wire

_MINUTE_MS: Final = 60_000


class IngesterState(msgspec.Struct, frozen=True, kw_only=True):
    """What Redis knows of the ingester; ages in seconds by Redis' clock, None: never.

    ``heartbeat``: the last minute in which it was connected to the source. ``lag_s``: Redis' clock minus the time
    of the last event, at the last flush. ``silent_s``: how long it has written nothing, not even an empty
    flush or that it waits for a connection.
    ``unheard_s``: how long ago the last minute with a connection ended; 0: it is connected.
    ``lease_until``: until when the writer counts as alive. ``events``: all that were ever written.
    ``clock_ahead_s``: Redis' clock minus the one of whoever looks.
    """

    writer: str
    host: str
    protocol: str
    first_start: datetime | None
    last_flush: datetime | None
    heartbeat: datetime | None
    cursor_time: datetime | None
    lease_until: datetime | None
    lag_s: float | None
    silent_s: float | None
    unheard_s: float | None
    events: int
    queue_events: dict[str, int]
    clock_ahead_s: float


def ingester(client: redis.Redis, now: datetime) -> IngesterState:
    """What Redis says of the ingester, as of ``now``. Some 20 quick commands, whatever Redis holds.

    Raises:
        redis.RedisError: Redis does not answer, or refuses.
    """
    known = cast(dict[bytes, bytes], client.hgetall(wire.METADATA_KEY))
    said = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in known.items()}
    ahead = redis_ms(client) / 1000 - datetime.now(UTC).timestamp()
    clock = now + timedelta(seconds=ahead)
    waited = _moment(said, wire.META_WAITING_MS)
    flushed, heard = _moment(said, wire.META_LAST_FLUSH_MS), _last_heartbeat(client, clock)
    lag = _number(said.get(wire.META_LAG_US, ""))
    return IngesterState(
        writer=said.get(wire.META_WRITER, ""),
        host=said.get(wire.META_HOST, ""),
        protocol=said.get(wire.META_PROTOCOL, ""),
        first_start=_moment(said, wire.META_FIRST_START_MS),
        last_flush=flushed,
        heartbeat=heard,
        cursor_time=_instant(_number(said.get(wire.META_TIME_US, "")) / 1e6),
        lease_until=_moment(said, wire.META_LEASE_MS),
        lag_s=lag / 1e6 if wire.META_LAG_US in said else None,
        silent_s=_age(clock, max(filter(None, (flushed, waited)), default=None)),
        unheard_s=_age(clock, heard and heard + timedelta(milliseconds=_MINUTE_MS)),
        events=_number(said.get(wire.META_EVENTS, "")),
        queue_events={queue: _number(said.get(wire.EVENTS_PREFIX + queue, "")) for queue in wire.QUEUES},
        clock_ahead_s=ahead,
    )


def _last_heartbeat(client: redis.Redis, clock: datetime) -> datetime | None:
    """The last minute that has one. Counted, since the role ``monitoring`` may count members and not list them."""
    this = int(clock.timestamp() * 1000) // _MINUTE_MS
    first = this - wire.HEARTBEATS_KEPT_MS // _MINUTE_MS

    def is_over(minute: int) -> bool:
        return client.zcount(wire.HEARTBEATS_KEY, minute * _MINUTE_MS, "+inf") == 0

    after = bisect_left(range(first, this + 2), True, key=is_over) + first
    return _instant((after - 1) * _MINUTE_MS / 1000) if after > first else None


def _moment(said: dict[str, str], field: str) -> datetime | None:
    return _instant(_number(said.get(field, "")) / 1000)


def _instant(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds > 0 else None
    except (OverflowError, ValueError, OSError):  # another program may have written anything
        return None


def _age(clock: datetime, moment: datetime | None) -> float | None:
    return max(0.0, (clock - moment).total_seconds()) if moment else None


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0
