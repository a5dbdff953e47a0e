"""The drain: one interval of the Redis streams becomes raw files, and only then leaves Redis.

Frames are copied as they are, and what was learnt of gaps with them. Must not: decode events, decide what is good.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import cast

import msgspec
import redis

from firehose import crash, files
from firehose.batch import buffer, coverage, stragglers
from firehose.batch import manifest as manifests
from firehose.batch.buffer import Entry, redis_ms
from firehose.batch.gaps import Span
from firehose.batch.interval import Batch
from firehose.batch.lock import alone
from firehose.batch.manifest import Manifest, QueueFile
from firehose.errors import BeforeFirstStart, MissedInterval, NotListening
from firehose.settings import Settings
from ingester import wire

__all__ = ["DrainResult", "drain", "redis_ms"]

log = logging.getLogger(__name__)


class DrainResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a drain hands on: the manifest's path, and the events that it counts."""

    manifest: str
    events: int


@alone
def drain(settings: Settings, batch: Batch, sleep: Callable[[float], None] = time.sleep) -> DrainResult:
    """Copy the interval out of Redis, describe it, delete it from Redis. Safe to repeat at any point.

    Raises:
        BeforeFirstStart: the interval ended before the ingester first started.
        MissedInterval: nothing listened, and the ingester is back: the gap is recorded, there is no batch.
        NotListening: no entries, and no sign that the ingester listened, nor that it has come back.
        ServiceUnavailable: Redis does not answer.
        CorruptBatch: an earlier copy of this interval is damaged.
    """
    folder = manifests.folder_of(settings.lake_path, batch)
    manifest = manifests.read(folder)
    # What is held keeps other drains from what this one takes along, until it is deleted from Redis.
    with buffer.connected(settings) as client, ExitStack() as held:
        if manifest is None:
            _wait_until_past(client, batch.end_ms, sleep)
            manifest = _copy(client, settings, batch, held)
        else:
            manifests.check(folder, manifest)
            manifests.settle(folder)
        crash.reached(crash.Point.DELETE_BEGINS)
        buffer.remove_copied(client, folder, manifest)
        coverage.forget(client, settings.lake_path, batch)
        crash.reached(crash.Point.DELETED_ALL)
    return DrainResult(manifest=str(folder / manifests.NAME), events=manifest.events)


def _wait_until_past(client: redis.Redis, end_ms: int, sleep: Callable[[float], None]) -> None:
    # Redis stamps entries, so the interval is closed when Redis's clock says so, not ours.
    while (left := end_ms - redis_ms(client)) > 0:
        sleep(min(left / 1000 + 0.001, 1.0))


def _copy(client: redis.Redis, settings: Settings, batch: Batch, held: ExitStack) -> Manifest:
    lake = settings.lake_path
    folder = manifests.folder_of(lake, batch)
    metadata = cast(dict[bytes, bytes], client.hgetall(wire.METADATA_KEY))
    first_start_ms = _first_start_ms(metadata, lake)
    heard = client.zcount(wire.HEARTBEATS_KEY, batch.start_ms, batch.end_ms - 1)
    if not heard and not _any_frame(client, batch):
        _refuse_silence(client, first_start_ms, batch, lake)
    spans = [*stragglers.spans(client, settings, batch, first_start_ms, held), (batch.start_ms, batch.end_ms)]
    queues = {queue: made for queue in wire.QUEUES if (made := _copy_queue(client, spans, folder, queue))}
    learnt = coverage.take(client, lake, batch)
    manifest = Manifest(
        batch=batch.id,
        start=batch.start,
        end=batch.end,
        created_at=datetime.now(UTC),
        cursor=int(metadata.get(wire.META_CURSOR.encode(), b"0")),
        host=metadata.get(wire.META_HOST.encode(), b"").decode(),
        protocol=metadata.get(wire.META_PROTOCOL.encode(), b"").decode(),
        time_us=int(metadata.get(wire.META_TIME_US.encode(), b"0")),
        minutes_heard=heard,
        queues=queues,
        coverage_sha256=manifests.coverage_sha256(folder),
        first_start_ms=first_start_ms,
    )
    manifests.write(folder, manifest)
    log.info("batch %s: copied %d events and %d records of gaps", batch.id, manifest.events, len(learnt))
    return manifest


def _first_start_ms(metadata: dict[bytes, bytes], lake: Path) -> int:
    """The earlier one of what Redis and the lake know: a Redis that was lost begins anew. 0: neither does."""
    known = (int(metadata.get(wire.META_FIRST_START_MS.encode(), b"0")), manifests.first_start_ms(lake))
    return min((ms for ms in known if ms), default=0)


def _any_frame(client: redis.Redis, batch: Batch) -> bool:
    return any(buffer.next_ms(client, queue, batch.start_ms, batch.end_ms) for queue in wire.QUEUES)


def _refuse_silence(client: redis.Redis, first_start_ms: int, batch: Batch, lake: Path) -> None:
    # A Redis that was lost begins anew, and with it the first start: the lake knows better.
    if batch.end_ms <= first_start_ms and not _ran_before(lake, batch):
        raise BeforeFirstStart(f"batch {batch.id} ended before the ingester was first started")
    if client.zcount(wire.HEARTBEATS_KEY, batch.end_ms, "+inf"):
        coverage.record_silence(lake, batch)
        coverage.take(client, lake, batch)
        coverage.forget(client, lake, batch)
        raise MissedInterval(
            f"batch {batch.id}: nothing listened in this interval, and the ingester has been back since; what its "
            f"cursor still reached is in later batches, and the gap is in {coverage.records_path(lake, batch)}"
        )
    raise NotListening(
        f"batch {batch.id}: Redis holds no events and no heartbeat of this interval; see whether the ingester "
        "runs (systemctl status bluesky-firehose-ingester), then clear the task"
    )


def _ran_before(lake: Path, batch: Batch) -> bool:
    """Whether the lake knows of an earlier interval, as a batch or as a gap."""
    batches = (path.parent.name for path in (lake / manifests.AREA).glob(f"date=*/batch=*/{manifests.NAME}"))
    gaps = (path.stem for path in (lake / coverage.AREA).glob("date=*/batch=*.json"))
    return any(name < f"batch={batch.id}" for name in chain(batches, gaps))


def _copy_queue(client: redis.Redis, spans: list[Span], folder: Path, queue: str) -> QueueFile | None:
    path = folder / f"{queue}.jsonl.zst"
    digest, frames, events, size = hashlib.sha256(), 0, 0, 0
    ends: list[tuple[Entry, Entry]] = []  # first and last of each span that has any
    with files.replacing(path) as part, part.open("wb") as out:
        for start_ms, end_ms in spans:
            first: Entry | None = None
            for chunk in buffer.entries(client, queue, str(start_ms), str(end_ms - 1)):
                for _, fields in chunk:
                    payload = fields[wire.FIELD_PAYLOAD]
                    out.write(payload)
                    digest.update(payload)
                    events, size = events + int(fields[wire.FIELD_COUNT]), size + len(payload)
                frames += len(chunk)
                first, last = first or chunk[0], chunk[-1]
                crash.reached(crash.Point.RAW_COPYING)
            if first:
                ends.append((first, last))
    if not ends:
        files.remove(path)
        return None
    return QueueFile(
        name=path.name,
        frames=frames,
        events=events,
        size=size,
        sha256=digest.hexdigest(),
        ranges=[(first[0].decode(), last[0].decode()) for first, last in ends],
        first_us=int(ends[0][0][1][wire.FIELD_FIRST_US]),
        last_us=int(ends[-1][1][1][wire.FIELD_LAST_US]),
    )
