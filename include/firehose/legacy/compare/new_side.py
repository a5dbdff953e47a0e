"""The lake's side: the rows that may be matched, or that the old system was to keep, spooled by URI.

Hour files are read a row group at a time, few columns of all rows and all columns of the wanted ones. Rows that an
import of old data brought are not the lake's own, and are left out. Must not: decide what a row on one side means.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from firehose import parquet, schema
from firehose.areas import Area
from firehose.events.rebuild import record_of
from firehose.lake import layout, records
from firehose.lake.identity import EventIndex
from firehose.lake.plain import plain_groups
from firehose.lake.rowgroups import corrupt
from firehose.legacy.compare.filing import prints_of
from firehose.legacy.compare.old_side import OldSide, bucket
from firehose.legacy.compare.scope import ABOUT
from firehose.legacy.compare.spool import Spool
from firehose.legacy.normalise import Fields, of_record
from firehose.progress import tracked
from firehose.store import LakePath

_FOUND: Final = ["did", "rkey", "operation", "time_us", "batch"]


class Row(msgspec.Struct, frozen=True, array_like=True):
    """A row of the lake. ``fields`` where the old side has the URI; ``wanted``: it is in the scope; ``again``:
    the old side has a follow of the same two accounts."""

    key: str
    record_type: str
    time_us: int
    operation: str
    fields: Fields | None
    wanted: bool
    resync: bool
    again: bool


class NewSide:
    """What the lake has from the hour ``begin`` to before ``end``, by hours since the epoch."""

    def __init__(self, lake: LakePath, scratch: Path, begin: int, end: int) -> None:
        self._lake, self._begin, self._end = lake, begin, end
        self.rows: Spool[Row] = Spool(scratch / "new", Row)

    def read(self, old: OldSide, types: frozenset[str]) -> None:
        """Read the hours of these types."""
        pairs = old.pairs()
        for record_type in sorted(types):
            uris = old.uris(record_type)
            for path in tracked(list(self._files(record_type)), f"reading {record_type} of the lake", "files"):
                self._read(path, record_type, old, uris, pairs)

    def _files(self, record_type: str) -> Iterator[LakePath]:
        for path in layout.hour_files(self._lake, record_type):
            if self._begin <= layout.hour_of_file(path) < self._end:
                yield path

    def _read(self, path: LakePath, record_type: str, old: OldSide, uris: EventIndex, pairs: EventIndex) -> None:
        about = ABOUT[record_type]
        for number, slim in groups(path, record_type, [*_FOUND, "resync", *about]):
            known = uris.find(prints_of(slim["operation"], slim["did"], slim["rkey"])) >= 0
            wanted = old.accounts.holds(record_type, slim).to_numpy(zero_copy_only=False)
            own = pc.equal(pc.second(slim["batch"]), 0).to_numpy(zero_copy_only=False)
            chosen = np.flatnonzero((known | wanted) & own)
            if not len(chosen):
                continue
            again = np.zeros(len(slim), bool)
            if record_type == schema.FOLLOWS:
                again = pairs.find(prints_of(slim["did"], slim["subject_did"])) >= 0
            fields = self._fields(path, record_type, number, np.flatnonzero(known & own))
            some = slim.select([*_FOUND, "resync"]).take(pa.array(chosen)).to_pylist()
            for at, row in zip(chosen.tolist(), some, strict=True):
                uri = f"at://{row['did']}/{schema.COLLECTIONS[record_type]}/{row['rkey']}"
                key = f"{row['operation']} {uri}"
                of = fields.get(at)
                flags = bool(wanted[at]), bool(row["resync"]), bool(again[at])
                self.rows.add(bucket(key), Row(key, record_type, row["time_us"], row["operation"], of, *flags))

    def _fields(
        self, path: LakePath, record_type: str, number: int, rows: np.ndarray[Any, np.dtype[np.intp]]
    ) -> dict[int, Fields]:
        """What is compared of these rows of a row group, by their places in it."""
        found: dict[int, Fields] = {}
        begin = 0
        for _, table in groups(path, record_type, None, [number]) if len(rows) else ():
            inside = rows[(rows >= begin) & (rows < begin + len(table))]
            for at, row in zip(inside.tolist(), table.take(pa.array(inside - begin)).to_pylist(), strict=True):
                deleted = row["operation"] == "delete"
                found[at] = {} if deleted else of_record(record_of(record_type, row), row["cid"])
            begin += len(table)
        return found

    def expired_hours(self, types: frozenset[str]) -> set[tuple[str, int]]:
        """The hours of these types whose files were removed because their time was over."""
        found = set()
        for record_type in types:
            for path in Area.HOURS.of(self._lake).find(f"date=*/hour=*/{record_type}.json"):
                name = f"{path.parents[1].name[5:]}T{path.parent.name[5:]}"
                hour = layout.parse_hour(name)
                file = layout.hour_file(self._lake, record_type, hour)
                if not self._begin <= hour < self._end or file.exists():
                    continue
                now = records.read(file).now
                if now and now.is_gone:
                    found.add((record_type, hour))
        return found


def groups(
    path: LakePath, record_type: str, names: list[str] | None, numbers: list[int] | None = None
) -> Iterator[tuple[int, pa.Table]]:
    """Row groups of an hour file with their numbers: whole ones where few columns are read."""
    try:
        with parquet.opened(path) as source:
            for number in range(source.num_row_groups) if numbers is None else numbers:
                parts = plain_groups(source, record_type, names, [number])
                if names is None:
                    yield from ((number, part) for part in parts)
                else:
                    yield number, pa.concat_tables(parts)
    except (pa.ArrowInvalid, OSError) as error:
        raise corrupt(path, error) from error
