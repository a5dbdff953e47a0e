"""Frames that are older than their drain: taken along where no other batch takes them, and exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import msgspec
import pytest
import redis
from filelock import FileLock

from firehose.batch import buffer
from firehose.batch import manifest as manifests
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.batch.lock import lock_path
from firehose.batch.raw import read_chunks
from firehose.errors import BeforeFirstStart, MissedInterval
from firehose.settings import Settings
from ingester.contract import wire
from jetstream_simulator import generate

Fill = Callable[[Iterable[bytes], Batch], None]
EVENTS = list(generate.events(1200, seed=3))
OLD, NEW = EVENTS[:600], EVENTS[600:]


def lines_of(settings: Settings, batch: Batch) -> list[bytes]:
    """What a batch holds, in the order of its queues' files."""
    folder = manifests.folder_of(settings.local_lake, batch)
    return [line for path in sorted(folder.glob("*.zst")) for chunk in read_chunks(path, 500) for line in chunk]


def entries(client: redis.Redis) -> int:
    """Frames in Redis."""
    return sum(int(client.xlen(wire.stream_key(queue))) for queue in wire.QUEUES)


def dump(client: redis.Redis) -> dict[str, bytes | None]:
    """Every stream as it is."""
    return {wire.stream_key(queue): client.dump(wire.stream_key(queue)) for queue in wire.QUEUES}


def restore(client: redis.Redis, streams: dict[str, bytes | None]) -> None:
    """Every stream as it was."""
    for key, content in streams.items():
        if content:
            client.restore(key, 0, content, replace=True)


def hear(client: redis.Redis, batch: Batch) -> None:
    """A heartbeat of the interval."""
    client.zadd(wire.HEARTBEATS_KEY, {str(batch.start_ms): batch.start_ms})


@pytest.fixture
def clock_went_back(settings: Settings, batches: list[Batch], fill: Fill, redis_client: redis.Redis) -> None:
    """The first interval was drained; then frames were written with ids of it."""
    hear(redis_client, batches[0])
    drain(settings, batches[0])
    fill(OLD, batches[0])


@pytest.mark.usefixtures("clock_went_back")
def test_frames_of_a_drained_interval_come_with_the_next_batch(
    settings: Settings, batches: list[Batch], fill: Fill, redis_client: redis.Redis
) -> None:
    fill(NEW, batches[1])
    assert drain(settings, batches[1]).events == 1200
    assert sorted(lines_of(settings, batches[1])) == sorted(EVENTS)
    assert lines_of(settings, batches[0]) == []
    assert entries(redis_client) == 0


def test_frames_of_a_skipped_interval_come_with_the_next_batch_also_if_redis_was_lost(
    settings: Settings, batches: list[Batch], fill: Fill, redis_client: redis.Redis
) -> None:
    redis_client.hset(wire.METADATA_KEY, wire.META_FIRST_START_MS, batches[1].start_ms + 1000)
    with pytest.raises(BeforeFirstStart):
        drain(settings, batches[0])
    redis_client.flushall()
    # The new one is started before the interval that was skipped is over: the clock has stepped back.
    redis_client.hset(wire.METADATA_KEY, wire.META_FIRST_START_MS, batches[0].start_ms)
    fill(OLD, batches[0])
    fill(NEW, batches[1])
    assert drain(settings, batches[1]).events == 1200
    assert entries(redis_client) == 0


def test_frames_of_an_interval_that_is_still_to_be_drained_are_left_to_it(
    settings: Settings, batches: list[Batch], fill: Fill
) -> None:
    fill(OLD, batches[0])
    fill(NEW, batches[1])
    assert drain(settings, batches[1]).events == 600
    assert drain(settings, batches[0]).events == 600


def test_frames_in_a_recorded_gap_come_along(
    settings: Settings, batches: list[Batch], fill: Fill, redis_client: redis.Redis
) -> None:
    hear(redis_client, batches[1])
    with pytest.raises(MissedInterval):
        drain(settings, batches[0])
    fill(OLD, batches[0])
    assert drain(settings, batches[1]).events == 600
    assert entries(redis_client) == 0


@pytest.mark.parametrize("known_by", ["the first start", "the start date"])
def test_frames_from_before_the_first_interval_come_along(
    settings: Settings, batches: list[Batch], fill: Fill, redis_client: redis.Redis, known_by: str
) -> None:
    fill(OLD, batches[0])
    hear(redis_client, batches[1])
    if known_by == "the start date":
        # Within the minute: the DAG's first interval begins at the next one.
        late = datetime.fromtimestamp(batches[0].start_ms / 1000 + 2, UTC).isoformat()
        settings = msgspec.structs.replace(settings, start_date=late, batch_minutes=1)
    else:
        redis_client.hset(wire.METADATA_KEY, wire.META_FIRST_START_MS, batches[1].start_ms)
    assert drain(settings, batches[1]).events == 600


@pytest.mark.usefixtures("clock_went_back")
def test_silence_is_not_hidden_by_older_frames(
    settings: Settings, batches: list[Batch], redis_client: redis.Redis
) -> None:
    hear(redis_client, batches[2])
    with pytest.raises(MissedInterval):
        drain(settings, batches[1])
    assert drain(settings, batches[2]).events == 600


def test_what_a_restored_redis_brings_back_is_deleted_and_not_copied_again(
    settings: Settings, batches: list[Batch], fill: Fill, redis_client: redis.Redis
) -> None:
    fill(OLD, batches[0])
    before = dump(redis_client)
    drain(settings, batches[0])
    restore(redis_client, before)
    fill(NEW, batches[1])
    assert drain(settings, batches[1]).events == 600
    assert entries(redis_client) == 0


def test_equal_ids_with_other_content_are_not_deleted_by_a_rerun(
    settings: Settings, batches: list[Batch], fill: Fill, redis_client: redis.Redis
) -> None:
    fill(OLD, batches[0])
    drain(settings, batches[0])
    redis_client.flushall()  # and the clock went back, so that the same ids are given again
    fill(NEW, batches[0])
    there = entries(redis_client)
    drain(settings, batches[0])
    assert entries(redis_client) == there
    fill([], batches[1])
    hear(redis_client, batches[1])
    assert drain(settings, batches[1]).events == 600
    assert sorted(lines_of(settings, batches[1])) == sorted(NEW)


@pytest.mark.usefixtures("clock_went_back")
def test_a_rerun_of_the_batch_that_took_them_deletes_them(
    settings: Settings, batches: list[Batch], fill: Fill, redis_client: redis.Redis
) -> None:
    fill(NEW, batches[1])
    before = dump(redis_client)
    drain(settings, batches[1])
    copied = lines_of(settings, batches[1])
    # It died when it had deleted the first of them.
    restore(redis_client, before)
    for queue in wire.QUEUES:
        for chunk in buffer.entries(redis_client, queue, "-", "+"):
            redis_client.xdel(wire.stream_key(queue), chunk[0][0])
            break
    drain(settings, batches[1])
    assert entries(redis_client) == 0
    assert lines_of(settings, batches[1]) == copied


@pytest.mark.usefixtures("clock_went_back")
@pytest.mark.parametrize("holder", ["stragglers", "owner"])
def test_two_drains_do_not_take_the_same(
    settings: Settings, batches: list[Batch], fill: Fill, redis_client: redis.Redis, holder: str
) -> None:
    fill(NEW, batches[1])
    path = lock_path(settings.local_lake, batches[0].id)
    with FileLock(path if holder == "owner" else path.with_name("stragglers.lock")):
        assert drain(settings, batches[1]).events == 600
    hear(redis_client, batches[2])
    assert drain(settings, batches[2]).events == 600
    assert entries(redis_client) == 0


@pytest.mark.usefixtures("clock_went_back")
def test_what_a_dead_batch_left_is_deleted_by_the_next_one(
    settings: Settings, batches: list[Batch], fill: Fill, redis_client: redis.Redis
) -> None:
    fill(NEW, batches[1])
    before = dump(redis_client)
    drain(settings, batches[1])
    restore(redis_client, before)  # it died before it deleted anything, and was not run again
    hear(redis_client, batches[2])
    assert drain(settings, batches[2]).events == 0
    assert entries(redis_client) == 0
