"""The answer to a statement as Arrow batches, as they come; an error that comes after the first of them included.

Lives here: reading the stream. Must not: statements, what the columns are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from http.client import IncompleteRead
from typing import Any, Final

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.external import ExternalData
from urllib3.exceptions import HTTPError

from firehose.errors import FirehoseError, ServiceUnavailable
from firehose.warehouse.client import translated

#: ClickHouse puts an error of a begun answer at its end, between two such lines, and breaks the connection off.
_LATE: Final = re.compile(rb"__exception__\r\n[^\r\n]*\r\n(.*)", re.DOTALL)
_TAIL_BYTES: Final = 64 * 1024


class _Body:
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

    @property
    def late_error(self) -> str:
        """What ClickHouse said at the end of an answer that it did not complete; empty: nothing."""
        match = _LATE.search(self._tail)
        return match[1].decode(errors="replace") if match else ""


def batches(client: Client, statement: str, tables: ExternalData | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of a statement. ``tables``: what comes along with it.

    Raises:
        FirehoseError: ClickHouse refuses the statement, or fails on the way.
        ServiceUnavailable: the connection broke.
    """
    try:
        answer: Any = client.raw_stream(statement, fmt="ArrowStream", external_data=tables)
    except ClickHouseError as error:
        raise translated(error) from error
    body = _Body(answer)
    try:
        yield from pa.ipc.open_stream(body)
    except (HTTPError, pa.ArrowInvalid, OSError) as error:
        raise _broken(body, error) from error
    finally:
        answer.close()


def _broken(body: _Body, error: Exception) -> FirehoseError:
    if said := body.late_error:
        return translated(ClickHouseError(said))
    text = " ".join(str(error).split())
    return ServiceUnavailable(f"ClickHouse broke an answer off: {text}; read it again")
