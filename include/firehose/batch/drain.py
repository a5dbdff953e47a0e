"""The drain: one interval of the Redis streams becomes raw files, and only then leaves Redis.

Frames are copied as they are, and what was learnt of gaps with them. Must not: decode events, decide what is good.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import chain
from typing import Annotated, cast

import msgspec
import redis

from firehose import crash, metrics, observed
from firehose.areas import Area
from firehose.batch import ahead, budget, buffer, coverage, foreign, late, tally
from firehose.batch import manifest as manifests
from firehose.batch.buffer import Connect, redis_ms
from firehose.batch.copying import copy_queue
from firehose.batch.foreign import Tell
from firehose.batch.frame import frame_of
from firehose.batch.interval import Batch, is_import
from firehose.batch.late import LateFrames
from firehose.batch.lock import exclusive_per_batch
from firehose.batch.manifest import Manifest
from firehose.errors import BeforeFirstStart, MissedInterval, NotListening
from firehose.settings import Settings
from firehose.store import LakePath
from ingester.contract import wire
from ingester.contract.logs import get_logger

__all__ = ["DrainResult", "drain", "redis_ms"]

log = get_logger(__name__)


class DrainResult(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a drain: the manifest's path, and the events that it counts."""

    manifest: str
    events: Annotated[int, metrics.DRAINED]


@exclusive_per_batch
def drain(
    settings: Settings,
    batch: Batch,
    sleep: Callable[[float], None] = time.sleep,
    tell: Tell = foreign.log_it,
    connect: Connect = buffer.client,
) -> DrainResult:
    """Copy the interval out of Redis, describe it, delete it from Redis. Safe to repeat at any point.

    ``tell`` gets a line for everything in Redis that is not the pipeline's and was set aside: once, unless the
    drain dies before it has deleted it.

    Raises:
        BeforeFirstStart: the interval ended before the ingester first started.
        MissedInterval: nothing listened, and the ingester is back: the gap is recorded, there is no batch.
        NotListening: no entries, and no sign that the ingester listened, nor that it has come back.
        ServiceUnavailable: Redis does not answer.
        CorruptBatch: an earlier copy of this interval is damaged.
        DiskLow: the disk has too little room; nothing is taken from Redis.
    """
    folder = manifests.folder_of(settings.lake_path, batch)
    manifest = manifests.read(folder)
    if manifest is None:
        budget.require_room(settings, settings.lake_path)
    # What is held keeps other drains from what this one takes along, until it is deleted from Redis.
    with buffer.connected(settings, connect) as client, ExitStack() as held:
        foreign.set_aside(client, settings.lake_path, tell)
        if manifest is None:
            _wait_until_past(client, batch.end_ms, sleep)
            manifest = _copy(client, settings, batch, held)
        else:
            manifests.check(folder, manifest)
            manifests.settle(folder)
        crash.reached(crash.Point.DELETE_BEGINS)
        _tell_foreign(client, manifest, tell)
        buffer.remove_copied(client, folder, manifest)
        coverage.forget(client, settings.lake_path, batch)
        ahead.go_back(client)
        crash.reached(crash.Point.DELETED_ALL)
    return DrainResult(manifest=str(folder / manifests.NAME), events=manifest.events)


def _wait_until_past(client: redis.Redis, end_ms: int, sleep: Callable[[float], None]) -> None:
    # Redis stamps entries, so the interval is closed when Redis's clock says so, not ours.
    while (left := end_ms - redis_ms(client)) > 0:
        sleep(min(left / 1000 + 0.001, 1.0))


def _copy(client: redis.Redis, settings: Settings, batch: Batch, held: ExitStack) -> Manifest:
    lake = settings.lake_path
    folder = manifests.folder_of(lake, batch)
    known = _metadata(client)
    first_start_ms = _first_start_ms(known, lake)
    heard = client.zcount(wire.HEARTBEATS_KEY, batch.start_ms, batch.end_ms - 1)
    if not heard and not _any_frame(client, batch):
        _refuse_silence(client, first_start_ms, batch, lake)
    older = LateFrames(client, settings, batch, held).spans(first_start_ms)
    own = (batch.start_ms, batch.end_ms)
    spans = [*older, own, *ahead.span(client, lake, held)]
    queues = {queue: made for queue in wire.QUEUES if (made := copy_queue(client, spans, own, folder, queue))}
    learnt = coverage.take(client, lake, batch)
    manifest = Manifest(
        batch=batch.id,
        start=batch.start,
        end=batch.end,
        created_at=datetime.now(UTC),
        cursor=_number(known[wire.META_CURSOR]),
        host=known[wire.META_HOST],
        protocol=known[wire.META_PROTOCOL],
        time_us=_number(known[wire.META_TIME_US]),
        minutes_heard=heard,
        queues=queues,
        coverage_sha256=manifests.coverage_sha256(folder),
        first_start_ms=first_start_ms,
    )
    manifests.write(folder, manifest)
    log.info("batch copied", batch=batch.id, events=manifest.events, gap_records=len(learnt))
    return manifest


def _metadata(client: redis.Redis) -> dict[str, str]:
    """The part of the ingester's state that the drain needs, as text; empty where there is none."""
    fields = [wire.META_CURSOR, wire.META_HOST, wire.META_PROTOCOL, wire.META_TIME_US, wire.META_FIRST_START_MS]
    values = cast(list[bytes | None], client.hmget(wire.METADATA_KEY, fields))
    return {name: (value or b"").decode(errors="replace") for name, value in zip(fields, values, strict=True)}


def _number(text: str) -> int:
    """A number of the ingester's state; 0 where another client has written something else."""
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    if text:
        log.error("not a number; the ingester writes it again", key=wire.METADATA_KEY, value=text[:100])
    return 0


def _first_start_ms(known: dict[str, str], lake: LakePath) -> int:
    """The earlier one of what Redis and the lake know: a Redis that was lost begins again. 0: neither does."""
    both = (_number(known[wire.META_FIRST_START_MS]), manifests.first_start_ms(lake))
    return min((ms for ms in both if ms), default=0)


def _any_frame(client: redis.Redis, batch: Batch) -> bool:
    """Tell whether the ingester has written anything in the interval: what others have written does not count."""
    span = (str(batch.start_ms), str(batch.end_ms - 1))
    return any(
        not frame_of(queue, entry).foreign
        for queue in wire.QUEUES
        for chunk in buffer.frames(client, queue, *span)
        for entry in chunk
    )


def _tell_foreign(client: redis.Redis, manifest: Manifest, tell: Tell) -> None:
    odd = {name: queue for name, queue in manifest.queues.items() if queue.foreign or queue.miscounted}
    if not any(buffer.holds(client, name, queue) for name, queue in odd.items()):
        return  # told before they were deleted
    said = [
        f"{name}: {queue.foreign} not frames, {queue.miscounted} with another count than they say"
        for name, queue in odd.items()
    ]
    tell(
        f"batch {manifest.batch} holds entries of Redis that the ingester did not write ({'; '.join(said)}). What "
        "is not a frame goes to quarantine with its bytes; all other events are published"
    )


def _refuse_silence(client: redis.Redis, first_start_ms: int, batch: Batch, lake: LakePath) -> None:
    # A Redis that was lost begins again, and with it the first start: the lake knows better.
    if batch.end_ms <= first_start_ms and not _ran_before(lake, batch):
        late.skip(lake, batch)
        tally.add(client, observed.SKIPPED)
        raise BeforeFirstStart(f"batch {batch.id} ended before the ingester was first started")
    if client.zcount(wire.HEARTBEATS_KEY, batch.end_ms, "+inf"):
        coverage.record_silence(lake, batch)
        coverage.take(client, lake, batch)
        coverage.forget(client, lake, batch)
        tally.add(client, observed.MISSED)
        raise MissedInterval(
            f"batch {batch.id}: nothing listened in this interval, and the ingester has been back since; what its "
            f"cursor still reached is in later batches, and the gap is in {coverage.records_path(lake, batch)}"
        )
    raise NotListening(
        f"batch {batch.id}: Redis holds no events and no heartbeat of this interval; see whether the ingester "
        "runs (systemctl status bluesky-firehose-ingester), then clear the task"
    )


def _ran_before(lake: LakePath, batch: Batch) -> bool:
    """Tell whether the lake knows of an earlier interval, as a batch or as a gap."""
    drained = (path.parent.name for path in Area.RAW.of(lake).find(f"date=*/batch=*/{manifests.NAME}"))
    batches = (name for name in drained if not is_import(name.removeprefix("batch=")))
    gaps = (path.stem for path in Area.COVERAGE.of(lake).find("date=*/batch=*.json"))
    return any(name < f"batch={batch.id}" for name in chain(batches, gaps))
