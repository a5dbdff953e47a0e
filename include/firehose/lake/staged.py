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
from firehose.lake.footers import Merged
from firehose.quality.outcome import SliceResult
from firehose.quality.result import staged_path
from firehose.store import LakePath

#: One commit: the unit of work that is repeated after a crash. Each one costs a copy of what the hour holds so
#: far, so it is as large as memory allows, at some 50 bytes a row while they are sorted: most hours take one.
COMMIT_ROWS = 4_000_000
#: At most this many slices, where rows are large: a slice holds 96 MiB of raw JSON.
COMMIT_SLICES = 32


class Part(NamedTuple):
    """A staged slice, and how many of its rows belong into the hour."""

    path: LakePath
    rows: int


class HourRows(NamedTuple):
    """Rows that go into an hour file at a time."""

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


def commits(hour: int, parts: Sequence[Part]) -> Iterator[HourRows]:
    """Parts to go into the hour, those of one commit at a time."""
    waiting: list[Part] = []
    for part in parts:
        waiting.append(part)
        if len(waiting) >= COMMIT_SLICES or sum(part.rows for part in waiting) >= COMMIT_ROWS:
            yield HourRows(hour, waiting)
            waiting = []
    if waiting:
        yield HourRows(hour, waiting)
