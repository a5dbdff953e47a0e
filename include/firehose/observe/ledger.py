"""The latest entries of the batch ledger, read once each: who looks every minute reads what is new.

A day's folder is listed once in a look, however many of its parts ask for it.

Lives here: that memory. Must not: say what follows from the entries.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from firehose.batch.interval import is_import
from firehose.lake.ledger import LedgerEntry, ledger_days, listed_day, listed_entry
from firehose.store import LakePath, Listed

#: No batch is longer, so an entry that ends in a span starts at most this long before it.
LONGEST: Final = timedelta(hours=1)
#: Entries of older intervals are forgotten: what looks every minute looks no further back.
_KEPT: Final = timedelta(days=4)


class RecentLedger:
    """The entries of the latest days of one lake. Keep it for the next look; it holds no older ones."""

    def __init__(self, lake: LakePath, keeps: timedelta = _KEPT) -> None:
        self.lake, self._keeps = lake, keeps
        self._read: dict[Listed, LedgerEntry] = {}
        self._listings: dict[date, dict[str, Listed]] = {}

    def look_again(self) -> None:
        """List the folders again: a new look begins."""
        self._listings.clear()

    def listed(self, since: datetime, now: datetime) -> dict[str, Listed]:
        """The live batches that end in [since, now], in order, by their names alone: nothing is read."""
        first, days = (since - LONGEST).date(), (now.date() - (since - LONGEST).date()).days
        found: dict[str, Listed] = {}
        for number in range(days + 1):
            found |= self._day(first + timedelta(days=number))
        earliest = f"{since - LONGEST:%Y%m%dT%H%M%SZ}"
        return {name: each for name, each in sorted(found.items()) if name >= earliest and not is_import(name)}

    def entries(self, since: datetime, now: datetime) -> list[LedgerEntry]:
        """Those batches, in order.

        Raises:
            CorruptLake: an entry cannot be read.
        """
        listed = self.listed(since, now)
        for each in set(listed.values()) - set(self._read):
            if entry := listed_entry(self.lake, each):
                self._read[each] = entry
        kept = f"date={(now - self._keeps).date()}", f"date={now.date() + timedelta(days=1)}"
        self._read = {each: entry for each, entry in self._read.items() if kept[0] <= each.key < kept[1]}
        found = (self._read.get(each) for each in listed.values())
        return [entry for entry in found if entry and entry.end > since]

    def newest(self, now: datetime) -> LedgerEntry | None:
        """The published batch with the latest interval, however old it is; None: none was published.

        Raises:
            CorruptLake: its entry cannot be read.
        """
        if recent := self.entries(now - LONGEST, now):
            return recent[-1]
        days: list[date] = ledger_days(self.lake)
        for day in reversed(days):
            for name, each in sorted(self._day(day).items(), reverse=True):
                if not is_import(name) and (entry := listed_entry(self.lake, each)):
                    return entry
        return None

    def _day(self, day: date) -> dict[str, Listed]:
        if day not in self._listings:
            self._listings[day] = listed_day(self.lake, day)
        return self._listings[day]
