"""The day that an old record is compared in, and how it is found again. Pure. Must not: read a store."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from firehose.lake.identity import Fingerprints, fingerprints
from firehose.legacy.record import OldRecord
from firehose.records.clocks import claimed_instants, tid_us

DAY_US: Final = 86_400_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: Joins the parts of a key.
SEPARATOR: Final = "\x1f"


def day_of(moment_us: int) -> date:
    """The UTC day of a time."""
    return moment_at(moment_us).date()


def moment_at(moment_us: int) -> datetime:
    """A time as others read it."""
    return _EPOCH + timedelta(microseconds=moment_us)


def us(day: date) -> int:
    """The begin of a UTC day."""
    return (day - _EPOCH.date()).days * DAY_US


def key_of(old: OldRecord) -> str:
    """What identifies a record on both sides: URI and operation."""
    return f"{old.operation} {old.uri}"


class Prints:
    """Hashes of many keys, gathered a chunk at a time: 16 bytes each."""

    _CHUNK: Final = 65_536

    def __init__(self) -> None:
        self._waiting: list[str] = []
        self._done: list[Fingerprints] = []

    def add(self, *parts: str) -> None:
        """Add a key."""
        self._waiting.append(SEPARATOR.join(parts))
        if len(self._waiting) == self._CHUNK:
            self._hash()

    def all(self) -> list[Fingerprints]:
        """The hashes of all keys so far."""
        self._hash()
        return self._done

    def _hash(self) -> None:
        if self._waiting:
            self._done.append(fingerprints(pa.array(self._waiting, pa.string())))
            self._waiting = []


def prints_of(*columns: pa.ChunkedArray | str) -> Fingerprints:
    """The hashes of keys whose parts are columns, or the same in every row."""
    parts = [pa.scalar(each) if isinstance(each, str) else each for each in columns]
    joined = pc.binary_join_element_wise(*parts, SEPARATOR)
    return fingerprints(joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined)


def filed_us(old: OldRecord) -> tuple[int, bool]:
    """The time by which an old record is filed, and whether anything but the client's claim says so.

    Its receipt, where there was one; else the clock in its record key; else the claim. 0: it has no time at all.
    """
    if old.received_us is not None:
        return old.received_us, True
    clock = tid_us(pa.array([old.rkey], pa.string()))[0].as_py()
    if clock is not None:
        return int(clock), True
    claimed = claimed_instants([old.created_at])[0][0].as_py() if old.created_at else None
    return (int((claimed - _EPOCH).total_seconds() * 1e6), False) if claimed else (0, False)
