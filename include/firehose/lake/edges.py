"""Where two hour files may hold copies of one event, and which they are.

Two hours of a type meet at an edge, on either side of which hosts have stamped copies. And rows of a type that
shares its queue may lie in the files of the catch-all, from before the type had files of its own: of the same hour
anywhere, of a neighbouring one near the edge. Reads only what lies near, and of that first one column: a copy
elsewhere is rare. Must not: take locks, write (:mod:`firehose.lake.hourfile` does).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from firehose import schema
from firehose.lake import layout, notes
from firehose.lake.hourfile import Rows, drop_later
from firehose.lake.identity import identities
from firehose.lake.rowgroups import corrupt
from firehose.records.registry import REGISTRY, catch_all

#: How far apart the stamps of two copies may lie for them to be found across an hour's edge, in microseconds.
EDGE_US: Final = 15 * 60 * 1_000_000
_SECOND = timedelta(seconds=1)  # batches begin at whole seconds


class Batches(NamedTuple):
    """Batches by their start, both ends included."""

    first: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    last: datetime = datetime(9999, 1, 1, tzinfo=UTC)


class Span(NamedTuple):
    """Witnessed time in [since, until), in microseconds since the epoch."""

    since: int
    until: int


class Side(NamedTuple):
    """An hour file, and which of its rows may have a copy on the other side: those within ``near``.

    ``collections``: of these only; empty: of any.
    """

    record_type: str
    hour: int
    path: Path
    near: Span
    collections: tuple[str, ...] = ()


class Edge(NamedTuple):
    """Two hour files that may hold copies of one event; ``here`` is that of the rows at hand."""

    here: Side
    there: Side

    def taker(self, batch: datetime) -> str:
        """What rows that a batch's copies ``here`` displace ``there`` are noted under."""
        other = "" if self.here.record_type == self.there.record_type else self.here.record_type
        return notes.taker_id(batch, self.here.hour, other)


def edge(lake: Path, here: tuple[str, int], there: tuple[str, int], lake_there: Path | None = None) -> Edge:
    """The edge between two hour files, named by type and hour; the other side may lie in another lake."""
    return Edge(_side(lake, here, there), _side(lake_there or lake, there, here))


def edges_of(lake: Path, record_type: str, hour: int, times: Iterable[pa.ChunkedArray]) -> list[Edge]:
    """The edges at which rows of an hour, with these witnessed times, may have copies."""
    read = list(times)
    near, last = neighbours(hour, read), catch_all(record_type)
    found = [(record_type, beside) for beside in near]
    if last is not None and any(map(len, read)):
        found += [(last.name, at) for at in (hour, *near)]
    return [edge(lake, (record_type, hour), there) for there in found]


def _side(lake: Path, at: tuple[str, int], opposite: tuple[str, int]) -> Side:
    (record_type, hour), (other, there) = at, opposite
    of_other = catch_all(other)
    only = REGISTRY[other].collections if of_other is not None and of_other.name == record_type else ()
    return Side(record_type, hour, layout.hour_file(lake, record_type, hour), span(hour, there), only)


def span(hour: int, neighbour: int) -> Span:
    """The part of an hour that lies near another one: all of it, if they are the same."""
    start, end = hour * layout.HOUR_US, (hour + 1) * layout.HOUR_US
    if neighbour == hour:
        return Span(start, end)
    return Span(start, start + EDGE_US) if neighbour < hour else Span(end - EDGE_US, end)


def neighbours(hour: int, times: Iterable[pa.ChunkedArray]) -> list[int]:
    """The hours beside ``hour`` that any of these witnessed times is near to."""
    beside, found = (hour - 1, hour + 1), set[int]()
    for some in times:
        found |= {one for one in beside if pc.any(_within(some, span(hour, one))).as_py()}
    return sorted(found)


def held(at: Edge, new: Rows, batch: datetime) -> pa.Array:
    """Identities of ``new`` rows of which the other side has a copy that stays.

    That is one of an earlier batch; or one of the same batch and type in the hour before.
    """
    here, there = at
    none = pa.array([], pa.string())
    if not there.path.exists():
        return none
    read = new([*schema.IDENTITY[here.record_type], "time_us"])
    near = pa.concat_tables([rows.filter(_wanted(rows, here)) for rows in read])
    if not len(near):
        return none
    keys = identities(here.record_type, near)
    before = there.record_type == here.record_type and there.hour < here.hour
    upto = Batches(last=batch if before else batch - _SECOND)
    found = []
    for rows in _rows(there, upto, near[_mark(here)]):
        theirs = identities(there.record_type, rows)
        found.append(theirs.filter(pc.is_in(theirs, value_set=keys)))
    return pa.concat_arrays([none, *found])


def displaced_copies(at: Edge, batch: datetime) -> pa.Array:
    """Identities of the other side's copies, by later batches, of what this batch has stored on this side."""
    return _copies(at, Batches(batch, batch), Batches(first=batch + _SECOND))


def displace(at: Edge, batch: datetime, copies: pa.Array, source: str) -> None:
    """Drop these copies from the other side's file.

    Safe to repeat: they are found anew each time, and only if this batch's own one is in its file.
    """
    there = at.there
    drop_later(there.path, there.record_type, batch, copies, source=source, taker=at.taker(batch))


def doubled(at: Edge) -> int:
    """How many events lie on both sides of the edge.

    Raises:
        CorruptLake: a file cannot be read.
    """
    return len(_copies(at, Batches(), Batches()))


def _copies(at: Edge, ours: Batches, theirs: Batches) -> pa.Array:
    """Identities of rows of some batches of the other side, of which this side has a copy by some others."""
    here, there = at
    none = pa.array([], pa.string())
    marks = [rows[_mark(there)] for rows in _rows(there, theirs)]
    if not marks:
        return none
    wanted = pa.chunked_array([chunk for one in marks for chunk in one.chunks])
    mine = list(_rows(here, ours, wanted))
    if not mine:
        return none
    keys = pa.concat_arrays([identities(here.record_type, rows) for rows in mine])
    wanted = pa.chunked_array([chunk for rows in mine for chunk in rows[_mark(here)].chunks])
    found = [identities(there.record_type, rows) for rows in _rows(there, theirs, wanted)]
    return pa.concat_arrays([none, *(one.filter(pc.is_in(one, value_set=keys)) for one in found)])


def _mark(side: Side) -> str:
    """The one column of an identity that alone tells nearly all events apart."""
    return "rev" if REGISTRY[side.record_type].is_commit else "did"


def _rows(side: Side, batches: Batches, marks: pa.ChunkedArray | None = None) -> Iterator[pa.Table]:
    """Rows of one side by some batches, a row group at a time; none where there is no file.

    With ``marks``: identity of those rows only that have one of them. Without: the marks of all.
    """
    if not side.path.exists():
        return
    try:
        with pq.ParquetFile(side.path) as source:
            for group in _groups(source.metadata, side.near, batches):
                # A dictionary, quickly read: most files of a catch-all have nothing of the other side's.
                if side.collections and not _has_any(source.read_row_group(group, columns=["collection"]), side):
                    continue
                named = ["collection"] if side.collections else []
                rows = source.read_row_group(group, columns=[_mark(side), "time_us", "batch", *named])
                wanted = pc.and_(_wanted(rows, side), _by(rows["batch"], batches))
                if marks is not None:
                    wanted = pc.and_(wanted, pc.is_in(rows[_mark(side)], value_set=marks))
                if not pc.any(wanted).as_py():
                    continue
                if marks is not None:
                    rows = source.read_row_group(group, columns=list(schema.IDENTITY[side.record_type]))
                yield rows.filter(wanted)
    except (pa.ArrowInvalid, OSError) as error:
        raise corrupt(side.path, error) from error


def _has_any(rows: pa.Table, side: Side) -> bool:
    return bool(pc.any(_of(rows, side)).as_py())


def _of(rows: pa.Table, side: Side) -> pa.ChunkedArray:
    return pc.is_in(rows["collection"], value_set=pa.array(side.collections))


def _wanted(rows: pa.Table, side: Side) -> pa.ChunkedArray:
    near = _within(rows["time_us"], side.near)
    return pc.and_(near, _of(rows, side)) if side.collections else near


def _within(times: pa.ChunkedArray, near: Span) -> pa.ChunkedArray:
    return pc.and_(pc.greater_equal(times, near.since), pc.less(times, near.until))


def _by(column: pa.ChunkedArray, batches: Batches) -> pa.ChunkedArray:
    first, last = (pa.scalar(one, column.type) for one in batches)
    return pc.and_(pc.greater_equal(column, first), pc.less_equal(column, last))


def _groups(metadata: pq.FileMetaData, near: Span, batches: Batches) -> Iterator[int]:
    """The row groups that may hold rows of a span and of some batches, by their statistics."""
    columns = {metadata.schema.column(number).path: number for number in range(metadata.num_columns)}
    for group in range(metadata.num_row_groups):
        wanted: dict[str, tuple[Any, Any]] = {"time_us": (near.since, near.until - 1), "batch": batches}
        held_here = (metadata.row_group(group).column(columns[name]).statistics for name in wanted)
        if all(
            one is None or not one.has_min_max or (one.min <= last and one.max >= first)
            for one, (first, last) in zip(held_here, wanted.values(), strict=True)
        ):
            yield group
