"""One websocket connection to Jetstream, v1 or v2: opening it, and judging why it failed.

Lives here: everything that knows the websockets library. Must not: Redis, buffers, retries.
"""

from __future__ import annotations

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
from ingester.errors import LeftOut, SourceBlind, SourceSilent, StreamError
from ingester.jetstream.disconnected import Cause
from ingester.jetstream.hosts import V2

#: Messages that may wait to be read: one read of the socket brings some hundred, and each stop and go of the
#: transport costs two system calls.
QUEUE: Final = (1024, 256)
#: The same in bytes: a thousand of the largest messages would be 32 GiB.
QUEUE_BYTES: Final = 64 * 1024 * 1024
USER_AGENT: Final = "bluesky-firehose-ingester/0.1"
#: The framing of v2, as its lexicon names it. A server that speaks of it to a client that has not is refused.
_SUBPROTOCOL: Final = Subprotocol("xrpc.v1.json")
#: Client errors (HTTP 4xx) that pass.
_PASSING: Final = (408, 425, 429)
#: v2's refusals (HTTP 400) that ask for another cursor or dictionary, by the name in their body.
_NAMED: Final = {"CursorTooOld": Cause.CURSOR_TOO_OLD, "UnknownZstdDictionary": Cause.UNKNOWN_DICTIONARY}

#: What :func:`open_session` and reading raise when the connection, and not this program, is at fault.
FAILURES: Final = (
    OSError,
    TimeoutError,
    ConnectionClosed,
    InvalidHandshake,
    InvalidURI,
    InvalidProxy,
    LeftOut,
    SourceBlind,
    SourceSilent,
    StreamError,
)


class _Connection(ClientConnection):
    """A connection that stops reading at :data:`QUEUE_BYTES` too, which the library counts in messages only.

    The library goes on as soon as a message is taken; the next read finds the queue still full, or not.
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
    """Connect to ``url``. It offers no permessage-deflate: v2 hosts refuse it.

    Pings are left to the server, since a paused stream cannot hear the answer; the data timeout watches.
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


def judge(error: Exception, url: str) -> tuple[Cause, str]:
    """Why a connection failed, for the program and for a reader: the one place that decides this."""
    said = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, InvalidStatus):
        return _judge_status(error, url)
    if isinstance(error, InvalidURI | InvalidProxy):
        return Cause.REFUSED, f"cannot connect to {redacted(url)}: {error}"
    if isinstance(error, SourceSilent):
        return Cause.SILENT, said
    if isinstance(error, SourceBlind):
        return Cause.BLIND, said
    if isinstance(error, LeftOut):
        return Cause.LEFT_OUT, said
    if isinstance(error, ConnectionClosed) and error.sent and error.sent.code == CloseCode.MESSAGE_TOO_BIG:
        return Cause.TOO_LARGE, said
    if isinstance(error, ConnectionClosed | StreamError):
        return Cause.DROPPED, said
    return Cause.UNREACHABLE, said


def _judge_status(error: InvalidStatus, url: str) -> tuple[Cause, str]:
    status, body = error.response.status_code, (error.response.body or b"").decode(errors="replace")
    said = " ".join(f"HTTP {status} {body[:200]}".split())
    if not 400 <= status < 500 or status in _PASSING:
        return Cause.UNREACHABLE, said
    for name, cause in _NAMED.items():
        if status == 400 and name in body[:500]:
            return cause, said
    return Cause.REFUSED, (
        f"{redacted(url)} refuses the subscription: {said}; check FIREHOSE_JETSTREAM_URL, "
        "FIREHOSE_WANTED_COLLECTIONS and FIREHOSE_START_CURSOR"
    )
