"""Reads rows that were stored before their type had its own files: in the catch-all's, the whole record as JSON.

Lives here: SQL that turns a row of the catch-all into the columns of the type, as the decoder would have. Columns
are named with their table, because a view may give another column the same name. Must not: name any files.
"""

from __future__ import annotations

from firehose.records.base import RecordType
from firehose.records.registry import REGISTRY
from firehose.records.shared_columns import EXTRA
from firehose.warehouse.columns import file_columns


def columns(record_type: str, table: str) -> dict[str, str]:
    """SQL for each column of the type that the catch-all's files lack, or hold in another form."""
    of, record = REGISTRY[record_type], _record(table)
    types = {column.name: column.type for column in file_columns(record_type)}
    different = f"JSONExtractString({record}, '$type') != '{of.collection}'"
    rest = f"multiIf({table}.extra IS NULL, NULL, {different}, {table}.extra, {_rest(of, record)})"
    found = {EXTRA.name: rest}
    for field in of.fields:
        for column, sql in zip(field.columns, field.found_in(record), strict=True):
            found[column.name] = sql if types[column.name].startswith("Nullable") else f"ifNull({sql}, '')"
    return found


def shown_extra(of: RecordType, table: str) -> str:
    """SQL for the column ``extra`` of the type's view."""
    record = _record(table)
    different = f"JSONExtractString({record}, '$type') != '{of.collection}'"
    return f"multiIf({table}.extra IS NULL, '{{}}', {different}, {record}, {_rest(of, record)})"


def _record(table: str) -> str:
    """The record's JSON: ``extra`` is an array that holds it; NULL for a delete."""
    return f"substring(ifNull({table}.extra, ''), 2, length(ifNull({table}.extra, '')) - 2)"


def _rest(of: RecordType, record: str) -> str:
    """A JSON object with the parts of a record that no column of the type holds."""
    claim = f"if(JSONType({record}, 'createdAt') = 'String', 'createdAt', NULL)"
    held = ["'$type'", claim, *(f"if({field.held_in(record)}, '{field.key}', NULL)" for field in of.fields)]
    pairs = f"arrayFilter(p -> NOT has([{', '.join(held)}], p.1), JSONExtractKeysAndValuesRaw({record}))"
    return (
        f"concat('{{', arrayStringConcat(arrayMap(p -> concat(toJSONString(p.1), ':', p.2), {pairs}), ','), '}}')"
    )
