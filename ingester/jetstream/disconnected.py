"""Why a connection to Jetstream ended, or was not made: the one vocabulary for it.

Lives here: the causes. Must not: what follows from one (position.failover), the websockets library (session).
"""

from __future__ import annotations

from enum import Enum, auto


class Cause(Enum):
    """Why a connection ended or was not made."""

    UNREACHABLE = auto()  # refused, no handshake in time, HTTP 5xx
    SILENT = auto()  # connected, but the data watchdog barked
    BLIND = auto()  # connected, but hardly anything of one type comes any more
    REFUSED = auto()  # HTTP 4xx: the request itself
    DROPPED = auto()  # closed by the other side, or by an error frame
    CURSOR_TOO_OLD = auto()
    UNKNOWN_DICTIONARY = auto()
    TOO_LARGE = auto()
    LEFT_OUT = auto()  # what was too large is behind the stream: ended by this side
