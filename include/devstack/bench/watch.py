"""Watches an endpoint under attack: its answers to `/ping`, and the disk space of its unnamed files.

Lives here: looking, in threads beside a bench. Must not: attack, judge.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from statistics import quantiles
from typing import Final
from urllib.parse import urlsplit

_BETWEEN_PINGS_S: Final = 0.02
#: How long a ping waits for an answer; the bound of a bench is far below.
_PATIENCE_S: Final = 60.0


class Watch:
    """Pings an endpoint, and looks at its files, while in the context of :meth:`watching`.

    ``pings`` are the seconds of each ping; ``spool_mib`` is the most that its nameless files took at a time.
    """

    def __init__(self, pid: int, url: str) -> None:
        self.pings: list[float] = []
        self.spool_mib = 0.0
        self._files = Path(f"/proc/{pid}/fd")
        self._address = urlsplit(url).netloc
        self._stop = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look again and again while in this context."""
        threads = [threading.Thread(target=self._repeat, args=(look,)) for look in (self._ping, self._spool)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def ping_s(self) -> dict[str, float]:
        """The seconds of an answer: median, 99th percentile and longest; infinite if there were too few."""
        cuts = quantiles(self.pings, n=100) if len(self.pings) > 1 else [float("inf")] * 99
        return {"p50": cuts[49], "p99": cuts[98], "max": max(self.pings, default=float("inf"))}

    def _repeat(self, look: Callable[[], None]) -> None:
        while not self._stop.wait(_BETWEEN_PINGS_S):
            look()

    def _ping(self) -> None:
        """On a connection of its own, as a health check does. One without a good answer counts as if it had waited
        to the end of its patience: an endpoint that refuses connections does so at once."""
        began = time.monotonic()
        connection = http.client.HTTPConnection(self._address, timeout=_PATIENCE_S)
        is_well = False
        with closing(connection), suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/ping")
            is_well = connection.getresponse().read() == b"Ok.\n"
        took = time.monotonic() - began
        self.pings.append(took if is_well else max(took, _PATIENCE_S))

    def _spool(self) -> None:
        total = 0
        for link in self._files.iterdir():
            try:
                total += link.stat().st_blocks * 512 if "/spool/" in str(link.readlink()) else 0
            except FileNotFoundError:  # closed meanwhile
                continue
        self.spool_mib = max(self.spool_mib, total / 2**20)
