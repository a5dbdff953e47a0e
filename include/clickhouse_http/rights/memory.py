"""The memory of all queries, from the configuration and the machine.

Lives here: the budget. Must not: handing it out (admission), enforcing it (the engine).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import psutil

from clickhouse_http.config import EndpointConfig
from clickhouse_http.rights.limits import Limits

_MIB: Final = 1024 * 1024
#: Twice the smallest grant of a query, for each of the two users.
_LEAST_MIB: Final = 256
_CGROUP: Final = Path("/sys/fs/cgroup/memory.max")


def limits(config: EndpointConfig) -> Limits:
    """The limits of queries; where the configuration names none, all together may have half of this machine's
    memory."""
    total = config.total_memory_mib or _machine_mib() // 2
    return Limits(
        memory_mib=config.query_memory_mib,
        seconds=config.query_seconds,
        total_mib=max(_LEAST_MIB, total),
        total_called=config.called("total_memory_mib"),
    )


def _machine_mib() -> int:
    """The memory of the machine, or of the container."""
    machine = int(psutil.virtual_memory().total)
    try:
        container = int(_CGROUP.read_text())
    except (OSError, ValueError):  # no container, or one without a limit
        container = machine
    return min(machine, container) // _MIB
