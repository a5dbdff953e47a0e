"""Retries: repeats a call that failed for a moment, and waits as long as a host asks for.

Lives here: which errors are worth another attempt, and when. Must not: connections.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import httpx

from firehose.errors import ServiceUnavailable, Throttled
from firehose.jetstream import Host
from ingester.contract.logs import get_logger

log = get_logger(__name__)
T = TypeVar("T")
_PAUSES_S: Final = (0.5, 2.0)
#: How long to wait, in all, for a host that asks to wait (``Retry-After``).
_PATIENCE_S: Final = 120.0


def retried(host: Host, ask: Callable[[], T], sleep: Callable[[float], None]) -> T:
    """Return the answer of ``ask``, which may fail for a moment: a backfill calls it hundreds of times.

    If the host asks to wait, the next attempt comes after that time, unless it is too long.

    Raises:
        ServiceUnavailable: every attempt failed, or the host asks to wait for longer.
        FirehoseError: the host refuses for good.
    """
    pauses, patience_s = iter(_PAUSES_S), _PATIENCE_S
    while True:
        try:
            return ask()
        except Throttled as error:
            failed: ServiceUnavailable = error
            pause_s = max(error.wait_s, _PAUSES_S[0])
            patience_s -= pause_s
            may_wait = patience_s >= 0
        except (ServiceUnavailable, OSError, httpx.TransportError) as error:
            failed = _explained(host, error)
            pause_s = next(pauses, 0.0)
            may_wait = pause_s > 0
        if not may_wait:
            raise failed
        log.info("asking the archive again", host=host.name, reason=failed, retry_s=round(pause_s, 1))
        sleep(pause_s)


def _explained(host: Host, error: Exception) -> ServiceUnavailable:
    if isinstance(error, ServiceUnavailable):
        return error
    why = f"{type(error).__name__}: {error}".rstrip(": ")
    return ServiceUnavailable(f"the archive at {host.base} does not answer ({why}); try again")
