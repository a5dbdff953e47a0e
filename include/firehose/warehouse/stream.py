"""The answer to a statement as it comes, in any format; also an error that comes after its beginning.

Lives here: the body, and what broke it off. Must not: know a format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import IncompleteRead
from typing import Any, Final

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.external import ExternalData
from urllib3.exceptions import HTTPError

from firehose.errors import FirehoseError, ServiceUnavailable
from firehose.warehouse.client import translated

#: ClickHouse puts an error of a begun answer at its end, between two such lines, and breaks the connection off.
_LATE: Final = re.compile(rb"__exception__\r\n[^\r\n]*\r\n(.*?)(?:\d+ [^\r\n]*\r\n__exception__|$)", re.DOTALL)
_TAIL_BYTES: Final = 64 * 1024


class Body:
    """The body of an answer as a file, which keeps the last bytes that it gave."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self._tail = b""
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """The next bytes; of a body that breaks off, what had come is kept."""
        try:
            found: bytes = self._answer.read(size)
        except HTTPError as error:
            for cause in error.args:
                if isinstance(cause, IncompleteRead):
                    self._tail += cause.partial
            raise
        self._tail = (self._tail + found)[-_TAIL_BYTES:]
        return found

    def lines(self) -> Iterator[bytes]:
        """Its lines that are not empty."""
        rest = b""
        while block := self.read(1 << 16):
            *lines, rest = (rest + block).split(b"\n")
            yield from filter(None, lines)
        if rest:
            yield rest

    def broken(self, error: Exception) -> FirehoseError:
        """The error of an answer that ended too soon: what ClickHouse said at its end, or how it broke."""
        if match := _LATE.search(self._tail):
            return translated(ClickHouseError(match[1].decode(errors="replace")))
        text = " ".join(str(error).split())
        return ServiceUnavailable(f"ClickHouse broke an answer off: {text}; ask again, or for less at a time")


@contextmanager
def streamed(
    client: Client,
    statement: str,
    output_format: str,
    *,
    settings: Mapping[str, Any] | None = None,
    tables: ExternalData | None = None,
) -> Iterator[Body]:
    """The answer; leaving the block ends a query that is not read to its end. ``tables`` come with the statement.

    Raises:
        FirehoseError: ClickHouse refuses the statement, or fails on the way: then the block must let errors of
            reading and decoding through.
        ServiceUnavailable: the connection broke.
    """
    try:
        answer: Any = client.raw_stream(
            statement, settings=dict(settings or {}), fmt=output_format, external_data=tables
        )
    except ClickHouseError as error:
        raise translated(error) from error
    body = Body(answer)
    try:
        yield body
    except (HTTPError, ValueError, OSError) as error:
        raise body.broken(error) from error
    finally:
        answer.close()
