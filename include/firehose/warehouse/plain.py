"""Plain columns of hour files of either form: those that closed hours keep in another way are computed.

Lives here: SQL text. Where a query asks for none of them, nothing of it is computed, nor are the columns read that
it needs. Must not: name any files; declare how a column is kept (firehose.records.kept).
"""

from __future__ import annotations

from firehose.records.columns import ViewColumn
from firehose.records.registry import REGISTRY
from firehose.warehouse.columns import clickhouse_type, file_columns


def columns(record_type: str, table: str) -> dict[str, str]:
    """SQL for each column of the type's files, out of ``table``, which has the columns of either form."""
    found = {column.name: f"{table}.{column.name}" for column in file_columns(record_type)}
    for kept in REGISTRY[record_type].kept:
        found[kept.name] = kept.sql(found, table)
    return found


def stored_columns(record_type: str) -> list[ViewColumn]:
    """The columns of either form."""
    added = (column for kept in REGISTRY[record_type].kept for column in kept.adds)
    return [
        *file_columns(record_type),
        *(ViewColumn(one.name, clickhouse_type(one.name, one.type), one.comment) for one in added),
    ]
