"""The staged rows of a batch that belong into one hour file, and how many of them go into it at a time.

Must not: write, know what becomes of a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from firehose import parquet
from firehose.batch.interval import Batch
from firehose.lake import layout
from firehose.lake.footers import Merged
from firehose.lake.hourfile import Rows
from firehose.lake.users import Layout
from firehose.quality.outcome import SliceResult
from firehose.quality.result import staged_path
from firehose.store import LakePath

#: One commit: the unit of work that is repeated after a crash. Each one costs a copy of what the hour holds so
#: far, so it is as large as memory allows, at some 50 bytes a row while they are sorted: most hours take one.
COMMIT_ROWS = 4_000_000
#: At most this many slices, where rows are large: a slice holds 96 MiB of raw JSON.
COMMIT_SLICES = 32
#: So many rows are read once: a slice has no more than 96 MiB of JSON of them, however large they are.
_HELD_ROWS = 16_384


class Part(NamedTuple):
    """A staged slice, and how many of its rows belong into the hour, or its file."""

    path: LakePath
    rows: int


class HourRows(NamedTuple):
    """Rows that go into an hour file at a time: those of ``user``, in an hour with this layout."""

    hour: int
    parts: Sequence[Part]
    user: str = layout.FLAT
    by: Layout = Layout()

    def read(self, columns: Sequence[str] | None = None, /) -> Iterator[pa.Table]:
        """The rows of the file, a row group at a time; see :class:`firehose.lake.hourfile.Rows`.

        Row groups without a row of the hour, by their statistics, are not read: a batch of many hours is staged so
        that each row group is of one. Of one that has none of the user's, only times and accounts are.
        """
        deciding = ["time_us", "did"] if self.user else ["time_us"]
        wanted = None if columns is None else [*dict.fromkeys([*columns, *deciding])]
        for part in self.parts:
            with parquet.opened(part.path) as staged:
                for group in parquet.groups_within(staged.metadata, {"time_us": self._span}):
                    if self.user and not pc.any(self._mine(staged.read_row_group(group, deciding))).as_py():
                        continue
                    rows = staged.read_row_group(group, wanted)
                    mine = self._mine(rows)
                    yield rows if pc.all(mine).as_py() else rows.filter(mine)

    def reading(self) -> Rows:
        """As :meth:`read`. Few rows of one slice are held: each look at them would open the file otherwise."""
        if len(self.parts) != 1 or self.parts[0].rows > _HELD_ROWS:
            return self.read
        held = list(self.read())

        def again(columns: Sequence[str] | None = None, /) -> Iterator[pa.Table]:
            yield from (rows if columns is None else rows.select(columns) for rows in held)

        return again

    def times(self) -> Iterator[pa.ChunkedArray]:
        """Witnessed times: of a row group that is the file's as a whole only the first and the last, unread."""
        first, last = self._span
        for part in self.parts:
            with parquet.opened(part.path) as staged:
                for group in parquet.groups_within(staged.metadata, {"time_us": self._span}):
                    ends = parquet.ends(staged.metadata, group, "time_us")
                    if ends and first <= ends[0] and ends[1] <= last and not self.user:
                        yield pa.chunked_array([pa.array(ends, pa.int64())])
                    else:
                        rows = staged.read_row_group(group, ["time_us", "did"] if self.user else ["time_us"])
                        yield rows["time_us"].filter(self._mine(rows))

    def divided(self) -> list[HourRows]:
        """The same by the files of the hour, also those that none go into. Reads times and accounts."""
        if not self.by.by_user:
            return [self]
        parts: dict[str, list[Part]] = {name: [] for name in self.by.names}
        for part in self.parts:
            rows = pa.concat_tables(self._replace(parts=[part]).read(["did"]))
            for name, of_part in parts.items():
                if count := pc.sum(_of(rows["did"], name, self.by)).as_py():
                    of_part.append(Part(part.path, count))
        return [self._replace(parts=of_file, user=name) for name, of_file in parts.items()]

    @property
    def _span(self) -> tuple[int, int]:
        """The first and the last microsecond of the hour."""
        return self.hour * layout.HOUR_US, (self.hour + 1) * layout.HOUR_US - 1

    def _mine(self, rows: pa.Table) -> pa.Array:
        inside = pa.array(rows["time_us"].to_numpy() // layout.HOUR_US == self.hour)
        return pc.and_(inside, _of(rows["did"], self.user, self.by)) if self.user else inside


def _of(accounts: pa.ChunkedArray, user: str, by: Layout) -> pa.ChunkedArray:
    """Which rows go into the file of a user, by their accounts."""
    if user != layout.OTHERS:
        return pc.equal(accounts, user)
    return pc.invert(pc.is_in(accounts, value_set=pa.array(by.users, pa.string())))


def parts_of(
    lake: LakePath, batch: Batch, record_type: str, slices: Sequence[SliceResult], hour: int
) -> list[Part]:
    """The staged files of a type that have rows of an hour, in order."""
    return [
        Part(staged_path(lake, batch, record_type, part.number), staged.rows[str(hour)])
        for part in slices
        if (staged := part.types.get(record_type)) and str(hour) in staged.rows
    ]


def remaining(parts: Sequence[Part], done: Sequence[Merged]) -> list[Part] | None:
    """The parts after those that went into the commits ``done``; None where these end within a part.

    So they do if another version of this program made them.
    """
    rows = sum(merged_commit.stored + merged_commit.duplicates for merged_commit in done)
    rest = list(parts)
    while rest and rows > 0:
        rows -= rest.pop(0).rows
    return None if rows else rest


def commits(rows: HourRows) -> Iterator[HourRows]:
    """The same rows, those of one commit at a time."""
    waiting: list[Part] = []
    for part in rows.parts:
        waiting.append(part)
        if len(waiting) >= COMMIT_SLICES or sum(part.rows for part in waiting) >= COMMIT_ROWS:
            yield rows._replace(parts=waiting)
            waiting = []
    if waiting:
        yield rows._replace(parts=waiting)
