"""SIGKILL at any moment: no event is lost, and the cursor never runs ahead of the events in Redis."""

from __future__ import annotations

import random
import time
from functools import partial

import redis

from tests.support.ingester import Ingest, Source, cursor, first_events, stored, time_us, until_stored
from tests.support.waiting import until

KILLS = 21
EVENTS = 50_000


def test_no_event_is_lost_over_many_kills(ingest: Ingest, redis_client: redis.Redis) -> None:
    sent = first_events(EVENTS)
    dice = random.Random(7)
    moved = 0
    with Source(sent, pace_s=0.012) as source:
        ingester = ingest(source.url)
        for _ in range(KILLS):
            before = cursor(redis_client)
            ingester.start()
            # From before the first write to the middle of the stream.
            if dice.random() < 0.75:
                until(partial(has_moved, redis_client, before))
                time.sleep(dice.uniform(0, 0.12))
            else:
                time.sleep(dice.uniform(0, 0.5))
            ingester.kill()
            moved += cursor(redis_client) > before
            assert_cursor_is_covered(redis_client, sent)
        assert cursor(redis_client) < time_us(EVENTS - 1), "the stream must outlast the kills to test them"
        source.pace_s = 0
        with ingester.start():
            until_stored(redis_client, EVENTS - 1, 40)
            assert ingester.stop() == 0
    assert moved >= 12, "most kills must hit a process that has written"
    lines = stored(redis_client)
    assert set(lines) == set(sent)
    assert int(redis_client.hget("firehose:metadata", "events") or 0) == len(lines) > EVENTS


def has_moved(client: redis.Redis, before: int) -> bool:
    """Whether anything was written since the cursor was ``before``."""
    return cursor(client) > before


def assert_cursor_is_covered(client: redis.Redis, sent: list[bytes]) -> None:
    """Every event up to the stored cursor is in Redis."""
    if at := cursor(client):
        assert set(sent[: (at - time_us(0)) // 1000 + 1]) <= set(stored(client))
