"""Sending one result: headers, compression, and errors before or after the first byte.

Lives here: ClickHouse's response headers, and how it reports a late error. Must not: SQL, chDB.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.types import Send

from clickhouse_http import exceptions
from clickhouse_http.handling.advice import Advisor
from clickhouse_http.handling.progress import as_header
from clickhouse_http.requests.spool import SpoolFile
from clickhouse_http.wire import compression, formats
from clickhouse_http.wire.blocks import BlockEncoder

_TAG_BYTES: Final = 8
_PIECE: Final = 1024 * 1024
#: Bytes that the socket gets at a time: they stay in memory until the client reads them.
_WRITE: Final = 256 * 1024
#: More bytes than any format or compression has after the last byte of its data.
_KEPT: Final = 64


@dataclass(frozen=True)
class Server:
    """The server, as the headers of every response describe it, and what it says of its limits."""

    version: str
    timezone: str
    display_name: str
    advisor: Advisor


class ResultResponse:
    """One response. ``begin``; ``pack`` and ``send`` for each piece; then ``pack_held`` and ``send`` while there
    are bytes, and ``end``; or ``fail`` at any moment. Call ``pack`` and ``pack_held`` in a worker thread.
    """

    def __init__(self, server: Server, send: Send) -> None:
        self.query_id = "-"
        self.outcome = "unfinished"
        self.clamped: Mapping[str, str] = {}  # settings that were lowered to their ceiling
        self._server = server
        self._send = send
        self._method: str | None = None
        self._in_blocks = False
        self._encoder = compression.encoder(None)
        self._tag = secrets.token_hex(_TAG_BYTES)
        self._headers: dict[str, str] | None = None
        self._summary: Mapping[str, int] = {}
        self._sent = False
        self._kept = b""  # the last bytes of what was packed
        self._held: SpoolFile | None = None
        self._read_back = False

    def compress(self, method: str | None, *, in_blocks: bool) -> None:
        """Compress all that follows, errors too: as HTTP does, in ClickHouse's own blocks, or both."""
        self._method = method
        self._in_blocks = in_blocks
        self._encoder = self._new_encoder()

    def begin(self, output_format: str, summary: Mapping[str, int], held: SpoolFile | None) -> None:
        """The result begins. ``held`` keeps everything back until its end, so that a late error still
        gets its status; it is closed with the response. ``summary`` counts on until the head is sent."""
        self._headers = {
            **self._common(),
            "Content-Type": formats.content_type(output_format),
            "X-ClickHouse-Format": output_format,
        }
        self._summary = summary
        self._held = held

    def pack(self, piece: bytes) -> bytes:
        """The next piece of the result, as it is to be sent: perhaps nothing yet.

        Raises:
            QueryError: a result that is held back has no room.
        """
        if self._held is None:
            return self._encoder.compress(piece)
        self._held.write(piece)
        return b""

    @property
    def holds(self) -> bool:
        """Whether the result is held back until its end."""
        return self._held is not None

    def pack_held(self) -> bytes:
        """After the last piece: the next part of a result that was held back; nothing at its end."""
        if self._held is None:
            return b""
        if not self._read_back:
            self._read_back = True
            self._held.seek(0)
        while piece := self._held.read(_PIECE):
            if packed := self._encoder.compress(piece):
                return packed
        return b""

    async def send(self, packed: bytes) -> None:
        """Send what was packed, but for its last bytes: these come with the end. A client that knows by the format
        where a result ends goes on in its session at once, so it must not see that end before the session is free.
        """
        pending = self._kept + packed
        self._kept = pending[-_KEPT:]
        end = len(pending) - len(self._kept)
        for start in range(0, end, _WRITE):
            await self._body(pending[start : min(start + _WRITE, end)], more=True)

    async def end(self) -> None:
        """The result is complete, and everything that it used is free again."""
        await self._body(self._kept + self._encoder.flush(), more=False)
        self.outcome = "200"

    def close(self) -> None:
        """Drop what was held back. After every response; blocks."""
        if self._held is not None:
            self._held.close()

    async def fail(
        self, error: exceptions.QueryError, unread: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Report ``error``: as status and body, or after the first byte as ClickHouse's exception block.

        ``unread`` reads on for a moment what a client is still sending of its body. Then the connection is closed;
        closed at once, the client might not get to see the answer.
        """
        self.outcome = f"code {error.code}"
        text = error.body(self._server.version, self._server.advisor.sentence(error)).encode("utf-8", "replace")
        if self._sent:
            await self._fail_late(text)
            return
        self._headers = {
            **self._common(),
            "Content-Type": "text/plain; charset=UTF-8",
            "X-ClickHouse-Exception-Code": str(error.code),
        }
        if error.status == 401:
            self._headers["WWW-Authenticate"] = 'Basic realm="ClickHouse server HTTP API"'
        self._encoder = self._new_encoder()
        packed = self._encoder.compress(text) + self._encoder.flush()
        self._headers["Content-Length"] = str(len(packed))
        if unread is not None:
            self._headers["Connection"] = "close"
        await self._start(error.status)
        await self._send({"type": "http.response.body", "body": packed, "more_body": unread is not None})
        if unread is not None:
            await unread()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _fail_late(self, text: bytes) -> None:
        """The block that ClickHouse ends a broken result with. Its client looks for it by the tag."""
        tag = self._tag.encode()
        block = b"\r\n__exception__\r\n%s\r\n%s%d %s\r\n__exception__\r\n" % (tag, text, len(text), tag)
        packed = self._kept + self._encoder.compress(block) + self._encoder.flush()
        # No last chunk: a client that does not look for the block still sees that the response is incomplete.
        await self._send({"type": "http.response.body", "body": packed, "more_body": True})

    async def _body(self, packed: bytes, *, more: bool) -> None:
        if not self._sent:
            await self._start(200)
        await self._send({"type": "http.response.body", "body": packed, "more_body": more})

    async def _start(self, status: int) -> None:
        self._sent = True
        named = dict(self._headers or {})
        if self._summary:
            named["X-ClickHouse-Summary"] = as_header(self._summary)
        headers = [(k.lower().encode(), v.encode("latin-1", "replace")) for k, v in named.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    def _new_encoder(self) -> compression.Encoder:
        outer = compression.encoder(self._method)
        return BlockEncoder(outer) if self._in_blocks else outer

    def _common(self) -> dict[str, str]:
        headers = {
            "X-ClickHouse-Query-Id": self.query_id,
            "X-ClickHouse-Server-Display-Name": self._server.display_name,
            "X-ClickHouse-Timezone": self._server.timezone,
            "X-ClickHouse-Exception-Tag": self._tag,
        }
        if self.clamped:
            headers["X-Firehose-Clamped"] = ", ".join(f"{name}={value}" for name, value in self.clamped.items())
        if self._method:
            headers |= {"Content-Encoding": self._method, "Vary": "Accept-Encoding"}
        return headers
