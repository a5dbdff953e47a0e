"""Trying again: what fails for a moment is asked once more, and a host that asks to be left alone is.

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
#: How long to wait, in all, for a host that asks to be left alone.
_PATIENCE_S: Final = 120.0


def retried(host: Host, ask: Callable[[], T], sleep: Callable[[float], None]) -> T:
    """The answer of ``ask``, which may fail for a moment: a heal asks hundreds of times.

    A host that asks to be left alone for a while is, unless it is for too long.

    Raises:
        ServiceUnavailable: it failed every time, or the host wants to be left alone for longer.
        FirehoseError: it refuses for good.
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
