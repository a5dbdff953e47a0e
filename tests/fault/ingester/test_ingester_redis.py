"""A Redis that misbehaves, and ingesters that compete. The ingester as a process."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import redis

from devstack.embedded.redis import RedisServer
from ingester.contract import wire
from tests.support.ingester import (
    NOWHERE,
    Ingest,
    IngesterProcess,
    Source,
    cursor,
    entries,
    event,
    first_events,
    metadata,
    stored,
    time_us,
    until_stored,
)
from tests.support.waiting import until

EVENTS = 6000


def test_redis_killed_and_restarted_mid_stream(tmp_path: Path) -> None:
    sent = first_events(EVENTS)
    server = RedisServer(tmp_path).start()
    with (
        server,
        server.client() as client,
        Source(sent, pace_s=0.02) as source,
        IngesterProcess(tmp_path, server.url, source.url) as ingester,
    ):
        for part in (1, 2):
            until(partial(reached, client, part * EVENTS // 4))
            server.kill()
            until(partial(failed, ingester, 2 * part))
            server.start()
        until_stored(client, EVENTS - 1)
        assert ingester.stop() == 0
        lines = stored(client)
        assert sorted(lines) == sorted(sent), "one connection, so nothing comes twice either"
        assert len(source.connections) == 1


def test_full_redis_stops_the_reading_and_freed_redis_resumes_it(tmp_path: Path) -> None:
    with (
        RedisServer(tmp_path, maxmemory="8mb") as server,
        server.client() as client,
        Source([event(number, 2000) for number in range(40_000)]) as source,
        IngesterProcess(tmp_path, server.url, source.url, flush_events=1000) as ingester,
    ):
        used: Any = client.info("memory")
        client.config_set("maxmemory", str(used["used_memory"] + 300_000))
        until(lambda: ingester.said("OOM"))
        until(lambda: stands_still(source), 30)
        stuck = cursor(client)
        assert source.sent < 40_000, "it must have stopped reading"
        assert stuck == max(int(time) for time in times(client))
        client.config_set("maxmemory", "0")
        until_stored(client, 39_999, 40)
        assert set(stored(client)) == set(source.messages)


def reached(client: redis.Redis, number: int) -> bool:
    """Whether the ``number``-th event is in Redis."""
    return cursor(client) >= time_us(number)


def failed(ingester: IngesterProcess, times: int) -> bool:
    """Whether so many writes failed."""
    return ingester.log.read_text().count("event=sink_unavailable") >= times


def stands_still(source: Source) -> bool:
    """Whether the source cannot send any more."""
    before = source.sent
    time.sleep(0.3)
    return source.sent == before


def times(client: redis.Redis) -> list[bytes]:
    """The last time of each frame."""
    return [entry[wire.FIELD_LAST_US] for queue in wire.QUEUES for entry in entries(client, queue)]


def test_restored_redis_is_followed_to_its_cursor(ingest: Ingest, redis_client: redis.Redis) -> None:
    sent = first_events(100)
    with Source(list(sent)) as source, ingest(source.url) as ingester:
        until_stored(redis_client, 99)
        redis_client.delete(*map(wire.stream_key, wire.QUEUES))
        redis_client.hset(
            wire.METADATA_KEY, mapping={"cursor": str(time_us(40)), "flush": "1", "writer": "ingester/x"}
        )
        redis_client.hdel(wire.METADATA_KEY, wire.META_WRITER)
        source.messages.append(event(100))
        until_stored(redis_client, 100)
        assert ingester.said("event=state_lost")
    assert source.connections[-1]["cursor"] == [str(time_us(40) - 20_000)]
    assert {event(number) for number in range(41, 101)} <= set(stored(redis_client))


def test_same_name_ends_the_old_process_for_good(ingest: Ingest, redis_client: redis.Redis) -> None:
    sent = first_events(EVENTS)
    with Source(sent, pace_s=0.02) as source, ingest(source.url) as old:
        until(lambda: cursor(redis_client))
        with ingest(source.url) as new:
            assert old.ended() == 3
            assert old.said("another process of the ingester ingester has taken over")
            assert not old.said("Traceback")
            until_stored(redis_client, EVENTS - 1)
            assert new.stop() == 0
    assert set(stored(redis_client)) == set(sent)


def test_standby_takes_over_when_the_writer_dies(ingest: Ingest, redis_client: redis.Redis) -> None:
    sent = first_events(EVENTS)
    with (
        Source(sent, pace_s=0.03) as source,
        ingest(source.url, lease_s=1.5) as first,
    ):
        until(lambda: cursor(redis_client))
        with ingest(source.url, lease_s=1.5, ingester_name="standby") as standby:
            until(lambda: standby.said("event=standby"))
            time.sleep(0.3)
            assert metadata(redis_client)["writer"].startswith("ingester/")
            first.kill()
            until(lambda: metadata(redis_client)["writer"].startswith("standby/"))
            until_stored(redis_client, EVENTS - 1)
    assert set(stored(redis_client)) == set(sent)


def test_a_quiet_stream_keeps_heartbeat_and_lease(ingest: Ingest, redis_client: redis.Redis) -> None:
    with Source([event(0)]) as source, ingest(source.url, lease_s=0.9):
        until(lambda: cursor(redis_client))
        first = metadata(redis_client)
        redis_client.delete(wire.HEARTBEATS_KEY)
        until(lambda: redis_client.exists(wire.HEARTBEATS_KEY))
        later = metadata(redis_client)
    assert int(later["lease_ms"]) > int(first["lease_ms"])
    assert (later["cursor"], later["events"]) == (first["cursor"], "1")


def test_without_a_connection_there_is_no_heartbeat(ingest: Ingest, redis_client: redis.Redis) -> None:
    with ingest(NOWHERE) as ingester:
        until(lambda: ingester.log.read_text().count("event=disconnected") >= 3)
        assert not redis_client.exists(wire.HEARTBEATS_KEY)
        assert ingester.stop() == 0


def test_stop_while_redis_is_away_says_what_is_not_written(tmp_path: Path) -> None:
    server = RedisServer(tmp_path).start()
    with Source([event(0)]) as source, IngesterProcess(tmp_path, server.url, source.url) as ingester:
        until(lambda: cursor(server.client()) == time_us(0))
        server.kill()
        source.messages += [event(1), event(2)]
        until(lambda: ingester.said("pending=2"))
        assert ingester.stop() == 1
        assert ingester.said("2 events were not written")
        assert ingester.said(f"they come again from the cursor {time_us(0)}")
        assert not ingester.said("Traceback")


def test_starts_before_redis(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    with Source([event(0)]) as source, IngesterProcess(tmp_path, server.url, source.url) as ingester:
        until(lambda: ingester.said("event=sink_unavailable"))
        with server, server.client() as client:
            until_stored(client, 0)
            assert ingester.stop() == 0
