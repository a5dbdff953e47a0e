"""The limit of events per second that all connections of one address share.

Lives here: a token bucket on a clock that is passed in. Must not: waiting, connections.
"""

from __future__ import annotations

from typing import Final

#: Replay from a cursor may go ten times as fast as live events.
REPLAY_FACTOR: Final = 10


class Bucket:
    """Allows ``rate`` events a second, and a second's worth at once. Zero means no limit."""

    def __init__(self, rate: float, now_s: float) -> None:
        self._rate = rate
        self._tokens = rate
        self._at_s = now_s

    def available(self, now_s: float, *, live: bool) -> int:
        """How many events may be sent now."""
        if not self._rate:
            return 1 << 30
        self._tokens = min(self._rate, self._tokens + (now_s - self._at_s) * self._rate)
        self._at_s = now_s
        return int(self._tokens * (1 if live else REPLAY_FACTOR))

    def spend(self, events: int, *, live: bool) -> None:
        """Count what was sent."""
        self._tokens -= events / (1 if live else REPLAY_FACTOR)
