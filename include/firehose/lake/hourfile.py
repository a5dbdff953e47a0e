"""Replacing one hour file: what it holds, less this batch's earlier rows, plus this batch's new ones.

One pass over the old file and two over the new rows, row group by row group: held are 25 bytes of each new row,
never the rows. Must not: know where rows come from, or what a batch is beyond the value of a column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from firehose import crash, schema
from firehose.lake import notes, records
from firehose.lake.identity import Events, Prints, identities, prints
from firehose.lake.notes import Done, Merged, Noted, Taken
from firehose.lake.rowgroups import Writer, read_groups
from firehose.store import LakePath


class Rows(Protocol):
    """New rows: each call reads them again, in the same order, and all columns or at least those named."""

    def __call__(self, columns: Sequence[str] | None = None, /) -> Iterator[pa.Table]: ...


def merge(
    path: LakePath,
    record_type: str,
    batch: datetime,
    new: Rows,
    *,
    source: str = "",
    number: int = 0,
    elsewhere: pa.Array | None = None,
    types: Sequence[str] = (),
) -> Merged:
    """Bring ``new`` rows of ``batch`` into an hour file. The file and its record are replaced, or neither is.

    An event lies in the lake once: of two copies the one of the earlier batch stays, whatever the order in
    which batches come. ``number`` is that of the commit: with the first one, 0, the rows that this batch stored in
    an earlier run are dropped; to a later one they count as present. ``source`` is the digest of all that the
    batch has; it is kept in the file with the outcome of each commit (:func:`firehose.lake.notes.commits_done`).
    ``elsewhere`` are identities that another file has (see :func:`firehose.lake.edges.held`): their new rows are
    duplicates. ``types``: see :class:`firehose.lake.notes.Done`.

    Raises:
        CorruptLake: the old file cannot be read.
    """
    events = Events(_prints(record_type, rows) for rows in new(schema.IDENTITY[record_type]))
    if elsewhere is not None and len(elsewhere):
        events.forget(_found(events, prints(elsewhere)))
    noted, mine = notes.read(path), notes.batch_id(batch)
    gone = Counter(noted.displaced)
    if number == 0:
        gone.pop(mine, None)
    before = gone.total()
    with records.replacing(path, notes.batch_id(batch)) as part, Writer(part, record_type) as writer:
        for old in read_groups(path, record_type):
            kept, lost = _keep(record_type, old, batch, events, first=number == 0)
            writer.keep(kept)
            gone.update(lost)
        crash.reached(crash.Point.HOUR_COPIED)
        _append(writer, new, events)
        stored = int(events.wanted.sum())
        merged = Merged(stored, len(events.wanted) - stored, gone.total() - before)
        earlier = noted.commits[mine].slices[:number] if number else []
        commits = {**noted.commits, mine: Done(source, [*earlier, merged], [*types])}
        writer.note(Noted(dict(gone), commits, noted.taken).encode())
    return merged


def drop_later(
    path: LakePath, record_type: str, batch: datetime, keys: pa.Array, *, source: str, taker: str
) -> None:
    """Drop the rows of later batches than ``batch`` whose identity is in ``keys``: it has them in another file.

    They are noted as displaced (see :func:`firehose.lake.notes.displaced`), and as taken, under ``taker``
    (:func:`firehose.lake.notes.taken`).

    Raises:
        CorruptLake: the old file cannot be read.
    """
    noted, events = notes.read(path), Events([prints(keys)])
    gone: Counter[str] = Counter()
    with records.replacing(path, notes.batch_id(batch)) as part, Writer(part, record_type) as writer:
        for old in read_groups(path, record_type):
            kept, lost = _keep(record_type, old, batch, events, first=False)
            writer.keep(kept)
            gone.update(lost)
        crash.reached(crash.Point.HOUR_COPIED)
        before = notes.taken(path, taker)
        rows = gone.total() + (before.rows if before and before.source == source else 0)
        taken = {**noted.taken, taker: Taken(source, rows)}
        writer.note(Noted(dict(Counter(noted.displaced) + gone), noted.commits, taken).encode())


def put(path: LakePath, record_type: str, groups: Iterable[pa.Table], noted: Noted, by: str) -> None:
    """Replace an hour file by these row groups, each in order already, and these notes."""
    with records.replacing(path, by) as part, Writer(part, record_type) as writer:
        for group in groups:
            writer.keep(group)
        writer.note(noted.encode())


def _keep(
    record_type: str, old: pa.Table, batch: datetime, events: Events, *, first: bool
) -> tuple[pa.Table, Counter[str]]:
    """The rows of an old row group that stay, and how many are displaced, by batch.

    New events that it holds already are dropped from ``events``.
    """
    mine = pa.scalar(batch, old.schema.field("batch").type)
    if first and pc.any(own := pc.equal(old["batch"], mine)).as_py():
        old = old.filter(pc.invert(own))
    at = events.find(_prints(record_type, old))
    later = pc.greater(old["batch"], mine).to_numpy()
    displaced = (at >= 0) & later
    events.drop(at[(at >= 0) & ~later])
    if not displaced.any():
        return old, Counter()
    losers = old["batch"].filter(pa.array(displaced)).value_counts().to_pylist()
    lost = Counter({notes.batch_id(one["values"]): one["counts"] for one in losers})
    return old.filter(pa.array(~displaced)), lost


def _append(writer: Writer, new: Rows, events: Events) -> None:
    """Write the wanted rows."""
    start = 0
    for rows in new():
        wanted = events.wanted[start : start + len(rows)]
        writer.write(rows if wanted.all() else rows.filter(pa.array(wanted)))
        start += len(rows)


def _prints(record_type: str, rows: pa.Table) -> Prints:
    return prints(identities(record_type, rows))


def _found(events: Events, known: Prints) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    at = events.find(known)
    return at[at >= 0]
