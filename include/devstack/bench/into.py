"""`firehose bench batch --into N`: a run of the batch DAG into an hour that holds N events, beside an empty hour.

The hour is filled by the pipeline's own steps, batch by batch, as in life. Then an Airflow runs three batches of
simulated events: into an empty hour, into the full one, and into another empty one. Events are put into Redis as
the ingester puts them there, before their interval closes; measured is from its close to the end of the run.
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from devstack.bench.batch import await_run, running_airflow, settings_of
from devstack.bench.catchup import STEPS, run_step
from devstack.bench.report import BenchReport, PeakRss
from devstack.bench.synthetic import PART_EVENTS, fill
from devstack.checkout import checkout
from devstack.embedded.redis import RedisServer
from firehose.batch.interval import Batch
from firehose.errors import FirehoseError
from firehose.lake.ledger import entry_path, read_entry
from firehose.settings import Settings
from ingester.contract.logs import get_logger
from ingester.contract.redis_access import PIPELINE

log = get_logger(__name__)

#: What the run may take, in runs into an empty hour.
TARGET: Final = 1.3
_MINUTE: Final = timedelta(minutes=1)
# What an hour holds came in its first forty minutes; the batch comes in the five after that, far from any edge.
_HELD_S: Final = 2400
_BATCH_S: Final = 300
#: Hours that have no neighbour with rows.
_HOURS: Final = {"empty": 2, "into": 4, "empty again": 6}


def bench_into(events: int, into: int) -> BenchReport:
    """Measure a batch of ``events`` events into an hour of ``into``. ``ratio`` is of its time to an empty hour's.

    Raises:
        FirehoseError: a step or a run fails, or an event is missing in the end.
    """
    project = checkout()
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    with (
        tempfile.TemporaryDirectory(prefix="firehose-bench-") as name,
        RedisServer(Path(name), maxmemory="64gb") as server,
    ):
        settings = settings_of(Path(name), server.url)
        seed = prefill(server, settings, day + timedelta(hours=_HOURS["into"]), events, into)
        settings = settings_of(Path(name), server.url)  # the DAG begins now
        with running_airflow(settings, project) as processes, PeakRss(*(one.pid for one in processes)) as peak:
            seconds = {}
            for run, hour in _HOURS.items():
                seconds[run] = _run(server, settings, day + timedelta(hours=hour, seconds=_HELD_S), events, seed)
                seed += _seeds(events)
                log.info("run ended", hour=run, **seconds[run])
    return _report(events, into, seconds, peak.mib)


def _report(events: int, into: int, seconds: dict[str, dict[str, float]], peak: float) -> BenchReport:
    empty = (seconds["empty"]["run"] + seconds["empty again"]["run"]) / 2
    return BenchReport(
        name="batch into",
        events=events,
        events_per_s=round(events / seconds["into"]["run"]),
        baseline="the same batch into an empty hour; ratio is of the times",
        baseline_events_per_s=round(events / empty),
        ratio=round(seconds["into"]["run"] / empty, 3),
        peak_rss_mib=round(peak, 1),
        seconds={f"{run} {part}": took for run, parts in seconds.items() for part, took in parts.items()},
        notes={"into": into, "target ratio": TARGET},
    )


def prefill(server: RedisServer, settings: Settings, hour: datetime, events: int, into: int) -> int:
    """Bring ``into`` events into an hour, ``events`` in a batch; returns the first seed that is free.

    Raises:
        FirehoseError: a step fails.
    """
    seed, first = 0, _next_minute().start - timedelta(days=1)
    for number, done in enumerate(range(0, into, events)):
        part = min(events, into - done)
        batch = Batch.of(first + number * _MINUTE, first + (number + 1) * _MINUTE)
        _put(server, batch, part, hour + timedelta(seconds=_HELD_S * done / into), _HELD_S * part / into, seed)
        seed += _seeds(part)
        for step in STEPS:
            run_step(step, settings, batch)
        log.info("the hour holds", events=done + part)
    return seed


def _run(server: RedisServer, settings: Settings, start: datetime, events: int, seed: int) -> dict[str, float]:
    batch = _next_minute()
    _put(server, batch, events, start, _BATCH_S, seed)
    if time.time() > batch.end.timestamp():
        raise FirehoseError(f"{events} events were not made before their interval closed; use fewer")
    seconds = await_run(settings, batch.start)
    entry = read_entry(entry_path(settings.lake_path, batch))
    stored = sum(counts.stored for counts in entry.counts.values()) if entry else 0
    if entry is None or stored != events or [*entry.hours] != [f"{start:%Y-%m-%dT%H}"]:
        raise FirehoseError(f"{events} events came in for {start:%Y-%m-%dT%H}, the ledger says {entry}")
    return seconds


def _put(server: RedisServer, batch: Batch, events: int, start: datetime, seconds: float, seed: int) -> None:
    with server.client(PIPELINE) as client:
        fill(client, batch, events, int(start.timestamp() * 1e6), events / seconds, first_seed=seed)


def _seeds(events: int) -> int:
    return -(-events // PART_EVENTS)


def _next_minute() -> Batch:
    start = datetime.fromtimestamp((int(time.time()) // 60 + 1) * 60, UTC)
    return Batch.of(start, start + _MINUTE)
