"""What every command ends with: a closed list. ``docs/commands.md`` is made from it.

Must not: end anything (ending.py does).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class ExitCode(IntEnum):
    """The codes of the ``firehose`` command. Those of ``python -m ingester`` are :data:`INGESTER`."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNAVAILABLE = 75
    INTERRUPTED = 130

    @classmethod
    def of(cls, *, ok: bool) -> ExitCode:
        """How a command ends that could do its work: whether what it found is all right."""
        return cls.OK if ok else cls.FAILED


#: What each means, and what a script does about it.
MEANING: Final[dict[ExitCode, str]] = {
    ExitCode.OK: "Done, and nothing wrong was found.",
    ExitCode.FAILED: "It could not be done, or a check found something wrong: a line on standard error says what.",
    ExitCode.USAGE: "The command line is wrong: an unknown option, a missing argument.",
    ExitCode.UNAVAILABLE: "A service does not answer now, or a lock is held: the same command may work later.",
    ExitCode.INTERRUPTED: "Ctrl-C. What was done so far is kept where the command says so.",
}

#: Those of ``python -m ingester``, which knows nothing of this package; a test compares them.
INGESTER: Final[dict[int, str]] = {
    0: "Stopped by a signal; everything received is in Redis.",
    1: "Stopped with events unwritten: they are received again from the stored cursor.",
    2: "A setting is wrong. The unit does not restart it.",
    3: "Another ingester of the same name took over. The unit does not restart it.",
    4: "Jetstream or Redis refuses for good: a wrong request, login or right. The unit does not restart it.",
    75: "An ingester of another name writes now: started again, this one waits as a hot spare.",
}
