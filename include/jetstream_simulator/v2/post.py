"""Takes the body out of a POST, since the websocket library reads requests without one only.

Lives here: buffering a request until it is complete, pure. Must not: sockets, what a call means.
"""

from __future__ import annotations

import re
from typing import Final

_METHOD: Final = b"POST "
_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*(?=\r\n)", re.IGNORECASE)
_EXPECT: Final = re.compile(rb"\r\nexpect:[ \t]*100-continue", re.IGNORECASE)
_MAX_HEAD: Final = 64 * 1024
_MAX_BODY: Final = 8 << 20
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class PostReader:
    """Reads one request. Once ``done`` is true, what comes goes past it."""

    def __init__(self) -> None:
        self.body = b""
        self.done = False
        #: Whether the client waits for ``CONTINUE`` before it sends the body.
        self.expects = False
        self._buffer = b""

    def feed(self, data: bytes) -> bytes:
        """The bytes for the library to read now: none, or all so far without the body."""
        self._buffer += data
        head, end, rest = self._buffer.partition(_END)
        if not self._buffer.startswith(_METHOD[: len(self._buffer)]) or len(head) > _MAX_HEAD:
            return self._finish(self._buffer)
        if not end:
            return b""
        length = _LENGTH.search(head + b"\r\n")
        if length is None or int(length[1]) > _MAX_BODY:
            return self._finish(self._buffer)
        missing = int(length[1]) - len(rest)
        self.expects = missing > 0 and _EXPECT.search(head) is not None
        if missing > 0:
            return b""
        self.body = rest[: int(length[1])]
        return self._finish(head[: length.start()] + head[length.end() :] + _END)

    def _finish(self, data: bytes) -> bytes:
        self.done, self._buffer = True, b""
        return data
