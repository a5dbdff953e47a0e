"""Redis as a buffer: how much waits in each queue, how full it is, and how old the oldest of it is.

Lives here: the reading. Must not: judge it, read events for any other reason than their age.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, cast

import msgspec
import redis
from redis.exceptions import NoPermissionError

from firehose.batch.buffer import BACKFILL_BYTES_KEY
from firehose.settings import Settings
from ingester.contract import wire

#: Nodes of a stream that Redis looks at to say how large it is.
_SAMPLES: Final = 20
_MIB: Final = 1024 * 1024


class QueueDepth(msgspec.Struct, frozen=True, kw_only=True):
    """What waits in a queue. ``events`` is by the events a frame of the last batch; None: there was none yet."""

    frames: int
    bytes: int
    events: int | None


class BufferState(msgspec.Struct, frozen=True, kw_only=True):
    """Redis' memory and queues. ``max_bytes`` 0: no limit is set, and ``share`` is None.

    ``oldest``: when the oldest frame came that no drain has taken; None: nothing waits, or this login may not see
    it. ``gap_records``: records of gaps that wait for a drain. ``aof_bytes``: the append-only file; ``aof_ok``:
    its last write succeeded; None: Redis keeps none.
    """

    queues: dict[str, QueueDepth]
    used_bytes: int
    max_bytes: int
    share: float | None
    oldest: datetime | None
    gap_records: int
    aof_bytes: int | None
    aof_ok: bool | None

    @property
    def frames(self) -> int:
        """In all queues."""
        return sum(queue.frames for queue in self.queues.values())

    @property
    def events(self) -> int | None:
        """In all queues, estimated; None: no batch has shown how many are in a frame."""
        known = [queue.events for queue in self.queues.values() if queue.events is not None]
        return sum(known) if known or not self.frames else None


class ArchiveState(msgspec.Struct, frozen=True, kw_only=True):
    """What backfills have downloaded on this UTC day. ``limit_bytes`` 0: no limit, and ``share`` is None."""

    used_bytes: int
    limit_bytes: int
    share: float | None


def buffer(client: redis.Redis, events_a_frame: Mapping[str, float]) -> BufferState:
    """What Redis holds. ``events_a_frame``: of the last batch, by queue; there is no count of events in Redis.

    Raises:
        redis.RedisError: Redis does not answer, or refuses.
    """
    memory = client.info("memory")
    kept = client.info("persistence")
    used, most = int(memory["used_memory"]), int(memory["maxmemory"])
    queues = {queue: _depth(client, queue, events_a_frame.get(queue)) for queue in wire.QUEUES}
    has_aof = bool(kept.get("aof_enabled"))
    return BufferState(
        queues=queues,
        used_bytes=used,
        max_bytes=most,
        share=used / most if most else None,
        oldest=_oldest(client, [queue for queue, depth in queues.items() if depth.frames]),
        gap_records=_length(client, wire.COVERAGE_KEY),
        aof_bytes=int(kept.get("aof_current_size", 0)) if has_aof else None,
        aof_ok=kept.get("aof_last_write_status") == "ok" if has_aof else None,
    )


def archive(client: redis.Redis, settings: Settings, now: datetime) -> ArchiveState:
    """How much backfills have downloaded today, as they count it in Redis.

    Raises:
        redis.RedisError: Redis does not answer, or refuses.
    """
    said = client.hget(BACKFILL_BYTES_KEY, f"{now:%Y-%m-%d}") or b"0"
    used, limit = int(cast(bytes, said)), settings.archive_day_mib * _MIB
    return ArchiveState(used_bytes=used, limit_bytes=limit, share=used / limit if limit else None)


def _depth(client: redis.Redis, queue: str, events: float | None) -> QueueDepth:
    key = wire.stream_key(queue)
    frames = _length(client, key)
    size = client.memory_usage(key, samples=_SAMPLES) if frames else 0
    estimated = round(frames * events) if events is not None else None
    return QueueDepth(frames=frames, bytes=size or 0, events=estimated)


def _length(client: redis.Redis, key: str) -> int:
    """Entries of a stream; 0 where another program has put something else there: the next drain sets it aside."""
    return int(client.xlen(key)) if client.type(key) == b"stream" else 0


def _oldest(client: redis.Redis, queues: list[str]) -> datetime | None:
    try:
        first = [cast(list[Any], client.xrange(wire.stream_key(queue), count=1)) for queue in queues]
    except NoPermissionError:  # the role `monitoring` sees no events
        return None
    ids = [int(found[0][0].partition(b"-")[0]) for found in first if found]
    return datetime.fromtimestamp(min(ids) / 1000, UTC) if ids else None
