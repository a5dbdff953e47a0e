"""How much a query may use: what one user, one query and one setting may have at most.

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
    """What one query may use, and the memory that all queries may use together.

    ``total_called``: what the operator calls the latter, for messages.
    """

    memory_mib: int
    seconds: int
    total_mib: int
    total_called: str = "total_memory_mib"

    def share_mib(self, role: str) -> int:
        """The part of all memory that the queries of ``role`` have: half each, and neither takes the other's."""
        return self.total_mib // 2

    def sizes(self, role: str) -> list[int]:
        """The amounts of memory in MiB that a query can be granted, the smallest first."""
        share = self.share_mib(role)
        most = share if role == LOADER else min(self.memory_mib, share)
        return [*(2**power for power in range(6, 30) if 2**power < most), most]


def ceilings(limits: Limits, policy: Policy, names_of: Callable[[Iterable[str]], Iterable[str]]) -> dict[str, int]:
    """The greatest value of each setting of the analyst that has one, by all its names, which ``names_of`` knows.

    Not of max_memory_usage, whose ceiling is what the query was granted.
    """
    return {
        alias: int(each.max)
        for name, each in ranges(limits, policy).items()
        if each.max is not None and name != MAX_MEMORY
        for alias in names_of([name])
    }


def ranges(limits: Limits, policy: Policy) -> dict[str, Range]:
    """What the analyst may set: the policy's, and what follows from this machine and its settings."""
    maxima = {
        # Of no use to a query: its connection has a profile with the memory that it was granted.
        MAX_MEMORY: limits.sizes(ANALYST)[0] * MIB,
        "max_execution_time": limits.seconds,
        "max_threads": 4 * (os.cpu_count() or 1),
    }
    return {**policy.changeable, **{name: Range("1", str(value)) for name, value in maxima.items()}}
