"""``firehose bench layout``: one account's likes of a simulated day, in hours that are flat and that are by user.

A large account, which has a share of each hour's likes, and a small one; in open and in closed hours. Must not:
need any service but the embedded engine.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing as ending
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from clickhouse_connect.driver.client import Client

from devstack.bench.listing import of_own
from devstack.bench.report import BenchReport, PeakRss
from devstack.embedded import clickhouse
from firehose.events.rows import decode_rows, to_table
from firehose.lake import closing, layout, users
from firehose.lake.hourfile import HourCommit, merge
from firehose.lake.layout import HourFile
from firehose.lake.staged import HourRows, Part
from firehose.schema import LIKES
from firehose.settings import Settings
from firehose.store import LocalLake
from firehose.warehouse.client import connect
from firehose.warehouse.views import DATABASE, views
from jetstream_simulator import generate

_START: Final = datetime(2026, 5, 28, tzinfo=UTC)
_HOURS: Final = 24
_LARGE: Final = "did:plc:large"
_RUNS: Final = 5
_QUERY: Final = (
    f"SELECT count(), uniq(subject_uri), max(time_us) FROM {DATABASE}.{LIKES} WHERE date = '2026-05-28'"
)
#: What a query costs: events that the engine counts. It counts row groups that it opens, also those that it then
#: passes by because of a Bloom filter or a dictionary: of these it compares no row with the account.
_COUNTED: Final = {
    "files": "EngineFileLikeReadFiles",
    "row groups": "ParquetReadRowGroups",
    "rows compared": "ParquetRowsFilterExpression",
    "bytes": "ReadBufferFromFileDescriptorReadBytes",
}


def bench_layout(events: int, share: float) -> BenchReport:
    """Measure a day of ``events`` simulated events, of whose likes one account has this share."""
    seconds: dict[str, float] = {}
    notes: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="firehose-bench-") as name, PeakRss(os.getpid()) as peak:
        tables = [*_tables(events, share)]
        small = _rarest(tables)
        for layout_name, large in (("flat", []), ("by user", [_LARGE])):
            home = Path(name, layout_name)
            settings = of_own(home, str(home / "lake"))
            seconds[f"{layout_name}, write"] = _timed(lambda: _write(settings.local_lake, tables, large))  # noqa: B023
            with clickhouse.start(settings), ending(_client(settings)) as client:
                for form in ("open", "closed"):
                    if form == "closed":
                        seconds[f"{layout_name}, close"] = _timed(lambda: _close(settings.local_lake))  # noqa: B023
                    notes[f"{layout_name}, {form}, bytes of the lake"] = _size(settings.local_lake)
                    for account, did in (("large", _LARGE), ("small", small)):
                        what = f"{layout_name}, {form}, {account} account"
                        seconds[what], counted = _asked(client, did)
                        notes |= {f"{what}: {figure}": count for figure, count in counted.items()}
    likes = sum(map(len, tables))
    flat, by_user = (seconds[f"{name}, closed, large account"] for name in ("flat", "by user"))
    return BenchReport(
        name="layout",
        events=likes,
        events_per_s=round(likes / by_user),
        baseline="the large account's likes of a day in flat hours, closed",
        baseline_events_per_s=round(likes / flat),
        ratio=round(by_user / flat, 4),
        peak_rss_mib=round(peak.mib, 1),
        seconds={what: round(taken, 4) for what, taken in seconds.items()},
        notes=notes,
    )


def _tables(events: int, share: float) -> Iterator[pa.Table]:
    """The likes of each hour."""
    start_us, rate = int(_START.timestamp()) * 1_000_000, events / (_HOURS * 3600)
    lines = enumerate(generate.events(events, start_us=start_us, rate=rate))
    for _, of_hour in groupby(
        lines, key=lambda line: generate.event_time_us(start_us, line[0], rate) // layout.HOUR_US
    ):
        likes = [line for _, line in of_hour if b'"collection":"app.bsky.feed.like"' in line]
        rows, _, _ = decode_rows(LIKES, likes)
        table = to_table(LIKES, rows, _START)
        large = pa.array(np.arange(len(table)) % round(1 / share) == 1)
        at = table.schema.get_field_index("did")
        yield table.set_column(at, "did", pc.if_else(large, _LARGE, table["did"]))


def _rarest(tables: list[pa.Table]) -> str:
    """The account with the fewest likes of the day; of several the one in the middle."""
    counted = pa.concat_tables(tables)["did"].combine_chunks().value_counts()
    counts = counted.field("counts")
    fewest = counted.field("values").filter(pc.equal(counts, pc.min(counts)))
    return str(fewest[len(fewest) // 2])


def _write(lake: LocalLake, tables: list[pa.Table], large: list[str]) -> None:
    """As a publication does, an hour at a time."""
    staged = lake.parent / "staged.parquet"
    for table in tables:
        hour = table["time_us"][0].as_py() // layout.HOUR_US
        users.restore(lake, LIKES, hour, large)
        pq.write_table(table, staged, row_group_size=25_000)
        rows = HourRows(hour, [Part(staged, len(table))], by=users.layout_of(lake, LIKES, hour))
        for of_file in rows.divided():
            commit = HourCommit(LIKES, _START, of_file.read)
            merge(HourFile(hour, LIKES, of_file.user).path(lake), commit)


def _close(lake: LocalLake) -> None:
    for path in layout.hour_files(lake, LIKES):
        closing.close(lake, layout.file_of(path))


def _size(lake: LocalLake) -> int:
    return sum(path.size() for path in layout.hour_files(lake, LIKES))


def _client(settings: Settings) -> Client:
    client = connect(settings)
    client.command(f"CREATE DATABASE {DATABASE}")
    client.command(next(v.statement for v in views(settings.clickhouse_lake_root) if v.name == LIKES))
    return client


def _asked(client: Client, did: str) -> tuple[float, dict[str, int]]:
    """The median time of the question for an account's likes, and what one run of it costs."""
    query = f"{_QUERY} AND did = '{did}'"
    before = _events(client)
    client.query(query)
    after = _events(client)
    taken = statistics.median(_timed(lambda: client.query(query)) for _ in range(_RUNS))
    return taken, {name: after[name] - before[name] for name in _COUNTED}


def _events(client: Client) -> dict[str, int]:
    rows = client.query("SELECT event, value FROM system.events").result_rows
    counted: dict[str, int] = {event: value for event, value in rows}  # noqa: C416 - rows are of any length
    return {name: int(counted.get(event, 0)) for name, event in _COUNTED.items()}


def _timed(what: Callable[[], object]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began
