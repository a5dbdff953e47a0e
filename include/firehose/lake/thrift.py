"""Thrift's compact protocol, in which Parquet's footers are written: decoded whole, encoded to the same bytes.

Fields are kept by their number and type, whatever they mean, so those that a reader does not know come out as they
went in. Format: "Thrift Compact protocol encoding" of apache/thrift (doc/specs/thrift-compact-protocol.md).
Must not: know what a field means (:mod:`firehose.lake.metadata` does), read files.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final, NamedTuple


class Kind(IntEnum):
    """The types of fields and of a list's items. A field's flag is in its type."""

    TRUE = 1
    FALSE = 2
    BYTE = 3
    I16 = 4
    I32 = 5
    I64 = 6
    DOUBLE = 7
    BINARY = 8
    LIST = 9
    SET = 10
    MAP = 11
    STRUCT = 12


class Malformed(ValueError):
    """Bytes that are not Thrift's, or a field of another type than it should have."""


class Field(NamedTuple):
    """A value with its type: an ``int``, ``bytes`` (also a double's eight), :class:`Items` or a :data:`Struct`."""

    kind: Kind
    value: Any


class Items(NamedTuple):
    """A list or a set."""

    kind: Kind
    values: list[Any]


Struct = dict[int, Field]
_DEPTH: Final = 16  # of structs and lists in each other; Parquet's footers have some ten
_SHORT_LIST: Final = 15
_CUT: Final = "it ends in the middle of a value"
_KINDS: Final = {int(kind): kind for kind in Kind}


def decode(data: bytes) -> Struct:
    """The struct that is all of ``data``.

    Raises:
        Malformed: it is not, or has a map, which no footer has.
    """
    reader = _Reader(data)
    found = reader.struct(0)
    if reader.at != len(data):
        raise Malformed(f"{len(data) - reader.at} bytes follow the struct")
    return found


def encode(struct: Struct) -> bytes:
    """The bytes of a struct, its fields in their order."""
    out = bytearray()
    _write_struct(out, struct)
    return bytes(out)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0
        self._simple: dict[Kind, Callable[[], int | bytes]] = {
            **dict.fromkeys((Kind.I16, Kind.I32, Kind.I64), self._zigzag),
            **dict.fromkeys((Kind.TRUE, Kind.FALSE, Kind.BYTE), self._byte),  # flags: in a list
            Kind.DOUBLE: lambda: self._take(8),
            Kind.BINARY: lambda: self._take(self._varint()),
        }

    def struct(self, depth: int) -> Struct:
        found: Struct = {}
        number = 0
        while head := self._byte():
            step = head >> 4
            number = number + step if step else self._zigzag()
            kind = _kind(head & 15)
            if number in found:
                raise Malformed(f"field {number} comes twice")
            flag = kind is Kind.TRUE or kind is Kind.FALSE
            found[number] = Field(kind, int(kind) if flag else self._value(kind, depth))
        return found

    def _value(self, kind: Kind, depth: int) -> Any:
        if read := self._simple.get(kind):
            return read()
        if depth > _DEPTH:
            raise Malformed("structs in structs without end")
        if kind is Kind.STRUCT:
            return self.struct(depth + 1)
        if kind is Kind.LIST or kind is Kind.SET:
            return self._items(depth + 1)
        raise Malformed("a map, which no footer has")

    def _items(self, depth: int) -> Items:
        head = self._byte()
        kind, count = _kind(head & 15), head >> 4
        if count == _SHORT_LIST:
            count = self._varint()
        return Items(kind, [self._value(kind, depth) for _ in range(count)])

    def _byte(self) -> int:
        try:
            byte = self._data[self.at]
        except IndexError:
            raise Malformed(_CUT) from None
        self.at += 1
        return byte

    def _take(self, count: int) -> bytes:
        taken = self._data[self.at : self.at + count]
        if len(taken) < count:
            raise Malformed(_CUT)
        self.at += count
        return taken

    def _varint(self) -> int:
        value = place = 0
        while (byte := self._byte()) > 127:
            value |= (byte & 127) << place
            place += 7
            if place > 63:
                raise Malformed("a number of more than 64 bits")
        return value | byte << place

    def _zigzag(self) -> int:
        return (coded := self._varint()) >> 1 ^ -(coded & 1)


def _kind(number: int) -> Kind:
    if kind := _KINDS.get(number):
        return kind
    raise Malformed(f"there is no type {number}")


def _write_struct(out: bytearray, struct: Struct) -> None:
    before = 0
    for number, field in struct.items():
        step = number - before
        if 0 < step <= 15:
            out.append(step << 4 | field.kind)
        else:
            out.append(field.kind)
            _write_zigzag(out, number)
        before = number
        if field.kind not in (Kind.TRUE, Kind.FALSE):
            _WRITE[field.kind](out, field.value)
    out.append(0)


def _write_items(out: bytearray, items: Items) -> None:
    count = len(items.values)
    out.append(min(count, _SHORT_LIST) << 4 | items.kind)
    if count >= _SHORT_LIST:
        _write_varint(out, count)
    write = _WRITE[items.kind]
    for value in items.values:
        write(out, value)


def _write_binary(out: bytearray, value: bytes) -> None:
    _write_varint(out, len(value))
    out += value


def _write_varint(out: bytearray, value: int) -> None:
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def _write_zigzag(out: bytearray, value: int) -> None:
    _write_varint(out, value << 1 if value >= 0 else (-value << 1) - 1)


_WRITE: Final[dict[Kind, Callable[[bytearray, Any], None]]] = {
    **dict.fromkeys((Kind.TRUE, Kind.FALSE, Kind.BYTE), lambda out, value: out.append(value)),
    **dict.fromkeys((Kind.I16, Kind.I32, Kind.I64), _write_zigzag),
    Kind.DOUBLE: lambda out, value: out.extend(value),
    Kind.BINARY: _write_binary,
    **dict.fromkeys((Kind.LIST, Kind.SET), _write_items),
    Kind.STRUCT: _write_struct,
}
