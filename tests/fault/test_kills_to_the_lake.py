"""SIGKILL of the ingester at any moment, from socket to lake: nothing lost, nothing twice."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import redis

from firehose.batch.drain import drain, redis_ms
from firehose.batch.interval import Batch
from firehose.lake.publish import publish
from firehose.lake.verify import verify
from firehose.quality.quarantine import quarantine_path
from firehose.quality.validate import validate
from firehose.settings import Settings
from ingester.contract import wire
from jetstream_simulator import process as simulator
from tests.support.waiting import until

KILLS = 20
EVENTS = 20_000


def test_twenty_kills_lose_and_repeat_nothing(tmp_path: Path, redis_url: str, redis_client: redis.Redis) -> None:
    sent = tmp_path / "sent.jsonl"
    options = [f"--events={EVENTS}", "--rate=2500", "--malformed=0.005", "--seed=21", f"--record={sent}"]
    settings = Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=redis_url)
    start = redis_ms(redis_client) // 1000
    with simulator.start(options) as source:
        dice, fired = random.Random(3), 0
        for _ in range(KILLS):
            process = _ingester(settings, source.url)
            # Some die while they start, most while they write; a kill that comes too late would be no kill.
            _wait_for_more(redis_client, patience_s=dice.choice([0.1, 3.0, 3.0, 3.0]))
            time.sleep(dice.uniform(0, 0.1))
            fired += process.poll() is None
            process.kill()
            process.wait()
        assert fired == KILLS
        killed = redis_client.hget(wire.METADATA_KEY, wire.META_WRITER)
        process = _ingester(settings, source.url)

        def caught_up() -> bool:
            assert process.poll() is None, "the ingester ended by itself"
            starting = redis_client.hget(wire.METADATA_KEY, wire.META_WRITER) == killed
            return source.health()["done"] and not starting and _cursor(redis_client) >= _last_time_us(sent)

        until(caught_up, 200, what="it has caught up", pause_s=0.1)
        process.terminate()
        assert process.wait(30) == 0
    batch = Batch.of(
        datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(redis_ms(redis_client) // 1000 + 1, UTC)
    )
    drained = drain(settings, batch)
    validated = validate(settings, batch)
    published = publish(settings, batch)
    lines = sent.read_bytes().splitlines()
    assert len(set(lines)) == EVENTS
    assert drained.events > EVENTS, "no kill made the source repeat itself"
    bad = pq.read_table(quarantine_path(settings.lake_path, batch), partitioning=None)["raw"].to_pylist()
    assert published.stored + len(set(bad)) == EVENTS
    assert set(bad) <= set(lines)
    assert published.duplicates == validated.good - published.stored
    report = verify(settings.lake_path)
    assert report.ok, report.problems


def _ingester(settings: Settings, url: str) -> subprocess.Popen[bytes]:
    environ = {
        "PATH": "/usr/bin:/bin",
        "FIREHOSE_HOME": settings.home,
        "FIREHOSE_LAKE": settings.lake,
        "FIREHOSE_REDIS_URL": settings.redis_url,
        "FIREHOSE_JETSTREAM_URL": url,
        "FIREHOSE_START_CURSOR": "1",
        "FIREHOSE_REWIND_MS": "100",
        "FIREHOSE_FLUSH_MS": "50",
    }
    return subprocess.Popen([sys.executable, "-m", "ingester"], env=environ, stderr=subprocess.DEVNULL)


def _wait_for_more(client: redis.Redis, patience_s: float) -> None:
    before, deadline = _cursor(client), time.monotonic() + patience_s
    while _cursor(client) == before and time.monotonic() < deadline:
        time.sleep(0.01)


def _cursor(client: redis.Redis) -> int:
    return int(client.hget(wire.METADATA_KEY, wire.META_CURSOR) or 0)


def _last_time_us(sent: Path) -> int:
    """The newest time on the tape, by the text: a broken event still has one."""
    last = 0
    for line in sent.read_bytes().splitlines()[-50:]:
        digits = line.partition(b'"time_us":')[2].partition(b",")[0]
        last = int(digits) if digits.isdigit() else last
    return last
