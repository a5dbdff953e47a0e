"""One ``subscribeEvents`` connection: sends frames, hears nothing, and ends with an error frame where it must.

Lives here: the tasks of a v2 connection. Must not: choosing events, the handshake.
"""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from jetstream_simulator.event_log import Overtaken
from jetstream_simulator.logs import get_logger
from jetstream_simulator.session import Sender, close
from jetstream_simulator.v2 import message
from jetstream_simulator.v2.subscriber import EventSubscriber

log = get_logger(__name__)
_TOO_SLOW: Final = "ConsumerTooSlow"


_END_S: Final = 5.0  # what a slow client gets to read what was written, and the error frame after it


class _Ending(NamedTuple):
    """Why the server ends a stream; ``error`` names an error frame that comes first."""

    reason: str
    error: str = ""


class EventSession:
    """A v2 subscription over ``connection``. ``notice`` is an ``#info`` that is sent before everything."""

    def __init__(
        self, connection: ServerConnection, subscriber: EventSubscriber, sender: Sender, notice: str = ""
    ) -> None:
        self._connection, self._subscriber, self._sender, self._notice = connection, subscriber, sender, notice
        self._ending: _Ending | None = None
        self._dropped = asyncio.Event()

    async def run(self) -> None:
        """Serve until the client leaves, says anything, or is too slow."""
        if self._notice:
            self._write(message.info("OutdatedCursor", self._notice))
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(self._send())
            hearing = tasks.create_task(self._hear())
            dropping = tasks.create_task(self._dropped.wait())
            parts = {sending, hearing, dropping}
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part in parts:
                part.cancel()
        if self._ending is not None:
            await self._end(self._ending)

    async def _send(self) -> None:
        try:
            await self._sender.send(self._subscriber, self._drop)
        except Overtaken:
            self._ending = _Ending("the retention has overtaken this client", _TOO_SLOW)

    def _drop(self) -> None:
        self._ending = _Ending(f"{self._subscriber.behind} events behind the tip", _TOO_SLOW)
        self._dropped.set()

    async def _hear(self) -> None:
        try:
            await self._connection.recv()
            self._ending = _Ending("this endpoint is server-push only")
        except ConnectionClosed as error:
            log.debug("client gone", reason=error)

    async def _end(self, ending: _Ending) -> None:
        log.warning("ending a stream", reason=ending.reason)
        if ending.error:
            self._write(message.error(ending.error, ending.reason))
        await close(self._connection, CloseCode.POLICY_VIOLATION, ending.error or ending.reason, _END_S)

    def _write(self, text: bytes) -> None:
        self._connection.transport.write(self._subscriber.encoded(text))
