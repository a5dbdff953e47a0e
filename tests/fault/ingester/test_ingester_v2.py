"""A Jetstream v2 that misbehaves: cursors, notices, refusals, compression; and the simulator, which does not."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
import redis
import zstandard
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

from ingester.contract import wire
from ingester.contract.gap import Reason
from ingester.jetstream.hosts import V2_TIME_CURSOR
from ingester.position.position import OTHER_HOST_REWIND_US
from jetstream_simulator import process as simulator
from tests.support.ingester import (
    Ingest,
    Query,
    Source,
    clock_us,
    cursor,
    event,
    gaps,
    letters,
    metadata,
    ordered,
    stored,
    time_us,
)
from tests.support.waiting import until

METHOD = "network.bsky.jetstream.subscribeEvents"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_SEQ = 1000


def frame(number: int) -> bytes:
    """The v2 frame of the harness' ``number``-th event; its sequence number is that of FIRST_SEQ on."""
    v1 = msgspec.json.decode(event(number))
    time = (EPOCH + timedelta(microseconds=v1["time_us"])).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    kind = v1["kind"]
    own = v1["commit"] if kind == "commit" else {kind: v1[kind]}
    head = {"$type": f"{METHOD}#{kind}", "did": v1["did"], "seq": FIRST_SEQ + number, "time": time}
    return msgspec.json.encode({"$type": "message", "payload": head | own})


def error(name: str) -> bytes:
    """An error frame."""
    return msgspec.json.encode({"$type": "error", "error": name, "message": "because"})


def info(name: str) -> bytes:
    """A notice."""
    return msgspec.json.encode(
        {"$type": "message", "payload": {"$type": f"{METHOD}#info", "name": name, "message": "from 1070"}}
    )


class SourceV2(Source):
    """The same server with v2's cursors. ``floor`` is the first event that it still has."""

    floor = 0
    compress: Callable[[bytes], bytes] = staticmethod(bytes)

    @property
    def url(self) -> str:
        return super().url.replace("/subscribe", f"/xrpc/{METHOD}")

    def send_from_cursor(self, connection: ServerConnection, query: Query) -> None:
        cursor, first = int(query.get("cursor", ["0"])[0]), 0
        if cursor >= V2_TIME_CURSOR:
            first = -(-(cursor - time_us(0)) // 1000)
            if first < self.floor:
                connection.send(self.compress(info("OutdatedCursor")))
        elif cursor:
            first = cursor - FIRST_SEQ
        sent = max(self.floor, min(len(self.messages), first))
        while not self._closing.is_set():
            for message in self.messages[sent : sent + 100]:
                connection.send(self.compress(message), text=self.compress is bytes)
                self.sent += 1
                sent += 1
            self._closing.wait(self.pace_s if sent < len(self.messages) else 0.02)


def test_a_v2_stream_leaves_what_a_v1_stream_leaves(ingest: Ingest, redis_client: redis.Redis) -> None:
    numbers = range(400)
    with (
        SourceV2([frame(number) for number in numbers]) as source,
        ingest(source.url, wanted_collections="app.bsky.*") as ingester,
    ):
        until(lambda: cursor(redis_client) == FIRST_SEQ + 399)
        assert ingester.stop() == 0
        assert source.connections == [{"collections": ["app.bsky.*"]}]
        origin = source.name
    state = metadata(redis_client)
    assert (state["protocol"], state["host"], state["time_us"]) == ("v2", origin, str(time_us(399)))
    assert 0 <= clock_us(redis_client) - time_us(399) - int(state["lag_us"]) < 60_000_000
    for queue in wire.QUEUES:
        expected = [number for number in numbers if queue == wire.QUEUES[order(number)]]
        lines = stored(redis_client, queue)
        assert [msgspec.json.decode(line) for line in lines] == [
            msgspec.json.decode(event(number)) for number in expected
        ]
        assert all(b"x" * 100 in line for line in lines) == (queue not in (wire.IDENTITIES, wire.ACCOUNTS))


def order(number: int) -> int:
    """The place of an event's queue in wire.QUEUES."""
    return (number % 8) if number % 8 < 5 else {5: 7, 6: 5, 7: 6}[number % 8]


def test_a_late_event_after_a_frame_that_cannot_be_read_is_a_gap(
    ingest: Ingest, redis_client: redis.Redis
) -> None:
    def behave(connection: ServerConnection, query: Query) -> None:
        first = len(source.connections) == 1
        # The broken frame still names its sequence number, but no time: that is no end of a gap.
        for message in map(frame, range(100)) if first else [frame(150)[:-3], *map(frame, range(151, 200))]:
            connection.send(message.decode())
        if first:
            connection.socket.close()
        else:
            connection.recv()

    with SourceV2([], behave=behave) as source, ingest(source.url) as ingester:
        until(lambda: cursor(redis_client) == FIRST_SEQ + 199)
        assert ingester.stop() == 0
    (gap,) = gaps(redis_client)
    assert (gap.reason, gap.filled, gap.protocol) == (Reason.LATE, "", "v2")
    assert (gap.from_us, gap.to_us) == (time_us(99), time_us(151))
    assert len(letters(redis_client)) == 1


@pytest.mark.parametrize("name", ["ConsumerTooSlow", "InternalError", "close", "kill"])
def test_a_broken_stream_is_resumed_at_the_sequence_number(
    name: str, ingest: Ingest, redis_client: redis.Redis
) -> None:
    def behave(connection: ServerConnection, query: Query) -> None:
        if len(source.connections) > 1:
            return source.send_from_cursor(connection, query)
        for message in source.messages[:100]:
            connection.send(message.decode())
        if name == "kill":
            return connection.socket.close()
        return connection.close(1001) if name == "close" else connection.send(error(name).decode())

    sent = [frame(number) for number in range(200)]
    with (
        SourceV2(sent, behave=behave) as source,
        ingest(source.url) as ingester,
    ):
        until(lambda: cursor(redis_client) == FIRST_SEQ + 199)
        assert not ingester.said("event=gap")
        assert name in ("close", "kill") or ingester.said(f"error frame {name}: because")
    assert source.connections[1]["cursor"] == [str(FIRST_SEQ + 99 - 20)]
    lines = {msgspec.json.encode(msgspec.json.decode(line)) for line in stored(redis_client)}
    assert lines == {event(number) for number in range(200)}


def test_a_cursor_too_old_is_resumed_by_time_and_the_gap_is_named(
    ingest: Ingest, redis_client: redis.Redis
) -> None:
    def answer(connection: ServerConnection, request: Request) -> Response | None:
        asked = int(parse_qs(urlsplit(request.path).query).get("cursor", ["0"])[0])
        if FIRST_SEQ + source.floor <= asked or asked >= V2_TIME_CURSOR or not source.floor:
            return None
        body = msgspec.json.encode({"error": "CursorTooOld", "message": "the floor is 1070"})
        return Response(400, "Bad Request", Headers([("Content-Length", str(len(body)))]), body)

    with SourceV2([frame(number) for number in range(50)], answer=answer) as source:
        ingester = ingest(source.url)
        with ingester.start():
            until(lambda: cursor(redis_client) == FIRST_SEQ + 49)
            assert ingester.stop() == 0
        source.messages += [frame(number) for number in range(50, 100)]
        source.floor = 70
        with ingester.start():
            until(lambda: cursor(redis_client) == FIRST_SEQ + 99)
        said = ingester.log.read_text()
    assert source.connections[-1]["cursor"] == [str(time_us(49) - OTHER_HOST_REWIND_US)]
    assert "event=cursor_too_old" in said and "level=WARNING event=notice" in said
    (gap,) = (line for line in said.splitlines() if "event=gap" in line)
    assert "missing_from=2023-11-14T22:13:20.049000+00:00 missing_to=2023-11-14T22:13:20.070000+00:00" in gap


def test_a_host_that_restarts_its_numbering_is_resumed_by_time(ingest: Ingest, redis_client: redis.Redis) -> None:
    def behave(connection: ServerConnection, query: Query) -> None:
        asked = int(query.get("cursor", ["0"])[0])
        if FIRST_SEQ + 100 < asked < V2_TIME_CURSOR:
            query = {"cursor": [str(FIRST_SEQ + 99)]}  # ahead of the host: the live tail
        source.send_from_cursor(connection, query)

    with SourceV2([frame(number) for number in range(100)], behave=behave) as source:
        origin = source.name
        state = {"cursor": 5_000_000, "time_us": time_us(49), "host": origin, "protocol": "v2"}
        redis_client.hset(wire.METADATA_KEY, mapping={name: str(value) for name, value in state.items()})
        with ingest(source.url) as ingester:
            until(lambda: metadata(redis_client).get("events") == "100")
            assert ingester.said("the host began with 1099") and not ingester.said("event=gap")
    assert [query["cursor"] for query in source.connections] == [
        ["4999980"],
        [str(time_us(49) - OTHER_HOST_REWIND_US)],
    ]


@pytest.mark.parametrize("answers", [True, False], ids=["served", "not-served"])
def test_compression_with_the_hosts_own_dictionary(
    answers: bool, ingest: Ingest, redis_client: redis.Redis
) -> None:
    sent = [frame(number) for number in range(500)]
    trained = zstandard.train_dictionary(8192, [*sent])

    def answer(connection: ServerConnection, request: Request) -> Response | None:
        if "getZstdDictionary" not in request.path:
            return None
        asked.set()
        body = trained.as_bytes() if answers else b"x" * (2 << 20)
        return Response(200, "OK", Headers([("Content-Length", str(len(body)))]), body)

    asked = threading.Event()
    with SourceV2(sent, answer=answer) as source:
        if answers:
            source.compress = zstandard.ZstdCompressor(dict_data=trained).compress
        with ingest(source.url, zstd_dictionary="fetch") as ingester:
            until(lambda: cursor(redis_client) == FIRST_SEQ + 499)
            assert ingester.stop() == 0
            assert ingester.said("event=dictionary_unavailable") != answers
    assert asked.is_set()
    assert source.connections == [{"zstdDictionary": [str(trained.dict_id())]} if answers else {}]
    assert len(stored(redis_client)) == 500 and not letters(redis_client)


def test_the_client_sends_no_data(ingest: Ingest, redis_client: redis.Redis) -> None:
    heard: list[object] = []

    def behave(connection: ServerConnection, query: Query) -> None:
        connection.send(frame(0).decode())
        connection.ping()
        try:
            heard.append(connection.recv(timeout=1.0))
        except TimeoutError:
            heard.append(None)
        connection.send(frame(1).decode())
        source.send_from_cursor(connection, query)

    with (
        SourceV2([frame(0), frame(1)], behave=behave) as source,
        ingest(source.url),
    ):
        until(lambda: cursor(redis_client) == FIRST_SEQ + 1)
    assert heard[0] is None


def test_poison_is_kept_and_the_stream_goes_on(ingest: Ingest, redis_client: redis.Redis) -> None:
    poison = [
        b"nonsense",
        frame(1).replace(b'"seq":1001', b'"seq":"x"'),
        frame(2).replace(b'"record":{', b'"record":{"n":NaN,'),
        b'{"$type":"surprise"}',
    ]
    with (
        SourceV2([frame(0), *poison, frame(8)]) as source,
        ingest(source.url) as ingester,
    ):
        until(lambda: cursor(redis_client) == FIRST_SEQ + 8)
        assert ingester.stop() == 0
    assert [msgspec.convert(letter["bytes"], bytes) for letter in letters(redis_client)] == poison
    assert len(stored(redis_client, wire.POSTS)) == 2


def test_the_simulators_v2_leaves_what_it_sent(ingest: Ingest, redis_client: redis.Redis, tmp_path: Path) -> None:
    events, record = 10_000, tmp_path / "sent.jsonl"
    arguments = ["--events", str(events), "--rate", "0", "--sync", "0.01", "--record", str(record)]
    with (
        simulator.start(arguments, log=tmp_path / "simulator.log") as source,
        ingest(source.events_url, start_cursor=1) as ingester,
    ):
        until(lambda: metadata(redis_client).get("events") == str(events), 40)
        assert ingester.stop() == 0
    received = Counter(map(ordered, stored(redis_client)))
    assert received == Counter(map(ordered, record.read_bytes().splitlines()))
    assert sum(b'"kind":"sync"' in line for line in stored(redis_client, wire.OTHER)) > 20
    assert metadata(redis_client)["protocol"] == "v2"
