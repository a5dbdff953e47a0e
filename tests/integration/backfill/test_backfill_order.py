"""When the lake may call a gap filled: not before the events that an archive gave have left Redis for a batch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import redis

from firehose.batch import coverage
from firehose.batch.coverage import read_gaps
from firehose.batch.interval import Batch
from firehose.settings import Settings
from ingester.contract import wire
from ingester.contract.gap import Gap
from tests.integration.backfill.world import gap

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
FIRST, SECOND, THIRD = (
    Batch.of(START + number * timedelta(minutes=5), START + (number + 1) * timedelta(minutes=5))
    for number in range(3)
)


def test_a_lost_redis_leaves_no_gap_filled_whose_events_went_with_it(
    settings: Settings, redis_client: redis.Redis
) -> None:
    """The newest batch is drained first after an outage: the record that a gap is filled may be in it."""
    filled = msgspec.structs.replace(gap(), noted_us=gap().noted_us + 1, filled="archive")
    _frame(redis_client, wire.LIKES, FIRST)
    _record(redis_client, gap(), FIRST)
    _record(redis_client, filled, SECOND)

    coverage.take(redis_client, settings.lake_path, SECOND)
    coverage.forget(redis_client, settings.lake_path, SECOND)
    assert [one.filled for one in read_gaps(settings.lake_path)] == [""], "Redis may be lost now"
    assert redis_client.xlen(wire.COVERAGE_KEY) == 1

    redis_client.delete(wire.stream_key(wire.LIKES))  # as the drain of the first batch does
    _frame(redis_client, wire.POSTS, THIRD)  # what came after the record does not matter
    coverage.take(redis_client, settings.lake_path, THIRD)
    coverage.forget(redis_client, settings.lake_path, THIRD)
    assert [one.filled for one in read_gaps(settings.lake_path)] == ["archive"]
    assert redis_client.xlen(wire.COVERAGE_KEY) == 0


def test_what_a_replay_filled_is_taken_at_once(settings: Settings, redis_client: redis.Redis) -> None:
    """After a loss of Redis the ingester replays from before the first batch that is missing."""
    _frame(redis_client, wire.LIKES, FIRST)
    _record(redis_client, gap(filled="replay"), SECOND)
    assert [one.filled for one in coverage.take(redis_client, settings.lake_path, SECOND)] == ["replay"]


def _frame(client: redis.Redis, queue: str, batch: Batch) -> None:
    client.xadd(wire.stream_key(queue), {wire.FIELD_COUNT: 1}, id=f"{batch.start_ms + 1}-0")


def _record(client: redis.Redis, one: Gap, batch: Batch) -> None:
    client.xadd(wire.COVERAGE_KEY, {wire.FIELD_GAP: msgspec.json.encode(one)}, id=f"{batch.start_ms + 2}-0")
