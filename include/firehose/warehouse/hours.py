"""Compares hour files with their records before they are summarised, and loads the records into ``ops.hours``.

Must not: decide what follows from a difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Final

from clickhouse_connect.driver.client import Client

from firehose import crash
from firehose.errors import CorruptLake
from firehose.lake import layout, records
from firehose.lake.adopt import not_lost, watched
from firehose.lake.ledger import LedgerEntry
from firehose.lake.watch import Difference, differences, known_by
from firehose.store import LakePath

_COLUMNS: Final = ("hour", "type", "rows", "bytes", "sha256", "written_by", "recorded_at", "loaded_at")


def wrong_hours(lake: LakePath, ledger: list[LedgerEntry], hours: Iterable[datetime]) -> Iterator[Difference]:
    """Every file of these hours that differs from its record; none in a lake that has no records yet.

    Files of every type: a summary is made of several types, even if a batch has written only one of them.

    Raises:
        LakeChanged: the lake has lost its records.
    """
    if watched(lake) is None:
        not_lost(lake, ledger)
        return
    yield from differences(lake, (int(hour.timestamp()) // 3600 for hour in hours), known_by(ledger))


def load_hours(client: Client, lake: LakePath, days: set[date]) -> None:
    """Load the records of these days into ``ops.hours``; those of all days if it is empty."""
    if not client.command("SELECT count() FROM ops.hours"):
        paths = records.recorded_files(lake)
    else:
        paths = [path for day in sorted(days) for path in records.recorded_files(lake, day)]
    now = datetime.now(UTC)
    if rows := [row for path in paths for row in _row(path, now)]:
        client.insert("hours", rows, column_names=_COLUMNS, database="ops")
    crash.reached(crash.Point.HOURS_LOADED)


def _row(path: LakePath, now: datetime) -> Iterator[list[object]]:
    try:
        there = records.read(path)
    except CorruptLake:  # reported as a difference elsewhere; what was loaded of it stays
        return
    if record := there.now or there.next:
        hour = datetime.fromtimestamp(layout.hour_of_file(path) * 3600, UTC)
        rows, size = (0, 0) if record.is_gone else (record.rows, record.bytes)
        yield [hour, path.stem, rows, size, record.sha256, record.by, record.recorded_at, now]
