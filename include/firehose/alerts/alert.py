"""What an alert is, and a message about one.

Lives here: the shapes that the catalogue, states, words and sinks share. Must not: name an alert (catalogue.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """How soon an operator has to look."""

    ERROR = "error"  # something has stopped, and stays so until an operator acts
    WARNING = "warning"  # the pipeline goes on; look on the next working day


class Kind(StrEnum):
    """Why a message about an alert is sent."""

    FIRING = "firing"
    ESCALATED = "escalated"
    REPEATED = "repeated"
    CLEARED = "cleared"
    TEST = "test"


class Notice(NamedTuple):
    """A message about an alert, with its words filled in. ``runbook`` is an address relative to the project.

    ``at`` is when it is sent, ``since`` when it began, ``until`` when it was so last, if it is over.
    ``key`` names the alert and what it is about; ``thread`` is the id of the first mail about it, ``first`` tells
    whether this is that one. ``causes`` are likely ones, ``also`` other alerts that this one explains.
    """

    name: str
    severity: Severity
    title: str
    text: str
    runbook: str
    details: Mapping[str, str]
    kind: Kind = Kind.FIRING
    key: str = ""
    at: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    thread: str = ""
    causes: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def first(self) -> bool:
        """Tell whether no mail of the thread was sent before."""
        return self.kind in (Kind.FIRING, Kind.TEST)

    @property
    def lasted(self) -> timedelta:
        """For how long it has been so."""
        end = self.until or self.at
        return end - self.since if end and self.since else timedelta()


class Alert(NamedTuple):
    """``name`` is for programs and does not change; ``title`` and ``text`` are templates of ``str.format``.

    ``wait``: how long it has to be so before it is told. ``hold``: how long it has to be over before that is told.
    ``lasts``: one that a task raises is over when it was not raised again for this long; None: when it is lowered,
    or its condition is over. ``explained_by``: while one of these is there, this one is a consequence and is told
    with it. ``recurs``: once its causes have come this often while it lasted, it is told by itself; 0: never.
    ``setting``: the field of the settings with its threshold.
    """

    name: str
    severity: Severity
    title: str
    text: str
    runbook: str
    causes: tuple[str, ...] = ()
    explained_by: tuple[str, ...] = ()
    wait: timedelta = timedelta()
    hold: timedelta = timedelta(minutes=2)
    lasts: timedelta | None = None
    recurs: int = 0
    setting: str = ""

    def key(self, about: str = "") -> str:
        """The key of this alert about something."""
        return f"{self.name}/{about}" if about else self.name

    def words(self, values: Mapping[str, object]) -> tuple[str, str]:
        """Title and text, with ``values`` in them."""
        return self.title.format_map(values), self.text.format_map(values)

    def notice(self, details: Mapping[str, str], **values: object) -> Notice:
        """This alert, with ``values`` in its title and text."""
        title, text = self.words(values)
        return Notice(self.name, self.severity, title, text, self.page, details, causes=self.causes)

    @property
    def page(self) -> str:
        """The runbook's address."""
        return f"docs/operations.md#{self.runbook}"
