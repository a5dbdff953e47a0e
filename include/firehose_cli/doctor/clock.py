"""Checks of this machine's clock: intervals are of Redis' clock, and runs are started by Airflow's."""

from __future__ import annotations

import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
import redis

from firehose.batch import buffer
from firehose.jetstream import host_of
from firehose.settings import Settings
from firehose_cli.doctor.check import Check, Finding, failure, not_checked, ok, warning
from firehose_cli.doctor.ingester import role
from ingester.contract.redis_access import RedisAccess

#: Above this, an interval may be drained before it is over by Redis' clock; far above it, runs wait or come early.
_SKEW_S: Final = 1.0
_FAR_S: Final = 30.0
_REMEDY: Final = "let both machines take their time from NTP: timedatectl set-ntp true"


def _judged(skew_s: float, whose: str, tolerance_s: float) -> Finding:
    said = f"this machine's clock and {whose} are {abs(skew_s):.2f} s apart"
    if abs(skew_s) > _FAR_S:
        return failure(said, _REMEDY)
    if abs(skew_s) > tolerance_s:
        return warning(said, _REMEDY)
    return ok(said)


def against_redis(settings: Settings) -> Finding:
    """The clock of the machine that Redis runs on, whose times are the ids of entries."""
    try:
        with buffer.client(settings, role(settings), socket_timeout=5, socket_connect_timeout=5) as client:
            client.ping()
            before = time.time()
            theirs = buffer.redis_ms(client) / 1000
            after = time.time()
    except redis.RedisError as error:
        return not_checked(str(buffer.unavailable(RedisAccess.of(settings, role(settings)), error)))
    return _judged(theirs - (before + after) / 2, "Redis'", _SKEW_S)


def against_jetstream(settings: Settings) -> Finding:
    """The clock of the source, as its HTTP header ``Date`` has it, to the second."""
    host = host_of(settings.jetstream_url.split(",")[0])
    try:
        answer = httpx.head(host.base, timeout=5.0, follow_redirects=False)
        theirs = parsedate_to_datetime(answer.headers["date"]).astimezone(UTC).timestamp()
    except (httpx.HTTPError, KeyError, ValueError) as error:
        return not_checked(f"{host.name} does not say what time it is ({type(error).__name__})")
    # The header has whole seconds, and is up to one old.
    return _judged(theirs + 0.5 - time.time(), f"{host.name}'s", _SKEW_S + 1.0)


CHECKS: Final = (Check("clock.redis", against_redis), Check("clock.jetstream", against_jetstream))
