"""Redis takes nothing for a while, and the stream is read on afterwards: no gap of that stays open."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from devstack.embedded.redis import RedisServer
from firehose.batch import coverage
from firehose.batch.gaps import open_gaps
from firehose.batch.interval import Batch
from firehose.settings import Settings
from ingester.contract.gap import Reason
from ingester.position.gaps import OUTAGE_S, REPLAY
from tests.fault.ingester.feeding import fed, utc
from tests.support.ingester import IngesterProcess, Source, known, stored
from tests.support.waiting import until


@contextmanager
def hung(server: RedisServer) -> Iterator[None]:
    """Redis takes connections and answers nothing."""
    assert server.process is not None
    pid = server.process.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def away(server: RedisServer) -> Iterator[None]:
    """Redis is not there."""
    server.kill()
    try:
        yield
    finally:
        server.start()


@pytest.mark.parametrize("outage", [hung, away])
def test_time_in_which_redis_accepted_nothing_is_not_an_open_gap(tmp_path: Path, outage: Any) -> None:
    # Events of now, one each 20 ms: their times are what gaps are made of.
    sent: list[bytes] = []
    with RedisServer(tmp_path).start() as server, server.client() as client:
        settings = Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=server.url)
        with Source(sent) as source, IngesterProcess(tmp_path, server.url, source.url) as ingester:
            with fed(sent):
                until(lambda: stored(client))
                with outage(server):
                    began = time.time()
                    until(lambda: ingester.said("event=sink_unavailable"))
                    until(lambda: time.time() > began + OUTAGE_S + 2)
                    silent = Batch.of(utc(began + 1), utc(began + 1 + OUTAGE_S))
                until(lambda: ingester.said("event=filled"))
            until(lambda: set(stored(client)) == set(sent), 30)
            assert ingester.stop() == 0
            assert len(source.connections) == 1, "the stream was read on, over the same connection"
        assert sorted(stored(client)) == sorted(sent), "and nothing came twice"
        (gap,) = known(client)
        assert (gap.reason, gap.filled) == (Reason.OUTAGE, REPLAY)
        # What the drain records of an interval in the middle of it, once it learns of it.
        coverage.record_silence(settings.lake_path, silent)
        assert [gap.filled for gap in coverage.known_gaps(settings)] == [REPLAY, REPLAY]
        assert open_gaps(coverage.known_gaps(settings)) == []
