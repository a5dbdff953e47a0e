"""The TIDs of revisions and record keys, as the clocks of servers and clients make them.

Recorded traffic of 2024 and 2026: clock ids are under 32, and one server has one. It stamps milliseconds; the
microseconds are a count. The key of a record that it names is some milliseconds before the commit's revision, from
the same clock and with the same count. A post is named by its client, in whole milliseconds. Must not: chance,
I/O.
"""

from __future__ import annotations

from typing import Final

from jetstream_simulator import identifiers

_SERVERS: Final = 128
_COUNTED_MS: Final = 3_000  # how long a server takes to count one on


class Clocks:
    """Revisions rise with an account's events, and no two records of an account ever share a key."""

    def __init__(self) -> None:
        self._revisions: dict[int, int] = {}
        self._keys: dict[int, int] = {}

    def rev(self, account: int, time_us: int) -> str:
        """The revision of a commit that is witnessed at ``time_us``."""
        return _of_server(account, _later(self._revisions, account, _committed_ms(account, time_us)))

    def key(self, account: int, time_us: int, before_ms: int) -> str:
        """The key that a server gives to a record, so long before it commits it."""
        ms = _later(self._keys, account, _committed_ms(account, time_us) - before_ms)
        return _of_server(account, ms)

    def post_key(self, account: int, time_us: int, before_ms: int) -> str:
        """The key that a client gives to a post, so long before a server commits it."""
        ms = _later(self._keys, account, _committed_ms(account, time_us) - before_ms)
        return identifiers.tid(ms * 1000, account * 13 & 31)


def _later(last: dict[int, int], account: int, ms: int) -> int:
    last[account] = ms = max(ms, last.get(account, 0) + 1)
    return ms


def _committed_ms(account: int, time_us: int) -> int:
    return (time_us - 120_000 - account * 7919 % 400_000) // 1000


def _of_server(account: int, ms: int) -> str:
    server = account % _SERVERS
    count = (server * 389 + ms // _COUNTED_MS) % 1000
    return identifiers.tid(ms * 1000 + count, server * 7 & 31)
