"""Answers that take long, kept for a while: all readers who ask the same wait for one answer.

Every reader asks as the analyst, so that an answer is the same for all. Must not: know what is asked.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from time import monotonic
from typing import Final

_MOST: Final = 256


class Kept:
    """Answers by question; a failure is not kept."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._answers: OrderedDict[Hashable, tuple[float, asyncio.Task[bytes]]] = OrderedDict()

    async def answer(self, question: Hashable, seconds: float, ask: Callable[[], Awaitable[bytes]]) -> bytes:
        """The answer, asked for if the one that is kept is older than ``seconds``."""
        until, task = self._answers.get(question, (0.0, None))
        if task is None or self._clock() >= until:
            task = asyncio.ensure_future(_run(ask))
            self._answers[question] = (self._clock() + seconds, task)
            task.add_done_callback(lambda done: self._forget(question, done))
            if len(self._answers) > _MOST:
                self._answers.popitem(last=False)
        # A reader who goes away does not take the answer from the others.
        return await asyncio.shield(task)

    def _forget(self, question: Hashable, done: asyncio.Task[bytes]) -> None:
        failed = done.cancelled() or done.exception() is not None
        if failed and self._answers.get(question, (0.0, None))[1] is done:
            del self._answers[question]


async def _run(ask: Callable[[], Awaitable[bytes]]) -> bytes:
    return await ask()
