"""Running a statement on its connection: the set-up, its result, and the clean-up.

Lives here: the order of the steps, and cancelling when the client goes away. Must not: SQL, calls into chDB,
reading the request (handler).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Final, TypeVar

from starlette.requests import ClientDisconnect

from clickhouse_http.engine.connection import Connection
from clickhouse_http.handling import progress, steps
from clickhouse_http.handling.response import ResultResponse
from clickhouse_http.handling.state import Endpoint
from clickhouse_http.http.early_head import EarlyHead
from clickhouse_http.queries import loading
from clickhouse_http.requests import body, request
from clickhouse_http.rights import users
from clickhouse_http.rights.limits import MIB
from clickhouse_http.rights.users import User
from clickhouse_http.sessions.sessions import applied

T = TypeVar("T")
_NO_WISH: Final = "default"


class Execution:
    """Executes one request. ``gone`` is done once the client has gone; ``head`` sends early header lines."""

    def __init__(
        self,
        endpoint: Endpoint,
        user: User,
        asked: request.Query,
        answer: ResultResponse,
        gone: asyncio.Task[None],
        head: EarlyHead | None,
    ) -> None:
        self._endpoint = endpoint
        self._user = user
        self._asked = asked
        self._answer = answer
        self._gone = gone
        self._head = head
        self._taken = ExitStack()

    async def run(self, received: body.Request, memory_mib: int) -> None:
        """Run the statement, and send all but the end of its result. Afterwards the session is free.

        Raises:
            QueryError: it is refused, or fails.
            ClientDisconnect: the client has gone.
        """
        # Each step in a thread costs more than most of what is done there: what can be one step is one.
        connection = await self._endpoint.work(partial(self._take, self._settings(memory_mib), memory_mib))
        try:
            if brought := self._asked.external:
                self._taken.callback(loading.drop_external, connection)
                parser = self._endpoint.engine.parser
                await self._watched(connection, partial(loading.load_external, parser, connection, brought))
            await self._send_result(connection, received)
        finally:
            await self._endpoint.work(self._taken.close)

    def _take(self, settings: Mapping[str, str], memory_mib: int) -> Connection:
        """A connection as this request wants it. ``_taken`` gives it back, after all else that is put there."""
        sessions, wish = self._endpoint.sessions, self._asked.session
        connection = sessions.acquire(self._user, wish, memory_mib)
        with ExitStack() as taken:
            taken.callback(sessions.release, self._user, wish, connection)
            taken.enter_context(applied(connection, self._database(), settings, keep=wish is not None))
            self._taken = taken.pop_all()
        return connection

    def _database(self) -> str:
        """Many clients send ``default`` where their user named no database. The analyst has no rights there: it
        stays in its own default database."""
        stays = self._user.role == users.ANALYST and self._asked.database == _NO_WISH
        return "" if stays else self._asked.database

    def _settings(self, memory_mib: int) -> Mapping[str, str]:
        given = self._asked.settings
        if self._user.role == users.LOADER:
            return given
        rights = self._endpoint.engine.rights
        self._answer.clamped = rights.clamped(given, memory_mib * MIB)
        return rights.settings({**given, **self._answer.clamped})

    async def _send_result(self, connection: Connection, received: body.Request) -> None:
        endpoint, answer = self._endpoint, self._answer
        telling = asyncio.create_task(progress.tell(endpoint.progress, connection.tag, self._asked, self._head))
        try:
            starting = partial(steps.start, endpoint.engine, connection, self._user, self._asked, received)
            result = await self._watched(connection, starting)
        finally:
            telling.cancel()
        # Before the connection is closed: the engine crashes on the reverse order.
        self._taken.callback(result.pieces.close)
        held = endpoint.spool.file(self._user.role) if self._asked.wait_end else None
        answer.begin(result.output_format, result.summary, held)
        check_connected(self._gone)
        following = partial(steps.following, result, answer)
        while (packed := await self._watched(connection, following)) is not None:
            await answer.send(packed)
            check_connected(self._gone)

    async def _watched(self, connection: Connection, call: Callable[[], T]) -> T:
        """Run ``call`` in a worker; when the client goes away meanwhile, cancel what the engine does for it."""
        job = asyncio.ensure_future(self._endpoint.work(call))
        await asyncio.wait((job, self._gone), return_when=asyncio.FIRST_COMPLETED)
        if not job.done():
            await self._endpoint.work(partial(self._endpoint.engine.cancel, connection.tag))
        return await job


def check_connected(gone: asyncio.Task[None]) -> None:
    """Check that the client is still connected.

    Raises:
        ClientDisconnect: it has gone.
    """
    if gone.done():
        raise ClientDisconnect
