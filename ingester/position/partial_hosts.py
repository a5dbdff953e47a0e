"""What follows from a dropout: its record, and where another host has to begin to fill the gap.

Lives here: the detector and the records of gaps brought together. Must not: I/O, clocks, the choice of a host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from ingester.contract.gap import Gap
from ingester.contract.logs import get_logger
from ingester.jetstream.hosts import Host
from ingester.position.dropout import DropoutDetector
from ingester.position.gaps import Gaps, instant
from ingester.position.history import QueueState, Verdict
from ingester.position.position import AtTime, Position

log = get_logger(__name__)

#: What ``partial_ended`` was called before, and its reasons.
_OLD_REASONS = {QueueState.BACK: "seen", QueueState.SAME_ELSEWHERE: "agreed", QueueState.UNKNOWN: "unknown"}


class _Since(NamedTuple):
    """From when on a host has sent a partial stream."""

    time_us: int
    host: str
    protocol: str


class PartialHosts:
    """The hosts that were found to send hardly anything of some queue."""

    def __init__(self, detector: DropoutDetector, gaps: Gaps) -> None:
        self._detector = detector
        self._gaps = gaps
        self._since: _Since | None = None  # what another host is to bring

    def adopt(self, history: bytes, last: Position, now_us: int) -> set[tuple[str, str]]:
        """Go on from what the process before knew; ``last`` is its position.

        Returns name and protocol of the hosts that send a partial stream.
        """
        try:
            if history:
                self._detector.adopt(history)
        except msgspec.MsgspecError as error:  # of another version: it is learnt again
            log.warning("history_unreadable", reason=error)
        gaps = self._gaps.open_partial()
        for gap in gaps:
            # If its last event comes from another host, that one is on the way through what is missing already.
            if (gap.host, gap.protocol) == (last.host, last.protocol):
                self._since = self._earlier(gap)
            if not self._detector.partial(gap.queue):
                # What to expect is not known any more, so that nothing could say that it is filled.
                self._gaps.close(gap, now_us)
        return {(gap.host, gap.protocol) for gap in gaps}

    def _earlier(self, gap: Gap) -> _Since:
        from_us = gap.from_us if self._since is None else min(gap.from_us, self._since.time_us)
        return _Since(from_us, gap.host, gap.protocol)

    def connected(self, host: Host) -> None:
        """A new connection: the stream may be anywhere."""
        self._detector.connected(f"{host.name} {host.protocol}")

    def since(self, host: Host) -> Position | None:
        """Where ``host`` is to begin, to bring what another one did not send; None: there is nothing to bring.

        The partial host itself may have to do for a while, when no other one can be reached.
        """
        since = self._since
        if since is None or (since.host, since.protocol) == (host.name, host.protocol):
            return None
        return AtTime(since.time_us, since.host)

    def arrived(self, first: Position, host: Host, now_us: int) -> None:
        """The first event of a connection to ``host``, which began at :meth:`since`, is in."""
        if self.since(host) is not None:
            self._gaps.replayed(first, host, now_us)
            self._since = None

    def check(self, counts: Mapping[str, int], at_us: int, host: Host, now_us: int) -> list[Verdict]:
        """Judge what came of each queue up to the event at ``at_us``, and record it. Returns what is partial."""
        verdicts = self._detector.check(counts, at_us)
        for queue, state, since_us, until_us in verdicts:
            fields = {"host": host.name, "queue": queue, "since": instant(since_us)}
            if state is QueueState.PARTIAL:
                self._gaps.partial(host, queue, since_us, until_us, now_us)
                log.error("partial", **fields)
                log.error("blind", renamed_to="partial", **fields)
            else:
                self._gaps.partial_ended(queue, host, until_us, now_us, good=state is QueueState.BACK)
                log.warning("partial_ended", **fields, reason=state.name.lower())
                log.warning("not_blind", renamed_to="partial_ended", **fields, why=_OLD_REASONS[state])
        return [verdict for verdict in verdicts if verdict.state is QueueState.PARTIAL]

    def leave(self, host: Host, partial: Sequence[Verdict]) -> None:
        """``host`` is left for another one, which is to bring what is missing."""
        self._since = _Since(min(verdict.since_us for verdict in partial), host.name, host.protocol)
