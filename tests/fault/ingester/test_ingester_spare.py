"""A hot spare: a second ingester under another name, on another host, takes over from a writer that is gone."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import redis

from ingester.position.position import OTHER_HOST_REWIND_US
from tests.support.ingester import (
    IngesterProcess,
    Source,
    cursor,
    first_events,
    known,
    metadata,
    stored,
    time_us,
    until_stored,
)
from tests.support.waiting import until

EVENTS = 8000
LEASE_S = 1.5
SENT = first_events(EVENTS)


def pair(tmp_path: Path, redis_url: str, one: Source, two: Source) -> tuple[IngesterProcess, IngesterProcess]:
    """A writer and its spare, whose lists of hosts begin with different ones."""
    writer = IngesterProcess(tmp_path, redis_url, f"{one.url},{two.url}", lease_s=LEASE_S, start_cursor=1)
    spare = IngesterProcess(
        tmp_path, redis_url, f"{two.url},{one.url}", lease_s=LEASE_S, start_cursor=1, ingester_name="spare"
    )
    return writer, spare


def writes(client: redis.Redis, name: str) -> bool:
    """Whether the ingester of this name is the one that may write, and has written."""
    state = metadata(client)
    return state.get("writer", "").startswith(name + "/") and state.get("flush", "0") != "0"


def test_the_spare_takes_over_within_the_lease_and_loses_nothing(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    with Source(list(SENT), pace_s=0.04) as one, Source(list(SENT), pace_s=0.04) as two:
        writer, spare = pair(tmp_path, redis_url, one, two)
        with writer.start():
            until(lambda: cursor(redis_client) > time_us(500))
            with spare.start():
                until(lambda: spare.said("event=standby"))
                assert two.connections == [], "a standby does not listen"
                writer.kill()
                killed, left_at = time.monotonic(), cursor(redis_client)
                assert left_at < time_us(EVENTS - 1)
                until(lambda: writes(redis_client, "spare"))
                assert time.monotonic() - killed < LEASE_S + 5.0
                until_stored(redis_client, EVENTS - 1, 30)
                assert spare.stop() == 0
    assert two.connections == [{"cursor": [str(left_at - OTHER_HOST_REWIND_US)]}]
    lines = stored(redis_client)
    assert set(lines) == set(SENT) and int(metadata(redis_client)["events"]) == len(lines)
    assert all(gap.filled for gap in known(redis_client))


def test_a_writer_that_wakes_up_later_writes_no_more(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    with Source(list(SENT), pace_s=0.04) as one, Source(list(SENT), pace_s=0.02) as two:
        writer, spare = pair(tmp_path, redis_url, one, two)
        with writer.start():
            until(lambda: writes(redis_client, "ingester") and cursor(redis_client) > time_us(500))
            spare.start()
            with spare:
                until(lambda: spare.said("event=standby"))
                assert writer.process is not None
                os.kill(writer.process.pid, signal.SIGSTOP)
                until(lambda: writes(redis_client, "spare"))
                os.kill(writer.process.pid, signal.SIGCONT)
                assert writer.ended() == 75, "refused by the fence, and a standby once it is started again"
                assert writer.said("the ingester spare/")
                until_stored(redis_client, EVENTS - 1, 30)
                assert metadata(redis_client)["writer"].startswith("spare/")
                with writer.start():
                    until(lambda: writer.said("event=standby"))
                    assert spare.stop() == 0
                    until(lambda: writes(redis_client, "ingester"))
                    assert writer.stop() == 0
    lines = stored(redis_client)
    assert set(lines) == set(SENT) and int(metadata(redis_client)["events"]) == len(lines)
