"""The engine's parser, asked on connections of its own, which no setting of a client reaches.

Lives here: the two forms in which the engine gives a statement's syntax tree. Must not: decisions about rights.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import Final

from clickhouse_http import exceptions
from clickhouse_http.engine.connection import Connection
from clickhouse_http.rights.limits import MAX_QUERY
from clickhouse_http.sql.statement import Shape, shape
from clickhouse_http.sql.syntax import Mentions, mentions

#: A statement takes some 200 times its size while it is read, and that is not part of what a query is granted: of
#: those that are longer than this, one is read at a time.
_LARGE: Final = 64 * 1024
_PARSE: Final = f"SELECT parseQueryToJSON({{query:String}}) SETTINGS max_query_size = {MAX_QUERY}"


class Parser:
    """Reads statements on new connections, each closed after one use.

    A client's own connection would not do: its settings apply to every question on it, and can cut or double the
    rows of the answer. ``bare`` opens one with all rights, where the statement is only a value; ``confined`` one
    with the analyst's, for EXPLAIN AST, which obeys the SETTINGS in the statement.
    """

    def __init__(self, bare: Callable[[], Connection], confined: Callable[[], Connection]) -> None:
        self._bare = bare
        self._confined = confined
        self._one_at_a_time = threading.Lock()

    def mentions(self, statement: str) -> Mentions | None:
        """The names in a statement; None for a kind of statement whose tree the engine does not give as JSON.

        It gives every SELECT's, and refuses the others as a bad argument.

        Raises:
            QueryError: it does not parse, or is nested too deeply.
        """
        try:
            with self._one_at_a_time if len(statement) > _LARGE else contextlib.nullcontext():
                return mentions(_ask(self._bare(), _PARSE, "TabSeparatedRaw", {"query": _escaped(statement)}))
        except exceptions.QueryError as error:
            if error.code == exceptions.BAD_ARGUMENTS:
                return None
            raise
        except RecursionError:
            raise exceptions.refused(exceptions.TOO_DEEP_RECURSION, "The query is nested too deeply.") from None

    def shape(self, statement: str, parameters: Mapping[str, str]) -> Shape:
        """The outline of a statement.

        Raises:
            QueryError: it does not parse.
        """
        ast = _ask(self._confined(), f"EXPLAIN AST {statement}", "LineAsString", parameters)
        return shape(ast, statement)

    def columns(self, structure: str) -> str:
        """The columns of ``structure``, a text such as ``a UInt8, b String``: a line of JSON each, an array of the
        name, the type, and whatever else there may be: a default, a comment, a codec, a TTL.

        Raises:
            QueryError: it does not parse, or is nothing that a table could have.
        """
        return _ask(
            self._confined(),
            "DESCRIBE TABLE null({structure:String})",
            "JSONCompactEachRow",
            {"structure": _escaped(structure)},
        )


def _ask(connection: Connection, query: str, output_format: str, parameters: Mapping[str, str]) -> str:
    try:
        return str(connection.execute(query, output_format, parameters).bytes().decode(errors="replace"))
    finally:
        connection.close()


def _escaped(value: str) -> str:
    """A value for a query parameter, which the engine reads as it reads TabSeparated."""
    for character, name in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\0", "\\0")):
        value = value.replace(character, name)
    return value
