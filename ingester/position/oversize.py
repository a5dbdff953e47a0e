"""Searches for the cursor that gets past a message that is too large, which a server sends again each time.

Lives here: the search, pure. Must not: connections, settings.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Self

from ingester.jetstream.hosts import V1, V2_TIME_CURSOR, Host
from ingester.position.position import Position

#: How often the same cursor is tried: first as usual, then with large messages left out.
TRIES: Final = 3


class OversizeSearch(NamedTuple):
    """The search for a cursor past a message at which the stream ends, after ``before``.

    The offset is doubled until an event comes, then halved, so that only the message itself is skipped. ``fails``
    is the largest offset that still ends at the message, ``works`` the smallest that brings an event (0: none
    yet).
    """

    before: Position
    host: Host
    tries: int = 1
    fails: int = 0
    works: int = 0

    @property
    def stepping(self) -> bool:
        """True once usual attempts have been given up."""
        return self.tries >= TRIES and self.before.time_us > 0

    @property
    def exact(self) -> bool:
        """True once the first cursor past the message is known."""
        return self.works > 0 and self.works - self.fails <= 1

    @property
    def offset(self) -> int:
        """The next offset to try, counted from the cursor after the last event."""
        if not self.works:
            return 2 * self.fails or 1
        return self.works if self.exact else (self.fails + self.works) // 2

    @property
    def cursor(self) -> int:
        """The cursor for the next attempt."""
        if self.host.protocol == V1 or not self.before.of(self.host):
            least = 1 if self.host.protocol == V1 else V2_TIME_CURSOR
            return max(least, self.before.time_us + 1 + self.offset)
        return self.before.cursor + 1 + self.offset

    def failed(self) -> Self:
        """The search after another attempt that ended at the message."""
        return self._replace(fails=self.offset) if self.stepping else self._replace(tries=self.tries + 1)

    def found(self) -> Self:
        """The search after an attempt that brought an event."""
        return self._replace(works=self.offset)
