"""The exception that makes the stream continue from another position.

Lives here: the exception and its reasons. Must not: decide that one is needed (resume, buffer.delivery).
"""

from __future__ import annotations

from enum import Enum, auto

from ingester.position.position import Position


class Why(Enum):
    """The reason for a restart."""

    CURSOR_MOVED = auto()  # Redis has another cursor than this writer: events in memory do not continue from it
    REDIS_EMPTIED = auto()  # Redis has lost the cursor and all events: ``position`` is where this process began
    RENUMBERED = auto()  # a v2 host has restarted its numbering, so the cursor means nothing to it
    STEPPED_TOO_FAR = auto()  # an event came after a message that is too large, but perhaps not the first one


class Restart(Exception):
    """Forget the events in memory and continue from ``position``; the message is for a human reader."""

    def __init__(self, position: Position, why: Why, text: str) -> None:
        super().__init__(text)
        self.position = position
        self.why = why
