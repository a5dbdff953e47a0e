"""The figures that the pages show, read in the background and kept for some seconds: no view waits for a service.

Lives here: :class:`Watch`, the one reader of a process. What is heavy (pyarrow, pandas) is imported by its thread,
when somebody first looks; what reads many files is read again after minutes only. Must not: say what figures mean.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, date, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from firehose.batch.gaps import GapLine
    from firehose.observe import Snapshot
    from firehose.observe.attained import MonthLedger, Objective
    from firehose.observe.history import BatchPast, History
    from firehose.observe.ledger import RecentLedger
    from firehose.observe.paced import PacedObserver
    from firehose.settings import Settings

T = TypeVar("T")

#: A look is taken again for whoever comes after this time.
FRESH_S: Final = 5.0
#: The same for the objectives of a month.
MONTH_FRESH_S: Final = 60.0
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
    """What looks are taken with: it remembers what it has read. ``day``: the ledger of the day chosen last."""

    settings: Settings
    observer: PacedObserver
    history: History
    day: RecentLedger
    month: MonthLedger


class _Background(Generic[T]):
    """What ``take`` returns, taken by one thread, and again for whoever comes ``fresh_s`` later."""

    def __init__(self, take: Callable[[], T], fresh_s: float) -> None:
        self._take_one, self._fresh_s = take, fresh_s
        self._lock = Lock()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="firehose-page")
        self._latest: T | None = None
        self._failure: Exception | None = None
        self._taken = float("-inf")
        self._under_way: Future[None] | None = None

    def get(self) -> T | None:
        """The latest one. None: the first one is still being taken.

        Raises:
            Exception: what the latest attempt has failed with.
        """
        with self._lock:
            if self._under_way is None and time.monotonic() - self._taken > self._fresh_s:
                self._under_way = self._worker.submit(self._take)
            under_way = self._under_way
        if under_way is not None:
            wait([under_way], PATIENCE_S if self._latest is not None else 0)  # the first one takes seconds
        if self._failure is not None:
            raise self._failure
        return self._latest

    def _take(self) -> None:
        try:
            self._latest, self._failure = self._take_one(), None
        except Exception as error:  # noqa: BLE001 - whoever looks gets it
            self._failure = error
        with self._lock:
            self._taken = time.monotonic()
            self._under_way = None


class Watch:
    """Takes looks, one at a time and never more often than asked for."""

    def __init__(self, load: Callable[[], Settings]) -> None:
        self._load = load
        self._reader: Reader | None = None
        #: The first day of the ledger; None: nothing was published.
        self.begins: date | None = None
        self._looks = _Background(self._see, FRESH_S)
        self._objectives = _Background(self._see_month, MONTH_FRESH_S)

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
        return self._looks.get()

    def objectives(self) -> list[Objective] | None:
        """How the objectives were kept. None: that is being read for the first time. Call it after a look.

        Raises:
            CorruptLake: an entry of the ledger, the counts of answers, or a record of a gap cannot be read.
        """
        return self._objectives.get()

    def batches_of(self, day: date) -> list[BatchPast]:
        """The published batches that start on a day.

        Raises:
            CorruptLake: an entry of the ledger cannot be read.
        """
        begin, ledger = datetime(day.year, day.month, day.day, tzinfo=UTC), self.reader.day
        ledger.look_again()
        return self.reader.history.of(ledger.entries(begin, begin + timedelta(days=1, microseconds=-1)))

    def gaps_since(self, first: date) -> list[GapLine]:
        """The gaps of a month that the snapshot does not reach back to.

        Raises:
            CorruptLake: a file of the coverage ledger cannot be read.
        """
        from firehose.batch.coverage import recent_gaps
        from firehose.batch.gaps import lines

        return lines(recent_gaps(self.reader.settings.lake_path, first))

    def _see_month(self) -> list[Objective]:
        from firehose.observe import coverage
        from firehose.observe.attained import attained

        settings, now = self.reader.settings, datetime.now(UTC)
        found, _ = coverage.gaps(settings, now)
        return attained(settings, self.reader.month, found, now)

    def _see(self) -> Look:
        from firehose.lake.ledger import ledger_days
        from firehose.observe import DAY
        from firehose.observe.attained import MonthLedger
        from firehose.observe.history import History
        from firehose.observe.ledger import RecentLedger
        from firehose.observe.paced import PacedObserver

        if self._reader is None:
            settings = self._load()
            lake = settings.lake_path
            self._reader = Reader(
                settings,
                PacedObserver(settings, without=_NOT_SHOWN),
                History(lake),
                RecentLedger(lake, keeps=1),
                MonthLedger(lake),
            )
        if self.begins is None:  # it does not change, and a listing of years takes a while
            self.begins = min(ledger_days(self._reader.settings.lake_path), default=None)
        snapshot = self._reader.observer.look(datetime.now(UTC))
        entries = self._reader.observer.ledger.entries(snapshot.at - DAY, snapshot.at) if snapshot.batches else []
        return Look(snapshot, self._reader.history.of(entries))
