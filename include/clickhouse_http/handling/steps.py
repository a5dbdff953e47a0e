"""The steps of a request that run in a worker thread.

Lives here: steps that block. Must not: their order (handler), HTTP.
"""

from __future__ import annotations

import contextlib

from clickhouse_http.engine.connection import Connection
from clickhouse_http.engine.engine import Engine
from clickhouse_http.handling.response import ResultResponse
from clickhouse_http.queries import query, results
from clickhouse_http.requests import body, request
from clickhouse_http.rights.users import User


def start(
    engine: Engine, connection: Connection, user: User, asked: request.Query, received: body.Request
) -> results.Result:
    """Run the statement up to the first bytes of its result."""
    if received.insert is not None and received.data is not None:
        return query.insert(engine, connection, user, asked, received.insert, received.data)
    return query.run(engine, connection, user, asked, received.statement)


def following(result: results.Result, answer: ResultResponse) -> bytes | None:
    """The next part of the answer, compressed; None at the end."""
    with contextlib.suppress(StopIteration):
        return answer.pack(next(result.pieces))
    return None
