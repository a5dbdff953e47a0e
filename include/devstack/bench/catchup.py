"""`firehose bench catchup`: one large window through drain, validate and publish, as after a long outage.

Each step is a process of its own, forked from one that has imported what it needs, as an Airflow task is; and so
is each of its workers. Measured are the rate of each step, and the memory of a step and its workers together.
Ingesting is not: Redis is filled beforehand.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from devstack.bench.report import BenchReport, PeakRss
from devstack.bench.synthetic import fill
from devstack.embedded.redis import RedisServer
from firehose.batch.interval import Batch
from firehose.errors import FirehoseError
from firehose.lake.ledger import entry_path, read_entry
from firehose.settings import Settings
from ingester.contract.logs import get_logger
from ingester.contract.redis_access import PIPELINE

log = get_logger(__name__)

#: What a task may hold, its workers included.
LIMIT_MIB: Final = 2560.0
STEPS: Final = ("drain", "validate", "publish")
#: The user's rate: 100,000 events a minute, so that 20 million are three hours and more.
_RATE: Final = 100_000 / 60
_WINDOW_S: Final = 300
#: Once for all steps: Great Expectations alone takes seconds.
_IMPORTED: Final = ["firehose.batch.drain", "firehose.lake.publish", "firehose.quality.validate"]


def bench_catchup(events: int) -> BenchReport:
    """Measure a window of ``events`` synthetic events.

    Raises:
        FirehoseError: a step fails, or an event is missing in the end.
    """
    # Not the start of an hour: as in life, the window begins within one.
    start_us = int(time.time() - events / _RATE) * 1_000_000
    with tempfile.TemporaryDirectory(prefix="firehose-bench-") as name:
        folder = Path(name)
        with RedisServer(folder, maxmemory="64gb") as server:
            settings = Settings(home=str(folder), lake=str(folder / "lake"), redis_url=server.url)
            end = int(time.time()) // _WINDOW_S * _WINDOW_S
            batch = Batch.of(datetime.fromtimestamp(end - _WINDOW_S, UTC), datetime.fromtimestamp(end, UTC))
            with server.client(PIPELINE) as client:
                log.info("filling Redis", events=events)
                fill(client, batch, events, start_us, _RATE)
                held = int(client.info("memory")["used_memory"])
            done = {step: run_step(step, settings, batch) for step in STEPS}
        entry = read_entry(entry_path(settings.lake_path, batch))
        stored = sum(counts.stored for counts in entry.counts.values()) if entry else 0
        if stored != events:
            raise FirehoseError(f"{events} events came in, {stored} are in the lake")
    seconds = {step: took for step, (took, _) in done.items()}
    return BenchReport(
        name="catchup",
        events=events,
        events_per_s=round(events / sum(seconds.values())),
        baseline="the stream itself, 100,000 events a minute",
        baseline_events_per_s=round(_RATE),
        ratio=round(events / sum(seconds.values()) / _RATE, 4),
        peak_rss_mib=max(peak for _, peak in done.values()),
        seconds=seconds,
        notes={
            **{f"{step} events/s": round(events / took) for step, took in seconds.items()},
            **{f"{step} MiB": peak for step, (_, peak) in done.items()},
            "limit MiB": LIMIT_MIB,
            "redis bytes per event": round(held / events, 1),
        },
    )


def run_step(step: str, settings: Settings, batch: Batch) -> tuple[float, float]:
    """Run one step in a process of its own; returns its seconds, without imports, and its peak in MiB.

    Raises:
        FirehoseError: it failed; its traceback is on standard error.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(step, settings, batch, theirs))
    process.start()
    theirs.close()
    with PeakRss(process.pid or 0, together=True) as peak:
        try:
            took = float(ours.recv())
        except EOFError:
            process.join()
            raise FirehoseError(f"{step} ended with exit code {process.exitcode}; see above") from None
    process.join()
    log.info("step ended", step=step, seconds=round(took, 1), mib=round(peak.mib))
    return round(took, 2), round(peak.mib, 1)


def _run(step: str, settings: Settings, batch: Batch, answer: Connection) -> None:
    from firehose.batch.drain import drain
    from firehose.lake.publish import publish
    from firehose.quality.validate import validate

    steps: dict[str, Callable[[Settings, Batch], object]] = {
        "drain": drain,
        "validate": validate,
        "publish": publish,
    }
    began = time.perf_counter()
    steps[step](settings, batch)
    answer.send(time.perf_counter() - began)
