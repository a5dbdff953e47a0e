"""Checks of Redis' users: who is let in, what each may do, and as whom Redis reads its own file again.

Must not: look at how it keeps its data (``redis``).
"""

from __future__ import annotations

import re
from importlib import resources
from typing import Any, Final, cast

import redis
from redis.exceptions import AuthenticationError, NoPermissionError

from firehose.batch import buffer
from firehose.errors import ServiceUnavailable
from firehose.settings import Settings
from firehose_cli.doctor.check import Check, Finding, failure, not_checked, ok, warning
from firehose_cli.doctor.redis_logins import (
    ADMIN,
    administrator,
    client_of,
    info,
    stranger,
    version_of,
    without_administrator,
)
from ingester.contract import wire
from ingester.contract.redis_access import PIPELINE, ROLES, RedisAccess, has_login

_DOCS: Final = "docs/operations.md, Redis: users and passwords"
_QUEUE: Final = wire.stream_key(wire.POSTS)

#: From here on Redis asks for rights when it reads its append-only file: those of the user ``default``, for what
#: is in transactions, as all is that a script writes (redis/redis#14541). No number says which are mended.
_ASKS_FOR_RIGHTS: Final = (7, 0)

#: What the scripts of ingester and pipeline write, as ACL DRYRUN takes it, and SELECT, which 7.2 puts beside it.
SCRIPTED: Final[tuple[tuple[str, ...], ...]] = (
    ("SELECT", "0"),
    ("XADD", _QUEUE, "*", "n", "1"),
    ("XSETID", _QUEUE, "1-1"),
    ("HSET", wire.METADATA_KEY, "n", "1"),
    ("HSETNX", wire.METADATA_KEY, "n", "1"),
    ("HDEL", wire.METADATA_KEY, "n"),
    ("ZADD", wire.HEARTBEATS_KEY, "1", "1"),
    ("ZREMRANGEBYSCORE", wire.HEARTBEATS_KEY, "0", "1"),
    ("RENAMENX", _QUEUE, f"{_QUEUE}:misplaced"),
)


def reachable(settings: Settings) -> Finding:
    """Every role of which this machine has the password is let in."""
    if has_login(settings.redis_url):
        roles: tuple[str, ...] = (PIPELINE,)  # all of them log in as the user of the URL
    else:
        roles = tuple(role for role in ROLES if (settings.redis_passwords_path / role).is_file())
    if not roles:
        return failure(
            f"there is no password in {settings.redis_passwords_path}, and no login in FIREHOSE_REDIS_URL",
            f"firehose redis-access makes them; {_DOCS}",
        )
    for role in roles:
        try:
            with client_of(settings, role) as client:
                client.ping()
        except redis.RedisError as error:
            said = str(buffer.unavailable(RedisAccess.of(settings, role), error))
            return failure(said, _DOCS)
    who = "the user of FIREHOSE_REDIS_URL" if has_login(settings.redis_url) else ", ".join(roles)
    return ok(f"answers, and lets in {who}")


def strangers(settings: Settings) -> Finding:
    """Nobody is let in without a login."""
    try:
        with stranger(settings) as client:
            client.execute_command("PING")
    except (AuthenticationError, NoPermissionError):
        return ok("refuses those who do not log in")
    except redis.RedisError as error:
        if "NOAUTH" in str(error):
            return ok("refuses those who do not log in")
        return not_checked("it does not answer")
    return warning(
        "lets in everybody who reaches its port",
        f"start it with the users of firehose redis-access; {_DOCS}",
    )


def rights(settings: Settings) -> Finding:
    """Each role may what ``users.acl`` of this version gives it."""
    if has_login(settings.redis_url) or not (settings.redis_passwords_path / ADMIN).is_file():
        return without_administrator(settings)
    try:
        with client_of(settings, ADMIN) as client:
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


def reads_back(settings: Settings) -> Finding:
    """What scripts have written is there after a restart: Redis 7.0 and newer reads it as the user `default`."""
    said, numbers = version_of(settings)
    if numbers < _ASKS_FOR_RIGHTS:
        return ok(f"Redis {said} asks for no rights when it reads its append-only file")
    if not int(info(settings, "persistence").get("aof_enabled", 0)):
        return not_checked("appendonly is off")
    lacking = _default_lacks(settings)
    if lacking is None:
        return not_checked(
            "only Redis' administrator may ask: `ACL GETUSER default` has to show +@all, or +@write and +select, "
            f"and the keys ~*; else Redis {said} drops events when it is started again ({_DOCS})"
        )
    if lacking:
        return failure(
            f"the user `default`, as which Redis {said} reads its append-only file, may not {', '.join(lacking)}: "
            "events are dropped when it is started again",
            "before that: ACL SETUSER default ~* +@write +select (it stays off if it is), then ACL SAVE, or the "
            f"same in its configuration; {_DOCS}",
        )
    return ok(f"the user `default`, as which Redis {said} reads its append-only file, may write")


def _default_lacks(settings: Settings) -> list[str] | None:
    """The commands of scripts that ``default`` may not repeat. None if there is nobody who may ask."""
    try:
        with administrator(settings) or stranger(settings) as client:
            ask = cast(Any, client).execute_command
            return [each[0] for each in SCRIPTED if ask("ACL", "DRYRUN", "default", *each) not in (b"OK", "OK")]
    except redis.RedisError:
        return None


CHECKS: Final = (
    Check("redis.reachable", reachable),
    Check("redis.strangers", strangers),
    Check("redis.rights", rights, after="redis.reachable"),
    Check("redis.reads-back", reads_back, after="redis.reachable"),
)
