"""Decides what each connection requests, and checks its first event: functions from state to state.

    request ──▶ (connected) ──▶ arrived ──▶ … ──▶ passed
       ▲             │
       └── too_old / too_large / another position

Lives here: every rule for what to request from a host, and the state that it depends on. Must not: I/O, clocks,
gap records, log lines.
"""

from __future__ import annotations

from typing import NamedTuple

from ingester.contract.gap import Reason
from ingester.jetstream.hosts import V2, V2_TIME_CURSOR, Host
from ingester.position.oversize import OversizeSearch
from ingester.position.position import LIVE, OTHER_HOST_REWIND_US, Live, Position, resume_at
from ingester.position.restart import Restart, Why


class Passed(NamedTuple):
    """A point behind the last message that was too large: a rewind must not go back over it.

    ``cursor`` is that point on ``host``. ``from_here``: since then large messages were left out, so the next
    connection must begin there.
    """

    cursor: int
    host: Host
    from_here: bool = False


class State(NamedTuple):
    """The state that the next request depends on, and what the latest connection is expected to send."""

    rewind_ms: int
    before: Position = LIVE  # the position that the connection continues from
    host: Host | None = None
    asked_seq: int = 0  # the requested sequence number; 0: a time, or the live tail was requested
    by_time: bool = False  # the host no longer knows its own sequence number
    refused: bool = False  # the host has said that it no longer has everything
    search: OversizeSearch | None = None  # a message that is too large ends the stream
    passed: Passed | None = None

    @property
    def skips_large(self) -> bool:
        """True if the host should leave out messages that are too large, which would end the connection."""
        return self.search is not None

    @property
    def stepping(self) -> bool:
        """True while a search moves past a message that is too large: attempts then follow at once."""
        return self.search is not None and self.search.stepping

    def meets(self, host: Host, before: Position) -> bool:
        """True if the search is for the message that follows ``before`` on ``host``."""
        return self.search is not None and (self.search.host, self.search.before) == (host, before)


def without_cursor(drained: Position, otherwise: Position) -> Position:
    """The position to continue from if Redis has no cursor: the end of the lake.

    ``drained`` is that position, the live tail if there is no lake; ``otherwise`` is the position that this
    process was told to begin with, or began with.
    """
    return otherwise if isinstance(drained, Live) else drained


def request(
    state: State, position: Position, host: Host, now_us: int, back_to: Position | None = None
) -> tuple[State, int]:
    """The cursor that requests what follows ``position`` from ``host``; 0: the live tail.

    ``back_to``: an earlier position, from which this host must send again what another one left out.
    """
    state = state._replace(
        before=position,
        host=host,
        by_time=state.by_time and host == state.host,
        search=state.search if state.meets(host, position) else None,
    )
    cursor = _cursor(state, position, host, now_us, back_to)
    return state._replace(asked_seq=cursor if host.protocol == V2 and cursor < V2_TIME_CURSOR else 0), cursor


def _cursor(state: State, position: Position, host: Host, now_us: int, back_to: Position | None) -> int:
    if state.search is not None and state.search.stepping:
        return state.search.cursor
    if back_to is not None:
        return resume_at(back_to, host, state.rewind_ms, now_us)
    cursor = resume_at(position, host, state.rewind_ms, now_us, by_time=state.by_time)
    behind = state.passed
    if behind is None or not _same(behind.host, host) or not position.of(host) or state.by_time:
        return cursor
    cursor = max(cursor, min(behind.cursor, position.cursor))
    return min(cursor, behind.cursor) if behind.from_here else cursor


def arrived(state: State, first: Position) -> tuple[State, Reason | Restart | None]:
    """Check the first event of the connection.

    Returns None if it is as requested, the reason if it is later than requested, or the restart that is needed: if
    it is not from the requested numbering (the next request is by time), or if an earlier event may be readable.
    """
    before, search = state.before, state.search
    state = state._replace(by_time=_is_renumbered(state, first))
    if state.by_time:
        text = f"requested what follows {before.cursor}, but the host began with {first.cursor}"
        return state, Restart(before, Why.RENUMBERED, text)
    late = first.cursor > before.cursor if state.asked_seq else first.time_us > before.time_us
    why = Reason.REFUSED if state.refused else Reason.LATE
    if search is not None and search.stepping:
        found = search.found()
        if not found.exact:
            text = f"events after {before.cursor} can be read from cursor {search.cursor} on"
            return state._replace(search=found), Restart(before, Why.STEPPED_TOO_FAR, text)
        state, why = state._replace(search=None, passed=Passed(search.cursor, search.host)), Reason.OVERSIZE
    behind = state.passed._replace(from_here=False) if state.passed else None
    return state._replace(refused=False, passed=behind), why if late else None


def _is_renumbered(state: State, first: Position) -> bool:
    """True if a sequence number was requested and the answer is from another numbering."""
    before, asked = state.before, state.asked_seq
    if not asked or first == before:
        return False
    ahead_us = first.time_us - before.time_us
    if first.cursor < asked:
        return True
    if first.cursor <= before.cursor:  # an event that came before the last one cannot be later
        return ahead_us > 0
    # To a number that it has not reached, a host silently answers with the live tail.
    return ahead_us > OTHER_HOST_REWIND_US and not state.stepping


def too_old(state: State) -> State | None:
    """The state after the host no longer had the requested number: ask by time. None: it was by time already."""
    return None if state.by_time else state._replace(by_time=True, refused=True)


def too_large(state: State, last: Position, host: Host) -> tuple[State, bool]:
    """The state after a message behind ``last`` was too large; and True if it was met for the first time."""
    if state.search is not None and state.meets(host, last):
        return state._replace(search=state.search.failed()), False
    return state._replace(search=OversizeSearch(last, host)), True


def passed(state: State, written: Position, host: Host) -> tuple[State, Position | None]:
    """Check if the stream, which leaves large messages out, is past the message that ended connections.

    If so, also returns the position before that message: it was somewhere between there and ``written``, the last
    event in Redis. The stream must then be requested as usual again: otherwise later large messages would silently
    be missing.
    """
    search = state.search
    if search is None or not written.of(host) or written.time_us <= search.before.time_us:
        return state, None
    return state._replace(search=None, passed=Passed(written.cursor, host, from_here=True)), search.before


def _same(one: Host, other: Host) -> bool:
    return (one.name, one.protocol) == (other.name, other.protocol)
