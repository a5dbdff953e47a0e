"""Checks of Redis: who is let in, whether it may forget anything, and whether what it says is on its disk."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

import redis
from redis.exceptions import AuthenticationError, NoPermissionError

from firehose.batch import buffer
from firehose.errors import ServiceUnavailable
from firehose.settings import Settings
from firehose_cli.doctor.check import Check, Finding, failure, not_checked, ok, warning
from ingester.contract.redis_access import MONITORING, PIPELINE, ROLES, RedisAccess, has_login

_TIMEOUT_S: Final = 5.0
_ADMIN: Final = "admin"
_CONF: Final = "include/firehose/redis/redis.conf"
_OLDEST: Final = (6, 2)
_OVERCOMMIT: Final = Path("/proc/sys/vm/overcommit_memory")


def _client(settings: Settings, role: str) -> redis.Redis:
    return buffer.client(settings, role, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)


def _role(settings: Settings) -> str:
    """A role that may read the server's state, and whose password this user has."""
    if has_login(settings.redis_url) or (settings.redis_passwords_path / MONITORING).is_file():
        return MONITORING
    return PIPELINE


def _info(settings: Settings, section: str) -> dict[str, Any]:
    """A section of INFO.

    Raises:
        ServiceUnavailable: Redis does not answer, or refuses.
    """
    role = _role(settings)
    try:
        with _client(settings, role) as client:
            return cast(dict[str, Any], client.info(section))
    except redis.RedisError as error:
        raise buffer.unavailable(RedisAccess.of(settings, role), error) from error


def reachable(settings: Settings) -> Finding:
    """Every role of which this machine has the password is let in."""
    if has_login(settings.redis_url):
        roles: tuple[str, ...] = (PIPELINE,)  # all of them log in as the user of the URL
    else:
        roles = tuple(role for role in ROLES if (settings.redis_passwords_path / role).is_file())
    if not roles:
        return failure(
            f"there is no password in {settings.redis_passwords_path}, and no login in FIREHOSE_REDIS_URL",
            "firehose redis-access makes them; docs/operations.md, Redis: users and passwords",
        )
    for role in roles:
        try:
            with _client(settings, role) as client:
                client.ping()
        except redis.RedisError as error:
            said = str(buffer.unavailable(RedisAccess.of(settings, role), error))
            return failure(said, "docs/operations.md, Redis: users and passwords")
    who = "the user of FIREHOSE_REDIS_URL" if has_login(settings.redis_url) else ", ".join(roles)
    return ok(f"answers, and lets in {who}")


def strangers(settings: Settings) -> Finding:
    """Nobody is let in without a login."""
    parts = urlsplit(settings.redis_url)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
    try:
        with redis.Redis.from_url(bare, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S) as client:
            client.execute_command("PING")
    except (AuthenticationError, NoPermissionError):
        return ok("refuses those who do not log in")
    except redis.RedisError as error:
        if "NOAUTH" in str(error):
            return ok("refuses those who do not log in")
        return not_checked("it does not answer")
    return warning(
        "lets in everybody who reaches its port",
        "start it with the users of firehose redis-access; docs/operations.md, Redis: users and passwords",
    )


def version(settings: Settings) -> Finding:
    """A version with the commands that the pipeline's scripts and users need."""
    said = str(_info(settings, "server").get("redis_version", "?"))
    numbers = tuple(int(part) for part in re.findall(r"\d+", said)[:2])
    if numbers < _OLDEST:
        return failure(f"Redis {said}", f"install Redis {'.'.join(map(str, _OLDEST))} or newer")
    return ok(f"Redis {said}")


def policy(settings: Settings) -> Finding:
    """A full Redis refuses what is written; any other policy drops whole queues."""
    memory = _info(settings, "memory")
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
    found = _info(settings, "persistence")
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
    if not has_login(settings.redis_url) and not (settings.redis_passwords_path / _ADMIN).is_file():
        return _without_administrator(settings)
    try:
        with _client(settings, _ADMIN) as client:
            set_to = str(cast(dict[str, Any], client.config_get("appendfsync")).get("appendfsync"))
    except redis.RedisError:
        return _without_administrator(settings)
    if set_to != "always":
        return failure(
            f"appendfsync is {set_to}: a power loss takes acknowledged events, and the cursor is past them",
            f"set appendfsync always, as {_CONF} does, and restart it",
        )
    return ok("appendfsync always")


def rights(settings: Settings) -> Finding:
    """Each role may what ``users.acl`` of this version gives it."""
    if has_login(settings.redis_url) or not (settings.redis_passwords_path / _ADMIN).is_file():
        return _without_administrator(settings)
    try:
        with _client(settings, _ADMIN) as client:
            there = {role: cast(Any, client.acl_getuser(role)) for role in ROLES}
    except redis.RedisError as error:
        raise ServiceUnavailable(f"Redis does not tell the rights of its users ({error})") from error
    wanted, lacking = _wanted(), []
    for role, user in there.items():
        if missing := sorted(wanted[role] - _has(user)):
            lacking.append(f"{role} lacks {' '.join(missing[:5])}")
    if lacking:
        return failure(
            "; ".join(lacking),
            "users.acl is of another version: make it again with firehose redis-access, then ACL LOAD",
        )
    return ok(f"{', '.join(ROLES)} have the rights of this version's users.acl")


def _has(user: Any) -> set[str]:
    """Commands and keys of a user as the server tells them: Redis 6 names keys in a list, Redis 7 in one text."""
    if not user:
        return set()
    keys = user["keys"] if isinstance(user["keys"], list) else user["keys"].split()
    names = [key.decode() if isinstance(key, bytes) else str(key) for key in keys]
    return {*user["commands"], *(f"~{name.removeprefix('~')}" for name in names)}


def _wanted() -> dict[str, set[str]]:
    """The commands and keys of each role in ``users.acl``."""
    text = (resources.files("firehose") / "redis" / "users.acl").read_text(encoding="utf-8")
    found: dict[str, set[str]] = {}
    for block in re.split(r"^user ", text, flags=re.MULTILINE)[1:]:
        lines = [line for line in block.splitlines() if not line.startswith("#")]
        words = " ".join(lines).split()
        found[words[0]] = {word for word in words[1:] if word[0] in "+~"}
    return found


def _without_administrator(settings: Settings) -> Finding:
    return not_checked(
        f"only Redis' administrator may ask, and {settings.redis_passwords_path} holds no password of `admin`"
    )


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
    Check("redis.reachable", reachable),
    Check("redis.strangers", strangers),
    Check("redis.version", version, after="redis.reachable"),
    Check("redis.policy", policy, after="redis.reachable"),
    Check("redis.persistence", persistence, after="redis.reachable"),
    Check("redis.fsync", fsync, after="redis.reachable"),
    Check("redis.rights", rights, after="redis.reachable"),
    Check("redis.overcommit", overcommit),
)
