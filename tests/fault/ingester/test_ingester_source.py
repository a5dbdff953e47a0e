"""A Jetstream that misbehaves: silence, refusals, poison, giants, compression, closes."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import msgspec
import pytest
import redis
import zstandard
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

from ingester.contract import wire
from tests.support.ingester import (
    Ingest,
    Query,
    Source,
    cursor,
    event,
    first_events,
    metadata,
    stored,
    time_us,
    until_stored,
)
from tests.support.waiting import until

DEEP = b'{"time_us":%d,"kind":"commit","commit":{"record":' + b"[" * 20_000 + b"]" * 20_000 + b"}}"
POISON = [
    b"",
    b"not json",
    b"[]",
    b'{"kind":"commit"}',
    b'{"time_us":"soon"}',
    b"\xff\xfe",
    b'{"time_us":%d,"kind":"commit","commit":{"collection":NaN}}' % time_us(0),
    DEEP % time_us(0),
]


def test_sigterm_writes_what_is_in_memory(ingest: Ingest, redis_client: redis.Redis) -> None:
    # So slow and rare a flush that only the stop can have written the events.
    sent = first_events(250)
    with (
        Source(sent) as source,
        ingest(source.url, flush_ms=10_000, flush_events=100_000) as ingester,
    ):
        until(lambda: ingester.said("event=connected"))
        until(lambda: source.sent >= len(sent))
        assert stored(redis_client) == []
        assert ingester.stop() == 0
    assert sorted(stored(redis_client)) == sorted(sent)
    assert cursor(redis_client) == time_us(249)
    assert int(metadata(redis_client)["lease_ms"]) <= int(metadata(redis_client)["last_flush_ms"])


def test_poison_is_kept_and_the_stream_goes_on(ingest: Ingest, redis_client: redis.Redis) -> None:
    sent = [event(0), *POISON, event(8)]
    with Source(sent) as source, ingest(source.url) as ingester:
        until(lambda: event(8) in stored(redis_client, wire.POSTS))
        assert ingester.stop() == 0
    assert stored(redis_client, wire.POSTS) == [event(0), event(8)]
    letters = [msgspec.json.decode(line) for line in stored(redis_client, wire.OTHER)]
    assert [letter["kind"] for letter in letters] == [wire.DEAD_LETTER_KIND] * len(POISON)
    assert [msgspec.convert(letter["bytes"], bytes, strict=True) for letter in letters] == POISON
    assert {letter["time_us"] for letter in letters} == {time_us(0)}
    assert cursor(redis_client) == time_us(8)


def test_a_message_of_over_a_mebibyte_arrives(ingest: Ingest, redis_client: redis.Redis) -> None:
    sent = [event(0), event(8, 1_100_000), event(16)]
    with Source(sent) as source, ingest(source.url):
        until_stored(redis_client, 16)
    assert stored(redis_client, wire.POSTS) == sent
    assert len(source.connections) == 1


def test_a_message_beyond_the_limit_does_not_stop_the_stream(ingest: Ingest, redis_client: redis.Redis) -> None:
    def behave(connection: ServerConnection, query: Query) -> None:
        limit = int(query.get("maxMessageSizeBytes", ["0"])[0])
        source.messages = [message for message in sent if not limit or len(message) <= limit]
        source.send_from_cursor(connection, query)

    sent = [event(0), event(1, 100_000), event(2)]
    with (
        Source(sent, behave=behave) as source,
        ingest(source.url, max_message_bytes=10_000, rewind_ms=2000) as ingester,
    ):
        until(lambda: event(2) in stored(redis_client))
        assert ingester.said("event=message_too_large")


def test_silence_brings_a_new_connection(ingest: Ingest, redis_client: redis.Redis) -> None:
    # Heartbeats go on in between: they must not pass for data.
    def behave(connection: ServerConnection, query: Query) -> None:
        if len(source.connections) == 1:
            connection.send(event(0).decode())
            connection.recv()  # says no more, and answers pings
        else:
            source.send_from_cursor(connection, query)

    with (
        Source([event(0), event(8)], behave=behave) as source,
        ingest(source.url, data_timeout_s=0.8, lease_s=0.6) as ingester,
    ):
        until_stored(redis_client, 8)
        assert ingester.said("no data for 0.8 s")
    assert source.connections[1]["cursor"] == [str(time_us(0) - 20_000)]


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, None])
def test_a_close_is_resumed_at_the_cursor(code: int | None, ingest: Ingest, redis_client: redis.Redis) -> None:
    def behave(connection: ServerConnection, query: Query) -> None:
        if len(source.connections) > 1:
            return source.send_from_cursor(connection, query)
        for number in range(100):
            connection.send(event(number).decode())
        return connection.socket.close() if code is None else connection.close(code)

    sent = first_events(200)
    with Source(sent, behave=behave) as source, ingest(source.url):
        until_stored(redis_client, 199)
    assert source.connections[1]["cursor"] == [str(time_us(99) - 20_000)]
    assert set(stored(redis_client)) == set(sent)


def test_http_400_ends_it_with_one_line(ingest: Ingest) -> None:
    def answer(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(400, "invalid wantedCollections\n")

    with (
        Source([], answer=answer) as source,
        ingest(source.url, wanted_collections="nonsense") as ingester,
    ):
        assert ingester.ended() == 4
        assert ingester.said("HTTP 400 invalid wantedCollections")
        assert not ingester.said("Traceback")


def test_http_503_is_tried_again(ingest: Ingest, redis_client: redis.Redis) -> None:
    refusals = threading.Semaphore(2)

    def answer(connection: ServerConnection, request: Request) -> Response | None:
        return connection.respond(503, "starting\n") if refusals.acquire(blocking=False) else None

    with (
        Source([event(0)], answer=answer) as source,
        ingest(source.url) as ingester,
    ):
        until_stored(redis_client, 0)
        assert ingester.log.read_text().count("HTTP 503 starting") == 2


def test_compressed_stream(ingest: Ingest, redis_client: redis.Redis, tmp_path: Path) -> None:
    sent = first_events(2000)
    trained = zstandard.train_dictionary(8192, [*sent])
    compress = zstandard.ZstdCompressor(dict_data=trained).compress
    unsized = zstandard.ZstdCompressor(dict_data=trained, write_content_size=False).compress
    bomb = compress(event(0, 40 << 20))
    (tmp_path / "dictionary").write_bytes(trained.as_bytes())
    frames = [*map(compress, sent[:1000]), *map(unsized, sent[1000:]), bomb, sent[0]]
    with (
        Source(frames) as source,
        ingest(source.url, zstd_dictionary=tmp_path / "dictionary") as ingester,
    ):
        until(lambda: metadata(redis_client).get("events") == str(len(frames)))
        assert ingester.stop() == 0
    assert source.connections[0]["compress"] == ["true"]
    lines = stored(redis_client)
    assert sorted(line for line in lines if wire.DEAD_LETTER_KIND.encode() not in line) == sorted([*sent, sent[0]])
    (letter,) = (msgspec.json.decode(line) for line in lines if wire.DEAD_LETTER_KIND.encode() in line)
    assert msgspec.convert(letter["bytes"], bytes) == bomb and "TooLarge" in letter["error"]


def test_query_of_the_first_connection(ingest: Ingest) -> None:
    with (
        Source([]) as source,
        ingest(source.url, wanted_collections="app.bsky.feed.*, a.b.c", start_cursor=7_000_000),
    ):
        until(lambda: source.connections)
    assert source.connections == [
        {"wantedCollections": ["app.bsky.feed.*", "a.b.c"], "cursor": [str(7_000_000 - 20_000)]}
    ]


def test_the_live_tail_has_no_cursor(ingest: Ingest) -> None:
    with Source([]) as source, ingest(source.url):
        until(lambda: source.connections)
    assert source.connections == [{}]


def test_a_cursor_ahead_of_the_clock_is_not_the_live_tail(ingest: Ingest, redis_client: redis.Redis) -> None:
    # The clocks were set back by an hour; a cursor in the future is answered with the live tail, silently.
    def behave(connection: ServerConnection, query: Query) -> None:
        asked, now_us = int(query["cursor"][0]), int(time.time() * 1_000_000)
        for number in range(50):
            if asked <= now_us:
                connection.send(event(number), text=True)
        connection.recv()

    ahead = int(time.time() * 1_000_000) + 3600 * 1_000_000
    with Source([], behave=behave) as source:
        state = {"cursor": str(ahead), "time_us": str(ahead), "protocol": "v1"}
        state["host"] = source.name
        redis_client.hset(wire.METADATA_KEY, mapping=dict(state.items()))
        with ingest(source.url):
            until(lambda: len(stored(redis_client)) == 50)
