"""Reading the body of a request from the connection into the spool.

Lives here: how much of it each user may send, and reading it off the event loop. Must not: ClickHouse, answers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from clickhouse_http.handling.state import Endpoint
from clickhouse_http.requests import body, forms
from clickhouse_http.requests.incoming import Incoming
from clickhouse_http.rights import users
from clickhouse_http.rights.users import User

T = TypeVar("T")


class Receiving:
    """Receives the body of one request.

    Raises (its methods):
        QueryError: the body is broken, too large, or comes too slowly; the disk has no room for it.
        ClientDisconnect: the client has gone.
    """

    def __init__(self, endpoint: Endpoint, incoming: Incoming) -> None:
        self._endpoint = endpoint
        self._incoming = incoming

    async def form(self, user: User, *, in_blocks: bool) -> forms.Form:
        """A body that is a form; ``in_blocks``: in ClickHouse's own compressed blocks."""
        most = self._endpoint.max_body if user.role == users.LOADER else forms.MAX_SIZE
        kind = self._incoming.headers.get("content-type", "")
        receiving = forms.FormBody(
            self._endpoint.spool, user.role, kind, self._encoding, most, in_blocks=in_blocks
        )
        return await self._whole(user, receiving, receiving.finish)

    async def statement(self, user: User, url_text: str, *, in_blocks: bool) -> body.Request:
        """Any other body: the rest of the statement after ``url_text``, or data. Empty after a form."""
        loads = user.role == users.LOADER
        most = self._endpoint.max_body if loads else body.MAX_TEXT
        receiving = body.Body(self._endpoint.spool, user.role, self._encoding, most, in_blocks=in_blocks)
        return await self._whole(user, receiving, partial(receiving.finish, url_text, expressions=loads))

    @property
    def _encoding(self) -> str:
        return self._incoming.headers.get("content-encoding", "")

    async def _whole(self, user: User, receiving: body.Body | forms.FormBody, finish: Callable[[], T]) -> T:
        def last(chunk: bytes) -> T:
            if chunk:
                receiving.feed(chunk)
            return finish()

        waiting = b""  # the last chunk is read together with the end: most bodies have one
        try:
            async for chunk in self._incoming.chunks():
                if waiting:
                    await self._endpoint.take_in(user.role, partial(receiving.feed, waiting))
                waiting = chunk
            return await self._endpoint.take_in(user.role, partial(last, waiting))
        except BaseException:
            self._endpoint.intake[user.role].submit(receiving.close)
            raise
