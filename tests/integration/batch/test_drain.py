"""The drain: a byte-for-byte copy first, deletion only after it, and never a silent empty batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from firehose.batch import manifest as manifests
from firehose.batch.coverage import read_gaps
from firehose.batch.drain import drain, redis_ms
from firehose.batch.interval import Batch
from firehose.batch.raw import read_chunks
from firehose.errors import BeforeFirstStart, CorruptBatch, MissedInterval, NotListening, ServiceUnavailable
from firehose.settings import Settings
from ingester.contract import wire
from ingester.contract.gap import Reason
from jetstream_simulator import generate

Fill = Callable[[Iterable[bytes], Batch], None]
EVENTS = list(generate.events(1200, seed=3))


def lines_of(settings: Settings, batch: Batch) -> list[bytes]:
    folder = manifests.folder_of(settings.local_lake, batch)
    return [line for path in sorted(folder.glob("*.zst")) for chunk in read_chunks(path, 500) for line in chunk]


def entries(client: redis.Redis) -> int:
    return sum(int(client.xlen(wire.stream_key(queue))) for queue in wire.QUEUES)


def test_the_interval_leaves_redis_and_nothing_else_does(
    settings: Settings, batches: list[Batch], fill: Fill, redis_client: redis.Redis
) -> None:
    fill(EVENTS[:600], batches[0])
    fill(EVENTS[600:], batches[1])
    result = drain(settings, batches[0])
    assert result.events == 600
    assert sorted(lines_of(settings, batches[0])) == sorted(EVENTS[:600])
    left = entries(redis_client)
    assert left > 0
    assert drain(settings, batches[1]).events == 600
    assert entries(redis_client) == 0


def test_a_second_drain_does_not_read_redis_again(
    settings: Settings, batches: list[Batch], fill: Fill, redis_client: redis.Redis
) -> None:
    fill(EVENTS, batches[0])
    first = drain(settings, batches[0])
    manifest = Path(first.manifest).read_bytes()
    # What turns up in a drained interval is not of it; only a later sweep may take it.
    redis_client.xadd(wire.stream_key("posts"), {"n": 1}, id=f"{batches[0].end_ms - 1}-1")
    assert drain(settings, batches[0]) == first
    assert Path(first.manifest).read_bytes() == manifest
    assert entries(redis_client) == 1


def test_a_drain_that_died_before_deleting_deletes_when_repeated(
    settings: Settings, batches: list[Batch], fill: Fill, redis_client: redis.Redis
) -> None:
    fill(EVENTS, batches[0])
    dump = {queue: redis_client.dump(wire.stream_key(queue)) for queue in wire.QUEUES}
    drain(settings, batches[0])
    for queue, content in dump.items():
        if content:
            redis_client.restore(wire.stream_key(queue), 0, content, replace=True)
    assert entries(redis_client) > 0
    drain(settings, batches[0])
    assert entries(redis_client) == 0


def test_a_damaged_copy_is_never_taken_for_whole(settings: Settings, batches: list[Batch], fill: Fill) -> None:
    fill(EVENTS, batches[0])
    drain(settings, batches[0])
    path = manifests.folder_of(settings.local_lake, batches[0]) / "likes.jsonl.zst"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptBatch, match=r"likes\.jsonl\.zst: differs from its manifest"):
        drain(settings, batches[0])


def test_silence_is_not_an_empty_batch(
    settings: Settings, batches: list[Batch], redis_client: redis.Redis
) -> None:
    with pytest.raises(NotListening, match="no heartbeat"):
        drain(settings, batches[0])
    assert manifests.read(manifests.folder_of(settings.local_lake, batches[0])) is None


def test_a_quiet_interval_that_was_listened_to_is_an_empty_batch(
    settings: Settings, batches: list[Batch], redis_client: redis.Redis
) -> None:
    start = batches[0].start_ms
    redis_client.zadd(wire.HEARTBEATS_KEY, {str(start): start})
    assert drain(settings, batches[0]).events == 0


def test_an_outage_that_is_over_is_a_recorded_gap(
    settings: Settings, batches: list[Batch], redis_client: redis.Redis
) -> None:
    heard = batches[2].start_ms
    redis_client.zadd(wire.HEARTBEATS_KEY, {str(heard): heard})
    for _ in range(2):  # clearing the run does not record it twice
        with pytest.raises(MissedInterval, match="the gap is in"):
            drain(settings, batches[1])
    (gap,) = read_gaps(settings.local_lake)
    assert (gap.reason, gap.from_us, gap.to_us) == (
        Reason.NOT_LISTENING,
        batches[1].start_ms * 1000,
        batches[1].end_ms * 1000,
    )
    with pytest.raises(NotListening):
        drain(settings, batches[3])  # it has not come back since


def test_what_ended_before_the_first_start_is_skipped(
    settings: Settings, batches: list[Batch], redis_client: redis.Redis
) -> None:
    redis_client.hset(wire.METADATA_KEY, wire.META_FIRST_START_MS, batches[0].end_ms)
    with pytest.raises(BeforeFirstStart):
        drain(settings, batches[0])
    with pytest.raises(NotListening):
        drain(settings, batches[1])


def test_a_lost_redis_does_not_hide_that_the_pipeline_ran_before(
    settings: Settings, batches: list[Batch], fill: Fill, redis_client: redis.Redis
) -> None:
    fill(EVENTS, batches[0])
    drain(settings, batches[0])
    redis_client.flushall()
    redis_client.hset(wire.METADATA_KEY, wire.META_FIRST_START_MS, batches[3].start_ms)
    with pytest.raises(NotListening):
        drain(settings, batches[1])
    redis_client.zadd(wire.HEARTBEATS_KEY, {"x": batches[3].start_ms})
    for batch in batches[1:3]:
        with pytest.raises(MissedInterval):
            drain(settings, batch)
    gaps = read_gaps(settings.local_lake)
    assert [gap.from_us // 1000 for gap in gaps] == [batch.start_ms for batch in batches[1:3]]


def test_a_lost_redis_does_not_hide_a_first_interval_that_was_not_drained(
    settings: Settings, batches: list[Batch], fill: Fill, redis_client: redis.Redis
) -> None:
    first_start = batches[0].start_ms + 1000
    redis_client.hset(wire.METADATA_KEY, wire.META_FIRST_START_MS, first_start)
    for batch in batches[:2]:
        fill(EVENTS, batch)
    drain(settings, batches[1])
    redis_client.flushall()
    redis_client.hset(wire.METADATA_KEY, wire.META_FIRST_START_MS, batches[2].start_ms)
    redis_client.zadd(wire.HEARTBEATS_KEY, {"x": batches[2].start_ms})
    drain(settings, batches[2])  # what it writes must not be the only one to know the first start
    with pytest.raises(MissedInterval):
        drain(settings, batches[0])
    (gap,) = read_gaps(settings.local_lake)
    assert gap.from_us == batches[0].start_ms * 1000
    assert manifests.first_start_ms(settings.local_lake) == first_start


def test_the_interval_is_over_when_redis_says_so(
    settings: Settings, redis_client: redis.Redis, fill: Fill
) -> None:
    end = datetime.fromtimestamp(redis_ms(redis_client) // 1000 + 2, UTC)
    batch = Batch.of(end - timedelta(seconds=5), end)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        # An event of the interval's last moment, written while the drain already waits for its end.
        if not slept:
            fill(EVENTS[:10], Batch.of(end - timedelta(seconds=2), end))
        slept.append(seconds)
        time.sleep(seconds)

    assert drain(settings, batch, sleep=sleep).events == 10
    assert slept
    assert redis_ms(redis_client) >= batch.end_ms


def test_redis_away_is_one_clear_line(settings: Settings, batches: list[Batch], free_port: int) -> None:
    away = Settings(lake=settings.lake, redis_url=f"redis://user:secret@127.0.0.1:{free_port}/0")
    with pytest.raises(ServiceUnavailable, match="does not answer") as caught:
        drain(away, batches[0])
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
