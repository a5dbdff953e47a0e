"""Plain rows out of hour files of either form and of any version.

Lives here: what a reader of hour files gets. Must not: open files, know what a row means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from firehose import schema
from firehose.lake import closed_form

#: Rows of a closed hour's large row groups that are made plain at a time.
PART_ROWS: Final = 128 * 1024


def plain_groups(
    source: pq.ParquetFile,
    record_type: str,
    names: Sequence[str] | None = None,
    numbers: Iterable[int] | None = None,
) -> Iterator[pa.Table]:
    """Row groups of an open hour file of either form, in today's schema, or these columns of them.

    Those of closed hours are large, and come in parts of :data:`PART_ROWS`.
    """
    chosen = range(source.num_row_groups) if numbers is None else numbers
    full = schema.SCHEMAS[record_type]
    wanted = full if names is None else pa.schema([full.field(name) for name in names])
    if not closed_form.form_of(source.metadata.metadata):
        for number in chosen:
            yield _conform(source.read_row_group(number, None if names is None else wanted.names), wanted)
        return
    stored = closed_form.stored_for(record_type, wanted.names)
    for part in source.iter_batches(PART_ROWS, [*chosen], stored):
        yield closed_form.decode(record_type, pa.Table.from_batches([part]), wanted.names)


def _conform(table: pa.Table, wanted: pa.Schema) -> pa.Table:
    """A table written by an earlier version: columns that it did not know are null."""
    if table.schema.equals(wanted):
        return table
    known = set(table.schema.names)
    return pa.Table.from_arrays(
        [
            pc.cast(table[field.name], field.type) if field.name in known else pa.nulls(len(table), field.type)
            for field in wanted
        ],
        schema=wanted,
    )
