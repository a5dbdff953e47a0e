"""Which hours to look through again for records that both systems have.

``ops.imported_keys`` is made of the hours that an import has written to.
``ops.imported_seen`` is made of the hours that a batch has written to, as a summary is, and of those in which the
firehose brought a record that an import has now added. Must not: make rows (summaries.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import Final

from clickhouse_connect.driver.client import Client

from firehose.lake.ledger import LedgerEntry
from firehose.warehouse.columns import OF_BOTH_SYSTEMS
from firehose.warehouse.plan import IMPORTED, KEYS, SEEN, Loaded, Rebuild, Summary, start_of, touched

_ADDED: Final = "SELECT account, record FROM ops.imported_keys WHERE hour IN {hours:Array(DateTime('UTC'))}"
#: By account first, which is how the table is sorted. Record 0: a list of follows, which had no record keys.
_BROUGHT: Final = f"""
SELECT DISTINCT hour FROM ops.events
WHERE type IN {{types:Array(String)}} AND operation IN ('create', 'update')
    AND account IN (SELECT account FROM ({_ADDED}))
    AND ((account, record) IN ({_ADDED}) OR account IN (SELECT account FROM ({_ADDED}) WHERE record = 0))"""


def rebuilds(client: Client, entries: Iterable[LedgerEntry], loaded: dict[str, Loaded]) -> Iterator[Rebuild]:
    """The hours of the two tables that these entries change. What is given has to be made before the next one.

    Where nothing was imported there are none.
    """
    entries = list(entries)
    added = {hour for entry in entries for hour in _imported(client, entry)}
    yield from _by_day(KEYS, added)
    if not client.command("SELECT count() FROM ops.imported_keys"):
        return
    wanted = {hour for hour, types in touched(entries, loaded).items() if types & SEEN.types}
    if added:
        asked = {"hours": sorted(added), "types": list(OF_BOTH_SYSTEMS)}
        wanted |= {hour for (hour,) in client.query(_BROUGHT, parameters=asked, tz_mode="aware").result_rows}
    yield from _by_day(SEEN, wanted)


def _imported(client: Client, entry: LedgerEntry) -> set[datetime]:
    """The hours of an import, and those of its day that an earlier edition of it may have written to."""
    names = [name for name, types in entry.hours.items() if IMPORTED in types]
    if not names:
        return set()
    query = "SELECT DISTINCT hour FROM ops.imported_keys WHERE day = {day:Date}"
    of_day = client.query(query, parameters={"day": entry.start.date()}, tz_mode="aware").result_rows
    return {hour for (hour,) in of_day} | {start_of(name) for name in names}


def _by_day(table: Summary, hours: set[datetime]) -> Iterator[Rebuild]:
    for day, group in groupby(sorted(hours), key=datetime.date):
        yield Rebuild(day, table.table, tuple(group))
