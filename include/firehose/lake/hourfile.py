"""Replacing one hour file: what it holds, less this batch's earlier rows, plus this batch's new ones.

Of the old file only that is decoded which changes or may hold a copy. The new rows are read twice, row group by
row group: held are some 40 bytes of each new row, never the rows. Must not: know where rows come from, or what a
batch is beyond the value of a column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import pyarrow as pa

from firehose import crash, schema
from firehose.lake import footers, records, splice
from firehose.lake.carry import carry
from firehose.lake.footers import BatchCommits, DisplacedRows, Footer, Merged
from firehose.lake.identity import EventIndex, Fingerprints, fingerprints, identities, mark, marks
from firehose.lake.losses import Search
from firehose.lake.rowgroups import RowGroupWriter
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
    search = _search(new)
    events = search.events
    footer, batch = footers.read(path), footers.batch_id(new.batch)
    displaced = Counter(footer.displaced)
    if new.number == 0:
        displaced.pop(batch, None)
    with records.replacing(path, batch) as draft:
        with RowGroupWriter(draft, new.record_type) as writer:
            carried = carry(path, search, writer)
            crash.reached(crash.Point.HOUR_COPIED)
            _append(writer, new.rows, events)
            stored = int(events.wanted.sum())
            merged = Merged(stored, len(events.wanted) - stored, carried.lost.total())
            earlier = footer.commits[batch].slices[: new.number] if new.number else []
            commits = {**footer.commits, batch: BatchCommits(new.source, [*earlier, merged], [*new.types])}
            writer.note(Footer(dict(displaced + carried.lost), commits, footer.taken).encode())
        splice.append(draft, path, carried.untouched)
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
    footer, prints = footers.read(path), fingerprints(keys)
    events = EventIndex([prints])
    events.drop(events.find(prints))  # none of them comes into this file
    search = Search(record_type, batch, events, marks(record_type, keys), first=False)
    with records.replacing(path, footers.batch_id(batch)) as draft:
        with RowGroupWriter(draft, record_type) as writer:
            carried = carry(path, search, writer)
            crash.reached(crash.Point.HOUR_COPIED)
            before = footer.taken.get(taker)
            rows = carried.lost.total() + (before.rows if before and before.source == source else 0)
            taken = {**footer.taken, taker: DisplacedRows(source, rows)}
            writer.note(Footer(dict(Counter(footer.displaced) + carried.lost), footer.commits, taken).encode())
        splice.append(draft, path, carried.untouched)


def put(path: LakePath, record_type: str, groups: Iterable[pa.Table], footer: Footer, by: str) -> None:
    """Replace an hour file by these row groups, each in order already, and this footer."""
    with records.replacing(path, by) as part, RowGroupWriter(part, record_type) as writer:
        for group in groups:
            writer.keep(group)
        writer.note(footer.encode())


def _search(new: HourCommit) -> Search:
    """The search of an old file for copies of new rows, of which their identities are read."""
    prints: list[Fingerprints] = []
    found = [pa.array([], pa.string())]
    for rows in new.rows(schema.IDENTITY[new.record_type]):
        prints.append(fingerprints(identities(new.record_type, rows)))
        found += rows[mark(new.record_type)].chunks
    events = EventIndex(prints)
    if new.elsewhere is not None and len(new.elsewhere):
        at = events.find(fingerprints(new.elsewhere))
        events.forget(at[at >= 0])
    return Search(new.record_type, new.batch, events, pa.concat_arrays(found), first=new.number == 0)


def _append(writer: RowGroupWriter, new: Rows, events: EventIndex) -> None:
    """Write the wanted rows."""
    start = 0
    for rows in new():
        wanted = events.wanted[start : start + len(rows)]
        writer.write(rows if wanted.all() else rows.filter(pa.array(wanted)))
        start += len(rows)
