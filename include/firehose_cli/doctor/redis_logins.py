"""The logins with which the checks of Redis ask it, and what several of them ask. Must not: judge an answer."""

from __future__ import annotations

import re
from typing import Any, Final, cast
from urllib.parse import urlsplit

import redis

from firehose.batch import buffer
from firehose.settings import Settings
from firehose_cli.doctor.check import Finding, not_checked
from ingester.contract.redis_access import MONITORING, PIPELINE, RedisAccess, has_login

_TIMEOUT_S: Final = 5.0
ADMIN: Final = "admin"


def client_of(settings: Settings, role: str) -> redis.Redis:
    """A client that logs in as a role, and waits for no answer for long."""
    return buffer.client(settings, role, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)


def _role(settings: Settings) -> str:
    """A role that may read the server's state, and whose password this user has."""
    if has_login(settings.redis_url) or (settings.redis_passwords_path / MONITORING).is_file():
        return MONITORING
    return PIPELINE


def administrator(settings: Settings) -> redis.Redis | None:
    """A client for what no role may ask: the login of the URL, else the password of ``admin``, if it is here."""
    if not has_login(settings.redis_url) and not (settings.redis_passwords_path / ADMIN).is_file():
        return None
    return client_of(settings, ADMIN)


def stranger(settings: Settings) -> redis.Redis:
    """A client without a login: the user ``default``, if that one is let in."""
    parts = urlsplit(settings.redis_url)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
    return redis.Redis.from_url(bare, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)


def info(settings: Settings, section: str) -> dict[str, Any]:
    """A section of INFO.

    Raises:
        ServiceUnavailable: Redis does not answer, or refuses.
    """
    role = _role(settings)
    try:
        with client_of(settings, role) as client:
            return cast(dict[str, Any], client.info(section))
    except redis.RedisError as error:
        raise buffer.unavailable(RedisAccess.of(settings, role), error) from error


def version_of(settings: Settings) -> tuple[str, tuple[int, ...]]:
    """The server's version as it says it, and its first two numbers."""
    said = str(info(settings, "server").get("redis_version", "?"))
    return said, tuple(int(part) for part in re.findall(r"\d+", said)[:2])


def without_administrator(settings: Settings) -> Finding:
    """The finding of a check that takes more than the roles may."""
    return not_checked(
        f"only Redis' administrator may ask, and {settings.redis_passwords_path} holds no password of `admin`"
    )
