"""Where two hours meet: copies of one event that hosts have stamped on either side of the hour.

Reads only what lies near the edge, and of that first one column: a copy elsewhere is rare. Must not: take locks,
write (:mod:`firehose.lake.hourfile` does).
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
from firehose.lake import layout
from firehose.lake.hourfile import Rows, drop_later
from firehose.lake.identity import identities
from firehose.lake.rowgroups import corrupt

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


class Edge(NamedTuple):
    """An hour's rows near a neighbouring hour (``here``), and that hour's rows near this one (``there``)."""

    record_type: str
    hour: int
    neighbour: int
    here: Path
    there: Path


def edge(lake: Path, record_type: str, hour: int, neighbour: int) -> Edge:
    """The edge between an hour and the one before or after it."""
    here, there = (layout.hour_file(lake, record_type, one) for one in (hour, neighbour))
    return Edge(record_type, hour, neighbour, here, there)


def span(hour: int, neighbour: int) -> Span:
    """The part of an hour that lies near the one before or after it."""
    start, end = hour * layout.HOUR_US, (hour + 1) * layout.HOUR_US
    return Span(start, start + EDGE_US) if neighbour < hour else Span(end - EDGE_US, end)


def neighbours(hour: int, times: Iterable[pa.ChunkedArray]) -> list[int]:
    """The hours beside ``hour`` that any of these witnessed times is near to."""
    beside, found = (hour - 1, hour + 1), set[int]()
    for some in times:
        found |= {one for one in beside if pc.any(_within(some, span(hour, one))).as_py()}
    return sorted(found)


def held(at: Edge, new: Rows, batch: datetime) -> pa.Array:
    """Identities of ``new`` rows of which the neighbour has a copy that stays.

    That is one of an earlier batch; or one of the same batch in the hour before.
    """
    if not at.there.exists():
        return pa.array([], pa.string())
    read, here = new([*schema.IDENTITY[at.record_type], "time_us"]), span(at.hour, at.neighbour)
    near = pa.concat_tables([rows.filter(_within(rows["time_us"], here)) for rows in read])
    found = []
    if len(near):
        keys = identities(at.record_type, near)
        upto = Batches(last=batch if at.neighbour < at.hour else batch - _SECOND)
        for rows in _rows(at, at.there, upto, near[_mark(at)]):
            theirs = identities(at.record_type, rows)
            found.append(theirs.filter(pc.is_in(theirs, value_set=keys)))
    return pa.concat_arrays([pa.array([], pa.string()), *found])


def displaced_copies(at: Edge, batch: datetime) -> pa.Array:
    """Identities of the neighbour's copies, by later batches, of what this batch has stored near the edge."""
    return _copies(at, Batches(batch, batch), Batches(first=batch + _SECOND))


def displace(at: Edge, batch: datetime, copies: pa.Array, source: str) -> None:
    """Drop these copies from the neighbour's file.

    Safe to repeat: they are found anew each time, and only if this batch's own one is in its file.
    """
    drop_later(at.there, at.record_type, batch, copies, source=source, hour=at.hour)


def doubled(at: Edge) -> int:
    """How many events lie on both sides of the edge.

    Raises:
        CorruptLake: a file cannot be read.
    """
    return len(_copies(at, Batches(), Batches()))


def _copies(at: Edge, ours: Batches, theirs: Batches) -> pa.Array:
    """Identities of rows of some batches of the neighbour, of which this hour has a copy by some others."""
    none = pa.array([], pa.string())
    marks = [rows[_mark(at)] for rows in _rows(at, at.there, theirs)]
    if not marks:
        return none
    wanted = pa.chunked_array([chunk for one in marks for chunk in one.chunks])
    mine = list(_rows(at, at.here, ours, wanted))
    if not mine:
        return none
    keys = pa.concat_arrays([identities(at.record_type, rows) for rows in mine])
    wanted = pa.chunked_array([chunk for rows in mine for chunk in rows[_mark(at)].chunks])
    found = [identities(at.record_type, rows) for rows in _rows(at, at.there, theirs, wanted)]
    return pa.concat_arrays([none, *(one.filter(pc.is_in(one, value_set=keys)) for one in found)])


def _mark(at: Edge) -> str:
    """The one column of an identity that alone tells nearly all events apart."""
    return "rev" if at.record_type in schema.COMMIT_TYPES else "did"


def _rows(at: Edge, path: Path, batches: Batches, marks: pa.ChunkedArray | None = None) -> Iterator[pa.Table]:
    """Rows of one side of the edge by some batches, a row group at a time; none where there is no file.

    With ``marks``: identity of those rows only that have one of them. Without: the marks of all.
    """
    if not path.exists():
        return
    near = span(at.hour, at.neighbour) if path == at.here else span(at.neighbour, at.hour)
    try:
        with pq.ParquetFile(path) as source:
            for group in _groups(source.metadata, near, batches):
                rows = source.read_row_group(group, columns=[_mark(at), "time_us", "batch"])
                wanted = pc.and_(_within(rows["time_us"], near), _by(rows["batch"], batches))
                if marks is not None:
                    wanted = pc.and_(wanted, pc.is_in(rows[_mark(at)], value_set=marks))
                if not pc.any(wanted).as_py():
                    continue
                if marks is not None:
                    rows = source.read_row_group(group, columns=list(schema.IDENTITY[at.record_type]))
                yield rows.filter(wanted)
    except (pa.ArrowInvalid, OSError) as error:
        raise corrupt(path, error) from error


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
