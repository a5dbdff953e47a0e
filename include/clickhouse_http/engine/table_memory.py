"""The memory of temporary tables that sessions keep from one query to the next.

Lives here: the limits of a session and of all sessions of a user, and measuring the tables. Must not: HTTP.

A query may fill such a table within the memory that it was granted. Afterwards the table is still there, and the
grant is not: so the size of the tables is taken out of what the user's queries can be granted (admission).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from typing import Final

from clickhouse_http import exceptions
from clickhouse_http.rights.limits import MIB, Limits

#: A quarter of a user's share of memory for the tables of all its sessions, an eighth for those of one.
_ALL: Final = 4
_ONE: Final = 8
#: Bytes for each character of the statement that makes a table: its columns take memory without any rows, some
#: kilobytes each, and have no fewer than a dozen characters.
_CHARACTER: Final = 256
#: More than any budget.
_UNKNOWN: Final = 2**60
#: Their limits are the user's own, and DEFAULT would be beyond them.
_KEPT: Final = frozenset({"max_memory_usage", "max_execution_time", "max_threads", "readonly", "database"})


class TableBudget:
    """The size of the temporary tables of all sessions, by role. Safe to use from several threads."""

    def __init__(self, limits: Limits, roles: Iterable[str]) -> None:
        self._most = {role: limits.share_mib(role) * MIB // _ALL for role in roles}
        self._held = dict.fromkeys(self._most, 0)
        self._lock = threading.Lock()

    def held_mib(self, role: str) -> int:
        """MiB that the sessions of ``role`` hold, rounded up."""
        return -(-self._held[role] // MIB)

    def change(self, role: str, before: int, after: int) -> bool:
        """One session now holds ``after`` bytes instead of ``before``; False where that is more than it may."""
        with self._lock:
            total = self._held[role] - before + after
            if after > before and (total > self._most[role] or after > self._most[role] * _ALL // _ONE):
                return False
            self._held[role] = total
            return True

    def refused(self, role: str, tables: Iterable[str]) -> exceptions.QueryError:
        """The error for the client whose statement went over the limit."""
        most = self._most[role]
        return exceptions.refused(
            exceptions.MEMORY_LIMIT_EXCEEDED,
            f"The temporary tables of a session of {role} may hold {most * _ALL // _ONE // MIB} MiB, those of all "
            f"its sessions {most // MIB} MiB, and none of them states of aggregate functions. "
            f"Dropped, since this statement went over that: {', '.join(tables)}.",
        )


def question(resettable: Iterable[str]) -> str:
    """The statement that says what the temporary tables of a connection hold; :func:`read` reads its answer.

    ``resettable``: the settings that its user may have changed. They could cut the answer.
    """
    plain = ", ".join(f"{name} = DEFAULT" for name in sorted(resettable) if name not in _KEPT)
    return (
        "SELECT name, if(engine LIKE '%MergeTree', 0, ifNull(total_bytes, 0)) "
        f"+ {_CHARACTER} * length(create_table_query), match(create_table_query, '[^e]AggregateFunction\\\\(') "
        f"FROM system.tables WHERE database = '' AND is_temporary SETTINGS {plain}"
    )


def read(answer: bytes) -> dict[str, int]:
    """Bytes by table. Memory that states of aggregate functions hold is not seen: too much in any case.

    Raises:
        QueryError: 36, the name of a table is not UTF-8, so it could not be dropped.
    """
    try:
        rows = [json.loads(line) for line in answer.splitlines() if line]
    except UnicodeDecodeError:
        raise exceptions.refused(
            exceptions.BAD_ARGUMENTS, "The name of a temporary table is not valid UTF-8. The session has ended."
        ) from None
    return {name: _UNKNOWN if states else int(size) for name, size, states in rows}


class SessionTables:
    """The size of the temporary tables of one session."""

    def __init__(self, budget: TableBudget, role: str) -> None:
        self._budget = budget
        self._role = role
        self._sizes: dict[str, int] = {}

    def settle(self, sizes: dict[str, int]) -> list[str]:
        """Charge what the tables hold now, bytes by name. Gives those to drop where it is too much."""
        if self._charge(sizes):
            return []
        grown = sorted(name for name, size in sizes.items() if size > self._sizes.get(name, 0))
        self._charge({name: size for name, size in sizes.items() if name not in grown})
        return grown

    def refused(self, dropped: list[str]) -> exceptions.QueryError:
        """The error for the client whose statement went over the limit."""
        return self._budget.refused(self._role, dropped)

    def close(self) -> None:
        """The session has ended, and its tables with it."""
        self._charge({})

    def _charge(self, sizes: dict[str, int]) -> bool:
        fits = self._budget.change(self._role, sum(self._sizes.values()), sum(sizes.values()))
        if fits:
            self._sizes = sizes
        return fits
