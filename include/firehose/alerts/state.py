"""What is known of alerts: findings, states, silences, and the book with all of them.

Lives here: plain values. Must not: I/O, a clock, say how a state changes (transitions.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from firehose.alerts.alert import Alert, Kind, Notice, Severity
from firehose.alerts.catalogue import BY_NAME


class Phase(StrEnum):
    """Where an alert is in its life. A cleared one is there only until every sink knows."""

    PENDING = "pending"  # found, and not for long enough; or a consequence of another one
    FIRING = "firing"  # told
    ESCALATED = "escalated"  # told once more, since it lasted
    CLEARED = "cleared"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """That something is so now. ``about`` tells several of one alert apart; ``since``: when it began, if known."""

    alert: Alert
    title: str
    text: str
    details: dict[str, str] = {}
    about: str = ""
    since: datetime | None = None

    @property
    def key(self) -> str:
        """See :meth:`firehose.alerts.alert.Alert.key`."""
        return self.alert.key(self.about)


class AlertState(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that is there. ``since``: it is so since then; ``seen``: it was so then, last of all.

    ``explained``: the alert, by its key, of which it is a consequence now; ``held``: when that was so last;
    ``episodes``: how often that has begun.
    ``also``: titles of the consequences that were told with this one. ``raised``: by a task, so it is not for the
    monitor's look to say that it is over; ``items``: what it was raised for, by name. ``owed``: what sinks, by
    their names, have not been told since they failed.
    """

    key: str
    name: str
    phase: Phase
    title: str
    text: str
    details: dict[str, str]
    since: datetime
    seen: datetime
    fired: datetime | None = None
    sent: datetime | None = None
    ended: datetime | None = None
    explained: str = ""
    held: datetime | None = None
    episodes: int = 0
    also: list[str] = []
    raised: bool = False
    items: dict[str, str] = {}
    owed: dict[str, Kind] = {}

    @property
    def alert(self) -> Alert:
        """Its entry in the catalogue. A name that this version does not know is one that was removed."""
        return BY_NAME.get(self.name) or Alert(self.name, Severity.WARNING, self.title, self.text, "alerts")

    @property
    def recurs(self) -> bool:
        """Tell whether its causes have come and gone so often that they no longer explain it."""
        return 0 < self.alert.recurs <= self.episodes

    @property
    def told(self) -> bool:
        """Tell whether a message about it was sent, and none that it is over."""
        return self.phase in (Phase.FIRING, Phase.ESCALATED)

    def notice(self, kind: Kind, now: datetime) -> Notice:
        """The message about it."""
        alert = self.alert
        thread = f"{self.key.replace('/', '.')}.{self.fired or now:%Y%m%dT%H%M%S}"
        return Notice(
            alert.name,
            Severity.ERROR if kind is Kind.ESCALATED else alert.severity,
            self.title,
            self.text,
            alert.page,
            self.details,
            kind=kind,
            key=self.key,
            at=now,
            since=self.since,
            until=self.seen if kind is Kind.CLEARED else None,
            thread=thread,
            causes=alert.causes,
            also=tuple(self.also),
        )


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing is told of an alert until then. ``name``: of an alert, or a key."""

    name: str
    until: datetime
    why: str
    by: str
    begun: datetime


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of alerts. ``ran``: when the monitor looked last."""

    states: dict[str, AlertState] = {}
    silences: list[Silence] = []
    ran: datetime | None = None

    def with_state(self, state: AlertState) -> Book:
        """The same with this state, in the place of the one with its key."""
        return msgspec.structs.replace(self, states=self.states | {state.key: state})

    def without(self, key: str) -> Book:
        """The same without the state with a key."""
        return msgspec.structs.replace(self, states={k: state for k, state in self.states.items() if k != key})

    def silence(self, state: AlertState, now: datetime) -> Silence | None:
        """What keeps an alert quiet, if anything does."""
        quiet = (one for one in self.silences if one.name in (state.name, state.key) and now < one.until)
        return next(quiet, None)


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """When what lasts is told again; None: never."""

    escalate: timedelta | None
    repeat: timedelta | None


class Message(msgspec.Struct, frozen=True):
    """That something has to be sent: about which alert, and why. The state is the one after it."""

    state: AlertState
    kind: Kind
