"""Collects the events of one flush by queue.

Lives here: the buffers of both protocols, pure. Must not: I/O, clocks, tasks.
"""

from __future__ import annotations

from typing import Final, Self

from ingester.contract import wire
from ingester.contract.frame import Frame, pack
from ingester.contract.resyncs import Resyncs
from ingester.jetstream import events_v2
from ingester.jetstream.envelope import PLAUSIBLE_US, classify, dead_letter, follow
from ingester.jetstream.hosts import V1, V2, Host
from ingester.position.position import LIVE, AfterEvent, Position

#: Like PLAUSIBLE_US, for v2's sequence numbers: more than the network sends in an hour.
PLAUSIBLE_SEQ: Final = 10_000_000


class Buffer:
    """The events received since the last flush, in v1's form. ``last_us`` is the time of the last one.

    ``start`` is the position before them, ``host`` the host that stamps them. ``placed``: some message of the
    connection had a usable time; until then messages go to :meth:`begin`, and the position does not move.
    ``resyncs`` holds what sync events have announced so far; later buffers share it.
    """

    __slots__ = ("_append", "_host", "_leap", "_lines", "_resyncs", "_start", "count", "last_us", "placed", "size")

    def __init__(self, start: Position = LIVE, host: str = "", resyncs: Resyncs | None = None) -> None:
        self._lines: dict[str, list[bytes]] = {queue: [] for queue in wire.QUEUES}
        self._append = {queue: lines.append for queue, lines in self._lines.items()}
        self.count = 0
        self.size = 0
        self.last_us = start.time_us
        self._start = start
        self._host = host
        self._resyncs = Resyncs() if resyncs is None else resyncs
        self.placed = False
        self._leap = 0

    @property
    def position(self) -> Position:
        """The position of the last event; ``start`` while only dead letters without a time have come."""
        if self.last_us == self._start.time_us:
            return self._start
        return AfterEvent(self.last_us, self.last_us, self._host, V1)

    @property
    def counts(self) -> dict[str, int]:
        """The number of events by queue."""
        return {queue: len(lines) for queue, lines in self._lines.items()}

    def fresh(self) -> Self:
        """An empty buffer for the events that follow."""
        next_one = type(self)(self.position, self._host, self._resyncs)
        next_one.placed = self.placed
        next_one._leap = self._leap
        return next_one

    def begin(self, message: bytes) -> None:
        """Add one of the first messages, up to the first one with a usable time: the stream may begin anywhere.

        A message that cannot be read, and names no time near the one before, has no usable time.
        """
        queue, time_us, line = classify(message, self.last_us)
        if time_us and (line is message or time_us != self.last_us):
            self.last_us, self.placed = time_us, True
        self._put(queue, self._resyncs.take(line))

    def add(self, message: bytes) -> None:
        """Add a message, whatever it contains, to its queue."""
        queue, time_us, line = classify(message, self.last_us)
        if self._leap or abs(time_us - self.last_us) >= PLAUSIBLE_US:
            time_us = self._followed(time_us)
        self.last_us = time_us
        if queue == wire.OTHER or self._resyncs.known:  # rare: v1 hosts send no sync events
            line = self._resyncs.take(line)
        # Like _put, without the cost of a call for each event.
        self._append[queue](line)
        self.count += 1
        self.size += len(line)

    def reject(self, message: bytes, error: Exception) -> None:
        """Keep a message that cannot be decompressed, and so has no time, as a dead letter."""
        queue, _, line = dead_letter(message, error, self.last_us)
        self._put(queue, line)

    def _followed(self, time_us: int) -> int:
        last_us, self._leap = follow(self.last_us, time_us, self._leap, PLAUSIBLE_US)
        return last_us

    def _put(self, queue: str, line: bytes) -> None:
        self._append[queue](line)
        self.count += 1
        self.size += len(line)

    def pack(self, frame_events: int) -> list[Frame]:
        """The frames of all events, with at most ``frame_events`` events each."""
        return pack(self._lines, frame_events)


class BufferV2(Buffer):
    """A buffer for a v2 stream: it converts events to v1's form, and its cursor is a sequence number."""

    __slots__ = ("_leap_seq", "_seq")

    def __init__(self, start: Position = LIVE, host: str = "", resyncs: Resyncs | None = None) -> None:
        super().__init__(start, host, resyncs)
        self._seq = start.cursor if (start.host, start.protocol) == (host, V2) else 0
        self._leap_seq = 0

    def fresh(self) -> Self:
        """As in v1."""
        next_one = super().fresh()
        next_one._leap_seq = self._leap_seq
        return next_one

    @property
    def position(self) -> Position:
        """As in v1; ``start`` until a sequence number of this host has come."""
        return AfterEvent(self._seq, self.last_us, self._host, V2) if self._seq else self._start

    def begin(self, message: bytes) -> None:
        """As in v1; raises what :meth:`add` raises."""
        try:
            queue, time_us, seq, line = events_v2.read(message, self._resyncs)
        except events_v2.UNREADABLE as error:
            return self.reject(message, error)
        if time_us:
            self.last_us, self._seq, self.placed = time_us, seq, True
        return self._put(queue, line)

    def add(self, message: bytes) -> None:
        """Add the event of a frame, whatever it contains, to its queue.

        Raises:
            SourceNotice: the frame is a notice for the log, not an event.
            Disconnected: the server ends the stream.
        """
        try:
            event = events_v2.read(message, self._resyncs)
        except events_v2.UNREADABLE as error:
            return self.reject(message, error)
        return self._keep(event)

    def reject(self, message: bytes, error: Exception) -> None:
        """As in v1."""
        letter = events_v2.dead_letter(message, error, self.last_us, self._seq)
        if self.placed:
            self._keep(letter)
        else:
            self._put(letter.queue, letter.line)

    def _keep(self, event: events_v2.QueueLine) -> None:
        queue, time_us, seq, line = event
        self.last_us = self._followed(time_us)
        self._seq, self._leap_seq = follow(self._seq, seq, self._leap_seq, PLAUSIBLE_SEQ)
        self._put(queue, line)


def buffer_for(host: Host, start: Position, resyncs: Resyncs) -> Buffer:
    """An empty buffer for a connection to ``host``."""
    return (BufferV2 if host.protocol == V2 else Buffer)(start, host.name, resyncs)
