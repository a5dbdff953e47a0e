"""What a condition of a query says of the hours that it reads, as a condition on ``firehose.completeness``.

Lives here: pure functions. Each result holds for every hour that the query reads; what is not understood gives
none. Must not: ask the engine.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from firehose.warehouse.query_tree import Node
from firehose.warehouse.selects import quoted

_VALUE: Final = re.compile(r"U?Int64_(-?\d+)|Decimal64_'(-?\d+(?:\.\d+)?)'|('(?:[^'\\]|\\.)*')")
_TUPLE: Final = re.compile(r"Tuple_\((.*)\)")
_INSTANT: Final = "DateTime64(6, 'UTC')"
_SECOND: Final = "DateTime('UTC')"
#: Columns that are the same for a whole hour, by name and type.
_OF_HOUR: Final = {
    ("date", "Date"): "date",
    ("day", "Date"): "date",
    ("hour_start", _SECOND): "hour_start",
    ("hour", _SECOND): "hour_start",
    ("year", "UInt16"): "toYear(date)",
    ("month", "UInt8"): "toMonth(date)",
    ("day", "UInt8"): "toDayOfMonth(date)",
    ("hour", "UInt8"): "toHour(hour_start)",
    ("type", "String"): "type",
    ("type", "LowCardinality(String)"): "type",
}
_START: Final = "toDateTime64(hour_start, 6, 'UTC')"
_END: Final = "toDateTime64(hour_start + 3600, 6, 'UTC')"
#: Columns with an instant, and the hour's start and end to compare with it.
_IN_HOUR: Final = {
    ("witnessed_at", _INSTANT): (_START, _END),
    ("at", _INSTANT): (_START, _END),
    ("minute", _SECOND): (_START, _END),
    ("time_us", "Int64"): (f"toUnixTimestamp64Micro({_START})", f"toUnixTimestamp64Micro({_END})"),
}
_ROUNDED: Final = {"toDate": "date", "toStartOfHour": "hour_start"}
_OPERATORS: Final = {"equals": "=", "less": "<", "lessOrEquals": "<=", "greater": ">", "greaterOrEquals": ">="}
_MIRRORED: Final = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def is_time(name: str, kind: str) -> bool:
    """Tell whether a column of this name and type says when."""
    return (name, kind) in _OF_HOUR.keys() | _IN_HOUR.keys() and name != "type"


def condition(part: Node, table: str) -> str:
    """The condition on hours that follows from ``part`` of a query, for this table; empty: none."""
    arguments = part.arguments
    if len(arguments) != 2:
        return ""
    if part.function == "in":
        values = _literals(arguments[1])
        return _same_in_hour(arguments[0], table, f"IN ({', '.join(values)})") if values else ""
    if not (operator := _OPERATORS.get(part.function, "")):
        return ""
    if arguments[0].constant:
        arguments, operator = arguments[::-1], _MIRRORED[operator]
    values = _literals(arguments[1])
    return _compared(arguments[0], table, operator, values[0]) if len(values) == 1 else ""


def _compared(column: Node, table: str, operator: str, value: str) -> str:
    if found := _same_in_hour(column, table, f"{operator} {value}"):
        return found
    if (of := _named(column, table)) not in _IN_HOUR:
        return ""
    start, end = _IN_HOUR[of]
    if operator == "=":
        return f"{start} <= {value} AND {end} > {value}"
    return f"{start} {operator} {value}" if operator.startswith("<") else f"{end} > {value}"


def _same_in_hour(node: Node, table: str, test: str) -> str:
    """The test of an expression that is the same for a whole hour; empty: it is another one."""
    if rounded := _ROUNDED.get(node.function):
        of = _named(node.arguments[0], table) if len(node.arguments) == 1 else ("", "")
        return f"{rounded} {test}" if of in _IN_HOUR and of[0] != "time_us" else ""
    column = _OF_HOUR.get(_named(node, table), "")
    if column == "type":  # 'all' is a type of some tables, and stands for every one
        return f"(type {test} OR 'all' {test})"
    return f"{column} {test}" if column else ""


def _named(node: Node, table: str) -> tuple[str, str]:
    """Name and type of a column of the table."""
    column = node.column
    return (column.name, column.type) if column and column.table == table else ("", "")


def _literals(node: Node) -> list[str]:
    """The values of a constant as SQL, those of a tuple one by one; none where it is of another kind."""
    value, kind = node.constant or ("", "")
    if tuple_of := _TUPLE.fullmatch(value):
        found = [*_VALUE.finditer(tuple_of[1])]
        of_each = kind[len("Tuple(") : -1].split(", ")[0]
        same = kind == f"Tuple({', '.join([of_each] * len(found))})"
        return [_literal(each, of_each) for each in found] if same else []
    single = _VALUE.fullmatch(value)
    return [_literal(single, kind)] if single else []


def _literal(value: re.Match[str], kind: str) -> str:
    integer, decimal, string = value.groups()
    if string:
        return str(string)
    if decimal:  # a DateTime64, in seconds
        return f"fromUnixTimestamp64Micro({int(Decimal(decimal) * 1_000_000)}, 'UTC')"
    return f"CAST({integer}, {quoted(kind)})"
