"""The record of what each hour file holds: ``_hours/date=YYYY-MM-DD/hour=HH/<type>.json``, one record a file.

Lives here: records, and the one way to replace an hour file, by which record and file survive a death together.
Must not: say what follows from a difference (:mod:`firehose.lake.watch` does).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from io import BufferedReader
from typing import Final, NamedTuple

import msgspec

from firehose import crash
from firehose.areas import Area
from firehose.errors import CorruptLake
from firehose.lake import footers, layout
from firehose.lake.footers import Footer
from firehose.lake.rowgroups import row_count
from firehose.store import L, LakePath

_NEXT: Final = ".next.json"
_TAIL: Final = 8  # of a Parquet file: the length of its footer, and PAR1


class HourRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The content of an hour file, described. ``footer_sha256`` is of its footer alone, ``sha256`` of all of it.

    The footer has the position and size of every column chunk and the least and greatest value of most, so another
    file has another footer. ``by`` is the batch that wrote the file, or ``adopt`` or ``rebuild``. ``footer`` is
    what the footer notes of batches (:mod:`firehose.lake.footers`), so that a rebuild can note it again.
    """

    rows: int
    bytes: int
    sha256: str
    footer_sha256: str
    by: str
    recorded_at: datetime
    footer: Footer = msgspec.field(name="noted")


class Records(NamedTuple):
    """An hour file's record, and that of the file about to replace it: after a death either file may be there."""

    now: HourRecord | None
    next: HourRecord | None


class Seen(NamedTuple):
    """The cheap look at a file: its size, and the digest of its footer (empty if it has none)."""

    bytes: int
    footer_sha256: str


def record_path(hour_file: L) -> L:
    """Where the record of an hour file lies."""
    hour = datetime.fromtimestamp(layout.hour_of_file(hour_file) * 3600, UTC)
    return Area.HOURS.of(hour_file.parents[4]) / f"{hour:date=%Y-%m-%d/hour=%H}" / f"{hour_file.stem}.json"


def hour_file_of(record: L) -> L:
    """The inverse of :func:`record_path`, for the record of a file that is about to be in place as well."""
    day, hour = (part.name.partition("=")[2] for part in (record.parents[1], record.parent))
    number = layout.parse_hour(f"{day}T{hour}")
    return layout.hour_file(record.parents[3], record.name.partition(".")[0], number)


def recorded_files(lake: L, day: date | None = None) -> list[L]:
    """Every hour file, of a day or of all, that has a record, whether it is there or not, in the order of time."""
    return sorted({hour_file_of(path) for path in Area.HOURS.of(lake).find(f"date={day or '*'}/hour=*/*.json")})


def read(hour_file: LakePath) -> Records:
    """The records of an hour file.

    Raises:
        CorruptLake: a record cannot be read.
    """
    path = record_path(hour_file)
    return Records(_read(path), _read(_next(path)))


def see(hour_file: LakePath) -> Seen | None:
    """A look at size and footer; None where there is no file.

    Raises:
        CorruptLake: the file cannot be read.
    """
    try:
        with hour_file.reading() as stream:
            return _see(stream)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CorruptLake.unreadable(hour_file, error) from error


def describe(hour_file: LakePath, by: str) -> HourRecord:
    """The record of an hour file as it is. Reads all of it, at some 1.5 GB a second from memory.

    Raises:
        CorruptLake: it is not there, or cannot be read.
    """
    if (seen := see(hour_file)) is None:
        raise CorruptLake(f"{hour_file}: is not there")
    return HourRecord(
        rows=row_count(hour_file),
        bytes=seen.bytes,
        sha256=hour_file.sha256(),
        footer_sha256=seen.footer_sha256,
        by=by,
        recorded_at=datetime.now(UTC),
        footer=footers.read(hour_file),
    )


@contextmanager
def replacing(hour_file: LakePath, by: str) -> Iterator[LakePath]:
    """As :meth:`firehose.store.LakePath.replacing`, for an hour file: what it is going to hold is on record first.

    In this order, each step durable before the next: the new file under its partial name; its record beside the
    old one; the new file in place; its record in the old one's place. The last step too: the next replacement
    writes another record beside it: a power loss could keep that name and lose this one.
    """

    def intend(part: LakePath) -> None:
        _next(record_path(hour_file)).write(msgspec.json.encode(describe(part, by)))

    with hour_file.replacing(intend) as part:
        yield part
    settle(hour_file)


def settle(hour_file: LakePath) -> None:
    """If the file that was about to be in place is, only its record is left. The caller holds the hour's lock."""
    path = record_path(hour_file)
    following = _read(_next(path))
    if following and (seen := see(hour_file)) and matches(following, seen):
        _next(path).rename_to(path)
        crash.reached(crash.Point.RECORD_SETTLED)


def adopt(hour_file: LakePath) -> HourRecord:
    """Record an hour file as it is, whatever its record says. The caller holds the hour's lock.

    Raises:
        CorruptLake: it is not there, or cannot be read.
    """
    path, record = record_path(hour_file), describe(hour_file, "adopt")
    _next(path).discard()
    path.write(msgspec.json.encode(record))
    return record


def matches(record: HourRecord, seen: Seen) -> bool:
    """Tell whether a file is the recorded one, as far as size and footer tell: changed data pages are not seen."""
    return (record.bytes, record.footer_sha256) == seen


def _next(path: L) -> L:
    return path.with_suffix(_NEXT)


def _read(path: LakePath) -> HourRecord | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=HourRecord)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptLake(f"{path}: not a record of an hour file ({error})") from error
    except OSError as error:
        raise CorruptLake.unreadable(path, error) from error


def _see(stream: BufferedReader) -> Seen:
    size = stream.seek(0, 2)
    stream.seek(max(size - _TAIL, 0))
    tail = stream.read(_TAIL)
    footer = int.from_bytes(tail[:4], "little")
    if tail[4:] != b"PAR1" or footer + _TAIL > size:
        return Seen(size, "")
    stream.seek(size - _TAIL - footer)
    return Seen(size, hashlib.sha256(stream.read()).hexdigest())
