"""Decides what follows when Redis does not accept a claim or a write: wait, or give up.

Lives here: the only place that decides this. Must not: talk to Redis.
"""

from __future__ import annotations

from typing import Final

import redis

from ingester.contract.redis_access import RedisAccess
from ingester.errors import SinkRefused, SinkUnavailable

# Errors that are temporary. Inside a script Redis 6 wraps them in "ERR Error running script", so the text decides.
_PASSING: Final = ("OOM ", "READONLY ", "LOADING ", "MISCONF ", "BUSY ", "NOREPLICAS ", "MASTERDOWN ", "TRYAGAIN ")


def of_error(error: redis.RedisError, access: RedisAccess) -> SinkUnavailable | SinkRefused:
    """The ingester's error for an error of the client library."""
    if refusal := access.refusal(error):
        return SinkRefused(refusal)
    text = " ".join(str(error).split())
    code = f"{getattr(error, 'status_code', None) or ''} {text}"
    passing = isinstance(error, redis.ConnectionError | redis.TimeoutError | redis.BusyLoadingError)
    if passing or any(word in code for word in _PASSING):
        return SinkUnavailable(f"Redis cannot write now: {text}")
    return SinkRefused(f"Redis refuses the write: {text}")


def of_answer(answer: list[str]) -> SinkUnavailable | None:
    """The error for a script's answer that foreign data blocks the write; None if nothing does.

    A drain moves the data and keeps it. Until then the events wait at the source.
    """
    if answer[0] == "type":
        return SinkUnavailable(
            f"Redis key {answer[1]} holds a {answer[2]}, not a {answer[3]}: another program wrote it; the "
            "next drain sets it aside"
        )
    if answer[0] == "full":
        return SinkUnavailable(
            f"Redis stream {answer[1]} has no ids left, because another program wrote an entry with the last one; "
            "the next drain makes room"
        )
    return None
