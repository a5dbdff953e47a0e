"""HTTP compression in both directions, chunk by chunk.

Lives here: which method, and incremental coders. Must not: I/O.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Final, Protocol

import lz4.frame  # type: ignore[import-untyped]  # it has neither stubs nor py.typed
from backports import zstd

from clickhouse_http import exceptions

_GZIP_WBITS: Final = 31
_ZLIB_WBITS: Final = 15
_ZSTD_LEVEL: Final = 1
_GZIP_LEVEL: Final = 3
#: 8 MiB, the largest window of zstd as a Content-Encoding (RFC 9659): a frame takes its window's memory.
_ZSTD_WINDOW_LOG: Final = 23
#: Largest piece of one step of decompression, in bytes.
PIECE: Final = 1024 * 1024
#: In the order in which they are chosen where a client accepts several: the cheapest first.
METHODS: Final = ("lz4", "zstd", "gzip", "deflate")
#: The method for a client that accepts any.
_KNOWN_TO_ALL: Final = "gzip"
_QUALITY: Final = re.compile(r"q\s*=\s*([01](?:\.[0-9]{0,3})?)")
_FAILURES: Final = (RuntimeError, EOFError, ValueError, zlib.error, zstd.ZstdError)


class Encoder(Protocol):
    """Compresses a stream."""

    def compress(self, data: bytes) -> bytes: ...

    def flush(self) -> bytes: ...


class _Identity:
    def compress(self, data: bytes) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


class _Lz4:
    """lz4's own compressor wants a begin before the first block."""

    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._started = False

    def compress(self, data: bytes) -> bytes:
        return self._begin() + bytes(self._frame.compress(data))

    def flush(self) -> bytes:
        return self._begin() + bytes(self._frame.flush())

    def _begin(self) -> bytes:
        if self._started:
            return b""
        self._started = True
        return bytes(self._frame.begin())


def accepted(accept_encoding: str) -> str | None:
    """The method for a response, from an Accept-Encoding header; None for no compression.

    It is the one that the client prefers; of several with equal quality, the cheapest.
    """
    qualities = dict(_quality(part) for part in accept_encoding.split(",") if part.strip())
    if "*" in qualities:
        qualities.setdefault(_KNOWN_TO_ALL, qualities["*"])
    method = max(METHODS, key=lambda name: qualities.get(name, 0.0))
    quality = qualities.get(method, 0.0)
    return method if quality > 0 and quality >= qualities.get("identity", 0.0) else None


def _quality(part: str) -> tuple[str, float]:
    """A coding and its quality value, from 0 (not accepted) to 1."""
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    found = (_QUALITY.fullmatch(parameter) for parameter in parameters)
    return name, next((float(match[1]) for match in found if match), 1.0)


def encoder(method: str | None) -> Encoder:
    """A compressor for one response."""
    if method == "lz4":
        return _Lz4()
    if method == "zstd":
        return zstd.ZstdCompressor(level=_ZSTD_LEVEL)
    if method in ("gzip", "deflate"):
        wbits = _GZIP_WBITS if method == "gzip" else _ZLIB_WBITS
        return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, wbits)
    return _Identity()


class Decoder:
    """Decompresses a request body in bounded pieces; concatenated frames (gzip members, zstd frames) count as one
    stream. It needs processor time: use it in a worker thread.

    Raises:
        QueryError: NOT_IMPLEMENTED for an unknown method, CANNOT_DECOMPRESS for broken data.
    """

    def __init__(self, method: str) -> None:
        self._method = method.strip().lower()
        if self._method not in ("", "identity", *METHODS):
            raise exceptions.refused(
                exceptions.NOT_IMPLEMENTED,
                f"Unknown Content-Encoding {method[:50]!r}: use {', '.join(METHODS)} or none.",
            )
        self._current: _Decompressor | None = None

    @property
    def packed(self) -> bool:
        """True if the body is compressed."""
        return self._method not in ("", "identity")

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The plain bytes of the next piece of the body, at most ``PIECE`` at a time, so that a caller can stop
        in the middle of a bomb."""
        if not self.packed:
            yield data
            return
        try:
            while data:
                if self._current is None or self._current.eof:
                    self._current = _decompressor(self._method)
                yield from _bounded(self._current, data)
                data = (self._current.unused_data or b"") if self._current.eof else b""
        except _FAILURES as error:
            raise exceptions.refused(exceptions.CANNOT_DECOMPRESS, f"Cannot decompress: {error}.") from None

    def finish(self) -> None:
        """You must call this after the last piece: it refuses a frame that was cut off."""
        if self._current is not None and not self._current.eof:
            raise exceptions.refused(
                exceptions.CANNOT_DECOMPRESS, f"The {self._method} data ends in the middle of a frame."
            )


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes | None: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Zlib:
    """zlib hands unread input back instead of keeping it, and names it differently."""

    def __init__(self, wbits: int) -> None:
        self._zlib = zlib.decompressobj(wbits)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


def _bounded(frame: _Decompressor, data: bytes) -> Iterator[bytes]:
    """All that ``data`` decompresses to, up to the end of the frame. A full piece means that there may be more."""
    plain = frame.decompress(data, PIECE)
    yield plain
    while len(plain) == PIECE and not frame.eof:
        plain = frame.decompress(b"", PIECE)
        yield plain


def _decompressor(method: str) -> _Decompressor:
    if method == "lz4":
        frame: _Decompressor = lz4.frame.LZ4FrameDecompressor()
        return frame
    if method == "zstd":
        return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})
    return _Zlib(_GZIP_WBITS if method == "gzip" else _ZLIB_WBITS)
