"""`firehose status` and `firehose top` on a real Redis and lake, against what was put there."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis

from firehose.alerts.catalogue import ALERTS
from firehose.monitor.stations import ALERTS as OF_STATIONS
from firehose.observe.rates import Sampler
from firehose.settings import Settings
from ingester.buffer.exchange import Flush
from ingester.buffer.sink import Sink
from ingester.contract import wire
from ingester.contract.frame import Frame
from ingester.contract.redis_access import INGESTER, RedisAccess
from tests.support.command import FIREHOSE, firehose
from tests.support.frames import add_frames, minutes, payload
from tests.support.maintained import LIKES, published
from tests.support.waiting import until

Write = Callable[[int], None]


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=redis_url, batch_minutes=1)


@pytest.fixture
def write(settings: Settings) -> Write:
    """Writes likes as the ingester does: a frame at each call, the first of which is its first start."""
    sinks: list[Sink] = []

    def one(count: int) -> None:
        if not sinks:
            sinks.append(Sink(RedisAccess.of(settings, INGESTER), "one", "ws://127.0.0.1/subscribe"))
            sinks[0].claim(60_000)
        now = int(datetime.now(UTC).timestamp() * 1e6)
        frames = [Frame(wire.LIKES, count, now, now, payload(LIKES[:count]))]
        sinks[0].write(Flush(frames, now, True, 60_000, time_us=now))

    return one


def options(settings: Settings) -> dict[str, Any]:
    away = "http://127.0.0.1:1"
    return {
        **{"home": settings.home, "lake": settings.lake, "redis_url": settings.redis_url, "batch_minutes": 1},
        **{"clickhouse_url": away, "airflow_url": away},
    }


def test_each_station_has_its_figures_and_its_trouble(
    settings: Settings, redis_client: redis.Redis, write: Write
) -> None:
    (first, second) = minutes(2)
    published(settings, redis_client, {first: LIKES[:40], second: LIKES[40:70]})
    write(3)
    done = firehose("status", "--json", **options(settings))
    whole = json.loads(done.stdout)
    found = {station["name"]: station for station in whole["stations"]}
    assert (done.returncode, whole["healthy"]) == (1, False), "ClickHouse and Airflow are away"
    assert [found[name]["state"] for name in ("clickhouse", "airflow", "backup")] == [
        "error",
        "error",
        "not set up",
    ]
    assert list(found["clickhouse"]["problems"]) == ["clickhouse_away"]
    assert [found[name]["state"] for name in ("ingester", "redis", "quality", "lake")] == ["ok"] * 4
    assert second.id in found["batches"]["said"] and "2 of the last day" in found["batches"]["said"]
    assert "1 frames wait" in found["redis"]["said"]
    assert "; 3 events ever" in found["ingester"]["said"]
    assert whole["seen"]["batches"]["newest"] == second.id
    shown = firehose("status", **options(settings))
    assert shown.returncode == 1
    assert "[clickhouse_away]" in shown.stdout and "\x1b" not in shown.stdout


def test_every_alert_has_a_station() -> None:
    assert {alert.name for alert in ALERTS} == OF_STATIONS


def test_rates_are_what_came_between_two_looks(
    settings: Settings, redis_client: redis.Redis, write: Write
) -> None:
    write(5)
    sampler = Sampler(settings)
    write(7)
    write(13)
    add_frames(redis_client, wire.POSTS, LIKES[:10], minutes(1)[0])  # not the ingester's: no counter moves
    rates = sampler.sample()
    assert rates.events_per_s is not None and rates.total is not None
    assert rates.total * rates.seconds == pytest.approx(20)
    assert rates.events_per_s[wire.LIKES] * rates.seconds == pytest.approx(20)
    assert rates.events_per_s[wire.POSTS] == 0
    assert rates.buffer is not None and rates.buffer.queues[wire.LIKES].frames == 3
    assert sampler.sample().total == 0
    redis_client.hset(wire.METADATA_KEY, wire.EVENTS_PREFIX + wire.LIKES, 1)
    assert sampler.sample().events_per_s is None, "Redis was lost meanwhile"


def test_top_in_a_pipe_ends_by_itself(settings: Settings, write: Write) -> None:
    write(4)
    done = firehose("top", "--every", "0.2", **options(settings))
    assert done.returncode == 0, done.stderr
    assert "likes" in done.stdout and "lag" in done.stdout and "\x1b" not in done.stdout
    one = json.loads(firehose("top", "--every", "0.2", "--once", "--json", **options(settings)).stdout)
    assert one["ingester"]["queue_events"]["likes"] == 4
    given = {f"FIREHOSE_{name.upper()}": str(value) for name, value in options(settings).items()}
    closed = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{FIREHOSE} top --json --every 0.2 | head -1"],
        capture_output=True,
        env={"PATH": os.environ["PATH"], "HOME": settings.home} | given,
        check=False,
        timeout=60,
    )
    assert (closed.returncode, closed.stderr, closed.stdout.count(b"\n")) == (0, b"", 1)
    away = firehose("top", "--once", home=settings.home, redis_url="redis://127.0.0.1:1/0", lake=settings.lake)
    assert (away.returncode, away.stderr.count("\n")) == (75, 1)


@pytest.mark.parametrize("arguments", [("top", "--every", "0.2"), ("status", "--watch", "--every", "1")])
def test_a_terminal_is_drawn_again_until_ctrl_c(
    settings: Settings, write: Write, arguments: tuple[str, ...]
) -> None:
    write(4)
    ours, theirs = pty.openpty()
    given = {f"FIREHOSE_{name.upper()}": str(value) for name, value in options(settings).items()}
    process = subprocess.Popen(
        [FIREHOSE, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "HOME": settings.home, "TERM": "xterm", "COLUMNS": "160"} | given,
    )
    os.close(theirs)
    shown = bytearray()

    def drawn() -> bool:
        while select.select([ours], [], [], 0)[0]:
            shown.extend(os.read(ours, 65536))
        return shown.count(b"likes" if arguments[0] == "top" else b"coverage") >= 3

    until(drawn, what="three drawings")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    os.close(ours)
    assert (process.returncode, said) == (0 if arguments[0] == "top" else 1, b"")
