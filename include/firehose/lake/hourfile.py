"""Replacing one hour file: what it holds, less this batch's earlier rows, plus this batch's new ones.

One pass over the old file and two over the new rows, row group by row group: held are 25 bytes of each new row,
never the rows. Must not: know where rows come from, or what a batch is beyond the value of a column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from firehose import crash, schema
from firehose.lake import footers, records
from firehose.lake.footers import BatchCommits, DisplacedRows, Footer, Merged
from firehose.lake.identity import EventIndex, Fingerprints, fingerprints, identities
from firehose.lake.rowgroups import RowGroupWriter, read_groups
from firehose.store import LakePath


class Rows(Protocol):
    """New rows: each call reads them again, in the same order, and all columns or at least those named."""

    def __call__(self, columns: Sequence[str] | None = None, /) -> Iterator[pa.Table]: ...


class HourCommit(NamedTuple):
    """Rows that a batch brings into an hour file at a time.

    ``number`` counts the batch's commits into this file. With the first one, 0, the rows that the batch stored
    there in an earlier run are dropped; to a later one they count as present. ``source`` is the digest of all that
    the batch has of the type. ``elsewhere`` are identities of events that another file has (see
    :func:`firehose.lake.edges.copies_that_stay`): new rows of these are duplicates. ``types``: see
    :class:`firehose.lake.footers.BatchCommits`.
    """

    record_type: str
    batch: datetime
    rows: Rows
    source: str = ""
    number: int = 0
    elsewhere: pa.Array | None = None
    types: Sequence[str] = ()


def merge(path: LakePath, new: HourCommit) -> Merged:
    """Bring a batch's new rows into an hour file. The file and its record are replaced, or neither is.

    An event lies in the lake once: of two copies the one of the earlier batch stays, whatever the order in which
    batches come. The file keeps the outcome of each commit (:func:`firehose.lake.footers.commits_done`).

    Raises:
        CorruptLake: the old file cannot be read.
    """
    index = EventIndex(_fingerprints(new.record_type, rows) for rows in new.rows(schema.IDENTITY[new.record_type]))
    if new.elsewhere is not None and len(new.elsewhere):
        index.forget(_found(index, fingerprints(new.elsewhere)))
    footer, batch = footers.read(path), footers.batch_id(new.batch)
    displaced = Counter(footer.displaced)
    if new.number == 0:
        displaced.pop(batch, None)
    before = displaced.total()
    with records.replacing(path, batch) as draft, RowGroupWriter(draft, new.record_type) as writer:
        for group in read_groups(path, new.record_type):
            kept, lost = _keep(new.record_type, group, new.batch, index, first=new.number == 0)
            writer.keep(kept)
            displaced.update(lost)
        crash.reached(crash.Point.HOUR_COPIED)
        _append(writer, new.rows, index)
        stored = int(index.wanted.sum())
        merged = Merged(stored, len(index.wanted) - stored, displaced.total() - before)
        earlier = footer.commits[batch].slices[: new.number] if new.number else []
        commits = {**footer.commits, batch: BatchCommits(new.source, [*earlier, merged], [*new.types])}
        writer.note(Footer(dict(displaced), commits, footer.taken).encode())
    return merged


def drop_later(
    path: LakePath, record_type: str, batch: datetime, keys: pa.Array, *, source: str, taker: str
) -> None:
    """Drop the rows of later batches than ``batch`` whose identity is in ``keys``: it has them in another file.

    They are noted as displaced (see :func:`firehose.lake.footers.displaced`), and as taken, under ``taker``
    (:func:`firehose.lake.footers.displaced_rows`).

    Raises:
        CorruptLake: the old file cannot be read.
    """
    footer, index = footers.read(path), EventIndex([fingerprints(keys)])
    displaced: Counter[str] = Counter()
    with records.replacing(path, footers.batch_id(batch)) as draft, RowGroupWriter(draft, record_type) as writer:
        for group in read_groups(path, record_type):
            kept, lost = _keep(record_type, group, batch, index, first=False)
            writer.keep(kept)
            displaced.update(lost)
        crash.reached(crash.Point.HOUR_COPIED)
        before = footer.taken.get(taker)
        rows = displaced.total() + (before.rows if before and before.source == source else 0)
        taken = {**footer.taken, taker: DisplacedRows(source, rows)}
        writer.note(Footer(dict(Counter(footer.displaced) + displaced), footer.commits, taken).encode())


def put(path: LakePath, record_type: str, groups: Iterable[pa.Table], footer: Footer, by: str) -> None:
    """Replace an hour file by these row groups, each in order already, and this footer."""
    with records.replacing(path, by) as part, RowGroupWriter(part, record_type) as writer:
        for group in groups:
            writer.keep(group)
        writer.note(footer.encode())


def _keep(
    record_type: str, old: pa.Table, batch: datetime, index: EventIndex, *, first: bool
) -> tuple[pa.Table, Counter[str]]:
    """The rows of an old row group that stay, and how many are displaced, by batch.

    New events that it holds already are dropped from ``index``.
    """
    mine = pa.scalar(batch, old.schema.field("batch").type)
    if first and pc.any(own := pc.equal(old["batch"], mine)).as_py():
        old = old.filter(pc.invert(own))
    at = index.find(_fingerprints(record_type, old))
    later = pc.greater(old["batch"], mine).to_numpy()
    displaced = (at >= 0) & later
    index.drop(at[(at >= 0) & ~later])
    if not displaced.any():
        return old, Counter()
    losers = old["batch"].filter(pa.array(displaced)).value_counts().to_pylist()
    lost = Counter({footers.batch_id(counted["values"]): counted["counts"] for counted in losers})
    return old.filter(pa.array(~displaced)), lost


def _append(writer: RowGroupWriter, new: Rows, index: EventIndex) -> None:
    """Write the wanted rows."""
    start = 0
    for rows in new():
        wanted = index.wanted[start : start + len(rows)]
        writer.write(rows if wanted.all() else rows.filter(pa.array(wanted)))
        start += len(rows)


def _fingerprints(record_type: str, rows: pa.Table) -> Fingerprints:
    return fingerprints(identities(record_type, rows))


def _found(index: EventIndex, known: Fingerprints) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    at = index.find(known)
    return at[at >= 0]
