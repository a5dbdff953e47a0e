"""A small real lake out of Redis, and what is in it. Lives here: set-up. Must not: say what is right."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow.parquet as pq
import redis
import zstandard

from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.lake import layout
from firehose.lake.publish import publish
from firehose.quality.validate import validate
from firehose.settings import Settings
from ingester.contract import wire
from jetstream_simulator import generate

#: Two hours meet in these events, 2.5 of them a second.
START_US: Final = 1_780_002_000_000_000 - 300 * 1_000_000
EDGE_HOUR: Final = START_US // layout.HOUR_US + 1
EVENTS: Final = list(generate.events(1500, seed=5, start_us=START_US, rate=2.5))
Rows = dict[str, list[dict[str, Any]]]


def minutes(count: int) -> list[Batch]:
    """Minutes that are over, in order."""
    now = int(time.time()) // 60 * 60
    starts = [now - 60 * number for number in range(count + 1, 1, -1)]
    return [Batch.of(datetime.fromtimestamp(s, UTC), datetime.fromtimestamp(s + 60, UTC)) for s in starts]


def fill(client: redis.Redis, lines: Iterable[bytes], batch: Batch) -> None:
    """Write events as frames whose entry ids lie in a batch's interval."""
    queues: dict[str, list[bytes]] = {}
    for line in lines:
        event = msgspec.json.decode(line)
        collection = event.get("commit", {}).get("collection", "")
        queue = wire.KIND_QUEUES.get(event["kind"]) or wire.COLLECTION_QUEUES.get(collection, wire.OTHER)
        queues.setdefault(queue, []).append(line)
    for queue, events in queues.items():
        fields: Any = {
            wire.FIELD_COUNT: len(events),
            wire.FIELD_PAYLOAD: zstandard.compress(wire.join_lines(events)),
        }
        fields |= {wire.FIELD_FIRST_US: 1, wire.FIELD_LAST_US: 2}
        client.xadd(wire.stream_key(queue), fields, id=f"{batch.start_ms + 1000}-1")


def run(settings: Settings, batch: Batch) -> None:
    """All steps of a batch."""
    drain(settings, batch)
    validate(settings, batch)
    publish(settings, batch)


def rows(lake: Path) -> Rows:
    """Every row of the lake, sorted, by hour and type."""
    return {
        str(path.relative_to(lake)): sorted(pq.ParquetFile(path).read().to_pylist(), key=str)
        for path in sorted(lake.glob("year=*/**/*.parquet"))
    }


def everything(lake: Path) -> dict[str, bytes]:
    """Every file of the lake with its bytes, but for locks and Data Docs."""
    paths = [path for path in lake.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(lake)): path.read_bytes()
        for path in paths
        if not {".locks", "docs"} & set(path.relative_to(lake).parts)
    }
