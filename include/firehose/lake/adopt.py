"""Begins to watch a lake: ``_hours/watched.json`` says that from then on every hour file has a record.

A new lake is watched from its first batch on. The hour files of an earlier version are taken as they are, once,
if they hold what the ledger says. A lake that has lost its records is never taken for one that had none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from firehose import schema
from firehose.areas import Area
from firehose.batch.lock import locks_folder
from firehose.errors import CorruptLake, LakeChanged
from firehose.lake import footers, layout, records, users, watch
from firehose.lake.layout import HourFile
from firehose.lake.ledger import LedgerEntry, read_ledger, stored_rows
from firehose.lake.locks import locked
from firehose.lake.rowgroups import row_count, time_span
from firehose.progress import tracked
from firehose.store import LakePath

_MARK: Final = "watched.json"


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """Since when a lake is watched, and how many hour files it had then."""

    since: datetime
    adopted: int


def watched(lake: LakePath) -> Watched | None:
    """Since when a lake is watched; None: not yet.

    Raises:
        CorruptLake: what says so cannot be read.
    """
    path = _mark(lake)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Watched)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise CorruptLake(f"{path}: not readable ({error}); restore {Area.HOURS}/ from a backup") from error


def begin(lake: LakePath, *, lost: bool = False) -> Watched:
    """Watch a lake, if it is not watched yet: record every hour file. A killed call is gone on with by the next.

    ``lost``: also if the lake was watched before, since the operator has made sure that the files are right.

    Raises:
        LakeChanged: the lake had records and has lost them; or the files hold less than the ledger says.
        CorruptLake: a ledger entry, a record or an hour file cannot be read.
    """
    if found := watched(lake):
        return found
    with (locks_folder(lake) / "watched.lock").lock():
        if found := watched(lake):
            return found
        entries = read_ledger(lake)
        if not lost:
            not_lost(lake, entries)
        paths = [path for record_type in schema.TYPES for path in layout.hour_files(lake, record_type)]
        files = [layout.file_of(path) for path in paths]
        for hour, record_type in sorted({file.of for file in files if file.user}):
            users.restore(lake, record_type, hour)
        _check(lake, entries, files)
        for file in tracked(files, "recording hour files", "files"):
            _record(lake, file)
        mark = Watched(since=datetime.now(UTC), adopted=len(paths))
        _mark(lake).write(msgspec.json.encode(mark))
        return mark


def not_lost(lake: LakePath, entries: Iterable[LedgerEntry]) -> None:
    """See that a lake that is not watched never was.

    Raises:
        LakeChanged: the ledger says that it was.
    """
    if any(entry.recorded for entry in entries):
        raise LakeChanged(
            f"{_mark(lake)} is missing, but the ledger says that this lake's hour files have records: restore "
            f"{Area.HOURS}/ from a backup. Without one, see that `firehose verify` finds nothing else, then "
            "record the files as they are: firehose adopt"
        )


def accept(lake: LakePath, record_type: str, hour: int) -> int:
    """Record the files of one hour as they are, whatever their records say, and return their rows.

    Raises:
        CorruptLake: there is none, or one cannot be read.
    """
    users.restore(lake, record_type, hour)
    with locked(lake, [(hour, record_type)]):
        paths = [file.path(lake) for file in users.files_of(lake, record_type, hour)]
        there = [path for path in paths if path.exists()]
        return sum(records.adopt(path).rows for path in there or paths[:1])


def _mark(lake: LakePath) -> LakePath:
    return Area.HOURS.of(lake) / _MARK


def _record(lake: LakePath, file: HourFile) -> None:
    path = file.path(lake)
    with locked(lake, [file.of]):
        known = records.read(path)
        if known.now is None and known.next is None:
            records.adopt(path)
        else:  # a call that was killed recorded it, or a rebuild did
            watch.require(lake, file, lambda _: True)


def _check(lake: LakePath, entries: Sequence[LedgerEntry], files: Sequence[HourFile]) -> None:
    """See that each file is of its hour, and that the ledger's rows are there.

    Rows that no entry claims may be there as well: a publication was killed.
    """
    _check_named(lake, entries)
    for file in files:
        path = file.path(lake)
        span = time_span(path)
        if span and {at // layout.HOUR_US for at in span} != {file.hour}:
            raise watch.changed([watch.Difference(file, f"{path} has rows of another hour")])
    batches = {entry.batch for entry in entries}
    for record_type in schema.TYPES:
        claimed = stored_rows(entries, record_type)
        of_type = (file.path(lake) for file in files if file.record_type == record_type)
        held = sum(_claimed_rows(path, batches) for path in of_type)
        if held < claimed:
            raise LakeChanged(
                f"{lake}: the ledger says that {claimed} rows of {record_type} were stored, the hour files account"
                f" for {held}; nothing was written. `firehose verify` looks for the reason. To make an hour again "
                "from the raw batches: firehose rebuild HOUR"
            )


def _claimed_rows(path: LakePath, batches: set[str]) -> int:
    """Rows of a file, and those displaced from it, less what batches without a ledger entry have stored there."""
    footer = footers.read(path)
    others = sum(
        part.stored for name, done in footer.commits.items() if name not in batches for part in done.slices
    )
    return row_count(path) + sum(footer.displaced.values()) - others


def _check_named(lake: LakePath, entries: Sequence[LedgerEntry]) -> None:
    missing = [
        watch.Difference(file, "the ledger says that batches wrote it, and the file is missing")
        for file in sorted({file for entry in entries for file in entry.files})
        if not file.path(lake).exists()
    ]
    if missing:
        raise watch.changed(missing)
