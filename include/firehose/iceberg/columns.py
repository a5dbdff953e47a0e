"""The columns of an Iceberg table: those of a type's closed files that are there as they are in every row.

What a closed file keeps in another way (:mod:`firehose.records.kept`) would be null where it follows from others,
so the tables do not show it. The hour is in no file: it is a file's partition, from which readers take it.
Must not: I/O.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Transaction
from pyiceberg.transforms import IdentityTransform
from pyiceberg.typedef import Record
from pyiceberg.types import (
    BooleanType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StringType,
    TimestamptzType,
)

from firehose.lake import closed_form
from firehose.lake.layout import HOUR_US
from firehose.records.columns import Column
from firehose.records.registry import REGISTRY

HOUR: Final = "hour_start"
_HOUR_FIELD: Final = NestedField(1, HOUR, TimestamptzType(), required=False, doc="Its hour; prunes files")
#: By identity, so that it is a column of every row.
SPEC: Final = PartitionSpec(PartitionField(1, 1000, IdentityTransform(), HOUR))
_TYPES: Final[tuple[tuple[pa.DataType, IcebergType], ...]] = (
    (pa.bool_(), BooleanType()),
    (pa.int16(), IntegerType()),
    (pa.int32(), IntegerType()),
    (pa.int64(), LongType()),
    (pa.string(), StringType()),
    (pa.timestamp("ms", tz="UTC"), TimestamptzType()),
    (pa.timestamp("us", tz="UTC"), TimestamptzType()),
)


def schema(record_type: str) -> Schema:
    """The hour, and all columns of a type's closed files; field ids are given again where a table is made."""
    return Schema(_HOUR_FIELD, *map(_field, range(3, 2000, 2), closed_form.columns(record_type)))


def partition(hour: int) -> Record:
    """The partition of the files of an hour."""
    return Record(hour * HOUR_US)


def hidden(record_type: str) -> set[str]:
    """Those that a table does not show, but knows: pyiceberg reads no file that has a column of unknown name."""
    kept = REGISTRY[record_type].kept
    return {name for each in kept for name in (each.name, *(added.name for added in each.adds))}


def update(transaction: Transaction, record_type: str) -> None:
    """Give a table the columns that it lacks, and hide those that it is not to show."""
    mapping = transaction.table_metadata.name_mapping()
    known = {name for field in mapping.root for name in field.names} if mapping else set()
    if added := [field for field in schema(record_type).fields if field.name not in known]:
        with transaction.update_schema() as wider:
            wider.union_by_name(Schema(*added))
    if shown := hidden(record_type) & set(transaction.table_metadata.schema().column_names):
        with transaction.update_schema() as narrower:
            for name in sorted(shown):
                narrower.delete_column(name)


def _field(number: int, column: Column) -> NestedField:
    return NestedField(number, column.name, _type(number, column.type), required=False, doc=column.comment)


def _type(number: int, of: pa.DataType) -> IcebergType:
    if pa.types.is_list(of):
        return ListType(number + 1, _type(number, of.value_type), element_required=False)
    return next(made for arrow, made in _TYPES if arrow == of)
