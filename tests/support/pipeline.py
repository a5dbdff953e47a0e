"""From a source to the lake with the real ingester and the real steps, and the rows that are there then.

Lives here: helpers. Must not: tests.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import redis

from devstack.embedded.ingester import ingester_process
from firehose import schema
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.events.rows import decode_rows, to_table
from firehose.lake import layout
from firehose.lake.ledger import LedgerEntry, entry_path, read_entry
from firehose.lake.publish import publish
from firehose.quality.validate import validate
from firehose.records.fields import Json
from firehose.records.registry import BY_COLLECTION, REGISTRY
from firehose.settings import Settings
from firehose.store import LocalLake
from ingester.contract import wire
from tests.support.waiting import until

#: Columns that hold JSON, whose keys come in another order from an archive.
JSON_COLUMNS = {
    "extra",
    *(field.column.name for of in REGISTRY.values() for field in of.fields if isinstance(field, Json)),
}
Rows = dict[str, list[dict[str, Any]]]


def now_s(client: redis.Redis) -> int:
    """Redis' clock in whole seconds."""
    return int(client.time()[0])


def next_second(client: redis.Redis) -> int:
    """Wait for the next second of Redis' clock: a batch begins where the one before it ended."""
    begins = now_s(client) + 1
    until(lambda: now_s(client) >= begins)
    return begins


def ingest(settings: Settings, client: redis.Redis, events: int) -> None:
    """Let an ingester take in this many events from ``jetstream_url``, from the beginning."""
    ready = msgspec.structs.replace(settings, start_cursor=1, rewind_ms=0)
    with ingester_process(ready):
        until(lambda: taken(client) >= events, what=f"the ingester has {events} events")
    assert taken(client) == events


def taken(client: redis.Redis) -> int:
    """How many events the ingester has written."""
    return int(client.hget(wire.METADATA_KEY, wire.META_EVENTS) or 0)


def to_the_lake(settings: Settings, client: redis.Redis, since_s: int) -> LedgerEntry:
    """All that came since then as one batch; its entry in the ledger."""
    batch = Batch.of(datetime.fromtimestamp(since_s, UTC), datetime.fromtimestamp(now_s(client) + 1, UTC))
    drain(settings, batch)
    validate(settings, batch)
    publish(settings, batch)
    entry = read_entry(entry_path(settings.lake_path, batch))
    assert entry is not None
    return entry


def rows(lake: Path) -> Rows:
    """The lake's rows by type, sorted, without the column ``batch``; JSON as what it means."""
    tables = {
        record_type: [
            pq.read_table(path, partitioning=None) for path in layout.hour_files(LocalLake(lake), record_type)
        ]
        for record_type in schema.TYPES
    }
    return {
        name: _sorted(name, (row for table in part for row in table.to_pylist())) for name, part in tables.items()
    }


def expected_rows(lines: Iterable[bytes]) -> Rows:
    """The rows of these events, by the decoder alone."""
    types: dict[str, list[bytes]] = {name: [] for name in schema.TYPES}
    for line in lines:
        event = msgspec.json.decode(line)
        of_kind = wire.KIND_QUEUES.get(event["kind"])
        types[of_kind or BY_COLLECTION.get(event.get("commit", {}).get("collection"), wire.OTHER)].append(line)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return {
        name: _sorted(name, to_table(name, decode_rows(name, part)[0], epoch).to_pylist())
        for name, part in types.items()
    }


def _sorted(record_type: str, found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    made = []
    for row in found:
        del row["batch"]
        for name in JSON_COLUMNS:
            if row.get(name) is not None:
                row[name] = msgspec.json.decode(row[name])
        made.append(row)
    return sorted(made, key=lambda row: tuple(str(row[name]) for name in schema.IDENTITY[record_type]))
