"""A simulated day in a home of its own: Redis and lake as a day of batches leaves them.

The real steps make it, one after another and now; so the times at which a batch was drained and published are put
back to its own interval afterwards. Lives here: the day. Must not: Airflow, pictures.
"""

from __future__ import annotations

import math
import random
import time
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import redis

from firehose.batch import coverage
from firehose.batch import manifest as manifests
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.lake.ledger import LedgerEntry, entry_path, ledger_days, read_entry, write_entry
from firehose.lake.publish import publish
from firehose.quality.validate import validate
from firehose.settings import Settings
from ingester.contract import wire
from ingester.contract.gap import Gap, Reason, encoded
from ingester.contract.logs import get_logger
from jetstream_simulator.generate import events
from tests.support.frames import fill

log = get_logger(__name__)

MINUTES: Final = 5
#: Batches of the day in which nothing was heard, counted from its first one.
_SILENT: Final = range(100, 104)
#: One that has more bad events than a suite allows.
_BAD: Final = 201
_HOST: Final = "wss://jetstream2.us-east.bsky.network"


def make(settings: Settings, client: redis.Redis, batches: int = 288, events_a_batch: int = 1500) -> list[Batch]:
    """Fill Redis and the lake with the latest ``batches`` intervals, and those that end meanwhile.

    Batches that an earlier run has made stay; what waited at its end does not.
    """
    client.delete(*map(wire.stream_key, wire.QUEUES))
    chance = random.Random(13)  # noqa: S311 - a picture has to look the same twice
    made = [_latest(batches)]
    client.hset(wire.METADATA_KEY, mapping={wire.META_FIRST_START_MS: made[0].start_ms, wire.META_PROTOCOL: "v2"})
    while made[-1].end.timestamp() <= time.time():
        number, batch = len(made) - 1, made[-1]
        if read_entry(entry_path(settings.lake_path, batch)) is not None:
            pass  # of an earlier run
        elif number in _SILENT:
            coverage.record_silence(settings.lake_path, batch)
        else:
            _take(settings, client, batch, number, events_a_batch)
            _put_back(settings, batch, chance)
            log.info("batch", number=number, of=batches)
        made.append(Batch.of(batch.end, batch.end + (batch.end - batch.start)))
    made.pop()
    _older_gaps(settings, made[0])
    return made


def _latest(count: int) -> Batch:
    """The first of the latest ``count`` intervals that are over."""
    length = 60 * MINUTES
    start = datetime.fromtimestamp((int(time.time()) // length - count) * length, UTC)
    return Batch.of(start, start + timedelta(seconds=length))


def _take(settings: Settings, client: redis.Redis, batch: Batch, number: int, events_a_batch: int) -> None:
    hour = batch.start.hour + batch.start.minute / 60
    count = round(events_a_batch * (1 + 0.5 * math.sin((hour - 14) / 24 * 2 * math.pi)))
    rate = count / (batch.end - batch.start).total_seconds()
    malformed = 0.03 if number == _BAD else 0.0
    _hear(client, batch.start, batch.end)
    made = events(count, seed=number, start_us=batch.start_ms * 1000, rate=rate, malformed=malformed)
    fill(client, made, batch)
    client.hset(
        wire.METADATA_KEY, mapping={wire.META_HOST: _HOST, wire.META_TIME_US: batch.end_ms * 1000 - 900_000}
    )
    drain(settings, batch)
    validate(settings, batch)
    publish(settings, batch)


def _hear(client: redis.Redis, start: datetime, end: datetime) -> None:
    minutes = range(int(start.timestamp()) // 60, int(end.timestamp()) // 60)
    client.zadd(wire.HEARTBEATS_KEY, {str(minute * 60_000): minute * 60_000 for minute in minutes})


def _put_back(settings: Settings, batch: Batch, chance: random.Random) -> None:
    lake = settings.lake_path
    drained = batch.end + timedelta(seconds=2 + 3 * chance.random())
    folder = manifests.folder_of(lake, batch)
    manifest, entry = manifests.read(folder), read_entry(entry_path(lake, batch))
    if manifest is None or entry is None:
        raise RuntimeError(f"{batch.id} was not published")
    manifests.write(folder, msgspec.structs.replace(manifest, created_at=drained))
    published = drained + timedelta(seconds=9 + 5 * chance.random() + 60 * (chance.random() > 0.985))
    write_entry(entry_path(lake, batch), msgspec.structs.replace(entry, published_at=published))


def _older_gaps(settings: Settings, first: Batch) -> None:
    """Gaps of the weeks before, most of them filled; and a first batch, so that there was a lake then."""
    if min(ledger_days(settings.lake_path)) < (first.start - timedelta(days=20)).date():
        return  # an earlier run made them
    began = Batch.of(first.start - timedelta(days=25), first.end - timedelta(days=25))
    told = LedgerEntry(
        batch=began.id, start=began.start, end=began.end, published_at=began.end, counts={}, hours={}
    )
    write_entry(entry_path(settings.lake_path, began), told)
    for days, minutes, reason, filled in (
        (2, 14, Reason.OUTAGE, "replay"),
        (5, 95, Reason.REFUSED, "archive"),
        (9, 3, Reason.PARTIAL, ""),
        (16, 41, Reason.STALL, "other host"),
    ):
        start = first.start - timedelta(days=days)
        batch = Batch.of(start, start + timedelta(minutes=MINUTES))
        begin = int(start.timestamp() * 1e6)
        gap = Gap(
            id=f"{reason}/{batch.id}",
            reason=reason,
            from_us=begin,
            to_us=begin + minutes * 60_000_000,
            noted_us=begin + 120 * 60_000_000,
            host=_HOST,
            protocol="v2",
            queue="likes" if reason is Reason.PARTIAL else "",
            filled=filled,
        )
        coverage.records_path(settings.lake_path, batch).write(b"[" + encoded(gap) + b"]")


def present(client: redis.Redis, since: datetime, events_a_batch: int = 1500) -> None:
    """What has come since the last interval: it waits in Redis, and the ingester is at work."""
    now = datetime.now(UTC)
    batch = Batch.of(since, since + timedelta(minutes=MINUTES))
    share = (now - since).total_seconds() / 300
    fill(client, events(max(1, round(events_a_batch * share)), seed=999, start_us=batch.start_ms * 1000), batch)
    _hear(client, since, now + timedelta(minutes=20))
    now_ms = int(now.timestamp() * 1000)
    totals = {queue: int(client.xlen(wire.stream_key(queue))) for queue in wire.QUEUES}
    client.hset(
        wire.METADATA_KEY,
        mapping={
            wire.META_WRITER: "ingester/4f0c2a",
            wire.META_HOST: _HOST,
            wire.META_TIME_US: now_ms * 1000 - 850_000,
            wire.META_LAG_US: 850_000,
            wire.META_LAST_FLUSH_MS: now_ms,
            wire.META_LEASE_MS: now_ms + 5_000,
            wire.META_EVENTS: 41_337_206,
            **{wire.EVENTS_PREFIX + queue: count * 1000 for queue, count in totals.items()},
        },
    )
