"""Answers to a browser: JSON, and errors as one object with a text. Must not: know what is asked."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any, Final

import msgspec
from starlette.responses import Response

from firehose.errors import FirehoseError, ServiceUnavailable
from firehose.search.tree import QueryError
from firehose_ui.clickhouse import ClickHouse, Refused
from firehose_ui.named import BadValue

_MOST: Final = 32 << 20
_SETTINGS: Final = {
    "output_format_json_pretty_print": "0",
    "output_format_json_validate_utf8": "1",
    "output_format_write_statistics": "0",
}


def as_json(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A value as JSON."""
    return Response(msgspec.json.encode(content), status, headers, "application/json")


def failure(error: FirehoseError) -> Response:
    """An error: what is wrong with the question is 400, a server that is away 503."""
    status = 503 if isinstance(error, ServiceUnavailable) else 400
    return as_json(told(error), status)


def told(error: FirehoseError) -> dict[str, Any]:
    """An error as views show it: ``kind`` chooses the words, ``code`` is ClickHouse's.

    That of a search's query has the place of the character that is wrong.
    """
    if isinstance(error, QueryError):
        text = str(error).partition(": ")[2]
        return {"error": {"kind": "grammar", "code": 0, "text": text, "position": error.position}}
    kind = (
        "away" if isinstance(error, ServiceUnavailable) else "value" if isinstance(error, BadValue) else "refused"
    )
    return {"error": {"kind": kind, "code": error.code if isinstance(error, Refused) else 0, "text": str(error)}}


async def whole(clickhouse: ClickHouse, sql: str, parameters: dict[str, str], output_format: str) -> bytes:
    """The whole body of a small answer.

    Raises:
        Refused: ClickHouse's error.
        ServiceUnavailable: it does not answer.
    """
    body = bytearray()
    async with aclosing(clickhouse.ask(sql, output_format, parameters, _SETTINGS)) as parts:
        async for part in parts:
            if isinstance(part, bytes):
                body += part
                if len(body) > _MOST:
                    raise FirehoseError("the answer is larger than a page can hold: narrow the span")
    return bytes(body)
