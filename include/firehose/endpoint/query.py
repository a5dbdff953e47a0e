"""Running one statement for one user: what is allowed, and its result as a stream of bytes.

Lives here: choosing how the engine runs a statement. Must not: HTTP, what a user may run (judging).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from firehose.endpoint import errors, formats, judging, loading, users
from firehose.endpoint.connection import Connection
from firehose.endpoint.engine import Engine
from firehose.endpoint.request import Query, set_statement
from firehose.endpoint.spool import SpoolFile
from firehose.endpoint.statement import Insert, Shape
from firehose.endpoint.users import User

_PIECE: Final = 1024 * 1024
_CREATES: Final = "CreateQuery"


class Pieces(Protocol):
    """A result's bytes. To be closed before its connection is: the engine crashes on the reverse order."""

    def __next__(self) -> bytes: ...

    def close(self) -> None: ...


@dataclass
class Result:
    """A statement that has begun to give its result."""

    output_format: str
    pieces: Pieces
    summary: dict[str, int] = field(default_factory=dict)


def run(engine: Engine, connection: Connection, user: User, query: Query, statement: str) -> Result:
    """Run ``statement`` up to its first bytes. Blocks.

    Raises:
        QueryError: it is refused, or fails before its first bytes. A failure after that comes from the pieces.
    """
    kind, count = connection.classify(statement)
    if count == 0 and not statement.strip():
        raise errors.refused(errors.SYNTAX_ERROR, "Syntax error: empty query")
    if count > 1:
        raise errors.refused(errors.SYNTAX_ERROR, "Syntax error (Multi-statements are not allowed)")
    shape = connection.shape(statement, query.parameters)
    if user.role == users.ANALYST:
        judging.check_analyst(engine, connection, user, query, kind, statement)
    else:
        judging.check_loader(user, query, kind, shape)
    if kind != judging.READS:
        return _changing(connection, query, statement, shape)
    output_format = shape.output_format or query.output_format
    make_joiner = formats.joiner(output_format) if shape.selects else None
    if make_joiner is None:
        return _whole(connection, query, statement, output_format)
    return _streamed(connection, query, statement, output_format, make_joiner())


def insert(
    engine: Engine, connection: Connection, user: User, query: Query, target: Insert, data: SpoolFile
) -> Result:
    """Run an INSERT with ``data``, read piece by piece. Blocks.

    Raises:
        QueryError: it is refused, or the data does not fit.
    """
    if query.read_only:
        raise judging.readonly(user, query)
    if user.role == users.ANALYST:
        # With its format it is a statement as the parser knows it; without the data, which nobody parses as SQL.
        judging.check_analyst(
            engine, connection, user, query, judging.MUTATES, f"{target.head} FORMAT {target.input_format}"
        )
    if query.parameters:
        connection.execute(set_statement({f"param_{k}": v for k, v in query.parameters.items()}))
    with connection.memory.settled(connection.table_sizes, connection.drop_tables):
        done = loading.load(connection, target.head, target.input_format, data)
    return Result(query.output_format, _cut(b""), _summary(done))


def _changing(connection: Connection, query: Query, statement: str, shape: Shape) -> Result:
    connection.memory.keep(statement if shape.root == "Set" else "")
    # A session without such tables, as each of the pipeline's own, is not asked what they hold.
    connection.memory.makes_tables |= shape.root == _CREATES and "temporary" in statement.lower()
    with connection.memory.settled(connection.table_sizes, connection.drop_tables):
        return _whole(connection, query, statement, shape.output_format or query.output_format)


def _whole(connection: Connection, query: Query, statement: str, output_format: str) -> Result:
    result = connection.execute(statement, query.output_format, query.parameters)
    return Result(output_format, _cut(result.get_memview().view(), result), _summary(result))


def _cut(view: memoryview | bytes, owner: Any = None) -> Generator[bytes, None, None]:
    """The engine's buffer piece by piece: a copy of all of it would double the memory. chDB's memory views do not
    keep their buffer: ``owner`` is the result that does, for as long as this reads it."""
    for start in range(0, len(view), _PIECE):
        yield bytes(view[start : start + _PIECE])
    del owner


def _streamed(
    connection: Connection, query: Query, statement: str, output_format: str, joiner: formats.Joiner
) -> Result:
    stream = _Stream(connection, connection.stream(statement, query.output_format, query.parameters), joiner)
    try:
        summary = stream.begin()
    except errors.QueryError:
        stream.close()
        raise
    return Result(output_format, stream, summary)


class _Stream:
    """The pieces of a streaming query. Not a generator: one that never started would not clean up."""

    def __init__(self, connection: Connection, stream: Any, joiner: formats.Joiner) -> None:
        self._connection = connection
        self._stream = stream
        self._blocks = connection.blocks(stream)
        self._joiner = joiner
        self._first: Any | None = None
        self._pieces: Generator[bytes, None, None] = _cut(b"")
        self._finished = False

    def begin(self) -> dict[str, int]:
        """Wait for the first block, so that most errors come before anything is sent."""
        self._first = next(self._blocks, None)
        return _summary(self._first) if self._first is not None else {}

    def __next__(self) -> bytes:
        while (piece := next(self._pieces, None)) is None:
            if self._finished:
                raise StopIteration
            self._pieces = self._joined()
        return piece

    def _joined(self) -> Generator[bytes, None, None]:
        """What the next block adds to the result: from the engine's own buffer, where nothing is changed, since a
        block may be as large as its query's memory."""
        block, self._first = self._first or next(self._blocks, None), None
        if block is None:
            self._finished = True
            return _cut(self._joiner.end())
        return _cut(self._joiner.add(block.get_memview().view()), block)

    def close(self) -> None:
        self._pieces.close()
        if not self._finished:
            self._finished = True
            self._connection.abandon(self._stream)


def _summary(result: Any) -> dict[str, int]:
    return {
        "read_rows": result.storage_rows_read(),
        "read_bytes": result.storage_bytes_read(),
        "written_rows": result.rows_written(),
        "written_bytes": result.bytes_written(),
        "result_rows": result.rows_read(),
        "result_bytes": result.bytes_read(),
        "elapsed_ns": int(result.elapsed() * 1e9),
    }
