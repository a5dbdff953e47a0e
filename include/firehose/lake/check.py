"""The daily check: every hour file against its record, a share of them in full, records against the ledger.

What it was sure of is kept in ``_hours/checked.json``; losing that costs a look at all, and a share read again.
Must not: change an hour file or a record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final

import msgspec

from firehose import metrics
from firehose.areas import Area
from firehose.errors import CorruptLake
from firehose.lake import listed, records, watch
from firehose.lake.adopt import begin, not_lost, watched
from firehose.lake.layout import HourFile
from firehose.lake.ledger import LedgerEntry, ledger_days, read_day
from firehose.lake.watch import Difference, behind
from firehose.progress import tracked
from firehose.store import LakePath

_CHECKED: Final = "checked.json"
_EPOCH: Final = date(1970, 1, 1)
_DAY: Final = timedelta(days=1)


class CheckReport(msgspec.Struct, kw_only=True):
    """How many hour files were looked at, how many bytes of how many were read in full, and all that differs."""

    files: Annotated[int, metrics.FILES_COMPARED] = 0
    read: Annotated[int, metrics.FILES_READ] = 0
    read_bytes: Annotated[int, metrics.BYTES_READ] = 0
    differences: list[Difference] = []


class _Checked(msgspec.Struct, frozen=True):
    """When the last check was, and digests of what listings showed then, by day; empty: something differed."""

    day: date
    hours: dict[str, str] = {}
    ledger: dict[str, str] = {}


def check(lake: LakePath, days: int, today: date | None = None) -> CheckReport:
    """Look at every hour file, and read those in full whose turn it is: each once in ``days`` days.

    Files of days that listings show as they were at the last check, when nothing of the day differed, are
    not looked at again, unless it is their turn: a look is several requests a file, and the lake grows for years.
    Days that were missed since the last check count as well. A lake of an earlier version is adopted first.

    Raises:
        LakeChanged: a lake of an earlier version does not hold what the ledger says, or has lost its records.
        CorruptLake: a ledger entry cannot be read.
        LakeOutdated: the lake has the folder names of an earlier version.
    """
    lake.require_current()
    begin(lake)
    number = ((today or datetime.now(UTC).date()) - _EPOCH).days
    last, hours, ledger = _last(lake), listed.hours(lake), listed.ledger(lake)
    first = max((last.day - _EPOCH).days + 1, number - days + 1)
    turns = {day % days for day in range(min(first, number), number + 1)}
    new_hours = _changed({day: of.digest for day, of in hours.items()}, last.hours)
    new_entries = _changed(ledger, last.ledger)
    entries = list(_entries(lake, new_hours, new_entries))
    files = {file for of in hours.values() for file in of.files} | _named(entries)
    rewritten = _named(entry for entry in entries if entry.start.date() in new_entries)
    looked_at = rewritten | {file for file in files if file.day in new_hours or file.hour % days in turns}
    report = _compare(lake, entries, looked_at, lambda hour: hour % days in turns)
    report.files = len(files)
    wrong = {difference.file.day for difference in report.differences}
    done = _Checked(
        date.fromordinal(_EPOCH.toordinal() + number),
        {str(day): "" if day in wrong else hours[day].digest for day in {*hours, *wrong}},
        {str(day): digest for day, digest in ledger.items()},
    )
    (Area.HOURS.of(lake) / _CHECKED).write(msgspec.json.encode(done))
    return report


def compare_all(lake: LakePath, entries: Sequence[LedgerEntry], full: Callable[[int], bool]) -> CheckReport:
    """Look at every file that is there, has a record, or is named by the ledger.

    ``full`` says which hours to read in full.

    A lake that is not watched yet has nothing to compare.

    Raises:
        LakeChanged: the lake has lost its records.
    """
    if watched(lake) is None:
        not_lost(lake, entries)
        return CheckReport()
    there = {file for of in listed.hours(lake).values() for file in of.files}
    return _compare(lake, entries, there | _named(entries), full)


def _changed(now: Mapping[date, str], before: Mapping[str, str]) -> set[date]:
    """The days that are not as they were."""
    known = {date.fromisoformat(day): digest for day, digest in before.items()}
    return {day for day in {*now, *known} if now.get(day) != known.get(day)}


def _entries(lake: LakePath, hours: set[date], ledger: set[date]) -> Iterator[LedgerEntry]:
    """The entries of these days of the ledger, and all that may name files of these days of hours.

    Entries of an earlier day than the one before do not (see :func:`firehose.lake.watch.known_since`).
    """
    since = min(hours, default=date.max) - _DAY
    for day in ledger_days(lake):
        if day in ledger or day >= since:
            yield from read_day(lake, day)


def _named(entries: Iterable[LedgerEntry]) -> set[HourFile]:
    return {file for entry in entries for file in entry.files}


def _compare(
    lake: LakePath, entries: Sequence[LedgerEntry], files: set[HourFile], full: Callable[[int], bool]
) -> CheckReport:
    """Look at these files. ``entries``: those that name one of them."""
    report = CheckReport(files=len(files))
    known = watch.known_by(entries)
    writers = _writers(entries)
    by_user = {file.of for file in files if file.user}
    for file in tracked(sorted(files), "comparing hour files", "files"):
        path, whole = file.path(lake), full(file.hour)
        found = watch.difference(lake, file, known, full=whole) or _older(path, file, writers.get(file, []))
        if not file.user and file.of in by_user:
            found = Difference(file, "the hour has files by user as well, so events may be there twice")
        if found:
            report.differences.append(found)
        elif whole and path.exists():  # else it has expired
            report.read += 1
            report.read_bytes += path.size()
    return report


def _writers(entries: Sequence[LedgerEntry]) -> dict[HourFile, list[LedgerEntry]]:
    """Which batches have written each file."""
    found: dict[HourFile, list[LedgerEntry]] = {}
    for entry in entries:
        for file in entry.files:
            found.setdefault(file, []).append(entry)
    return found


def _older(path: LakePath, file: HourFile, writers: Sequence[LedgerEntry]) -> Difference | None:
    """A file and its record that are both from before a batch that the ledger names: restored together, say."""
    try:
        now, following = records.read(path)
    except CorruptLake:
        return None  # a publication replaces the record just now, or the next look says so
    missing = behind([record for record in (now, following) if record], file, writers)
    if not missing:
        return None
    return Difference(file, f"the ledger says that batch {missing[0].batch} wrote it; the file is older")


def _last(lake: LakePath) -> _Checked:
    """What the last check has left; nothing is known of one before the first."""
    try:
        return msgspec.json.decode((Area.HOURS.of(lake) / _CHECKED).read_bytes(), type=_Checked)
    except (FileNotFoundError, msgspec.MsgspecError):
        return _Checked(_EPOCH)
