"""A snapshot of a real Redis and a lake that the real steps have filled, against what was put there."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from firehose.batch.coverage import record_silence
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.lake.ledger import LedgerEntry, entry_path, listed_entry
from firehose.maintenance.run import Maintenance
from firehose.observe import PARTS, Observer, Snapshot, quick_client
from firehose.observe import ledger as observed_ledger
from firehose.observe.storage import SOON
from firehose.settings import Settings
from firehose.store import LakePath, Listed
from ingester.buffer.exchange import Flush
from ingester.buffer.sink import Sink
from ingester.contract import wire
from ingester.contract.frame import Frame
from ingester.contract.gap import Gap, Reason
from ingester.contract.redis_access import INGESTER, MONITORING, RedisAccess
from tests.support.frames import add_frames, fill, payload
from tests.support.maintained import LIKES, proven, published


def look(settings: Settings, now: datetime | None = None, **options: Any) -> Snapshot:
    return Observer(settings, **options).look(now)


def as_monitoring(settings: Settings) -> redis.Redis:
    return quick_client(settings, MONITORING)


def test_the_ingester_is_as_its_own_writes_say(
    settings: Settings, redis_client: redis.Redis, tmp_path: Path
) -> None:
    sink = Sink(RedisAccess.of(settings, INGESTER), "one", "ws://127.0.0.1/subscribe")
    sink.claim(15_000)
    witnessed = int((datetime.now(UTC) - timedelta(seconds=90)).timestamp() * 1e6)
    frames = [Frame(wire.LIKES, 3, witnessed, witnessed, payload(LIKES[:3]))]
    sink.write(Flush(frames, witnessed, True, 15_000, time_us=witnessed))
    sink.close()
    found = look(settings).ingester
    assert found is not None
    assert found.writer.startswith("one/") and found.host == "ws://127.0.0.1/subscribe"
    assert (found.events, found.queue_events[wire.LIKES], found.queue_events[wire.POSTS]) == (3, 3, 0)
    assert found.lag_s == pytest.approx(90, abs=30) and found.silent_s == pytest.approx(0, abs=30)
    assert found.heartbeat and found.unheard_s == 0
    later = look(settings, datetime.now(UTC) + timedelta(minutes=7)).ingester
    assert later and later.unheard_s and later.silent_s
    assert 300 <= later.unheard_s <= 420 <= later.silent_s <= 450
    monitored = look(settings, connect=as_monitoring)
    assert monitored.ingester and monitored.ingester.heartbeat == found.heartbeat
    assert monitored.buffer and monitored.buffer.oldest is None and monitored.buffer.queues["likes"].frames == 1


def test_a_redis_in_which_nobody_was_is_known_to_be_empty(settings: Settings, redis_client: redis.Redis) -> None:
    found = look(settings)
    assert found.ingester and found.ingester.first_start is found.ingester.heartbeat is None
    assert found.buffer and (found.buffer.frames, found.buffer.events, found.buffer.oldest) == (0, 0, None)
    assert found.batches and found.batches.newest == ""


def test_what_waits_is_counted_by_the_events_a_frame_of_the_last_batch(
    settings: Settings, redis_client: redis.Redis, batches: list[Batch]
) -> None:
    fill(redis_client, LIKES[:250], batches[0])
    drain(settings, batches[0])
    add_frames(redis_client, wire.LIKES, LIKES[:200], batches[1], events=100)
    add_frames(redis_client, wire.POSTS, LIKES[:1], batches[2])
    before = redis_client.config_get("maxmemory")[
        "maxmemory"
    ]  # of the session's server, and another test's perhaps
    redis_client.config_set("maxmemory", 1 << 30)
    found = look(settings).buffer
    redis_client.config_set("maxmemory", before or 0)
    assert found is not None
    published_none = found.queues[wire.LIKES]
    assert (published_none.frames, published_none.events) == (2, None), "no batch is published yet"
    assert found.queues[wire.LIKES].bytes > len(payload(LIKES[:200]))
    assert found.oldest == batches[1].start + timedelta(seconds=1)
    assert found.max_bytes == 1 << 30 and found.share == pytest.approx(found.used_bytes / found.max_bytes)
    assert found.aof_ok is True and found.aof_bytes


def test_batches_are_published_at_work_missing_or_silent(
    settings: Settings, redis_client: redis.Redis, batches: list[Batch]
) -> None:
    settings = msgspec.structs.replace(settings, start_date=batches[0].start.isoformat())
    published(settings, redis_client, {batches[0]: LIKES[:100]})
    fill(redis_client, LIKES[:10], batches[1])
    drain(settings, batches[1])
    record_silence(settings.lake_path, batches[2])
    now = batches[4].end + timedelta(seconds=30)
    found = look(settings, now)
    assert found.batches is not None
    assert (found.batches.newest, found.batches.expected) == (batches[0].id, batches[4].id)
    assert found.batches.published == 1 and found.batches.events == 100
    assert [running.batch for running in found.batches.running] == [batches[1].id]
    (missing,) = found.batches.missing
    assert (missing.batches, missing.start, missing.end) == (
        [batches[3].id, batches[4].id],
        batches[3].start,
        batches[4].end,
    )
    away = [(batches[3].start_ms - 1) * 1000, batches[4].end_ms * 1000 - 1]
    outage = Gap(id="o", reason=Reason.OUTAGE, from_us=away[0], to_us=away[1], noted_us=1, filled="replay")
    redis_client.xadd(wire.COVERAGE_KEY, {wire.FIELD_GAP: msgspec.json.encode(outage)})
    (later,) = (look(settings, now).batches or found.batches).missing
    assert later.batches == [batches[4].id], "in the other one the ingester was away all the time"
    assert found.batches.late_s == 270 - 60 + 0, "the interval after the newest one ended 3.5 minutes ago"
    assert found.batches.took_s is not None and found.batches.events_a_frame == {wire.LIKES: 100.0}
    assert found.quality and found.quality.error_rate == 0.0 and found.quality.received == 100


def test_the_newest_batch_is_found_however_old_it_is(
    settings: Settings, redis_client: redis.Redis, batches: list[Batch]
) -> None:
    published(settings, redis_client, {batches[0]: LIKES[:100]})
    later = look(settings, batches[0].end + timedelta(days=40)).batches
    assert later and later.newest == batches[0].id and later.published == 0
    assert later.late_s == timedelta(days=40).total_seconds() - 60


def test_an_hour_of_silence_is_one_line(settings: Settings, redis_client: redis.Redis) -> None:
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    for number in range(60):
        begin = start + timedelta(minutes=number)
        record_silence(settings.lake_path, Batch.of(begin, begin + timedelta(minutes=1)))
    likes = Gap(id="l", reason=Reason.PARTIAL, from_us=1, to_us=2, noted_us=3, queue="likes")
    redis_client.xadd(wire.COVERAGE_KEY, {wire.FIELD_GAP: msgspec.json.encode(likes)})
    found = look(settings).coverage
    assert found is not None and found.redis == ""
    assert found.open_records == 61
    partial, silence = found.open
    assert partial.ids == ["l"]
    assert (silence.reason, len(silence.ids)) == (Reason.NOT_LISTENING, 60)
    assert silence.to_us - silence.from_us == 3_600_000_000
    assert {hours: found.missing_s[hours] for hours in (24, 720)} == {24: 3600.0, 720: 3600.0}
    assert found.covered[24] == pytest.approx(23 / 24)


def test_gaps_of_the_lake_are_known_without_redis(settings: Settings, batches: list[Batch]) -> None:
    record_silence(settings.lake_path, batches[0])
    found = look(msgspec.structs.replace(settings, redis_url="redis://127.0.0.1:1/0"))
    assert found.coverage and len(found.coverage.open) == 1 and "does not answer" in found.coverage.redis
    assert (found.ingester, found.buffer) == (None, None)
    assert "not known, because Redis at redis://127.0.0.1:1/0 does not answer" in found.unknown["ingester"]
    assert "ClickHouse does not answer" in found.unknown["summaries"]
    assert "Airflow at http://127.0.0.1:1 does not answer" in found.unknown["airflow"]
    assert found.batches and found.disks and found.storage and found.retention, "these are read all the same"


def test_no_part_raises_whatever_is_wrong(
    settings: Settings, redis_client: redis.Redis, batches: list[Batch]
) -> None:
    published(settings, redis_client, {batches[0]: LIKES[:50]})
    entry_path(settings.local_lake, batches[0]).write_bytes(b"{")
    (settings.local_lake / "_coverage" / f"date={batches[0].start:%Y-%m-%d}").mkdir(parents=True)
    (settings.local_lake / "_coverage" / f"date={batches[0].start:%Y-%m-%d}" / "batch=x.json").write_bytes(b"{")
    redis_client.set(wire.METADATA_KEY, "nonsense")
    redis_client.set(wire.stream_key(wire.POSTS), "nonsense")
    found = look(settings)
    assert {"batches", "quality", "coverage", "ingester", "storage"} <= set(found.unknown)
    assert all(getattr(found, name) is None for name in found.unknown)
    assert all(said.startswith("not known, because ") and "\n" not in said for said in found.unknown.values())
    assert found.buffer and found.buffer.queues[wire.POSTS].frames == 0
    assert found.disks


def test_a_snapshot_goes_through_json(settings: Settings, redis_client: redis.Redis, batches: list[Batch]) -> None:
    published(settings, redis_client, {batches[0]: LIKES[:100]})
    found = look(settings, batches[4].end)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Snapshot) == found
    assert set(PARTS) == set(Snapshot.__struct_fields__) - {"at", "unknown"}
    only = look(settings, without=frozenset(PARTS) - {"disks"})
    assert only.disks and only.batches is None and only.unknown == {}


def test_raw_files_that_expire_soon_are_unverified_until_maintenance_has_seen_to_them(
    settings: Settings, redis_client: redis.Redis, batches: list[Batch]
) -> None:
    published(settings, redis_client, {batches[0]: LIKES[:100], batches[1]: LIKES[100:150]})
    keep = timedelta(hours=settings.keep_raw_hours)
    early = look(settings, batches[0].end + keep - SOON - timedelta(minutes=9)).retention
    assert early and early.unverified == [] and early.batches == 0
    near = batches[1].end + keep - timedelta(minutes=30)
    found = look(settings, near).retention
    assert found and found.unverified == [batches[0].id, batches[1].id]
    assert found.expires == batches[0].end + keep
    proven(Maintenance(settings, "a test", clock=lambda: near))
    done = look(settings, near).retention
    assert done and done.unverified == [] and done.batches == 2


def test_storage_is_what_records_and_manifests_say(
    settings: Settings, redis_client: redis.Redis, batches: list[Batch]
) -> None:
    published(settings, redis_client, {batches[0]: LIKES[:100]})
    found = look(settings, batches[4].end).storage
    files = list(settings.local_lake.glob("year=*/**/*.parquet"))
    assert found is not None
    assert (found.files, found.bytes) == (len(files), sum(path.stat().st_size for path in files))
    assert (found.rows, found.json_events) == (100, 100)
    assert found.json_bytes == sum(len(line) + 1 for line in LIKES[:100])
    assert found.ratio == pytest.approx(found.json_bytes / found.bytes)


def test_an_observer_reads_an_entry_once(
    settings: Settings, redis_client: redis.Redis, batches: list[Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    published(settings, redis_client, {batches[0]: LIKES[:100]})
    reads: list[str] = []

    def read(lake: LakePath, each: Listed) -> LedgerEntry | None:
        reads.append(each.key)
        return listed_entry(lake, each)

    monkeypatch.setattr(observed_ledger, "listed_entry", read)
    observer = Observer(settings)
    observer.look(batches[1].end)
    observer.look(batches[1].end)
    assert len(reads) == 1
    shutil.rmtree(settings.local_lake)
    assert observer.look(batches[1].end).batches is not None
