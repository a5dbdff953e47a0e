"""Where two hour files may hold copies of one event, and which they are.

Two hours of a type meet at an edge, on either side of which hosts have stamped copies. And rows of a type that
shares its queue may lie in the files of the catch-all, from before the type had files of its own: of the same hour
anywhere, of a neighbouring one near the edge. Within an hour copies lie in one file, whatever its layout: it
follows from the account. Must not: take locks, write (:mod:`firehose.lake.hourfile` does).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from firehose import schema
from firehose.lake import footers, precedence, users
from firehose.lake.hourfile import Rows, drop_later
from firehose.lake.identity import identities, mark
from firehose.lake.layout import FLAT, OTHERS, HourFile
from firehose.lake.precedence import Batches
from firehose.lake.sides import Side, rows_of, span, wanted_of, within
from firehose.records.registry import REGISTRY, catch_all
from firehose.store import LakePath


class Edge(NamedTuple):
    """Two hour files that may hold copies of one event: the one of the rows at hand, and its neighbour.

    The neighbour is the hour before or after, or a file of the catch-all.
    """

    own: Side
    neighbour: Side

    def taker(self, batch: datetime) -> str:
        """The key under which the neighbour notes what it lost to a batch's copies in the own file."""
        own = self.own.file
        other = "" if own.record_type == self.neighbour.record_type else own.record_type
        return footers.taker_id(batch, own.hour, other, own.user)


def edge_between(lake: LakePath, own: HourFile, neighbour: HourFile, other_lake: LakePath | None = None) -> Edge:
    """The edge between two hour files; the neighbour may lie in another lake."""
    return Edge(_side(lake, own, neighbour), _side(other_lake or lake, neighbour, own))


def beside(record_type: str, hour: int, times: Iterable[pa.ChunkedArray]) -> list[tuple[int, str]]:
    """The hours and types in which rows of an hour, with these witnessed times, may have copies."""
    near, last = neighbours(hour, times), catch_all(record_type)
    found = [(there, record_type) for there in near]
    if last is not None:
        found += [(there, last.name) for there in (hour, *near)]
    return found


def edges_of(lake: LakePath, own: HourFile, beside: Iterable[tuple[int, str]]) -> list[Edge]:
    """The edges between an hour file and those of other hours or types, as they are now."""
    return [edge_between(lake, own, there) for hour, of in beside for there in meeting(lake, own, of, hour)]


def meeting(lake: LakePath, own: HourFile, record_type: str, hour: int) -> list[HourFile]:
    """The files of another hour, or type, that may have events of the accounts that have events in this one."""
    there = users.layout_of(lake, record_type, hour)
    if own.user == FLAT:
        names = there.names
    elif own.user == OTHERS:
        apart = users.layout_of(lake, own.record_type, own.hour).users
        names = [name for name in there.names if name not in apart]
    else:
        names = [there.file_with(own.user)]
    return [HourFile(hour, record_type, name) for name in names]


def _side(lake: LakePath, at: HourFile, opposite: HourFile) -> Side:
    of_other = catch_all(opposite.record_type)
    only = (
        REGISTRY[opposite.record_type].collections
        if of_other is not None and of_other.name == at.record_type
        else ()
    )
    return Side(at, at.path(lake), span(at.hour, opposite.hour), only)


def neighbours(hour: int, times: Iterable[pa.ChunkedArray]) -> list[int]:
    """The hours beside ``hour`` that any of these witnessed times is near to."""
    beside, found = (hour - 1, hour + 1), set[int]()
    for some in times:
        found |= {neighbour for neighbour in beside if pc.any(within(some, span(hour, neighbour))).as_py()}
    return sorted(found)


def copies_that_stay(edge: Edge, new: Rows, batch: datetime) -> pa.Array:
    """Identities of ``new`` rows of which the other side has a copy that stays.

    That is one of an earlier batch; or one of the same batch and type in the hour before.
    """
    own, neighbour = edge
    none = pa.array([], pa.string())
    if not neighbour.path.exists():
        return none
    read = new([*schema.IDENTITY[own.record_type], "time_us"])
    near = pa.concat_tables([rows.filter(wanted_of(rows, own)) for rows in read])
    if not len(near):
        return none
    keys = identities(own.record_type, near)
    before = neighbour.record_type == own.record_type and neighbour.file.hour < own.file.hour
    upto = precedence.up_to(batch, itself=before)
    found = []
    for rows in rows_of(neighbour, upto, near[mark(own.record_type)]):
        theirs = identities(neighbour.record_type, rows)
        found.append(theirs.filter(pc.is_in(theirs, value_set=keys)))
    return pa.concat_arrays([none, *found])


def displaced_copies(edge: Edge, batch: datetime) -> pa.Array:
    """Identities of the other side's copies, by later batches, of what this batch has stored on this side."""
    return _copies(edge, precedence.only(batch), precedence.after(batch))


def displace(edge: Edge, batch: datetime, copies: pa.Array, source: str) -> None:
    """Drop these copies from the other side's file.

    Safe to repeat: they are found again each time, and only if this batch's own one is in its file.
    """
    neighbour = edge.neighbour
    drop_later(neighbour.path, neighbour.record_type, batch, copies, source=source, taker=edge.taker(batch))


def doubled(edge: Edge) -> int:
    """How many events lie on both sides of the edge.

    Raises:
        CorruptLake: a file cannot be read.
    """
    return len(_copies(edge, Batches(), Batches()))


def _copies(edge: Edge, ours: Batches, theirs: Batches) -> pa.Array:
    """Identities of rows of some batches of the other side, of which this side has a copy by some others."""
    own, neighbour = edge
    none = pa.array([], pa.string())
    marks = [rows[mark(neighbour.record_type)] for rows in rows_of(neighbour, theirs)]
    if not marks:
        return none
    wanted = pa.chunked_array([chunk for chunked in marks for chunk in chunked.chunks])
    mine = list(rows_of(own, ours, wanted))
    if not mine:
        return none
    keys = pa.concat_arrays([identities(own.record_type, rows) for rows in mine])
    wanted = pa.chunked_array([chunk for rows in mine for chunk in rows[mark(own.record_type)].chunks])
    found = [identities(neighbour.record_type, rows) for rows in rows_of(neighbour, theirs, wanted)]
    return pa.concat_arrays([none, *(array.filter(pc.is_in(array, value_set=keys)) for array in found)])
