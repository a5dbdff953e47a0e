"""Several hosts: one that fails gives way to the next, by time and rewound, and no event is lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import redis
from websockets.http11 import Request, Response
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection

from ingester.contract import wire
from ingester.position.position import OTHER_HOST_REWIND_US
from jetstream_simulator import process as simulator
from tests.support.ingester import (
    NOWHERE,
    Ingest,
    Query,
    Source,
    cursor,
    first_events,
    metadata,
    stored,
    time_us,
    until_stored,
)
from tests.support.waiting import until

SENT = first_events(200)
REWOUND = str(time_us(99) - OTHER_HOST_REWIND_US)
Behaviour = Callable[[ServerConnection, Query], None]


def test_an_unreachable_host_gives_way(ingest: Ingest, redis_client: redis.Redis) -> None:
    with (
        Source(SENT) as source,
        ingest(f"{NOWHERE}, {source.url}") as ingester,
    ):
        until_stored(redis_client, 199)
        assert ingester.log.read_text().count("event=host_switched") == 1
        assert ingester.stop() == 0
        assert metadata(redis_client)["host"] == source.name
    assert source.connections == [{}], "the live tail: there is nothing to resume"


def test_a_host_that_starts_up_gives_way(ingest: Ingest, redis_client: redis.Redis) -> None:
    def answer(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(503, "starting\n")

    with (
        Source([], answer=answer) as starting,
        Source(SENT) as source,
        ingest(f"{starting.url},{source.url}") as ingester,
    ):
        until_stored(redis_client, 199)
        assert ingester.said("HTTP 503 starting")
    assert starting.connections == []


def silent(connection: ServerConnection, query: Query) -> None:
    """Half of the stream, then nothing."""
    for message in SENT[:100]:
        connection.send(message.decode())
    connection.recv()


def short(connection: ServerConnection, query: Query) -> None:
    """Half of the stream, then the end, and no more from then on."""
    if "cursor" not in query:
        for message in SENT[:100]:
            connection.send(message.decode())
    connection.close(1001)


@pytest.mark.parametrize(("behave", "connections"), [(silent, 1), (short, 4)], ids=["silent", "closes"])
def test_the_next_host_resumes_by_time(
    behave: Behaviour, connections: int, ingest: Ingest, redis_client: redis.Redis
) -> None:
    with (
        Source([], behave=behave) as first,
        Source(SENT) as second,
        ingest(f"{first.url},{second.url}", data_timeout_s=0.8) as ingester,
    ):
        until_stored(redis_client, 199)
        assert ingester.stop() == 0
        said, names = ingester.log.read_text(), [first.name, second.name]
    assert len(first.connections) == connections, "no connection more than it takes to know"
    assert second.connections == [{"cursor": [REWOUND]}]
    assert set(stored(redis_client)) == set(SENT)
    (switched,) = (line for line in said.splitlines() if "event=host_switched" in line)
    assert f"from={names[0]} to={names[1]} protocol=v1" in switched
    assert "event=gap" not in said


def test_a_position_stays_with_its_host_until_the_next_one_has_sent_something(
    ingest: Ingest, redis_client: redis.Redis
) -> None:
    def mute(connection: ServerConnection, query: Query) -> None:
        connection.recv()

    with Source(SENT[:100]) as first, Source([], behave=mute) as second:
        with ingest(first.url) as ingester:
            until_stored(redis_client, 99)
            assert ingester.stop() == 0
        origin = metadata(redis_client)["host"]
        for _ in range(2):
            before = len(second.connections)
            with ingest(second.url, lease_s=0.3) as ingester:
                until(lambda: len(second.connections) > before)  # noqa: B023 - called within this round
                flushed = metadata(redis_client)["last_flush_ms"]
                until(lambda: metadata(redis_client)["last_flush_ms"] > flushed)  # noqa: B023 - as above
                assert ingester.stop() == 0
            assert (metadata(redis_client)["host"], cursor(redis_client)) == (origin, time_us(99))
    assert [query["cursor"] for query in second.connections] == [[REWOUND]] * 2


def test_only_when_every_host_refuses_it_ends(ingest: Ingest, redis_client: redis.Redis) -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(400, "no\n")

    with Source([], answer=refuse) as one, Source([], answer=refuse) as two, Source(SENT) as good:
        with ingest(f"{one.url},{two.url}") as ingester:
            assert ingester.ended() == 4
            assert ingester.said("event=host_switched") and ingester.said("HTTP 400 no")
        with ingest(f"{one.url},{two.url},{good.url}"):
            until_stored(redis_client, 199)


def test_from_v2_to_v1_and_no_event_is_lost(ingest: Ingest, redis_client: redis.Redis, tmp_path: Path) -> None:
    events, record = 15_000, tmp_path / "sent.jsonl"
    source = ["--events", str(events), "--seed", "3", "--start", "2026-08-11T12:00:00Z"]
    paced = [*source, "--rate", "2500", "--record", str(record)]
    with (
        simulator.start(paced, log=tmp_path / "v2.log") as v2,
        simulator.start([*source, "--rate", "2500"], log=tmp_path / "v1.log") as v1,
        # A finite tape begins with its first client: both are to begin at the same time.
        connect(v1.url, close_timeout=0.1),
        ingest(f"{v2.events_url},{v1.url}", start_cursor=1) as ingester,
    ):
        until(lambda: int(metadata(redis_client).get("events", 0)) > 1000)
        v2.stop()
        last = msgspec.json.decode(record.read_bytes().splitlines()[-1])["time_us"]
        until(lambda: metadata(redis_client)["protocol"] == "v1" and cursor(redis_client) > last, 40)
        assert ingester.stop() == 0
        assert not ingester.said("event=gap")
    sent = {identity(line) for line in record.read_bytes().splitlines()}
    assert len(sent) > 1000 and sent <= {identity(line) for line in stored(redis_client)}
    assert not [line for line in stored(redis_client) if wire.DEAD_LETTER_KIND.encode() in line]


def identity(line: bytes) -> bytes:
    """An event without its time."""
    parts = msgspec.json.decode(line)
    del parts["time_us"]
    return msgspec.json.encode(parts, order="sorted")
