"""Checks of Redis' data: whether it may forget anything, and whether what it says is on its disk.

Must not: look at its users (``redis_users``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

import redis

from firehose.settings import Settings
from firehose_cli.doctor.check import Check, Finding, failure, not_checked, ok, warning
from firehose_cli.doctor.redis_logins import administrator, info, version_of, without_administrator

_CONF: Final = "include/firehose/redis/redis.conf"
_OLDEST: Final = (6, 2)
_OVERCOMMIT: Final = Path("/proc/sys/vm/overcommit_memory")


def version(settings: Settings) -> Finding:
    """A version with the commands that the pipeline's scripts and users need."""
    said, numbers = version_of(settings)
    if numbers < _OLDEST:
        return failure(f"Redis {said}", f"install Redis {'.'.join(map(str, _OLDEST))} or newer")
    return ok(f"Redis {said}")


def policy(settings: Settings) -> Finding:
    """A full Redis refuses what is written; any other policy drops whole queues."""
    memory = info(settings, "memory")
    policy, most, used = memory.get("maxmemory_policy"), int(memory["maxmemory"]), int(memory["used_memory"])
    if policy != "noeviction":
        return failure(
            f"maxmemory-policy is {policy}: a full Redis would drop events",
            f"set maxmemory-policy noeviction, as {_CONF} does, and restart it",
        )
    if not most:
        return warning(
            "maxmemory is not set: Redis grows until the kernel kills it",
            f"set maxmemory, as {_CONF} does: about 165 bytes an event",
        )
    share = used / most
    said = f"noeviction, {share:.0%} of {most / 2**30:.1f} GiB are used"
    if share > 0.8:
        return warning(said, "see why batches do not take events from it: firehose status; docs/operations.md")
    return ok(said)


def persistence(settings: Settings) -> Finding:
    """What Redis has acknowledged is in its append-only file."""
    found = info(settings, "persistence")
    if not int(found.get("aof_enabled", 0)):
        return failure(
            "appendonly is off: a restart of Redis loses every event that no batch has taken",
            f"set appendonly yes, as {_CONF} does, and restart it",
        )
    if (state := found.get("aof_last_write_status", "ok")) != "ok":
        return failure(f"the last write to its append-only file ended with {state}", "see Redis' log and its disk")
    return ok("appendonly is on, and its last write was right")


def fsync(settings: Settings) -> Finding:
    """It is on the disk before it is acknowledged. No role may ask this, so it takes the administrator."""
    if (asking := administrator(settings)) is None:
        return without_administrator(settings)
    try:
        with asking as client:
            set_to = str(cast(dict[str, Any], client.config_get("appendfsync")).get("appendfsync"))
    except redis.RedisError:
        return without_administrator(settings)
    if set_to != "always":
        return failure(
            f"appendfsync is {set_to}: a power loss takes acknowledged events, and the cursor is past them",
            f"set appendfsync always, as {_CONF} does, and restart it",
        )
    return ok("appendfsync always")


def overcommit(settings: Settings) -> Finding:
    """The kernel lets Redis fork when its append-only file is written again."""
    if urlsplit(settings.redis_url).hostname not in ("localhost", "127.0.0.1", "::1", None):
        return not_checked("Redis runs on another machine")
    if not _OVERCOMMIT.is_file():
        return not_checked("this system has no vm.overcommit_memory")
    if (set_to := _OVERCOMMIT.read_text().strip()) != "1":
        return warning(
            f"vm.overcommit_memory is {set_to}: Redis may fail to rewrite its append-only file",
            "sysctl vm.overcommit_memory=1, and in /etc/sysctl.d/ for the next boot",
        )
    return ok("vm.overcommit_memory is 1")


CHECKS: Final = (
    Check("redis.version", version, after="redis.reachable"),
    Check("redis.policy", policy, after="redis.reachable"),
    Check("redis.persistence", persistence, after="redis.reachable"),
    Check("redis.fsync", fsync, after="redis.reachable"),
    Check("redis.overcommit", overcommit),
)
