"""A message too large to be read, which the server sends again each time: where to ask, to get past it.

Lives here: the search, pure. Must not: connections, settings.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Self

from ingester.jetstream.hosts import V1, V2_TIME_CURSOR, Host
from ingester.position.position import Position

#: The message is asked for this often at the same place, first as usual, then without large messages.
TRIES: Final = 3


class OversizeSearch(NamedTuple):
    """The stream ends after ``before``, whatever is asked for.

    The place to ask is searched by doubling the offset until an event comes, then by halving, so that nothing but
    the message is passed over. ``fails`` is the largest offset that ends at the message, ``works`` the least one
    that brings an event (0: none yet).
    """

    before: Position
    host: Host
    tries: int = 1
    fails: int = 0
    works: int = 0

    @property
    def stepping(self) -> bool:
        """Whether asking as usual has been given up."""
        return self.tries >= TRIES and self.before.time_us > 0

    @property
    def exact(self) -> bool:
        """Whether it is known where the message ends."""
        return self.works > 0 and self.works - self.fails <= 1

    @property
    def offset(self) -> int:
        """The next one to try, counted from what follows the last event."""
        if not self.works:
            return 2 * self.fails or 1
        return self.works if self.exact else (self.fails + self.works) // 2

    @property
    def cursor(self) -> int:
        """The cursor that asks for what lies behind the offset."""
        if self.host.protocol == V1 or not self.before.of(self.host):
            least = 1 if self.host.protocol == V1 else V2_TIME_CURSOR
            return max(least, self.before.time_us + 1 + self.offset)
        return self.before.cursor + 1 + self.offset

    def failed(self) -> Self:
        """The search after the stream ended at the message once more."""
        return self._replace(fails=self.offset) if self.stepping else self._replace(tries=self.tries + 1)

    def found(self) -> Self:
        """The search after an event has come."""
        return self._replace(works=self.offset)
