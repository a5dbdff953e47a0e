"""`firehose bench hostile`: attacks on the embedded endpoint during a load, and their effect on other clients.

A batch of synthetic events is loaded into the summary tables, first alone, then again and again under attack.
Measured are answers to `/ping`, the endpoint's memory against the budget of its queries, the disk behind bodies
and held results, and how long a load takes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import msgspec

from devstack.bench.attacks import THREADS, Target, under_attack
from devstack.bench.report import BenchReport, peak_mib
from devstack.bench.synthetic import fill
from devstack.bench.watch import Watch
from devstack.embedded import clickhouse
from devstack.embedded.redis import RedisServer, free_port
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.errors import FirehoseError
from firehose.lake.publish import publish
from firehose.quality.validate import validate
from firehose.settings import Settings
from firehose.warehouse.client import clickhouse_errors, connect
from firehose.warehouse.migrate import migrate
from firehose.warehouse.summaries import refresh
from ingester.contract.logs import get_logger
from ingester.contract.redis_access import PIPELINE

log = get_logger(__name__)

#: Of all queries together, and what the endpoint may have beyond it.
BUDGET_MIB: Final = 2048
_BEYOND_MIB: Final = 512
_PING_S: Final = 1.0
_RATE: Final = 100_000 / 60
_WINDOW_S: Final = 300


class Scale(NamedTuple):
    """How hard the attack is. ``bomb_mib``: what a bomb decompresses to; ``patience_s``: how long an attacker
    waits for an answer; ``pause_s``: how long between two of its rounds; ``timeout_s``: how long the endpoint
    waits for a client; ``loads_alone``: loads before it; ``threads``: how many attackers of each kind.
    """

    bomb_mib: int = 1024
    patience_s: float = 30.0
    pause_s: float = 0.0
    timeout_s: float = 10.0
    loads_alone: int = 3
    threads: Mapping[str, int] = THREADS


class _Loads(NamedTuple):
    """The seconds of each load without an attack, and under attack."""

    alone: list[float]
    attacked: list[float]


FULL: Final = Scale()


class Broken(FirehoseError):
    """A bound was broken. ``report`` has the figures."""

    def __init__(self, report: BenchReport, bounds: list[str]) -> None:
        super().__init__("bench hostile: " + "; ".join(bounds))
        self.report = report


def bench_hostile(seconds: int, events: int, scale: Scale = FULL) -> BenchReport:
    """Attack for ``seconds`` seconds, beside loads of ``events`` events.

    Raises:
        Broken: nothing was loaded, `/ping` took too long, or the endpoint took too much memory.
        FirehoseError: a part does not start, or a load fails.
    """
    with tempfile.TemporaryDirectory(prefix="firehose-bench-") as name:
        settings = _settings(Path(name), scale)
        _make_lake(settings, events)
        with clickhouse.start(settings) as running:
            _prepare(settings)
            alone = [_load(settings, events) for _ in range(scale.loads_alone)]
            log.info("loaded without an attack", seconds=round(median(alone), 1))
            watch = Watch(running.pid, running.url)
            user, password = settings.clickhouse_analyst, settings.clickhouse_analyst_password
            target = Target(running.url, user, password, scale.patience_s, scale.pause_s)
            with under_attack(target, scale.bomb_mib, scale.threads) as rounds, watch.watching():
                loads = _Loads(alone, _loads(settings, events, seconds, rounds))
                done = rounds()
            peak = round(peak_mib(running.pid), 1)
    return _judged(_report(events, loads, watch, done, peak))


def _settings(folder: Path, scale: Scale) -> Settings:
    return Settings(
        home=str(folder),
        lake=str(folder / "lake"),
        clickhouse_url=f"http://127.0.0.1:{free_port()}",
        clickhouse_loader_password="loads",  # noqa: S106 - of a server on loopback that lives for minutes
        clickhouse_analyst_password="reads",  # noqa: S106 - as above
        query_total_memory_mib=BUDGET_MIB,
        http_timeout_s=scale.timeout_s,
    )


def _make_lake(settings: Settings, events: int) -> None:
    """One published batch."""
    end = int(time.time()) // _WINDOW_S * _WINDOW_S
    batch = Batch.of(datetime.fromtimestamp(end - _WINDOW_S, UTC), datetime.fromtimestamp(end, UTC))
    with RedisServer(settings.home_path, maxmemory="8gb") as server:
        with server.client(PIPELINE) as client:
            fill(client, batch, events, int(time.time() - events / _RATE) * 1_000_000, _RATE)
        with_redis = msgspec.structs.replace(settings, redis_url=server.url)
        drain(with_redis, batch)
        validate(with_redis, batch)
        publish(with_redis, batch)


def _prepare(settings: Settings) -> None:
    with clickhouse_errors(), closing(connect(settings)) as client:
        migrate(client, settings)


def _load(settings: Settings, events: int) -> float:
    """Load the batch again and count it; returns the seconds of the load."""
    with clickhouse_errors(), closing(connect(settings)) as client:
        client.command("TRUNCATE TABLE ops.batches")
        began = time.monotonic()
        refresh(settings)
        took = time.monotonic() - began
        found = int(str(client.command("SELECT sum(events) FROM firehose.events_by_minute")))
    if found != events:
        raise FirehoseError(f"{events} events are in the lake, {found} were loaded")
    return took


def _loads(settings: Settings, events: int, seconds: int, rounds: Callable[[], dict[str, int]]) -> list[float]:
    while not all(rounds().values()):  # bombs are made first
        time.sleep(0.1)
    log.info("every attack is under way")
    end = time.monotonic() + seconds
    took = []
    while time.monotonic() < end:
        took.append(_load(settings, events))
        log.info("loaded", seconds=round(took[-1], 1))
    return took


def _report(events: int, loads: _Loads, watch: Watch, rounds: dict[str, int], peak: float) -> BenchReport:
    alone, attacked = median(loads.alone), median(loads.attacked or [0.0])
    return BenchReport(
        name="hostile",
        events=events,
        events_per_s=round(events / attacked) if attacked else 0,
        baseline="the same load without an attack",
        baseline_events_per_s=round(events / alone),
        ratio=round(alone / attacked, 3) if attacked else 0,
        peak_rss_mib=peak,
        seconds={
            "load": round(attacked, 2),
            "load without attack": round(alone, 2),
            **{f"ping {name}": round(took, 4) for name, took in watch.ping_s().items()},
        },
        notes={
            "loads": len(loads.attacked),
            "pings": len(watch.pings),
            "budget MiB": BUDGET_MIB,
            "spool MiB": round(watch.spool_mib, 1),
            **{f"rounds of {name}": count for name, count in rounds.items()},
        },
    )


def _judged(report: BenchReport) -> BenchReport:
    bounds = {
        "nothing was loaded": not report.notes["loads"],
        f"/ping p99 is {report.seconds['ping p99']} s, over {_PING_S:g} s": report.seconds["ping p99"] >= _PING_S,
        f"the endpoint took {report.peak_rss_mib} MiB, over {BUDGET_MIB} + {_BEYOND_MIB}": report.peak_rss_mib
        > BUDGET_MIB + _BEYOND_MIB,
    }
    if broken := [text for text, is_broken in bounds.items() if is_broken]:
        raise Broken(report, broken)
    return report
