"""The errors of the ingester. What ends it carries an exit code; what passes is handled where it is caught."""

from __future__ import annotations

from typing import ClassVar, Final

from ingester.position.position import Position

#: Exit codes. The unit file does not restart on SETTINGS, FENCED and REFUSED: nothing would be better then.
OK: Final = 0
UNWRITTEN: Final = 1
SETTINGS: Final = 2
FENCED: Final = 3
REFUSED: Final = 4
SUPERSEDED: Final = 75


class IngesterError(Exception):
    """The process must end: the message is its last line, ``exit_code`` what it ends with."""

    exit_code: ClassVar[int] = UNWRITTEN


class Fenced(IngesterError):
    """A newer process of the same name writes now: to start this one again would throw that one out."""

    exit_code: ClassVar[int] = FENCED


class Superseded(IngesterError):
    """An ingester of another name writes now: started again, this one waits behind it as a standby."""

    exit_code: ClassVar[int] = SUPERSEDED


class SourceRefused(IngesterError):
    """Jetstream refuses the request itself, so that asking again cannot help."""

    exit_code: ClassVar[int] = REFUSED


class SinkRefused(IngesterError):
    """Redis refuses in a way that waiting cannot mend: a wrong login, a missing right."""

    exit_code: ClassVar[int] = REFUSED


class Unwritten(IngesterError):
    """Events were still in memory when the process had to end. They come again from the stored cursor."""


class SinkUnavailable(Exception):
    """Redis is away, loading, read-only or full, or a key has a foreign type: the write may succeed later."""


class StateLost(Exception):
    """Redis no longer holds this writer's state: it was emptied, or restored from an older copy."""


class CursorMoved(Exception):
    """The stored cursor is another one than this writer's: what it holds in memory does not follow on it."""

    def __init__(self, position: Position) -> None:
        super().__init__(f"the cursor in Redis is now {position.cursor}")
        self.position = position


class Emptied(CursorMoved):
    """Redis has lost the cursor and all events; ``position`` is where this process began."""

    def __init__(self, position: Position) -> None:
        Exception.__init__(self, "Redis was emptied")
        self.position = position


class Renumbered(CursorMoved):
    """A v2 host counts anew, so that its sequence numbers say nothing about the cursor's place."""

    def __init__(self, position: Position, first: int) -> None:
        Exception.__init__(self, f"asked for what follows {position.cursor}, the host began with {first}")
        self.position = position


class Overshot(CursorMoved):
    """Asked for what lies behind a message that cannot be read, an event came: perhaps not the first one."""

    def __init__(self, position: Position, cursor: int) -> None:
        Exception.__init__(self, f"an event after {position.cursor} can be read when asked for from {cursor} on")
        self.position = position


class SourceSilent(Exception):
    """The connection is open but no data has come for too long."""


class SourceBlind(Exception):
    """The connection brings hardly anything of some queues any more."""


class StreamError(Exception):
    """The server ends the stream with an error frame, whose name and message these are."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")


class SourceNotice(Exception):
    """The server says something about the stream that is no event and ends nothing."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message


class LeftOut(Exception):
    """A message that was too large is behind the stream; the connection that leaves such ones out is to end."""


class DictionaryUnavailable(Exception):
    """A v2 host does not serve its zstd dictionary; the stream can do without."""
