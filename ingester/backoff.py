"""Computes the pauses between attempts. Pure: the caller sleeps, and supplies the randomness."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator


def delays(first_s: float, maximum_s: float, rand: Callable[[], float] = random.random) -> Iterator[float]:
    """Endless delays in seconds: they double from ``first_s`` to ``maximum_s``, and each is cut by up to a half.

    This jitter keeps many clients from returning to a restarted server at the same instant.
    """
    delay = min(first_s, maximum_s)
    while True:
        yield delay * (0.5 + 0.5 * rand())
        delay = min(2 * delay, maximum_s)
