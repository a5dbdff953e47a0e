"""What a check of ``firehose doctor`` is, and what it may find.

Lives here: the shapes that every check shares. Must not: any check.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from firehose.settings import Settings


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"
    NOT_CHECKED = "not checked"


class Finding(NamedTuple):
    """What a check found, in one line. Warnings and failures have a ``remedy``; what was not checked, a reason."""

    state: State
    said: str
    remedy: str = ""


class Check(NamedTuple):
    """``name`` is ``subject.what``. ``run`` gets the settings, or the defaults if it does not ``need`` them.

    ``after`` names an earlier check whose failure explains that of this one. A check that takes longer than
    ``timeout_s`` has failed; one that raises has failed with the error's line.
    """

    name: str
    run: Callable[[Settings], Finding]
    needs_settings: bool = True
    timeout_s: float = 15.0
    after: str = ""

    @property
    def subject(self) -> str:
        """The part of the name that all checks of a module share."""
        return self.name.partition(".")[0]


def ok(said: str) -> Finding:
    """All is well."""
    return Finding(State.OK, said)


def warning(said: str, remedy: str) -> Finding:
    """The pipeline works, and something about it is not as it should be."""
    return Finding(State.WARNING, said, remedy)


def failure(said: str, remedy: str) -> Finding:
    """Something does not work, or loses data sooner or later."""
    return Finding(State.FAILURE, said, remedy)


def not_checked(because: str) -> Finding:
    """Nothing is known: the reason says why."""
    return Finding(State.NOT_CHECKED, f"because {because}")
