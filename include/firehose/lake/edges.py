"""Where two hour files may hold copies of one event, and which they are.

Two hours of a type meet at an edge, on either side of which hosts have stamped copies. And rows of a type that
shares its queue may lie in the files of the catch-all, from before the type had files of its own: of the same hour
anywhere, of a neighbouring one near the edge. Must not: take locks, write (:mod:`firehose.lake.hourfile` does).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from firehose import schema
from firehose.lake import layout, notes
from firehose.lake.hourfile import Rows, drop_later
from firehose.lake.identity import identities
from firehose.lake.sides import Batches, Side, mark, rows_of, span, wanted_of, within
from firehose.records.registry import REGISTRY, catch_all
from firehose.store import LakePath

_SECOND = timedelta(seconds=1)  # batches begin at whole seconds


class Edge(NamedTuple):
    """Two hour files that may hold copies of one event; ``here`` is that of the rows at hand."""

    here: Side
    there: Side

    def taker(self, batch: datetime) -> str:
        """What rows that a batch's copies ``here`` displace ``there`` are noted under."""
        other = "" if self.here.record_type == self.there.record_type else self.here.record_type
        return notes.taker_id(batch, self.here.hour, other)


def edge(
    lake: LakePath, here: tuple[str, int], there: tuple[str, int], lake_there: LakePath | None = None
) -> Edge:
    """The edge between two hour files, named by type and hour; the other side may lie in another lake."""
    return Edge(_side(lake, here, there), _side(lake_there or lake, there, here))


def edges_of(lake: LakePath, record_type: str, hour: int, times: Iterable[pa.ChunkedArray]) -> list[Edge]:
    """The edges at which rows of an hour, with these witnessed times, may have copies."""
    near, last = neighbours(hour, times), catch_all(record_type)
    found = [(record_type, beside) for beside in near]
    if last is not None:
        found += [(last.name, at) for at in (hour, *near)]
    return [edge(lake, (record_type, hour), there) for there in found]


def _side(lake: LakePath, at: tuple[str, int], opposite: tuple[str, int]) -> Side:
    (record_type, hour), (other, there) = at, opposite
    of_other = catch_all(other)
    only = REGISTRY[other].collections if of_other is not None and of_other.name == record_type else ()
    return Side(record_type, hour, layout.hour_file(lake, record_type, hour), span(hour, there), only)


def neighbours(hour: int, times: Iterable[pa.ChunkedArray]) -> list[int]:
    """The hours beside ``hour`` that any of these witnessed times is near to."""
    beside, found = (hour - 1, hour + 1), set[int]()
    for some in times:
        found |= {one for one in beside if pc.any(within(some, span(hour, one))).as_py()}
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
    near = pa.concat_tables([rows.filter(wanted_of(rows, here)) for rows in read])
    if not len(near):
        return none
    keys = identities(here.record_type, near)
    before = there.record_type == here.record_type and there.hour < here.hour
    upto = Batches(last=batch if before else batch - _SECOND)
    found = []
    for rows in rows_of(there, upto, near[mark(here)]):
        theirs = identities(there.record_type, rows)
        found.append(theirs.filter(pc.is_in(theirs, value_set=keys)))
    return pa.concat_arrays([none, *found])


def displaced_copies(at: Edge, batch: datetime) -> pa.Array:
    """Identities of the other side's copies, by later batches, of what this batch has stored on this side."""
    return _copies(at, Batches(batch, batch), Batches(first=batch + _SECOND))


def displace(at: Edge, batch: datetime, copies: pa.Array, source: str) -> None:
    """Drop these copies from the other side's file.

    Safe to repeat: they are found again each time, and only if this batch's own one is in its file.
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
    marks = [rows[mark(there)] for rows in rows_of(there, theirs)]
    if not marks:
        return none
    wanted = pa.chunked_array([chunk for one in marks for chunk in one.chunks])
    mine = list(rows_of(here, ours, wanted))
    if not mine:
        return none
    keys = pa.concat_arrays([identities(here.record_type, rows) for rows in mine])
    wanted = pa.chunked_array([chunk for rows in mine for chunk in rows[mark(here)].chunks])
    found = [identities(there.record_type, rows) for rows in rows_of(there, theirs, wanted)]
    return pa.concat_arrays([none, *(one.filter(pc.is_in(one, value_set=keys)) for one in found)])
