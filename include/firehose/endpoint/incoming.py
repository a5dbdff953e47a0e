"""What a client sends of one request, with limits of time and size.

Lives here: headers, the body's chunks, a form's fields, noticing that the client has gone. Must not: ClickHouse.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Final

from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from firehose.endpoint import errors
from firehose.endpoint.body import MAX_TEXT

#: Bytes a second that a body must have beyond its first moments.
_SLOWEST: Final = 1024
_MAX_FIELDS: Final = 1000
#: A client that was refused may go on sending for a while, so that it reads why.
_DISCARD_S: Final = 1.0
_DISCARD_BYTES: Final = 4 * 1024 * 1024


class Incoming:
    """One request. ``patience_s``: how long the client may send nothing while more is expected."""

    def __init__(self, scope: Scope, receive: Receive, patience_s: float) -> None:
        self.headers = {name.lower(): value for name, value in Headers(scope=scope).items()}
        self._receive = receive
        self._patience_s = patience_s
        self.complete = False  # whether all of the body was read

    @property
    def _is_form(self) -> bool:
        return self.headers.get("content-type", "").startswith("multipart/form-data")

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body; nothing of a form.

        Raises:
            QueryError: it comes too slowly.
            ClientDisconnect: the client has gone.
        """
        if not self._is_form:
            async for chunk in self._body():
                yield chunk

    async def form(self) -> dict[str, str]:
        """The fields of a form: clickhouse-connect may send the query and its parameters so.

        Raises:
            QueryError: it holds a file, is too large, or is broken.
        """
        if not self._is_form:
            return {}
        parser = MultiPartParser(
            Headers(self.headers), self._small(), max_files=0, max_fields=_MAX_FIELDS, max_part_size=MAX_TEXT
        )
        try:
            return {name: str(value) for name, value in (await parser.parse()).items()}
        except MultiPartException as error:
            if "files" in error.message:
                raise errors.refused(
                    errors.NOT_IMPLEMENTED,
                    "External data (files of a form) is not supported by this endpoint.",
                ) from None
            raise errors.refused(errors.BAD_ARGUMENTS, f"The form cannot be read: {error.message}") from None

    async def disconnected(self) -> None:
        """Return once the client has closed the connection; the body has been read before."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def discard(self) -> None:
        """Read on for a moment, and forget it."""
        size = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DISCARD_S):
                while size < _DISCARD_BYTES:
                    message = await self._receive()
                    size += len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return

    async def _small(self) -> AsyncGenerator[bytes, None]:
        size = 0
        async for chunk in self._body():
            size += len(chunk)
            if size > MAX_TEXT:
                raise errors.refused(errors.QUERY_IS_TOO_LARGE, f"The form has more than {MAX_TEXT} bytes.")
            yield chunk

    async def _body(self) -> AsyncGenerator[bytes, None]:
        clock = asyncio.get_running_loop().time
        latest = clock() + self._patience_s
        while not self.complete:
            message = await self._message(min(self._patience_s, latest - clock()))
            self.complete = not message.get("more_body", False)
            if chunk := message.get("body", b""):
                latest += len(chunk) / _SLOWEST
                yield chunk

    async def _message(self, patience_s: float) -> Message:
        try:
            async with asyncio.timeout(patience_s):
                message = await self._receive()
        except TimeoutError:
            raise errors.refused(
                errors.SOCKET_TIMEOUT, "The body of the request comes too slowly, or has stopped."
            ) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        return message
