"""The layout of a column in ClickHouse's Native format, from the name of its type.

Lives here: reading type names, and types whose data names further types. Must not: blocks (native).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from clickhouse_http.sql.statement import items
from clickhouse_http.wire.native_columns import (
    Array,
    Cursor,
    Fixed,
    Layout,
    LowCardinality,
    Several,
    Strings,
    Unreadable,
    Variant,
)

_WIDTHS: Final = {
    **dict.fromkeys(("Int8", "UInt8", "Bool", "Enum8", "Nothing"), 1),
    **dict.fromkeys(("Int16", "UInt16", "Date", "Enum16", "BFloat16"), 2),
    **dict.fromkeys(("Int32", "UInt32", "Float32", "Date32", "DateTime", "Time", "IPv4"), 4),
    **dict.fromkeys(("Int64", "UInt64", "Float64", "DateTime64", "Time64"), 8),
    **dict.fromkeys(("Int128", "UInt128", "UUID", "IPv6"), 16),
    **dict.fromkeys(("Int256", "UInt256"), 32),
}
_ALIASES: Final = {
    "Point": "Tuple(Float64, Float64)",
    **dict.fromkeys(("Ring", "LineString", "MultiPoint"), "Array(Point)"),
    **dict.fromkeys(("Polygon", "MultiLineString"), "Array(Ring)"),
    "MultiPolygon": "Array(Polygon)",
}
_DECIMAL_WIDTHS: Final = ((9, 4), (18, 8), (38, 16), (76, 32))
_NAME: Final = re.compile(r"\w+")
#: A name before the type of a tuple's element, or of a path of JSON.
_LABEL: Final = re.compile(r"(?:`(?:[^`\\]|\\.)*`|[A-Za-z_]\w*)(?:\.(?:`(?:[^`\\]|\\.)*`|\w+))* ", re.DOTALL)
_DYNAMIC_V1: Final = 1
_DYNAMIC_V2: Final = 2
_JSON_V1: Final = 0
_JSON_TEXT: Final = 1
_JSON_V2: Final = 2


def layout(name: str) -> Layout:
    """The layout of a column of the type ``name``.

    Raises:
        Unreadable: the type is not known here, such as the state of an aggregate function.
    """
    found = _NAME.match(name)
    base = found[0] if found else ""
    if base in _WIDTHS or base.startswith("Interval"):
        return Fixed(_WIDTHS.get(base, 8))
    if base in _ALIASES:
        return layout(_ALIASES[base])
    if base not in _COMPOSED:
        raise Unreadable(f"the type {name[:100]} has no known layout")
    return _COMPOSED[base](arguments(name[len(base) :]))


def arguments(text: str) -> list[str]:
    """The arguments between the brackets of a type, split at its commas."""
    inner = text.strip().removeprefix("(").removesuffix(")")
    return [part.strip() for part in items(inner) if part.strip()]


def unlabelled(part: str) -> str:
    """The type of a tuple's element, without the element's name."""
    label = _LABEL.match(part)
    return part[label.end() :] if label else part


def _tuple(parts: list[str]) -> Layout:
    if not parts:
        return Fixed(1)
    return Several([layout(unlabelled(part)) for part in parts])


def _decimal(parts: list[str]) -> Layout:
    precision = int(parts[0])
    return Fixed(next(width for digits, width in _DECIMAL_WIDTHS if precision <= digits))


def _low_cardinality(parts: list[str]) -> Layout:
    inner = parts[0]
    return LowCardinality(layout(arguments(inner[8:])[0] if inner.startswith("Nullable(") else inner))


class _Dynamic:
    """Its column names the types that are in it."""

    def __init__(self) -> None:
        self._alternatives = Variant([])

    def prefix(self, cursor: Cursor) -> None:
        version = cursor.u64()
        if version not in (_DYNAMIC_V1, _DYNAMIC_V2):
            raise Unreadable(f"a Dynamic has the unknown version {version}")
        if version == _DYNAMIC_V1:
            cursor.varint()
        names = [cursor.text() for _ in range(_few(cursor))]
        shared = "SharedVariant"  # values of further types, as strings
        known = sorted([*names, shared])
        self._alternatives = Variant([Strings() if name == shared else layout(name) for name in known])
        self._alternatives.prefix(cursor)

    def rows(self, cursor: Cursor, count: int) -> None:
        self._alternatives.rows(cursor, count)


class _Json:
    """Paths whose types the type itself names, then those that its column names, then the rest as strings."""

    def __init__(self, parts: list[str]) -> None:
        typed = {}
        for part in parts:
            label = _LABEL.match(part)
            if label and not part.startswith("SKIP "):
                typed[label[0].strip().replace("`", "")] = part[label.end() :]
        self._typed = [layout(typed[path]) for path in sorted(typed)]
        self._columns: list[Layout] = []

    def prefix(self, cursor: Cursor) -> None:
        version = cursor.u64()
        if version == _JSON_TEXT:
            self._columns = [Strings()]
            return
        if version not in (_JSON_V1, _JSON_V2):
            raise Unreadable(f"a JSON has the unknown version {version}")
        if version == _JSON_V1:
            cursor.varint()
        paths = [cursor.text() for _ in range(_few(cursor))]
        self._columns = [*self._typed, *(_Dynamic() for _ in paths), Array(Several([Strings(), Strings()]))]
        for column in self._columns:
            column.prefix(cursor)

    def rows(self, cursor: Cursor, count: int) -> None:
        for column in self._columns:
            column.rows(cursor, count)


def _few(cursor: Cursor) -> int:
    """The number of names that follow; each takes at least one byte."""
    count = cursor.varint()
    if count > len(cursor.data) - cursor.at:
        raise Unreadable("the data ends in the middle of a column")
    return count


_COMPOSED: Final[dict[str, Callable[[list[str]], Layout]]] = {
    "String": lambda parts: Strings(),
    "FixedString": lambda parts: Fixed(int(parts[0])),
    "Decimal": _decimal,
    "Nullable": lambda parts: Several([layout(parts[0])], leading=1),
    "Array": lambda parts: Array(layout(parts[0])),
    "Nested": lambda parts: Array(_tuple(parts)),
    "Map": lambda parts: Array(Several([layout(part) for part in parts])),
    "Tuple": _tuple,
    "LowCardinality": _low_cardinality,
    "SimpleAggregateFunction": lambda parts: layout(parts[-1]),
    "Variant": lambda parts: Variant([layout(part) for part in parts]),
    "Dynamic": lambda parts: _Dynamic(),
    "JSON": _Json,
}
