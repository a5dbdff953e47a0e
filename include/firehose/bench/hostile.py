"""`firehose bench hostile`: attacks on the embedded endpoint beside a load, and what others notice of them.

A batch of made-up events is loaded into the summary tables, first alone and then again and again for a while under
attack. Measured are answers to `/ping`, the endpoint's memory against the budget of its queries, the disk behind
bodies and held results, and how long a load takes.
"""

from __future__ import annotations

import http.client
import logging
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Final
from urllib.parse import urlsplit

import msgspec

from firehose.batch.interval import Batch
from firehose.bench.attacks import Target, under_attack
from firehose.bench.catchup import STEPS, run_step
from firehose.bench.made_up import fill
from firehose.bench.report import BenchReport
from firehose.embedded.redis import RedisServer, free_port
from firehose.endpoint import process
from firehose.errors import FirehoseError
from firehose.settings import Settings
from firehose.warehouse.client import clickhouse_errors, connect
from firehose.warehouse.migrate import migrate
from firehose.warehouse.summaries import refresh
from ingester.contract.redis_access import PIPELINE

log = logging.getLogger(__name__)

#: Of all queries together, and what the endpoint may have beyond it.
BUDGET_MIB: Final = 2048
_BEYOND_MIB: Final = 512
_PING_S: Final = 1.0
_RATE: Final = 100_000 / 60
_WINDOW_S: Final = 300
_LOADS_ALONE: Final = 3
_BETWEEN_PINGS_S: Final = 0.02


class Broken(FirehoseError):
    """A bound was broken. ``report`` has the figures."""

    def __init__(self, report: BenchReport, bounds: list[str]) -> None:
        super().__init__("bench hostile: " + "; ".join(bounds))
        self.report = report


def bench_hostile(seconds: int, events: int) -> BenchReport:
    """Attack for ``seconds`` seconds, beside loads of ``events`` events.

    Raises:
        Broken: nothing was loaded, `/ping` took too long, or the endpoint took too much memory.
        FirehoseError: a part does not start, or a load fails.
    """
    with tempfile.TemporaryDirectory(prefix="firehose-bench-") as name:
        settings = _settings(Path(name))
        _make_lake(settings, events)
        with process.start(settings) as running:
            _prepare(settings)
            alone = [_load(settings, events) for _ in range(_LOADS_ALONE)]
            log.info("a load takes %.1f s without an attack", median(alone))
            watch = _Watch(running.pid, running.url)
            target = Target(running.url, settings.clickhouse_analyst, settings.clickhouse_analyst_password)
            with under_attack(target) as rounds, watch.watching():
                attacked = _loads(settings, events, seconds, rounds)
                done = rounds()
            peak_mib = _peak_mib(running.pid)
    return _judged(_report(events, alone, attacked, watch, done, peak_mib))


def _settings(folder: Path) -> Settings:
    return Settings(
        home=str(folder),
        lake=str(folder / "lake"),
        clickhouse_url=f"http://127.0.0.1:{free_port()}",
        clickhouse_loader_password="loads",  # noqa: S106 - of a server on loopback that lives for minutes
        clickhouse_analyst_password="reads",  # noqa: S106 - as above
        query_total_memory_mib=BUDGET_MIB,
        http_timeout_s=10.0,
    )


def _make_lake(settings: Settings, events: int) -> None:
    """One published batch."""
    end = int(time.time()) // _WINDOW_S * _WINDOW_S
    batch = Batch.of(datetime.fromtimestamp(end - _WINDOW_S, UTC), datetime.fromtimestamp(end, UTC))
    with RedisServer(settings.home_path, maxmemory="8gb") as server:
        with server.client(PIPELINE) as client:
            fill(client, batch, events, int(time.time() - events / _RATE) * 1_000_000, _RATE)
        with_redis = msgspec.structs.replace(settings, redis_url=server.url)
        for step in STEPS:
            run_step(step, with_redis, batch)


def _prepare(settings: Settings) -> None:
    with clickhouse_errors(), closing(connect(settings)) as client:
        migrate(client, settings)


def _load(settings: Settings, events: int) -> float:
    """Load the batch anew and count it; returns the seconds of the load."""
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
        log.info("loaded in %.1f s", took[-1])
    return took


class _Watch:
    """Pings, and looks at the disk behind the endpoint's nameless files."""

    def __init__(self, pid: int, url: str) -> None:
        self.pings: list[float] = []
        self.spool_mib = 0.0
        self._files = Path(f"/proc/{pid}/fd")
        self._address = urlsplit(url).netloc
        self._stop = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._repeat, args=(look,)) for look in (self._ping, self._spool)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _repeat(self, look: Callable[[], None]) -> None:
        while not self._stop.wait(_BETWEEN_PINGS_S):
            look()

    def _ping(self) -> None:
        """On a connection of its own, as a health check does."""
        began = time.monotonic()
        with closing(http.client.HTTPConnection(self._address, timeout=60)) as connection:
            connection.request("GET", "/ping")
            if connection.getresponse().read() != b"Ok.\n":
                raise FirehoseError("/ping does not say that all is well")
        self.pings.append(time.monotonic() - began)

    def _spool(self) -> None:
        total = 0
        for link in self._files.iterdir():
            try:
                total += link.stat().st_blocks * 512 if "/spool/" in str(link.readlink()) else 0
            except FileNotFoundError:  # closed meanwhile
                continue
        self.spool_mib = max(self.spool_mib, total / 2**20)


def _peak_mib(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return round(int(found[1]) / 1024, 1) if found else 0.0


def _report(
    events: int,
    alone: list[float],
    attacked: list[float],
    watch: _Watch,
    rounds: dict[str, int],
    peak_mib: float,
) -> BenchReport:
    cuts = quantiles(watch.pings, n=100) if len(watch.pings) > 1 else [float("inf")] * 99
    return BenchReport(
        name="hostile",
        events=events,
        events_per_s=round(events / median(attacked)) if attacked else 0,
        baseline="the same load without an attack",
        baseline_events_per_s=round(events / median(alone)),
        ratio=round(median(alone) / median(attacked), 3) if attacked else 0,
        peak_rss_mib=peak_mib,
        seconds={
            "load": round(median(attacked), 2) if attacked else 0,
            "load without attack": round(median(alone), 2),
            "ping p50": round(cuts[49], 4),
            "ping p99": round(cuts[98], 4),
            "ping max": round(max(watch.pings, default=float("inf")), 4),
        },
        notes={
            "loads": len(attacked),
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
