"""HTTP/1.1 on a connection, within limits that uvicorn and httptools do not have.

Lives here: how large and how slow the head of a request may be, how many connections wait for one, and
clients that do not read. Must not: anything about ClickHouse; the bytes are parsed by httptools alone.

The head of a request is gathered here and goes to the parser in one piece: given in many pieces, httptools copies
all that it has at each one.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from clickhouse_http.http import early_head
from clickhouse_http.http.connection_limits import UNREAD, ConnectionLimits, ImpatientFlow
from clickhouse_http.http.request_head import MAX_HEADERS, HeadTooLarge, RequestHead

_MAX_PATH: Final = 8 * 1024
#: Bytes between two callbacks for a body: only chunk extensions and trailers have any.
_MAX_UNREPORTED: Final = 512 * 1024
#: A client that was answered may still be sending; its connection stays for a moment, so that it reads the answer.
_LINGER_S: Final = 1.0
_LARGE_HEAD: Final = 64 * 1024
_TURN_S: Final = 0.005
_METHOD_START: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ\r\n")


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, connection_limits: ConnectionLimits, **options: Any) -> None:
        super().__init__(*args, **options)
        self._limits = connection_limits
        self._head = RequestHead()
        self._in_head = True
        self._unreported = 0
        self._refused = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = ImpatientFlow(transport, self._limits)
        self._wait_for_head()
        self._limits.waiting[self] = None
        self._limits.make_room(len(self.connections))

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._unset_keepalive_if_required()
        if self._in_head:
            self._wait_for_head()
            whole = self._gathered(data)
            if whole is None:
                return
            data = whole
        self._unreported += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # there is no other protocol here: the request is answered as if it had not asked
        except httptools.HttpParserError:
            self._refuse(400, "Invalid HTTP request")
            return
        if self._unreported > _MAX_UNREPORTED:
            self._refuse(400, "A chunk extension or trailer of the body is too large")

    def cut(self, why: str) -> None:
        """Close the connection at once."""
        self._limits.bursts.note(why)
        self._stop_waiting()  # now, not when the loss is reported: it makes room for others
        self.transport.abort()

    # Callbacks of the parser.
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._wait_for_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self.headers) >= MAX_HEADERS:  # trailers of a body count as well
            raise ValueError("too many headers")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._unreported = 0
        self._stop_waiting()
        # httptools takes no URL over 64 KiB: what follows the path needs no parser.
        self.url, _, query = self.url.partition(b"?")
        if len(self.url) > _MAX_PATH:
            raise ValueError("the path is too long")
        super().on_headers_complete()
        early_head.offer(self.cycle)
        self.scope["query_string"] = query.partition(b"#")[0]

    def on_chunk_header(self) -> None:
        """Note that the body goes on."""
        self._unreported = 0

    def on_body(self, body: bytes) -> None:
        self._unreported = 0
        if self.cycle.response_complete:  # the request is answered: the rest is not read
            self.flow.pause_reading()
            self.loop.call_later(_LINGER_S, self.transport.close)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head = True
        self._unreported = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self.loop.call_later(self._limits.patience_s, self._cut_unread)
        if not self.pipeline and not self.transport.is_closing():
            self._limits.waiting[self] = None

    def _cut_unread(self) -> None:
        idle = self.transport.is_closing() or self.cycle.response_complete
        if idle and self.transport.get_write_buffer_size():
            self.cut(UNREAD)

    def _wait_for_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self._limits.head_s, self._head_is_late)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._limits.waiting.pop(self, None)
        self._drop_head()

    def _drop_head(self) -> None:
        self._limits.large.discard(self)
        self._limits.waiting_bytes -= len(self._head)
        self._head = RequestHead()

    def _head_is_late(self) -> None:
        self._deadline = None
        if self._head:
            self._refuse(408, "The head of the request took too long")
        else:
            self.transport.close()

    def _gathered(self, data: bytes) -> bytes | None:
        """The head, once all of it is there, with what follows it in the same piece."""
        if not self._head and data[0] not in _METHOD_START:
            return data  # the parser says what is wrong
        self._limits.waiting_bytes += len(data)
        try:
            whole = self._head.add(data)
        except HeadTooLarge as error:
            self._refuse(431, str(error))
            return None
        if whole is None:
            self._limits.make_room(len(self.connections))
            if len(self._head) > _LARGE_HEAD:
                self._take_turns()
            return None
        self._drop_head()
        return whole

    def _take_turns(self) -> None:
        """Wait for the others that send large heads: together they get a small part of the time, so that all other
        requests are answered in between."""
        self._limits.large.add(self)
        if others := len(self._limits.large) - 1:
            self.flow.pause_reading()
            self.loop.call_later(_TURN_S * others, self._read_on)

    def _read_on(self) -> None:
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def _refuse(self, status: int, why: str) -> None:
        """Answer, and take nothing more from this connection."""
        self._stop_waiting()
        self._refused = True
        self._limits.bursts.note(f"refused: {why}")
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()  # an answer is under way: nothing can be said in between
            return
        text = f"{why}.\n".encode()
        self.transport.write(
            b"%bcontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (STATUS_LINE[status], len(text), text)
        )
        self.flow.pause_reading()
        self.loop.call_later(_LINGER_S, self.transport.abort)
