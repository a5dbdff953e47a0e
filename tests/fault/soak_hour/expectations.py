"""Which alerts the faults had to fire, and whether each fired and cleared. Pure.

Must not: inject faults, read sinks (plant.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

#: An alert may come this long after its fault: the monitor looks each minute, and what piled up takes time.
AFTER_S: Final = 900.0


class Told(NamedTuple):
    """A message that a sink was sent. ``state``: firing, escalated, repeated or cleared."""

    at_s: float
    alert: str
    key: str
    state: str


class Done(NamedTuple):
    """A fault that was injected: ``fires`` are alerts that it must fire, ``may`` those that may follow from it."""

    fault: str
    begin_s: float
    end_s: float
    fires: tuple[str, ...] = ()
    may: tuple[str, ...] = ()


class Outcome(NamedTuple):
    """What became of an alert that a fault had to fire. None: never."""

    fault: str
    alert: str
    fired_s: float | None
    cleared_s: float | None

    @property
    def met(self) -> bool:
        """Whether it fired, and cleared afterwards."""
        return self.fired_s is not None and self.cleared_s is not None


def outcomes(done: Sequence[Done], told: Sequence[Told]) -> list[Outcome]:
    """Of each alert that a fault had to fire, when it fired and when it cleared."""
    return [_outcome(fault, alert, told) for fault in done for alert in fault.fires]


def fired(fault: Done, alert: str, told: Sequence[Told]) -> Told | None:
    """The first message of an alert that a fault may have caused."""
    return next(
        (
            message
            for message in told
            if message.alert == alert
            and message.state == "firing"
            and fault.begin_s <= message.at_s <= fault.end_s + AFTER_S
        ),
        None,
    )


def _outcome(fault: Done, alert: str, told: Sequence[Told]) -> Outcome:
    first = fired(fault, alert, told)
    if first is None:
        return Outcome(fault.fault, alert, None, None)
    over = (m.at_s for m in told if (m.key, m.state) == (first.key, "cleared") and m.at_s >= first.at_s)
    return Outcome(fault.fault, alert, first.at_s, next(over, None))


def unexpected(done: Sequence[Done], told: Sequence[Told]) -> list[Told]:
    """Alerts that fired although no fault of the time before them explains it: false ones, or a finding."""
    return [message for message in told if message.state == "firing" and not _explained(message, done)]


def _explained(message: Told, done: Sequence[Done]) -> bool:
    return any(
        message.alert in (*fault.fires, *fault.may) and fault.begin_s <= message.at_s <= fault.end_s + AFTER_S
        for fault in done
    )


def still_told(told: Sequence[Told]) -> list[str]:
    """The keys of alerts whose last message is not that they are over."""
    last = {message.key: message.state for message in told}
    return [key for key, state in last.items() if state != "cleared"]
