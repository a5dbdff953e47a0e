"""Keeps the tables of events up to the ledger: a new batch's rows are added, or hours are made again.

Each table has a day a partition. Rows are made in staging tables, and a partition is added to or replaced in one
step. Events are read from the lake once; the other tables are made of them. Must not: SQL of the rows
(event_rows.py, include/firehose/clickhouse/tables), decide which batches to load (summaries.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Final

from clickhouse_connect.driver.client import Client

from firehose import crash
from firehose.lake.ledger import LedgerEntry
from firehose.schema import ACCOUNTS, EVENT_TYPES, IDENTITIES, POSTS
from firehose.warehouse import event_rows
from firehose.warehouse.event_parts import ANY, Part, is_new, parts, rows_by_hour, whole_hours
from firehose.warehouse.plan import Loaded, touched
from firehose.warehouse.sql import SQL_FOLDER

_EVENTS: Final = "ops.events"
#: Made of the rows of ``ops.events``, each by its SELECT: sums of a day, and the others, which have the hour.
_OF_DAY: Final = "accounts_by_day"
_OF_HOURS: Final = ("strays", "edges", "engagement_by_hour", "collections_by_hour")
_OF_EVENTS: Final = (_OF_DAY, *_OF_HOURS)
#: Read from the lake by a SELECT of their own, with the types that they are made of.
_OF_LAKE: Final = {
    "post_texts": frozenset({POSTS}),
    "post_changes": frozenset({POSTS}),
    "account_changes": frozenset({IDENTITIES, ACCOUNTS}),
}
#: The record types whose events a table has.
TYPES_OF: Final = {
    **{f"ops.{name}": frozenset(EVENT_TYPES) for name in ("events", *_OF_EVENTS)},
    **{f"ops.{name}": types for name, types in _OF_LAKE.items()},
}
#: All of them. What numbers stand for is never wrong, so names are only added to.
TABLES: Final = (_EVENTS, *(f"ops.{name}" for name in (*_OF_EVENTS, *_OF_LAKE, "names")))
_NEVER: Final = "false"
_BEGUN: Final = "SELECT DISTINCT batch FROM ops.adding WHERE batch NOT IN (SELECT id FROM ops.batches)"
_BATCH_ID: Final = "formatDateTime(batch, '%Y%m%dT%H%i%SZ', 'UTC')"


def load(
    client: Client, entries: Sequence[LedgerEntry], loaded: dict[str, Loaded], expired: set[datetime]
) -> None:
    """Bring the tables up to these entries of the ledger, of which ``loaded`` says what is there already.

    Of ``expired`` hours the lake has lost files by their age: those that the tables have are not made again, and
    only get the rows of new batches. Safe to repeat, and to kill at any point, provided that the entries count as
    loaded only afterwards.
    """
    begun = {batch for (batch,) in client.query(_BEGUN).result_rows}
    if not loaded and client.command(f"SELECT count() FROM {_EVENTS}"):
        begun.add(ANY)  # a migration has emptied ops.batches, and not these tables
    kept = _there(client, expired)
    new = [entry for entry in entries if is_new(entry, loaded, begun)]
    added = {entry.batch for entry in new}
    again = [entry for entry in entries if entry.batch not in added]
    if entries:
        client.insert("adding", [[entry.batch] for entry in entries], column_names=["batch"], database="ops")
        crash.reached(crash.Point.ADDING_NOTED)
    remade: set[datetime] = set()  # with the rows of every batch, those of new ones as well
    undone: set[datetime] = set()
    brought = rows_by_hour(entries)
    wanted = touched(again, loaded).keys() - kept
    for part in _whole_hours(client, wanted, brought):
        remade.update(part.hours)
        undone.update({*_rebuild(client, part)} - (wanted - remade))  # those have their turn
    for part in parts(new):
        found = _add(client, part) if remade.isdisjoint(part.hours) else None
        if found is not None:
            undone.update(found)
            continue
        for whole in _whole_hours(client, set(part.hours) - kept, brought):
            undone.update(_rebuild(client, whole))
            remade.update(whole.hours)
    for part in _whole_hours(client, undone - kept, Counter()):
        _rebuild(client, part)


def forget_loaded(client: Client) -> None:
    """Forget which batches were being added, once all of them count as loaded."""
    if {batch for (batch,) in client.query(_BEGUN).result_rows} <= {ANY}:
        client.command("TRUNCATE TABLE ops.adding")


def doubt(client: Client) -> None:
    """Note that rows may be there of any batch that does not count as loaded: a backup copies tables in turn."""
    client.insert("adding", [[ANY]], column_names=["batch"], database="ops")


def _there(client: Client, hours: set[datetime]) -> set[datetime]:
    """Those of these hours of which there are rows."""
    if not hours:
        return set()
    query = f"SELECT DISTINCT hour FROM {_EVENTS} WHERE hour IN ({_times(hours)})"
    return {hour for (hour,) in client.query(query, tz_mode="aware").result_rows}


def _whole_hours(client: Client, hours: set[datetime], brought: Mapping[datetime, int]) -> list[Part]:
    """Hours that are made again: an hour has the rows that are there, and those that entries bring."""
    days = {hour.date() for hour in hours}
    there: Counter[datetime] = sum((_rows(client, day) for day in days), Counter(brought))
    return whole_hours(hours, there)


def _rows(client: Client, day: date) -> Counter[datetime]:
    """How many rows each hour of a day has."""
    query = f"SELECT hour, count() FROM {_EVENTS} WHERE day = {{day:Date}} GROUP BY hour"
    rows = client.query(query, parameters={"day": day}, tz_mode="aware").result_rows
    return Counter({hour: int(count) for hour, count in rows})


def _add(client: Client, part: Part) -> list[datetime] | None:
    """Add the rows of new batches, if they are as many as the ledger says; else None.

    Returns the hours of deletes that were about nothing known, and whose creates have come.
    """
    _read(client, part)
    if part.rows not in (None, client.command("SELECT count() FROM ops.staging_events_read")):
        return None  # a batch was published again meanwhile, or the lake is odd
    _number(client, _NEVER)
    undone = _undone(client, part, _NEVER)
    for name in _OF_EVENTS:
        _stage(client, name)
        _derive(client, name, "ops.staging_events")
    for name in _OF_LAKE:
        _select(client, name, part)
    for name in ("events", *_OF_EVENTS, *_OF_LAKE, "names"):
        _attach(client, name, part.day)
    _drop(client)
    return undone


def _rebuild(client: Client, part: Part) -> list[datetime]:
    """Make these hours again from the lake; the rows of the day's other hours stay.

    Returns hours as :func:`_add` does.
    """
    _read(client, part)
    # Rows of a batch whose turn has yet to come.
    client.command(f"INSERT INTO ops.adding SELECT DISTINCT {_BATCH_ID} FROM ops.staging_events_read")
    replaced = f"day = toDate('{part.day}') AND hour IN ({_times(part.hours)})"
    _number(client, replaced)
    undone = _undone(client, part, replaced)
    for name in _OF_EVENTS:
        _stage(client, name)
        _derive(client, name, "ops.staging_events")
    rows = _rows(client, part.day)
    for others in whole_hours(rows.keys() - {*part.hours}, rows):
        kept = f"(SELECT * FROM {_EVENTS} WHERE day = toDate('{part.day}') AND hour IN ({_times(others.hours)}))"
        _derive(client, _OF_DAY, kept)
    for name in _OF_LAKE:
        _select(client, name, part)
    for name in ("events", *_OF_HOURS, *_OF_LAKE):
        _keep(client, name, part)
    for name in ("events", *_OF_EVENTS, *_OF_LAKE):
        _replace(client, name, part.day)
    _attach(client, "names", part.day)
    _drop(client)
    return undone


def _undone(client: Client, part: Part, replaced: str) -> list[datetime]:
    """The hours of deletes, of other rows than those of the part, that their creates have come after."""
    query = event_rows.hours_of_late_creates("ops.staging_events", replaced)
    rows = client.query(query, parameters={"day": part.day}, tz_mode="aware").result_rows
    return [hour for (hour,) in rows]


def _drop(client: Client) -> None:
    for name in ("events_read", "events_numbered", "events", "names", *_OF_EVENTS, *_OF_LAKE):
        client.command(f"DROP TABLE ops.staging_{name}")


def _read(client: Client, part: Part) -> None:
    """Fill ``ops.staging_events_read`` and ``ops.staging_names`` from the lake."""
    _stage(client, "events_read")
    for record_type in part.types:
        select = event_rows.read(record_type)
        client.command(f"INSERT INTO ops.staging_events_read\n{select}", parameters=_wanted(part))
    _stage(client, "names")
    client.command(f"INSERT INTO ops.staging_names\n{event_rows.names('ops.staging_events_read')}")


def _number(client: Client, replaced: str) -> None:
    """Fill ``ops.staging_events`` with what was read."""
    client.command(f"CREATE OR REPLACE TABLE ops.staging_events_numbered AS {_EVENTS}")
    client.command(f"INSERT INTO ops.staging_events_numbered\n{event_rows.numbered('ops.staging_events_read')}")
    _stage(client, "events")
    select = event_rows.resolved("ops.staging_events_numbered", replaced)
    client.command(f"INSERT INTO ops.staging_events\n{select}")
    client.command(f"INSERT INTO ops.staging_names\n{event_rows.names_of_undone('ops.staging_events')}")


def _derive(client: Client, name: str, source: str) -> None:
    select = (SQL_FOLDER / "tables" / f"{name}.sql").read_text(encoding="utf-8")
    client.command(f"INSERT INTO ops.staging_{name}\n{select.replace('{source}', source)}")


def _select(client: Client, name: str, part: Part) -> None:
    _stage(client, name)
    if not _OF_LAKE[name].isdisjoint(part.types):
        select = (SQL_FOLDER / "tables" / f"{name}.sql").read_text(encoding="utf-8")
        client.command(f"INSERT INTO ops.staging_{name}\n{select}", parameters=_wanted(part))


def _keep(client: Client, name: str, part: Part) -> None:
    """Take over the day's rows of other hours."""
    others = f"day = toDate('{part.day}') AND hour NOT IN ({_times(part.hours)})"
    client.command(f"INSERT INTO ops.staging_{name} SELECT * FROM ops.{name} WHERE {others}")


def _stage(client: Client, name: str) -> None:
    client.command(f"CREATE OR REPLACE TABLE ops.staging_{name} AS ops.{name}")


def _attach(client: Client, name: str, day: date) -> None:
    client.command(f"ALTER TABLE ops.{name} ATTACH PARTITION '{day}' FROM ops.staging_{name}")
    crash.reached(crash.Point.PARTITION_ATTACHED)


def _replace(client: Client, name: str, day: date) -> None:
    # The engine refuses to replace a partition by an empty one.
    if client.command(f"SELECT count() FROM ops.staging_{name}"):
        client.command(f"ALTER TABLE ops.{name} REPLACE PARTITION '{day}' FROM ops.staging_{name}")
    else:
        client.command(f"ALTER TABLE ops.{name} DROP PARTITION '{day}'")


def _wanted(part: Part) -> dict[str, list[datetime]]:
    return {"hours": list(part.hours), "batches": list(part.batches)}


def _times(hours: Iterable[datetime]) -> str:
    return ", ".join(f"toDateTime('{hour:%Y-%m-%d %H:%M:%S}', 'UTC')" for hour in hours)
