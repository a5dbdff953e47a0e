"""The row groups of an hour file: how they are read, ordered, encoded and cut.

Must not: know what identifies an event, what a batch is, or when a file takes another one's place.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from firehose import parquet
from firehose.errors import CorruptLake
from firehose.lake.plain import plain_groups
from firehose.records.columns import Column, Packing
from firehose.records.registry import REGISTRY
from firehose.store import LakePath

#: Rows of a row group: large enough to compress and to scan well, small enough to hold several.
ROW_GROUP_ROWS = 128 * 1024
#: A row group of giant posts ends sooner: who replaces the file holds one, and its sorted copy.
ROW_GROUP_BYTES = 256 * 1024 * 1024
#: A group of an old file that is this full stays a group, and in its order: sorting costs as much as encoding.
_FULL: Final = 0.9
_DICTIONARY: Final = (Packing.FEW, Packing.SHARED)
_ENCODINGS: Final = (Packing.RISING, Packing.PREFIXED)


def read_groups(path: LakePath, record_type: str) -> Iterator[pa.Table]:
    """The row groups of a file in today's schema, one at a time; none where there is no file.

    Raises:
        CorruptLake: the file cannot be read.
    """
    if not path.exists():
        return
    try:
        with parquet.opened(path) as source:
            yield from plain_groups(source, record_type)
    except (pa.ArrowInvalid, OSError) as error:
        raise corrupt(path, error) from error


def row_count(path: LakePath) -> int:
    """The rows of a file, by its footer.

    Raises:
        CorruptLake: the file cannot be read.
    """
    try:
        return int(parquet.footer(path).num_rows)
    except (pa.ArrowInvalid, OSError) as error:
        raise corrupt(path, error) from error


def time_span(path: LakePath) -> tuple[int, int] | None:
    """The least and the greatest witnessed time of a file, in microseconds, by its footer; None: it has no rows.

    Raises:
        CorruptLake: the file cannot be read.
    """
    try:
        footer = parquet.footer(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise corrupt(path, error) from error
    column = footer.schema.names.index("time_us")
    groups = [footer.row_group(number).column(column).statistics for number in range(footer.num_row_groups)]
    known = [statistics for statistics in groups if statistics is not None and statistics.has_min_max]
    return (min(bounds.min for bounds in known), max(bounds.max for bounds in known)) if known else None


def rows_by_batch(path: LakePath) -> dict[datetime, int]:
    """The rows of each batch in a file, by the batch's start; none where there is no file. Reads one column.

    Raises:
        CorruptLake: the file cannot be read.
    """
    found: dict[datetime, int] = {}
    if not path.exists():
        return found
    try:
        with parquet.opened(path) as source:
            for index in range(source.num_row_groups):
                for counted in source.read_row_group(index, ["batch"])["batch"].value_counts().to_pylist():
                    found[counted["values"]] = found.get(counted["values"], 0) + counted["counts"]
    except (pa.ArrowInvalid, OSError) as error:
        raise corrupt(path, error) from error
    return found


def corrupt(path: LakePath, error: Exception) -> CorruptLake:
    """The error for an hour file that Arrow cannot read."""
    return CorruptLake(f"{path}: {error}; make it again from the raw batches with `firehose rebuild`")


class RowGroupWriter:
    """Writes rows in groups of a fair size, each one sorted. Holds what is less than a group."""

    def __init__(self, path: LakePath, record_type: str) -> None:
        of = REGISTRY[record_type]
        # Rows of a row group are sorted by what many of them share, so that equal values meet: a fifth of a like
        # file's size. The time within the hour follows, so that equal rows always lie in the same order.
        self._order = [(of.sort, "ascending"), ("time_us", "ascending")]
        self._file = pq.ParquetWriter(
            path,
            of.schema,
            compression="zstd",
            compression_level=3,
            use_dictionary=[_path(column) for column in of.columns if column.packing in _DICTIONARY],
            column_encoding={c.name: c.packing.value for c in of.columns if c.packing in _ENCODINGS},
            version="2.6",
        )
        self._waiting: list[pa.Table] = []

    def __enter__(self) -> RowGroupWriter:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self._flush(to_the_end=True)
        self._file.close()

    def keep(self, group: pa.Table) -> None:
        """Write what is left of a group of an old file, so in order already."""
        full = max(len(group) / ROW_GROUP_ROWS, group.nbytes / ROW_GROUP_BYTES)
        if self._waiting or full < _FULL:
            self.write(group)
        else:
            self._file.write_table(group, row_group_size=len(group))

    def write(self, table: pa.Table) -> None:
        """Write rows in no order."""
        if len(table):
            self._waiting.append(table)
        if sum(map(len, self._waiting)) >= ROW_GROUP_ROWS or _bytes(self._waiting) >= ROW_GROUP_BYTES:
            self._flush()

    def note(self, noted: dict[bytes, bytes]) -> None:
        """Keep something in the file's footer, so that it changes together with the rows."""
        self._file.add_key_value_metadata(noted)

    def _flush(self, *, to_the_end: bool = False) -> None:
        """Write whole groups; what is left over waits for more, unless it is the end."""
        if not self._waiting:
            return
        rows = pa.concat_tables(self._waiting)
        share = ROW_GROUP_BYTES / max(rows.nbytes, ROW_GROUP_BYTES)
        count = max(1, min(ROW_GROUP_ROWS, int(len(rows) * share)))
        end = len(rows) if to_the_end else len(rows) // count * count
        for start in range(0, end, count):
            group = rows.slice(start, count).sort_by(self._order)
            self._file.write_table(group, row_group_size=count)
        self._waiting = [rows.slice(end)] if end < len(rows) else []


def _path(column: Column) -> str:
    """A column as Parquet names it."""
    return f"{column.name}.list.element" if pa.types.is_list(column.type) else column.name


def _bytes(tables: list[pa.Table]) -> int:
    return sum(table.nbytes for table in tables)
