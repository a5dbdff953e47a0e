"""The way of one request: who asks, its body, the query, the answer.

Lives here: the order of the steps, and what ends them early. Must not: SQL, calls into chDB, rules of HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from firehose.endpoint import body, compression, early_head, errors, parameters, progress, request, steps, users
from firehose.endpoint.connection import Connection
from firehose.endpoint.incoming import Incoming
from firehose.endpoint.limits import MIB
from firehose.endpoint.response import ResultResponse
from firehose.endpoint.sessions import applied
from firehose.endpoint.state import STRANGER, Endpoint
from firehose.endpoint.users import User

log = logging.getLogger(__name__)
T = TypeVar("T")
#: A URL of this size is not worth a thread.
_SHORT_URL: Final = 16 * 1024


class Handled(Response):
    """Answers one query. A response of its own, since it must notice that the client has gone."""

    def __init__(self, endpoint: Endpoint, asking: Request) -> None:
        self._endpoint = endpoint
        self._request = asking
        self._incoming = Incoming(asking.scope, asking.receive, endpoint.patience_s)
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and leave one line in the log: never the URL, which may hold a password."""
        started = time.monotonic()
        answer = ResultResponse(self._endpoint.server, send)
        who = "-"
        try:
            user, given = await self._user()
            who = user.name
            with self._endpoint.admission.slot(user.role):
                await self._answer(user, await self._read(user, given, answer), answer)
        except errors.QueryError as error:
            await answer.fail(error, None if self._incoming.complete else self._incoming.discard)
        except ClientDisconnect:
            answer.outcome = "the client went away"
        except asyncio.CancelledError:
            # uvicorn's word that the time to stop is over; raised again, it would only be logged as a crash.
            answer.outcome = "given up at the stop"
        finally:
            self._endpoint.workers.submit(answer.close)
        if who != "-":  # strangers are counted in bursts: they must not fill the log
            log.info(
                "query %s of %s: %s in %.0f ms%s",
                answer.query_id, who, answer.outcome, (time.monotonic() - started) * 1000,
                "".join(f", {name} lowered to {value}" for name, value in answer.clamped.items()),
            )  # fmt: skip

    async def _user(self) -> tuple[User, Mapping[str, str]]:
        """Who asks, and the parameters of the URL."""
        raw = self._request.scope["query_string"]
        if len(raw) <= _SHORT_URL:
            given = parameters.parse(raw)
        else:
            given = await self._intake(STRANGER, lambda: parameters.parse(raw))
        parameters.check(given, self._incoming.headers)
        try:
            return self._endpoint.users.authenticate(self._incoming.headers, given), given
        except errors.QueryError as error:
            if error.code == errors.AUTHENTICATION_FAILED:
                address = self._request.client.host if self._request.client else "unknown"
                await self._endpoint.passwords.slow_down(address)
            raise

    async def _read(self, user: User, given: Mapping[str, str], answer: ResultResponse) -> request.Query:
        headers = self._incoming.headers
        if fields := await self._incoming.form():
            given = {**given, **fields}
            parameters.check(fields, {})
        asked = request.read(self._request.method, given, headers)
        answer.query_id = asked.query_id
        method = compression.accepted(headers.get("accept-encoding", "")) if asked.compress else None
        answer.compress(method, in_blocks=asked.blocks_out)
        return asked

    async def _answer(self, user: User, asked: request.Query, answer: ResultResponse) -> None:
        received = await self._received(user, asked)
        gone = asyncio.create_task(self._incoming.disconnected())
        try:
            if self._endpoint.stopping:
                raise errors.refused(errors.QUERY_WAS_CANCELLED, "The server is stopping.")
            wish = asked.settings.get("max_memory_usage")
            async with self._endpoint.admission.memory(user.role, wish) as memory_mib:
                await self._on_connection(user, asked, received, answer, gone, memory_mib)
            # Only now: who has read the end may use the session again at once.
            while packed := await self._work(answer.pack_held):
                await answer.send(packed)
                _present(gone)
            await answer.end()
        finally:
            gone.cancel()
            await self._work(received.close)

    async def _received(self, user: User, asked: request.Query) -> body.Request:
        """The whole body. An analyst cannot insert, so its bodies are statements."""
        most = self._endpoint.max_body if user.role == users.LOADER else body.MAX_TEXT
        encoding = self._incoming.headers.get("content-encoding", "")
        receiving = body.Body(self._endpoint.spool, user.role, encoding, most, in_blocks=asked.blocks_in)
        try:
            async for chunk in self._incoming.chunks():
                await self._intake(user.role, lambda chunk=chunk: receiving.feed(chunk))  # type: ignore[misc]
            return await self._intake(user.role, lambda: receiving.finish(asked.text))
        except BaseException:
            self._endpoint.intake[user.role].submit(receiving.close)
            raise

    async def _on_connection(
        self,
        user: User,
        asked: request.Query,
        received: body.Request,
        answer: ResultResponse,
        gone: asyncio.Task[None],
        memory_mib: int,
    ) -> None:
        sessions = self._endpoint.sessions
        connection = await self._work(lambda: sessions.acquire(user, asked.session, memory_mib))
        try:
            await self._work(lambda: steps.use(connection, asked))
            settings = self._settings(user, asked, answer, memory_mib)
            prepared = applied(connection, settings, keep=asked.session is not None)
            await self._work(prepared.__enter__)
            try:
                await self._run(connection, user, asked, received, answer, gone)
            finally:
                await self._work(lambda: prepared.__exit__(None, None, None))
        finally:
            await self._work(lambda: sessions.release(user, asked.session, connection))

    def _settings(
        self, user: User, asked: request.Query, answer: ResultResponse, memory_mib: int
    ) -> Mapping[str, str]:
        if user.role == users.LOADER:
            return asked.settings
        rights = self._endpoint.engine.rights
        answer.clamped = rights.clamped(asked.settings, memory_mib * MIB)
        return rights.settings({**asked.settings, **answer.clamped})

    async def _run(
        self,
        connection: Connection,
        user: User,
        asked: request.Query,
        received: body.Request,
        answer: ResultResponse,
        gone: asyncio.Task[None],
    ) -> None:
        engine = self._endpoint.engine
        head = early_head.of(self._request.scope)
        telling = asyncio.create_task(progress.tell(self._endpoint.progress, connection.tag, asked, head))
        try:
            starting = partial(steps.start, engine, connection, user, asked, received)
            result = await self._watched(connection, gone, starting)
        finally:
            telling.cancel()
        try:
            held = self._endpoint.spool.file(user.role) if asked.wait_end else None
            answer.begin(result.output_format, result.summary, held)
            _present(gone)
            following = partial(steps.following, result, answer)
            while (packed := await self._watched(connection, gone, following)) is not None:
                await answer.send(packed)
                _present(gone)
        finally:
            # Before the connection is closed: the engine crashes on the reverse order.
            await self._work(result.pieces.close)

    async def _watched(self, connection: Connection, gone: asyncio.Task[None], call: Callable[[], T]) -> T:
        """Run ``call`` in a worker; when the client goes away meanwhile, cancel what the engine does for it."""
        job = asyncio.ensure_future(self._work(call))
        await asyncio.wait((job, gone), return_when=asyncio.FIRST_COMPLETED)
        if not job.done():
            await self._work(lambda: self._endpoint.engine.cancel(connection.tag))
        return await job

    async def _work(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._endpoint.workers, call)

    async def _intake(self, role: str, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._endpoint.intake[role], call)


def _present(gone: asyncio.Task[None]) -> None:
    if gone.done():
        raise ClientDisconnect
