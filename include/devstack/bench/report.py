"""The report of a benchmark, and the measurement of memory peaks.

Must not: run anything.
"""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType

import msgspec
import psutil

_SAMPLE_S = 0.1


class BenchReport(msgspec.Struct, frozen=True, kw_only=True):
    """One benchmark's figures. Rates are events a second, medians where there were several runs."""

    name: str
    events: int
    events_per_s: float
    baseline: str
    baseline_events_per_s: float
    ratio: float
    peak_rss_mib: float
    seconds: dict[str, float] = {}
    notes: dict[str, float] = {}


class PeakRss:
    """Samples the largest resident size of any one process below some roots, while in its context.

    ``together``: of each root and all processes below it at a time, so that what they share counts for each.
    """

    def __init__(self, *roots: int, together: bool = False) -> None:
        self._roots = roots
        self._together = together
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.mib = 0.0

    def __enter__(self) -> PeakRss:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        self._sample()  # at least once, however short the context is
        while not self._stop.wait(_SAMPLE_S):
            self._sample()

    def _sample(self) -> None:
        for root in self._roots:
            sizes = _sizes_mib(root)
            self.mib = max(self.mib, sum(sizes) if self._together else max(sizes, default=0.0))


def _sizes_mib(root: int) -> list[float]:
    try:
        parent = psutil.Process(root)
        processes = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
    return [_rss_mib(process) for process in processes]


def _rss_mib(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / 2**20
    except psutil.NoSuchProcess:  # it has just ended
        return 0.0


def peak_mib(pid: int) -> float:
    """The peak resident size of a running process, as the kernel keeps it."""
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next((line for line in status.splitlines() if line.startswith("VmHWM:")), None)
    return int(peak.split()[1]) / 1024 if peak else float(psutil.Process(pid).memory_info().rss) / 2**20
