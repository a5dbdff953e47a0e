"""A real Redis filled as the ingester fills it, and a lake to drain it into."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
import zstandard

from firehose.batch.interval import Batch
from firehose.settings import Settings
from ingester.contract import wire

Fill = Callable[[Iterable[bytes], Batch], None]


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=redis_url)


@pytest.fixture
def batches() -> list[Batch]:
    """Five minutes that are over, in order."""
    now = int(time.time()) // 60 * 60
    starts = [now - 60 * number for number in (6, 5, 4, 3, 2)]
    return [Batch.of(datetime.fromtimestamp(s, UTC), datetime.fromtimestamp(s + 60, UTC)) for s in starts]


@pytest.fixture
def fill(redis_client: redis.Redis) -> Fill:
    """Write events as frames whose entry ids lie in a batch's interval. Batches are to be filled in order."""

    def write(lines: Iterable[bytes], batch: Batch) -> None:
        queues: dict[str, list[bytes]] = {}
        for line in lines:
            queues.setdefault(queue_of(line), []).append(line)
        for queue, events in queues.items():
            for offset in range(0, len(events), 100):
                part = events[offset : offset + 100]
                payload = zstandard.compress(wire.join_lines(part))
                fields: Any = {wire.FIELD_COUNT: len(part), wire.FIELD_PAYLOAD: payload}
                fields |= {wire.FIELD_FIRST_US: 1, wire.FIELD_LAST_US: 2}
                redis_client.xadd(wire.stream_key(queue), fields, id=f"{batch.start_ms + 1000}-{offset + 1}")

    return write


def queue_of(line: bytes) -> str:
    """The queue that the ingester would choose."""
    try:
        event = msgspec.json.decode(line)
        return wire.KIND_QUEUES.get(event["kind"]) or wire.COLLECTION_QUEUES[event["commit"]["collection"]]
    except (msgspec.DecodeError, KeyError, TypeError, RecursionError):
        return wire.OTHER
