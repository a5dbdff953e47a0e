"""Closing an hour: once it is over and quiet, its file is written again in closed form, in its own place.

A batch that comes late, a run that is cleared or a rebuild writes the open form again; then the hour is closed
again. Safe to repeat and to be killed. Must not: know how rows are packed (closed_file.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from enum import Enum, auto
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from firehose import parquet
from firehose.areas import Area
from firehose.batch import manifest as manifests
from firehose.batch.interval import Batch
from firehose.errors import CorruptLake
from firehose.lake import closed_file, closed_form, footers, layout, listed, recorded, records, settled, watch
from firehose.lake.identity import fingerprints, identities
from firehose.lake.layout import HourFile
from firehose.lake.ledger import read_day
from firehose.lake.locks import locked
from firehose.lake.plain import plain_groups
from firehose.lake.rowgroups import corrupt, read_groups
from firehose.records.registry import REGISTRY
from firehose.store import LakePath

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
#: Bytes of an hour's row groups, not compressed, that are held at a time.
_HELD: Final = 512 * 1024 * 1024


class ClosedHour(msgspec.Struct, frozen=True, kw_only=True):
    """An hour file in closed form: its rows, and its bytes ``before`` and now.

    ``rewritten``: False if it was in closed form already.
    """

    file: HourFile
    rows: int
    before: int
    bytes: int
    rewritten: bool


class _Form(Enum):
    """What an hour file is, as far as its record says; or it is not what its record says."""

    OPEN = auto()
    CLOSED = auto()
    UNCLEAR = auto()


class _Content(NamedTuple):
    """The rows of a file, whatever their order: how many, and sums of keyed hashes.

    Hashed are their events, with all columns that the closed form keeps in another way.
    """

    rows: int
    sums: tuple[int, int]


class Closable(NamedTuple):
    """The hour files that can be closed, in the order of time, and the days of which all are closed already.

    ``settled``: as :mod:`firehose.lake.settled` has them.
    """

    files: list[HourFile]
    settled: dict[date, str]


def closable(lake: LakePath, now: datetime, after: timedelta) -> Closable:
    """The hour files in open form whose hours have been over for ``after``.

    Left out are hours of which a batch may hold events that is not published yet, and files that are not what
    their records say, which the daily check of the lake reports. Days that were settled and have not changed
    since are not looked at.
    """
    files, done, before, waiting = [], {}, settled.read(lake), _Waiting(lake)
    for day, of_day in listed.records(lake).items():
        digest = listed.digest(of_day)
        forms = {}
        if before.get(day) != digest:
            forms = {layout.file_of(path): _form(path) for path in recorded.recorded_files(lake, day)}
        if all(form is _Form.CLOSED for form in forms.values()):
            done[day] = digest
        for file, form in forms.items():
            end = datetime.fromtimestamp(file.hour * 3600, UTC) + _HOUR
            if form is _Form.OPEN and end + after <= now and not waiting.any_of(end, after):
                files.append(file)
    return Closable(sorted(files), done)


def close(lake: LakePath, file: HourFile) -> ClosedHour:
    """Write an hour file in closed form. Nothing happens where it has that already.

    Raises:
        LakeChanged: the file is not what its record says; nothing was written.
        CorruptLake: the file cannot be read, or what was written would not give back what is there.
    """
    path = file.path(lake)
    with locked(lake, [file.of]):
        watch.require(lake, file, lambda _: True, full=True)
        before = records.describe(path, "close")
        if before.form != closed_form.CLOSED:
            with records.replacing(path, "close") as part:
                _write(path, part, file.record_type)
                _compare(path, part, file.record_type)
        return ClosedHour(
            file=file,
            rows=before.rows,
            before=before.bytes,
            bytes=path.size(),
            rewritten=before.form != closed_form.CLOSED,
        )


def _form(path: LakePath) -> _Form:
    try:
        there, seen = records.read(path), records.see(path)
    except CorruptLake:
        return _Form.UNCLEAR
    if there.now is None or there.next is not None:
        return _Form.UNCLEAR
    if there.now.is_gone and seen is None:
        return _Form.CLOSED
    if seen is None or not records.matches(there.now, seen):
        return _Form.UNCLEAR
    return _Form.CLOSED if there.now.form == closed_form.CLOSED else _Form.OPEN


class _Waiting:
    """Which days have raw batches that the ledger does not know. Each day is looked at once."""

    def __init__(self, lake: LakePath) -> None:
        self._lake = lake
        self._of_day: dict[datetime, list[datetime]] = {}

    def any_of(self, end: datetime, after: timedelta) -> bool:
        """Whether a batch waits that began between the day before an hour's end and ``after`` later."""
        first, days = end - _HOUR - _DAY, []
        day = first.replace(hour=0, minute=0, second=0, microsecond=0)
        while day < end + after:
            days.append(day)
            day += _DAY
        return any(first <= start < end + after for day in days for start in self._day(day))

    def _day(self, day: datetime) -> list[datetime]:
        if day not in self._of_day:
            done = {entry.batch for entry in read_day(self._lake, day.date())}
            drained = Area.RAW.of(self._lake).find(f"date={day:%Y-%m-%d}/batch=*/{manifests.NAME}")
            names = [path.parent.name.removeprefix("batch=") for path in drained]
            self._of_day[day] = [Batch.parse(name, 1).start for name in names if name not in done]
        return self._of_day[day]


def _write(path: LakePath, part: LakePath, record_type: str) -> None:
    try:
        footer = parquet.footer(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise corrupt(path, error) from error
    size = sum(footer.row_group(number).total_byte_size for number in range(footer.num_row_groups))
    closed_file.write(
        part,
        record_type,
        lambda: read_groups(path, record_type),
        -(-size // _HELD),
        footers.read(path).encode(),
    )


def _compare(path: LakePath, part: LakePath, record_type: str) -> None:
    """See that the new file gives back the rows of the old one."""
    digest = hashlib.sha256()
    was = _content(record_type, read_groups(path, record_type))
    now = _content(record_type, _digested(part, record_type, digest))
    if was != now or not closed_form.is_proven(footers.notes(part), digest.hexdigest()):
        raise CorruptLake(
            f"{path}: in closed form it would not give back its rows; nothing was changed. Please report this, "
            "with the file"
        )


def _digested(part: LakePath, record_type: str, digest: Any) -> Iterator[pa.Table]:
    with parquet.opened(part) as source:
        for rows in plain_groups(source, record_type):
            closed_form.add_cids(digest, record_type, rows)
            yield rows


def _content(record_type: str, groups: Iterator[pa.Table]) -> _Content:
    names = [kept.name for kept in REGISTRY[record_type].kept if kept.stored]
    rows, high, low = 0, 0, 0
    for group in groups:
        said = [identities(record_type, group), *(_text(group[name]) for name in names)]
        hashes = fingerprints(pc.binary_join_element_wise(*said, "\n"))
        rows += len(group)
        high += int(np.sum(hashes.high))
        low += int(np.sum(hashes.low))
    return _Content(rows, (high % 2**64, low % 2**64))


def _text(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_timestamp(column.type):  # whose text would cost a calendar, and fail before the year 1
        column = column.cast(pa.int64())
    return column.cast(pa.string()).combine_chunks().fill_null("\x1e")
