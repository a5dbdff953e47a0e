"""The staged rows of a batch that belong into one hour, and how many of them go into it at a time.

Must not: write, know what becomes of a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa

from firehose import parquet
from firehose.batch.interval import Batch
from firehose.lake import layout
from firehose.lake.notes import Merged
from firehose.quality.outcome import SliceResult
from firehose.quality.result import staged_path
from firehose.store import LakePath

#: One commit, which a death makes to be done again. Each one costs a copy of what the hour holds so far, so it is
#: as large as memory allows, at some 50 bytes a row while they are sorted: most hours take one.
COMMIT_ROWS = 4_000_000
#: And not too long, where rows are large: a slice is of 96 MiB of raw JSON.
COMMIT_SLICES = 32


class Part(NamedTuple):
    """A staged slice, and how many of its rows belong into the hour."""

    path: LakePath
    rows: int


class Commit(NamedTuple):
    """What is to go into an hour file at a time."""

    hour: int
    parts: Sequence[Part]

    def read(self, columns: Sequence[str] | None = None, /) -> Iterator[pa.Table]:
        """The rows of the hour, a row group at a time; see :class:`firehose.lake.hourfile.Rows`."""
        wanted = None if columns is None else [*dict.fromkeys([*columns, "time_us"])]
        for part in self.parts:
            with parquet.opened(part.path) as staged:
                for group in range(staged.num_row_groups):
                    rows = staged.read_row_group(group, wanted)
                    inside = rows["time_us"].to_numpy() // layout.HOUR_US == self.hour
                    yield rows if inside.all() else rows.filter(pa.array(inside))


def parts_of(
    lake: LakePath, batch: Batch, record_type: str, slices: Sequence[SliceResult], hour: int
) -> list[Part]:
    """The staged files of a type that have rows of an hour, in order."""
    return [
        Part(staged_path(lake, batch, record_type, one.number), staged.rows[str(hour)])
        for one in slices
        if (staged := one.types.get(record_type)) and str(hour) in staged.rows
    ]


def left(parts: Sequence[Part], done: Sequence[Merged]) -> list[Part] | None:
    """The parts after those that went into the commits ``done``; None where these end within a part.

    So they do if another version of this program made them.
    """
    rows = sum(one.stored + one.duplicates for one in done)
    rest = list(parts)
    while rest and rows > 0:
        rows -= rest.pop(0).rows
    return None if rows else rest


def commits(hour: int, parts: Sequence[Part]) -> Iterator[Commit]:
    """Parts to go into the hour, those of one commit at a time."""
    waiting: list[Part] = []
    for part in parts:
        waiting.append(part)
        if len(waiting) >= COMMIT_SLICES or sum(one.rows for one in waiting) >= COMMIT_ROWS:
            yield Commit(hour, waiting)
            waiting = []
    if waiting:
        yield Commit(hour, waiting)
