"""`firehose bench ingest`: the real ingester into a real Redis with fsync always, against a bare receive loop.

Simulator, ingester and Redis are processes of their own, as in operation. Runs alternate, medians are reported.
Each is done twice, the second time with metrics that are asked for each second: a note says what they cost.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from devstack.bench.report import BenchReport, peak_mib
from devstack.embedded.ingester import ingester_process, wait_for_events
from devstack.embedded.leash import PYTHON
from devstack.embedded.redis import RedisServer, free_port
from firehose.errors import FirehoseError
from firehose.settings import Settings
from ingester.contract.redis_access import MONITORING
from jetstream_simulator import generate
from jetstream_simulator import process as simulator

_SCRAPE_S: Final = 1.0


def bench_ingest(events: int, runs: int) -> BenchReport:
    """Measure ``events`` synthetic events, ``runs`` times.

    Raises:
        FirehoseError: a part does not start, or makes no progress.
    """
    with tempfile.TemporaryDirectory(prefix="firehose-bench-") as folder:
        recording = Path(folder) / "events.jsonl"
        write_recording(recording, events)
        baseline, ours, scraped, peaks = [], [], [], []
        for run in range(runs):
            baseline.append(_baseline(recording, events))
            rate, peak = _ingest(Path(folder) / f"run{run}", recording, events)
            ours.append(rate)
            peaks.append(peak)
            scraped.append(
                _ingest(Path(folder) / f"scraped{run}", recording, events, f"127.0.0.1:{free_port()}")[0]
            )
    return BenchReport(
        name="ingest",
        events=events,
        events_per_s=round(statistics.median(ours)),
        baseline="websockets receive loop, events dropped",
        baseline_events_per_s=round(statistics.median(baseline)),
        ratio=round(statistics.median(a / b for a, b in zip(ours, baseline, strict=True)), 3),
        peak_rss_mib=round(max(peaks), 1),
        notes={
            "runs": runs,
            "events_per_s_min": round(min(ours)),
            "events_per_s_max": round(max(ours)),
            "events_per_s_with_metrics": round(statistics.median(scraped)),
            "metrics_cost": round(1 - statistics.median(a / b for a, b in zip(scraped, ours, strict=True)), 3),
        },
    )


def write_recording(path: Path, events: int, rate: float = 1667.0) -> None:
    """A file of synthetic events that come at ``rate`` a second, ending about now."""
    start_us = int((time.time() - events / rate) * 1_000_000)
    with path.open("wb") as out:
        out.writelines(line + b"\n" for line in generate.events(events, start_us=start_us, rate=rate))


def _source(recording: Path, events: int) -> simulator.SimulatorProcess:
    return simulator.start([f"--replay={recording}", "--once", f"--retention={events}"])


def _baseline(recording: Path, events: int) -> float:
    with _source(recording, events) as source:
        command = [*PYTHON, "devstack.bench.receive", f"{source.url}?cursor=1", str(events)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FirehoseError(f"the bare receive loop failed: {done.stderr.strip().splitlines()[-1]}")
    return float(done.stdout)


@contextmanager
def _scraping(address: str) -> Iterator[None]:
    """Ask an ingester for its metrics each second: more often than any Prometheus. Empty: nobody asks."""
    stop = threading.Event()

    def scrape() -> None:
        while not stop.wait(_SCRAPE_S):
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
                answer.read()

    with ThreadPoolExecutor(1) as pool:
        scraper = pool.submit(scrape) if address else None
        try:
            yield
        finally:
            stop.set()
        if scraper:
            scraper.result()


def _ingest(home: Path, recording: Path, events: int, metrics: str = "") -> tuple[float, float]:
    """Events a second into Redis, from the first flush to the last, and the ingester's peak in MiB.

    ``metrics``: where it says its metrics, and is asked for them all the time; empty: nowhere.
    """
    with RedisServer(home) as server, _source(recording, events) as source:
        settings = Settings(
            home=str(home),
            lake=str(home / "lake"),
            redis_url=server.url,
            jetstream_url=source.url,
            start_cursor=1,
            rewind_ms=0,
            ingester_metrics=metrics,
        )
        with server.client(MONITORING) as client, ingester_process(settings) as process:
            first = wait_for_events(client, 1, process)
            if first == events:
                raise FirehoseError(f"{events} events came in one write, so no rate can be measured; use more")
            began = time.perf_counter()
            with _scraping(metrics):
                wait_for_events(client, events, process)
            rate = (events - first) / (time.perf_counter() - began)
            return rate, peak_mib(process.pid)
