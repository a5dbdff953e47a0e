"""One client's connection: sends it the event log, and obeys its messages.

Lives here: the tasks and writes of a connection. Must not: choosing events, the handshake.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import zstandard
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.protocol import State

from jetstream_simulator import options
from jetstream_simulator.event_log import EventLog, Overtaken
from jetstream_simulator.feed import Feed
from jetstream_simulator.limits import Bucket
from jetstream_simulator.logs import get_logger
from jetstream_simulator.subscriber import Subscriber

log = get_logger(__name__)
CLOSE_S: Final = 1.0
_LIMIT_POLL_S: Final = 0.01
_MAX_REASON: Final = 123  # bytes that a close frame can hold after its code


class Sender:
    """Sends a subscriber's frames over ``connection``."""

    def __init__(self, connection: ServerConnection, feed: Feed, bucket: Bucket) -> None:
        self._connection, self._feed, self._bucket = connection, feed, bucket

    async def send(self, subscriber: Subscriber, drop: Callable[[], None]) -> None:
        """Send until cancelled or the client is gone; ``drop`` is called when it is too slow.

        Raises:
            Overtaken: the event log dropped events that this client has not had.
        """
        self._feed.join(subscriber, drop)
        try:
            while True:
                await self._feed.more(subscriber)
                await self._send_batch(subscriber)
        except (ConnectionClosed, OSError) as error:
            log.debug("client gone", reason=error)
        finally:
            self._feed.leave(subscriber)

    async def _send_batch(self, subscriber: Subscriber) -> None:
        live = subscriber.live
        allowed = self._bucket.available(asyncio.get_running_loop().time(), live=live)
        if not allowed:
            await asyncio.sleep(_LIMIT_POLL_S)
            return
        batch = subscriber.next_batch(allowed)
        self._bucket.spend(len(batch), live=live)
        self._feed.progress()
        if batch and self._connection.state is State.OPEN:
            # One write for many frames: a send() for each event would cost more than all the rest. Only this
            # task writes data frames, and a write is never part of a frame, so pings fit in between.
            self._connection.transport.write(b"".join(batch))
            await self._connection.drain()
        await asyncio.sleep(0)


class Session:
    """A v1 subscription over ``connection``. ``position`` is where it begins, in place of a cursor by time.

    Unlike v1 a host of v2 (``v2_host``) says by the code of the close frame what was invalid.
    """

    def __init__(
        self,
        connection: ServerConnection,
        wanted: options.Request,
        event_log: EventLog,
        feed: Feed,
        bucket: Bucket,
        compressor: zstandard.ZstdCompressor | None,
        *,
        position: int | None = None,
        floor: int = 0,
        v2_host: bool = False,
    ) -> None:
        self._connection, self._event_log, self._sender = connection, event_log, Sender(connection, feed, bucket)
        self._filter, self._cursor_us, self._compressor = wanted.filter, wanted.cursor, compressor
        self._position, self._floor, self._v2_host = position, floor, v2_host
        self._subscriber: Subscriber | None = None
        self._hello = asyncio.Event()
        if not wanted.require_hello:
            self._hello.set()

    async def run(self) -> None:
        """Serve until the client leaves, is dropped, or asks for something invalid."""
        refusal: options.InvalidOptions | None = None
        async with asyncio.TaskGroup() as tasks:
            sender = tasks.create_task(self._send())
            try:
                await self._obey()
            except options.InvalidOptions as error:
                refusal = error
            except ConnectionClosed as error:
                log.debug("client gone", reason=error)
            finally:
                sender.cancel()
        if refusal is not None:
            await close(self._connection, self._code(refusal), str(refusal))

    def _code(self, refusal: options.InvalidOptions) -> CloseCode:
        if not self._v2_host:
            return CloseCode.NORMAL_CLOSURE
        return CloseCode.INVALID_DATA if refusal.malformed else CloseCode.POLICY_VIOLATION

    async def _obey(self) -> None:
        async for message in self._connection:
            if isinstance(message, bytes):
                continue  # v1 ignores them
            update = options.parse_update(message)
            if update is None:
                continue
            self._filter = update
            if self._subscriber is not None:
                self._subscriber.filter = update
            self._hello.set()

    async def _send(self) -> None:
        await self._hello.wait()
        subscriber = Subscriber(
            self._event_log,
            self._filter,
            self._cursor_us,
            self._compressor,
            position=self._position,
            floor=self._floor,
        )
        self._subscriber = subscriber
        try:
            await self._sender.send(subscriber, self._connection.transport.abort)
        except Overtaken:
            # v1 would read on from its disk. Leaving events out silently would be worse than a lost connection.
            log.warning("dropping a client that the retention has overtaken")
            self._connection.transport.abort()


async def close(
    connection: ServerConnection, code: CloseCode, reason: str = "", timeout_s: float = CLOSE_S
) -> None:
    """Close with ``code`` and ``reason`` (cut to what fits), or cut off a client that does not read."""
    connection.close_timeout = timeout_s
    fitting = reason.encode()[:_MAX_REASON].decode(errors="ignore")
    try:
        async with asyncio.timeout(timeout_s):
            await connection.close(code, fitting)
    except TimeoutError:
        connection.transport.abort()
