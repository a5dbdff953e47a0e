"""ClickHouse over HTTP as the analyst: the answer as it comes, with the progress that precedes it.

httpx and clickhouse-connect give an answer's headers once all are there; progress comes in them, one by one while
a query runs. Leaving the iteration closes the connection, which cancels the query. Must not: SQL of its own.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from base64 import b64encode
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from typing import Final, NamedTuple
from urllib.parse import urlencode, urlsplit

import httptools

from firehose.errors import FirehoseError, ServiceUnavailable
from firehose.settings import Settings, redacted

_CHUNK: Final = 1 << 16
#: How much of an error's text is read.
_ERROR_BYTES: Final = 1 << 16
_SAID: Final = re.compile(r"Code:\s*(\d+)\.\s*(?:DB::Exception:\s*)*(.*)", re.DOTALL)
_VERSION: Final = re.compile(r"\s*\(version [^()]*(?:\([^()]*\))?\)")
_LIKE_A_CONTROL: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})


class Refused(FirehoseError):
    """ClickHouse's own error. ``code`` is its number."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Progress(NamedTuple):
    """How far a query is."""

    rows: int
    total: int
    bytes: int


class Head(NamedTuple):
    """The answer begins. Names of headers are in lower case."""

    headers: dict[str, str]


Part = Progress | Head | bytes


class ClickHouse:
    """The server of the settings, and its analyst."""

    def __init__(self, settings: Settings) -> None:
        self._url = urlsplit(settings.clickhouse_url)
        self._named = redacted(settings.clickhouse_url)
        login = f"{settings.clickhouse_analyst}:{settings.clickhouse_analyst_password}"
        self._login = b64encode(login.encode()).decode()

    async def ask(
        self,
        sql: str,
        output_format: str,
        parameters: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[Part]:
        """Run a statement as the analyst. ``parameters`` are values for ``{name:Type}`` in it.

        Raises:
            Refused: ClickHouse's error.
            ServiceUnavailable: nothing answers, or the connection ends within the answer.
        """
        arguments = {"default_format": output_format, "database": "firehose"} | dict(settings or {})
        arguments |= {
            f"param_{name}": value.translate(_LIKE_A_CONTROL) for name, value in (parameters or {}).items()
        }
        reader, writer = await self._connected()
        try:
            writer.write(self._request(arguments, sql.encode()))
            await writer.drain()
            answer = _Answer()
            async for part in answer.parts(reader):
                yield part
        except ConnectionError as error:
            raise ServiceUnavailable(f"ClickHouse at {self._named} ended the connection") from error
        finally:
            writer.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        secure = self._url.scheme == "https"
        port = self._url.port or (8443 if secure else 8123)
        try:
            return await asyncio.open_connection(
                self._url.hostname, port, ssl=ssl.create_default_context() if secure else None
            )
        except OSError as error:
            raise ServiceUnavailable(
                f"ClickHouse does not answer at {self._named}: start it, or set FIREHOSE_CLICKHOUSE_URL"
            ) from error

    def _request(self, arguments: Mapping[str, str], body: bytes) -> bytes:
        head = [
            f"POST {self._url.path or '/'}?{urlencode(arguments)} HTTP/1.1",
            f"Host: {self._url.netloc.rpartition('@')[2]}",
            f"Authorization: Basic {self._login}",
            f"Content-Length: {len(body)}",
            "Connection: close",
        ]
        return "\r\n".join([*head, "", ""]).encode() + body


class _Answer:
    """The parser's callbacks: what it has found waits in ``found``."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._found: deque[Part] = deque()
        self._headers: dict[str, str] = {}
        self._complete = False

    async def parts(self, reader: asyncio.StreamReader) -> AsyncGenerator[Part]:
        """The answer's parts.

        Raises:
            Refused: it is an error.
            ServiceUnavailable: it is cut off.
        """
        while not self._complete:
            if not (data := await reader.read(_CHUNK)):
                raise ServiceUnavailable("ClickHouse's answer is cut off: the query failed within it")
            self._parser.feed_data(data)
            if self._parser.get_status_code() not in (0, 200) and "" in self._headers:
                raise await self._refusal(reader)
            while self._found:
                yield self._found.popleft()

    async def _refusal(self, reader: asyncio.StreamReader) -> Refused:
        while not self._complete and (data := await reader.read(_ERROR_BYTES)):
            self._parser.feed_data(data)
        return refusal(b"".join(part for part in self._found if isinstance(part, bytes)))

    def on_header(self, name: bytes, value: bytes) -> None:
        key, said = name.decode("latin-1").lower(), value.decode("latin-1")
        if key == "x-clickhouse-progress":
            told = json.loads(said)
            counts = (int(told.get(of, 0)) for of in ("read_rows", "total_rows_to_read", "read_bytes"))
            self._found.append(Progress(*counts))
        else:
            self._headers[key] = said

    def on_headers_complete(self) -> None:
        self._found.append(Head(dict(self._headers)))
        self._headers[""] = "complete"

    def on_body(self, body: bytes) -> None:
        self._found.append(body)

    def on_message_complete(self) -> None:
        self._complete = True


def refusal(body: bytes) -> Refused:
    """An error of ClickHouse from its text: in one line, without the version."""
    said = body.decode(errors="replace")
    match = _SAID.search(said)
    text = " ".join(_VERSION.sub("", match[2] if match else said).split())
    return Refused(int(match[1]) if match else 0, text)
