"""The ingester is frozen and goes on (SIGSTOP, a suspended machine): what came meanwhile is there, or is a gap.

An interval in which nothing was heard does not stay open where nothing is missing.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from contextlib import ExitStack
from enum import Enum
from pathlib import Path

import pytest
import redis
from websockets.sync.server import ServerConnection

from firehose.batch import coverage
from firehose.batch.gaps import open_gaps
from firehose.batch.interval import Batch
from firehose.settings import Settings
from ingester.contract.gap import Reason
from ingester.position.gaps import OUTAGE_S, REPLAY
from tests.fault.ingester.feeding import fed, utc
from tests.support.ingester import Ingest, Query, Source, known, stored
from tests.support.waiting import until


class Host(Enum):
    """What the host does with a client that does not read."""

    WAITS = "waits"
    CUTS_OFF = "cuts it off, and has all that it asks for"
    FORGETS = "cuts it off, and has only what comes from then on"


@pytest.mark.parametrize("host", Host)
def test_a_frozen_ingester_says_what_it_has_missed(
    host: Host, ingest: Ingest, redis_client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    sent: list[bytes] = []
    frozen, over = threading.Event(), threading.Event()  # the host's threads end with the latter
    settings = Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=redis_url)

    def behave(connection: ServerConnection, query: Query) -> None:
        again = len(source.connections) > 1
        at = len(sent) if again and host is Host.FORGETS else first_from(sent, int(query.get("cursor", ["0"])[0]))
        while again or host is Host.WAITS or not frozen.is_set():
            for message in sent[at:]:
                connection.send(message, text=True)
                at += 1
            if over.wait(0.01):
                break
        connection.socket.close()

    with (
        Source([], behave=behave) as source,
        ExitStack() as last,
        ingest(source.url) as ingester,
        fed(sent),
    ):
        last.callback(over.set)
        until(lambda: stored(redis_client))
        assert ingester.process is not None
        os.kill(ingester.process.pid, signal.SIGSTOP)
        began = time.time()
        frozen.set()
        until(lambda: time.time() > began + OUTAGE_S + 2)
        os.kill(ingester.process.pid, signal.SIGCONT)
        until(lambda: any(gap.filled for gap in known(redis_client)))
        newest = sent[-1]
        until(lambda: newest in stored(redis_client))
        assert ingester.said("event=frozen")
        assert len(source.connections) == (1 if host is Host.WAITS else 2)
    # What the drain records of an interval in the middle of it, once it learns of it.
    coverage.record_silence(settings.lake_path, Batch.of(utc(began + 1), utc(began + OUTAGE_S)))
    lost = [message for message in sent[: sent.index(newest)] if message not in set(stored(redis_client))]
    still_open = open_gaps(coverage.known_gaps(settings))
    outage = next(gap for gap in known(redis_client) if gap.reason is Reason.OUTAGE)
    assert outage.filled == REPLAY
    if host is not Host.FORGETS:
        assert (lost, still_open) == ([], [])
        return
    assert lost
    assert {gap.reason for gap in still_open} == {Reason.LATE, Reason.NOT_LISTENING}
    late = next(gap for gap in still_open if gap.reason is Reason.LATE)
    assert all(late.from_us < stamp(message) < late.to_us for message in lost)


def first_from(sent: list[bytes], cursor: int) -> int:
    """The place of the first event that a cursor asks for."""
    return next((at for at, message in enumerate(sent) if stamp(message) >= cursor), len(sent))


def stamp(message: bytes) -> int:
    """An event's time."""
    found = re.search(rb'"time_us":(\d+)', message)
    assert found
    return int(found[1])
