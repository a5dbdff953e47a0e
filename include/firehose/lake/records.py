"""The record of what each hour file holds, one record a file (:mod:`firehose.lake.recorded` says where).

Lives here: records, and the one way to replace an hour file, by which record and file survive a death together.
Must not: say what follows from a difference (:mod:`firehose.lake.watch` does).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import pyarrow as pa

from firehose import crash, parquet
from firehose.errors import CorruptLake
from firehose.lake import closed_form, footers
from firehose.lake.expiry import Expiry
from firehose.lake.footers import Footer
from firehose.lake.recorded import next_path, record_path
from firehose.lake.rowgroups import corrupt
from firehose.store import LakePath, LocalLake


class HourRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The content of an hour file, described. ``footer_sha256`` is of its footer alone, ``sha256`` of all of it.

    The footer has the position and size of every column chunk and the least and greatest value of most, so another
    file has another footer. ``by`` is the batch that wrote the file, or ``adopt`` or ``rebuild``. ``footer`` is
    what the footer notes of batches (:mod:`firehose.lake.footers`), so that a rebuild can note it again.
    ``expired``: this file, or one that was in its place before, was removed since its time was over.
    """

    rows: int
    bytes: int
    sha256: str
    footer_sha256: str
    by: str
    recorded_at: datetime
    footer: Footer = msgspec.field(name="noted")
    form: str = ""
    expired: Expiry | None = None

    @property
    def is_gone(self) -> bool:
        """Tell whether it is this file that has expired."""
        return self.expired is not None and self.expired.sha256 == self.sha256


class Records(NamedTuple):
    """An hour file's record, and that of the file about to replace it: after a death either file may be there."""

    now: HourRecord | None
    next: HourRecord | None


class Seen(NamedTuple):
    """The cheap look at a file: its size, and the digest of its footer (empty if it has none)."""

    bytes: int
    footer_sha256: str


def read(hour_file: LakePath) -> Records:
    """The records of an hour file.

    Raises:
        CorruptLake: a record cannot be read.
    """
    path = record_path(hour_file)
    return Records(_read(path), _read(next_path(path)))


def see(hour_file: LakePath) -> Seen | None:
    """A look at size and footer; None where there is no file.

    Raises:
        CorruptLake: the file cannot be read.
    """
    try:
        with hour_file.reading() as stream:
            return Seen(*parquet.footer_digest(stream))
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
    try:
        footer = parquet.footer(hour_file)
    except (pa.ArrowInvalid, OSError) as error:
        raise corrupt(hour_file, error) from error
    notes = footer.metadata or {}
    return HourRecord(
        rows=footer.num_rows,
        bytes=seen.bytes,
        sha256=hour_file.sha256(),
        footer_sha256=seen.footer_sha256,
        by=by,
        recorded_at=datetime.now(UTC),
        footer=footers.of_notes(notes),
        form=closed_form.form_of(notes),
    )


@contextmanager
def replacing(hour_file: LakePath, by: str) -> Iterator[LocalLake]:
    """As :meth:`firehose.store.LakePath.replacing`, for an hour file: what it is going to hold is on record first.

    In this order, each step durable before the next: the new file under its partial name; its record beside the
    old one; the new file in place; its record in the old one's place. The last step too: the next replacement
    writes another record beside it: a power loss could keep that name and lose this one.
    """

    def intend(part: LakePath) -> None:
        record = _after_expiry(hour_file, describe(part, by))
        next_path(record_path(hour_file)).write(msgspec.json.encode(record))

    with hour_file.replacing(intend) as part:
        yield part
    settle(hour_file)


def settle(hour_file: LakePath) -> None:
    """If the file that was about to be in place is, only its record is left. The caller holds the hour's lock."""
    path = record_path(hour_file)
    following = _read(next_path(path))
    if following and (seen := see(hour_file)) and matches(following, seen):
        next_path(path).rename_to(path)
        crash.reached(crash.Point.RECORD_SETTLED)


def adopt(hour_file: LakePath) -> HourRecord:
    """Record an hour file as it is, whatever its record says. The caller holds the hour's lock.

    Raises:
        CorruptLake: it is not there, or cannot be read.
    """
    path, record = record_path(hour_file), _after_expiry(hour_file, describe(hour_file, "adopt"))
    next_path(path).discard()
    path.write(msgspec.json.encode(record))
    return record


def _after_expiry(hour_file: LakePath, record: HourRecord) -> HourRecord:
    """The record of a file in whose place there were others that have expired; it may be one of them, put back."""
    try:
        before = _read(record_path(hour_file))
    except CorruptLake:  # whoever replaces the file has seen to that
        return record
    expired = before.expired if before else None
    return (
        record if expired and expired.sha256 == record.sha256 else msgspec.structs.replace(record, expired=expired)
    )


def matches(record: HourRecord, seen: Seen) -> bool:
    """Tell whether a file is the recorded one, as far as size and footer tell: changed data pages are not seen."""
    return (record.bytes, record.footer_sha256) == seen


def _read(path: LakePath) -> HourRecord | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=HourRecord)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptLake(f"{path}: not a record of an hour file ({error})") from error
    except OSError as error:
        raise CorruptLake.unreadable(path, error) from error
