"""The Arrow types of a dataset's columns, by the types that the schema declares for ClickHouse.

Lives here: one type for each, whatever a server writes for it (an older one writes a Date as a number). Must not:
read anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from firehose.records.columns import ViewColumn

_PLAIN: Final = {
    "String": pa.string(),
    "Bool": pa.bool_(),
    "UInt8": pa.uint8(),
    "UInt16": pa.uint16(),
    "Int16": pa.int16(),
    "Int32": pa.int32(),
    "Int64": pa.int64(),
    "Float64": pa.float64(),
    "Date": pa.date32(),
    "DateTime('UTC')": pa.timestamp("s", tz="UTC"),
    "DateTime64(3, 'UTC')": pa.timestamp("ms", tz="UTC"),
    "DateTime64(6, 'UTC')": pa.timestamp("us", tz="UTC"),
}
_WRAPPED: Final = re.compile(r"(Nullable|LowCardinality|Array)\((.*)\)")


def field(column: ViewColumn) -> pa.Field:
    """The field of a column, with its comment."""
    kind, nullable = _type(column.type)
    return pa.field(column.name, kind, nullable, {"comment": column.comment})


def schema_of(columns: Iterable[ViewColumn]) -> pa.Schema:
    """The schema of these columns."""
    return pa.schema([field(column) for column in columns])


def conform(batch: pa.RecordBatch, wanted: pa.Schema) -> pa.RecordBatch:
    """A batch as a server sent it, in the types that are declared."""
    arrays = [_cast(batch.column(field.name), field.type) for field in wanted]
    return pa.RecordBatch.from_arrays(arrays, schema=wanted)


def _type(declared: str) -> tuple[pa.DataType, bool]:
    if match := _WRAPPED.fullmatch(declared):
        kind, _ = _type(match[2])
        return (pa.list_(kind) if match[1] == "Array" else kind), match[1] == "Nullable"
    return _PLAIN[declared], False


def _cast(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    if array.type == wanted:
        return array
    if pa.types.is_temporal(wanted) and pa.types.is_integer(array.type):
        whole = pa.int32() if pa.types.is_date32(wanted) else pa.int64()
        array = pc.cast(array, whole)
    return pc.cast(array, wanted)
