"""Handles dropouts: records them as gaps, and says where another host must begin to fill them.

Lives here: the link between the detector and the gaps. Must not: I/O, clocks, the choice of a host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from ingester.contract import metrics
from ingester.contract.counting import count
from ingester.contract.gap import Gap
from ingester.contract.logs import get_logger
from ingester.contract.losses import LossPath
from ingester.jetstream.hosts import Host
from ingester.position.dropout import DropoutDetector
from ingester.position.gaps import Gaps, instant
from ingester.position.history import QueueState, Verdict
from ingester.position.position import AtTime, Position

log = get_logger(__name__)

#: What ``partial_ended`` was called before, and its reasons.
_OLD_REASONS = {QueueState.BACK: "seen", QueueState.SAME_ELSEWHERE: "agreed", QueueState.UNKNOWN: "unknown"}


class _Since(NamedTuple):
    """A host, and the time since which its stream is partial."""

    time_us: int
    host: str
    protocol: str


class PartialHosts:
    """The hosts that send hardly any events of some queue."""

    def __init__(self, detector: DropoutDetector, gaps: Gaps) -> None:
        self._detector = detector
        self._gaps = gaps
        self._since: _Since | None = None  # what another host must send again

    def adopt(self, history: bytes, last: Position, now_us: int) -> set[tuple[str, str]]:
        """Take over the state of the process before; ``last`` is its position.

        Returns name and protocol of the hosts whose stream is partial.
        """
        try:
            if history:
                self._detector.adopt(history)
        except msgspec.MsgspecError as error:  # from another version: the history is built again
            count(metrics.LOSSES, label=LossPath.STATE_UNREADABLE.code)
            log.warning("history_unreadable", reason=error)
        gaps = self._gaps.open_partial()
        for gap in gaps:
            # If the last event comes from another host, that one is already sending what is missing.
            if (gap.host, gap.protocol) == (last.host, last.protocol):
                self._since = self._earlier(gap)
            if not self._detector.partial(gap.queue):
                # Without the queue's history nothing could tell when the gap is filled.
                self._gaps.close(gap, now_us)
        return {(gap.host, gap.protocol) for gap in gaps}

    def _earlier(self, gap: Gap) -> _Since:
        from_us = gap.from_us if self._since is None else min(gap.from_us, self._since.time_us)
        return _Since(from_us, gap.host, gap.protocol)

    def connected(self, host: Host) -> None:
        """Start again with a new connection, whose stream may begin anywhere."""
        self._detector.connected(f"{host.name} {host.protocol}")

    def since(self, host: Host) -> Position | None:
        """The position from which ``host`` must send again what a partial host left out; None: nothing is missing.

        None too for the partial host itself, which may be used again when no other host can be reached.
        """
        since = self._since
        if since is None or (since.host, since.protocol) == (host.name, host.protocol):
            return None
        return AtTime(since.time_us, since.host)

    def arrived(self, first: Position, host: Host, now_us: int) -> None:
        """Settle the gaps once a connection to ``host``, begun at :meth:`since`, has its first event."""
        if self.since(host) is not None:
            self._gaps.replayed(first, host, now_us)
            self._since = None

    def check(self, counts: Mapping[str, int], at_us: int, host: Host, now_us: int) -> list[Verdict]:
        """Check the counts of all queues up to the event at ``at_us``. Records and returns the dropouts."""
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
        """Remember that ``host`` was left for another one, which must send what is missing."""
        self._since = _Since(min(verdict.since_us for verdict in partial), host.name, host.protocol)
