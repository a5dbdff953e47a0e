"""Chooses the host to listen to after a failure: one function from a state and a failure to the next state.

Lives here: the rules, pure. Must not: I/O, clocks, classify failures (jetstream.session).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ingester.jetstream.disconnected import Cause

#: After this many lost connections in quick succession a host counts as failed, although it answers.
MOST_DROPS: Final = 4
#: A connection that lasted this long (seconds) was good: the count of lost ones starts again.
STEADY_S: Final = 60.0
#: A failed host is considered again only after this time (seconds), and only when the current one fails.
REST_S: Final = 300.0

_FATAL_FOR_HOST: Final = (Cause.UNREACHABLE, Cause.SILENT, Cause.PARTIAL, Cause.REFUSED)
#: Not the host's fault: another host would send the same message.
_BLAMELESS: Final = (Cause.OVERSIZE, Cause.OVERSIZE_SKIPPED)


class Failure(NamedTuple):
    """A failed connection: it lasted ``lived_s`` seconds (0: it never opened); ``useful``: it brought events."""

    cause: Cause
    lived_s: float
    useful: bool


class State(NamedTuple):
    """The hosts, by their index in the list. ``failed_at`` is when each last failed (seconds, monotonic)."""

    current: int
    failed_at: tuple[float, ...]
    drops: int
    refused: frozenset[int]

    @property
    def hopeless(self) -> bool:
        """True if every host refuses the request and none has sent anything since: a retry cannot help."""
        return len(self.refused) == len(self.failed_at)


def fresh(hosts: int) -> State:
    """The state before the first connection: the most preferred of ``hosts`` hosts is current."""
    return State(0, (-REST_S,) * hosts, 0, frozenset())


def rested(state: State, now_s: float) -> bool:
    """True if some host other than the current one has not failed for :data:`REST_S`."""
    return any(now_s - at >= REST_S for i, at in enumerate(state.failed_at) if i != state.current)


def after(state: State, failure: Failure, now_s: float) -> State:
    """The state after ``failure`` at ``now_s``; ``current`` is the host for the next attempt.

    After a lost connection the same host is tried again. A failed host is replaced by the most preferred one that
    has not failed for :data:`REST_S`, else by the one that failed longest ago.
    """
    refused = frozenset[int]() if failure.useful else state.refused
    if failure.cause is Cause.REFUSED:
        refused |= {state.current}
    if failure.cause in _BLAMELESS:
        return state._replace(refused=refused)
    drops = 1 if failure.lived_s >= STEADY_S else state.drops + 1
    if failure.cause not in _FATAL_FOR_HOST and drops < MOST_DROPS:
        return state._replace(drops=drops, refused=refused)
    failed_at = tuple(now_s if i == state.current else at for i, at in enumerate(state.failed_at))
    ready = [i for i, at in enumerate(failed_at) if now_s - at >= REST_S]
    # min takes the first of equals: the more preferred.
    current = ready[0] if ready else min(range(len(failed_at)), key=failed_at.__getitem__)
    return State(current, failed_at, 0, refused)
