"""Check of the ingester: whether it writes to Redis now. As any role whose password is here."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, cast

import redis

from firehose.alerts.limits import Limits
from firehose.alerts.wording import length
from firehose.batch import buffer
from firehose.settings import Settings
from firehose_cli.doctor.check import Check, Finding, failure, ok, warning
from ingester.contract import wire
from ingester.contract.redis_access import INGESTER, PIPELINE, RedisAccess

_REMEDY: Final = "start it, or see its log: docs/operations.md, The ingester does not run"
_WAITS: Final = "see why in its log, event=disconnected; `firehose doctor jetstream` tries the source"


def role(settings: Settings) -> str:
    """The pipeline, or the ingester where only its password is here."""
    folder = settings.redis_passwords_path
    return INGESTER if (folder / INGESTER).is_file() and not (folder / PIPELINE).is_file() else PIPELINE


def flushes(settings: Settings) -> Finding:
    """It has flushed a moment ago, if only nothing; or it waits for a connection to the source, and says so."""
    try:
        with buffer.client(settings, role(settings), socket_timeout=5, socket_connect_timeout=5) as client:
            names = (wire.META_LAST_FLUSH_MS, wire.META_WAITING_MS)
            flushed, waited = cast(list[bytes | None], client.hmget(wire.METADATA_KEY, names))
            now_s = buffer.redis_ms(client) / 1000
    except redis.RedisError as error:
        raise buffer.unavailable(RedisAccess.of(settings, role(settings)), error) from error
    if flushed is None:
        return warning("no ingester has written to this Redis yet", _REMEDY)
    limit_s, age_s = Limits.of(settings).silent_seconds, now_s - int(flushed) / 1000
    if age_s > limit_s and waited and now_s - int(waited) / 1000 <= limit_s:
        lasts = length(timedelta(seconds=age_s))
        return warning(f"it waits for a connection to the source, for {lasts}", _WAITS)
    if age_s > limit_s:
        return failure(f"it flushed last {length(timedelta(seconds=age_s))} ago", _REMEDY)
    return ok(f"it flushed {max(0.0, age_s):.0f} s ago")


CHECKS: Final = (Check("ingester.flushes", flushes, after="redis.reachable"),)
