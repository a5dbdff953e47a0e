"""What ends the ingester, with the exit code of each, and what Redis says of a write.

A lost connection is in ``jetstream.disconnected``, going on elsewhere in ``position.restart``. Must not: import
anything.
"""

from __future__ import annotations

from typing import ClassVar, Final

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


class LakeOutdated(IngesterError):
    """The lake says where to go on, and is of an earlier version. Once it is upgraded, a new start reads it."""


class SinkUnavailable(Exception):
    """Redis is away, loading, read-only or full, or a key has a foreign type: the write may succeed later."""


class StateLost(Exception):
    """Redis no longer holds this writer's state: it was emptied, or restored from an older copy."""
