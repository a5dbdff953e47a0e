"""``firehose bench search``: random queries over a day's posts, with the text index and without it.

Each query is timed as a user asks it, over the whole day; and what it finds is compared with what the engine finds
without any index, over a span that holds a bounded number of posts, since that reads every one of them.
Must not: need any service but the embedded engine.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import msgspec
import pyarrow as pa
from clickhouse_connect.driver.client import Client

from devstack.bench import search_corpus
from devstack.bench.listing import of_own
from devstack.bench.report import PeakRss
from devstack.bench.search_corpus import Drawn
from devstack.embedded import clickhouse
from firehose.events.rows import decode_rows, to_table
from firehose.lake import layout
from firehose.lake.footers import Footer
from firehose.lake.hourfile import put
from firehose.schema import POSTS
from firehose.search import run
from firehose.search.conditions import Parameters, conditions
from firehose.search.parser import parse
from firehose.store import LocalLake
from firehose.warehouse.client import connect
from firehose.warehouse.migrate import migrate
from firehose.warehouse.spelling import FUNCTIONS
from firehose.warehouse.sql import SQL_FOLDER

_DAY: Final = datetime(2026, 5, 28, tzinfo=UTC)
_HOURS: Final = 24
_HOUR_US: Final = 3_600_000_000
#: The share of the network's events that are of posts.
_POSTS: Final = 0.12
#: Posts of the span in which a query is asked without the index as well, and queries so asked over the whole day.
_COMPARED: Final = 20_000
_WHOLE_DAY: Final = 20
_BATCH: Final = 50_000
_TABLES: Final = ("post_texts", "post_changes")
_LIMIT: Final = 20


class SearchReport(msgspec.Struct, frozen=True, kw_only=True):
    """``ms``: of a search for the newest 20 over the day, by HTTP, one at a time; ``p95_ms`` by kind of query.

    ``without_index_ms``: of some of them, over the whole day. ``differences``: queries that found other posts
    without the index; ``found``: those that found any. ``bytes_per_post`` names tables, and indexes of the texts.
    """

    name: str
    events: int
    posts: int
    queries: int
    found: int
    differences: int
    ms: dict[str, float]
    p95_ms: dict[str, float]
    without_index_ms: dict[str, float]
    bytes_per_post: dict[str, float]
    bytes_per_event: float
    seconds: dict[str, float]
    peak_rss_mib: float


class _Answer(NamedTuple):
    kind: str
    seconds: float
    found: bool
    same: bool


def bench_search(events: int, queries: int) -> SearchReport:
    """Measure random queries over the posts of a day of ``events`` events."""
    posts = round(events * _POSTS)
    drawn = search_corpus.queries(queries, seed=1)
    with tempfile.TemporaryDirectory(prefix="firehose-bench-") as name:
        settings = of_own(Path(name, "home"), str(Path(name, "lake")))
        seconds = {"make the day": _timed(lambda: _make(settings.local_lake, posts))}
        with clickhouse.start(settings) as running, PeakRss(running.pid) as peak:
            with closing(connect(settings)) as loader:
                migrate(loader, settings)
                seconds["fill the tables"] = _timed(lambda: _fill(loader))
                sizes = _sizes(loader)
            with closing(connect(settings, "analyst")) as client:
                answers = [_asked(client, query, posts, seed) for seed, query in enumerate(drawn)]
                client.set_client_setting("use_skip_indexes", 0)
                without = [_seconds(client, query.query) for query in drawn[:_WHOLE_DAY]]
    kinds = sorted({answer.kind for answer in answers})
    return SearchReport(
        name="search",
        events=events,
        posts=posts,
        queries=queries,
        found=sum(answer.found for answer in answers),
        differences=sum(not answer.same for answer in answers),
        ms=_spread([answer.seconds for answer in answers]),
        p95_ms={kind: _spread([a.seconds for a in answers if a.kind == kind])["p95"] for kind in kinds},
        without_index_ms=_spread(without),
        bytes_per_post={part: round(size / posts, 2) for part, size in sizes.items()},
        bytes_per_event=round(sum(sizes[table] for table in _TABLES) / events, 2),
        seconds={what: round(taken, 2) for what, taken in seconds.items()},
        peak_rss_mib=round(peak.mib, 1),
    )


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _make(lake: LocalLake, posts: int) -> None:
    """Write the hour files, one process an hour."""
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        pool.map(partial(_make_hour, lake, posts), range(_HOURS), chunksize=1)


def _make_hour(lake: LocalLake, posts: int, hour: int) -> None:
    count = posts * (hour + 1) // _HOURS - posts * hour // _HOURS
    start_us = int(_DAY.timestamp()) * 1_000_000 + hour * _HOUR_US
    lines = search_corpus.events(count, hour, start_us, _HOUR_US)
    tables: list[pa.Table] = []
    while batch := list(islice(lines, _BATCH)):
        rows, _, _ = decode_rows(POSTS, batch)
        tables.append(to_table(POSTS, rows, _DAY))
    if tables:
        put(layout.hour_file(lake, POSTS, start_us // _HOUR_US), POSTS, tables, Footer({}, {}, {}), "adopt")


def _fill(client: Client) -> None:
    for table in _TABLES:
        select = (SQL_FOLDER / "tables" / f"{table}.sql").read_text(encoding="utf-8")
        for hour in range(_HOURS):
            hours = {"hours": [_DAY + timedelta(hours=hour)], "batches": []}
            client.command(f"INSERT INTO ops.{table}\n{select}", parameters=hours)


def _sizes(client: Client) -> Counter[str]:
    """Bytes of the tables, and of each index of the texts."""
    tables = "SELECT table, sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'ops' GROUP BY table"
    indexes = (
        "SELECT concat('index ', name), data_compressed_bytes FROM system.data_skipping_indices"
        " WHERE database = 'ops' AND table = 'post_texts'"
    )
    rows = client.query(f"{tables} HAVING table LIKE 'post_%' UNION ALL {indexes}").result_rows
    return Counter({str(part): int(size) for part, size in rows})


def _asked(client: Client, drawn: Drawn, posts: int, seed: int) -> _Answer:
    seconds = _seconds(client, drawn.query)
    span = timedelta(days=min(1.0, _COMPARED / posts))
    since = _DAY + Random(seed).random() * (timedelta(days=1) - span)  # noqa: S311 - the same for the same seed
    query = f"{drawn.query} since:{since:%Y-%m-%dT%H:%M:%S} until:{since + span:%Y-%m-%dT%H:%M:%S}"
    found = _matching(client, query, {})
    return _Answer(drawn.kind, seconds, found[0] > 0, found == _matching(client, query, {"use_skip_indexes": 0}))


def _seconds(client: Client, text: str) -> float:
    query = parse(text)
    return _timed(lambda: run.posts(client, query, {}, "newest", _LIMIT))


def _matching(client: Client, text: str, settings: dict[str, int]) -> tuple[int, int]:
    """How many forms of posts match, and a sum that tells them from others."""
    parameters = Parameters()
    where = " AND ".join(conditions(parse(text), parameters, {}))
    found = "SELECT count(), sum(cityHash64(did, rkey, rev)) FROM firehose.post_texts"
    sql = f"WITH\n{FUNCTIONS}\n{found} WHERE {where}"
    (row,) = client.query(sql, parameters=parameters.values, settings=settings).result_rows
    return int(row[0]), int(row[1])


def _spread(seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=20, method="inclusive") if len(seconds) > 1 else seconds * 19
    return {"p50": round(cuts[9] * 1e3, 1), "p95": round(cuts[18] * 1e3, 1), "max": round(max(seconds) * 1e3, 1)}
