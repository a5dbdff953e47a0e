"""Samples of what the long-running processes hold: resident memory and file descriptors, each ten seconds.

Lives here: the reading of /proc in a thread, and which samples belong to one process. Must not: judge (growth.py).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NamedTuple

import psutil

from tests.fault.soak_hour.growth import Growth, Sample, growth, least
from tests.fault.soak_hour.plant import Plant

_EVERY_S: Final = 10.0
#: What waits for a drain is in its memory, and waits for longer where a fault holds batches up.
_BUFFER: Final = "redis"
_EMPTIED_S: Final = 900.0


class Life(NamedTuple):
    """One process of a service, from its start until another one took its place."""

    service: str
    pid: int
    began_s: float
    rss: list[Sample]
    fds: list[Sample]
    pss_bytes: list[int]


class Verdict(NamedTuple):
    """How a process has grown. ``pss``: its proportional share of memory at first and at last (bytes)."""

    service: str
    pid: int
    rss: Growth
    fds: Growth
    pss: tuple[int, int]

    @property
    def flat(self) -> bool:
        """Whether neither has grown beyond its bound."""
        return self.rss.flat and self.fds.flat


class Sampling:
    """Samples until it is stopped. ``load``: processes that wanted to run, of the last minute at each sample."""

    def __init__(self, plant: Plant) -> None:
        self.load: list[float] = []
        self._plant = plant
        self._lives: dict[tuple[str, int], Life] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="sampling", daemon=True)
        self._thread.start()

    def stop(self) -> list[Verdict]:
        """Sample no more; how each process has grown."""
        self._stop.set()
        self._thread.join(60)
        return [_verdict(life) for life in self._lives.values()]

    def _sample(self) -> None:
        while not self._stop.wait(_EVERY_S):
            self.load.append(os.getloadavg()[0])
            for service, pid in self._plant.processes().items():
                with suppress(psutil.Error):
                    self._add(service, psutil.Process(pid))

    def _add(self, service: str, process: psutil.Process) -> None:
        new = Life(service, process.pid, process.create_time(), [], [], [])
        life = self._lives.setdefault((service, process.pid), new)
        now = time.time()
        # Both before either is noted: the process may end in between.
        rss, fds, pss = process.memory_info().rss, process.num_fds(), process.memory_full_info().pss
        life.rss.append(Sample(now, rss))
        life.fds.append(Sample(now, fds))
        life.pss_bytes.append(pss)


def _verdict(life: Life) -> Verdict:
    # Resident memory is judged. The proportional share depends on forks that share it.
    held = least(life.rss, _EMPTIED_S) if life.service == _BUFFER else life.rss
    rss, fds = (growth(samples, life.began_s, of) for samples, of in ((held, "rss"), (life.fds, "fds")))
    ends = (life.pss_bytes[0], life.pss_bytes[-1]) if life.pss_bytes else (0, 0)
    return Verdict(life.service, life.pid, rss, fds, ends)


def grown(verdicts: list[Verdict]) -> Iterator[Verdict]:
    """Those that are not flat."""
    return (verdict for verdict in verdicts if not verdict.flat)
