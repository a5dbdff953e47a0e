"""chDB with the rights of two users: opening it, and connections that can do what their role may.

Lives here: every call into chDB. Must not: HTTP.
"""

from __future__ import annotations

import logging
import os
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from firehose.endpoint import engine_config, errors
from firehose.endpoint.engine_config import Limits
from firehose.endpoint.session_memory import SessionMemory
from firehose.endpoint.statement import Shape, shape
from firehose.errors import ServiceUnavailable

log = logging.getLogger(__name__)
_PRIVATE: Final = 0o600
_CLOSED_FUNCTION: Final = "file"


class Engine:
    """The one engine of this process. Its data folder belongs to it alone."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        # Before the import: chDB reads the time zone once, and would else handle the process's signals.
        os.environ["TZ"] = "UTC"
        from chdb import _chdb

        self._chdb: Any = _chdb  # its stub leaves out connections
        self._chdb.set_signal_handlers_enabled(0)
        self._limits = limits
        self._address = _write_configuration(folder, limits)
        self._root = self._open()
        _close_file_function(self._chdb)
        self.version, self.timezone, self.display_name = self._identity()

    def connection(self, role: str, memory_mib: int) -> Connection:
        """A new connection with the rights and limits of ``role``; it takes under a millisecond.

        Raises:
            QueryError: the engine refuses.
        """
        tag = uuid.uuid4().hex
        connection = Connection(self._open(), tag, SessionMemory(role, memory_mib))
        for statement in engine_config.opening_statements(role, tag, self._limits, memory_mib):
            connection.execute(statement)
        return connection

    def cancel(self, tag: str | None = None) -> None:
        """Cancel what the connection with ``tag`` runs, or everything. Does not wait."""
        condition = "1" if tag is None else f"Settings['log_comment'] = '{tag}'"
        native = self._open()
        try:
            native.query(f"KILL QUERY WHERE {condition} ASYNC FORMAT Null")
        except RuntimeError as error:
            log.warning("a query could not be cancelled: %s", error)
        finally:
            native.close()

    def close(self) -> None:
        """Write what is to be written and let go of the data folder."""
        self._root.close()

    def _open(self) -> Any:
        try:
            return self._chdb.connect(self._address)
        except RuntimeError as error:
            raise ServiceUnavailable(f"chDB does not open {self._address.split('?')[0]}: {error}") from None

    def _identity(self) -> tuple[str, str, str]:
        row = self._root.query("SELECT version(), timezone(), hostName()", "TabSeparated").bytes()
        version, timezone, name = row.decode().rstrip("\n").split("\t")
        return version, timezone, name


class Connection:
    """One connection: one statement at a time. Its calls block, so they belong in a worker thread.

    Raises (every method but close):
        QueryError: what the engine reports, or that the connection has been closed.
    """

    def __init__(self, native: Any, tag: str, memory: SessionMemory) -> None:
        self._native = native
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
        """Begin a SELECT whose blocks :meth:`fetch` brings."""
        with self._call():
            return self._native.send_query(statement, output_format, params=dict(parameters))

    def blocks(self, stream: Any) -> Iterator[Any]:
        """The formatted blocks of a stream. One without rows (only a header) is the last."""
        while True:
            with self._call():
                block = self._native.streaming_fetch_result(stream)
            if block is None or not block.size():
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
        """How the engine's parser reads a single statement.

        Raises:
            QueryError: it does not parse.
        """
        try:
            ast = self.execute(f"EXPLAIN AST {statement}", "LineAsString", parameters)
        except errors.QueryError as error:
            raise errors.without_explain(error) from None
        return shape(ast.bytes().decode(errors="replace"))

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
                raise errors.refused(errors.QUERY_WAS_CANCELLED, "The connection has been closed.")
            with _engine_errors():
                yield


@contextmanager
def _engine_errors() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if f"Python UDF '{_CLOSED_FUNCTION}'" in str(error):
            raise errors.refused(
                errors.FUNCTION_NOT_ALLOWED, f"Function {_CLOSED_FUNCTION} is not allowed on this endpoint"
            ) from None
        raise errors.from_engine(error) from None
    except UnicodeEncodeError:
        raise errors.refused(errors.SYNTAX_ERROR, "The query is not valid UTF-8.") from None


def _write_configuration(folder: Path, limits: Limits) -> str:
    """Returns chDB's connection string."""
    settings = folder / "config"
    settings.mkdir(parents=True, exist_ok=True)
    users, main = settings / "users.xml", settings / "config.xml"
    for path, text in (
        (users, engine_config.users_xml(limits)),
        (main, engine_config.config_xml(str(users))),
    ):
        path.write_text(text)
        path.chmod(_PRIVATE)
    return f"{folder / 'data'}?config-file={main}"


def _close_file_function(chdb: Any) -> None:
    """The scalar function file() reads any file of the machine and asks for no right: take its name away.

    The table function of the same name is another one, and does ask.
    """

    def refuse(path: str) -> str:
        raise PermissionError(path)

    chdb.create_function(_CLOSED_FUNCTION, refuse, ["String"], "String", on_null="pass")
