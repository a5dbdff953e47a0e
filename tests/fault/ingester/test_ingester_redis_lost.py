"""Redis lost entirely: what was in it and not drained comes again, from where the lake's manifests end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from firehose.batch.drain import drain, redis_ms
from firehose.batch.interval import Batch
from firehose.settings import Settings
from ingester.contract import wire
from ingester.contract.gap import Reason
from ingester.position.position import OTHER_HOST_REWIND_US
from tests.support.ingester import (
    Ingest,
    Source,
    first_events,
    known,
    metadata,
    missing,
    stored,
    time_us,
    until_stored,
)
from tests.support.waiting import until

SENT = first_events(200)


def test_a_host_that_is_not_text_does_not_end_the_process(
    redis_url: str, ingest: Ingest, redis_client: redis.Redis
) -> None:
    state: dict[Any, Any] = {"cursor": str(time_us(0)), "host": b"\xfe", "protocol": "v1", "last_flush_ms": "1"}
    redis_client.hset(wire.METADATA_KEY, mapping=state)
    with Source(list(SENT)) as source, ingest(source.url) as ingester:
        until(lambda: redis_client.hget(wire.METADATA_KEY, wire.META_CURSOR) == b"%d" % time_us(199))
        assert ingester.stop() == 0
    assert set(stored(redis_client)) == set(SENT) and not ingester.said("Traceback")
    assert [gap.reason for gap in known(redis_client)] == [Reason.OUTAGE]


def drain_all(client: redis.Redis, redis_url: str, lake: Path) -> None:
    """Bring everything that is in Redis into a raw batch, as the pipeline does."""
    end = datetime.fromtimestamp(redis_ms(client) // 1000 + 1, UTC)
    drain(Settings(redis_url=redis_url, lake=str(lake)), Batch.of(end - timedelta(hours=1), end))


@pytest.mark.parametrize("runs", [True, False], ids=["running", "stopped"])
@pytest.mark.parametrize("named", [0, time_us(150)], ids=["live", "start_cursor"])
def test_resumes_where_the_lake_ends(
    runs: bool, named: int, redis_url: str, ingest: Ingest, redis_client: redis.Redis, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    with Source(list(SENT[:100])) as source:
        ingester = ingest(source.url, lake=lake, start_cursor=named)
        if named:
            source.connections.append({})
            redis_client.hset(wire.METADATA_KEY, mapping={"cursor": time_us(0), "host": "x", "protocol": "v1"})
        with ingester.start():
            until_stored(redis_client, 99)
            drain_all(redis_client, redis_url, lake)
            source.messages += SENT[100:150]
            until_stored(redis_client, 149)
            host = metadata(redis_client)["host"]
            if not runs:
                ingester.kill()
            redis_client.flushall()
            source.messages += SENT[150:]
            if not runs:
                ingester.start()
            until_stored(redis_client, 199)
            assert ingester.stop() == 0
    assert source.connections[-1]["cursor"] == [str(time_us(99) - OTHER_HOST_REWIND_US)]
    assert set(SENT[100:]) <= set(stored(redis_client)), "all that Redis had not been drained of, and all since"
    gap = next(gap for gap in known(redis_client) if gap.reason is Reason.REDIS_LOST)
    assert (gap.id, gap.from_us, gap.filled) == (f"redis_lost:{host}:{time_us(99)}", time_us(99), "replay")
    assert not missing(redis_client)


def test_what_no_host_has_any_more_is_said_to_be_missing(
    redis_url: str, ingest: Ingest, redis_client: redis.Redis, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    with Source(list(SENT[:100])) as source:
        ingester = ingest(source.url, lake=lake)
        with ingester.start():
            until_stored(redis_client, 99)
            drain_all(redis_client, redis_url, lake)
        redis_client.flushall()
        source.messages += SENT[100:]
        source._behave = lambda connection, query: source.send_from_cursor(
            connection, {"cursor": [str(time_us(120))]}
        )
        with ingester.start():
            until_stored(redis_client, 199)
    late, lost = known(redis_client)
    assert (late.reason, late.from_us, late.to_us) == (Reason.LATE, time_us(99), time_us(120))
    assert (lost.reason, lost.from_us, lost.filled) == (Reason.REDIS_LOST, time_us(120), "replay")
    assert missing(redis_client) == set(range(100, 120))


def test_emptied_before_the_first_drain_it_begins_again(ingest: Ingest, redis_client: redis.Redis) -> None:
    with (
        Source(list(SENT[:100])) as source,
        ingest(source.url) as ingester,
    ):
        until_stored(redis_client, 99)
        redis_client.flushall()
        source.messages += SENT[100:]
        until_stored(redis_client, 199)
        assert ingester.said("event=state_lost")
        assert ingester.stop() == 0
    assert set(stored(redis_client)) == set(SENT)
    (gap,) = known(redis_client)
    assert (gap.reason, gap.filled) == (Reason.REDIS_LOST, "replay")


def test_a_first_start_with_a_lake_elsewhere_is_the_live_tail(ingest: Ingest, redis_client: redis.Redis) -> None:
    with Source(SENT) as source, ingest(source.url, lake="") as ingester:
        until_stored(redis_client, 199)
        assert ingester.stop() == 0
    assert source.connections == [{}] and known(redis_client) == []
