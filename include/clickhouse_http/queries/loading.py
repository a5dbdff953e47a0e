"""Giving data from the spool to the engine piece by piece: for an INSERT, and for a request's external tables.

Lives here: loading, and dropping external tables afterwards. Must not: HTTP, rights.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from clickhouse_http import exceptions
from clickhouse_http.engine.connection import Connection
from clickhouse_http.engine.parser import Parser
from clickhouse_http.requests.external import ExternalTable
from clickhouse_http.requests.spool import SpoolFile
from clickhouse_http.sql.statement import identifier

_PIECE: Final = 1024 * 1024


def load(connection: Connection, head: str, input_format: str, data: SpoolFile) -> Any:
    """Run the INSERT ``head`` with ``data``. Returns the engine's result. Blocks.

    Raises:
        QueryError: the engine refuses, or the data does not fit.
    """
    running = connection.begin_insert(head, input_format)
    try:
        while piece := data.read(_PIECE):
            connection.append(running, piece)
        return connection.end_insert(running)
    except exceptions.QueryError:
        connection.cancel_insert(running)
        raise


def load_external(parser: Parser, connection: Connection, tables: Sequence[ExternalTable]) -> None:
    """Make the external tables of a request, and fill them. Blocks.

    Raises:
        QueryError: the engine does not accept the columns or the data; a temporary table has that name already;
            the tables hold more than the memory of one query.
    """
    for table in tables:
        name = identifier(table.name)
        connection.execute(f"CREATE TEMPORARY TABLE {name} ({_columns(parser, table)}) ENGINE = Memory")
        connection.memory.external_tables.append(table.name)
        load(connection, f"INSERT INTO {name}", table.input_format, table.data)
        sizes = connection.table_sizes()
        if sum(sizes.get(name, 0) for name in connection.memory.external_tables) > connection.memory.limit:
            raise exceptions.refused(
                exceptions.MEMORY_LIMIT_EXCEEDED,
                f"The external tables hold more than the {connection.memory.limit} bytes that were granted.",
            )


def drop_external(connection: Connection) -> None:
    """Undo :func:`load_external`, also where it failed half way. The session's own tables stay."""
    connection.drop_tables(connection.memory.external_tables)
    connection.memory.external_tables.clear()


def _columns(parser: Parser, table: ExternalTable) -> str:
    """The columns of an external table as the engine writes them: the client's text is only a value to it."""
    rows = [json.loads(line) for line in parser.columns(table.structure).splitlines()]
    if any(text for _, _, *others in rows for text in others):
        raise exceptions.refused(
            exceptions.BAD_ARGUMENTS,
            f"A column of the external table {table.name!a} has more than a name and a type.",
        )
    return ", ".join(f"{identifier(name)} {kind}" for name, kind, *_ in rows)
