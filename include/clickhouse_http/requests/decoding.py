"""Decompressing the body of a request as it arrives, up to the size that is accepted.

Lives here: limits of size, HTTP's compression, and ClickHouse's own blocks. Must not: what the bytes mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from clickhouse_http import exceptions
from clickhouse_http.requests.spool import SpoolFile
from clickhouse_http.wire import blocks
from clickhouse_http.wire.compression import PIECE, Decoder

#: Rows of events compress 10 to 20 times. Below the second number no ratio is too high.
_MAX_RATIO: Final = 250
_ANY_RATIO: Final = 32 * 1024 * 1024


class BodyDecoder:
    """Decompresses a body and gives its bytes to ``keep``. ``max_size``: in bytes, compressed or not.

    ``packed``: a file for a body in ClickHouse's own compressed blocks. They are unpacked once all of them have
    come, so that a slow client does not occupy memory with half a block. ``max_block``: largest one, unpacked.

    Raises (also its methods):
        QueryError: the body does not decompress, is too large, or is a bomb; the disk has no room for its blocks.
    """

    def __init__(
        self,
        encoding: str,
        max_size: int,
        keep: Callable[[bytes], None],
        packed: SpoolFile | None = None,
        max_block: int = blocks.MAX_BLOCK,
    ) -> None:
        self._packed = packed
        self._max_block = max_block
        self._decoder = Decoder(encoding)
        self._max_size = max_size
        self._keep = keep
        self._received = 0
        self._size = 0

    def feed(self, data: bytes) -> None:
        """The next piece."""
        self._received += len(data)
        self._check(self._received)
        for plain in self._decoder.feed(data):
            self._size += len(plain)
            self._check(self._size)
            (self._keep if self._packed is None else self._packed.write)(plain)

    def finish(self) -> None:
        """All of it has come."""
        self._decoder.finish()
        if self._packed is not None:
            self._unpack(self._packed)

    def close(self) -> None:
        """Drop the blocks that were not unpacked."""
        if self._packed is not None:
            self._packed.close()

    def _unpack(self, packed: SpoolFile) -> None:
        packed.seek(0)
        self._size = 0
        for plain in blocks.unpacked(packed.read, self._expect):
            self._size += len(plain)
            for start in range(0, len(plain), PIECE):
                self._keep(plain[start : start + PIECE])
        packed.close()

    def _expect(self, size: int) -> None:
        """Accept a block that unpacks to ``size`` bytes: all at once, in memory that no query was granted."""
        if size > self._max_block:
            raise exceptions.refused(
                exceptions.TOO_LARGE_SIZE_COMPRESSED,
                f"A block unpacks to {size} bytes; at most {self._max_block} are accepted here.",
            )
        self._check(self._size + size)

    def _check(self, size: int) -> None:
        if size > self._max_size:
            raise exceptions.refused(
                exceptions.QUERY_IS_TOO_LARGE,
                f"The body has more than the {self._max_size} bytes that are accepted, compressed or not.",
            )
        if (self._decoder.packed or self._packed) and size > max(_ANY_RATIO, _MAX_RATIO * self._received):
            raise exceptions.refused(
                exceptions.TOO_LARGE_SIZE_COMPRESSED,
                f"The body decompresses to more than {_MAX_RATIO} times its size: send it with less compression.",
            )
