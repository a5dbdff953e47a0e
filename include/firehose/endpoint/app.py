"""ClickHouse's HTTP interface as an ASGI application.

Lives here: routes, who asks, and the way from a request to a response. Must not: SQL, calls into chDB.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from firehose.endpoint import body, compression, errors, query, request, users
from firehose.endpoint.connection import Connection
from firehose.endpoint.engine import Engine
from firehose.endpoint.response import ResultResponse, Server
from firehose.endpoint.sessions import Sessions, applied
from firehose.endpoint.users import User, Users

log = logging.getLogger(__name__)
T = TypeVar("T")
#: More statements at once are refused, not queued: a queue would only hide that the machine is overloaded.
MAX_QUERIES: Final = 64


@dataclass
class Endpoint:
    """What every request shares."""

    engine: Engine
    users: Users
    sessions: Sessions
    server: Server
    spool: Path
    workers: ThreadPoolExecutor
    running: int = 0
    stopping: bool = False


def application(endpoint: Endpoint) -> Starlette:
    """The application; ``endpoint`` is already open."""

    async def ok(_request: Request) -> Response:
        return PlainTextResponse("Ok.\n")

    async def root(incoming: Request) -> Response:
        if incoming.method in ("GET", "HEAD") and "query" not in incoming.query_params:
            return PlainTextResponse("Ok.\n")
        return Handled(endpoint, incoming)

    async def unknown(incoming: Request, _error: Exception) -> Response:
        return PlainTextResponse(
            f"There is no handle {incoming.url.path}\n\nUse / or /ping for health checks.\n", 404
        )

    return Starlette(
        routes=[
            Route("/", root, methods=["GET", "POST"]),
            Route("/ping", ok, methods=["GET"]),
            Route("/replicas_status", ok, methods=["GET"]),
        ],
        exception_handlers={404: unknown},
    )


class Handled(Response):
    """Answers one query. A response of its own, since it must notice that the client has gone."""

    def __init__(self, endpoint: Endpoint, incoming: Request) -> None:
        self._endpoint = endpoint
        self._incoming = incoming
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and leave one line in the log: never the URL, which may hold a password."""
        started = time.monotonic()
        answer = ResultResponse(self._endpoint.server, send)
        who = "-"
        try:
            user, asked = await self._read(answer)
            who = user.name
            await self._answer(user, asked, answer)
        except errors.QueryError as error:
            await answer.fail(error)
        except ClientDisconnect:
            answer.outcome = "the client went away"
        except asyncio.CancelledError:
            # uvicorn's word that the time to stop is over; raised again, it would only be logged as a crash.
            answer.outcome = "given up at the stop"
        log.info(
            "query %s of %s: %s in %.0f ms",
            answer.query_id, who, answer.outcome, (time.monotonic() - started) * 1000,
        )  # fmt: skip

    async def _read(self, answer: ResultResponse) -> tuple[User, request.Query]:
        headers = {name.lower(): value for name, value in self._incoming.headers.items()}
        user = self._endpoint.users.authenticate(headers, self._incoming.query_params)
        parameters = {**self._incoming.query_params, **await self._form()}
        asked = request.read(self._incoming.method, parameters, headers)
        answer.query_id = asked.query_id
        if asked.compress:
            answer.compress(compression.accepted(headers.get("accept-encoding", "")))
        return user, asked

    async def _form(self) -> dict[str, str]:
        """clickhouse-connect may send the query and its parameters as a form."""
        if not self._incoming.headers.get("content-type", "").startswith("multipart/form-data"):
            return {}
        form = await self._incoming.form()
        if any(isinstance(value, UploadFile) for value in form.values()):
            raise errors.refused(
                errors.NOT_IMPLEMENTED, "External data (files of a form) is not supported by this endpoint."
            )
        return {name: str(value) for name, value in form.items()}

    async def _answer(self, user: User, asked: request.Query, answer: ResultResponse) -> None:
        received = await body.receive(
            asked.text,
            self._chunks(),
            self._incoming.headers.get("content-encoding", ""),
            self._endpoint.spool,
        )
        try:
            if self._endpoint.running >= MAX_QUERIES or self._endpoint.stopping:
                raise errors.refused(
                    errors.TOO_MANY_SIMULTANEOUS_QUERIES,
                    f"Too many simultaneous queries. Maximum: {MAX_QUERIES}.",
                )
            self._endpoint.running += 1
            try:
                await self._on_connection(user, asked, received, answer)
            finally:
                self._endpoint.running -= 1
            # Only now: who has read the end may use the session again at once.
            await answer.end()
        finally:
            received.close()

    async def _chunks(self) -> AsyncIterator[bytes]:
        if self._incoming.headers.get("content-type", "").startswith("multipart/form-data"):
            return
        async for chunk in self._incoming.stream():
            yield chunk

    async def _on_connection(
        self, user: User, asked: request.Query, received: body.Request, answer: ResultResponse
    ) -> None:
        connection = await self._work(lambda: self._endpoint.sessions.acquire(user, asked.session))
        gone = asyncio.create_task(_disconnected(self._incoming))
        try:
            await self._run(connection, user, asked, received, answer, gone)
        finally:
            gone.cancel()
            await self._work(lambda: self._endpoint.sessions.release(user, asked.session, connection))

    async def _run(
        self,
        connection: Connection,
        user: User,
        asked: request.Query,
        received: body.Request,
        answer: ResultResponse,
        gone: asyncio.Task[None],
    ) -> None:
        engine, analyst = self._endpoint.engine, user.role == users.ANALYST
        settings = engine.rights.settings(asked.settings) if analyst else asked.settings
        prepared = applied(connection, settings, keep=asked.session is not None)
        await self._work(lambda: _use(connection, asked))
        await self._work(prepared.__enter__)
        try:
            result = await self._watched(
                connection, gone, lambda: _start(engine, connection, user, asked, received)
            )
            await answer.begin(result.output_format, result.summary, held=asked.wait_end)
            while (piece := await self._watched(connection, gone, lambda: next(result.pieces, None))) is not None:
                await answer.send(piece)
        finally:
            await self._work(lambda: prepared.__exit__(None, None, None))

    async def _watched(self, connection: Connection, gone: asyncio.Task[None], call: Callable[[], T]) -> T:
        """Run ``call`` in a worker; when the client goes away meanwhile, cancel what the engine does for it."""
        job = asyncio.ensure_future(self._work(call))
        await asyncio.wait((job, gone), return_when=asyncio.FIRST_COMPLETED)
        if not job.done():
            await self._work(lambda: self._endpoint.engine.cancel(connection.tag))
        result = await job
        if gone.done():
            raise ClientDisconnect
        return result

    async def _work(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._endpoint.workers, call)


def _use(connection: Connection, asked: request.Query) -> None:
    if asked.database:
        connection.execute("USE {database:Identifier}", parameters={"database": asked.database})


def _start(
    engine: Engine, connection: Connection, user: User, asked: request.Query, received: body.Request
) -> query.Result:
    if received.insert is not None and received.data is not None:
        return query.insert(connection, user, asked, received.insert, received.data)
    return query.run(engine, connection, user, asked, received.statement)


def _next(result: query.Result) -> bytes | None:
    try:
        return next(result.pieces)
    except StopIteration:
        return None


async def _disconnected(incoming: Request) -> None:
    """Return once the client has closed the connection; the body has been read before."""
    while (await incoming.receive())["type"] != "http.disconnect":
        pass
