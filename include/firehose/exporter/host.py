"""CPU, memory and disk of this machine, and of our processes on it.

Lives here: the reading, and the sums over processes that come and go. Must not: look at anything else of theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import psutil

from firehose import observed
from ingester.contract.metrics import Metric
from ingester.contract.scrape import Values

#: How a service is recognised: a part of its command line.
_SERVICES: Final = {
    "redis": ("redis-server",),
    "ingester": ("-m ingester",),
    "clickhouse": ("devstack.embedded.clickhouse", "clickhouse_http", "clickhouse-server"),
    "airflow": ("airflow",),
}


class Host:
    """This machine. Keep it: the counters of our processes are sums over those that it has seen."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, float], tuple[float, int, int]] = {}
        self._cpu: Counter[str] = Counter()
        self._disk: Counter[tuple[str, str]] = Counter()

    def look(self) -> Iterator[tuple[Metric, Values]]:
        """The numbers of this moment."""
        cpu, memory, disk = psutil.cpu_times(), psutil.virtual_memory(), psutil.disk_io_counters()
        modes = ("user", "system", "idle", "iowait")
        yield observed.HOST_CPU, {(mode,): float(getattr(cpu, mode, 0.0)) for mode in modes}
        yield observed.HOST_MEMORY, {("total",): memory.total, ("available",): memory.available}
        if disk is not None:  # a machine may hide its disks
            yield observed.HOST_DISK, {("read",): disk.read_bytes, ("written",): disk.write_bytes}
        yield from self._services()

    def _services(self) -> Iterator[tuple[Metric, Values]]:
        memory = Counter(dict.fromkeys(_SERVICES, 0))
        count = Counter(dict.fromkeys(_SERVICES, 0))
        seen: dict[tuple[int, float], tuple[float, int, int]] = {}
        for process in psutil.process_iter():
            if not (service := _service(process)):
                continue
            try:
                with process.oneshot():
                    key = (process.pid, process.create_time())
                    used = process.cpu_times()
                    resident = process.memory_info().rss
                    moved = _moved(process)
            except psutil.Error:  # it has ended, or is not ours to see
                continue
            now = (used.user + used.system, *moved)
            before = self._seen.get(key, (0.0, 0, 0) if self._seen else now)
            self._cpu[service] += max(0.0, now[0] - before[0])  # type: ignore[assignment]  # seconds are fractions
            self._disk[service, "read"] += max(0, now[1] - before[1])
            self._disk[service, "written"] += max(0, now[2] - before[2])
            memory[service] += resident
            count[service] += 1
            seen[key] = now
        self._seen = seen
        yield observed.SERVICE_CPU, {(service,): self._cpu[service] for service in _SERVICES}
        yield observed.SERVICE_MEMORY, {(service,): memory[service] for service in _SERVICES}
        directions = [(service, way) for service in _SERVICES for way in ("read", "written")]
        yield observed.SERVICE_DISK, {key: self._disk[key] for key in directions}
        yield observed.SERVICE_PROCESSES, {(service,): count[service] for service in _SERVICES}


def _service(process: psutil.Process) -> str:
    try:
        line = " ".join(process.cmdline())
    except psutil.Error:
        return ""
    found = (name for name, words in _SERVICES.items() if any(word in line for word in words))
    return next(found, "")


def _moved(process: psutil.Process) -> tuple[int, int]:
    try:
        counters = process.io_counters()
    except psutil.AccessDenied:  # another user's process
        return 0, 0
    return counters.read_bytes, counters.write_bytes
