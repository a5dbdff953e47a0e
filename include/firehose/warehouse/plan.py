"""Plans a refresh: which days and hours to rebuild, from the lake's ledger and the batches that are loaded.

Lives here: pure functions. Must not: I/O, SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Final, NamedTuple

from firehose.lake import layout
from firehose.lake.ledger import LedgerEntry
from firehose.schema import BLOCKS, EVENT_TYPES, FOLLOWS, LIKES, POSTS, REPOSTS
from firehose.store import Listed


class Summary(NamedTuple):
    """A summary table, with its database, and the record types that it is made from."""

    table: str
    types: frozenset[str]


IMPORTED: Final = "imported"
SUMMARIES: Final = (
    Summary("firehose.events_by_minute", frozenset(EVENT_TYPES)),
    Summary("ops.account_states_by_hour", frozenset(EVENT_TYPES)),
    Summary("firehose.languages_by_hour", frozenset({POSTS})),
    Summary("firehose.hashtags_by_hour", frozenset({POSTS})),
    Summary("firehose.link_domains_by_hour", frozenset({POSTS})),
    Summary("firehose.link_hosts_by_hour", frozenset({POSTS})),
    Summary("firehose.links_by_hour", frozenset({POSTS})),
    Summary("firehose.most_liked_posts_by_hour", frozenset({LIKES})),
)
#: Which records both systems have: made as the others, and after them; see matches.py.
KEYS: Final = Summary("ops.imported_keys", frozenset({IMPORTED}))
SEEN: Final = Summary("ops.imported_seen", frozenset({POSTS, LIKES, FOLLOWS, REPOSTS, BLOCKS}))
_EVENTS: Final = frozenset(EVENT_TYPES)
#: So many rows of several hours are summed up at a time.
_FEW_ROWS: Final = 1_000_000


class Loaded(NamedTuple):
    """A batch as ClickHouse has it: when it was published, and the hours that it wrote to.

    ``stamp`` is that of its entry in the ledger when that was read; empty: it is not known.
    """

    published_at: datetime
    hours: tuple[datetime, ...]
    stamp: str = ""


class Rebuild(NamedTuple):
    """The hours of one table to rebuild, all in one day's partition."""

    day: date
    table: str
    hours: tuple[datetime, ...]


def together(hours: Iterable[datetime], rows: Mapping[datetime, int]) -> Iterator[list[datetime]]:
    """These hours, as many at a time as have few rows together; one of which nothing is known comes alone.

    A statement costs as much as some hundred thousand rows, and the old system's days are of hours with few.
    """
    waiting: list[datetime] = []
    for hour in hours:
        if waiting and sum(rows.get(one, _FEW_ROWS) for one in (*waiting, hour)) > _FEW_ROWS:
            yield waiting
            waiting = []
        waiting.append(hour)
    if waiting:
        yield waiting


def unread(ledger: dict[str, Listed], loaded: dict[str, Loaded]) -> list[Listed]:
    """The entries of the ledger that have not been read as they are now."""
    return [each for batch, each in ledger.items() if batch not in loaded or loaded[batch].stamp != each.stamp]


def pending(ledger: Iterable[LedgerEntry], loaded: dict[str, Loaded]) -> list[LedgerEntry]:
    """The entries that ClickHouse lacks, or has in another edition (a newer one too: a lake may be restored)."""
    return [e for e in ledger if e.batch not in loaded or loaded[e.batch].published_at != e.published_at]


def hours_of(entry: LedgerEntry) -> dict[datetime, frozenset[str]]:
    """The hours that a batch wrote events to, and the types written in each."""
    of_events = {name: frozenset(types) & _EVENTS for name, types in entry.hours.items()}
    return {start_of(name): types for name, types in of_events.items() if types}


def start_of(hour_name: str) -> datetime:
    """The start of an hour, by its name in the ledger."""
    return datetime.fromtimestamp(layout.parse_hour(hour_name) * 3600, UTC)


def touched(entries: Iterable[LedgerEntry], loaded: dict[str, Loaded]) -> dict[datetime, set[str]]:
    """The hours that loading these entries rebuilds, and the types in each.

    Hours that an earlier edition of a batch wrote to are included: its rows may be gone now.
    """
    found: dict[datetime, set[str]] = {}
    for entry in entries:
        for hour, types in hours_of(entry).items():
            found.setdefault(hour, set()).update(types)
        for hour in loaded[entry.batch].hours if entry.batch in loaded else ():
            found.setdefault(hour, set()).update(EVENT_TYPES)
    return found


def sound(entries: Iterable[LedgerEntry], loaded: dict[str, Loaded], wrong: set[datetime]) -> list[LedgerEntry]:
    """The entries whose loading rebuilds none of the ``wrong`` hours."""
    return [entry for entry in entries if not wrong & touched([entry], loaded).keys()]


def rebuilds(entries: Iterable[LedgerEntry], loaded: dict[str, Loaded]) -> list[Rebuild]:
    """The rebuilds for the given entries, by day and table."""
    hours = touched(entries, loaded)
    days = sorted({hour.date() for hour in hours})
    planned = [
        Rebuild(day, s.table, tuple(sorted(h for h, t in hours.items() if h.date() == day and s.types & t)))
        for day in days
        for s in SUMMARIES
    ]
    return [rebuild for rebuild in planned if rebuild.hours]
