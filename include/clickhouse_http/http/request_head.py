"""The head of a request, gathered until it is complete.

Lives here: the size of a head and the number of its lines. Must not: connections, parsing HTTP.
"""

from __future__ import annotations

from typing import Final

#: Request line and headers. A URL may hold a megabyte of parameters, three times that when it is escaped.
MAX_HEAD: Final = 4 * 1024 * 1024
MAX_HEADERS: Final = 256


class HeadTooLarge(Exception):
    """The head has too many bytes or lines; the message says which."""


class RequestHead:
    """The bytes of a head so far; ``len()`` counts them."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._searched = 0  # bytes that were searched already
        self._lines = 0

    def __len__(self) -> int:
        return len(self._bytes)

    def add(self, data: bytes) -> bytes | None:
        """Append a piece. Returns the head once all of it is there, with what follows it in the same piece.

        Raises:
            HeadTooLarge: it has over :data:`MAX_HEAD` bytes or :data:`MAX_HEADERS` lines.
        """
        before = len(self._bytes)
        self._bytes += data
        complete = self._find_end()
        if before > MAX_HEAD or (not complete and len(self._bytes) > MAX_HEAD):
            raise HeadTooLarge(f"The head of the request is larger than {MAX_HEAD} bytes")
        if self._lines > MAX_HEADERS:
            raise HeadTooLarge(f"The request has more than {MAX_HEADERS} headers")
        return bytes(self._bytes) if complete else None

    def _find_end(self) -> bool:
        """True once the empty line has come that ends the head. No byte is searched twice."""
        while self._lines <= MAX_HEADERS:
            at = self._bytes.find(b"\n", self._searched)
            if at < 0:
                self._searched = len(self._bytes)
                return False
            following = bytes(self._bytes[at + 1 : at + 3])
            if following[:1] == b"\n" or following == b"\r\n":
                return True
            if following in (b"", b"\r"):  # the rest of the line end may come
                self._searched = at
                return False
            self._lines += 1
            self._searched = at + 1
        return False
