"""Request bodies: decompressed, and held in memory only while they are small.

Lives here: telling a query's text from an INSERT's data. Must not: the engine.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from firehose.endpoint import errors
from firehose.endpoint.compression import Decoder
from firehose.endpoint.statement import Insert, insert_with_data

_IN_MEMORY: Final = 8 * 1024 * 1024
#: An INSERT's own text must end within so many bytes of the body, as within ClickHouse's max_query_size.
_HEAD: Final = 256 * 1024
_MAX_TEXT: Final = 16 * 1024 * 1024


@dataclass
class Request:
    """A statement, or an INSERT with its data."""

    statement: str
    insert: Insert | None
    data: IO[bytes] | None

    def close(self) -> None:
        """Drop the spooled data."""
        if self.data is not None:
            self.data.close()


async def receive(url_text: str, chunks: AsyncIterator[bytes], encoding: str, folder: Path) -> Request:
    """Read a whole body. It goes to a file in ``folder`` once it is large, so that a client that breaks off
    leaves nothing half inserted, and a slow one holds no part of the engine.

    Raises:
        QueryError: the body does not decompress, or a statement is too large.
    """
    # SIM115: the file lives as long as the request that is returned.
    spool = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(folder))  # noqa: SIM115
    try:
        decoder = Decoder(encoding)
        async for chunk in chunks:
            spool.write(decoder.feed(chunk))
        decoder.finish()
        size = spool.tell()
        spool.seek(0)
        return _request(url_text, spool, size)
    except BaseException:
        spool.close()
        raise


def _request(url_text: str, spool: IO[bytes], size: int) -> Request:
    if url_text.strip():
        return _from_url(url_text, spool, size)
    start = _text(spool.read(min(size, _HEAD)))
    insert = insert_with_data(start)
    if insert is None or (size <= _HEAD and _is_values(insert)):
        spool.seek(0)
        return _as_statement("", spool, size)
    spool.seek(len(_bytes(start[: insert.data_at])))
    return Request(start[: insert.data_at], insert, spool)


def _from_url(url_text: str, spool: IO[bytes], size: int) -> Request:
    insert = insert_with_data(url_text)
    if insert is None or (size == 0 and _is_values(insert)):
        return _as_statement(url_text + "\n" if size else url_text, spool, size)
    inline = url_text[insert.data_at :]
    if not inline.strip():
        return Request(url_text, insert, spool)
    data = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - it lives as long as the request
    data.write(_bytes(inline))
    while piece := spool.read(_HEAD):
        data.write(piece)
    spool.close()
    data.seek(0)
    return Request(url_text, insert, data)


def _is_values(insert: Insert) -> bool:
    """VALUES may hold expressions and query parameters: given whole, the engine's own parser reads them."""
    return insert.input_format.lower() == "values"


def _as_statement(start: str, spool: IO[bytes], size: int) -> Request:
    if size > _MAX_TEXT:
        raise errors.refused(
            errors.QUERY_IS_TOO_LARGE, f"The query has {size} bytes; at most {_MAX_TEXT} are accepted."
        )
    statement = start + _text(spool.read())
    spool.close()
    return Request(statement, None, None)


def _text(data: bytes) -> str:
    # Data of any kind may follow an INSERT in the same body: bytes that are no text must survive the way back.
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
