"""``firehose bench query``: questions on the tables, on the lake, on ClickHouse's own JSON table, and in DuckDB.

A simulated day goes through the pipeline's decoders and writer into an open lake, is loaded into the tables as
batches are, and inserted as JSON lines, with both ways that the engine has to store paths of JSON which have no
column. Each question is asked in turn; all answers have to be equal. Must not: contain questions (questions.py).
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import msgspec
from clickhouse_connect.driver.client import Client

from devstack.bench import simulated
from devstack.bench.listing import of_own
from devstack.bench.questions import JSONBENCH, Question, others
from devstack.bench.simulated import Line, Sizes
from devstack.embedded import clickhouse
from firehose.batch.interval import Batch
from firehose.errors import FirehoseError
from firehose.lake import ledger
from firehose.records.registry import REGISTRY
from firehose.store import LocalLake
from firehose.warehouse import event_tables
from firehose.warehouse.client import connect
from firehose.warehouse.migrate import migrate
from firehose.warehouse.plan import Loaded, hours_of

_RUNS: Final = 5
_LINES: Final = 50_000  # of an insert
#: As JSONBench creates its table (clickhouse/ddl.sql there).
_JSON_TABLE: Final = """
CREATE TABLE default.{name}
(
    data JSON(max_dynamic_paths = 0, kind LowCardinality(String), commit.operation LowCardinality(String),
        commit.collection LowCardinality(String), did String, time_us UInt64) CODEC(ZSTD(1))
)
ENGINE = MergeTree
ORDER BY
    (data.kind, data.commit.operation, data.commit.collection, data.did, fromUnixTimestamp64Micro(data.time_us))
SETTINGS object_serialization_version = 'v3', dynamic_serialization_version = 'v3',
    object_shared_data_serialization_version = '{paths}',
    object_shared_data_serialization_version_for_zero_level_parts = '{paths}'
"""
#: The tables, and how they store what has no column.
_TABLES: Final = {"json_table": "advanced", "json_table_map": "map"}
_DUCKDB: Final = (
    "SELECT did, time_us, {operation} AS operation, {collection} AS collection FROM read_parquet('{files}')"
)


class QueryReport(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of the engine for each question, the medians of hot runs, by where it was asked.

    ``table_s``: on the tables of events, ``lake_s``: on the views over Parquet, ``json_table_s``: on ClickHouse's
    JSON table as JSONBench has it, ``json_table_map_s``: with the other serialisation, ``duckdb_s``: in DuckDB on
    the same Parquet, by the clock. ``bytes_per_event``: of each table, of the lake, and of the JSON tables.
    ``load_s``: what loading the tables took in all, and of the last batch.
    """

    name: str
    events: int
    hours: int
    queries: dict[str, dict[str, float]]
    bytes_per_event: dict[str, float]
    load_s: dict[str, float]


def bench_query(events: int, hours: int, *, with_json: bool = True) -> QueryReport:
    """Measure on a day of ``events`` simulated events, or on its first ``hours``.

    Raises:
        FirehoseError: two answers to a question differ.
    """
    with tempfile.TemporaryDirectory(prefix="firehose-bench-") as name:
        settings = of_own(Path(name, "home"), str(Path(name, "lake")))
        lake = settings.local_lake
        with clickhouse.start(settings), closing(connect(settings)) as client:
            migrate(client, settings)
            for table, paths in _TABLES.items() if with_json else ():
                client.command(_JSON_TABLE.format(name=table, paths=paths))
            entries, total = [], 0
            for hour, lines in groupby(simulated.day(events, hours), key=lambda line: line.hour):
                of_hour = [*lines]
                total += len(of_hour)
                entries += stored_batches(lake, hour, of_hour)
                if with_json:
                    _insert(client, of_hour)
            load_s = _load(client, entries)
            _merge(client, with_json)
            asked = {**JSONBENCH, **others(*_often(client))}
            queries = {question: _ask(client, lake, asked[question], with_json) for question in asked}
            sizes = _sizes(client, lake, total)
    return QueryReport(
        name="query", events=total, hours=hours, queries=queries, bytes_per_event=sizes, load_s=load_s
    )


def stored_batches(lake: LocalLake, hour: int, lines: list[Line]) -> list[ledger.LedgerEntry]:
    """Write an hour's files. Returns what the ledger would say of its batches."""
    rows = simulated.store(lake, hour, iter(lines), Sizes(Counter(), Counter(), Counter()))
    of_batch: dict[int, dict[str, int]] = {}
    for (batch, kind), count in rows.items():
        of_batch.setdefault(batch, {})[kind] = count
    return [_entry(batch, hour, counts) for batch, counts in of_batch.items()]


def _entry(number: int, hour: int, counts: dict[str, int]) -> ledger.LedgerEntry:
    batch = Batch.of(*(datetime.fromtimestamp(edge * 300, UTC) for edge in (number, number + 1)))
    stored = {
        kind: ledger.LedgerCounts(received=n, good=n, quarantined=0, duplicates=0, stored=n)
        for kind, n in counts.items()
    }
    return ledger.LedgerEntry(
        batch=batch.id,
        start=batch.start,
        end=batch.end,
        published_at=batch.end,
        counts=stored,
        hours={f"{datetime.fromtimestamp(hour * 3600, UTC):%Y-%m-%dT%H}": [*counts]},
    )


def _insert(client: Client, lines: list[Line]) -> None:
    for table in _TABLES:
        for start in range(0, len(lines), _LINES):
            body = b"\n".join(line.line for line in lines[start : start + _LINES])
            client.raw_insert(f"default.{table}", insert_block=body, fmt="JSONAsObject")


def _load(client: Client, entries: list[ledger.LedgerEntry]) -> dict[str, float]:
    """Load all batches but the last, then that one, as a refresh does."""
    *early, last = entries
    began = time.monotonic()
    event_tables.load(client, early, {}, set())
    loaded = time.monotonic()
    before = {entry.batch: Loaded(entry.published_at, tuple(hours_of(entry))) for entry in early}
    event_tables.load(client, [last], before, set())
    stored = sum(counts.stored for counts in last.counts.values())
    return {
        "all": round(loaded - began, 2),
        "last batch": round(time.monotonic() - loaded, 2),
        "events of the last batch": stored,
    }


def _merge(client: Client, with_json: bool) -> None:
    """As the engine does by itself in time."""
    names = [*event_tables.TABLES, *(f"default.{name}" for name in _TABLES if with_json)]
    for table in names:
        client.command(f"OPTIMIZE TABLE {table} FINAL")


def _often(client: Client) -> tuple[str, str]:
    """An account that did about as much as the thousandth, and the post with most likes."""
    account = client.command(
        "SELECT did FROM firehose.events GROUP BY did ORDER BY count() DESC, did LIMIT 1 OFFSET 999"
    )
    post = client.command(
        "SELECT assumeNotNull(subject_uri) FROM firehose.likes WHERE operation = 'create' GROUP BY subject_uri"
        " ORDER BY count() DESC, subject_uri LIMIT 1"
    )
    return str(account), str(post)


def _ask(client: Client, lake: LocalLake, question: Question, with_json: bool) -> dict[str, float]:
    asked = {"table_s": question.table, "lake_s": question.lake}
    for table in _TABLES if with_json and question.json else ():
        asked[f"{table}_s"] = question.json.format(json=f"default.{table}")
    seconds, answers = {}, {}
    for where, query in asked.items():
        seconds[where], answers[where] = _timed(client, query)
    if question.duckdb and (found := _in_duckdb(lake, question.duckdb)):
        seconds["duckdb_s"], answers["duckdb_s"] = found
    if any(answer != answers["table_s"] for answer in answers.values()):
        raise FirehoseError(f"answers differ: {question.table}: {answers}")
    return seconds


def _timed(client: Client, query: str) -> tuple[float, list[Any]]:
    """The median of the engine's own seconds, after a run that is not counted; and the answer, in order."""
    results = [client.query(query) for _ in range(_RUNS + 1)]
    seconds = [int(str(result.summary["elapsed_ns"])) / 1e9 for result in results[1:]]
    return round(statistics.median(seconds), 5), _in_order(results[0].result_rows)


def _in_order(rows: Iterable[Iterable[Any]]) -> list[Any]:
    return sorted((tuple(value or "" for value in row) for row in rows), key=repr)


def _in_duckdb(lake: LocalLake, query: str) -> tuple[float, list[Any]] | None:
    """The same with DuckDB; None where it is not installed."""
    try:
        import duckdb
    except ImportError:
        return None
    with closing(duckdb.connect()) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"CREATE VIEW events AS {' UNION ALL '.join(_of_types(lake))}")
        seconds = []
        for _ in range(_RUNS + 1):
            began = time.monotonic()
            rows = connection.execute(query).fetchall()
            seconds.append(time.monotonic() - began)
    return round(statistics.median(seconds[1:]), 5), _in_order(rows)


def _of_types(lake: LocalLake) -> Iterator[str]:
    for name, of in REGISTRY.items():
        operation = "operation" if of.is_commit else "''"
        collection = "collection" if name == "other" else f"'{of.collection}'"
        files = f"year=*/month=*/day=*/hour=*/{name}.parquet"
        if lake.find(files):  # a short day has no event of a rare type
            yield _DUCKDB.format(operation=operation, collection=collection, files=f"{lake}/{files}")


def _sizes(client: Client, lake: LocalLake, events: int) -> dict[str, float]:
    query = (
        "SELECT concat(database, '.', table), sum(bytes_on_disk) FROM system.parts WHERE active"
        " GROUP BY ALL HAVING sum(rows) > 0"
    )
    wanted = {*event_tables.TABLES, *(f"default.{table}" for table in _TABLES)}
    sizes = {table: size for table, size in client.query(query).result_rows if table in wanted}
    sizes["tables of events"] = sum(size for table, size in sizes.items() if table in event_tables.TABLES)
    sizes["lake"] = sum(path.size() for path in lake.find("year=*/month=*/day=*/hour=*/*.parquet"))
    return {name: round(size / events, 2) for name, size in sorted(sizes.items())}
