"""``firehose bench concurrency``: many analysts at the embedded endpoint while batches are published and loaded.

A simulated day goes through the pipeline's steps, an hour a batch. One analyst alone asks a mix of questions; then
many ask the same while the next batches are published and loaded. An answer is torn if it has a part of an hour.
Must not: contain questions (analysts.py).
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

import msgspec

from devstack.bench import analysts
from devstack.bench.analysts import CHECKS, Sample, Target
from devstack.bench.listing import of_own
from devstack.bench.report import peak_mib
from devstack.bench.synthetic import PART_EVENTS, fill
from devstack.embedded import clickhouse
from devstack.embedded.redis import RedisServer
from firehose.batch.drain import drain
from firehose.batch.interval import Batch
from firehose.errors import FirehoseError
from firehose.lake import ledger
from firehose.lake.publish import publish
from firehose.quality.validate import validate
from firehose.settings import Settings
from firehose.warehouse.client import clickhouse_errors, connect
from firehose.warehouse.migrate import migrate
from firehose.warehouse.summaries import refresh
from ingester.contract.logs import get_logger
from ingester.contract.redis_access import PIPELINE

log = get_logger(__name__)

#: Batches: there from the beginning, loaded with nobody asking, and left for the time when many ask.
_BATCHES: Final = (2, 1, 3)
_WINDOW_S: Final = 300
_HOUR_S: Final = 3600

#: The value of each key and hour, by check.
Values = dict[str, dict[tuple[str, str], int]]


class ConcurrencyReport(msgspec.Struct, frozen=True, kw_only=True):
    """Times by kind of question, in milliseconds as a client sees them.

    ``per_core``: how many times the fair share the 95th percentile of many is. The fair share is the one of an
    analyst alone, times the analysts, divided by the cores. ``torn``: answers with a part of a batch.
    ``load_s``: the median of publishing and loading a batch, with nobody asking and beside the analysts.
    """

    name: str
    events: int
    analysts: int
    cores: int
    asked: int
    errors: int
    torn: int
    first_fault: str
    alone_ms: dict[str, dict[str, float]]
    together_ms: dict[str, dict[str, float]]
    per_core: dict[str, float]
    load_s: dict[str, float]
    loads_beside: int
    peak_rss_mib: float


def bench_concurrency(events: int, count: int, seconds: float, rounds: int) -> ConcurrencyReport:
    """Measure on a day of ``events`` events: one analyst ``rounds`` times, then ``count`` for ``seconds`` seconds.

    Raises:
        FirehoseError: a step fails, or what was loaded at the end is not what the ledger says.
    """
    with tempfile.TemporaryDirectory(prefix="firehose-bench-") as name:
        settings = of_own(Path(name, "home"), str(Path(name, "lake")))
        batches = _make(settings, events)
        there, quiet, _ = _BATCHES
        with clickhouse.start(settings) as running, own_process() as pool:
            with clickhouse_errors(), closing(connect(settings)) as client:
                migrate(client, settings)
            load_batches(settings, batches[:there])
            target = Target(running.url, settings.clickhouse_analyst, settings.clickhouse_analyst_password)
            queries = analysts.mix(_day().date(), *_often(settings))
            alone = pool.submit(analysts.ask_alone, target, queries, rounds).result()
            log.info("asked alone", questions=len(alone))
            loads_alone = [load_batches(settings, [batch]) for batch in batches[there : there + quiet]]
            asking = pool.submit(analysts.ask_together, target, queries, count, seconds)
            beside = [*loads_beside(settings, batches[there + quiet :], asking)]
            together = asking.result()
            final = _values(analysts.ask_alone(target, CHECKS, 1))
            peak = round(peak_mib(running.pid), 1)
        _check_loaded(settings, final)
    return _report(events, count, alone, together, final, {"alone": loads_alone, "beside": beside}, peak)


def own_process() -> ProcessPoolExecutor:
    """A process for those who ask, which ends with this one."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=analysts.end_with_parent)


def _day() -> datetime:
    """Yesterday: its hours are over."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)


def _make(settings: Settings, events: int) -> list[Batch]:
    """Drained and validated batches, each with the events of an hour of its own."""
    number = sum(_BATCHES)
    end = int(time.time()) // _WINDOW_S * _WINDOW_S
    hours = {}
    for hour in range(number):
        first = end - (number - hour) * _WINDOW_S
        batch = Batch.of(*(datetime.fromtimestamp(at, UTC) for at in (first, first + _WINDOW_S)))
        hours[batch] = _day() + timedelta(seconds=hour * _HOUR_S + 60)
    return staged(settings, hours, events // number, _HOUR_S - 120)


def staged(settings: Settings, starts: dict[Batch, datetime], each: int, seconds: int) -> list[Batch]:
    """Batches that are drained and validated: ``each`` events, within ``seconds`` from the start that is given."""
    with RedisServer(settings.home_path, maxmemory="8gb") as server:
        with_redis = msgspec.structs.replace(settings, redis_url=server.url)
        for number, (batch, start) in enumerate(starts.items()):
            seed = number * (each // PART_EVENTS + 1)
            with server.client(PIPELINE) as client:
                start_us = int(start.timestamp()) * 1_000_000
                fill(client, batch, each, start_us, each / seconds, first_seed=seed)
            drain(with_redis, batch)
            validate(with_redis, batch)
    return [*starts]


def load_batches(settings: Settings, batches: Iterable[Batch]) -> float:
    """Publish batches and load them, as the DAGs do; returns the seconds."""
    began = time.monotonic()
    for batch in batches:
        publish(settings, batch)
    refresh(settings)
    return time.monotonic() - began


def loads_beside(settings: Settings, batches: list[Batch], asking: Future[Any]) -> Iterator[float]:
    """Load batch after batch, and then the last ones again, for as long as somebody asks; at least all once."""
    number = 0
    while number < len(batches) or not asking.done():
        yield load_batches(settings, [batches[number % len(batches)]])
        number += 1
        log.info("loaded", batch=number)


def _often(settings: Settings) -> tuple[str, str]:
    """An account that did much, and the post that was liked most."""
    with clickhouse_errors(), closing(connect(settings, "analyst")) as client:
        did = client.command("SELECT did FROM firehose.events GROUP BY did ORDER BY count() DESC, did LIMIT 1")
        uri = client.command(
            "SELECT assumeNotNull(subject_uri) FROM firehose.likes WHERE operation = 'create' GROUP BY subject_uri"
            " ORDER BY count() DESC, subject_uri LIMIT 1"
        )
    return str(did), str(uri)


def _values(samples: Iterable[Sample]) -> Values:
    return {each.kind: {(key, hour): value for key, hour, value in each.rows} for each in samples}


def _check_loaded(settings: Settings, final: Values) -> None:
    """Compare what is loaded at the end with the ledger."""
    stored: dict[str, int] = {}
    for entry in ledger.read_ledger(settings.lake_path):
        for kind, counts in entry.counts.items():
            stored[kind] = stored.get(kind, 0) + counts.stored
    for check in ("check: events", "check: minutes", "check: lake"):
        found: dict[str, int] = {}
        for (kind, _), value in final[check].items():
            found[kind] = found.get(kind, 0) + value
        if found != {kind: rows for kind, rows in stored.items() if rows}:
            raise FirehoseError(f"bench concurrency: {check} finds {found}, the ledger has {stored}")


def parts_of_batches(sample: Sample, final: Values) -> list[str]:
    """What of an answer to a check is neither absent nor whole; ``final``: the answers once all is loaded."""
    whole = final.get(sample.kind, {})
    return [
        f"{sample.kind}: {key} of {hour} was {value}, and is {whole.get((key, hour), 0)}"
        for key, hour, value in sample.rows
        if value not in (0, whole.get((key, hour)))
    ]


def _report(
    events: int,
    count: int,
    alone: list[Sample],
    together: list[Sample],
    final: Values,
    loads: dict[str, list[float]],
    peak: float,
) -> ConcurrencyReport:
    cores = len(os.sched_getaffinity(0))
    asked = [*alone, *together]
    errors = [f"{sample.kind}: {sample.error}" for sample in asked if sample.error]
    torn = [parts[0] for sample in asked if (parts := parts_of_batches(sample, final))]
    alone_ms, together_ms = _spread(alone), _spread(together)
    fair = max(1.0, count / cores)
    return ConcurrencyReport(
        name="concurrency",
        events=events,
        analysts=count,
        cores=cores,
        asked=len(asked),
        errors=len(errors),
        torn=len(torn),
        first_fault=next(iter([*torn, *errors]), ""),
        alone_ms=alone_ms,
        together_ms=together_ms,
        per_core={
            kind: round(together_ms[kind]["p95"] / (alone_ms[kind]["p95"] * fair), 2)
            for kind in alone_ms
            if kind in together_ms
        },
        load_s={name: round(median(took), 2) for name, took in loads.items()},
        loads_beside=len(loads["beside"]),
        peak_rss_mib=peak,
    )


def _spread(samples: list[Sample]) -> dict[str, dict[str, float]]:
    of_kind: dict[str, list[float]] = {}
    for sample in samples:
        for kind in (sample.kind, "all"):
            of_kind.setdefault(kind, []).append(sample.seconds * 1e3)
    return {kind: _p50_p95(times) for kind, times in sorted(of_kind.items())}


def _p50_p95(times: list[float]) -> dict[str, float]:
    cuts = quantiles(times, n=20, method="inclusive") if len(times) > 1 else times * 19
    return {"p50": round(cuts[9], 1), "p95": round(cuts[18], 1)}
