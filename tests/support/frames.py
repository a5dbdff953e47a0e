"""Redis' streams filled as the ingester fills them, without an ingester; and intervals for these frames.

Lives here: good frames. Must not: foreign entries (tests/security/redis).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import redis
import zstandard

from firehose.batch.interval import Batch
from ingester.contract import wire


def minutes(count: int) -> list[Batch]:
    """The latest minutes that are over for a minute at least, in order."""
    now = int(time.time()) // 60 * 60
    starts = [now - 60 * number for number in range(count + 1, 1, -1)]
    return [Batch.of(datetime.fromtimestamp(s, UTC), datetime.fromtimestamp(s + 60, UTC)) for s in starts]


def payload(lines: Sequence[bytes]) -> bytes:
    """Events as the ingester packs them."""
    return zstandard.ZstdCompressor(level=1, write_checksum=True).compress(wire.join_lines(lines))


def frame(lines: Sequence[bytes]) -> dict[Any, Any]:
    """The fields of the entry that holds these events; their times are not those of the events."""
    return {
        wire.FIELD_COUNT: len(lines),
        wire.FIELD_FIRST_US: 1,
        wire.FIELD_LAST_US: 2,
        wire.FIELD_PAYLOAD: payload(lines),
    }


def add_frames(
    client: redis.Redis, queue: str, lines: Sequence[bytes], batch: Batch, *, events: int = 500
) -> None:
    """Write frames of ``events`` events with entry ids in a batch's interval; once for each queue and batch."""
    for offset in range(0, len(lines), events):
        entry_id = f"{batch.start_ms + 1000}-{offset + 1}"
        client.xadd(wire.stream_key(queue), frame(lines[offset : offset + events]), id=entry_id)


def fill(client: redis.Redis, lines: Iterable[bytes], batch: Batch) -> None:
    """Write events to the queues that the ingester would choose. Batches are to be filled in order."""
    queues: dict[str, list[bytes]] = {}
    for line in lines:
        queues.setdefault(queue_of(line), []).append(line)
    for queue, of_queue in queues.items():
        add_frames(client, queue, of_queue, batch, events=100)


def queue_of(line: bytes) -> str:
    """The queue that the ingester would choose."""
    try:
        event = msgspec.json.decode(line)
        return wire.KIND_QUEUES.get(event["kind"]) or wire.COLLECTION_QUEUES[event["commit"]["collection"]]
    except (msgspec.DecodeError, KeyError, TypeError, RecursionError):
        return wire.OTHER
