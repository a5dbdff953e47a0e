"""The daily check: every hour file against its record, a share of them in full, records against the ledger.

Of the full readings ``_hours/checked.json`` keeps the last day; losing it means that a share is read again.
Must not: change an hour file or a record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Final

import msgspec

from firehose import metrics, schema
from firehose.areas import Area
from firehose.errors import CorruptLake
from firehose.lake import layout, recorded, records, watch
from firehose.lake.adopt import begin, not_lost, watched
from firehose.lake.layout import HourFile
from firehose.lake.ledger import LedgerEntry, read_ledger
from firehose.lake.watch import Difference, behind
from firehose.store import LakePath

_CHECKED: Final = "checked.json"
_EPOCH: Final = date(1970, 1, 1)


class CheckReport(msgspec.Struct, kw_only=True):
    """How many hour files were looked at, how many bytes of how many were read in full, and all that differs."""

    files: Annotated[int, metrics.FILES_COMPARED] = 0
    read: Annotated[int, metrics.FILES_READ] = 0
    read_bytes: Annotated[int, metrics.BYTES_READ] = 0
    differences: list[Difference] = []


class _Checked(msgspec.Struct, frozen=True):
    day: date


def check(lake: LakePath, days: int, today: date | None = None) -> CheckReport:
    """Look at every hour file, and read those in full whose turn it is: each once in ``days`` days.

    Days that were missed since the last check count as well. A lake of an earlier version is adopted first.

    Raises:
        LakeChanged: a lake of an earlier version does not hold what the ledger says, or has lost its records.
        CorruptLake: a ledger entry cannot be read.
        LakeOutdated: the lake has the folder names of an earlier version.
    """
    lake.require_current()
    begin(lake)
    number = ((today or datetime.now(UTC).date()) - _EPOCH).days
    first = max(_last(lake) + 1, number - days + 1)
    turns = {day % days for day in range(min(first, number), number + 1)}
    report = compare_all(lake, read_ledger(lake), lambda hour: hour % days in turns)
    done = _Checked(date.fromordinal(_EPOCH.toordinal() + number))
    (Area.HOURS.of(lake) / _CHECKED).write(msgspec.json.encode(done))
    return report


def compare_all(lake: LakePath, entries: Sequence[LedgerEntry], full: Callable[[int], bool]) -> CheckReport:
    """Look at every file that is there, has a record, or is named by the ledger.

    ``full`` says which hours to read in full.

    A lake that is not watched yet has nothing to compare.

    Raises:
        LakeChanged: the lake has lost its records.
    """
    report = CheckReport()
    if watched(lake) is None:
        not_lost(lake, entries)
        return report
    known = watch.known_by(entries)
    writers = _writers(entries)
    there = [path for kind in schema.TYPES for path in layout.hour_files(lake, kind)]
    files = {*writers, *map(layout.file_of, there), *map(layout.file_of, recorded.recorded_files(lake))}
    by_user = {file.of for file in files if file.user}
    for file in sorted(files):
        path, whole = file.path(lake), full(file.hour)
        found = watch.difference(lake, file, known, full=whole) or _older(path, file, writers.get(file, []))
        if not file.user and file.of in by_user:
            found = Difference(file, "the hour has files by user as well, so events may be there twice")
        report.files += 1
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


def _last(lake: LakePath) -> int:
    """The day of the last check, in days since the epoch; 0: none is known."""
    try:
        read = (Area.HOURS.of(lake) / _CHECKED).read_bytes()
        return (msgspec.json.decode(read, type=_Checked).day - _EPOCH).days
    except (FileNotFoundError, msgspec.MsgspecError):
        return 0
