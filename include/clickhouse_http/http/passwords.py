"""Wrong passwords: their answers wait, and one warning is logged for each burst.

Lives here: how long the answer to a wrong password waits. Must not: comparing passwords.

A right password never waits: all users of a machine have the same address, so a lock on the address would shut out
the loader. Only the answer to a wrong password waits.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from clickhouse_http.http.bursts import Bursts

#: This many mistakes cost nothing: people make them.
FREE: Final = 3
_FIRST_S: Final = 0.25
_LONGEST_S: Final = 4.0
#: A wrong password is forgotten after this time.
_FORGIVEN_S: Final = 60.0
#: Addresses that are remembered, and answers that wait at one time.
_MAX_ADDRESSES: Final = 1024
_MAX_WAITING: Final = 512


class WrongPasswords:
    """Counts wrong passwords by address. Not thread-safe: for the event loop."""

    def __init__(self, bursts: Bursts, clock: Callable[[], float] = time.monotonic) -> None:
        self._bursts = bursts
        self._clock = clock
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._waiting = 0

    async def slow_down(self, address: str) -> None:
        """Wait before a wrong password from ``address`` is answered."""
        self._bursts.note(f"wrong passwords from {address}", threshold=FREE + 1)
        delay = self.delay(address)
        if not delay or self._waiting >= _MAX_WAITING:
            return
        self._waiting += 1
        try:
            await asyncio.sleep(delay)
        finally:
            self._waiting -= 1

    def delay(self, address: str) -> float:
        """Count one more from ``address``. Returns the seconds that its answer waits."""
        now = self._clock()
        count, last = self._counts.pop(address, (0, now))
        count = 1 if now - last > _FORGIVEN_S else count + 1
        self._counts[address] = (count, now)
        if len(self._counts) > _MAX_ADDRESSES:
            self._counts.popitem(last=False)
        return 0.0 if count <= FREE else min(_LONGEST_S, _FIRST_S * 2.0 ** min(count - FREE - 1, 10))
