"""One connection to chDB, which runs one statement at a time.

Lives here: every call on a connection, with the engine's errors as QueryError. Must not: HTTP, rights.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from clickhouse_http import exceptions
from clickhouse_http.engine import table_memory
from clickhouse_http.engine.session_memory import SessionMemory
from clickhouse_http.sql.statement import Shape, identifier, shape

#: A scalar function of the engine that is replaced by one that refuses.
CLOSED_FUNCTION: Final = "file"


class Connection:
    """One connection: one statement at a time. Its calls block: make them in a worker thread.

    Raises (every method but close):
        QueryError: the engine reports it, or the connection has been closed.
    """

    def __init__(self, native: Any, tag: str, memory: SessionMemory, size_question: str = "") -> None:
        self._native = native
        self._size_question = size_question
        self.tag = tag
        self.memory = memory
        self._lock = threading.Lock()
        self._closed = False

    def execute(
        self, statement: str, output_format: str = "TabSeparated", parameters: Mapping[str, str] | None = None
    ) -> Any:
        """Run to the end. Returns chDB's result: ``get_memview()``, ``rows_written()`` and so on."""
        with self._call():
            return self._native.query(statement, output_format, params=dict(parameters or {}))

    def stream(self, statement: str, output_format: str, parameters: Mapping[str, str]) -> Any:
        """Begin a SELECT whose blocks :meth:`blocks` gives."""
        with self._call():
            return self._native.send_query(statement, output_format, params=dict(parameters))

    def blocks(self, stream: Any) -> Iterator[Any]:
        """The formatted blocks of a stream. One without rows (only a header or totals, or nothing) is the last."""
        while True:
            with self._call():
                block = self._native.streaming_fetch_result(stream)
            if block is None:
                return
            yield block
            if not block.rows_read():
                return

    def abandon(self, stream: Any) -> None:
        """Cancel a stream that has not been read to its end."""
        with self._call():
            self._native.streaming_cancel_query(stream)

    def begin_insert(self, head: str, input_format: str) -> Any:
        """Begin an INSERT whose data :meth:`append` brings."""
        with self._call():
            return self._native.send_insert(head, input_format)

    def append(self, insert: Any, data: bytes) -> None:
        """The next piece of the data, cut anywhere."""
        with self._call():
            self._native.insert_append(insert, data)

    def end_insert(self, insert: Any) -> Any:
        """The data is complete."""
        with self._call():
            return self._native.insert_done(insert)

    def cancel_insert(self, insert: Any) -> None:
        """Give up an INSERT that failed; what it had already written stays, as in ClickHouse."""
        with self._call():
            self._native.insert_cancel(insert)

    def classify(self, statement: str) -> tuple[str, int]:
        """The engine's own judgement: READ_ONLY, MUTATING, MUTATING_GLOBAL, CONTROL or UNKNOWN, and how many
        statements there are."""
        with self._call():
            report = self._native.classify_query(statement, "")
        return report["query_class"].name, int(report["statement_count"])

    def shape(self, statement: str, parameters: Mapping[str, str]) -> Shape:
        """A single statement as the engine's parser reads it.

        Raises:
            QueryError: it does not parse.
        """
        try:
            ast = self.execute(f"EXPLAIN AST {statement}", "LineAsString", parameters)
        except exceptions.QueryError as error:
            raise exceptions.without_explain(error) from None
        return shape(ast.bytes().decode(errors="replace"), statement)

    def database(self) -> str:
        """The current database."""
        answer = self.execute("SELECT currentDatabase() SETTINGS extremes = 0", "TabSeparatedRaw")
        return str(answer.bytes().decode().removesuffix("\n"))

    def use(self, database: str) -> None:
        """Make ``database`` the current one."""
        self.execute(f"USE {identifier(database)}")

    def table_sizes(self) -> dict[str, int]:
        """Bytes that the temporary tables hold, by name."""
        return table_memory.read(self.execute(self._size_question, "JSONCompactEachRow").bytes())

    def has_temporary(self, name: str) -> bool:
        """True if there is a temporary table of this name."""
        return bool(self.execute(f"EXISTS TEMPORARY TABLE {identifier(name)}").bytes().startswith(b"1"))

    def drop_tables(self, names: Iterable[str]) -> None:
        """Drop temporary tables, those of ``names`` that there are."""
        for name in names:
            self.execute(f"DROP TEMPORARY TABLE IF EXISTS {identifier(name)}")

    def close(self) -> None:
        """End the connection with its temporary tables, after the call that may be running."""
        with self._lock:
            self._closed = True
            self._native.close()

    @contextmanager
    def _call(self) -> Iterator[None]:
        """chDB crashes the process when a closed connection is used: a late call must fail instead."""
        with self._lock:
            if self._closed:
                raise exceptions.refused(exceptions.QUERY_WAS_CANCELLED, "The connection has been closed.")
            with _engine_errors():
                yield


@contextmanager
def _engine_errors() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if f"Python UDF '{CLOSED_FUNCTION}'" in str(error):
            raise exceptions.refused(
                exceptions.FUNCTION_NOT_ALLOWED, f"Function {CLOSED_FUNCTION} is not allowed on this endpoint"
            ) from None
        raise exceptions.from_engine(error) from None
    except UnicodeDecodeError as error:
        # A message with bytes of the data in it, which need not be UTF-8.
        raise exceptions.from_engine(RuntimeError(error.object.decode(errors="replace"))) from None
