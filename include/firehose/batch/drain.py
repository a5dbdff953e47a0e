"""The drain: one interval of the Redis streams becomes raw files, and only then leaves Redis.

Frames are copied as they are. Must not: decode events, decide what is good.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import msgspec
import redis

from firehose import crash, files
from firehose.batch import coverage
from firehose.batch import manifest as manifests
from firehose.batch.interval import Batch
from firehose.batch.lock import alone
from firehose.batch.manifest import Manifest, QueueFile
from firehose.errors import BeforeFirstStart, MissedInterval, NotListening, ServiceUnavailable
from firehose.settings import Settings, redacted
from ingester import wire

log = logging.getLogger(__name__)

# One read holds at most so many frames: some 8 MiB at the usual size of a frame.
_READ_FRAMES = 100

Entry = tuple[bytes, dict[bytes, bytes]]


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
    client = redis.Redis.from_url(settings.redis_url)
    try:
        if manifest is None:
            _wait_until_past(client, batch.end_ms, sleep)
            manifest = _copy(client, batch, settings.lake_path, folder)
        else:
            manifests.check(folder, manifest)
        _delete(client, manifest)
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise ServiceUnavailable(
            f"Redis at {redacted(settings.redis_url)} does not answer ({error}); start it, then retry"
        ) from error
    finally:
        client.close()
    return DrainResult(manifest=str(folder / manifests.NAME), events=manifest.events)


def redis_ms(client: redis.Redis) -> int:
    """Redis's own clock in milliseconds: the clock of entry ids."""
    seconds, microseconds = client.time()
    return seconds * 1000 + microseconds // 1000


def _wait_until_past(client: redis.Redis, end_ms: int, sleep: Callable[[float], None]) -> None:
    # Redis stamps entries, so the interval is closed when Redis's clock says so, not ours.
    while (left := end_ms - redis_ms(client)) > 0:
        sleep(min(left / 1000 + 0.001, 1.0))


def _copy(client: redis.Redis, batch: Batch, lake: Path, folder: Path) -> Manifest:
    metadata = cast(dict[bytes, bytes], client.hgetall(wire.METADATA_KEY))
    heard = client.zcount(wire.HEARTBEATS_KEY, batch.start_ms, batch.end_ms - 1)
    folder.mkdir(parents=True, exist_ok=True)
    queues = {queue: made for queue in wire.QUEUES if (made := _copy_queue(client, batch, folder, queue))}
    if not queues and not heard:
        _refuse_silence(client, metadata, batch, lake)
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
    )
    manifests.write(folder, manifest)
    log.info("batch %s: copied %d events from Redis", batch.id, manifest.events)
    return manifest


def _refuse_silence(client: redis.Redis, metadata: dict[bytes, bytes], batch: Batch, lake: Path) -> None:
    first_start = int(metadata.get(wire.META_FIRST_START_MS.encode(), b"0"))
    if first_start and batch.end_ms <= first_start:
        raise BeforeFirstStart(f"batch {batch.id} ended before the ingester was first started")
    if client.zcount(wire.HEARTBEATS_KEY, batch.end_ms, "+inf"):
        coverage.record_gap(lake, batch, "not listening")
        raise MissedInterval(
            f"batch {batch.id}: nothing listened in this interval, and the ingester has been back since; what its "
            f"cursor still reached is in later batches, and the gap is in {coverage.gap_path(lake, batch)}"
        )
    raise NotListening(
        f"batch {batch.id}: Redis holds no events and no heartbeat of this interval; see whether the ingester "
        "runs (systemctl status bluesky-firehose-ingester), then clear the task"
    )


def _entries(client: redis.Redis, key: str, low: str, high: str) -> Iterator[list[Entry]]:
    while chunk := cast(list[Entry], client.xrange(key, low, high, count=_READ_FRAMES)):
        yield chunk
        low = "(" + chunk[-1][0].decode()


def _copy_queue(client: redis.Redis, batch: Batch, folder: Path, queue: str) -> QueueFile | None:
    path = folder / f"{queue}.jsonl.zst"
    digest, frames, events, size = hashlib.sha256(), 0, 0, 0
    first: Entry | None = None
    last: Entry | None = None
    with files.replacing(path) as part, part.open("wb") as out:
        for chunk in _entries(client, wire.stream_key(queue), str(batch.start_ms), str(batch.end_ms - 1)):
            for entry in chunk:
                payload = entry[1][wire.FIELD_PAYLOAD]
                out.write(payload)
                digest.update(payload)
                frames, events, size = (
                    frames + 1,
                    events + int(entry[1][wire.FIELD_COUNT]),
                    size + len(payload),
                )
            first, last = first or chunk[0], chunk[-1]
            crash.reached(crash.Point.RAW_COPYING)
    if first is None or last is None:
        path.unlink()
        return None
    return QueueFile(
        name=path.name,
        frames=frames,
        events=events,
        size=size,
        sha256=digest.hexdigest(),
        first_id=first[0].decode(),
        last_id=last[0].decode(),
        first_us=int(first[1][wire.FIELD_FIRST_US]),
        last_us=int(last[1][wire.FIELD_LAST_US]),
    )


def _delete(client: redis.Redis, manifest: Manifest) -> None:
    """Delete what the manifest describes. Ids only rise, so nothing new can appear between first and last."""
    crash.reached(crash.Point.DELETE_BEGINS)
    for queue, copied in manifest.queues.items():
        key = wire.stream_key(queue)
        while ids := _ids(client, key, copied):
            client.xdel(key, *ids)
            crash.reached(crash.Point.DELETED_SOME)
    crash.reached(crash.Point.DELETED_ALL)


def _ids(client: redis.Redis, key: str, copied: QueueFile) -> list[Any]:
    found = cast(list[Entry], client.xrange(key, copied.first_id, copied.last_id, count=_READ_FRAMES))
    return [entry[0] for entry in found]
