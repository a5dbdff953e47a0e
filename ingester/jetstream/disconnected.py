"""The reasons for which a connection to Jetstream ended or was not made.

Lives here: the causes, and the exception that carries one. Must not: decide what follows (position.failover), know
the websockets library (session).
"""

from __future__ import annotations

from enum import Enum, auto


class Cause(Enum):
    """The reason for which a connection ended or was not made."""

    UNREACHABLE = auto()  # refused, no handshake in time, HTTP 5xx
    SILENT = auto()  # connected, but no data came for too long
    PARTIAL = auto()  # connected, but hardly any events of one type come
    REFUSED = auto()  # HTTP 4xx: the request itself
    DROPPED = auto()  # closed by the other side, or by an error frame
    CURSOR_TOO_OLD = auto()
    UNKNOWN_DICTIONARY = auto()
    OVERSIZE = auto()  # a message over max_message_bytes
    OVERSIZE_SKIPPED = auto()  # the stream is past the message that was too large: ended by this side


class Disconnected(Exception):
    """A connection failed, not this program: ``cause`` is for the program, ``text`` for a human reader."""

    def __init__(self, cause: Cause, text: str) -> None:
        super().__init__(text)
        self.cause = cause
        self.text = text
