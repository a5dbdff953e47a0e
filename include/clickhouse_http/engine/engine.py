"""chDB with the rights of two users: opening it, and connections that may do what their role may.

Lives here: the one engine of the process. Must not: HTTP, the calls on a connection (connection).
"""

from __future__ import annotations

import json
import logging
import os
import uuid
from pathlib import Path
from typing import Any, Final

from clickhouse_http import exceptions
from clickhouse_http.engine import engine_config, engine_files, table_memory
from clickhouse_http.engine.connection import CLOSED_FUNCTION, Connection
from clickhouse_http.engine.parser import Parser
from clickhouse_http.engine.session_memory import SessionMemory
from clickhouse_http.errors import CannotServe
from clickhouse_http.rights import users
from clickhouse_http.rights.analyst import Rights
from clickhouse_http.rights.limits import Limits, ceilings
from clickhouse_http.rights.policy import Policy

log = logging.getLogger(__name__)
#: As a server names them, and where they are in system.processes.
_COUNTERS: Final = {
    "read_rows": "read_rows",
    "read_bytes": "read_bytes",
    "written_rows": "written_rows",
    "written_bytes": "written_bytes",
    "total_rows_to_read": "total_rows_approx",
    "elapsed_ns": "toUInt64(elapsed * 1e9)",
}
_PROGRESS: Final = (
    f"SELECT Settings['log_comment'], {', '.join(_COUNTERS.values())} FROM system.processes "
    "SETTINGS output_format_json_quote_64bit_integers = 0"
)


class Engine:
    """The one engine of this process. Its data folder belongs to it alone."""

    def __init__(self, folder: Path, limits: Limits, policy: Policy) -> None:
        # Before the import: chDB reads the time zone once. And it must not handle the process's signals.
        os.environ["TZ"] = "UTC"
        from chdb import _chdb

        self._chdb: Any = _chdb  # its stub leaves out connections
        self._chdb.set_signal_handlers_enabled(0)
        self._limits = limits
        self._policy = policy
        catalog = engine_files.prepare(_chdb, folder)
        self.rights = Rights(
            catalog.names_of(policy.changeable),
            frozenset(catalog.settings),
            policy.system_tables,
            ceilings(limits, policy, catalog.names_of),
        )
        self._sizes = table_memory.question(policy.changeable)
        self.parser = Parser(
            lambda: Connection(self._open(), "parser", SessionMemory(users.LOADER, 0, policy)),
            lambda: self.connection("analyst", limits.sizes(users.ANALYST)[0]),
        )
        self._address = engine_files.write(folder, engine_config.users_xml(limits, policy, catalog))
        self._root = self._open()
        _close_file_function(self._chdb)
        self.version, self.timezone, self.display_name = self._identity()

    def connection(self, role: str, memory_mib: int) -> Connection:
        """A new connection with the rights and limits of ``role``; it takes under a millisecond.

        Raises:
            QueryError: the engine refuses.
        """
        tag = uuid.uuid4().hex
        connection = Connection(self._open(), tag, SessionMemory(role, memory_mib, self._policy), self._sizes)
        for statement in engine_config.opening_statements(role, tag, self._limits, self._policy, memory_mib):
            connection.execute(statement)
        if role == users.ANALYST:
            self._use_default(connection)
        return connection

    def _use_default(self, connection: Connection) -> None:
        """Before the loader has made this database it is missing; a server would refuse the login then."""
        try:
            connection.use(self._policy.default_database)
        except exceptions.QueryError as error:
            if error.code != exceptions.UNKNOWN_DATABASE:
                raise

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

    def progress(self) -> dict[str, dict[str, int]]:
        """The counters of each running query, by the tag of its connection."""
        native = self._open()
        try:
            rows = native.query(_PROGRESS, "JSONCompactEachRow").bytes().decode(errors="replace")
        except RuntimeError as error:
            log.warning("the progress of queries cannot be read: %s", error)
            return {}
        finally:
            native.close()
        return {
            tag: dict(zip(_COUNTERS, counters, strict=True))
            for tag, *counters in map(json.loads, rows.splitlines())
        }

    def close(self) -> None:
        """Write all data and release the data folder."""
        self._root.close()

    def _open(self) -> Any:
        try:
            return self._chdb.connect(self._address)
        except RuntimeError as error:
            raise CannotServe(f"chDB does not open {self._address.split('?')[0]}: {error}") from None

    def _identity(self) -> tuple[str, str, str]:
        row = self._root.query("SELECT version(), timezone(), hostName()", "TabSeparated").bytes()
        version, timezone, name = row.decode().rstrip("\n").split("\t")
        return version, timezone, name


def _close_file_function(chdb: Any) -> None:
    """The scalar function file() reads any file of the machine and asks for no right: take its name away.

    The table function of the same name is another one, and does ask.
    """

    def refuse(path: str) -> str:
        raise PermissionError(path)

    chdb.create_function(CLOSED_FUNCTION, refuse, ["String"], "String", on_null="pass")
