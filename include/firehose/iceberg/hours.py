"""What the records say of hours, and which hours a table may take: pure, but for the reading of records.

An hour is taken as a whole, once all its files are closed. Must not: look at a table or an hour file.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import NamedTuple

from firehose.errors import CorruptLake
from firehose.lake import layout, listed, recorded, records
from firehose.lake.closed_form import CLOSED
from firehose.lake.layout import HourFile
from firehose.lake.records import HourRecord
from firehose.store import LakePath


class Closed(NamedTuple):
    """A closed hour file that has rows, with its record."""

    file: HourFile
    record: HourRecord


#: The closed files of an hour; None: the hour is open, or one of its files is not what its record says.
Hour = tuple[Closed, ...] | None


class Recorded:
    """The records of a lake, by day. ``days`` has a digest of what the listing shows of each, taken first."""

    def __init__(self, lake: LakePath) -> None:
        self._lake = lake
        self._of_day: dict[date, dict[tuple[int, str], Hour]] = {}

    @cached_property
    def days(self) -> dict[date, str]:
        """The days that have records."""
        return {day: listed.digest(of_day) for day, of_day in listed.records(self._lake).items()}

    def hours(self, day: date, record_type: str) -> dict[int, Hour]:
        """The hours of a day, for one type. Each record is read once."""
        if day not in self._of_day:
            self._of_day[day] = self._read(day)
        return {hour: found for (hour, kind), found in self._of_day[day].items() if kind == record_type}

    def _read(self, day: date) -> dict[tuple[int, str], Hour]:
        found: dict[tuple[int, str], Hour] = {}
        for path in recorded.recorded_files(self._lake, day):
            file = layout.file_of(path)
            before, here = found.get(file.of, ()), _closed(path)
            found[file.of] = None if before is None or here is None else (*before, *here)
        return found


def _closed(path: LakePath) -> Hour:
    """The file, if it has rows; it may be one that has expired. None: it is not closed."""
    try:
        now, following = records.read(path)
    except CorruptLake:
        return None
    if now is None or following is not None or now.form != CLOSED:
        return None
    return () if now.is_gone or not now.rows else (Closed(layout.file_of(path), now),)


def behind(held: Mapping[int, frozenset[str]], hour: int, files: Hour) -> bool:
    """Tell whether a table holds another version of an hour than the lake; of an open one: any."""
    if files is None:
        return hour in held
    return frozenset(closed.record.sha256 for closed in files) != held.get(hour, frozenset())


def ready(held: Mapping[int, frozenset[str]], seen: Mapping[int, Hour]) -> dict[int, tuple[Closed, ...]]:
    """The hours that a table is to take, or to take again: of those that it holds, only ones that have changed.

    An event near the edge of an hour may have moved to the neighbouring one. So an hour waits while the table
    holds a version of a neighbour that is not the lake's, and is not replaced with it: no event is there twice.
    """
    stale = {hour for hour, files in seen.items() if files is None and hour in held}
    taken = {hour: files for hour, files in seen.items() if files is not None and behind(held, hour, files)}
    while late := {hour for hour in taken if not stale.isdisjoint((hour - 1, hour + 1))}:
        stale |= late & held.keys()
        taken = {hour: files for hour, files in taken.items() if hour not in late}
    return taken
