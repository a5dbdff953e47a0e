"""The exact edges of an interval: the first and the last id that Redis can give in it, and those just beyond."""

from __future__ import annotations

import pytest
import redis

from firehose.batch import manifest as manifests
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.batch.raw import read_chunks
from firehose.errors import MissedInterval, NotListening
from firehose.settings import Settings
from ingester.contract import wire
from tests.support.frames import frame

LAST_SEQUENCE = 2**64 - 1


def write(client: redis.Redis, entry_id: str) -> bytes:
    """A frame with this id; returns its event."""
    line = b'{"id":"%s"}' % entry_id.encode()
    client.xadd(wire.stream_key(wire.LIKES), frame([line]), entry_id)
    return line


def drained(settings: Settings, batch: Batch) -> list[bytes]:
    """The events that a batch took, in order."""
    drain(settings, batch)
    path = manifests.folder_of(settings.lake_path, batch) / f"{wire.LIKES}.jsonl.zst"
    return [line for lines in read_chunks(path, 500) for line in lines] if path.exists() else []


def test_each_entry_is_in_the_interval_that_its_id_lies_in(
    settings: Settings, batches: list[Batch], redis_client: redis.Redis
) -> None:
    one, two, three = batches[:3]
    redis_client.zadd(wire.HEARTBEATS_KEY, {batch.id: batch.start_ms for batch in batches})
    first = [write(redis_client, f"{one.start_ms}-0"), write(redis_client, f"{one.start_ms}-1")]
    # More than one read of some hundred frames, all of one millisecond.
    first += [write(redis_client, f"{one.start_ms + 5}-{number}") for number in range(250)]
    first += [write(redis_client, f"{one.end_ms - 1}-{number}") for number in (0, LAST_SEQUENCE)]
    second = [write(redis_client, f"{one.end_ms}-{number}") for number in (0, 1)]
    second += [write(redis_client, f"{two.end_ms - 1}-{LAST_SEQUENCE}")]
    third = [write(redis_client, f"{two.end_ms}-0")]
    assert one.end_ms == two.start_ms and two.end_ms == three.start_ms
    assert drained(settings, two) == second, "it takes nothing of one that is still to be drained"
    assert drained(settings, one) == first
    assert redis_client.xlen(wire.stream_key(wire.LIKES)) == 1
    assert drained(settings, three) == third


@pytest.mark.parametrize("sequence", [0, LAST_SEQUENCE])
def test_one_entry_in_the_last_millisecond_makes_a_batch(
    settings: Settings, batches: list[Batch], redis_client: redis.Redis, sequence: int
) -> None:
    line = write(redis_client, f"{batches[0].end_ms - 1}-{sequence}")
    assert drained(settings, batches[0]) == [line]


def test_an_entry_just_outside_makes_none(
    settings: Settings, batches: list[Batch], redis_client: redis.Redis
) -> None:
    write(redis_client, f"{batches[1].start_ms - 1}-{LAST_SEQUENCE}")
    write(redis_client, f"{batches[1].end_ms}-0")
    with pytest.raises(NotListening):
        drain(settings, batches[1])


def test_a_heartbeat_counts_for_the_interval_in_which_its_minute_begins(
    settings: Settings, batches: list[Batch], redis_client: redis.Redis
) -> None:
    missed, later = batches[:2]
    redis_client.zadd(wire.HEARTBEATS_KEY, {"at its end": missed.end_ms})
    with pytest.raises(MissedInterval):
        drain(settings, missed)
    assert drain(settings, later).events == 0
    redis_client.zadd(wire.HEARTBEATS_KEY, {"its last moment": batches[2].end_ms - 1})
    assert drain(settings, batches[2]).events == 0
