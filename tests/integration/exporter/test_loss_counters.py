"""Each path of losses of the pipeline, taken once on a real Redis and lake, and seen in the exporter's numbers."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from firehose import metrics, schema
from firehose.backfill.one_gap import BackfillReport
from firehose.batch import manifest as manifests
from firehose.batch import tally
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.errors import BeforeFirstStart, MissedInterval
from firehose.exporter.look import Looker
from firehose.lake.publish import publish
from firehose.lake.rebuild import rebuild
from firehose.quality.validate import validate
from firehose.settings import Settings
from ingester.contract import wire
from ingester.contract.losses import LossPath
from tests.support.frames import add_frames, fill, frame, minutes
from tests.support.maintained import HOUR, LIKES, maintenance, proven, published
from tests.support.staging import stage


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(
        home=str(tmp_path),
        lake=str(tmp_path / "lake"),
        redis_url=redis_url,
        batch_minutes=1,
        clickhouse_url="http://127.0.0.1:1",
        airflow_url="http://127.0.0.1:1",
        exporter_probe_s=0,
    )


@pytest.fixture
def three() -> list[Batch]:
    return minutes(3)


def seen(settings: Settings) -> Mapping[str, float]:
    """What the exporter gives: the sum of each metric over its labels."""
    looker = Looker(settings, keep=False)
    looker.look(60)
    return {metric.name: sum(values.values()) for metric, values in looker.seen()}


def counted(settings: Settings, path: LossPath) -> float:
    return seen(settings).get(metrics.LOSS_METRICS[path].name, 0.0)


def test_what_others_put_into_redis(settings: Settings, redis_client: redis.Redis, three: list[Batch]) -> None:
    redis_client.set(wire.HEARTBEATS_KEY, "no sorted set")
    redis_client.xadd(wire.COVERAGE_KEY, {"gap": "no gap"})
    start = three[0].start_ms
    redis_client.xadd(wire.stream_key(wire.LIKES), {"foo": "bar"}, id=f"{start}-1")
    redis_client.xadd(wire.stream_key(wire.LIKES), frame(LIKES[:3]) | {wire.FIELD_COUNT: 5}, id=f"{start}-2")
    drain(settings, three[0])
    found = seen(settings)
    assert found[metrics.LOSS_METRICS[LossPath.FOREIGN_ENTRY].name] == 1
    assert found[metrics.LOSS_METRICS[LossPath.MISCOUNTED].name] == 1
    assert found[metrics.LOSS_METRICS[LossPath.FOREIGN_KEY].name] == 2


def test_frames_that_come_late(settings: Settings, redis_client: redis.Redis, three: list[Batch]) -> None:
    add_frames(redis_client, wire.LIKES, LIKES[:10], three[0])
    drain(settings, three[0])
    for number in (1, 2):
        late = f"{three[0].start_ms + 2000}-{number}"
        redis_client.xadd(wire.stream_key(wire.LIKES), frame(LIKES[10 * number :][:10]), id=late)
    add_frames(redis_client, wire.LIKES, LIKES[30:40], three[1])
    drain(settings, three[1])
    assert counted(settings, LossPath.LATE_FRAME) == 2


def test_intervals_without_a_batch(settings: Settings, redis_client: redis.Redis, three: list[Batch]) -> None:
    redis_client.hset(wire.METADATA_KEY, wire.META_FIRST_START_MS, three[0].end_ms)
    with suppress(BeforeFirstStart):
        drain(settings, three[0])
    redis_client.zadd(wire.HEARTBEATS_KEY, {str(three[2].start_ms): three[2].start_ms})
    with suppress(MissedInterval):
        drain(settings, three[1])
    found = seen(settings)
    assert found[metrics.LOSS_METRICS[LossPath.SKIPPED_INTERVAL].name] == 1
    assert found[metrics.LOSS_METRICS[LossPath.MISSED_INTERVAL].name] == 1
    assert found["firehose_open_gap_seconds"] == 60, "the interval is a gap of a minute"


def test_bad_events_and_batches_that_wait(
    settings: Settings, redis_client: redis.Redis, three: list[Batch]
) -> None:
    fill(redis_client, [*LIKES[:20], LIKES[20].replace(b'"rkey":"', b'"rkey":"#')], three[0])
    drain(settings, three[0])
    assert counted(settings, LossPath.UNPUBLISHED) == 1
    validate(settings, three[0])
    publish(settings, three[0])
    assert counted(settings, LossPath.UNPUBLISHED) == 0
    assert counted(settings, LossPath.QUARANTINED) == 1


def test_copies_of_events(settings: Settings, redis_client: redis.Redis, three: list[Batch]) -> None:
    published(settings, redis_client, {three[0]: LIKES[:40], three[1]: LIKES[20:60]})
    assert counted(settings, LossPath.DISPLACED) == 20
    fill(redis_client, LIKES[30:70], three[2])
    drain(settings, three[2])
    stage(settings.lake_path, three[2], schema.LIKES, [HOUR - 1, HOUR])
    publish(settings, three[2])
    assert counted(settings, LossPath.DUPLICATE) == 30


def test_what_a_rebuild_has_lost(settings: Settings, redis_client: redis.Redis, three: list[Batch]) -> None:
    published(settings, redis_client, {three[0]: LIKES[:40], three[1]: LIKES[40:80]})
    for path in Path(settings.lake).glob("year=*/*/*/*/likes.parquet"):
        path.unlink()
    shutil.rmtree(manifests.folder_of(settings.local_lake, three[0]))
    rebuild(settings.lake_path, "likes", [HOUR - 1], partial=True, reason="a test")
    assert counted(settings, LossPath.REBUILD_LOST) == 40


def test_what_retention_removes(settings: Settings, redis_client: redis.Redis, three: list[Batch]) -> None:
    published(settings, redis_client, {three[0]: LIKES[:40]})
    done = proven(maintenance(settings)).expire()
    tally.record(redis_client, done)
    assert counted(settings, LossPath.EXPIRED) == sum(done.removed.values()) > 0


def test_what_an_archive_does_not_have(settings: Settings, redis_client: redis.Redis) -> None:
    report = BackfillReport(
        gap="g", from_us=1, to_us=2, queue="", segments=1, events={"likes": 3}, missing="", absent=4
    )
    tally.record(redis_client, report)
    assert counted(settings, LossPath.ABSENT) == 4
