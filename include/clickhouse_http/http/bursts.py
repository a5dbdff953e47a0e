"""Warnings that come in floods: the first one is logged, the others are counted.

Lives here: one log line at the start of a burst and one at its end. Must not: decide what is worth a warning.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

log = logging.getLogger(__name__)
#: A burst ends when nothing of its kind has come for this long.
QUIET_S: Final = 60.0
#: Kinds that are remembered; addresses are part of a kind, and an attacker may have many.
_MAX_KINDS: Final = 256


@dataclass
class _Burst:
    began: float
    last: float
    count: int = 0


class Bursts:
    """Counts events by kind. Not thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._bursts: OrderedDict[str, _Burst] = OrderedDict()

    def note(self, kind: str, threshold: int = 1) -> int:
        """Count one more of ``kind``, a text fit for a log line; warn at the ``threshold``-th of a burst.

        Returns how many there were in this burst.
        """
        now = self._clock()
        self._end_quiet(now)
        burst = self._bursts.setdefault(kind, _Burst(now, now))
        self._bursts.move_to_end(kind)
        burst.last = now
        burst.count += 1
        if burst.count == threshold:
            log.warning("%s; more of the same are counted, not logged", kind)
        if len(self._bursts) > _MAX_KINDS:
            self._end(*self._bursts.popitem(last=False))
        return burst.count

    def _end_quiet(self, now: float) -> None:
        while self._bursts:
            kind, oldest = next(iter(self._bursts.items()))
            if now - oldest.last < QUIET_S:
                return
            del self._bursts[kind]
            self._end(kind, oldest)

    @staticmethod
    def _end(kind: str, burst: _Burst) -> None:
        if burst.count > 1:
            log.info("%s: %d times within %.0f s", kind, burst.count, burst.last - burst.began)
