"""Running one statement for one user, and its result as a stream of bytes.

Lives here: choosing how the engine runs a statement. Must not: HTTP, what a user may run (permission).
"""

from __future__ import annotations

import re
import time
from typing import Final

from clickhouse_http import exceptions
from clickhouse_http.engine.connection import Connection
from clickhouse_http.engine.engine import Engine
from clickhouse_http.queries import loading, permission
from clickhouse_http.queries.plan import plan
from clickhouse_http.queries.results import Result, cut, streamed, summary, whole
from clickhouse_http.requests.request import Query, set_statement
from clickhouse_http.requests.spool import SpoolFile
from clickhouse_http.rights import users
from clickhouse_http.rights.users import User
from clickhouse_http.sql.statement import Insert, Shape
from clickhouse_http.wire import arrow, formats

_TOTALS: Final = re.compile(r"\btotals\b", re.IGNORECASE)
_CREATES: Final = "CreateQuery"


def run(engine: Engine, connection: Connection, user: User, query: Query, statement: str) -> Result:
    """Run ``statement`` up to its first bytes. Blocks.

    Raises:
        QueryError: it is refused, or fails before its first bytes. A failure after that comes from the pieces.
    """
    kind, count = connection.classify(statement)
    if count == 0 and not statement.strip():
        raise exceptions.refused(exceptions.SYNTAX_ERROR, "Syntax error: empty query")
    if count > 1:
        raise exceptions.refused(exceptions.SYNTAX_ERROR, "Syntax error (Multi-statements are not allowed)")
    shape = connection.shape(statement, query.parameters)
    if user.role == users.ANALYST:
        permission.check_analyst(engine, connection, user, query, kind, statement)
    else:
        permission.check_loader(user, query, kind, shape)
    if kind != permission.READS:
        return _changing(connection, query, statement, shape)
    output_format = shape.output_format or query.output_format
    if not shape.selects:
        joiner = formats.joiner(output_format, query.protocol_version)
        return whole(connection, query, statement, output_format, joiner)
    joiner, streams = _joiner(connection, query, statement, output_format)
    if joiner is None or not streams:
        return whole(connection, query, statement, output_format, joiner)
    return streamed(connection, query, statement, output_format, joiner)


def _joiner(
    connection: Connection, query: Query, statement: str, output_format: str
) -> tuple[formats.Joiner | None, bool]:
    """The joiner for the chunks of a SELECT's result, and True if it can be streamed."""
    key = output_format.lower()
    if key not in arrow.FORMATS:
        # The engine does not stream an empty result with totals well: the header comes after them.
        return formats.joiner(output_format, query.protocol_version), not _TOTALS.search(statement)
    planned = plan(connection, statement, query.parameters)
    zone = connection.execute("SELECT timezone() SETTINGS extremes = 0").bytes().decode().strip()
    streams = arrow.FORMATS[key]
    return arrow.Arrow(planned.types, zone, stream=streams), streams and not planned.has_footer


def insert(
    engine: Engine, connection: Connection, user: User, query: Query, target: Insert, data: SpoolFile
) -> Result:
    """Run an INSERT with ``data``, read piece by piece. Blocks.

    Raises:
        QueryError: it is refused, or the data does not fit.
    """
    if query.read_only:
        raise permission.readonly(user, query)
    if user.role == users.ANALYST:
        # With its format, the head is a whole statement to the parser. The data is left out: it is not SQL.
        permission.check_analyst(
            engine, connection, user, query, permission.MUTATES, f"{target.head} FORMAT {target.input_format}"
        )
    if query.parameters:
        connection.execute(set_statement({f"param_{k}": v for k, v in query.parameters.items()}))
    with connection.memory.settled(connection.table_sizes, connection.drop_tables):
        began = time.monotonic_ns()
        done = loading.load(connection, target.head, target.input_format, data)
        took = time.monotonic_ns() - began
    return Result(query.output_format, cut([]), summary(done, took))


def _changing(connection: Connection, query: Query, statement: str, shape: Shape) -> Result:
    connection.memory.keep(statement if shape.root == "Set" else "")
    # The engine is asked for the size of tables only in sessions that made one: the loader's hardly ever do.
    connection.memory.makes_tables |= shape.root == _CREATES and "temporary" in statement.lower()
    output_format = shape.output_format or query.output_format
    joiner = formats.joiner(output_format, query.protocol_version)
    with connection.memory.settled(connection.table_sizes, connection.drop_tables):
        return whole(connection, query, statement, output_format, joiner)
