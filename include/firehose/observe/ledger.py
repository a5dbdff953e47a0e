"""The latest entries of the batch ledger, read once each: who looks every minute reads what is new.

A day's folder is listed once in a look, however many of its parts ask for it. Who looks from a process of its own
each time keeps them in a file in between.

Lives here: that memory. Must not: say what follows from the entries.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from firehose.batch.interval import is_import
from firehose.lake.ledger import LedgerEntry, ledger_days, listed_day, listed_entry
from firehose.store import LakePath, Listed, LocalLake
from ingester.contract.logs import get_logger

log = get_logger(__name__)

#: No batch is longer, so an entry that ends in a span starts at most this long before it.
LONGEST: Final = timedelta(hours=1)
#: Entries that nobody has asked for in so many looks are forgotten: some parts look at more every half hour.
_KEPT: Final = 60


class _Known(NamedTuple):
    """An entry that was read, and the number of the look that asked for it last."""

    listed: Listed
    entry: LedgerEntry
    used: int


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The file. ``of``: the lake, and what an entry looks like in this version."""

    of: str
    look: int
    known: list[_Known]


class RecentLedger:
    """Entries of one lake that were asked for lately: keep it for the next look, or have it kept in ``file``.

    ``keeps``: they are forgotten after so many looks that did not ask for them.
    """

    def __init__(self, lake: LakePath, keeps: int = _KEPT, file: LocalLake | None = None) -> None:
        self.lake, self._keeps, self._file = lake, keeps, file
        self._listings: dict[date, dict[str, Listed]] = {}
        self._look, self._read = _load(file, _of(lake)) if file else (0, {})
        self._new = False

    def look_again(self) -> None:
        """List the folders again: a new look begins."""
        self._listings.clear()
        self._look += 1
        oldest = self._look - self._keeps
        self._read = {each: known for each, known in self._read.items() if known.used >= oldest}

    def keep(self) -> None:
        """Write down what was read, for the next process. What cannot be written is read again by that one."""
        if self._file and self._new:
            kept = _Kept(of=_of(self.lake), look=self._look, known=[*self._read.values()])
            try:
                self._file.write(msgspec.msgpack.encode(kept))
                self._new = False
            except OSError as error:
                log.warning("entries of the ledger not kept", file=self._file, reason=error)

    def listed(self, since: datetime, until: datetime) -> dict[str, Listed]:
        """The live batches that end in [since, until], in order, by their names alone: nothing is read."""
        first, days = (since - LONGEST).date(), (until.date() - (since - LONGEST).date()).days
        found: dict[str, Listed] = {}
        for number in range(days + 1):
            found |= self._day(first + timedelta(days=number))
        low, high = (f"{moment:%Y%m%dT%H%M%SZ}" for moment in (since - LONGEST, until))
        return {name: each for name, each in sorted(found.items()) if low <= name < high and not is_import(name)}

    def entries(self, since: datetime, until: datetime) -> list[LedgerEntry]:
        """Those batches, in order.

        Raises:
            CorruptLake: an entry cannot be read.
        """
        found = (self._entry(each) for each in self.listed(since, until).values())
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
                if not is_import(name) and (entry := self._entry(each)):
                    return entry
        return None

    def _entry(self, listed: Listed) -> LedgerEntry | None:
        known = self._read.get(listed)
        entry = known.entry if known else listed_entry(self.lake, listed)
        if entry:  # else it was removed since it was listed
            self._read[listed] = _Known(listed, entry, self._look)
            self._new |= known is None
        return entry

    def _day(self, day: date) -> dict[str, Listed]:
        if day not in self._listings:
            self._listings[day] = listed_day(self.lake, day)
        return self._listings[day]


def _of(lake: LakePath) -> str:
    schema = msgspec.json.encode(msgspec.json.schema(LedgerEntry), order="sorted")
    return f"{lake} {hashlib.sha256(schema).hexdigest()[:16]}"


def _load(file: LocalLake, of: str) -> tuple[int, dict[Listed, _Known]]:
    """The number of the last look, and what was known then."""
    try:
        kept = msgspec.msgpack.decode(file.read_bytes(), type=_Kept)
    except FileNotFoundError:
        return 0, {}
    except (msgspec.MsgspecError, OSError) as error:
        log.warning("kept entries unreadable; the ledger is read again", file=file, reason=error)
        return 0, {}
    return (kept.look, {known.listed: known for known in kept.known}) if kept.of == of else (0, {})
