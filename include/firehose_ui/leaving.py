"""What ends when its reader leaves: a question that runs in a thread, and its connections to ClickHouse.

A closed connection is how ClickHouse learns that nobody waits for an answer. Must not: know what is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

from clickhouse_connect.driver.httputil import all_managers, get_pool_manager
from starlette.requests import Request
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from firehose.errors import FirehoseError


class Left(FirehoseError):
    """The reader has left; nobody gets this."""

    def __init__(self) -> None:
        super().__init__("the reader has left")


class Connections:
    """The connections of one question, which :meth:`close` ends from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[Any] = []
        self._closed = False

    def pool(self) -> PoolManager:
        """What opens them: a pool of its own, as others must not lose theirs."""
        opens, opened = self.opens, self.opened

        class Plain(HTTPConnection):
            def connect(self) -> None:
                opens()
                super().connect()
                opened(self.sock)

        class Secure(HTTPSConnection):
            def connect(self) -> None:
                opens()
                super().connect()
                opened(self.sock)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        pool: PoolManager = get_pool_manager()
        all_managers.pop(pool, None)  # it lives as long as one question
        pool.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
        return pool

    def opens(self) -> None:
        """A connection is about to be opened.

        Raises:
            Left: the question was left, so that the client does not ask again.
        """
        if self._closed:
            raise Left

    def opened(self, sock: socket.socket | None) -> None:
        """Keep a connection that is new; it ends at once where the question was left meanwhile."""
        with self._lock:
            self._open.append(sock)
        if self._closed:
            self.close()

    def close(self) -> None:
        """End them, and let no other be opened."""
        with self._lock:
            self._closed = True
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)


_LEFT: Final = "http.disconnect"
T = TypeVar("T")


async def left(request: Request) -> None:
    """Returns when the reader of a request, whose body was read, has left."""
    while (await request.receive())["type"] != _LEFT:
        pass


async def while_there(request: Request, answer: Awaitable[T]) -> T:
    """``answer``, as long as its reader waits for it; then it is cancelled.

    Raises:
        Left: the reader has left.
    """
    asked, gone = asyncio.ensure_future(answer), asyncio.ensure_future(left(request))
    try:
        await asyncio.wait((asked, gone), return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            raise Left
        return await asked
    finally:
        asked.cancel()
        gone.cancel()
