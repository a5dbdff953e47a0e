"""Every gap that the ingester learns of is in Redis, with the events that it was learnt from, and no other is."""

from __future__ import annotations

import pytest
import redis
from websockets.sync.server import ServerConnection

from ingester.contract import wire
from ingester.contract.gap import Reason
from ingester.position.gaps import OUTAGE_S
from tests.support.ingester import (
    Ingest,
    Query,
    Source,
    clock_us,
    event,
    first_events,
    gaps,
    known,
    metadata,
    missing,
    stored,
    time_us,
    until_stored,
)
from tests.support.waiting import until

SENT = first_events(200)


@pytest.mark.parametrize(
    "before", [[], [b"no event", b'{"time_us":1,"kind":"x"']], ids=["at once", "after poison"]
)
def test_a_late_first_event_is_recorded_with_it(
    before: list[bytes], ingest: Ingest, redis_client: redis.Redis
) -> None:
    def behave(connection: ServerConnection, query: Query) -> None:
        first = len(source.connections) == 1
        for message in SENT[:50] if first else [*before, *SENT[120:]]:
            connection.send(message, text=True)
        if first:
            connection.socket.close()
        else:
            connection.recv()

    with Source([], behave=behave) as source, ingest(source.url) as ingester:
        until_stored(redis_client, 199)
        host = metadata(redis_client)["host"]
        assert ingester.stop() == 0
        assert ingester.log.read_text().count("event=gap") == 1
    (gap,) = gaps(redis_client)
    assert (gap.id, gap.reason, gap.filled) == (f"late:{host}:{time_us(49)}", Reason.LATE, "")
    assert (gap.from_us, gap.to_us, gap.host, gap.protocol) == (time_us(49), time_us(120), host, "v1")
    assert missing(redis_client) == {n for n in range(200) if event(n) not in set(stored(redis_client))}


def test_a_stall_is_recorded_and_filled(ingest: Ingest, redis_client: redis.Redis) -> None:
    def behave(connection: ServerConnection, query: Query) -> None:
        if len(source.connections) > 1:
            until(lambda: gaps(redis_client))
            source.send_from_cursor(connection, query)
            return
        for message in SENT[:50]:
            connection.send(message, text=True)
        connection.recv()

    with (
        Source(list(SENT), behave=behave) as source,
        ingest(source.url, data_timeout_s=0.8) as ingester,
    ):
        until_stored(redis_client, 199)
        assert ingester.said("event=interrupted reason=stall")
    stalled, filled = gaps(redis_client)[:2]
    assert stalled.id == filled.id == f"stall:{metadata(redis_client)['host']}:{time_us(49)}"
    assert (stalled.from_us, stalled.filled, filled.from_us, filled.filled) == (
        time_us(49),
        "",
        time_us(49),
        "replay",
    )
    assert filled.to_us >= stalled.to_us and filled.noted_us > stalled.noted_us
    assert not missing(redis_client) & set(range(200))


def test_an_outage_of_the_process_is_recorded_and_a_quick_restart_is_not(
    ingest: Ingest, redis_client: redis.Redis
) -> None:
    with Source(list(SENT[:50])) as source:
        ingester = ingest(source.url)
        with ingester.start():
            until_stored(redis_client, 49)
        assert gaps(redis_client) == [], "nothing at the very first start"
        source.messages += SENT[50:100]
        with ingester.start():
            until_stored(redis_client, 99)
        assert gaps(redis_client) == []
        # The same as waiting so long.
        flushed = int(metadata(redis_client)[wire.META_LAST_FLUSH_MS]) - int(OUTAGE_S * 1000)
        redis_client.hset(wire.METADATA_KEY, wire.META_LAST_FLUSH_MS, flushed)
        source.messages += SENT[100:]
        with ingester.start():
            until_stored(redis_client, 199)
    (gap,) = known(redis_client)
    assert (gap.reason, gap.from_us, gap.filled) == (Reason.OUTAGE, time_us(99), "replay")
    assert 0 <= clock_us(redis_client) - gap.to_us < 60_000_000
    assert set(stored(redis_client)) == set(SENT)


def test_of_an_outage_only_what_was_not_replayed_is_missing(ingest: Ingest, redis_client: redis.Redis) -> None:
    with Source(list(SENT[:50])) as source:
        ingester = ingest(source.url)
        with ingester.start():
            until_stored(redis_client, 49)
        redis_client.hset(wire.METADATA_KEY, wire.META_LAST_FLUSH_MS, 1_700_000_000_000)

        def behave(connection: ServerConnection, query: Query) -> None:
            source.send_from_cursor(connection, {"cursor": [str(time_us(80))]})

        source.messages += SENT[50:]
        source._behave = behave
        with ingester.start():
            until_stored(redis_client, 199)
    late, outage = known(redis_client)
    assert (late.reason, late.from_us, late.to_us, late.filled) == (Reason.LATE, time_us(49), time_us(80), "")
    assert (outage.reason, outage.from_us, outage.filled) == (Reason.OUTAGE, time_us(80), "replay")
    assert missing(redis_client) == set(range(50, 80))


def test_a_gap_that_a_dead_process_left_open_is_filled_by_the_next(
    ingest: Ingest, redis_client: redis.Redis
) -> None:
    def behave(connection: ServerConnection, query: Query) -> None:
        if len(source.connections) == 1:
            for message in SENT[:50]:
                connection.send(message, text=True)
        if source.messages:
            source.send_from_cursor(connection, query)
            return
        connection.recv()

    with Source([], behave=behave) as source:
        ingester = ingest(source.url, data_timeout_s=0.8)
        with ingester.start():
            until(lambda: gaps(redis_client))
            ingester.kill()
        assert not [gap for gap in known(redis_client) if gap.filled]
        source.messages += SENT
        with ingester.start():
            until_stored(redis_client, 199)
    (gap,) = known(redis_client)
    assert (gap.reason, gap.from_us, gap.filled) == (Reason.STALL, time_us(49), "replay")
