"""Looks at the pipeline at its own pace, and keeps what was seen for whoever scrapes.

Lives here: the pace. Must not: listen, or say which number is which metric.

What is cheap is looked at every 15 s; what reads many small files, or asks the backup's place, every five minutes;
the probe's questions once a minute. A part that cannot be read costs the others nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Final

import redis

from firehose import metrics, observed
from firehose.batch import tally
from firehose.batch.buffer import connected
from firehose.errors import FirehoseError
from firehose.exporter import families
from firehose.exporter.host import Host
from firehose.exporter.probe import Probe
from firehose.exporter.sums import Sums
from firehose.observe import quick_client
from firehose.observe.paced import PacedObserver
from firehose.settings import Settings
from firehose.store import LocalLake
from ingester.contract.logs import get_logger
from ingester.contract.metrics import Metric
from ingester.contract.redis_access import MONITORING
from ingester.contract.scrape import Values

log = get_logger(__name__)

LOOK_S: Final = 15.0
#: The sums of a lake that was never read take this long (seconds) of each look until they are whole.
_SUMS_S: Final = 10.0
#: What is computed from a snapshot although a step counts it too: the newer one of the two.
BY_LOOKING: Final = frozenset(
    {
        *(metrics.OPEN_GAPS, metrics.DISK_USED, metrics.ERROR_RATE),
        *(metrics.BACKUP_AGE, metrics.RESTORE_AGE),
    }
)
_BY_NAME: Final = {metric.name: metric for metric in metrics.METRICS}


def folder(settings: Settings) -> LocalLake:
    """Where the exporter keeps its sums."""
    return LocalLake(settings.home_path / "exporter")


class Looker:
    """What was seen last. :meth:`seen` is safe to call from another thread than :meth:`look`.

    ``keep``: write the sums down, for the next process; one process at a time may.
    """

    def __init__(self, settings: Settings, *, keep: bool = True) -> None:
        self._settings = settings
        connect = partial(quick_client, role=MONITORING)
        self._observer = PacedObserver(settings, connect=connect)
        self._sums = Sums(settings.lake_path, folder(settings) / "sums.json", keep=keep)
        self._host, self._probe = Host(), Probe(settings)
        self._probe_at = float("-inf")
        self._seen: tuple[tuple[Metric, Values], ...] = ()

    def seen(self) -> Iterable[tuple[Metric, Values]]:
        """Every metric that there is a value for, as of the last look."""
        return self._seen

    def look(self, sums_s: float = _SUMS_S) -> None:
        """Look once; ``sums_s``: how long to read what was never summed. Never raises for a service or a file."""
        begun, now = time.monotonic(), datetime.now(UTC)
        snapshot = self._observer.look(now)
        asks = self._settings.exporter_probe_s and self._settings.alert_query_seconds
        if asks and begun - self._probe_at >= self._settings.exporter_probe_s:
            self._probe_at = begun
            self._probe.ask()
        found = [
            *families.of_snapshot(snapshot),
            *families.of_limits(self._settings),
            *self._counts(),
            *self._summed(now, sums_s),
            *self._host.look(),
            *self._probe.values(),
        ]
        found.append((observed.LOOK_SECONDS, {(): time.monotonic() - begun}))
        self._seen = tuple((metric, values) for metric, values in found if values)

    def keep_looking(self, stop: threading.Event) -> None:
        """Look again and again until ``stop`` is set. After an error of this program the next look follows."""
        while not stop.is_set():
            try:
                self.look()
            except Exception:  # a page that is never new again would be worse
                log.exception("look failed")
            stop.wait(LOOK_S)

    def _counts(self) -> Iterator[tuple[Metric, Values]]:
        """What steps have counted in Redis; from 0 on, so that a rate sees the first of them."""
        try:
            with connected(self._settings, partial(quick_client, role=MONITORING)) as client:
                counted = tally.counts(client)
        except (FirehoseError, redis.RedisError) as error:
            log.warning("counts unknown", reason=error)
            return
        for metric in observed.OF_DRAINS:
            counted.setdefault(metric.name, {(): 0.0})
        for name, values in counted.items():
            known = _BY_NAME.get(name)
            if known is not None and known not in BY_LOOKING:
                yield known, {key: number for key, number in values.items() if len(key) == len(known.labels)}

    def _summed(self, now: datetime, seconds: float) -> Iterator[tuple[Metric, Values]]:
        try:
            self._sums.advance(now, seconds)
        except OSError as error:  # a disk that is full: they are written down later
            log.warning("sums not kept", reason=error)
        if self._sums.whole:
            for name, values in self._sums.values().items():
                yield _BY_NAME[name], values
