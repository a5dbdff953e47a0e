"""Connections for requests: a new one for each, or the one that a session keeps.

Lives here: which request gets which connection, locks and expiry of sessions. Must not: HTTP, running queries.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from clickhouse_http import exceptions
from clickhouse_http.engine.connection import Connection
from clickhouse_http.engine.engine import Engine
from clickhouse_http.engine.table_memory import SessionTables, TableBudget
from clickhouse_http.requests import request
from clickhouse_http.rights.users import User

#: Sessions of one user.
MAX_SESSIONS: Final = 256


@dataclass
class _Session:
    connection: Connection
    expires_at: float
    busy: bool


class Sessions:
    """Hands out connections. Safe to use from several threads."""

    def __init__(self, engine: Engine, budget: TableBudget, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._budget = budget
        self._clock = clock
        self._sessions: dict[tuple[str, str], _Session] = {}
        self._lock = threading.Lock()

    def acquire(self, user: User, wish: request.SessionRequest | None, memory_mib: int) -> Connection:
        """A connection with the rights of ``user`` and this much memory. Afterwards you must :meth:`release` it.

        Raises:
            QueryError: the session is in use; it should exist and does not; the user has too many.
        """
        self.expire()
        if wish is None:
            return self._engine.connection(user.role, memory_mib)
        with self._lock:
            session = self._sessions.get((user.name, wish.id))
            if session is None and wish.must_exist:
                raise exceptions.refused(exceptions.SESSION_NOT_FOUND, f"Session {wish.id} not found.")
            if session is not None and session.busy:
                raise exceptions.refused(
                    exceptions.SESSION_IS_LOCKED, f"Session {wish.id} is locked by a concurrent client."
                )
            is_new = session is None
            if session is None:
                self._make_room(user)
                session = _Session(self._engine.connection(user.role, memory_mib), 0, busy=True)
                session.connection.memory.tables = SessionTables(self._budget, user.role)
                self._sessions[user.name, wish.id] = session
            session.busy = True
        if not is_new:
            self._grant(session, memory_mib)
        return session.connection

    @staticmethod
    def _grant(session: _Session, memory_mib: int) -> None:
        held = session.connection
        try:
            held.memory.grant(memory_mib, lambda statement: bytes(held.execute(statement).bytes()))
        except BaseException:
            session.busy = False
            raise

    def _make_room(self, user: User) -> None:
        """If ``user`` has too many sessions, close the one that has been idle longest and holds nothing: its
        client sees no difference. Many clients open a session that they never use as one."""
        own = [(key, held) for key, held in self._sessions.items() if key[0] == user.name]
        if len(own) < MAX_SESSIONS:
            return
        idle = ((key, held) for key, held in own if not held.busy)
        empty = [(held.expires_at, key) for key, held in idle if not held.connection.memory.has_state]
        if not empty:
            raise exceptions.refused(
                exceptions.USER_SESSION_LIMIT_EXCEEDED,
                f"{user.name} has {MAX_SESSIONS} sessions that are in use or hold settings; "
                "close one (close_session=1), or wait until one expires.",
            )
        _end(self._sessions.pop(min(empty)[1]).connection)

    def release(self, user: User, wish: request.SessionRequest | None, connection: Connection) -> None:
        """Give back a connection: it is closed, unless a session keeps it."""
        if wish is None:
            connection.close()
            return
        with self._lock:
            session = self._sessions[user.name, wish.id]
            session.busy = False
            session.expires_at = self._clock() + wish.timeout_s
            ends = wish.close or connection.memory.lost
            if ends:
                del self._sessions[user.name, wish.id]
        if ends:
            _end(connection)

    def expire(self) -> None:
        """End the sessions that have expired, and free what they hold."""
        now = self._clock()
        with self._lock:
            expired = [key for key, held in self._sessions.items() if not held.busy and held.expires_at < now]
            connections = [self._sessions.pop(key).connection for key in expired]
        for connection in connections:
            _end(connection)


def _end(connection: Connection) -> None:
    connection.close()
    if connection.memory.tables is not None:
        connection.memory.tables.close()


@contextmanager
def applied(connection: Connection, database: str, settings: Mapping[str, str], *, keep: bool) -> Iterator[None]:
    """Apply the database and the settings of one request; in a session (``keep``) they are restored afterwards.

    Raises:
        QueryError: the engine refuses the database or a setting, or a constraint does.
    """
    came_from = connection.database() if keep and database else ""
    if database:
        connection.use(database)
    try:
        with _set(connection, settings, keep=keep):
            yield
    finally:
        if came_from and connection.database() == database:  # unless the request itself was a USE
            connection.use(came_from)


@contextmanager
def _set(connection: Connection, settings: Mapping[str, str], *, keep: bool) -> Iterator[None]:
    if not settings:
        yield
        return
    statement = request.set_statement(settings)
    before = _snapshot(connection, settings) if keep else []
    connection.execute(statement)
    try:
        yield
    finally:
        for restore in before:
            connection.execute(restore)


def _snapshot(connection: Connection, settings: Mapping[str, str]) -> list[str]:
    names = ", ".join(request.quoted(name) for name in settings)
    rows = connection.execute(
        f"SELECT name, value, changed FROM system.settings WHERE name IN ({names}) SETTINGS extremes = 0"
    )
    # TabSeparated escapes as string literals do, so a value goes back between quotes as it came. Bytes that are
    # not UTF-8 go back as escapes.
    fields = [line.split("\t") for line in rows.bytes().decode(errors="backslashreplace").split("\n") if line]
    return [
        f"SET {name} = '{value}'" if changed == "1" else f"SET {name} = DEFAULT" for name, value, changed in fields
    ]
