"""Output formats: their content types, and joining blocks that chDB formats one by one into one stream.

Lives here: which formats can stream, and joining their chunks. Must not: I/O, running queries.

chDB's streaming gives every block as a document of its own. For row formats these simply follow each other;
a repeated header is cut off; Arrow is re-framed (arrow), and Native where its client wants that (native). Others
(JSON, Parquet, Pretty…) have one frame around all rows and are formatted whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from clickhouse_http.wire.native import Reframed

DEFAULT: Final = "TabSeparated"
_PLAIN_ROWS: Final = frozenset(
    {
        *("native", "rowbinary", "csv", "tabseparated", "tsv", "tabseparatedraw", "tsvraw", "tskv"),
        *("jsoneachrow", "jsonlines", "ndjson", "jsoncompacteachrow", "jsonstringseachrow"),
        *("jsoncompactstringseachrow", "lineasstring", "msgpack", "null"),
    }
)
_HEADER_LINES: Final = {
    f"{base}withnames{types}": lines
    for base in ("tabseparated", "tsv", "csv", "jsoncompacteachrow", "jsoncompactstringseachrow")
    for types, lines in (("", 1), ("andtypes", 2))
}
_TEXT: Final = {
    "tabseparated": "text/tab-separated-values; charset=UTF-8",
    "tsv": "text/tab-separated-values; charset=UTF-8",
    "csv": "text/csv; charset=UTF-8",
    "json": "application/json; charset=UTF-8",
    "ndjson": "application/x-ndjson; charset=UTF-8",
    "xml": "application/xml; charset=UTF-8",
    "pretty": "text/plain; charset=UTF-8",
    "vertical": "text/plain; charset=UTF-8",
    "values": "text/plain; charset=UTF-8",
    "markdown": "text/markdown; charset=UTF-8",
    "sqlinsert": "text/plain; charset=UTF-8",
    "lineasstring": "text/plain; charset=UTF-8",
    "tskv": "text/plain; charset=UTF-8",
}
#: The engine's own buffer, or bytes that were made from it.
Chunk = memoryview | bytes


class Joiner(Protocol):
    """Makes one stream of the chunks of a streaming query."""

    def add(self, chunk: Chunk) -> Iterable[Chunk]:
        """The bytes to send for the next chunk. What is returned may be parts of ``chunk``.

        Raises:
            QueryError: the chunk cannot be sent to this client.
        """

    def end(self) -> bytes:
        """The bytes to send after the last chunk."""


class _Rows:
    def add(self, chunk: Chunk) -> Iterable[Chunk]:
        return (chunk,)

    def end(self) -> bytes:
        return b""


class _Headed:
    """Every chunk starts with the same header lines; only the first keeps them."""

    def __init__(self, lines: int, *, quoted: bool) -> None:
        self._lines = lines
        self._quoted = quoted
        self._header: bytes | None = None

    def add(self, chunk: Chunk) -> Iterable[Chunk]:
        if self._header is None:
            first = bytes(chunk)
            self._header = first[: self._header_length(first)]
            return (chunk,)
        length = len(self._header)
        if chunk[:length] == self._header:
            return (chunk[length:],)
        # Totals and extremes come in a last chunk without rows, which has its header at its end.
        return (chunk[:-length] if chunk[-length:] == self._header else chunk,)

    def end(self) -> bytes:
        return b""

    def _header_length(self, chunk: bytes) -> int:
        """A line end inside CSV quotes belongs to a column's name."""
        position = lines = 0
        while lines < self._lines:
            position = chunk.find(b"\n", position) + 1
            if not position:
                return len(chunk)
            if not self._quoted or chunk.count(b'"', 0, position) % 2 == 0:
                lines += 1
        return position


def joiner(name: str, protocol_version: int) -> Joiner | None:
    """A joiner for the chunks of format ``name``, for a client of that version; None where the format can only be
    made whole."""
    key = name.lower()
    if key == "native" and protocol_version:
        return Reframed(protocol_version)
    if key in _PLAIN_ROWS:
        return _Rows()
    if key in _HEADER_LINES:
        return _Headed(_HEADER_LINES[key], quoted=key.startswith("csv"))
    return None


def content_type(name: str) -> str:
    """The Content-Type of format ``name``."""
    key = name.lower()
    if key in ("jsonlines", "ndjson") or (key.startswith("json") and "eachrow" in key):
        return _TEXT["ndjson"]
    longest = max((known for known in _TEXT if key.startswith(known)), key=len, default="")
    return _TEXT.get(longest, "application/octet-stream")
