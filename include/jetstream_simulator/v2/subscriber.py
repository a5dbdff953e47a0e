"""A ``subscribeEvents`` client's way through the event log: where it begins, and its frames.

Lives here: cursors of both sorts, turning offered events into v2 frames. Must not: sockets, tasks.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import zstandard

from jetstream_simulator import frames
from jetstream_simulator.event_log import EventLog
from jetstream_simulator.subscriber import Subscriber
from jetstream_simulator.v2 import message
from jetstream_simulator.v2.options import FIRST_TIME_US, Filter, Refused

_PATIENCE: Final = 10  # v2 lets a client fall 100,000 events behind, where v1 cuts at 10,000


class Numbers(NamedTuple):
    """Sequence numbers of an event log: ``first`` is that of position 0, ``lookback`` how many events a cursor
    reaches back (0: all that are retained)."""

    event_log: EventLog
    first: int = 1
    lookback: int = 0

    @property
    def next(self) -> int:
        """The sequence number of the next event to come."""
        return self.first + self.event_log.end

    @property
    def floor(self) -> int:
        """The position of the oldest event that a cursor can reach."""
        return max(self.event_log.start, self.event_log.end - self.lookback if self.lookback else 0)


class Start(NamedTuple):
    """Where a stream begins: at a position, at a time (microseconds), or (neither) at the live tail.

    ``notice`` is the text of the ``#info`` that comes before everything else.
    """

    position: int | None = None
    time_us: int | None = None
    notice: str = ""


def start(cursor: int | None, numbers: Numbers, now_us: int, *, ahead: bool) -> Start:
    """Where ``cursor`` begins. One that is ahead of the event log is the live tail, or with ``ahead`` (events are
    still to come) waits for its event.

    Raises:
        Refused: CursorTooOld, a sequence number below what the streams reach back to.
    """
    event_log, floor = numbers.event_log, numbers.floor
    if cursor is None:
        return Start()
    if cursor >= FIRST_TIME_US:
        if cursor > max(now_us, event_log.newest_us):
            return Start()
        if floor and (event_log.position(cursor) < floor or cursor < event_log.time_us(floor)):
            notice = f"the cursor lies before what is retained; starting at seq {numbers.first + floor}"
            return Start(time_us=cursor, notice=notice)
        return Start(time_us=cursor)
    position = max(cursor, 1) - numbers.first
    if position < floor:
        oldest = numbers.first + floor
        raise Refused("CursorTooOld", f"cursor too old: {cursor} lies below the oldest retained seq {oldest}")
    return Start(position=position) if position < event_log.end or ahead else Start()


class EventSubscriber(Subscriber):
    """A client that reads the event log as v2 frames."""

    patience = _PATIENCE

    def __init__(
        self, numbers: Numbers, wanted: Filter, begin: Start, compressor: zstandard.ZstdCompressor | None = None
    ) -> None:
        super().__init__(
            numbers.event_log,
            wanted.names,
            begin.time_us,
            compressor,
            position=begin.position,
            floor=numbers.floor,
        )
        self._wanted_v2, self._first = wanted, numbers.first

    def encoded(self, text: bytes) -> bytes:
        """A frame's JSON, ready for the wire."""
        if self._compressor is None:
            return frames.text_frame(text)
        return frames.binary_frame(self._compressor.compress(text))

    def _frames(self, position: int, offered: list[bytes]) -> list[bytes]:
        seq, limit = self._first + position, self.filter.max_bytes
        texts = [self._text(frames.payload(frame), seq + i) for i, frame in enumerate(offered)]
        return [self.encoded(text) for text in texts if text and not 0 < limit < len(text)]

    def _text(self, line: bytes, seq: int) -> bytes:
        """The v2 frame's JSON; empty: not wanted. What v2 could not send is sent as it is."""
        try:
            event = message.read(line)
        except message.Unreadable:
            wanted = self._wanted_v2
            return b"" if wanted.kinds or wanted.names.dids else line
        if self._wanted_v2.by_content and not self._wanted_v2.wants(event):
            return b""
        return event.frame(seq)
