"""Hour files against their records: is each one there, and is it the one that was written?

Lives here: the comparison, quick or in full, and what it says. Must not: change anything but settle a record whose
file is in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final, NamedTuple

from firehose import schema
from firehose.errors import CorruptLake, LakeChanged
from firehose.lake import layout, records
from firehose.lake.ledger import LedgerEntry, ledger_days, read_day
from firehose.lake.locks import locked
from firehose.lake.records import HourRecord, Records, Seen
from firehose.lake.rowgroups import row_count
from firehose.store import LakePath

#: Says whether the ledger names an hour (since the epoch) and type, so that there must be a file.
Known = Callable[[int, str], bool]
#: Differences that one line names; the others are counted.
LISTED: Final = 10


class Difference(NamedTuple):
    """An hour file that is not what its record says, and how it differs."""

    hour: int
    record_type: str
    said: str

    def __str__(self) -> str:
        """``2026-11-23T20 likes: …``."""
        return f"{layout.hour_name(self.hour)} {self.record_type}: {self.said}"


def known_by(entries: Iterable[LedgerEntry]) -> Known:
    """The hours and types that these entries name."""
    named = {(name, kind) for entry in entries for name, kinds in entry.hours.items() for kind in kinds}
    return lambda hour, record_type: (layout.hour_name(hour), record_type) in named


def known_since(lake: LakePath) -> Known:
    """The hours and types named by batches that start on an hour's day, on the day before, or on any later one.

    No earlier batch holds an event of the hour, unless a host's clock was a day ahead. Each day of the ledger is
    read once, and only when an hour is asked for: for an hour that is new, one day or two.
    """
    days = cache(lambda: ledger_days(lake))
    of_day = cache(lambda day: known_by(read_day(lake, day)))

    def known(hour: int, record_type: str) -> bool:
        first = datetime.fromtimestamp(hour * 3600, UTC).date() - timedelta(days=1)
        return any(of_day(day)(hour, record_type) for day in days() if day >= first)

    return known


def compare(lake: LakePath, record_type: str, hour: int, known: Known, *, full: bool = False) -> Difference | None:
    """How an hour file differs from its record, or None. The caller holds the hour's lock, or looks again.

    A quick look is at the file's size and its footer: it sees a file that is missing, cut off, older, newer or of
    another hour, but not bytes changed within data pages. ``full`` reads all of the file, and sees these as well.
    """
    path = layout.hour_file(lake, record_type, hour)
    try:
        there, seen = records.read(path), records.see(path)
        said = _said(path, there, seen, lambda: known(hour, record_type), full=full)
    except CorruptLake as error:
        said = str(error)
    return Difference(hour, record_type, said) if said else None


def _said(path: LakePath, there: Records, seen: Seen | None, known: Callable[[], bool], *, full: bool) -> str:
    if seen is None:
        if there.now is None and not known():
            return ""  # a new hour, or a death before its first file was in place
        if there.now and there.now.is_gone:
            return ""
        expected = there.now or there.next
        said = _expected(expected) if expected else "the ledger says that batches wrote it, there is no record"
        return f"{said}; the file is missing"
    right = [record for record in there if record and records.matches(record, seen)]
    if right:
        changed = full and path.sha256() not in [record.sha256 for record in right]
        return f"{_expected(right[0])}; the file has the size and the footer, but other bytes" if changed else ""
    expected = there.now or there.next
    if expected is None:
        return f"it has no record; there is {_found(path, seen)}"
    return f"{_expected(expected)}; there is {_found(path, seen)}"


def _expected(record: HourRecord) -> str:
    return f"its record says {record.rows} rows in {record.bytes} bytes ({_writer(record)})"


def _writer(record: HourRecord) -> str:
    by = record.by if record.by in ("adopt", "close", "rebuild") else f"batch {record.by}"
    return f"{by}, {record.recorded_at:%Y-%m-%dT%H:%M:%SZ}"


def _found(path: LakePath, seen: Seen) -> str:
    if not seen.footer_sha256:
        return f"a file of {seen.bytes} bytes that is not whole Parquet"
    try:
        return f"another file, of {row_count(path)} rows in {seen.bytes} bytes"
    except CorruptLake:
        return f"a file of {seen.bytes} bytes that cannot be read as Parquet"


def difference(
    lake: LakePath, record_type: str, hour: int, known: Known, *, full: bool = False
) -> Difference | None:
    """As :func:`compare`, beside writers: what differs is compared again while no writer can replace the file."""
    found = compare(lake, record_type, hour, known, full=full)
    if found is None:
        return None
    try:
        with locked(lake, [(record_type, hour)]):
            return compare(lake, record_type, hour, known, full=full)
    except OSError:  # a lake that may only be read: no writer runs here
        return found


def differences(lake: LakePath, hours: Iterable[int], known: Known) -> Iterator[Difference]:
    """Quickly, every type of these hours."""
    for hour in sorted(set(hours)):
        for record_type in schema.TYPES:
            if found := difference(lake, record_type, hour, known):
                yield found


def behind(
    there: Sequence[HourRecord], record_type: str, hour: str, writers: Iterable[LedgerEntry]
) -> list[LedgerEntry]:
    """Those batches of the ledger that wrote an hour file after the one on record: an older one was restored."""
    return [
        entry
        for entry in writers
        if entry.recorded
        and not entry.was_rebuilt(hour, record_type)
        and not any(_mentions(record, entry.batch) for record in there)
    ]


def _mentions(record: HourRecord, batch: str) -> bool:
    """Tell whether a batch has written into a file, or into one in its place that has expired."""
    return record.footer.mentions(batch) or (record.expired is not None and batch in record.expired.batches)


def require(lake: LakePath, record_type: str, hour: int, known: Known, *, full: bool = False) -> None:
    """Look at an hour file before it is built upon. The caller holds the hour's lock, and has written nothing.

    Raises:
        LakeChanged: it is not what its record says.
    """
    if found := compare(lake, record_type, hour, known, full=full):
        raise changed([found])
    records.settle(layout.hour_file(lake, record_type, hour))


def changed(found: list[Difference], consequence: str = "nothing was written") -> LakeChanged:
    """The one line for these differences: what, what follows, and what to do."""
    shown = "; ".join(map(str, found[:LISTED]))
    more = f"; and {len(found) - LISTED} more" if len(found) > LISTED else ""
    hours = " ".join(dict.fromkeys(layout.hour_name(difference.hour) for difference in found[:LISTED]))
    kind = f" --type {found[0].record_type}" if len(found) == 1 else ""
    return LakeChanged(
        f"{shown}{more}; {consequence}. To make it again from the raw batches: firehose rebuild {hours}{kind}"
    )
