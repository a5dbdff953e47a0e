"""The one way to say that the stream is to go on from another place than where it is.

Lives here: the exception and its reasons. Must not: decide that there is one (resume, buffer.delivery).
"""

from __future__ import annotations

from enum import Enum, auto

from ingester.position.position import Position


class Why(Enum):
    """What makes a restart necessary."""

    CURSOR_MOVED = auto()  # Redis holds another cursor than this writer's: what is in memory does not follow on it
    REDIS_EMPTIED = auto()  # Redis has lost the cursor and all events: ``position`` is where this process began
    RENUMBERED = auto()  # a v2 host has restarted its numbering: its numbers say nothing of the cursor's place
    STEPPED_TOO_FAR = auto()  # behind a message that cannot be read an event came: perhaps not the first one


class Restart(Exception):
    """Forget what is in memory, and go on from ``position``; the message is for a reader."""

    def __init__(self, position: Position, why: Why, text: str) -> None:
        super().__init__(text)
        self.position = position
        self.why = why
