"""State that a session keeps from one query to the next, and the memory of its next query.

Lives here: counting the text of SET statements, a memory limit that the session has set itself. Must not: HTTP,
calls into chDB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from clickhouse_http import exceptions
from clickhouse_http.engine import engine_config
from clickhouse_http.engine.table_memory import SessionTables
from clickhouse_http.rights.limits import MIB
from clickhouse_http.rights.policy import Policy
from clickhouse_http.rights.users import LOADER

#: Characters of all SET statements of one session.
_MAX_KEPT: Final = 256 * 1024


class SessionMemory:
    """The state of one connection. ``memory_mib``: the grant of its first query."""

    def __init__(self, role: str, memory_mib: int, policy: Policy) -> None:
        self.has_state = False  # a statement has left something that a later one may need
        self.tables: SessionTables | None = None  # only on a connection that a session keeps
        self.makes_tables = False  # a statement has made a temporary table
        self.external_tables: list[str] = []  # the external tables of the running request; they end with it
        self.lost = False  # the size of its tables is not known: the session must end
        self._role = role
        self._policy = policy
        self._limit = memory_mib * MIB
        self._own_limit: int | None = None
        self._changed = False
        self._kept = 0

    def keep(self, statement: str) -> None:
        """Note that a statement leaves state behind, and count the text of a SET.

        Raises:
            QueryError: the session's SET statements have too much text.
        """
        self.has_state = self._changed = True
        self._kept += len(statement)
        if self._kept > _MAX_KEPT:
            raise exceptions.refused(
                exceptions.LIMIT_EXCEEDED,
                f"The SET statements of a session may have {_MAX_KEPT} bytes together; begin a new session.",
            )

    @property
    def limit(self) -> int:
        """Bytes that the running query may use."""
        return self._limit

    @contextmanager
    def settled(self, sizes: Callable[[], dict[str, int]], drop: Callable[[list[str]], None]) -> Iterator[None]:
        """Around a statement that may fill temporary tables: measure them afterwards, also where it fails.

        Raises:
            QueryError: the tables were over their limit, and have been dropped.
        """
        try:
            yield
        except exceptions.QueryError:
            with suppress(exceptions.QueryError):
                self._settle(sizes, drop)
            raise
        self._settle(sizes, drop)

    def _settle(self, sizes: Callable[[], dict[str, int]], drop: Callable[[list[str]], None]) -> None:
        if self.tables is None or not self.makes_tables:
            return
        self.lost = True
        held = {name: size for name, size in sizes().items() if name not in self.external_tables}
        if dropped := self.tables.settle(held):
            drop(dropped)
        self.lost = False
        if dropped:
            raise self.tables.refused(dropped)

    def grant(self, memory_mib: int, execute: Callable[[str], bytes]) -> None:
        """Give the next query its memory; ``execute`` runs a statement in the session.

        A limit that the session has SET itself stays: an analyst's if it is lower, a loader's in any case.
        """
        if self._changed:
            now = int(execute("SELECT getSetting('max_memory_usage') SETTINGS extremes = 0"))
            self._own_limit = now if now != self._limit else self._own_limit
            self._changed = False
        for statement in engine_config.memory_statements(self._role, memory_mib, self._policy):
            execute(statement)
        self._limit = memory_mib * MIB
        own = self._own_limit
        if own is not None and (own < self._limit or self._role == LOADER):
            execute(f"SET max_memory_usage = {own}")
            self._limit = own
