"""Rows from before their type had files of its own: in those of the catch-all, with the whole record as JSON.

Lives here: SQL over a row of the catch-all that gives the columns of the type, as the decoder would have. Columns
are named with their table, since a view may give another column the same name. Must not: say which files there
are.
"""

from __future__ import annotations

from firehose.records.base import RecordType
from firehose.records.registry import REGISTRY
from firehose.records.shared_columns import EXTRA
from firehose.warehouse.columns import file_columns


def columns(record_type: str, table: str) -> dict[str, str]:
    """SQL for each column of the type's files that the catch-all's lack or hold in another way."""
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
    """SQL for what the type's view shows as ``extra``."""
    record = _record(table)
    different = f"JSONExtractString({record}, '$type') != '{of.collection}'"
    return f"multiIf({table}.extra IS NULL, '{{}}', {different}, {record}, {_rest(of, record)})"


def _record(table: str) -> str:
    """The record's JSON: ``extra`` is an array of it, and NULL for a delete."""
    return f"substring(ifNull({table}.extra, ''), 2, length(ifNull({table}.extra, '')) - 2)"


def _rest(of: RecordType, record: str) -> str:
    """A JSON object of the parts of a record that no column of the type holds."""
    claim = f"if(JSONType({record}, 'createdAt') = 'String', 'createdAt', NULL)"
    held = ["'$type'", claim, *(f"if({field.held_in(record)}, '{field.key}', NULL)" for field in of.fields)]
    pairs = f"arrayFilter(p -> NOT has([{', '.join(held)}], p.1), JSONExtractKeysAndValuesRaw({record}))"
    return (
        f"concat('{{', arrayStringConcat(arrayMap(p -> concat(toJSONString(p.1), ':', p.2), {pairs}), ','), '}}')"
    )
