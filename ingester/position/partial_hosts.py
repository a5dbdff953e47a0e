"""What follows from blindness: the record of it, and where another host has to begin to make it good.

Lives here: blindness (the judgement) and gaps (the records) brought together. Must not: I/O, clocks, the choice
of a host.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import msgspec

from ingester.jetstream.hosts import Host
from ingester.logs import line
from ingester.position.dropout import Blindness
from ingester.position.gaps import Gaps, instant
from ingester.position.history import Sight, Verdict
from ingester.position.position import Position

log = logging.getLogger(__name__)


class BlindHosts:
    """The hosts that were found to send hardly anything of some queue."""

    def __init__(self, blindness: Blindness, gaps: Gaps) -> None:
        self._blindness = blindness
        self._gaps = gaps
        self._since = Position()  # where blindness began that another host is to make good

    def adopt(self, history: bytes, last: Position, now_us: int) -> set[tuple[str, str]]:
        """Go on from what the process before knew; ``last`` is its position.

        Returns name and protocol of the hosts that are blind.
        """
        try:
            if history:
                self._blindness.adopt(history)
        except msgspec.MsgspecError as error:  # of another version: it is learnt anew
            log.warning(line("history_unreadable", reason=error))
        gaps = self._gaps.blindness()
        for gap in gaps:
            # If its last event comes from another host, that one is on the way through what is missing already.
            if (gap.host, gap.protocol) == (last.host, last.protocol):
                from_us = min(gap.from_us, self._since.time_us or gap.from_us)
                self._since = Position(0, from_us, gap.host, gap.protocol)
            if not self._blindness.blind(gap.queue):
                # Nobody knows any more what to expect, to say that it is healed.
                self._gaps.close(gap, now_us)
        return {(gap.host, gap.protocol) for gap in gaps}

    def connected(self, host: Host) -> None:
        """A new connection: the stream may be anywhere."""
        self._blindness.connected(f"{host.name} {host.protocol}")

    def since(self, host: Host) -> Position:
        """Where ``host`` is to begin, to make another one's blindness good; empty: nothing is to be made good.

        The blind host itself may have to do for a while, when no other one can be reached.
        """
        return Position() if self._since.of(host) else self._since

    def arrived(self, first: Position, host: Host, now_us: int) -> None:
        """The first event of a connection to ``host``, which began at :meth:`since`, is in."""
        if self.since(host).time_us:
            self._gaps.replayed(first, host, now_us)
            self._since = Position()

    def look(self, counts: Mapping[str, int], at_us: int, host: Host, now_us: int) -> list[Verdict]:
        """Judge what came of each queue up to the event at ``at_us``, and record it. Returns what is blind."""
        verdicts = self._blindness.look(counts, at_us)
        for queue, sight, since_us, until_us in verdicts:
            fields = {"host": host.name, "queue": queue, "since": instant(since_us)}
            if sight is Sight.BLIND:
                self._gaps.blind(host, queue, since_us, until_us, now_us)
                log.error(line("blind", **fields))
            else:
                self._gaps.sighted(queue, host, until_us, now_us, good=sight is Sight.SEEN)
                log.warning(line("not_blind", **fields, why=sight.name.lower()))
        return [verdict for verdict in verdicts if verdict.sight is Sight.BLIND]

    def leave(self, host: Host, blind: Sequence[Verdict]) -> None:
        """``host`` is left for another one, which is to bring what is missing."""
        self._since = Position(0, min(verdict.since_us for verdict in blind), host.name, host.protocol)
