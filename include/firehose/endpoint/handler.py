"""The way of one request: who asks, its body, the query, the answer.

Lives here: the order of the steps, and what ends them early. Must not: SQL, calls into chDB, rules of HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from firehose.endpoint import (
    body,
    compression,
    early_head,
    errors,
    external,
    forms,
    loading,
    parameters,
    progress,
    request,
    steps,
    users,
)
from firehose.endpoint.connection import Connection
from firehose.endpoint.forms import Form
from firehose.endpoint.incoming import Incoming
from firehose.endpoint.limits import MIB
from firehose.endpoint.receiving import Receiving
from firehose.endpoint.response import ResultResponse
from firehose.endpoint.sessions import applied
from firehose.endpoint.state import STRANGER, Endpoint
from firehose.endpoint.users import User

log = logging.getLogger(__name__)
T = TypeVar("T")
#: A URL of this size is not worth a thread.
_SHORT_URL: Final = 16 * 1024
_NO_WISH: Final = "default"


class Handled(Response):
    """Answers one query. A response of its own, since it must notice that the client has gone."""

    def __init__(self, endpoint: Endpoint, asking: Request) -> None:
        self._endpoint = endpoint
        self._request = asking
        self._incoming = Incoming(asking.scope, asking.receive, endpoint.patience_s)
        self._receiving = Receiving(endpoint, self._incoming)
        self._form = Form()
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
            self._endpoint.workers.submit(self._form.close)
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
            given = await self._endpoint.take_in(STRANGER, partial(parameters.parse, raw))
        parameters.check(given, self._incoming.headers)
        try:
            return self._endpoint.users.authenticate(self._incoming.headers, given), given
        except errors.QueryError as error:
            if error.code == errors.AUTHENTICATION_FAILED:
                address = self._request.client.host if self._request.client else "unknown"
                await self._endpoint.passwords.slow_down(address)
            raise

    async def _read(self, user: User, given: Mapping[str, str], answer: ResultResponse) -> request.Query:
        """What is asked for: by the URL, and by the form if there is one."""
        asked = self._asked(answer, given)
        if not forms.is_form(self._incoming.headers.get("content-type", "")):
            return asked
        self._form = await self._receiving.form(user, in_blocks=asked.blocks_in)
        parameters.check(self._form.fields, {})
        brought, given = external.tables(self._form, {**given, **self._form.fields})
        return self._asked(answer, given, brought)

    def _asked(
        self, answer: ResultResponse, given: Mapping[str, str], brought: Sequence[external.ExternalTable] = ()
    ) -> request.Query:
        """By the parameters; from now on the answer is in the form that they ask for, errors too."""
        headers = self._incoming.headers
        asked = request.read(self._request.method, given, headers, brought)
        answer.query_id = asked.query_id
        method = compression.accepted(headers.get("accept-encoding", "")) if asked.compress else None
        answer.compress(method, in_blocks=asked.blocks_out)
        return asked

    async def _answer(self, user: User, asked: request.Query, answer: ResultResponse) -> None:
        received = await self._receiving.statement(user, asked.text, in_blocks=asked.blocks_in)
        gone = asyncio.create_task(self._incoming.disconnected())
        try:
            if self._endpoint.stopping:
                raise errors.refused(errors.QUERY_WAS_CANCELLED, "The server is stopping.")
            wish, brings = asked.settings.get("max_memory_usage"), bool(asked.external)
            async with self._endpoint.admission.memory(user.role, wish, brings_tables=brings) as memory_mib:
                await self._on_connection(user, asked, received, answer, gone, memory_mib)
            # Only now: who has read the end may use the session again at once.
            while packed := await self._work(answer.pack_held):
                await answer.send(packed)
                _present(gone)
            await answer.end()
        finally:
            gone.cancel()
            await self._work(received.close)

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
            settings = self._settings(user, asked, answer, memory_mib)
            # Many clients send this where their user named no database. The analyst has no rights there: it stays
            # in its own default database.
            stays = user.role == users.ANALYST and asked.database == _NO_WISH
            database = "" if stays else asked.database
            prepared = applied(connection, database, settings, keep=asked.session is not None)
            await self._work(prepared.__enter__)
            try:
                load = partial(loading.load_external, self._endpoint.engine.parser, connection, asked.external)
                await self._watched(connection, gone, load)
                await self._run(connection, user, asked, received, answer, gone)
            finally:
                await self._work(lambda: loading.drop_external(connection))
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


def _present(gone: asyncio.Task[None]) -> None:
    if gone.done():
        raise ClientDisconnect
