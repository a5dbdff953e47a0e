"""The SELECTs that make rows of ``ops.events`` from the views over the lake: first as texts, then as numbers.

Lives here: SQL text, as pure functions. Accounts and record keys become numbers of 64 bits: a TID its own value,
another key and every DID a hash, whose text :func:`names` gives. Must not: connections; what is made of events
(include/firehose/clickhouse/tables).
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from firehose.records import tid_sql
from firehose.records.base import RecordType
from firehose.records.columns import Edge
from firehose.records.registry import REGISTRY
from firehose.warehouse.columns import OF_BOTH_SYSTEMS
from firehose.warehouse.selects import quoted

#: The rows of these hours; of these batches only, if any are named.
WANTED: Final = (
    "hour_start IN {hours:Array(DateTime('UTC'))} AND"
    " (empty({batches:Array(DateTime64(3, 'UTC'))}) OR batch IN {batches:Array(DateTime64(3, 'UTC'))})"
)
_HASH: Final = "bitOr(cityHash64({0}), 0x8000000000000000)"
_AT: Final = "toUnixTimestamp64Micro(at) * 1024"  # as a TID of the clock 0
_DAY_OF_KEY: Final = "toDate(fromUnixTimestamp64Micro(toInt64(bitShiftRight(record, 10)), 'UTC'))"
_PLAIN: Final = "day, hour, at, account, type, operation, collection, record_after, rev_after, resync"
_EDGES: Final = "edges.kind, edges.account, edges.collection, edges.record"
_NAMED_EDGES: Final = (
    "edges.kind AS kinds, edges.account AS accounts, edges.collection AS collections, edges.record AS records"
)


def read(record_type: str) -> str:
    """The events of a type in the columns of ``ops.events_read``."""
    of = REGISTRY[record_type]
    columns = "operation, {collection}, rkey, rev, resync" if of.is_commit else "'', '', '', '', false"
    collection = quoted(of.collection) if of.collection else "collection"
    edges = ", ".join(f"about.{place}" for place in range(1, 5))
    return (
        f"SELECT batch, date, hour_start, witnessed_at, did, {quoted(of.name)},"
        f" {columns.format(collection=collection)}, {edges}\n"
        f"FROM (SELECT *, {_about(of)} AS about FROM firehose.{_view(of)} WHERE {WANTED})"
    )


def _view(of: RecordType) -> str:
    """The view that shows the firehose's rows alone."""
    return f"seen_{of.name}" if of.name in OF_BOTH_SYSTEMS else of.name


def numbered(source: str) -> str:
    """The rows of ``ops.events_read`` as those of ``ops.events``; deletes are about nothing yet."""
    record, rev = key("rkey"), key("rev")
    base = f"if(operation = 'delete' OR number = 0 OR bitTest(number, 63), {_AT}, toInt64(number))"
    edges = ", ".join(
        [
            "edges.kind",
            f"arrayMap(d -> {account('d')}, edges.did)",
            "edges.collection",
            f"arrayMap(k -> {key('k')}, edges.rkey)",
        ]
    )
    return (
        f"SELECT day, hour, at, {account('did')}, type, operation, collection, toInt64(number) - {_AT},"
        f" toInt64({rev}) - {base}, resync, {edges}\nFROM (SELECT *, {record} AS number FROM {source})"
    )


def resolved(source: str, replaced: str) -> str:
    """The numbered rows of ``source``, deletes with what their records were about.

    ``replaced``: a condition on the rows of ``ops.events`` and ``ops.strays`` that these rows are to replace.
    """
    others = f"SELECT {_PLAIN}, {_EDGES} FROM {source} WHERE operation != 'delete'"
    deletes = f"SELECT {_PLAIN}, record, rev FROM {source} WHERE operation = 'delete'"
    found = (
        f"SELECT {', '.join(f'd.{name}' for name in _PLAIN.split(', '))}, kinds, accounts, collections, records\n"
        f"FROM ({deletes}) AS d ASOF LEFT JOIN\n({_creates(source, replaced)}) AS c\n"
        "ON d.account = c.account AND d.type = c.type AND d.record = c.record AND d.rev > c.rev"
    )
    return f"{others}\nUNION ALL\n{found}"


def hours_of_late_creates(source: str, replaced: str) -> str:
    """The hours of deletes in ``ops.strays``, so about nothing known, of what rows of ``source`` create.

    Without deletes that these rows are to replace (a condition). Binds ``day``, the day of these rows.
    """
    creates = (
        f"SELECT account, type, record, rev FROM {source} WHERE operation = 'create' AND NOT resync"
        " AND notEmpty(edges.kind)"
    )
    deletes = (
        "SELECT hour, account, type, record, rev FROM ops.strays WHERE day >= {day:Date} - 1"
        f" AND operation = 'delete' AND NOT ({replaced})"
    )
    return (
        f"SELECT DISTINCT d.hour FROM ({deletes}) AS d JOIN ({creates}) AS c"
        " ON d.account = c.account AND d.type = c.type AND d.record = c.record WHERE d.rev > c.rev"
    )


def names(source: str) -> str:
    """What the numbers of rows of ``ops.events_read`` stand for."""
    keys = f"arrayFilter(k -> k != '' AND NOT {tid_sql.is_tid('k')}, arrayPushBack(edges.rkey, rkey))"
    pairs = (
        f"arrayConcat(arrayMap(d -> ({account('d')}, d), arrayPushBack(edges.did, did)),"
        f" arrayMap(k -> ({_HASH.format('k')}, k), {keys}))"
    )
    return (
        f"SELECT DISTINCT day, pair.1, pair.2 FROM (SELECT day, arrayJoin({pairs}) AS pair FROM {source})"
        " WHERE pair.2 != ''"
    )


def names_of_undone(source: str) -> str:
    """What the numbers of what deletes undo stand for: the events of their day need not name them."""
    deleted = f"SELECT account, type, record FROM {source} WHERE operation = 'delete'"
    numbers = "arrayJoin(arrayConcat(edges.account, edges.record))"
    days = f"arrayJoin([{_DAY_OF_KEY} - 1, {_DAY_OF_KEY}, {_DAY_OF_KEY} + 1])"
    by_key = f"SELECT {days}, {numbers} FROM {source} WHERE operation = 'delete' AND NOT bitTest(record, 63)"
    strays = f"SELECT day, {numbers} FROM ops.strays WHERE (account, type, record) IN ({deleted})"
    undone = f"SELECT DISTINCT day, {numbers} AS number FROM {source} WHERE operation = 'delete'"
    return (
        f"SELECT undone.day, number, name FROM ({undone}) AS undone JOIN\n(SELECT DISTINCT number, name FROM"
        f" ops.names WHERE (day, number) IN ({by_key}) OR (day, number) IN ({strays})) AS there USING (number)"
    )


def account(did: str) -> str:
    """SQL for the number of an account."""
    return f"if({did} = '', 0, cityHash64({did}))"


def address(uri: str) -> tuple[str, str]:
    """SQL for the numbers of a record's account and key, out of its address."""
    _, _, did, _, rkey = uri.split("/")
    return account(quoted(did)), key(quoted(rkey))


def key(text: str) -> str:
    """SQL for the number of a record key."""
    return f"multiIf({text} = '', 0, {tid_sql.is_tid(text)}, {tid_sql.value_of(text)}, {_HASH.format(text)})"


def _about(of: RecordType) -> str:
    """An array of what each record is about: (kind, DID, collection, record key)."""
    lists = [_edges(edge, pa.types.is_list(of.schema.field(edge.column).type)) for edge in of.edges]
    empty = "emptyArrayString()"
    if not lists:
        return f"({empty}, {empty}, {empty}, {empty})"
    found = f"arrayFilter(e -> e.2 != '', arrayConcat({', '.join(lists)}))"
    return f"({', '.join(f'arrayMap(e -> e.{place}, {found})' for place in range(1, 5))})"


def _edges(edge: Edge, is_list: bool) -> str:
    values = edge.column if is_list else f"[ifNull({edge.column}, '')]"
    parts = "splitByChar('/', x)"
    of_record = f"({quoted(edge.kind)}, {parts}[3], {parts}[4], {parts}[5])"
    return f"arrayMap(x -> if(startsWith(x, 'at://'), {of_record}, ({quoted(edge.kind)}, x, '', '')), {values})"


def _creates(source: str, replaced: str) -> str:
    """Creates of the keys that ``source`` deletes: its own, those of the days of these keys, and strays."""
    columns = f"account, type, record, rev, {_NAMED_EDGES}"
    deleted = f"SELECT account, type, record FROM {source} WHERE operation = 'delete'"
    days = f"SELECT arrayJoin([key_day - 1, key_day, key_day + 1]) FROM (SELECT DISTINCT {_DAY_OF_KEY} AS key_day"
    days += f" FROM {source} WHERE operation = 'delete' AND NOT bitTest(record, 63))"
    keep = f"operation = 'create' AND NOT resync AND (account, type, record) IN ({deleted})"
    there = f"{keep} AND NOT ({replaced})"
    return "\nUNION ALL\n".join(
        [
            f"SELECT {columns} FROM {source} WHERE {keep}",
            f"SELECT {columns} FROM ops.events WHERE day IN ({days}) AND {there}",
            f"SELECT {columns} FROM ops.strays WHERE {there}",
        ]
    )
