"""What a query reads: tables, the hours of each as far as its conditions tell, and the record types of a table.

Lives here: pure functions over the query's tree. Hours and types are those that the query reads, or more.
Must not: ask the engine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from firehose import schema
from firehose.warehouse.event_tables import TYPES_OF
from firehose.warehouse.hour_conditions import condition, is_time
from firehose.warehouse.plan import SUMMARIES
from firehose.warehouse.query_tree import Node, parsed
from firehose.warehouse.sql import SQL_FOLDER

_ALL: Final = frozenset(schema.EVENT_TYPES)
_VIEWS: Final = SQL_FOLDER / "views"
#: Views of the database ``firehose`` without events of the stream.
_WITHOUT: Final = frozenset(
    f"firehose.{name}" for name in ("cohorts", "completeness", "gif_hosts", "imported", "quarantine")
)


class Read(NamedTuple):
    """A table that a query reads, and conditions that hold for all hours that it reads of it."""

    table: str
    conditions: tuple[str, ...]


def reads(tree: str) -> list[Read]:
    """The tables in a query's tree, those of its subqueries included, each with the conditions of its own query.

    Without queries for the first or latest time, such as the day that the rest of the query is about.
    """
    queries = parsed(tree).all("QUERY")
    return [read for query in queries if not _asks_when(query) for read in _reads(query)]


@cache
def types_of(table: str) -> frozenset[str]:
    """The record types in a table or view, by its full name; empty: it has no events.

    A view is of the types of what it reads; what is not known has all.
    """
    for summary in SUMMARIES:
        if summary.table == table:
            return summary.types
    if table in TYPES_OF:
        return TYPES_OF[table]
    database, _, name = table.partition(".")
    if database != "firehose" or table in _WITHOUT:
        return frozenset()
    if (of := name.removeprefix("seen_")) in schema.EVENT_TYPES:
        return frozenset({of})
    path = _VIEWS / f"{name}.sql"
    # The first line says how the view is asked, by its own name.
    statement = path.read_text(encoding="utf-8").partition("\n")[2] if path.exists() else ""
    below = re.findall(r"\b(?:firehose|ops)\.\w+", statement)
    return frozenset(kind for each in below for kind in types_of(each)) or _ALL


def _reads(query: Node) -> Iterator[Read]:
    """The tables that a query names itself."""
    parts = [part for kind in ("WHERE", "PREWHERE") for top in query.below(kind) for part in _parts(top)]
    for join in query.children:
        if join.kind == "JOIN TREE":
            for number, name in _tables(join):
                yield Read(name, tuple(sql for part in parts if (sql := condition(part, number))))


def _tables(join: Node) -> Iterator[tuple[str, str]]:
    """Number and full name of each table, views with parameters included."""
    yield from (node.table for node in join.all("TABLE", but_not_in="QUERY") if node.table)
    for node in join.all("TABLE_FUNCTION", but_not_in="QUERY"):
        number, name = node.table_function or ("", "")
        if (_VIEWS / f"{name.removeprefix('firehose.')}.sql").exists():
            yield number, f"firehose.{name.removeprefix('firehose.')}"


def _parts(top: Node) -> Iterator[Node]:
    """The conditions that all have to hold."""
    if top.function == "and":
        for part in top.arguments:
            yield from _parts(part)
    else:
        yield top


def _asks_when(query: Node) -> bool:
    """Tell whether a query is for nothing but the minimum or maximum of times."""
    projection = Node("", query.below("PROJECTION"))
    aggregates = [node.function for node in projection.all("FUNCTION") if "function_type: aggregate" in node.text]
    columns = [node.column for node in projection.all("COLUMN")]
    times = all(column and is_time(column.name, column.type) for column in columns)
    return bool(aggregates) and times and {*aggregates} <= {"min", "max"}
