"""A statement's result as a stream of bytes, and a summary of it.

Lives here: taking the engine's buffers and blocks apart without copying them whole. Must not: HTTP, choosing how a
statement runs (query).
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from clickhouse_http import exceptions
from clickhouse_http.engine.connection import Connection
from clickhouse_http.requests.request import Query
from clickhouse_http.wire import formats

_PIECE: Final = 1024 * 1024
#: Time in the engine, as a server has it. The engine's own leaves out parsing and planning, and subqueries that
#: planning runs.
_ELAPSED: Final = "elapsed_ns"


class Pieces(Protocol):
    """A result's bytes. To be closed before its connection is: the engine crashes on the reverse order."""

    def __next__(self) -> bytes: ...

    def close(self) -> None: ...


@dataclass
class Result:
    """The result of a statement that has begun."""

    output_format: str
    pieces: Pieces
    summary: dict[str, int] = field(default_factory=dict)


def cut(parts: Iterable[formats.Chunk], owner: Any = None) -> Generator[bytes, None, None]:
    """The engine's buffer piece by piece: a copy of all of it would double the memory. chDB's memory views do not
    keep their buffer: ``owner`` is the result that does, for as long as this reads it."""
    small = bytearray()
    for part in parts:
        for start in range(0, len(part), _PIECE):
            piece = part[start : start + _PIECE]
            if small or len(piece) < _PIECE:
                small += piece
                if len(small) < _PIECE:
                    continue
                piece = bytes(small)
                small.clear()
            yield bytes(piece)
    if small:
        yield bytes(small)
    del owner


def whole(
    connection: Connection, query: Query, statement: str, output_format: str, joiner: formats.Joiner | None
) -> Result:
    """Run ``statement`` to its end.

    Raises:
        QueryError: it fails.
    """
    began = time.monotonic_ns()
    result = connection.execute(statement, query.output_format, query.parameters)
    took = time.monotonic_ns() - began
    view = result.get_memview().view()
    parts = itertools.chain(joiner.add(view), _end(joiner)) if joiner is not None and view else (view,)
    return Result(output_format, cut(parts, result), summary(result, took))


def _end(joiner: formats.Joiner) -> Iterator[formats.Chunk]:
    yield joiner.end()


def streamed(
    connection: Connection, query: Query, statement: str, output_format: str, joiner: formats.Joiner
) -> Result:
    """Run a SELECT up to its first block; ``joiner`` makes one document of all.

    Raises:
        QueryError: it fails before its first block. A failure after that comes from the pieces.
    """
    began = time.monotonic_ns()
    begun = connection.stream(statement, query.output_format, query.parameters)
    stream = Stream(connection, begun, joiner, time.monotonic_ns() - began)
    try:
        stream.begin()
    except exceptions.QueryError:
        stream.close()
        raise
    return Result(output_format, stream, stream.summary)


class Stream:
    """The pieces of a streaming query, which took ``took_ns`` to begin, and a summary of those so far. Not a
    generator: a generator that was never started would not clean up."""

    def __init__(self, connection: Connection, stream: Any, joiner: formats.Joiner, took_ns: int) -> None:
        self._connection = connection
        self._stream = stream
        self._blocks = connection.blocks(stream)
        self._joiner = joiner
        self._first: Any | None = None
        self._pieces: Generator[bytes, None, None] = cut([])
        self._finished = False
        self.summary = {_ELAPSED: took_ns}

    def begin(self) -> None:
        """Wait for the first block, so that most errors come before anything is sent."""
        self._first = self._next()

    def _next(self) -> Any | None:
        began = time.monotonic_ns()
        block = next(self._blocks, None)
        self.summary[_ELAPSED] += time.monotonic_ns() - began
        if block is not None:
            for name, value in _counts(block).items():
                self.summary[name] = self.summary.get(name, 0) + value
        return block if block is not None and block.size() else None

    def __next__(self) -> bytes:
        while (piece := next(self._pieces, None)) is None:
            if self._finished:
                raise StopIteration
            self._pieces = self._joined()
        return piece

    def _joined(self) -> Generator[bytes, None, None]:
        """The bytes that the next block adds to the result. Unchanged bytes come from the engine's own buffer,
        since a block may be as large as its query's memory."""
        block, self._first = self._first or self._next(), None
        if block is None:
            self._finished = True
            return cut([self._joiner.end()])
        return cut(self._joiner.add(block.get_memview().view()), block)

    def close(self) -> None:
        self._pieces.close()
        if not self._finished:
            self._finished = True
            self._connection.abandon(self._stream)


def summary(result: Any, took_ns: int) -> dict[str, int]:
    """What a result says of itself, and the time that it took."""
    return {**_counts(result), _ELAPSED: took_ns}


def _counts(result: Any) -> dict[str, int]:
    return {
        "read_rows": result.storage_rows_read(),
        "read_bytes": result.storage_bytes_read(),
        "written_rows": result.rows_written(),
        "written_bytes": result.bytes_written(),
        "result_rows": result.rows_read(),
        "result_bytes": result.bytes_read(),
    }
