"""Which host to listen to after a failure. Pure: one function from a state and a failure to the next state."""

from __future__ import annotations

from typing import Final, NamedTuple

from ingester.jetstream.disconnected import Cause

#: This many connections lost one soon after the other mean that the host fails, though it answers.
MOST_DROPS: Final = 4
#: A connection that lived this long (seconds) was a good one: the count of lost ones begins again.
STEADY_S: Final = 60.0
#: A host that failed is preferred again only after this time (seconds), and only when the current one fails.
REST_S: Final = 300.0

_FATAL_FOR_HOST: Final = (Cause.UNREACHABLE, Cause.SILENT, Cause.PARTIAL, Cause.REFUSED)
#: They say nothing of the host: another one would send the same message.
_BLAMELESS: Final = (Cause.OVERSIZE, Cause.OVERSIZE_SKIPPED)


class Failure(NamedTuple):
    """One failed connection: ``lived_s`` seconds, 0 if it was never open; ``useful``: it brought events."""

    cause: Cause
    lived_s: float
    useful: bool


class State(NamedTuple):
    """Hosts by their number in the list. ``failed_at`` is when each failed last (seconds, monotonic)."""

    current: int
    failed_at: tuple[float, ...]
    drops: int
    refused: frozenset[int]

    @property
    def hopeless(self) -> bool:
        """Whether every host refuses the request, and none has sent anything since: asking again cannot help."""
        return len(self.refused) == len(self.failed_at)


def fresh(hosts: int) -> State:
    """The state before the first connection: the most preferred of ``hosts`` hosts."""
    return State(0, (-REST_S,) * hosts, 0, frozenset())


def rested(state: State, now_s: float) -> bool:
    """Whether another host than the current one has not failed for :data:`REST_S`."""
    return any(now_s - at >= REST_S for i, at in enumerate(state.failed_at) if i != state.current)


def after(state: State, failure: Failure, now_s: float) -> State:
    """The state after ``failure`` at ``now_s``; ``current`` is the host for the next attempt.

    A lost connection is made again on the same host. A host that fails gives way to the most preferred one that
    has not failed for :data:`REST_S`, else to the one that failed longest ago.
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
