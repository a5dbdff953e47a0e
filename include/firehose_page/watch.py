"""The figures that the pages show, read in the background and kept for some seconds: no view waits for a service.

Lives here: :class:`Watch`, the one reader of a process. What is heavy (pyarrow, pandas) is imported by its thread,
when somebody first looks. Must not: say what the figures mean.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import date, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from firehose.batch.gaps import GapLine
    from firehose.observe import Observer, Snapshot
    from firehose.observe.history import BatchPast, History
    from firehose.settings import Settings

#: A look is taken again for whoever comes after this time.
FRESH_S: Final = 5.0
#: How long a view waits for a look that is under way, before it shows the one before.
PATIENCE_S: Final = 0.3
#: Parts of a snapshot that no view shows: this one reads the entries of days.
_NOT_SHOWN: Final = frozenset({"trend"})
#: How far back months are shown: a month's gaps may be in any file of the coverage ledger since.
MONTHS_BACK: Final = timedelta(days=400)


class Look(NamedTuple):
    """A snapshot, and the batches of the same 24 hours, in order."""

    snapshot: Snapshot
    day: list[BatchPast]


class Reader(NamedTuple):
    """What looks are taken with: it remembers what it has read."""

    settings: Settings
    observer: Observer
    history: History


class Watch:
    """Takes looks, one at a time and never more often than asked for."""

    def __init__(self, load: Callable[[], Settings]) -> None:
        self._load = load
        self._lock = Lock()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="firehose-page")
        self._reader: Reader | None = None
        #: The first day of the ledger; None: nothing was published.
        self.begins: date | None = None
        self._latest: Look | None = None
        self._failure: Exception | None = None
        self._taken = 0.0
        self._under_way: Future[None] | None = None

    @property
    def reader(self) -> Reader:
        """It, once there was a look."""
        if self._reader is None:
            raise RuntimeError("nobody has looked yet")
        return self._reader

    def look(self) -> Look | None:
        """The latest figures. None: the first look is still being taken.

        Raises:
            SettingsError: a setting is wrong. Whatever else the latest look has failed with; a service that is
                away is not a failure.
        """
        with self._lock:
            if self._under_way is None and time.monotonic() - self._taken > FRESH_S:
                self._under_way = self._worker.submit(self._take)
            under_way = self._under_way
        if under_way is not None:
            wait([under_way], PATIENCE_S if self._latest else 0)  # the first one takes seconds
        if self._failure is not None:
            raise self._failure
        return self._latest

    def batches_of(self, day: date) -> list[BatchPast]:
        """The published batches that start on a day.

        Raises:
            CorruptLake: an entry of the ledger cannot be read.
        """
        from firehose.lake.ledger import read_day

        return self.reader.history.of(read_day(self.reader.settings.lake_path, day))

    def gaps_since(self, first: date) -> list[GapLine]:
        """The gaps of a month that the snapshot does not reach back to.

        Raises:
            CorruptLake: a file of the coverage ledger cannot be read.
        """
        from firehose.batch.coverage import recent_gaps
        from firehose.batch.gaps import lines

        return lines(recent_gaps(self.reader.settings.lake_path, first))

    def _take(self) -> None:
        try:
            self._latest, self._failure = self._see(), None
        except Exception as error:  # noqa: BLE001 - whoever looks gets it
            self._failure = error
        with self._lock:
            self._taken = time.monotonic()
            self._under_way = None

    def _see(self) -> Look:
        from firehose.lake.ledger import ledger_days
        from firehose.observe import DAY, Observer
        from firehose.observe.history import History

        if self._reader is None:
            settings = self._load()
            self._reader = Reader(settings, Observer(settings, without=_NOT_SHOWN), History(settings.lake_path))
        if self.begins is None:  # it does not change, and a listing of years takes a while
            self.begins = min(ledger_days(self._reader.settings.lake_path), default=None)
        snapshot = self._reader.observer.look()
        entries = self._reader.observer.ledger.entries(snapshot.at - DAY, snapshot.at) if snapshot.batches else []
        return Look(snapshot, self._reader.history.of(entries))
