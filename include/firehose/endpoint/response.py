"""Sending one result: headers, compression, and errors before or after the first byte.

Lives here: ClickHouse's response headers and its way to report a late error. Must not: SQL, chDB.
"""

from __future__ import annotations

import json
import logging
import secrets
import tempfile
from dataclasses import dataclass
from typing import IO, Final

from starlette.types import Send

from firehose.endpoint import compression, errors, formats

log = logging.getLogger(__name__)
_TAG_BYTES: Final = 8
_HELD_IN_MEMORY: Final = 8 * 1024 * 1024
_PIECE: Final = 1024 * 1024


@dataclass(frozen=True)
class Server:
    """What the server says of itself in every response."""

    version: str
    timezone: str
    display_name: str


class ResultResponse:
    """One response. ``begin``, ``send`` … ``end``; or ``fail`` at any moment."""

    def __init__(self, server: Server, send: Send) -> None:
        self.query_id = "-"
        self.outcome = "unfinished"
        self._server = server
        self._send = send
        self._method: str | None = None
        self._encoder = compression.encoder(None)
        self._tag = secrets.token_hex(_TAG_BYTES)
        self._headers: dict[str, str] | None = None
        self._sent = False
        self._held: IO[bytes] | None = None

    def compress(self, method: str | None) -> None:
        """Compress what follows."""
        self._method = method
        self._encoder = compression.encoder(method)

    async def begin(self, output_format: str, summary: dict[str, int], *, held: bool) -> None:
        """The result begins. ``held`` keeps everything back until its end, so that a late error still
        gets its status."""
        self._headers = {
            **self._common(),
            "Content-Type": formats.content_type(output_format),
            "X-ClickHouse-Format": output_format,
            "X-ClickHouse-Summary": json.dumps({name: str(value) for name, value in summary.items()}),
        }
        if held:
            # SIM115: closed by end or fail, which every response comes to.
            self._held = tempfile.SpooledTemporaryFile(_HELD_IN_MEMORY)  # noqa: SIM115

    async def send(self, piece: bytes) -> None:
        """The next piece of the result."""
        if self._held is not None:
            self._held.write(piece)
        elif packed := self._encoder.compress(piece):
            await self._body(packed, more=True)

    async def end(self) -> None:
        """The result is complete."""
        held, self._held = self._held, None
        if held is not None:
            with held:
                held.seek(0)
                while piece := held.read(_PIECE):
                    await self.send(piece)
        await self._body(self._encoder.flush(), more=False)
        self.outcome = "200"

    async def fail(self, error: errors.QueryError) -> None:
        """Report ``error``: as status and body, or after the first byte as ClickHouse's exception block."""
        self.outcome = f"code {error.code}"
        if self._held is not None:
            self._held.close()
        text = error.body(self._server.version).encode("utf-8", "replace")
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
        self._encoder = compression.encoder(self._method)
        packed = self._encoder.compress(text) + self._encoder.flush()
        await self._start(error.status)
        await self._send({"type": "http.response.body", "body": packed, "more_body": False})

    async def _fail_late(self, text: bytes) -> None:
        """The block that ClickHouse ends a broken result with. Its client looks for it by the tag."""
        tag = self._tag.encode()
        block = b"__exception__\r\n%s\r\n%s%d %s\r\n__exception__\r\n" % (tag, text, len(text), tag)
        packed = self._encoder.compress(block) + self._encoder.flush()
        # No last chunk: whoever does not look for the block still sees that the response is not complete.
        await self._send({"type": "http.response.body", "body": packed, "more_body": True})

    async def _body(self, packed: bytes, *, more: bool) -> None:
        if not self._sent:
            await self._start(200)
        await self._send({"type": "http.response.body", "body": packed, "more_body": more})

    async def _start(self, status: int) -> None:
        self._sent = True
        headers = [(k.lower().encode(), v.encode("latin-1", "replace")) for k, v in (self._headers or {}).items()]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    def _common(self) -> dict[str, str]:
        headers = {
            "X-ClickHouse-Query-Id": self.query_id.replace("\r", "").replace("\n", ""),
            "X-ClickHouse-Server-Display-Name": self._server.display_name,
            "X-ClickHouse-Timezone": self._server.timezone,
            "X-ClickHouse-Exception-Tag": self._tag,
        }
        if self._method:
            headers |= {"Content-Encoding": self._method, "Vary": "Accept-Encoding"}
        return headers
