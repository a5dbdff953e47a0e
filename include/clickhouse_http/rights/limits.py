"""Limits of a user, of a query, and of the settings that an analyst may change.

Lives here: these numbers. Must not: measuring the machine (memory), enforcing them (the engine).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from clickhouse_http.rights.policy import Policy, Range
from clickhouse_http.rights.users import ANALYST, LOADER

MIB: Final = 1024 * 1024
MAX_MEMORY: Final = "max_memory_usage"
#: Characters of a query, as in the analyst's profile: tools write long lists into their queries.
MAX_QUERY: Final = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """The limits of one query, and the memory of all queries together.

    ``total_called``: what the operator calls the latter, for messages.
    """

    memory_mib: int
    seconds: int
    total_mib: int
    total_called: str = "total_memory_mib"

    def share_mib(self, role: str) -> int:
        """The memory of all queries of ``role``: half of the total. Neither user takes the other's."""
        return self.total_mib // 2

    def sizes(self, role: str) -> list[int]:
        """The amounts of memory in MiB that a query can be granted, the smallest first."""
        share = self.share_mib(role)
        most = share if role == LOADER else min(self.memory_mib, share)
        return [*(2**power for power in range(6, 30) if 2**power < most), most]


def ceilings(limits: Limits, policy: Policy, names_of: Callable[[Iterable[str]], Iterable[str]]) -> dict[str, int]:
    """The largest allowed value of the analyst's settings, by all their names (``names_of``).

    Without max_memory_usage, whose ceiling is the grant of the query.
    """
    return {
        alias: int(each.max)
        for name, each in ranges(limits, policy).items()
        if each.max is not None and name != MAX_MEMORY
        for alias in names_of([name])
    }


def ranges(limits: Limits, policy: Policy) -> dict[str, Range]:
    """The settings that the analyst may change: the policy's, and those that depend on the configuration."""
    maxima = {
        # Queries never use this one: their connection has a profile with the memory that was granted.
        MAX_MEMORY: limits.sizes(ANALYST)[0] * MIB,
        "max_execution_time": limits.seconds,
        "max_threads": 4 * (os.cpu_count() or 1),
    }
    return {**policy.changeable, **{name: Range("1", str(value)) for name, value in maxima.items()}}
