"""Admission of queries: how many each user may run at once, and with how much memory.

Lives here: the slots and the memory of each user. Must not: HTTP, calls into the engine.

chDB knows one user, so its own limits for a user or for all queries do not tell the loader from the analyst, and a
query that meets the limit of all takes others with it. So memory is handed out here: a query may use what it was
granted and not more, which the engine enforces, and the grants of a user never exceed its share.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from clickhouse_http import exceptions
from clickhouse_http.engine.table_memory import TableBudget
from clickhouse_http.rights import users
from clickhouse_http.rights.limits import Limits

#: Statements at once. Others are refused, not queued: a queue would only hide that the machine is overloaded.
SLOTS: Final = {users.LOADER: 16, users.ANALYST: 48}
MAX_QUERIES: Final = sum(SLOTS.values())
#: The part of the remaining memory for a query that does not say how much it needs: the next one needs some too.
_PART: Final = {users.LOADER: 0.5, users.ANALYST: 0.25}
#: How long a query waits for others of its user to give memory back.
_WAIT_S: Final = 10.0
_MIB: Final = 1024 * 1024


class Now(NamedTuple):
    """What a user's queries take at this moment, and what they may take."""

    running: int
    slots: int
    waiting: int
    granted_mib: int
    share_mib: int
    tables_mib: int


@dataclass
class _User:
    share_mib: int
    running: int = 0
    waiting: int = 0
    granted_mib: int = 0
    given_back: asyncio.Condition = field(default_factory=asyncio.Condition)


class Admission:
    """Hands out slots and memory. Not thread-safe: for the event loop."""

    def __init__(self, limits: Limits, tables: TableBudget) -> None:
        self._limits = limits
        self._tables = tables
        self._users = {role: _User(limits.share_mib(role)) for role in SLOTS}

    def roles(self) -> dict[str, Now]:
        """The state of each user."""
        return {
            role: Now(
                user.running,
                SLOTS[role],
                user.waiting,
                user.granted_mib,
                user.share_mib,
                self._tables.held_mib(role),
            )
            for role, user in self._users.items()
        }

    @contextmanager
    def slot(self, role: str) -> Iterator[None]:
        """Count one request of ``role``, from its body to the end of its answer.

        Raises:
            QueryError: 202, the user has no slot left.
        """
        user = self._users[role]
        if user.running >= SLOTS[role]:
            raise exceptions.refused(
                exceptions.TOO_MANY_SIMULTANEOUS_QUERIES,
                f"Too many simultaneous queries. Maximum: {SLOTS[role]} for {role}.",
            )
        user.running += 1
        try:
            yield
        finally:
            user.running -= 1

    @asynccontextmanager
    async def memory(
        self, role: str, wish: str | None, *, with_tables: bool = False, wait_s: float = _WAIT_S
    ) -> AsyncIterator[int]:
        """Memory in MiB for one query; ``wish`` is the max_memory_usage that it names itself, in bytes.

        A query with external tables is granted the same amount a second time, for them.

        Raises:
            QueryError: 241, after ``wait_s`` seconds the user's other queries still have the memory that it needs.
        """
        user = self._users[role]
        times = 2 if with_tables else 1
        granted = await self._granted(role, _wish_mib(wish), times, wait_s)
        try:
            yield granted
        finally:
            user.granted_mib -= times * granted
            async with user.given_back:
                user.given_back.notify_all()

    def _left(self, role: str) -> int:
        user = self._users[role]
        return user.share_mib - user.granted_mib - self._tables.held_mib(role)

    async def _granted(self, role: str, wish: int | None, times: int, wait_s: float) -> int:
        user = self._users[role]
        found = 0

        def affordable() -> bool:
            nonlocal found
            found = self._size(role, self._left(role) // times, wish, user.share_mib // times)
            return found > 0

        user.waiting += 1
        try:
            async with asyncio.timeout(wait_s), user.given_back:
                await user.given_back.wait_for(affordable)
                user.granted_mib += times * found
        except TimeoutError:
            raise exceptions.refused(
                exceptions.MEMORY_LIMIT_EXCEEDED,
                f"The queries of {role} that are running, and the temporary tables of its sessions, leave "
                f"{self._left(role)} MiB of its {user.share_mib} MiB ({self._limits.total_called}); "
                "try again later",
            ) from None
        finally:
            user.waiting -= 1
        return found

    def _size(self, role: str, left: int, wish: int | None, highest: int) -> int:
        """The grant for a query, of the ``left`` MiB; 0: too little is left."""
        sizes = [size for size in self._limits.sizes(role) if size <= highest]
        if wish is None:
            most = min(self._limits.memory_mib, max(left * _PART[role], sizes[0]))
            fitting = [size for size in sizes if size <= most]
        elif wish == 0:  # as much as there is; the engine allows this to the loader only
            fitting = sizes
        else:
            fitting = [size for size in sizes if size >= wish][:1] or sizes[-1:]
        return max((size for size in fitting if size <= left), default=0)


def _wish_mib(wish: str | None) -> int | None:
    """In MiB. None also where it is not a plain number of bytes: then the engine accepts or refuses it."""
    if wish is None or not wish.isdecimal() or len(wish) > 18:
        return None
    return -(-int(wish) // _MIB)
