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
from firehose.lake import layout, records, users
from firehose.lake.layout import HourFile
from firehose.lake.ledger import LedgerEntry, ledger_days, read_day
from firehose.lake.locks import locked
from firehose.lake.records import HourRecord, Records, Seen
from firehose.lake.rowgroups import row_count
from firehose.store import LakePath

#: Says whether the ledger names an hour file, so that there must be one.
Known = Callable[[HourFile], bool]
#: Differences that one line names; the others are counted.
LISTED: Final = 10


class Difference(NamedTuple):
    """An hour file that is not what its record says, and how it differs."""

    file: HourFile
    said: str

    def __str__(self) -> str:
        """``2026-11-23T20 likes: …``."""
        return f"{self.file}: {self.said}"


def known_by(entries: Iterable[LedgerEntry]) -> Known:
    """The hour files that these entries name.

    The flat file of an hour that is by user counts as named: it is asked for only where the hour has lost its
    layout, and everything by it.
    """
    named = {file for entry in entries for file in entry.files}
    named |= {file._replace(user=layout.FLAT) for file in named}
    return named.__contains__


def known_since(lake: LakePath) -> Known:
    """The hour files named by batches that start on an hour's day, on the day before, or on any later one.

    No earlier batch holds an event of the hour, unless a host's clock was a day ahead. Each day of the ledger is
    read once, and only when an hour is asked for: for an hour that is new, one day or two.
    """
    days = cache(lambda: ledger_days(lake))
    of_day = cache(lambda day: known_by(read_day(lake, day)))

    def known(file: HourFile) -> bool:
        first = datetime.fromtimestamp(file.hour * 3600, UTC).date() - timedelta(days=1)
        return any(of_day(day)(file) for day in days() if day >= first)

    return known


def compare(lake: LakePath, file: HourFile, known: Known, *, full: bool = False) -> Difference | None:
    """How an hour file differs from its record, or None. The caller holds the hour's lock, or looks again.

    A quick look is at the file's size and its footer: it sees a file that is missing, cut off, older, newer or of
    another hour, but not bytes changed within data pages. ``full`` reads all of the file, and sees these as well.
    """
    path = file.path(lake)
    try:
        there, seen = records.read(path), records.see(path)
        said = _misplaced(lake, file) or _said(path, there, seen, lambda: known(file), full=full)
    except CorruptLake as error:
        said = str(error)
    return Difference(file, said) if said else None


def _misplaced(lake: LakePath, file: HourFile) -> str:
    if not file.user or file in users.files_of(lake, file.record_type, file.hour):
        return ""
    return "the layout of its hour has no such file, so no reader counts its copies"


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


def difference(lake: LakePath, file: HourFile, known: Known, *, full: bool = False) -> Difference | None:
    """As :func:`compare`, beside writers: what differs is compared again while no writer can replace the file."""
    found = compare(lake, file, known, full=full)
    if found is None:
        return None
    try:
        with locked(lake, [file.of]):
            return compare(lake, file, known, full=full)
    except OSError:  # a lake that may only be read: no writer runs here
        return found


def differences(lake: LakePath, hours: Iterable[int], known: Known) -> Iterator[Difference]:
    """Quickly, every type of these hours."""
    for hour in sorted(set(hours)):
        for record_type in schema.TYPES:
            yield from differences_of(lake, record_type, hour, known)


def differences_of(
    lake: LakePath, record_type: str, hour: int, known: Known, *, full: bool = False
) -> Iterator[Difference]:
    """Those of the files of one type and hour; or that it has lost its layout."""
    try:
        files = users.files_of(lake, record_type, hour)
    except CorruptLake as error:
        yield Difference(HourFile(hour, record_type), str(error))
        return
    for file in files:
        if found := difference(lake, file, known, full=full):
            yield found


def behind(there: Sequence[HourRecord], file: HourFile, writers: Iterable[LedgerEntry]) -> list[LedgerEntry]:
    """Those batches of the ledger that wrote an hour file after the one on record: an older one was restored."""
    return [
        entry
        for entry in writers
        if entry.recorded
        and not entry.was_rebuilt(file)
        and not any(_mentions(record, entry.batch) for record in there)
    ]


def _mentions(record: HourRecord, batch: str) -> bool:
    """Tell whether a batch has written into a file, or into one in its place that has expired."""
    return record.footer.mentions(batch) or (record.expired is not None and batch in record.expired.batches)


def require(lake: LakePath, file: HourFile, known: Known, *, full: bool = False) -> None:
    """Look at an hour file before it is built upon. The caller holds the hour's lock, and has written nothing.

    Raises:
        LakeChanged: it is not what its record says.
    """
    if found := compare(lake, file, known, full=full):
        raise changed([found])
    records.settle(file.path(lake))


def changed(found: list[Difference], consequence: str = "nothing was written") -> LakeChanged:
    """The one line for these differences: what, what follows, and what to do."""
    shown = "; ".join(map(str, found[:LISTED]))
    more = f"; and {len(found) - LISTED} more" if len(found) > LISTED else ""
    hours = " ".join(dict.fromkeys(layout.hour_name(difference.file.hour) for difference in found[:LISTED]))
    kind = f" --type {found[0].file.record_type}" if len(found) == 1 else ""
    return LakeChanged(
        f"{shown}{more}; {consequence}. To make it again from the raw batches: firehose rebuild {hours}{kind}"
    )
