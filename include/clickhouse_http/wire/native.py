"""Blocks of ClickHouse's Native format in the protocol version of the client.

Lives here: the bytes that a version adds to a block and to each of its columns. Must not: columns' layout, I/O.

The engine writes blocks of version 0. Clients such as clickhouse-go name a version (``client_protocol_version``),
and read a few bytes more before each block and after each column's type. No value is touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from clickhouse_http import exceptions
from clickhouse_http.wire.native_columns import Cursor, Unreadable
from clickhouse_http.wire.native_types import layout

_WITH_CUSTOM_SERIALIZATION: Final = 54454
_WITH_DELAYED_BUCKETS: Final = 54480
#: Field 1: no overflow row; field 2: no bucket (-1). Then field 3: no delayed buckets.
_INFO: Final = b"\x01\x00\x02\xff\xff\xff\xff"
_NO_DELAYED_BUCKETS: Final = b"\x03\x00"
_END_OF_INFO: Final = b"\x00"
_DEFAULT_SERIALIZATION: Final = b"\x00"


class Reframed:
    """Adds the bytes of ``version`` to blocks of version 0."""

    def __init__(self, version: int) -> None:
        delayed = _NO_DELAYED_BUCKETS if version >= _WITH_DELAYED_BUCKETS else b""
        self._before_block = _INFO + delayed + _END_OF_INFO
        self._before_data = _DEFAULT_SERIALIZATION if version >= _WITH_CUSTOM_SERIALIZATION else b""

    def add(self, chunk: memoryview | bytes) -> Iterator[memoryview | bytes]:
        """The whole blocks in ``chunk``, framed. All of it is walked before the first part is given.

        Raises:
            QueryError: 48, the end of a column cannot be found, because of its type.
        """
        view = memoryview(chunk)
        try:
            marks = list(_marks(view))
        except (Unreadable, RecursionError, ValueError, IndexError, StopIteration) as error:
            why = str(error) or "a type is not as expected"
            raise exceptions.refused(
                exceptions.NOT_IMPLEMENTED,
                f"The result cannot be sent in Native with client_protocol_version: {why}.",
            ) from None
        return self._parts(view, marks)

    def end(self) -> bytes:
        """Nothing follows the last block."""
        return b""

    def _parts(self, view: memoryview, marks: list[tuple[int, bool]]) -> Iterator[memoryview | bytes]:
        start = 0
        for at, is_block in marks:
            yield view[start:at]
            yield self._before_block if is_block else self._before_data
            start = at
        yield view[start:]


def _marks(view: memoryview) -> Iterator[tuple[int, bool]]:
    """The positions where a block begins (True), and where a column's data begins (False)."""
    cursor = Cursor(view)
    while cursor.at < len(view):
        yield cursor.at, True
        columns, rows = cursor.varint(), cursor.varint()
        for _ in range(columns):
            cursor.skip(cursor.varint())
            column = layout(cursor.text())
            yield cursor.at, False
            if rows:
                column.prefix(cursor)
                column.rows(cursor, rows)
