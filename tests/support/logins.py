"""The logins of a test's Redis, for a home that is not the server's own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from devstack.embedded.redis import RedisServer
from ingester.contract.redis_access import INGESTER, ROLES, RedisAccess
from ingester.contract.settings import DEFAULT_HOME, DEFAULT_REDIS_PASSWORDS

#: Where the fixture ``redis_url`` leaves the passwords of the session, for a home that has none of its own.
PASSWORDS: Final = f"{DEFAULT_HOME}/{DEFAULT_REDIS_PASSWORDS}"


def copy_passwords(server: RedisServer, home: Path) -> None:
    """Give a home the passwords of the server's roles."""
    folder = home / DEFAULT_REDIS_PASSWORDS
    folder.mkdir(parents=True, exist_ok=True)
    for role in ROLES:
        (folder / role).write_text((server.access / role).read_text())


def as_ingester(server: RedisServer, url: str = "") -> RedisAccess:
    """The ingester's login, also for another address of the same server."""
    return RedisAccess(url or server.url, INGESTER, server.access / INGESTER)
