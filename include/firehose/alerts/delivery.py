"""Changes the states of alerts and sends what follows: first the message, then the note that it was sent.

So a message whose sender is killed in between is sent again: at least once. Lives here: that order, sinks that
failed and are owed a message, silences. Must not: decide what is an alert, word it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from firehose.alerts import book as books
from firehose.alerts import transitions
from firehose.alerts.alert import Alert, Kind, Notice, Severity
from firehose.alerts.book import Kept
from firehose.alerts.sinks import SendMail, deliver, sinks
from firehose.alerts.state import AlertState, Book, Finding, Message, Patience, Phase, Silence
from firehose.errors import FirehoseError
from firehose.settings import Settings
from ingester.contract.logs import get_logger

log = get_logger(__name__)

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)


class Alerting:
    """Alerts of one pipeline. ``send_mail`` sends a mail through ``FIREHOSE_SMTP_URL``."""

    def __init__(self, settings: Settings, send_mail: SendMail, clock: Clock = utc_now) -> None:
        self._settings, self._send_mail, self._clock = settings, send_mail, clock
        minutes, hours = settings.alert_escalate_minutes, settings.alert_repeat_hours
        self._patience = Patience(
            escalate=timedelta(minutes=minutes) if minutes else None,
            repeat=timedelta(hours=hours) if hours else None,
        )

    def looked(self, findings: Iterable[Finding], judged: frozenset[str], *, ran: datetime | None = None) -> Book:
        """What a look has found, and which alerts it could decide upon. ``ran``: when the monitor ran; None: now.

        Raises:
            LockTaken: another process is sending for a minute and a half.
        """
        with books.opened(self._settings) as kept:
            now = self._clock()
            self._send_owed(kept)
            changed, messages = transitions.looked(kept.book, findings, judged, now, self._patience)
            # The monitor may have run since the one outside has looked.
            last = max(ran, changed.ran or ran) if ran else now
            self._send(kept, msgspec.structs.replace(changed, ran=last), messages)
            return kept.book

    def raise_(self, finding: Finding, item: str = "", causes: Iterable[str] = ()) -> None:
        """Raise an alert from a task. ``item``: what it is raised for. ``causes``: alerts that would explain it.

        Never raises: what it is about matters more.
        """
        try:
            with books.opened(self._settings) as kept:
                now = self._clock()
                self._send(kept, *transitions.raised(kept.book, finding, item, now, self._patience, causes))
        except (OSError, FirehoseError) as error:
            log.error("an alert is sent without looking at what was sent", alert=finding.key, reason=error)
            _, messages = transitions.raised(Book(), finding, item, self._clock(), self._patience)
            for message in messages:
                self._deliver(message.state, message.kind, sinks(self._settings))

    def lower(self, alert: Alert, about: str = "", item: str = "") -> None:
        """Say that what was raised is over, for one item, or (empty) for all. Quick where nothing was raised."""
        key = alert.key(about)
        try:
            if key not in books.read(self._settings).states:
                return
            with books.opened(self._settings) as kept:
                self._send(kept, *transitions.lowered(kept.book, key, item, self._clock()))
        except (OSError, FirehoseError) as error:
            log.error("an alert is over, and that could not be noted", alert=key, reason=error)

    def silence(self, name: str, lasts: timedelta, why: str, by: str) -> Silence:
        """Tell nothing of an alert (by name, or by key) for a while."""
        now = self._clock()
        made = Silence(name=name, until=now + lasts, why=why, by=by, begun=now)
        with books.opened(self._settings) as kept:
            others = [one for one in kept.book.silences if one.name != name and now < one.until]
            kept.write(msgspec.structs.replace(kept.book, silences=[*others, made] if lasts else others))
        return made

    def test(self) -> dict[str, str]:
        """Send a test to every sink; by sink what went wrong, empty: it worked."""
        now = self._clock()
        notice = Notice(
            "test",
            Severity.WARNING,
            "a test of the alerts",
            "Someone has run `firehose alerts test`. Nothing is wrong.",
            "docs/operations.md#alerts",
            {"host": socket.gethostname()},
            kind=Kind.TEST,
            key="test",
            at=now,
            # No two mails may have one id: the second would be taken for a copy, and dropped.
            thread=f"test.{now:%Y%m%dT%H%M%S.%f}",
        )
        return deliver(self._settings, notice, self._send_mail, sinks(self._settings))

    def _send(self, kept: Kept, changed: Book, messages: list[Message]) -> None:
        """Send each message and note it; a death in between sends it again."""
        told = {message.state.key for message in messages}
        before = {key: state for key, state in kept.book.states.items() if key in told}
        untold = {key: state for key, state in changed.states.items() if key not in told}
        kept.write(msgspec.structs.replace(changed, states=untold | before))
        for message in messages:
            failed = self._deliver(message.state, message.kind, sinks(self._settings))
            self._note(kept, msgspec.structs.replace(message.state, owed=dict.fromkeys(failed, message.kind)))

    def _send_owed(self, kept: Kept) -> None:
        for state in [*kept.book.states.values()]:
            owed = dict(state.owed)
            for sink, kind in state.owed.items():
                if not self._deliver(state, kind, [sink]):
                    del owed[sink]
            if owed != state.owed:
                self._note(kept, msgspec.structs.replace(state, owed=owed))

    @staticmethod
    def _note(kept: Kept, state: AlertState) -> None:
        done = state.phase is Phase.CLEARED and not state.owed
        kept.write(kept.book.without(state.key) if done else kept.book.with_state(state))

    def _deliver(self, state: AlertState, kind: Kind, to: list[str]) -> list[str]:
        """The sinks that failed."""
        notice = state.notice(kind, self._clock())
        return [sink for sink, wrong in deliver(self._settings, notice, self._send_mail, to).items() if wrong]
