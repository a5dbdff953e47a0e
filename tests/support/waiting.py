"""Waiting for what another process or thread does: for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def until(
    condition: Callable[[], Found | None],
    timeout_s: float = 60.0,
    *,
    what: str = "the condition came true",
    pause_s: float = 0.01,
) -> Found:
    """Return what ``condition()`` gives as soon as that is true; fail the test if it is not in time.

    ``timeout_s`` is long, since machines are shared; ``pause_s`` is between two looks.
    """
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(pause_s)
    return found
