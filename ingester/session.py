"""One websocket connection to Jetstream: opening it, and judging why it failed.

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

from ingester.errors import SourceRefused, SourceSilent
from ingester.settings import IngesterSettings, redacted

#: Messages that may wait to be read: one read of the socket brings some hundred, and each stop and go of the
#: transport costs two system calls.
QUEUE: Final = (1024, 256)
USER_AGENT: Final = "bluesky-firehose-ingester/0.1"
#: Client errors (HTTP 4xx) that pass.
_PASSING: Final = (408, 425, 429)


#: What :func:`open_session` and reading raise when the connection, and not this program, is at fault.
FAILURES: Final = (
    OSError,
    TimeoutError,
    ConnectionClosed,
    InvalidHandshake,
    InvalidURI,
    InvalidProxy,
    SourceSilent,
)


async def open_session(url: str, settings: IngesterSettings) -> ClientConnection:
    """Connect to ``url``. It offers no permessage-deflate: v2 hosts refuse it.

    Pings are left to the server, since a paused stream cannot hear the answer; the data timeout watches.
    """
    return await connect(
        url,
        compression=None,
        max_size=settings.max_message_bytes,
        max_queue=QUEUE,
        ping_interval=None,
        close_timeout=1,
        open_timeout=10,
        user_agent_header=USER_AGENT,
    )


def too_large(error: Exception) -> bool:
    """Whether this side closed the connection over a message beyond ``max_message_bytes``."""
    return (
        isinstance(error, ConnectionClosed)
        and error.sent is not None
        and error.sent.code == CloseCode.MESSAGE_TOO_BIG
    )


def retry_reason(error: Exception, url: str) -> str:
    """Why a connection failed, where trying again may help: the one place that decides this.

    Raises:
        SourceRefused: the request itself is refused, or the URL is none; it will not get better.
    """
    if isinstance(error, InvalidStatus):
        status, body = error.response.status_code, (error.response.body or b"").decode(errors="replace")
        said = " ".join(f"HTTP {status} {body[:200]}".split())
        if 400 <= status < 500 and status not in _PASSING:
            raise SourceRefused(
                f"{redacted(url)} refuses the subscription: {said}; check FIREHOSE_JETSTREAM_URL, "
                "FIREHOSE_WANTED_COLLECTIONS and FIREHOSE_START_CURSOR"
            ) from None
        return said
    if isinstance(error, InvalidURI | InvalidProxy):
        raise SourceRefused(f"cannot connect to {redacted(url)}: {error}") from None
    return " ".join(f"{type(error).__name__}: {error}".split())
