"""What each connection asks for, and what its first event says of the answer: functions from state to state.

    request ──▶ (connected) ──▶ arrived ──▶ … ──▶ passed
       ▲             │
       └── too_old / too_large / another position

Lives here: every rule on what to ask a host for, and the state that the next choice depends on. Must not: I/O,
clocks, gap records, log lines.
"""

from __future__ import annotations

from typing import NamedTuple

from ingester.contract.gap import Reason
from ingester.jetstream.hosts import V2, V2_TIME_CURSOR, Host
from ingester.position.oversize import OversizeSearch
from ingester.position.position import LIVE, OTHER_HOST_REWIND_US, Live, Position, resume_at
from ingester.position.restart import Restart, Why


class Passed(NamedTuple):
    """The last message that was too large is behind the stream: a rewind does not go back over it.

    ``cursor`` is a place behind it, of ``host``. ``from_here``: large messages were left out of what came since,
    so the next connection begins there.
    """

    cursor: int
    host: Host
    from_here: bool = False


class State(NamedTuple):
    """What the next request depends on, and what is expected of the connection that was asked for last."""

    rewind_ms: int
    before: Position = LIVE  # what the connection was to go on after
    host: Host | None = None
    asked_seq: int = 0  # the sequence number that was asked for; 0: a time, or the live tail
    by_time: bool = False  # the host does not know its own sequence number any more
    refused: bool = False  # the host has said that it no longer has everything
    search: OversizeSearch | None = None  # a message is in the way that is too large
    passed: Passed | None = None

    @property
    def skips_large(self) -> bool:
        """Whether the host is to leave out what is too large: it would end the connection."""
        return self.search is not None

    @property
    def stepping(self) -> bool:
        """Whether a message is being stepped over: a search that is not to be slowed down."""
        return self.search is not None and self.search.stepping

    def meets(self, host: Host, before: Position) -> bool:
        """Whether the search is for the message that follows ``before`` on ``host``."""
        return self.search is not None and (self.search.host, self.search.before) == (host, before)


def without_cursor(drained: Position, otherwise: Position) -> Position:
    """Where to go on while Redis has no cursor: where the lake ends.

    ``drained``: that place, the live tail if there is none; ``otherwise``: what this process was told to begin
    with, or where it began.
    """
    return otherwise if isinstance(drained, Live) else drained


def request(
    state: State, position: Position, host: Host, now_us: int, back_to: Position | None = None
) -> tuple[State, int]:
    """What to ask ``host`` for, to get what follows ``position``; 0: the live tail.

    ``back_to``: an earlier place from which on this host is to bring what another one has not sent.
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
    """The first event of the connection is in.

    Returns why it is later than it should be, None if it is not, or the restart that is needed: it is not what was
    asked for (by time the next time), or there may be one before it that can be read.
    """
    before, search = state.before, state.search
    state = state._replace(by_time=_is_renumbered(state, first))
    if state.by_time:
        text = f"asked for what follows {before.cursor}, the host began with {first.cursor}"
        return state, Restart(before, Why.RENUMBERED, text)
    late = first.cursor > before.cursor if state.asked_seq else first.time_us > before.time_us
    why = Reason.REFUSED if state.refused else Reason.LATE
    if search is not None and search.stepping:
        found = search.found()
        if not found.exact:
            text = f"an event after {before.cursor} can be read when asked for from {search.cursor} on"
            return state._replace(search=found), Restart(before, Why.STEPPED_TOO_FAR, text)
        state, why = state._replace(search=None, passed=Passed(search.cursor, search.host)), Reason.OVERSIZE
    behind = state.passed._replace(from_here=False) if state.passed else None
    return state._replace(refused=False, passed=behind), why if late else None


def _is_renumbered(state: State, first: Position) -> bool:
    """Whether a sequence number was asked for, and the answer is not of the numbering that it is from."""
    before, asked = state.before, state.asked_seq
    if not asked or first == before:
        return False
    ahead_us = first.time_us - before.time_us
    if first.cursor < asked:
        return True
    if first.cursor <= before.cursor:  # an event that came before the last one is no later
        return ahead_us > 0
    # A number that the host has not reached is answered with the live tail, without a word.
    return ahead_us > OTHER_HOST_REWIND_US and not state.stepping


def too_old(state: State) -> State | None:
    """The host no longer has what was asked for: by time the next time. None: it was asked by time already."""
    return None if state.by_time else state._replace(by_time=True, refused=True)


def too_large(state: State, last: Position, host: Host) -> tuple[State, bool]:
    """What follows ``last`` is too large to be read. Returns as well whether it is met for the first time."""
    if state.search is not None and state.meets(host, last):
        return state._replace(search=state.search.failed()), False
    return state._replace(search=OversizeSearch(last, host)), True


def passed(state: State, written: Position, host: Host) -> tuple[State, Position | None]:
    """Whether the stream, which leaves large messages out, has gone past the one that was in the way.

    Returns the event before it if so: it was somewhere between that and ``written``, the last event in Redis.
    Without large messages the stream is not to go on: those that follow would be missing without a word.
    """
    search = state.search
    if search is None or not written.of(host) or written.time_us <= search.before.time_us:
        return state, None
    return state._replace(search=None, passed=Passed(written.cursor, host, from_here=True)), search.before


def _same(one: Host, other: Host) -> bool:
    return (one.name, one.protocol) == (other.name, other.protocol)
