"""The errors that end the ingester, each with its exit code, and the answers of Redis to a write.

A lost connection is in ``jetstream.disconnected``, a jump to another position in ``position.restart``. Must not:
import anything.
"""

from __future__ import annotations

from typing import ClassVar, Final

#: Exit codes. The unit file does not restart on SETTINGS, FENCED and REFUSED, because a restart would not help.
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
    """A newer process of the same name writes now: starting this one again would displace it."""

    exit_code: ClassVar[int] = FENCED


class Superseded(IngesterError):
    """An ingester of another name writes now: if started again, this one waits as its standby."""

    exit_code: ClassVar[int] = SUPERSEDED


class SourceRefused(IngesterError):
    """Jetstream refuses the request itself, so a retry cannot help."""

    exit_code: ClassVar[int] = REFUSED


class SinkRefused(IngesterError):
    """Redis refuses for a reason that waiting cannot change: a wrong login, a missing right."""

    exit_code: ClassVar[int] = REFUSED


class Unwritten(IngesterError):
    """Events were still in memory when the process had to end. They are received again from the stored cursor."""


class LakeOutdated(IngesterError):
    """The lake is needed to find where to continue, and has the layout of an earlier version: upgrade it first."""


class SinkUnavailable(Exception):
    """Redis is away, loading, read-only or full, or a key has a foreign type: the write may succeed later."""


class StateLost(Exception):
    """Redis no longer holds this writer's state: it was emptied, or restored from an older copy."""
