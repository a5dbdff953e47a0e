"""One websocket connection to Jetstream, v1 or v2: opens it, and finds out why it ended.

Lives here: everything that knows the websockets library. Must not: Redis, buffers, retries.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidProxy,
    InvalidStatus,
    InvalidURI,
)
from websockets.frames import CloseCode
from websockets.typing import Subprotocol

from ingester.contract.settings import IngesterSettings, redacted
from ingester.jetstream.disconnected import Cause, Disconnected
from ingester.jetstream.hosts import V2

#: How many messages may wait to be read: one read of the socket brings a few hundred, and each pause of the
#: transport costs two system calls.
QUEUE: Final = (1024, 256)
#: The same in bytes: a thousand of the largest messages would be 32 GiB.
QUEUE_BYTES: Final = 64 * 1024 * 1024
USER_AGENT: Final = "bluesky-firehose-ingester/0.1"
#: The framing of v2, as its lexicon names it. The client must name it too if the server does.
_SUBPROTOCOL: Final = Subprotocol("xrpc.v1.json")
#: Client errors (HTTP 4xx) that are temporary.
_PASSING: Final = (408, 425, 429)
#: v2's refusals (HTTP 400) that ask for another cursor or dictionary, by the name in their body.
_NAMED: Final = {"CursorTooOld": Cause.CURSOR_TOO_OLD, "UnknownZstdDictionary": Cause.UNKNOWN_DICTIONARY}

#: The errors of library and network for a failed connection, as opposed to a fault of this program.
FAILURES: Final = (OSError, TimeoutError, ConnectionClosed, InvalidHandshake, InvalidURI, InvalidProxy)


class _Connection(ClientConnection):
    """A connection that also stops reading at :data:`QUEUE_BYTES`; the library itself limits only messages.

    The library reads on as soon as a message is taken; the next read then checks the queue again.
    """

    _unread = 0

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._unread += len(data)
        if self._unread > QUEUE_BYTES:
            messages = self.recv_messages
            self._unread = sum(len(frame.data) for frame in messages.frames.queue)
            if self._unread > QUEUE_BYTES and not messages.paused:
                messages.paused = True
                self.transport.pause_reading()


async def open_session(url: str, protocol: str, settings: IngesterSettings) -> ClientConnection:
    """Connect to ``url``, without permessage-deflate, which v2 hosts refuse.

    Pings are left to the server, since a paused stream does not receive the answer; the data timeout replaces
    them.
    """
    return await connect(
        url,
        compression=None,
        subprotocols=[_SUBPROTOCOL] if protocol == V2 else None,
        max_size=settings.max_message_bytes,
        max_queue=QUEUE,
        ping_interval=None,
        close_timeout=1,
        create_connection=_Connection,
        open_timeout=10,
        user_agent_header=USER_AGENT,
    )


@contextmanager
def disconnecting(url: str) -> Iterator[None]:
    """A context for everything that one connection to ``url`` does.

    Raises:
        Disconnected: instead of the errors of library and network.
    """
    try:
        yield
    except FAILURES as error:
        raise classify(error, url) from error


def classify(error: Exception, url: str) -> Disconnected:
    """The cause of a failed connection, from one of :data:`FAILURES`; nothing else decides this."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, InvalidStatus):
        return _of_status(error, url)
    if isinstance(error, InvalidURI | InvalidProxy):
        return Disconnected(Cause.REFUSED, f"cannot connect to {redacted(url)}: {error}")
    if isinstance(error, ConnectionClosed):
        oversize = error.sent is not None and error.sent.code == CloseCode.MESSAGE_TOO_BIG
        return Disconnected(Cause.OVERSIZE if oversize else Cause.DROPPED, text)
    return Disconnected(Cause.UNREACHABLE, text)


def _of_status(error: InvalidStatus, url: str) -> Disconnected:
    status, body = error.response.status_code, (error.response.body or b"").decode(errors="replace")
    text = " ".join(f"HTTP {status} {body[:200]}".split())
    if not 400 <= status < 500 or status in _PASSING:
        return Disconnected(Cause.UNREACHABLE, text)
    for name, cause in _NAMED.items():
        if status == 400 and name in body[:500]:
            return Disconnected(cause, text)
    return Disconnected(
        Cause.REFUSED,
        f"{redacted(url)} refuses the subscription: {text}; check FIREHOSE_JETSTREAM_URL, "
        "FIREHOSE_WANTED_COLLECTIONS and FIREHOSE_START_CURSOR",
    )
