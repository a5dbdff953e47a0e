"""Snapshots for who looks every few seconds: what reads many small files is looked at every five minutes only.

Lives here: which parts, and how often. Must not: read the pipeline (snapshot.py and its parts do).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from firehose.batch.buffer import Connect
from firehose.observe.ledger import RecentLedger
from firehose.observe.snapshot import Observer, Snapshot, quick_client
from firehose.settings import Settings

#: They read the records of every hour file of a day, the backup's place, the entries of days.
SLOW: Final = frozenset({"storage", "retention", "backup", "trend"})
_EVERY: Final = timedelta(minutes=5)


class PacedObserver:
    """An :class:`Observer` whose slow parts stay as they were between two whole looks."""

    def __init__(
        self, settings: Settings, *, connect: Connect = quick_client, without: frozenset[str] = frozenset()
    ) -> None:
        self._observer = Observer(settings, connect=connect)
        self._without = without
        self._whole: Snapshot | None = None

    @property
    def ledger(self) -> RecentLedger:
        """See :attr:`Observer.ledger`."""
        return self._observer.ledger

    def look(self, now: datetime) -> Snapshot:
        """A snapshot as of ``now``, with the slow parts of at most five minutes ago."""
        if self._whole is None or not timedelta() <= now - self._whole.at < _EVERY:
            self._whole = self._observer.look(now, without=self._without)
            return self._whole
        fresh = self._observer.look(now, without=self._without | SLOW)
        unknown = fresh.unknown | {name: why for name, why in self._whole.unknown.items() if name in SLOW}
        return msgspec.structs.replace(
            fresh, unknown=unknown, **{name: getattr(self._whole, name) for name in SLOW}
        )
