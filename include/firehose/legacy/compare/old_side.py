"""The old system's records, read once: spooled by URI, with what the other side has to be asked for.

Lives here: the one pass over the stores, and what is learnt of each file in it. Must not: read the lake, decide
what a record on one side means.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from firehose.lake.identity import EventIndex
from firehose.legacy.compare.filing import Prints, day_of, filed_us, key_of
from firehose.legacy.compare.outcome import COMPARED
from firehose.legacy.compare.scope import Accounts
from firehose.legacy.compare.spool import Spool
from firehose.legacy.compare.stores import OldFile, files
from firehose.legacy.record import OldRecord, Refused
from firehose.progress import tracked

#: Parts by URI: one is in memory at a time.
PARTS: Final = 256
_LISTED: Final = 100


class Spooled(msgspec.Struct, frozen=True, array_like=True):
    """An old record of the days that are compared. ``file`` is the number of its file, ``dated`` whether more
    than a claim says when it was."""

    key: str
    filed_us: int
    dated: bool
    file: int
    old: OldRecord


class Registered(msgspec.Struct, frozen=True, array_like=True):
    """A file as it was while it was read. ``days``: of its records; ``refused`` counts the broken ones."""

    number: int
    path: str
    size: int
    mtime_ns: int
    sha256: str
    days: list[str]
    records: int
    refused: int


class OldSide:
    """What the stores below ``root`` hold of the days from ``begin`` to before ``end`` (None: all)."""

    def __init__(self, root: Path, scratch: Path, begin: date | None, end: date | None) -> None:
        self.root, self._begin, self._end = root, begin, end
        self.records: Spool[Spooled] = Spool(scratch / "old", Spooled)
        self.files: Spool[Registered] = Spool(scratch / "files", Registered)
        self.accounts = Accounts()
        self.days: set[date] = set()
        self.others: dict[date, int] = {}
        self.refused, self.refusals, self.read_files = 0, list[str](), 0
        self._receipts: set[int] = set()
        self._uris = {name: Prints() for name in COMPARED.values()}
        self._pairs = Prints()

    def read(self, types: frozenset[str]) -> None:
        """Read every store. ``types`` are those that are compared now."""
        for number, (file, found) in enumerate(tracked(files(self.root), "reading the old stores", "files")):
            self.read_files += 1
            if file is None:  # of an unknown shape, or cannot be read
                for each in found:
                    self._refuse(each)
                continue
            self._read(number, file, found, types)

    def _read(
        self, number: int, file: OldFile, found: Iterator[OldRecord | Refused], types: frozenset[str]
    ) -> None:
        days: set[date] = set()
        records = refused = 0
        for each in found:
            if isinstance(each, Refused):
                refused += 1
                self._refuse(each)
                continue
            records += 1
            days.add(self._take(number, each, types))
        if now := file.unchanged(self.root):
            named = [str(day) for day in sorted(days)]
            registered = Registered(number, file.path, file.size, file.mtime_ns, now, named, records, refused)
            for day in days:
                if self._within(day):
                    self.files.add(str(day), registered)

    def _take(self, number: int, old: OldRecord, types: frozenset[str]) -> date:
        filed, dated = filed_us(old)
        day = day_of(filed)
        self.accounts.add(old)
        if old.received_us is not None:
            self._receipts.add(old.received_us // 1_000_000)
        if not self._within(day):
            return day
        self.days.add(day)
        record_type = COMPARED.get(old.collection)
        if record_type is None:
            self.others[day] = self.others.get(day, 0) + 1
        elif record_type not in types:
            return day
        elif old.rkey:
            self._uris[record_type].add(old.operation, old.did, old.rkey)
            if old.subject_did and old.collection == "app.bsky.graph.follow":
                self._pairs.add(old.did, old.subject_did)
        key = key_of(old)
        self.records.add(bucket(key), Spooled(key, filed, dated, number, old))
        return day

    def _within(self, day: date) -> bool:
        return (self._begin is None or day >= self._begin) and (self._end is None or day < self._end)

    def _refuse(self, refused: OldRecord | Refused) -> None:
        if not isinstance(refused, Refused):
            return
        self.refused += 1
        if len(self.refusals) < _LISTED:
            self.refusals.append(f"{refused.path} {refused.place}".strip() + f": {refused.reason}")

    def uris(self, record_type: str) -> EventIndex:
        """Every operation on a record of a type that the old side has, for one look at the lake."""
        return EventIndex(self._uris[record_type].all())

    def pairs(self) -> EventIndex:
        """The accounts of every follow that the old side has."""
        return EventIndex(self._pairs.all())

    def receipts(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Every second in which the old system received something, in order."""
        return np.sort(np.frombuffer(array("q", self._receipts), np.int64)) if self._receipts else np.empty(0, int)


def bucket(key: str) -> str:
    """The part that a key is in."""
    return f"{zlib.crc32(key.encode(errors='surrogatepass')) % PARTS:03}"
