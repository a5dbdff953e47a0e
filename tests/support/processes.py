"""Whether a process still runs."""

from __future__ import annotations

import psutil


def runs(process: psutil.Process) -> bool:
    """Whether it runs: one that has ended stays as a zombie where process 1 collects nobody, as in containers."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
