"""Why a connection to Jetstream ended, or was not made: the one vocabulary for it.

Lives here: the causes, and the exception that carries one. Must not: what follows from it (position.failover), the
websockets library (session).
"""

from __future__ import annotations

from enum import Enum, auto


class Cause(Enum):
    """Why a connection ended or was not made."""

    UNREACHABLE = auto()  # refused, no handshake in time, HTTP 5xx
    SILENT = auto()  # connected, but no data came for too long
    PARTIAL = auto()  # connected, but hardly anything of one type comes any more
    REFUSED = auto()  # HTTP 4xx: the request itself
    DROPPED = auto()  # closed by the other side, or by an error frame
    CURSOR_TOO_OLD = auto()
    UNKNOWN_DICTIONARY = auto()
    OVERSIZE = auto()  # a message over max_message_bytes
    OVERSIZE_SKIPPED = auto()  # the stream has gone past what was too large: ended by this side


class Disconnected(Exception):
    """The connection, and not this program, is at fault: ``cause`` for the program, ``text`` for a reader."""

    def __init__(self, cause: Cause, text: str) -> None:
        super().__init__(text)
        self.cause = cause
        self.text = text
