"""The event log: the events sent so far, kept in memory within bounds and found again by cursor.

Lives here: positions, retention, cursor search. Must not: connections, clocks, where events come from.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from jetstream_simulator import frames


class Event(NamedTuple):
    """One event on its way: when it was witnessed (microseconds; 0: unknown), its JSON, and whether v1 has
    no such event."""

    time_us: int
    line: bytes
    only_v2: bool = False


class Overtaken(Exception):
    """The event log no longer holds events that a reader has not read yet."""


class EventLog:
    """Events by position, 0 for the first one ever. Beyond the bounds the oldest ones are dropped.

    Dropping events does not change positions. The bounds may be exceeded by an eighth, because dropping single
    events would cost more than the events themselves.
    """

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self.start = 0
        self.dropped_bytes = 0
        #: The positions of events that v1 does not send.
        self.only_v2: set[int] = set()
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._frames: list[bytes] = []
        # Running maxima, so that a search by time never passes over an event that came later but is stamped
        # earlier: replayed files need not be in time order.
        self._newest_us: list[int] = []
        self._bytes: list[int] = []  # of all frames up to and with this one, since the beginning

    @property
    def end(self) -> int:
        """The position of the next event to come."""
        return self.start + len(self._frames)

    @property
    def step(self) -> int:
        """How many events can be appended at once without overtaking a reader that is not nearly overtaken."""
        return max(1, self._max_events // 2)

    @property
    def newest_us(self) -> int:
        """The greatest time in the event log; 0 while it is empty."""
        return self._newest_us[-1] if self._newest_us else 0

    @property
    def oldest_us(self) -> int:
        """The time of the oldest retained event (or of an earlier one that was later); 0 while empty."""
        return self._newest_us[0] if self._newest_us else 0

    def append(self, events: Sequence[Event]) -> None:
        """Put ``events`` at the end, then drop what exceeds the bounds."""
        newest, total = self.newest_us, self._bytes[-1] if self._bytes else self.dropped_bytes
        for time_us, line, only_v2 in events:
            frame = frames.text_frame(line)
            if only_v2:
                self.only_v2.add(self.end)
            newest = max(newest, time_us)
            total += len(frame)
            self._frames.append(frame)
            self._newest_us.append(newest)
            self._bytes.append(total)
        self._trim(total)

    def position(self, cursor_us: int) -> int:
        """Where a reader with this cursor resumes: the first event not certainly seen, at the earliest the
        oldest retained one; ``end`` if every event so far is older."""
        return self.start + bisect_left(self._newest_us, cursor_us)

    def time_us(self, position: int) -> int:
        """The greatest time up to and with the retained event at ``position``."""
        return self._newest_us[position - self.start]

    def between(self, first: int, last: int) -> list[bytes]:
        """The frames of the positions ``first`` to ``last`` (exclusive).

        Raises:
            Overtaken: they are no longer all retained.
        """
        if first < self.start:
            raise Overtaken
        return self._frames[first - self.start : last - self.start]

    def read(self, position: int, max_events: int, max_bytes: int) -> list[bytes]:
        """The frames from ``position`` on, within both limits, but at least one if there is any.

        Raises:
            Overtaken: ``position`` is no longer retained.
        """
        first = position - self.start
        if first < 0:
            raise Overtaken
        before = self._bytes[first - 1] if first else self.dropped_bytes
        last = bisect_right(self._bytes, before + max_bytes, first, min(first + max_events, len(self._bytes)))
        return self._frames[first : max(last, first + 1)]

    def nearly_overtakes(self, position: int) -> bool:
        """True if a reader at ``position`` has more than half of the retained events to read: let it catch up."""
        first = position - self.start
        before = self._bytes[first - 1] if first > 0 else self.dropped_bytes
        unread_bytes = (self._bytes[-1] if self._bytes else before) - before
        return self.end - position > self._max_events // 2 or unread_bytes > self._max_bytes // 2

    def _trim(self, total: int) -> None:
        excess = len(self._frames) - self._max_events
        retained = total - self.dropped_bytes
        if excess <= self._max_events // 8 and retained <= self._max_bytes + self._max_bytes // 8:
            return
        by_bytes = bisect_left(self._bytes, total - self._max_bytes) + 1 if retained > self._max_bytes else 0
        count = min(max(excess, by_bytes), len(self._frames) - 1)
        self.dropped_bytes = self._bytes[count - 1]
        self.start += count
        del self._frames[:count], self._newest_us[:count], self._bytes[:count]
        if self.only_v2:
            self.only_v2 = {position for position in self.only_v2 if position >= self.start}
