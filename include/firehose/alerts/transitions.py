"""How the states of alerts change: pending, firing, escalated, cleared; and which one is a consequence of another.

Pure: findings and time in, new states and messages out. Must not: I/O, a clock, know what finds an alert.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from firehose.alerts.alert import Kind, Severity
from firehose.alerts.catalogue import BY_NAME
from firehose.alerts.state import AlertState, Book, Finding, Message, Patience, Phase

#: After the cause of a consequence is over, the consequence has this long to end as well before it is told.
GRACE: Final = timedelta(minutes=10)
#: What a task has raised explains others for this long.
RECENT: Final = timedelta(minutes=30)
#: A message that no sink takes is given up after this long.
_OWED: Final = timedelta(days=1)


def looked(
    book: Book, findings: Iterable[Finding], judged: frozenset[str], now: datetime, patience: Patience
) -> tuple[Book, list[Message]]:
    """The states after a look that found these. ``judged``: names of the alerts that it could decide upon.

    What could not be looked at stays as it was: it neither begins nor ends.
    """
    present = {finding.key: finding for finding in findings}
    after = [_after_look(state, present.pop(key, None), judged, now) for key, state in book.states.items()]
    over = [state for state in after if state and state.phase is Phase.CLEARED]
    there = [state for state in after if state and state.phase is not Phase.CLEARED]
    there += [_begun(finding, now) for finding in present.values()]
    quiet = [silence for silence in book.silences if now < silence.until]
    known = msgspec.structs.replace(book, silences=quiet, states=_explained(there, now))
    messages = [Message(state, Kind.CLEARED) for state in over if state.ended == now]
    messages += [message for state in known.states.values() if (message := _due(known, state, now, patience))]
    changed = {state.key: state for state in over} | {message.state.key: message.state for message in messages}
    return msgspec.structs.replace(known, states=known.states | changed), messages


def raised(
    book: Book, finding: Finding, item: str, now: datetime, patience: Patience, causes: Iterable[str] = ()
) -> tuple[Book, list[Message]]:
    """The states after a task has raised an alert for ``item``. ``causes``: alerts that would explain it."""
    explained = next((key for key, state in book.states.items() if state.name in causes and _is_there(state)), "")
    known = book.states.get(finding.key)
    if known is None or known.phase is Phase.CLEARED:
        known = _begun(finding, now)
    state = msgspec.structs.replace(
        _told_anew(known, finding, now),
        raised=True,
        items=known.items | ({item: finding.text} if item else {}),
        explained=explained,
        held=now if explained else known.held,
    )
    changed = book.with_state(state)
    message = _due(changed, state, now, patience)
    return (changed.with_state(message.state), [message]) if message else (changed, [])


def lowered(book: Book, key: str, item: str, now: datetime) -> tuple[Book, list[Message]]:
    """The states after a task has found that an alert is over, for ``item`` only, or (empty) for all."""
    state = book.states.get(key)
    if state is None or state.phase is Phase.CLEARED:
        return book, []
    left = {name: text for name, text in state.items.items() if item and name != item}
    if left or (item and item not in state.items):
        return book.with_state(msgspec.structs.replace(state, items=left or state.items)), []
    if not state.told:
        return book.without(key), []
    cleared = _cleared(state, now)
    return book.with_state(cleared), [Message(cleared, Kind.CLEARED)]


def _is_there(state: AlertState) -> bool:
    return state.phase is not Phase.CLEARED


def _begun(finding: Finding, now: datetime) -> AlertState:
    return AlertState(
        key=finding.key,
        name=finding.alert.name,
        phase=Phase.PENDING,
        title=finding.title,
        text=finding.text,
        details=finding.details,
        since=min(finding.since or now, now),
        seen=now,
    )


def _told_anew(state: AlertState, finding: Finding, now: datetime) -> AlertState:
    return msgspec.structs.replace(
        state, seen=now, title=finding.title, text=finding.text, details=finding.details
    )


def _after_look(
    state: AlertState, finding: Finding | None, judged: frozenset[str], now: datetime
) -> AlertState | None:
    """A state after a look, before it is known what explains it; None: it is forgotten."""
    if state.phase is Phase.CLEARED:
        if finding:
            return _begun(finding, now)
        return state if state.owed and state.ended and now - state.ended < _OWED else None
    if finding:
        return _told_anew(state, finding, now)
    alert = state.alert
    if state.raised:
        is_over = alert.lasts is not None and now - state.seen >= alert.lasts
    else:
        is_over = alert.name in judged and (not state.told or now - state.seen >= alert.hold)
        is_over = is_over or alert.name not in BY_NAME
    if not is_over:
        return state
    return _cleared(state, now) if state.told else None


def _cleared(state: AlertState, now: datetime) -> AlertState:
    return msgspec.structs.replace(state, phase=Phase.CLEARED, ended=now, owed={})


def _explained(states: Iterable[AlertState], now: datetime) -> dict[str, AlertState]:
    """Say of each alert what explains it now, and of each cause what it explains."""
    found = {state.key: state for state in states}
    for state in [*found.values()]:
        cause = _cause(state, found, now)
        held = now if cause else state.held
        episodes = state.episodes + bool(cause and not state.explained)
        found[state.key] = msgspec.structs.replace(state, explained=cause, held=held, episodes=episodes)
        known = found.get(cause)
        if known and not state.told and state.title not in known.also:
            found[cause] = msgspec.structs.replace(known, also=[*known.also, state.title])
    return found


def _cause(state: AlertState, states: Mapping[str, AlertState], now: datetime) -> str:
    """The key of the alert that explains this one; the first one of those that its entry names. Empty: none."""
    names = (state.explained,) if state.raised and state.explained else state.alert.explained_by
    for name in () if state.raised and not state.explained else names:
        for key, other in states.items():
            named = name in (key, other.name) or (name.endswith(".") and key.startswith(name))
            # One that was raised long ago may still be to do, and explains nothing of now.
            if named and (not other.raised or now - other.seen < RECENT):
                return key
    return ""


def _due(book: Book, state: AlertState, now: datetime, patience: Patience) -> Message | None:
    """What has to be sent of an alert that is there, if anything; with the state after it."""
    if (state.explained and not state.recurs) or book.silence(state, now):
        return None
    if state.phase is Phase.PENDING and state.recurs:
        return _message(state, Phase.FIRING, Kind.FIRING, now)
    if state.phase is Phase.PENDING:
        begin = state.since if state.held is None else state.held
        wait = state.alert.wait if state.held is None else max(state.alert.wait, GRACE)
        return _message(state, Phase.FIRING, Kind.FIRING, now) if now - begin >= wait else None
    lasts_s = now - (state.fired or now)
    is_error = state.alert.severity is Severity.ERROR
    if state.phase is Phase.FIRING and is_error and patience.escalate and lasts_s >= patience.escalate:
        return _message(state, Phase.ESCALATED, Kind.ESCALATED, now)
    if state.told and patience.repeat and now - (state.sent or now) >= patience.repeat:
        return _message(state, state.phase, Kind.REPEATED, now)
    return None


def _message(state: AlertState, phase: Phase, kind: Kind, now: datetime) -> Message:
    return Message(msgspec.structs.replace(state, phase=phase, fired=state.fired or now, sent=now), kind)
