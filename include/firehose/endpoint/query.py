"""Running one statement for one user: what is allowed, and its result as a stream of bytes.

Lives here: refusing what a user may not even try, and choosing how the engine runs a statement. Must not: HTTP.

What the engine enforces (grants, readonly, constraints) is in engine_config. The refusals here and in rights come
first and use the engine's own parser: they close what those leave open, such as SET ROLE and INTO OUTFILE.
"""

from __future__ import annotations

import re
from typing import Final

from firehose.endpoint import arrow, errors, formats, rights, users
from firehose.endpoint.connection import Connection
from firehose.endpoint.engine import Engine
from firehose.endpoint.plan import plan
from firehose.endpoint.request import Query, set_statement
from firehose.endpoint.results import Result, cut, streamed, summary, whole
from firehose.endpoint.spool import SpoolFile
from firehose.endpoint.statement import Insert, Shape
from firehose.endpoint.users import User

_PIECE: Final = 1024 * 1024
_TOTALS: Final = re.compile(r"\btotals\b", re.IGNORECASE)
#: Statements that are not read-only to the engine but change nothing beyond the caller's own session.
_OWN_SESSION: Final = frozenset({"Set", "SetQuery", "UseQuery"})
_READS: Final = "READ_ONLY"


def run(engine: Engine, connection: Connection, user: User, query: Query, statement: str) -> Result:
    """Run ``statement`` up to its first bytes. Blocks.

    Raises:
        QueryError: it is refused, or fails before its first bytes. A failure after that comes from the pieces.
    """
    kind, count = connection.classify(statement)
    if count == 0 and not statement.strip():
        raise errors.refused(errors.SYNTAX_ERROR, "Syntax error: empty query")
    if count > 1:
        raise errors.refused(errors.SYNTAX_ERROR, "Syntax error (Multi-statements are not allowed)")
    shape = connection.shape(statement, query.parameters)
    if user.role == users.ANALYST:
        _check_analyst(engine, user, query, kind, statement)
    else:
        _check_loader(user, query, kind, shape)
    if kind != _READS:
        connection.memory.keep(statement if shape.root == "Set" else "")
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
    """What joins the chunks of a SELECT's result, and whether it can come in chunks."""
    key = output_format.lower()
    if key not in arrow.FORMATS:
        # An empty result with totals is the one that the engine does not stream well: its header comes after them.
        return formats.joiner(output_format, query.protocol_version), not _TOTALS.search(statement)
    planned = plan(connection, statement, query.parameters)
    zone = connection.execute("SELECT timezone() SETTINGS extremes = 0").bytes().decode().strip()
    streams = arrow.FORMATS[key]
    return arrow.Arrow(planned.types, zone, stream=streams), streams and not planned.has_footer


def insert(connection: Connection, user: User, query: Query, target: Insert, data: SpoolFile) -> Result:
    """Run an INSERT with ``data``, read piece by piece. Blocks.

    Raises:
        QueryError: it is refused, or the data does not fit.
    """
    if user.role == users.ANALYST or query.read_only:
        raise _readonly(user, query)
    if query.parameters:
        connection.execute(set_statement({f"param_{k}": v for k, v in query.parameters.items()}))
    running = connection.begin_insert(target.head, target.input_format)
    try:
        while piece := data.read(_PIECE):
            connection.append(running, piece)
        done = connection.end_insert(running)
    except errors.QueryError:
        connection.cancel_insert(running)
        raise
    return Result(query.output_format, cut([]), summary(done))


def _check_loader(user: User, query: Query, kind: str, shape: Shape) -> None:
    if shape.selects and kind != _READS:
        raise errors.refused(errors.INTO_OUTFILE_NOT_ALLOWED, "INTO OUTFILE is not allowed")
    if query.read_only and kind != _READS and shape.root not in _OWN_SESSION:
        raise _readonly(user, query)


def _check_analyst(engine: Engine, user: User, query: Query, kind: str, statement: str) -> None:
    """By what the engine's parser says of the statement where no setting of the analyst applies."""
    names = engine.parser.mentions(statement)
    if kind != _READS and (names is None or names.root not in _OWN_SESSION):
        raise _readonly(user, query)
    if names is not None:
        engine.rights.check(user.name, names)
    else:
        rights.check_plain(user.name, engine.parser.shape(statement, query.parameters))


def _readonly(user: User, query: Query) -> errors.QueryError:
    why = (
        " For queries over HTTP, method GET implies readonly, as does readonly=1 in the URL. "
        "You should use method POST for modifying queries."
        if query.read_only and user.role != users.ANALYST
        else ""
    )
    return errors.refused(errors.READONLY, f"{user.name}: Cannot execute query in readonly mode.{why}")
