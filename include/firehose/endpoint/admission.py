"""Who may run one more query, and with how much memory.

Lives here: the slots and the memory of each user. Must not: HTTP, calls into the engine.

chDB knows one user, so its own limits for a user or for all queries do not tell the loader from the analyst, and a
query that meets the limit of all takes others with it. So memory is handed out here: a query may use what it was
granted and not more, which the engine enforces, and the grants of a user never exceed its share.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from firehose.endpoint import errors, users
from firehose.endpoint.engine_config import Limits

#: More statements at once are refused, not queued: a queue would only hide that the machine is overloaded.
SLOTS: Final = {users.LOADER: 16, users.ANALYST: 48}
MAX_QUERIES: Final = sum(SLOTS.values())
#: Of what is left, a query that does not say how much it needs gets this part: the next one must find some too.
_PART: Final = {users.LOADER: 0.75, users.ANALYST: 0.5}
_MIB: Final = 1024 * 1024


@dataclass
class _User:
    share_mib: int
    running: int = 0
    granted_mib: int = 0


class Admission:
    """Hands out slots and memory. For one thread, an event loop's."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._users = {role: _User(limits.share_mib(role)) for role in SLOTS}

    @contextmanager
    def slot(self, role: str) -> Iterator[None]:
        """One request of ``role``, from its body to the end of its answer.

        Raises:
            QueryError: 202, it has as many as it may.
        """
        user = self._users[role]
        if user.running >= SLOTS[role]:
            raise errors.refused(
                errors.TOO_MANY_SIMULTANEOUS_QUERIES,
                f"Too many simultaneous queries. Maximum: {SLOTS[role]} for {role}.",
            )
        user.running += 1
        try:
            yield
        finally:
            user.running -= 1

    @contextmanager
    def memory(self, role: str, wish: str | None) -> Iterator[int]:
        """Memory in MiB for one query; ``wish`` is the max_memory_usage that it names itself, in bytes.

        Raises:
            QueryError: 241, the user's other queries have what it needs.
        """
        user = self._users[role]
        granted = self._grant(role, user.share_mib - user.granted_mib, _wish_mib(wish))
        user.granted_mib += granted
        try:
            yield granted
        finally:
            user.granted_mib -= granted

    def _grant(self, role: str, left: int, wish: int | None) -> int:
        sizes = self._limits.sizes(role)
        if wish is None:
            most = min(self._limits.memory_mib, max(left * _PART[role], sizes[0]))
            fitting = [size for size in sizes if size <= most]
        elif wish == 0:  # as much as there is; the engine lets only the loader say so
            fitting = sizes
        else:
            fitting = [size for size in sizes if size >= wish][:1] or sizes[-1:]
        affordable = [size for size in fitting if size <= left]
        if not affordable:
            raise errors.refused(
                errors.MEMORY_LIMIT_EXCEEDED,
                f"The queries of {role} that are running leave {left} MiB of its "
                f"{self._users[role].share_mib} MiB (FIREHOSE_QUERY_TOTAL_MEMORY_MIB); try again later",
            )
        return affordable[-1]


def _wish_mib(wish: str | None) -> int | None:
    """None also for what is no plain number of bytes: the engine reads it, or refuses it."""
    if wish is None or not wish.isdecimal() or len(wish) > 18:
        return None
    return -(-int(wish) // _MIB)
