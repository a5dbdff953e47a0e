"""Plans what is loaded into the tables of events together: new batches of a day, or hours that are made again.

Lives here: pure functions. Must not: I/O, SQL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Final, NamedTuple, TypeVar

from firehose.lake.ledger import LedgerEntry
from firehose.schema import EVENT_TYPES
from firehose.warehouse.plan import Loaded, hours_of, touched

_Each = TypeVar("_Each")
#: In ``ops.adding``: any batch that does not count as loaded.
ANY: Final = "*"
#: Rows that are made at a time, about.
_ROWS: Final = 4_000_000


class Part(NamedTuple):
    """Hours of a day that are loaded together; of these ``batches`` only, or whole if there are none.

    ``types``: those of which rows are there. ``rows``: how many the ledger says these are; None: it does not say,
    as some are of another day.
    """

    day: date
    hours: tuple[datetime, ...]
    batches: tuple[datetime, ...] = ()
    types: tuple[str, ...] = EVENT_TYPES
    rows: int | None = None


def is_new(entry: LedgerEntry, loaded: dict[str, Loaded], begun: set[str]) -> bool:
    """Whether no row of the batch is there yet, and it took no row of another batch out of the lake."""
    displaced = sum(counts.displaced for counts in entry.counts.values())
    return not ({entry.batch, ANY} & begun or entry.batch in loaded or displaced)


def whole_hours(hours: Iterable[datetime], rows: Mapping[datetime, int]) -> list[Part]:
    """These hours by day, some rows at a time, with those of every batch.

    ``rows``: how many an hour has, about.
    """
    by_day: dict[date, list[datetime]] = {}
    for hour in sorted(hours):
        by_day.setdefault(hour.date(), []).append(hour)
    return [
        Part(day, some) for day, of_day in by_day.items() for some in _some(of_day, lambda hour: rows.get(hour, 0))
    ]


def rows_by_hour(entries: Iterable[LedgerEntry]) -> Counter[datetime]:
    """How many rows these entries brought to each hour, about: as if each was in all hours of its batch."""
    found: Counter[datetime] = Counter()
    for entry in entries:
        for hour in hours_of(entry):
            found[hour] += _stored(entry)
    return found


def parts(entries: Iterable[LedgerEntry]) -> list[Part]:
    """What to add, some rows at a time: by day, since deletes find creates of earlier days, then by batch."""
    by_day: dict[date, list[LedgerEntry]] = {}
    for entry in sorted(entries, key=lambda entry: entry.start):
        for day in {hour.date() for hour in hours_of(entry)}:
            by_day.setdefault(day, []).append(entry)
    return [_part(day, some) for day in sorted(by_day) for some in _some(by_day[day], _stored)]


def _some(each: Iterable[_Each], rows_of: Callable[[_Each], int]) -> list[tuple[_Each, ...]]:
    """In groups of up to ``_ROWS`` rows, or of one that has more."""
    found: list[tuple[_Each, ...]] = []
    rows = 0
    for one in each:
        rows += rows_of(one)
        if found and rows <= _ROWS:
            found[-1] = (*found[-1], one)
        else:
            found.append((one,))
            rows = rows_of(one)
    return found


def _stored(entry: LedgerEntry) -> int:
    return sum(entry.counts[name].stored for name in EVENT_TYPES if name in entry.counts)


def _part(day: date, entries: Sequence[LedgerEntry]) -> Part:
    of_day = touched(entries, {})
    hours = [hour for hour in sorted(of_day) if hour.date() == day]
    types = {name for hour in hours for name in of_day[hour]}
    within = all(hour.date() == day for entry in entries for hour in hours_of(entry))
    rows = sum(map(_stored, entries)) if within else None
    return Part(day, tuple(hours), tuple(entry.start for entry in entries), tuple(sorted(types)), rows)
