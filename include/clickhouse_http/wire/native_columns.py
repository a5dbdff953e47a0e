"""Finding the end of a column in ClickHouse's Native format: the layout of each type, without making values.

Lives here: the layouts. Must not: blocks and their headers (native), reading type names (native_types).

The engine writes a column as name, type and data, with no length. Nothing here is allocated by what the data says:
a walk only moves a position, and one that leaves the data is an error.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Protocol

_U64: Final = struct.Struct("<Q")
#: The most strings in a block: they are walked one by one, and this many take a second or two.
MAX_STRINGS: Final = 16 * 1024 * 1024
_LOW_CARDINALITY_KEYS: Final = 1 << 9


class Unreadable(Exception):
    """The data is not what its type says, or of a type whose layout is not known here."""


class Cursor:
    """A position in the bytes of a block."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.at = 0
        self._strings = 0

    def skip(self, size: int) -> None:
        """Move on by ``size`` bytes.

        Raises:
            Unreadable: fewer are left.
        """
        self.at += size
        if self.at > len(self.data):
            raise Unreadable("the data ends in the middle of a column")

    def u64(self) -> int:
        """A fixed integer of 8 bytes."""
        self.skip(8)
        return int(_U64.unpack_from(self.data, self.at - 8)[0])

    def varint(self) -> int:
        """An integer of 7 bits a byte."""
        value = shift = 0
        while True:
            self.skip(1)
            byte = self.data[self.at - 1]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise Unreadable("a length has more than 64 bits")

    def text(self) -> str:
        """A string with its length before it."""
        size = self.varint()
        self.skip(size)
        return bytes(self.data[self.at - size : self.at]).decode("utf-8", "replace")

    def strings(self, count: int) -> None:
        """Move on by that many strings."""
        self._strings += count
        if self._strings > MAX_STRINGS:
            raise Unreadable(f"a block has more than {MAX_STRINGS} strings: set a smaller max_block_size")
        data, at, end = self.data, self.at, len(self.data)
        for _ in range(count):
            if at >= end:
                break
            size = data[at]
            at += 1
            if size >= 0x80:
                self.at = at - 1
                size = self.varint()
                at = self.at
            at += size
        else:
            self.at = at
            self.skip(0)
            return
        raise Unreadable("the data ends in the middle of a column")


class Layout(Protocol):
    """The bytes of one column of a type. A column has its ``prefix`` once, before all data."""

    def prefix(self, cursor: Cursor) -> None: ...

    def rows(self, cursor: Cursor, count: int) -> None: ...


@dataclass
class Fixed:
    """Values of ``width`` bytes each."""

    width: int

    def prefix(self, cursor: Cursor) -> None: ...

    def rows(self, cursor: Cursor, count: int) -> None:
        cursor.skip(self.width * count)


class Strings:
    """Each value with its length before it."""

    def prefix(self, cursor: Cursor) -> None: ...

    def rows(self, cursor: Cursor, count: int) -> None:
        cursor.strings(count)


@dataclass
class Several:
    """A tuple: its elements one after the other, after a byte a row where they can be NULL."""

    parts: list[Layout]
    leading: int = 0

    def prefix(self, cursor: Cursor) -> None:
        for part in self.parts:
            part.prefix(cursor)

    def rows(self, cursor: Cursor, count: int) -> None:
        cursor.skip(self.leading * count)
        for part in self.parts:
            part.rows(cursor, count)


@dataclass
class Array:
    """The end position of each row among the elements, then the elements."""

    element: Layout

    def prefix(self, cursor: Cursor) -> None:
        self.element.prefix(cursor)

    def rows(self, cursor: Cursor, count: int) -> None:
        if count:
            cursor.skip(8 * (count - 1))
            self.element.rows(cursor, cursor.u64())


@dataclass
class LowCardinality:
    """Distinct values, then the index of each row's value."""

    key: Layout

    def prefix(self, cursor: Cursor) -> None:
        cursor.skip(8)

    def rows(self, cursor: Cursor, count: int) -> None:
        if not count:
            return
        flags = cursor.u64()
        if flags & _LOW_CARDINALITY_KEYS:
            self.key.rows(cursor, cursor.u64())
        width = 1 << (flags & 0xFF)
        if width > 8 or cursor.u64() != count:
            raise Unreadable("a column of LowCardinality is not as expected")
        cursor.skip(width * count)


@dataclass
class Variant:
    """The alternative of each row, then the values of each alternative."""

    parts: list[Layout]

    def prefix(self, cursor: Cursor) -> None:
        if cursor.u64():
            raise Unreadable("a Variant has compact discriminators")
        for part in self.parts:
            part.prefix(cursor)

    def rows(self, cursor: Cursor, count: int) -> None:
        cursor.skip(count)
        chosen = bytes(cursor.data[cursor.at - count : cursor.at])
        for number, part in enumerate(self.parts):
            part.rows(cursor, chosen.count(number))
