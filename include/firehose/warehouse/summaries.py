"""Brings the summary tables up to the lake's batch ledger, one day's partition at a time.

Lives here: the rebuild in a staging table, the swap, the record of loaded batches.
Must not: decide what to rebuild (plan.py), contain summary queries (include/firehose/clickhouse/summaries).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Annotated, Final, NamedTuple

from clickhouse_connect.driver.client import Client

from firehose import crash, metrics
from firehose.batch.coverage import read_gaps
from firehose.batch.gaps import open_gaps
from firehose.batch.lock import locks_folder
from firehose.errors import LockTaken, ServiceUnavailable
from firehose.lake.ledger import LedgerEntry, listed_entries, listed_entry
from firehose.lake.watch import Difference, changed
from firehose.progress import tracked
from firehose.settings import Settings
from firehose.store import LakePath
from firehose.warehouse import event_tables, matches
from firehose.warehouse.client import clickhouse_errors, connect
from firehose.warehouse.coverage import load_gaps
from firehose.warehouse.hours import expired_hours, load_hours, rows_in, wrong_hours
from firehose.warehouse.plan import Loaded, Rebuild, hours_of, pending, rebuilds, sound, together, touched, unread
from firehose.warehouse.sql import SQL_FOLDER
from ingester.contract.logs import get_logger

log = get_logger(__name__)

_LOCK_TIMEOUT_S: Final = 600.0
_COUNTS: Final = ("received", "good", "quarantined", "duplicates", "stored", "displaced")
_BATCH_COLUMNS: Final = (
    *("batch", "id", "start", "end", "published_at", "hours", "loaded_at", "stamp", "counts.type"),
    *(f"counts.{name}" for name in _COUNTS),
)


class RefreshResult(NamedTuple):
    """The result of a refresh: the batches loaded, the hours rebuilt (of any table), and how long it took.

    ``open_gaps`` counts the gaps in coverage that are still open. ``waiting`` are batches that were not loaded
    because files of an hour that they wrote differ from their records; ``differences`` lists these files.
    """

    batches: tuple[str, ...]
    days: tuple[date, ...]
    hours: Annotated[int, metrics.HOURS_LOADED]
    seconds: Annotated[float, metrics.REFRESH_SECONDS]
    open_gaps: Annotated[int, metrics.OPEN_GAPS] = 0
    waiting: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()


def refresh(settings: Settings) -> RefreshResult:
    """Load every batch of the ledger that ClickHouse lacks, or holds in another edition.

    Safe to repeat, and to kill at any point: a day's partition is either as before or as the lake has it, and a
    batch counts as loaded only after all its partitions are swapped. Only one refresh runs at a time.

    Raises:
        LakeChanged: the files of an hour differ from their records. All batches are loaded except those that wrote
            to this hour; what ClickHouse holds of the hour stays as it is.
        ServiceUnavailable: ClickHouse does not answer, or another refresh has run for ten minutes.
        CorruptLake: an entry of the ledger, or of the coverage ledger, cannot be read.
        FirehoseError: ClickHouse refuses a statement; most often the migrations were not applied.
    """
    with locked(settings.lake_path), clickhouse_errors():
        client = connect(settings)
        try:
            gaps = read_gaps(settings.lake_path)
            load_gaps(client, gaps)
            result = load(client, settings.lake_path)
        finally:
            client.close()
    if result.differences:
        kept = f"{len(result.waiting)} batches that wrote there are not loaded, and what was loaded of it stays"
        raise changed(list(result.differences), kept)
    return result._replace(open_gaps=len(open_gaps(gaps)))


def load(client: Client, lake: LakePath) -> RefreshResult:
    """As :func:`refresh`, but without the lock, without gaps, and without raising for differences.

    Of the ledger, which grows for years, only those entries are read that a listing shows to be new or rewritten.
    """
    began = time.monotonic()
    loaded = _loaded(client)
    new = unread(listed_entries(lake), loaded)
    read = [(entry, listed.stamp) for listed in new if (entry := listed_entry(lake, listed))]
    wanted = pending((entry for entry, _ in read), loaded)
    differences = tuple(wrong_hours(lake, touched(wanted, loaded)))
    todo = sound(wanted, loaded, {_instant(difference.file.hour) for difference in differences})
    waiting = {entry.batch for entry in wanted} - {entry.batch for entry in todo}
    expired = expired_hours(lake, touched(todo, loaded))
    plan = [each for rebuild in rebuilds(todo, loaded) if (each := _left_alone(client, rebuild, expired)).hours]
    rows = rows_in(lake, (hour for rebuild in plan for hour in rebuild.hours))
    for rebuild in tracked(plan, "loading summaries", "days of tables"):
        _rebuild(client, rebuild, rows)
    event_tables.load(client, todo, loaded, expired)
    for rebuild in matches.rebuilds(client, todo, loaded):
        if (each := _left_alone(client, rebuild, expired_hours(lake, rebuild.hours))).hours:
            _rebuild(client, each, rows | rows_in(lake, {*each.hours} - rows.keys()))
    crash.reached(crash.Point.REBUILT)
    load_hours(client, lake, {hour.date() for hour in touched(todo, loaded)})
    _record(client, [(entry, stamp) for entry, stamp in read if entry.batch not in waiting])
    crash.reached(crash.Point.BATCHES_RECORDED)
    event_tables.forget_loaded(client)
    hours = {hour for rebuild in plan for hour in rebuild.hours}
    result = RefreshResult(
        tuple(entry.batch for entry in todo),
        tuple(sorted({rebuild.day for rebuild in plan})),
        len(hours),
        time.monotonic() - began,
        waiting=tuple(sorted(waiting)),
        differences=differences,
    )
    log.info("batches loaded", batches=len(todo), hours_rebuilt=len(hours), seconds=round(result.seconds, 1))
    return result


def _instant(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * 3600, UTC)


@contextmanager
def locked(lake: LakePath) -> Iterator[None]:
    """Keep other refreshes out.

    Raises:
        ServiceUnavailable: one has run for ten minutes.
    """
    lock = locks_folder(lake) / "summaries.lock"
    try:
        with lock.lock(wait_s=_LOCK_TIMEOUT_S):
            yield
    except LockTaken as error:
        raise ServiceUnavailable(f"another refresh of the summaries holds {lock}: try again later") from error


def _loaded(client: Client) -> dict[str, Loaded]:
    query = "SELECT id, published_at, hours, stamp FROM ops.batches FINAL"
    rows = client.query(query, tz_mode="aware").result_rows
    return {batch: Loaded(published_at, tuple(hours), stamp) for batch, published_at, hours, stamp in rows}


def _left_alone(client: Client, rebuild: Rebuild, expired: set[datetime]) -> Rebuild:
    """Without hours of which the table has rows and the lake has lost files by their age: it holds more."""
    if expired.isdisjoint(rebuild.hours):
        return rebuild
    query = f"SELECT DISTINCT {_clock(rebuild.table)} FROM {rebuild.table} WHERE day = {{day:Date}}"
    rows = client.query(query, parameters={"day": rebuild.day}, tz_mode="aware").result_rows
    kept = expired & {hour for (hour,) in rows} & set(rebuild.hours)
    if kept:
        said = "hours stay as they are: files of them have expired"
        log.warning(said, table=rebuild.table, hours=[f"{hour:%Y-%m-%dT%H}" for hour in sorted(kept)])
    return rebuild._replace(hours=tuple(hour for hour in rebuild.hours if hour not in kept))


def _clock(table: str) -> str:
    """SQL for the hour of a row."""
    return "toStartOfHour(minute)" if table == "firehose.events_by_minute" else "hour"


def _rebuild(client: Client, rebuild: Rebuild, rows: Mapping[datetime, int]) -> None:
    """Rebuild the partition in a staging table, then swap it in, in one step. ``rows``: see :func:`together`."""
    table = rebuild.table
    name = table.split(".")[1]
    staging = f"ops.staging_{name}"
    # Created each time: so it is empty after a killed run, and has the table's columns after a migration.
    client.command(f"CREATE OR REPLACE TABLE {staging} AS {table}")
    crash.reached(crash.Point.STAGING_CREATED)
    of_day = {"day": rebuild.day, "hours": list(rebuild.hours)}
    client.command(
        f"INSERT INTO {staging} SELECT * FROM {table} "
        f"WHERE day = {{day:Date}} AND {_clock(table)} NOT IN {{hours:Array(DateTime('UTC'))}}",
        parameters=of_day,
    )
    # A large hour at a time, so that memory depends on its events, not on the length of the backlog.
    select = (SQL_FOLDER / "summaries" / f"{name}.sql").read_text(encoding="utf-8")
    for hours in together(rebuild.hours, rows):
        client.command(f"INSERT INTO {staging}\n{select}", parameters={"hours": hours})
    crash.reached(crash.Point.STAGING_FILLED)
    # The engine refuses to replace a partition by an empty one.
    swap = "REPLACE" if client.command(f"SELECT count() FROM {staging}") else "DROP"
    source = f"FROM {staging}" if swap == "REPLACE" else ""
    client.command(f"ALTER TABLE {table} {swap} PARTITION {{day:Date}} {source}", parameters=of_day)
    crash.reached(crash.Point.PARTITION_SWAPPED)
    client.command(f"DROP TABLE {staging}")


def _record(client: Client, entries: list[tuple[LedgerEntry, str]]) -> None:
    if entries:
        now = datetime.now(UTC)
        rows = [_batch_row(entry, now, stamp) for entry, stamp in entries]
        client.insert("batches", rows, column_names=_BATCH_COLUMNS, database="ops")


def _batch_row(entry: LedgerEntry, loaded_at: datetime, stamp: str) -> list[object]:
    counts = [[getattr(c, name) for c in entry.counts.values()] for name in _COUNTS]
    interval = (entry.start, entry.batch, entry.start, entry.end, entry.published_at)
    return [*interval, sorted(hours_of(entry)), loaded_at, stamp, list(entry.counts), *counts]
