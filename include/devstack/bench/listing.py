"""Many small hour files in a folder and in a bucket: listing them, one footer, one hour's query.

Must not: start an object store; the address of one is given.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from devstack.bench.report import BenchReport, PeakRss
from devstack.embedded import clickhouse
from devstack.embedded.redis import free_port
from firehose import parquet, schema
from firehose.events.rows import decode_rows, to_table
from firehose.lake import layout
from firehose.settings import Settings, checked
from firehose.store import LakePath
from firehose.warehouse.client import connect
from firehose.warehouse.views import DATABASE, views
from jetstream_simulator import generate

_ROWS: Final = 100
_BEGINNING: Final = datetime(2026, 11, 1, tzinfo=UTC)
_FIRST: Final = int(_BEGINNING.timestamp()) // 3600
_RUNS: Final = 5


def bench_listing(store: str, hours: int) -> BenchReport:
    """Measure files of as many hours in a folder, and below the address of a bucket, of which nothing is left.

    Raises:
        SettingsError: ``store`` is not the address of a lake in an object store.
        FirehoseError: the store refuses or does not answer.
    """
    prefix, _, options = store.partition("?")
    with tempfile.TemporaryDirectory(prefix="firehose-bench-") as name, PeakRss(os.getpid()) as peak:
        bucket = of_own(Path(name, "bucket"), f"{prefix.rstrip('/')}/bench-{uuid.uuid4().hex}?{options}")
        folder = of_own(Path(name, "folder"), str(Path(name, "lake")))
        beside = _measured(folder, hours)
        try:
            measured = _measured(bucket, hours)
        finally:
            bucket.lake_path.discard_all()
    return BenchReport(
        name="listing",
        events=hours * _ROWS,
        events_per_s=round(hours * _ROWS / measured["list"]),
        baseline="the same files in a folder of this machine",
        baseline_events_per_s=round(hours * _ROWS / beside["list"]),
        ratio=round(beside["list"] / measured["list"], 4),
        peak_rss_mib=round(peak.mib, 1),
        seconds={
            f"{kind}, {figure}": round(seconds, 4)
            for kind, figures in (("folder", beside), ("bucket", measured))
            for figure, seconds in figures.items()
        },
    )


def of_own(home: Path, lake: str) -> Settings:
    """Settings of a lake, and of an endpoint of its own."""
    return checked(
        Settings(
            home=str(home),
            lake=lake,
            clickhouse_url=f"http://127.0.0.1:{free_port()}",
            clickhouse_loader_password="loads",  # noqa: S106 - of a server on loopback that lives for minutes
            clickhouse_analyst_password="reads",  # noqa: S106 - as above
        )
    )


def _measured(settings: Settings, hours: int) -> dict[str, float]:
    """Medians in seconds, by what was done."""
    lake: LakePath = settings.lake_path
    found = {"write": _timed(lambda: _write(lake, hours), runs=1)}
    found["list"] = _timed(lambda: layout.hour_files(lake, schema.LIKES))
    one = layout.hour_file(lake, schema.LIKES, _FIRST + hours // 2)
    found["one footer"] = _timed(lambda: parquet.footer(one))
    of_hour = f"WHERE hour_start = toDateTime({(_FIRST + hours // 2) * 3600}, 'UTC')"
    with clickhouse.start(settings), closing(connect(settings)) as client:
        client.command(f"CREATE DATABASE {DATABASE}")
        client.command(next(v.statement for v in views(settings.clickhouse_lake_root) if v.name == schema.LIKES))
        for name, condition in (("query of one hour", of_hour), ("query of all hours", "")):
            # A sum: the engine remembers how many rows a file has.
            query = f"SELECT sum(time_us) FROM {DATABASE}.{schema.LIKES} {condition}"
            found[name] = _timed(lambda query=query: client.command(query))  # type: ignore[misc]
    return found


def _write(lake: LakePath, hours: int) -> None:
    lines = [line for line in generate.events(_ROWS * 5) if b'"collection":"app.bsky.feed.like"' in line][:_ROWS]
    rows, _, _ = decode_rows(schema.LIKES, lines)
    table = to_table(schema.LIKES, rows, _BEGINNING)
    for hour in range(_FIRST, _FIRST + hours):
        with layout.hour_file(lake, schema.LIKES, hour).replacing() as draft:
            pq.write_table(table, draft)


def _timed(what: Callable[[], object], runs: int = _RUNS) -> float:
    taken = []
    for _ in range(runs):
        began = time.perf_counter()
        what()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)
