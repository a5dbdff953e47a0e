"""Handling one request: its login, its body, the query, the answer.

Lives here: the order of the steps, and how errors end them. Must not: SQL, calls into chDB, rules of HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from clickhouse_http import exceptions
from clickhouse_http.handling import counts
from clickhouse_http.handling.execution import Execution, check_connected
from clickhouse_http.handling.receiving import Receiving
from clickhouse_http.handling.response import ResultResponse
from clickhouse_http.handling.state import NOT_LOGGED_IN, Endpoint
from clickhouse_http.http import early_head
from clickhouse_http.requests import external, forms, parameters, request
from clickhouse_http.requests.forms import Form
from clickhouse_http.requests.incoming import Incoming
from clickhouse_http.rights.users import User
from clickhouse_http.wire import compression

log = logging.getLogger(__name__)
#: A URL up to this size is parsed without a thread.
_SHORT_URL: Final = 16 * 1024


class QueryResponse(Response):
    """Answers one query. It is a response class, since it must notice that the client has gone."""

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
        who, role = "-", ""
        outcome = counts.OK
        try:
            user, given = await self._user()
            who, role = user.name, user.role
            with self._endpoint.admission.slot(user.role):
                await self._answer(user, await self._read(user, given, answer), answer)
        except exceptions.QueryError as error:
            outcome = counts.outcome(error)
            await answer.fail(error, None if self._incoming.complete else self._incoming.discard)
        except ClientDisconnect:
            answer.outcome, outcome = "the client went away", counts.GONE
        except asyncio.CancelledError:
            # uvicorn's grace period is over; raised again, this would only be logged as a crash.
            answer.outcome, outcome = "given up at the stop", counts.STOPPED
        except BaseException:
            outcome = counts.ERROR
            raise
        finally:
            self._endpoint.counts.ended(role, outcome, time.monotonic() - started)
            self._endpoint.workers.submit(self._forget, answer)
        if who != "-":  # failed logins are counted in bursts: they must not fill the log
            log.info(
                "query %s of %s: %s in %.0f ms%s",
                answer.query_id, who, answer.outcome, (time.monotonic() - started) * 1000,
                "".join(f", {name} lowered to {value}" for name, value in answer.clamped.items()),
            )  # fmt: skip

    def _forget(self, answer: ResultResponse) -> None:
        """Drop what is kept of the answer and the form. Blocks."""
        with closing(answer), closing(self._form):
            pass

    async def _user(self) -> tuple[User, Mapping[str, str]]:
        """The user, and the parameters of the URL."""
        raw = self._request.scope["query_string"]
        if len(raw) <= _SHORT_URL:
            given = parameters.parse(raw)
        else:
            given = await self._endpoint.take_in(NOT_LOGGED_IN, partial(parameters.parse, raw))
        parameters.check(given, self._incoming.headers)
        try:
            return self._endpoint.users.authenticate(self._incoming.headers, given), given
        except exceptions.QueryError as error:
            if error.code == exceptions.AUTHENTICATION_FAILED:
                address = self._request.client.host if self._request.client else "unknown"
                await self._endpoint.passwords.slow_down(address)
            raise

    async def _read(self, user: User, given: Mapping[str, str], answer: ResultResponse) -> request.Query:
        """The query of the URL, and of the form if there is one."""
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
        """The query of these parameters. From now on the answer, errors too, is encoded as they ask."""
        headers = self._incoming.headers
        asked = request.read(self._request.method, given, headers, brought)
        answer.query_id = asked.query_id
        method = compression.accepted(headers.get("accept-encoding", "")) if asked.compress else None
        answer.compress(method, in_blocks=asked.blocks_out)
        return asked

    async def _answer(self, user: User, asked: request.Query, answer: ResultResponse) -> None:
        received = await self._receiving.statement(user, asked.text, in_blocks=asked.blocks_in)
        gone = asyncio.create_task(self._incoming.disconnected())
        head = early_head.of(self._request.scope)
        try:
            if self._endpoint.stopping:
                raise exceptions.refused(exceptions.QUERY_WAS_CANCELLED, "The server is stopping.")
            wish, brings = asked.settings.get("max_memory_usage"), bool(asked.external)
            async with self._endpoint.admission.memory(user.role, wish, with_tables=brings) as memory_mib:
                await Execution(self._endpoint, user, asked, answer, gone, head).run(received, memory_mib)
            # Only now: a client that has read the end may use the session again at once.
            while answer.holds and (packed := await self._endpoint.work(answer.pack_held)):
                await answer.send(packed)
                check_connected(gone)
            await answer.end()
        finally:
            gone.cancel()
            await self._endpoint.work(received.close)
