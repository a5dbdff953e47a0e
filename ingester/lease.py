"""Waits for the right to write: as a standby, or while Redis is away.

Lives here: the attempts and their pauses. Must not: the claim itself (sink), what follows from it (service).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

from ingester.buffer.delivery import Delivery
from ingester.buffer.exchange import Claim
from ingester.contract.logs import get_logger
from ingester.errors import SinkUnavailable
from ingester.health import Notifier

log = get_logger(__name__)

#: A standby asks for the lease this often (seconds).
STANDBY_S: Final = 1.0


async def acquire(delivery: Delivery, notifier: Notifier, pauses: Iterator[float]) -> Claim:
    """Claim until it succeeds; ``pauses`` (seconds) are the pauses between attempts while Redis is away.

    Raises:
        SinkRefused: Redis will never let this process write.
    """
    waiting_for = ""
    while True:
        notifier.progress()
        try:
            answer = await delivery.claim()
        except SinkUnavailable as error:
            delay = next(pauses)
            log.warning("sink_unavailable", error=error, retry_s=round(delay, 2))
            await asyncio.sleep(delay)
            continue
        if isinstance(answer, Claim):
            return answer
        if answer.writer != waiting_for:
            waiting_for = answer.writer
            log.info("standby", writer=answer.writer, lease_left_ms=answer.left_ms)
            notifier.status(f"standby behind {answer.writer}")
        await asyncio.sleep(min(STANDBY_S, answer.left_ms / 1000 + 0.01))
