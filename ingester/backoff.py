"""How long to wait before the next attempt. Pure: the caller sleeps, and brings the randomness."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator


def delays(first_s: float, maximum_s: float, rand: Callable[[], float] = random.random) -> Iterator[float]:
    """Endless delays in seconds: doubling from ``first_s`` to ``maximum_s``, each between a half and the whole.

    The jitter keeps many clients from coming back to a restarted server in the same instant.
    """
    delay = min(first_s, maximum_s)
    while True:
        yield delay * (0.5 + 0.5 * rand())
        delay = min(2 * delay, maximum_s)
