"""What it means when Redis does not take a claim or a write: wait, or give up.

Lives here: the one place that decides which of the two. Must not: talk to Redis.
"""

from __future__ import annotations

from typing import Final

import redis

from ingester.contract.redis_access import RedisAccess
from ingester.errors import SinkRefused, SinkUnavailable

# Errors that pass. Inside a script Redis 6 wraps them in "ERR Error running script", so the text decides.
_PASSING: Final = ("OOM ", "READONLY ", "LOADING ", "MISCONF ", "BUSY ", "NOREPLICAS ", "MASTERDOWN ", "TRYAGAIN ")


def of_error(error: redis.RedisError, access: RedisAccess) -> SinkUnavailable | SinkRefused:
    """What an error of the client library means."""
    if refusal := access.refusal(error):
        return SinkRefused(refusal)
    text = " ".join(str(error).split())
    code = f"{getattr(error, 'status_code', None) or ''} {text}"
    passing = isinstance(error, redis.ConnectionError | redis.TimeoutError | redis.BusyLoadingError)
    if passing or any(word in code for word in _PASSING):
        return SinkUnavailable(f"Redis cannot write now: {text}")
    return SinkRefused(f"Redis refuses the write: {text}")


def of_answer(answer: list[str]) -> SinkUnavailable | None:
    """What a script's answer means if somebody else's data is in the way; None: it is not.

    A drain moves it and keeps it. Until then the events wait at the source.
    """
    if answer[0] == "type":
        return SinkUnavailable(
            f"Redis key {answer[1]} holds a {answer[2]}, not a {answer[3]}: somebody else wrote it; the next "
            "drain sets it aside"
        )
    if answer[0] == "full":
        return SinkUnavailable(
            f"Redis stream {answer[1]} has no ids left, because somebody else wrote an entry with the last one; "
            "the next drain makes room"
        )
    return None
