"""One side of an edge: which rows of an hour file may have a copy in another one, and reading them sparingly.

Reads only what lies near, and of that first one column: a copy elsewhere is rare. Must not: know the other side.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from firehose import parquet, schema
from firehose.lake import layout
from firehose.lake.identity import mark
from firehose.lake.layout import HourFile
from firehose.lake.plain import plain_groups
from firehose.lake.precedence import Batches
from firehose.lake.rowgroups import corrupt
from firehose.store import LakePath

#: How far apart the stamps of two copies may lie for them to be found across an hour's edge, in microseconds.
EDGE_US: Final = 15 * 60 * 1_000_000


class TimeSpan(NamedTuple):
    """Witnessed time in [since, until), in microseconds since the epoch."""

    since: int
    until: int


class Side(NamedTuple):
    """An hour file, and which of its rows may have a copy on the other side: those within ``near``.

    ``collections``: of these only; empty: of any.
    """

    file: HourFile
    path: LakePath
    near: TimeSpan
    collections: tuple[str, ...] = ()

    @property
    def record_type(self) -> str:
        """The type of its rows."""
        return self.file.record_type


def span(hour: int, neighbour: int) -> TimeSpan:
    """The part of an hour that lies near another one: all of it, if they are the same."""
    start, end = hour * layout.HOUR_US, (hour + 1) * layout.HOUR_US
    if neighbour == hour:
        return TimeSpan(start, end)
    return TimeSpan(start, start + EDGE_US) if neighbour < hour else TimeSpan(end - EDGE_US, end)


def rows_of(side: Side, batches: Batches, marks: pa.ChunkedArray | None = None) -> Iterator[pa.Table]:
    """Rows of one side by some batches, a row group at a time; none where there is no file.

    With ``marks``: identity of those rows only that have one of them. Without: the marks of all.
    """
    if not side.path.exists():
        return
    bounds = {"time_us": (side.near.since, side.near.until - 1), "batch": batches.bounds}
    try:
        with parquet.opened(side.path) as source:
            for group in parquet.groups_within(source.metadata, bounds):
                yield from _rows_of_group(source, group, side, batches, marks)
    except (pa.ArrowInvalid, OSError) as error:
        raise corrupt(side.path, error) from error


def _rows_of_group(
    source: pq.ParquetFile, group: int, side: Side, batches: Batches, marks: pa.ChunkedArray | None
) -> Iterator[pa.Table]:
    # A dictionary, quickly read: most files of a catch-all have nothing of the other side's.
    if side.collections and not _has_any(source.read_row_group(group, columns=["collection"]), side):
        return
    named = [mark(side.record_type), "time_us", "batch", *(["collection"] if side.collections else [])]
    found: list[pa.ChunkedArray] = []
    for rows in plain_groups(source, side.record_type, named, [group]):
        wanted = pc.and_(wanted_of(rows, side), pa.array(batches.of(rows["batch"])))
        if marks is not None:
            found.append(pc.and_(wanted, pc.is_in(rows[mark(side.record_type)], value_set=marks)))
        elif pc.any(wanted).as_py():
            yield rows.filter(wanted)
    if any(pc.any(wanted).as_py() for wanted in found):
        events = plain_groups(source, side.record_type, schema.IDENTITY[side.record_type], [group])
        yield from (rows.filter(kept) for rows, kept in zip(events, found, strict=True) if pc.any(kept).as_py())


def _has_any(rows: pa.Table, side: Side) -> bool:
    return bool(pc.any(_of(rows, side)).as_py())


def _of(rows: pa.Table, side: Side) -> pa.ChunkedArray:
    return pc.is_in(rows["collection"], value_set=pa.array(side.collections))


def wanted_of(rows: pa.Table, side: Side) -> pa.ChunkedArray:
    """Which rows of a table, of its hour and type, belong to a side."""
    near = within(rows["time_us"], side.near)
    return pc.and_(near, _of(rows, side)) if side.collections else near


def within(times: pa.ChunkedArray, near: TimeSpan) -> pa.ChunkedArray:
    """Which of these times lie in a span."""
    return pc.and_(pc.greater_equal(times, near.since), pc.less(times, near.until))
