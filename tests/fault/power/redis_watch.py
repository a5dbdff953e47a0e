"""Notes what Redis holds after each command of this process that is not a mere reading.

Must not: look at the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import redis

# These change nothing, so that there is nothing to compare after them.
_READING: Final = {"XRANGE", "XLEN", "HGETALL", "HGET", "ZCOUNT", "TIME", "TYPE", "EXISTS", "SCRIPT", "CLIENT"}
#: A command's name, and every key as Redis dumps it.
Noted = Callable[[str, dict[bytes, bytes]], None]


def held(client: redis.Redis) -> dict[bytes, bytes]:
    """Every key as Redis dumps it."""
    keys: Any = client.keys()
    return {key: client.dump(key) for key in keys}  # type: ignore[misc]  # the sync client


def watch(client: redis.Redis, note: Noted) -> None:
    """Call ``note`` after each command that changed Redis, of any client but one of ours, made like ``client``."""
    pool = client.connection_pool
    ours = redis.Redis(
        connection_pool=redis.ConnectionPool(connection_class=pool.connection_class, **pool.connection_kwargs)
    )
    call: Callable[..., Any] = redis.Redis.execute_command
    last = [held(ours)]

    def execute_command(theirs: redis.Redis, *args: Any, **named: Any) -> Any:
        answer = call(theirs, *args, **named)
        if theirs is not ours and str(args[0]).split()[0] not in _READING and (now := held(ours)) != last[0]:
            last[0] = now
            note(str(args[0]), now)
        return answer

    redis.Redis.execute_command = execute_command  # type: ignore[assignment]  # it takes what ours does
