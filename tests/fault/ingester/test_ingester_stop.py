"""Redis fails while an ingester stops, or while a gap waits to be written: the cursor never passes what it lacks.

Each test forces the overlap: a proxy before Redis cuts off one flush, and no other, for as long as it is told to.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from websockets.sync.server import ServerConnection

from devstack.embedded.redis import RedisServer
from ingester.contract import wire
from ingester.contract.gap import Reason
from ingester.position.gaps import REPLAY
from tests.fault.ingester.proxy import Proxy
from tests.support.ingester import (
    IngesterProcess,
    Query,
    Source,
    cursor,
    entries,
    event,
    first_events,
    known,
    stored,
    time_us,
    until_stored,
)
from tests.support.logins import copy_passwords
from tests.support.waiting import until


@pytest.fixture
def gate(redis_server: RedisServer, tmp_path: Path) -> Iterator[Proxy]:
    """What the ingester takes for Redis."""
    copy_passwords(redis_server, tmp_path)
    with Proxy(redis_server.port) as proxy:
        yield proxy


def behind(gate: Proxy, folder: Path, source_url: str, **settings: object) -> IngesterProcess:
    """An ingester that reaches Redis through the proxy."""
    return IngesterProcess(folder, f"redis://127.0.0.1:{gate.port}/0", source_url, **settings)


def mark(number: int) -> bytes:
    """What a flush holds, and no other, in which an event is the first of its frame but not the last event."""
    return str(time_us(number)).encode()


def refuse_the_flush_after(gate: Proxy, client: redis.Redis, source: Source, count: int) -> None:
    """Let the events up to ``count`` be written, and the next eight be on their way until the gate is opened."""
    until_stored(client, count - 1)
    gate.refuse(mark(count))
    source.messages += [event(number) for number in range(count, count + 8)]
    until(lambda: gate.refused >= 1)


def refused_again(gate: Proxy, times: int = 2) -> None:
    """Wait until the write under way has failed some more times."""
    before = gate.refused
    until(lambda: gate.refused >= before + times)


def in_order(client: redis.Redis) -> bool:
    """Whether the frames of each queue are in the order of the stream."""
    times = [[int(entry[wire.FIELD_FIRST_US]) for entry in entries(client, queue)] for queue in wire.QUEUES]
    return all(one == sorted(one) for one in times)


def test_a_stop_waits_for_the_write_under_way(gate: Proxy, tmp_path: Path, redis_client: redis.Redis) -> None:
    with Source(first_events(8)) as source, behind(gate, tmp_path, source.url) as ingester:
        refuse_the_flush_after(gate, redis_client, source, 8)
        source.messages += [event(number) for number in range(16, 24)]
        until(lambda: ingester.said("pending=16"))
        assert cursor(redis_client) == time_us(7), "nothing overtakes the write under way"
        assert ingester.process is not None
        ingester.process.send_signal(signal.SIGTERM)
        refused_again(gate)
        assert cursor(redis_client) == time_us(7), "nor does the stop"
        gate.refuse()
        assert ingester.ended() == 0
    assert cursor(redis_client) == time_us(23)
    assert sorted(stored(redis_client)) == sorted(first_events(24))
    assert in_order(redis_client)


def test_a_gap_that_waits_does_not_overtake_the_write_under_way(
    gate: Proxy, tmp_path: Path, redis_client: redis.Redis
) -> None:
    with Source(first_events(8)) as source, behind(gate, tmp_path, source.url, data_timeout_s=1) as ingester:
        refuse_the_flush_after(gate, redis_client, source, 8)
        until(lambda: ingester.said("event=interrupted reason=stall"))
        refused_again(gate)
        assert cursor(redis_client) == time_us(7), "a flush with the gap alone would pass the events by"
        assert known(redis_client) == []
        gate.refuse()
        source.messages.append(event(16))
        until_stored(redis_client, 16)
        assert ingester.stop() == 0
    assert set(stored(redis_client)) == set(first_events(17))
    assert {(gap.reason, gap.filled) for gap in known(redis_client)} >= {(Reason.STALL, REPLAY)}
    assert all(gap.filled for gap in known(redis_client))


def test_a_gap_whose_flush_failed_comes_with_the_next(
    gate: Proxy, tmp_path: Path, redis_client: redis.Redis
) -> None:
    parts = [range(8), range(12, 20), range(3, 20)]  # the second connection begins too late

    def behave(connection: ServerConnection, query: Query) -> None:
        number = len(source.connections)
        for one in parts[min(number, 3) - 1]:
            connection.send(event(one), text=True)
        if number == 1:
            until_stored(redis_client, 7)
            gate.refuse(b'"late:')
            connection.close()
        else:
            connection.recv()

    with Source([], behave=behave) as source, behind(gate, tmp_path, source.url) as ingester:
        until(lambda: gate.refused >= 1)
        redis_client.delete(*map(wire.stream_key, wire.QUEUES))
        redis_client.hset(wire.METADATA_KEY, mapping={"cursor": str(time_us(3)), "flush": "1"})
        gate.refuse()
        until_stored(redis_client, 19)
        assert ingester.said("event=state_lost")
        assert ingester.stop() == 0
    (gap,) = known(redis_client)
    assert (gap.reason, gap.from_us, gap.to_us) == (Reason.LATE, time_us(7), time_us(12))


def test_a_stop_that_gives_up_leaves_the_cursor_before_what_is_missing(
    gate: Proxy, tmp_path: Path, redis_client: redis.Redis, redis_url: str
) -> None:
    with Source(first_events(8)) as source:
        with behind(gate, tmp_path, source.url) as ingester:
            refuse_the_flush_after(gate, redis_client, source, 8)
            source.messages += [event(number) for number in range(16, 24)]
            until(lambda: ingester.said("pending=16"))
            assert ingester.stop() == 1
            assert ingester.said("16 events were not written")
        assert cursor(redis_client) == time_us(7)
        with IngesterProcess(tmp_path, redis_url, source.url) as ingester:
            until_stored(redis_client, 23)
            assert ingester.stop() == 0
    assert set(stored(redis_client)) == set(first_events(24))


def test_a_stop_just_after_redis_was_set_back_writes_no_cursor(
    tmp_path: Path, redis_client: redis.Redis, redis_url: str
) -> None:
    # The connection is closed before the ingester goes on from Redis' cursor: a host that does not answer keeps it
    # there for a second, in which the stop comes.
    with Source(first_events(8)) as source, Proxy(int(source.url.split(":")[2].split("/")[0])) as host:
        away = source.url.replace(source.name, f"127.0.0.1:{host.port}")
        with IngesterProcess(tmp_path, redis_url, away) as ingester:
            until_stored(redis_client, 7)
            host.silence()
            redis_client.delete(*map(wire.stream_key, wire.QUEUES))
            redis_client.hset(wire.METADATA_KEY, mapping={"cursor": str(time_us(3)), "flush": "1"})
            source.messages += [event(number) for number in range(8, 16)]
            until(lambda: ingester.said("event=state_lost") and host.swallowed)
            assert ingester.stop() == 1
            assert ingester.said("8 events were not written") and not ingester.said("Traceback")
        assert cursor(redis_client) == time_us(3), "what came since then is not in Redis"
        with IngesterProcess(tmp_path, redis_url, source.url) as ingester:
            until_stored(redis_client, 15)
            assert ingester.stop() == 0
    assert set(stored(redis_client)) >= {event(number) for number in range(4, 16)}
