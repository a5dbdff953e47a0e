"""Token buckets: how often somebody may ask. Pure but for the clock. Must not: know what is asked."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Final

#: Those who asked last are remembered; a bucket that was not asked for so long is full again anyway.
_MOST: Final = 4096


class Buckets:
    """A bucket for each name: ``burst`` at once, and ``a_minute`` in the long run; 0: any number."""

    def __init__(self, a_minute: int, burst: int, clock: Callable[[], float] = monotonic) -> None:
        self._rate, self._burst, self._clock = a_minute / 60, burst, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, name: str) -> int:
        """Take one from the bucket of ``name``. Returns 0, or after how many seconds there is one again."""
        if not self._rate:
            return 0
        now = self._clock()
        left, at = self._left.pop(name, (float(self._burst), now))
        left = min(self._burst, left + (now - at) * self._rate)
        enough = left >= 1
        self._left[name] = (left - 1 if enough else left, now)
        if len(self._left) > _MOST:
            self._left.popitem(last=False)
        return 0 if enough else math.ceil((1 - left) / self._rate)
