"""HTTP compression in both directions, chunk by chunk.

Lives here: which method, and incremental coders. Must not: I/O.
"""

from __future__ import annotations

import zlib
from typing import Final, Protocol

import lz4.frame  # type: ignore[import-untyped]  # it has neither stubs nor py.typed
from backports import zstd

from firehose.endpoint import errors

_GZIP_WBITS: Final = 31
_ZLIB_WBITS: Final = 15
_ZSTD_LEVEL: Final = 1
_GZIP_LEVEL: Final = 3
#: In the order in which they are chosen where a client accepts several: the cheapest first.
METHODS: Final = ("lz4", "zstd", "gzip", "deflate")
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
    """The method for a response, from an Accept-Encoding header; None for no compression."""
    offered = {part.split(";")[0].strip().lower() for part in accept_encoding.split(",")}
    return next((method for method in METHODS if method in offered), None)


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
    """Decompresses a request body; concatenated frames (gzip members, zstd frames) count as one stream.

    Raises:
        QueryError: NOT_IMPLEMENTED for an unknown method, CANNOT_DECOMPRESS for broken data.
    """

    def __init__(self, method: str) -> None:
        self._method = method.strip().lower()
        if self._method not in ("", "identity", *METHODS):
            raise errors.refused(
                errors.NOT_IMPLEMENTED,
                f"Unknown Content-Encoding {method!r}: use {', '.join(METHODS)} or none.",
            )
        self._current: _Decompressor | None = None

    def feed(self, data: bytes) -> bytes:
        """The plain bytes of the next piece."""
        if self._method in ("", "identity"):
            return data
        plain = []
        try:
            while data:
                if self._current is None or self._current.eof:
                    self._current = _decompressor(self._method)
                plain.append(self._current.decompress(data))
                data = (self._current.unused_data or b"") if self._current.eof else b""
        except _FAILURES as error:
            raise errors.refused(errors.CANNOT_DECOMPRESS, f"Cannot decompress: {error}.") from None
        return b"".join(plain)

    def finish(self) -> None:
        """To be called after the last piece: a frame that was cut off must not pass as a whole one."""
        if self._current is not None and not self._current.eof:
            raise errors.refused(
                errors.CANNOT_DECOMPRESS, f"The {self._method} data ends in the middle of a frame."
            )


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes | None: ...

    def decompress(self, data: bytes) -> bytes: ...


def _decompressor(method: str) -> _Decompressor:
    if method == "lz4":
        frame: _Decompressor = lz4.frame.LZ4FrameDecompressor()
        return frame
    if method == "zstd":
        return zstd.ZstdDecompressor()
    return zlib.decompressobj(_GZIP_WBITS if method == "gzip" else _ZLIB_WBITS)
