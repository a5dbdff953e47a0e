"""How much memory the queries may have: the settings, measured against the machine.

Lives here: the budget. Must not: handing it out (admission), enforcing it (the engine).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import psutil

from clickhouse_http.limits import Limits
from firehose.settings import Settings

_MIB: Final = 1024 * 1024
#: Twice the smallest grant of one query, for each of the users.
_LEAST_MIB: Final = 256
_CGROUP: Final = Path("/sys/fs/cgroup/memory.max")


def limits(settings: Settings) -> Limits:
    """The limits of queries; without a setting, all together may have half of this machine's memory."""
    total = settings.query_total_memory_mib or _machine_mib() // 2
    return Limits(settings.query_max_memory_mib, settings.query_max_seconds, max(_LEAST_MIB, total))


def _machine_mib() -> int:
    """Of the machine, or of the container."""
    machine = int(psutil.virtual_memory().total)
    try:
        container = int(_CGROUP.read_text())
    except (OSError, ValueError):  # no container, or one without a limit
        container = machine
    return min(machine, container) // _MIB
