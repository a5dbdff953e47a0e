"""Permission to run a statement, from what the engine and its parser say about it.

Lives here: the checks of each user and their order. Must not: HTTP, running statements, the analyst's
list (rights.analyst).

The engine enforces grants, readonly and constraints (engine_config). The checks here and in rights.analyst come
first and use the engine's own parser: they refuse what the engine would allow, such as SET ROLE and INTO OUTFILE.
"""

from __future__ import annotations

from typing import Final

from clickhouse_http import exceptions
from clickhouse_http.engine.connection import Connection
from clickhouse_http.engine.engine import Engine
from clickhouse_http.requests.request import Query
from clickhouse_http.rights import analyst, users
from clickhouse_http.rights.users import User
from clickhouse_http.sql.statement import Shape
from clickhouse_http.sql.syntax import Mentions

READS: Final = "READ_ONLY"
MUTATES: Final = "MUTATING"
#: Statements that are not read-only to the engine but change nothing beyond the caller's own session.
_OWN_SESSION: Final = frozenset({"Set", "SetQuery", "UseQuery"})


def check_loader(user: User, query: Query, kind: str, shape: Shape) -> None:
    """Refuse what not even the loader may do; ``kind`` is how the engine classifies the statement.

    Raises:
        QueryError: INTO OUTFILE, or a GET that would change something.
    """
    if shape.selects and kind != READS:
        raise exceptions.refused(exceptions.INTO_OUTFILE_NOT_ALLOWED, "INTO OUTFILE is not allowed")
    if query.read_only and kind != READS and shape.root not in _OWN_SESSION:
        raise readonly(user, query)


def check_analyst(
    engine: Engine, connection: Connection, user: User, query: Query, kind: str, statement: str
) -> None:
    """Refuse what the analyst may not do, by the engine's parser, on a connection without the analyst's settings.

    Raises:
        QueryError: the statement, or a part of it, is not allowed.
    """
    names = engine.parser.mentions(statement)
    if kind != READS and not _changes_own(connection, query, names):
        raise readonly(user, query)
    if names is not None:
        engine.rights.check(user.name, names)
    else:
        analyst.check_plain(user.name, engine.parser.shape(statement, query.parameters))


def _changes_own(connection: Connection, query: Query, names: Mentions | None) -> bool:
    """True if a statement changes nothing but the caller's own session."""
    if names is None or names.root in _OWN_SESSION:
        return names is not None
    if names.temporary_table is None or query.read_only:
        return False
    return names.only_temporary or connection.has_temporary(names.temporary_table)


def readonly(user: User, query: Query) -> exceptions.QueryError:
    """The error for a statement that would change something."""
    why = (
        " For queries over HTTP, method GET implies readonly, as does readonly=1 in the URL. "
        "You should use method POST for modifying queries."
    )
    if user.role == users.ANALYST:
        why = (
            " Apart from reading, you may CREATE TEMPORARY TABLE (columns of a name and a type; ENGINE = Memory; "
            "AS SELECT), and INSERT INTO, TRUNCATE and DROP such a table, by POST."
        )
    return exceptions.refused(exceptions.READONLY, f"{user.name}: Cannot execute query in readonly mode.{why}")
