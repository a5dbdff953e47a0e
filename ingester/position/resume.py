"""Where to resume: the cursor of each connection, and what its first event says of the answer. Pure.

Lives here: every rule on what to ask a host for, and the state that the next choice depends on. Must not: I/O,
clocks, gap records, log lines.
"""

from __future__ import annotations

from ingester.contract.gap import Reason
from ingester.errors import Overshot, Renumbered
from ingester.jetstream.hosts import V2, V2_TIME_CURSOR, Host
from ingester.position.oversize import Stuck
from ingester.position.position import OTHER_HOST_REWIND_US, Position, resume_at

#: The live tail, and an event that is not known.
NOWHERE = Position()


def without_cursor(drained: Position, otherwise: Position) -> Position:
    """Where to go on while Redis has no cursor: where the lake ends.

    ``drained``: that place, :data:`NOWHERE` if there is none; ``otherwise``: what this process was told to begin
    with, or where it began.
    """
    return drained if drained.time_us else otherwise


class Resumption:
    """The choice of the cursor over all connections of one process.

    For each connection :meth:`cursor`, then :meth:`arrived` or what went wrong.
    """

    def __init__(self, rewind_ms: int) -> None:
        self.before = NOWHERE  # what the connection was to go on after
        self.refused = False  # the host has said that it no longer has it all
        self._rewind_ms = rewind_ms
        self._host: Host | None = None
        self._asked_seq = 0
        self._by_time = False
        self._stuck: Stuck | None = None
        # Behind the last message that could not be read: not to be asked for again by a rewind.
        self._floor = NOWHERE
        self._back_to_floor = False

    @property
    def leaves_out(self) -> bool:
        """Whether what is too large is not wanted: it would end the connection."""
        return self._stuck is not None

    @property
    def stepping(self) -> bool:
        """Whether a message is being passed by: a search that is not to be slowed down."""
        return self._stuck is not None and self._stuck.stepping

    def cursor(self, position: Position, host: Host, now_us: int, back_to: Position = NOWHERE) -> int:
        """What to ask ``host`` for, to get what follows ``position``; 0: the live tail.

        ``back_to``: an earlier place from which on this host is to make another one's blindness good.
        """
        if host != self._host:
            self._host, self._by_time = host, False
        if self._stuck is not None and (self._stuck.host, self._stuck.before) != (host, position):
            self._stuck = None
        self.before = position
        cursor = self._chosen(position, host, now_us, back_to)
        self._asked_seq = cursor if host.protocol == V2 and cursor < V2_TIME_CURSOR else 0
        return cursor

    def _chosen(self, position: Position, host: Host, now_us: int, back_to: Position) -> int:
        if self._stuck is not None and self._stuck.stepping:
            return self._stuck.cursor
        if back_to.time_us:
            return resume_at(back_to, host, self._rewind_ms, now_us)
        cursor = resume_at(position, host, self._rewind_ms, now_us, by_time=self._by_time)
        if self._floor.of(host) and position.of(host) and not self._by_time:
            cursor = max(cursor, min(self._floor.cursor, position.cursor))
            # What came since then may lack large messages, as long as they were left out.
            return min(cursor, self._floor.cursor) if self._back_to_floor else cursor
        return cursor

    def arrived(self, first: Position) -> Reason | None:
        """The first event of the connection is in: why it is later than it should be, or None.

        Raises:
            Renumbered: it is not what was asked for; reconnect at the old position, by time.
            Overshot: there may be one before it that can be read; reconnect at the old position.
        """
        before, asked = self.before, self._asked_seq
        self._by_time = self._renumbered(first)
        if self._by_time:
            raise Renumbered(before, first.cursor)
        late = first.cursor > before.cursor if asked else first.time_us > before.time_us
        why = Reason.UNREAD if self._passed_by() else Reason.REFUSED if self.refused else Reason.LATE
        self.refused = self._back_to_floor = False
        return why if late else None

    def _renumbered(self, first: Position) -> bool:
        """Whether a sequence number was asked for, and the answer is not of the numbering that it is from."""
        before, asked = self.before, self._asked_seq
        if not asked or first == before:
            return False
        ahead_us = first.time_us - before.time_us
        if first.cursor < asked:
            return True
        if first.cursor <= before.cursor:  # an event that came before the last one is no later
            return ahead_us > 0
        # A number that the host has not reached is answered with the live tail, without a word.
        return ahead_us > OTHER_HOST_REWIND_US and not self.stepping

    def _passed_by(self) -> bool:
        """Whether the first event was asked for behind a message that is too large."""
        stuck = self._stuck
        if stuck is None or not stuck.stepping:
            return False
        asked, found = stuck.cursor, stuck.found()
        if not found.exact:
            self._stuck = found
            raise Overshot(stuck.before, asked)
        self._stuck, self._floor = None, Position(asked, 0, stuck.host.name, stuck.host.protocol)
        return True

    def too_old(self) -> bool:
        """The host no longer has what was asked for. Whether it has not been asked by time yet, which is next."""
        if self._by_time:
            return False
        self._by_time = self.refused = True
        return True

    def too_large(self, last: Position, host: Host) -> bool:
        """What follows ``last`` is too large to be read. Whether it is met for the first time."""
        if self._stuck is not None and (self._stuck.host, self._stuck.before) == (host, last):
            self._stuck = self._stuck.again()
            return False
        self._stuck = Stuck(last, host)
        return True

    def behind(self, written: Position, host: Host) -> Position | None:
        """The event before the one that was too large, once the stream, which leaves it out, has gone past.

        It was somewhere before ``written``, the last event in Redis. Without large messages the stream is not to
        go on: those that follow would be missing without a word.
        """
        stuck = self._stuck
        if stuck is None or not written.of(host) or written.time_us <= stuck.before.time_us:
            return None
        self._stuck, self._floor, self._back_to_floor = None, written, True
        return stuck.before
