"""The rows that an hour file loses to a batch: what the batch stored there before, and later copies of its events.

Read is as little as possible: by statistics, then one column, and the identities only of rows that this leaves.
Must not: write, know which of the new rows are stored (:class:`firehose.lake.identity.EventIndex` does).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from firehose import parquet, schema
from firehose.lake import footers, precedence
from firehose.lake.identity import EventIndex, fingerprints, identities, mark

#: Rows whose marks are compared at a time. Each time a table of the new marks is built.
_MARKS_ROWS: Final = 2 * 1024 * 1024

Flags = npt.NDArray[np.bool_]


class Search(NamedTuple):
    """What to look for in an old file. New events that it holds already are dropped from ``events``.

    ``marks`` are those of the events (:func:`firehose.lake.identity.mark`), each at least once.
    ``first``: rows of ``batch`` itself go as well.
    """

    record_type: str
    batch: datetime
    events: EventIndex
    marks: pa.Array
    first: bool


class Loss(NamedTuple):
    """Of a row group: a flag for each row that goes, and how many rows of later batches these are, by batch."""

    goes: Flags
    lost: Counter[str]

    @property
    def stays(self) -> pa.Array:
        """The opposite of ``goes``, to filter by."""
        return pa.array(~self.goes)


def of_rows(search: Search, rows: pa.Table) -> Loss:
    """What some old rows lose, of which the columns of the identity and ``batch`` are there."""
    mine = pa.scalar(search.batch, rows.schema.field("batch").type)
    goes = np.zeros(len(rows), bool)
    if search.first:
        goes = pc.equal(rows["batch"], mine).to_numpy()
    left = np.flatnonzero(~goes)
    others = rows.filter(pa.array(~goes)) if goes.any() else rows
    at = search.events.find(fingerprints(identities(search.record_type, others)))
    later = precedence.after(search.batch).of(others["batch"])
    displaced = (at >= 0) & later
    search.events.drop(at[(at >= 0) & ~later])
    goes[left[displaced]] = True
    losers = others["batch"].filter(pa.array(displaced)).value_counts().to_pylist()
    return Loss(goes, Counter({footers.batch_id(found["values"]): found["counts"] for found in losers}))


def of_file(search: Search, source: pq.ParquetFile) -> dict[int, Loss]:
    """What the row groups of a file in today's plain columns lose; those that lose nothing are left out."""
    columns, found = [*schema.IDENTITY[search.record_type], "batch"], {}
    for group, suspects in _suspects(search, source):
        rows = source.read_row_group(group, columns)
        loss = of_rows(search, rows.filter(pa.array(suspects)))
        if loss.goes.any():
            goes = np.zeros(len(suspects), bool)
            goes[np.flatnonzero(suspects)] = loss.goes
            found[group] = Loss(goes, loss.lost)
    return found


def _suspects(search: Search, source: pq.ParquetFile) -> Iterator[tuple[int, Flags]]:
    """Row groups with rows of the batch itself or with a mark of a new event, and which rows these are."""
    found: dict[int, Flags] = {}
    if search.first:
        own = pa.array([search.batch], source.schema_arrow.field("batch").type)
        found = dict(_flags(source, "batch", own))
    for group, marked in _flags(source, mark(search.record_type), search.marks):
        found[group] = marked | found[group] if group in found else marked
    yield from sorted(found.items())


def _flags(source: pq.ParquetFile, column: str, among: pa.Array) -> Iterator[tuple[int, Flags]]:
    """For each row group that has any: which rows have one of these values in a column."""
    if not len(among):
        return
    bounds = tuple(pc.min_max(among).as_py().values())
    for some in _bunches(source.metadata, parquet.groups_within(source.metadata, {column: bounds})):
        found = pc.is_in(source.read_row_groups(some, [column])[column], value_set=among)
        start = 0
        for group in some:
            rows = source.metadata.row_group(group).num_rows
            if (flags := found.slice(start, rows).to_numpy()).any():
                yield group, flags
            start += rows


def _bunches(metadata: pq.FileMetaData, groups: Iterable[int]) -> Iterator[list[int]]:
    bunch: list[int] = []
    rows = 0
    for group in groups:
        bunch.append(group)
        rows += metadata.row_group(group).num_rows
        if rows >= _MARKS_ROWS:
            yield bunch
            bunch, rows = [], 0
    if bunch:
        yield bunch
