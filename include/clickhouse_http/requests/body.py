"""Request bodies, kept in memory only while they are small.

Lives here: telling a query's text from an INSERT's data. Must not: decompression (decoding), the engine, waiting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from clickhouse_http import exceptions
from clickhouse_http.requests.decoding import BodyDecoder
from clickhouse_http.requests.spool import Spool, SpoolFile
from clickhouse_http.sql.statement import Insert, insert_with_data

#: The statement of an INSERT must end within this many bytes of the body, as within ClickHouse's max_query_size.
_HEAD: Final = 256 * 1024
#: Largest statement, and largest body of a user who may not insert, in bytes.
MAX_TEXT: Final = 16 * 1024 * 1024


@dataclass
class Request:
    """A statement, or an INSERT with its data."""

    statement: str
    insert: Insert | None
    data: SpoolFile | None

    def close(self) -> None:
        """Drop the spooled data."""
        if self.data is not None:
            self.data.close()


class Body:
    """A body as it arrives. It goes to a file once it is large: a client that breaks off leaves nothing half
    inserted, and a slow one does not occupy the engine. Its methods block: call them in a worker thread.

    ``max_size``: bytes, compressed or not; ``in_blocks``: they are in ClickHouse's own compressed blocks.

    Raises (also its methods):
        QueryError: as for :class:`BodyDecoder`; the disk has no room for it; 62, its statement is not UTF-8.
    """

    def __init__(self, spool: Spool, role: str, encoding: str, max_size: int, *, in_blocks: bool) -> None:
        packed = spool.file(role) if in_blocks else None
        self._plain = BodyDecoder(encoding, max_size, lambda data: self._file.write(data), packed)
        self._file = spool.file(role)

    def feed(self, data: bytes) -> None:
        """The next piece."""
        self._plain.feed(data)

    def finish(self, url_text: str, *, expressions: bool) -> Request:
        """All of it has come. The caller owns the returned request, which has the file.

        ``expressions``: the VALUES of an INSERT may be expressions; otherwise they are data like any other.
        """
        self._plain.finish()
        self._file.seek(0)
        request = _request(url_text, self._file, expressions)
        try:
            request.statement.encode()
        except UnicodeEncodeError:  # chDB would say so in several ways, one of them with the text of the query
            request.close()
            raise exceptions.refused(exceptions.SYNTAX_ERROR, "The query is not valid UTF-8.") from None
        return request

    def close(self) -> None:
        """Drop what was received: after an error, or when it is not needed any more."""
        self._plain.close()
        self._file.close()


def _request(url_text: str, spool: SpoolFile, expressions: bool) -> Request:
    if url_text.strip():
        return _from_url(url_text, spool, expressions)
    start = _text(spool.read(min(spool.size, _HEAD)))
    insert = insert_with_data(start)
    if insert is None or (expressions and spool.size <= _HEAD and _is_values(insert)):
        spool.seek(0)
        return _as_statement("", spool)
    spool.seek(len(_bytes(start[: insert.data_at])))
    return Request(start[: insert.data_at], insert, spool)


def _from_url(url_text: str, spool: SpoolFile, expressions: bool) -> Request:
    insert = insert_with_data(url_text)
    if insert is None or (expressions and spool.size == 0 and _is_values(insert)):
        return _as_statement(url_text + "\n" if spool.size else url_text, spool)
    inline = url_text[insert.data_at :]
    if not inline.strip():
        return Request(url_text, insert, spool)
    data = spool.another()
    try:
        data.write(_bytes(inline))
        while piece := spool.read(_HEAD):
            data.write(piece)
    except BaseException:
        data.close()
        raise
    spool.close()
    data.seek(0)
    return Request(url_text, insert, data)


def _is_values(insert: Insert) -> bool:
    """VALUES may hold expressions and query parameters: given whole, the engine's own parser reads them."""
    return insert.input_format.lower() == "values"


def _as_statement(start: str, spool: SpoolFile) -> Request:
    if spool.size > MAX_TEXT:
        raise exceptions.refused(
            exceptions.QUERY_IS_TOO_LARGE, f"The query has {spool.size} bytes; at most {MAX_TEXT} are accepted."
        )
    statement = start + _text(spool.read(MAX_TEXT))
    spool.close()
    return Request(statement, None, None)


def _text(data: bytes) -> str:
    # Any bytes may follow an INSERT in the same body: those that are not UTF-8 must survive the round trip.
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
