"""The closed form of rows: columns that follow from others are kept as what differs. Pure functions over tables.

What a column's way is, the record types declare (:mod:`firehose.records.kept`). Must not: read or write files,
know the order of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from firehose.records.base import RecordType
from firehose.records.columns import Column
from firehose.records.registry import REGISTRY

#: In a file's footer: its form. Files of open hours have none.
KEY: Final = b"firehose:form"
CLOSED: Final = "closed 2"
#: In the footer of a closed file: the SHA-256 of its rows' CIDs, a line each.
CIDS: Final = b"firehose:cids"


def form_of(noted: dict[bytes, bytes] | None) -> str:
    """The form that a footer's notes say; empty: open."""
    return (noted or {}).get(KEY, b"").decode(errors="replace")


@cache
def columns(record_type: str) -> tuple[Column, ...]:
    """The columns of a type's closed files."""
    of = REGISTRY[record_type]
    gone = {kept.name for kept in of.kept if not kept.stored}
    added = (column for kept in of.kept for column in kept.adds)
    return (*(column for column in of.columns if column.name not in gone), *added)


@cache
def schema(record_type: str) -> pa.Schema:
    """The Arrow schema of a type's closed files."""
    return pa.schema([(column.name, column.type) for column in columns(record_type)])


def encode(record_type: str, plain: pa.Table) -> pa.Table:
    """Rows of the type's schema in closed form, in the same order."""
    rows = _arrays(plain)
    stored = dict(rows)
    for kept in REGISTRY[record_type].kept:
        stored |= kept.keep(rows)
    wanted = schema(record_type)
    return pa.Table.from_arrays([stored[name] for name in wanted.names], schema=wanted)


def decode(record_type: str, stored: pa.Table, names: Sequence[str] | None = None) -> pa.Table:
    """The inverse of :func:`encode`. ``names``: these columns only, of what :func:`stored_for` says.

    A column that the file does not have, since its version did not know it, is null.
    """
    of = REGISTRY[record_type]
    wanted = of.schema if names is None else pa.schema([of.schema.field(name) for name in names])
    known, rows = schema(record_type), _arrays(stored)
    for name in stored_for(record_type, wanted.names):
        field = known.field(name)
        found = rows.get(name)
        rows[name] = pa.nulls(len(stored), field.type) if found is None else pc.cast(found, field.type)
    asked = _needed(of, wanted.names)
    for kept in of.kept:
        if kept.name in asked:
            rows[kept.name] = kept.give(rows)
    return pa.Table.from_arrays([rows[name] for name in wanted.names], schema=wanted)


def stored_for(record_type: str, names: Sequence[str]) -> list[str]:
    """The columns of a closed file out of which :func:`decode` makes these plain ones."""
    of = REGISTRY[record_type]
    asked = _needed(of, names)
    added = {column.name for kept in of.kept if kept.name in asked for column in kept.adds}
    return [name for name in schema(record_type).names if name in asked or name in added]


def add_cids(digest: Any, record_type: str, plain: pa.Table) -> None:
    """Add the CIDs of plain rows to a digest, a line each; of types whose rows have none, nothing."""
    if not REGISTRY[record_type].is_commit:
        return
    for chunk in pc.binary_join_element_wise(pc.fill_null(plain["cid"], ""), "", "\n").chunks:
        ends = np.frombuffer(chunk.buffers()[1], np.int32, len(chunk) + 1, chunk.offset * 4)
        digest.update(memoryview(chunk.buffers()[2] or b"")[ends[0] : ends[-1]])


def is_proven(noted: dict[bytes, bytes] | None, cids: str) -> bool:
    """Tell whether this is the digest of the CIDs that a file was closed with; an open file has none."""
    return not form_of(noted) or (noted or {}).get(CIDS) == cids.encode()


def _needed(of: RecordType, names: Sequence[str]) -> set[str]:
    """These plain columns and those that they follow from."""
    asked = set(names)
    for kept in reversed(of.kept):
        if kept.name in asked:
            asked |= set(kept.needs)
    return asked


def _arrays(table: pa.Table) -> dict[str, pa.Array]:
    return {name: _whole(table[name]) for name in table.schema.names}


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
