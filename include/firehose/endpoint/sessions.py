"""Connections for requests: a new one each, or the one that a session keeps.

Lives here: who may use which connection, sessions' locks and their time. Must not: HTTP, running queries.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from firehose.endpoint import errors, request
from firehose.endpoint.connection import Connection
from firehose.endpoint.engine import Engine
from firehose.endpoint.users import User


@dataclass
class _Session:
    connection: Connection
    expires_at: float
    busy: bool


class Sessions:
    """Hands out connections. Safe to use from several threads."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._sessions: dict[tuple[str, str], _Session] = {}
        self._lock = threading.Lock()

    def acquire(self, user: User, wish: request.SessionWish | None) -> Connection:
        """A connection with the rights of ``user``, to be given back with :meth:`release`.

        Raises:
            QueryError: the session is in use, or should exist and does not.
        """
        self._expire()
        if wish is None:
            return self._engine.connection(user.role)
        with self._lock:
            session = self._sessions.get((user.name, wish.id))
            if session is None and wish.must_exist:
                raise errors.refused(errors.SESSION_NOT_FOUND, f"Session {wish.id} not found.")
            if session is not None and session.busy:
                raise errors.refused(
                    errors.SESSION_IS_LOCKED, f"Session {wish.id} is locked by a concurrent client."
                )
            if session is None:
                session = _Session(self._engine.connection(user.role), 0, busy=True)
                self._sessions[user.name, wish.id] = session
            session.busy = True
            return session.connection

    def release(self, user: User, wish: request.SessionWish | None, connection: Connection) -> None:
        """Give back a connection: it is closed, unless a session keeps it."""
        if wish is None:
            connection.close()
            return
        with self._lock:
            session = self._sessions[user.name, wish.id]
            session.busy = False
            session.expires_at = self._clock() + wish.timeout_s
            if wish.close:
                del self._sessions[user.name, wish.id]
        if wish.close:
            connection.close()

    def _expire(self) -> None:
        now = self._clock()
        with self._lock:
            expired = [key for key, held in self._sessions.items() if not held.busy and held.expires_at < now]
            connections = [self._sessions.pop(key).connection for key in expired]
        for connection in connections:
            connection.close()


@contextmanager
def applied(connection: Connection, settings: Mapping[str, str], *, keep: bool) -> Iterator[None]:
    """Settings of one request: in a session (``keep``) they are put back afterwards.

    Raises:
        QueryError: the engine refuses a setting, or a constraint does.
    """
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
    rows = connection.execute(f"SELECT name, value, changed FROM system.settings WHERE name IN ({names})")
    fields = [line.split("\t") for line in rows.bytes().decode().splitlines()]
    # TabSeparated escapes as string literals do, so a value goes back between quotes as it came.
    return [
        f"SET {name} = '{value}'" if changed == "1" else f"SET {name} = DEFAULT" for name, value, changed in fields
    ]
