"""Compares hour files with their records before they are summarised, and loads the records into ``ops.hours``.

Must not: decide what follows from a difference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Final

from clickhouse_connect.driver.client import Client

from firehose import crash
from firehose.errors import CorruptLake
from firehose.lake import layout, recorded, records, users
from firehose.lake.adopt import not_lost, watched
from firehose.lake.layout import HourFile
from firehose.lake.ledger import read_ledger
from firehose.lake.watch import Difference, differences, known_since
from firehose.schema import TYPES
from firehose.store import LakePath

#: Hour files are kept for a day at least, so the records of later hours need not be read.
_KEPT: Final = timedelta(days=1)
_COLUMNS: Final = ("hour", "type", "rows", "bytes", "sha256", "written_by", "recorded_at", "loaded_at")


def wrong_hours(lake: LakePath, hours: Iterable[datetime]) -> Iterator[Difference]:
    """Every file of these hours that differs from its record; none in a lake that has no records yet.

    Files of every type: a summary is made of several types, even if a batch has written only one of them.

    Raises:
        LakeChanged: the lake has lost its records.
    """
    if watched(lake) is None:
        not_lost(lake, read_ledger(lake))
        return
    yield from differences(lake, (int(hour.timestamp()) // 3600 for hour in hours), known_since(lake))


def expired_hours(lake: LakePath, hours: Iterable[datetime]) -> set[datetime]:
    """Those of these hours whose files, or some of them, have expired: the lake holds less of them than it held.

    Raises:
        CorruptLake: a record cannot be read.
    """
    old = [hour for hour in hours if hour < datetime.now(UTC) - _KEPT]
    return {hour for hour in old if any(_has_expired(lake, name, int(hour.timestamp()) // 3600) for name in TYPES)}


def _has_expired(lake: LakePath, record_type: str, hour: int) -> bool:
    files = users.files_of(lake, record_type, hour)
    return any((there := records.read(file.path(lake)).now) and there.expired for file in files)


def rows_in(lake: LakePath, hours: Iterable[datetime]) -> dict[datetime, int]:
    """The rows of all types in the files of these hours, as their records say; empty where a lake has no records.

    Raises:
        CorruptLake: a record cannot be read.
    """
    if watched(lake) is None:
        return {}
    return {hour: sum(_rows(lake, name, int(hour.timestamp()) // 3600) for name in TYPES) for hour in set(hours)}


def _rows(lake: LakePath, record_type: str, hour: int) -> int:
    files = users.files_of(lake, record_type, hour)
    return sum(there.rows for file in files if (there := records.read(file.path(lake)).now))


def load_hours(client: Client, lake: LakePath, days: set[date]) -> None:
    """Load the records of these days into ``ops.hours``; those of all days if it is empty."""
    if not client.command("SELECT count() FROM ops.hours"):
        paths = recorded.recorded_files(lake)
    else:
        paths = [path for day in sorted(days) for path in recorded.recorded_files(lake, day)]
    now = datetime.now(UTC)
    by_hour = groupby(sorted(map(layout.file_of, paths)), key=lambda file: file.of)
    if rows := [row for _, files in by_hour for row in _row(lake, [*files], now)]:
        client.insert("hours", rows, column_names=_COLUMNS, database="ops")
    crash.reached(crash.Point.HOURS_LOADED)


def _row(lake: LakePath, files: Sequence[HourFile], now: datetime) -> Iterator[list[object]]:
    """The row of an hour and type. Of several files: their sums, the digest of their digests, the last writer."""
    try:
        both = [records.read(file.path(lake)) for file in files]
    except CorruptLake:  # reported as a difference elsewhere; what was loaded of it stays
        return
    found = [record for there in both if (record := there.now or there.next)]
    if found:
        last = max(found, key=lambda record: record.recorded_at)
        hour = datetime.fromtimestamp(files[0].hour * 3600, UTC)
        rows = sum(record.rows for record in found if not record.is_gone)
        size = sum(record.bytes for record in found if not record.is_gone)
        digests = [record.sha256 for record in found]
        sha256 = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
        yield [hour, files[0].record_type, rows, size, sha256, last.by, last.recorded_at, now]
