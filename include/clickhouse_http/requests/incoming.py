"""One request as it comes from the client, with limits of time and size.

Lives here: headers, the body's chunks, noticing that the client has gone. Must not: ClickHouse.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from clickhouse_http import exceptions

#: Bytes a second that a body must have beyond its first moments.
_SLOWEST: Final = 1024
#: A client that was refused may go on sending for this long: it reads the answer afterwards.
_DISCARD_S: Final = 1.0
_DISCARD_BYTES: Final = 4 * 1024 * 1024


class Incoming:
    """One request. ``patience_s``: how long the client may send nothing while more is expected."""

    def __init__(self, scope: Scope, receive: Receive, patience_s: float) -> None:
        self.headers = {name.lower(): value for name, value in Headers(scope=scope).items()}
        self._receive = receive
        self._patience_s = patience_s
        self.complete = False  # all of the body was read

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body; nothing where it has been read before.

        Raises:
            QueryError: it comes too slowly.
            ClientDisconnect: the client has gone.
        """
        clock = asyncio.get_running_loop().time
        latest = clock() + self._patience_s
        while not self.complete:
            message = await self._message(min(self._patience_s, latest - clock()))
            self.complete = not message.get("more_body", False)
            if chunk := message.get("body", b""):
                latest += len(chunk) / _SLOWEST
                yield chunk

    async def disconnected(self) -> None:
        """Return once the client has closed the connection; the body has been read before."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def discard(self) -> None:
        """Read on for a moment without keeping anything, so that the client gets to read the answer."""
        size = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DISCARD_S):
                while size < _DISCARD_BYTES:
                    message = await self._receive()
                    size += len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return

    async def _message(self, patience_s: float) -> Message:
        try:
            async with asyncio.timeout(patience_s):
                message = await self._receive()
        except TimeoutError:
            raise exceptions.refused(
                exceptions.SOCKET_TIMEOUT, "The body of the request comes too slowly, or has stopped."
            ) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        return message
