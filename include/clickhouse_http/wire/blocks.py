"""ClickHouse's own block compression, which a client asks for with ``compress=1`` and uses with ``decompress=1``.

Lives here: packing and unpacking blocks. Must not: HTTP compression (compression), limits of a whole body.

A block is a checksum of 16 bytes, then a byte for the method, the packed size (these 9 bytes included), the
unpacked size, and the packed bytes. Its sizes are checked before anything is read or allocated.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Final

import lz4.block  # type: ignore[import-untyped]  # it has neither stubs nor py.typed
from backports import zstd
from clickhouse_cityhash.cityhash import CityHash128  # type: ignore[import-untyped]  # the same

from clickhouse_http import exceptions
from clickhouse_http.wire.compression import Encoder

_CHECKSUM: Final = 16
_HEADER: Final = struct.Struct("<BII")
_LZ4: Final = 0x82
_ZSTD: Final = 0x90
_NONE: Final = 0x02
#: Largest block, packed or not: two of them are in memory at a time. Clients send 64 KiB to a few MiB.
MAX_BLOCK: Final = 128 * 1024 * 1024
#: 128 MiB, so that every block of that size unpacks.
_ZSTD_WINDOW_LOG: Final = 27
#: Bytes that LZ4 may add to data that does not compress.
_OVERHEAD: Final = 1024 * 1024


class BlockEncoder:
    """Packs each piece of a result as a block of its own; ``outer`` compresses the blocks for HTTP."""

    def __init__(self, outer: Encoder) -> None:
        self._outer = outer

    def compress(self, data: bytes) -> bytes:
        """``data``, at most a MiB or so, as a block."""
        if not data:
            return b""
        packed = lz4.block.compress(data, store_size=False)
        block = _HEADER.pack(_LZ4, len(packed) + _HEADER.size, len(data)) + packed
        return self._outer.compress(_checksum(block) + block)

    def flush(self) -> bytes:
        """A block is complete in itself, its compression for HTTP is not."""
        return self._outer.flush()


def unpacked(read: Callable[[int], bytes], expect: Callable[[int], None]) -> Iterator[bytes]:
    """The plain bytes of each block that ``read`` gives. It blocks: call it in a worker thread.

    ``expect`` is called with the unpacked size of a block before it is unpacked; it may refuse it.

    Raises:
        QueryError: 40, a checksum does not match; 33, the last block is not whole; 39, 271 or 432, what a block's
            header says cannot be, or its data does not unpack.
    """
    while start := read(_CHECKSUM + _HEADER.size):
        if len(start) < _CHECKSUM + _HEADER.size:
            raise _cut_off()
        header = start[_CHECKSUM:]
        method, packed_size, size = _HEADER.unpack(header)
        if method not in (_LZ4, _ZSTD, _NONE):
            raise exceptions.refused(exceptions.UNKNOWN_CODEC, f"Unknown codec family code: {method}.")
        if packed_size < _HEADER.size or size > MAX_BLOCK or packed_size > size + size // 128 + _OVERHEAD:
            raise exceptions.refused(
                exceptions.TOO_LARGE_SIZE_COMPRESSED,
                f"A compressed block of {packed_size} bytes that unpacks to {size} is not accepted; "
                f"the most is {MAX_BLOCK}.",
            )
        expect(size)
        packed = read(packed_size - _HEADER.size)
        if len(packed) < packed_size - _HEADER.size:
            raise _cut_off()
        if _checksum(header + packed) != start[:_CHECKSUM]:
            raise exceptions.refused(
                exceptions.CHECKSUM_DOESNT_MATCH,
                "Checksum doesn't match: corrupted data of a compressed block (decompress=1).",
            )
        yield _plain(method, packed, size)


def _plain(method: int, packed: bytes, size: int) -> bytes:
    try:
        if method == _LZ4:
            plain: bytes = lz4.block.decompress(packed, uncompressed_size=size) if size else b""
        elif method == _ZSTD:
            limits: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
            plain = zstd.ZstdDecompressor(options=limits).decompress(packed, size + 1)
        else:
            plain = packed
    except (lz4.block.LZ4BlockError, zstd.ZstdError, ValueError, EOFError, MemoryError) as error:
        raise exceptions.refused(exceptions.CANNOT_DECOMPRESS, f"Cannot decompress a block: {error}.") from None
    if len(plain) != size:
        raise exceptions.refused(
            exceptions.CANNOT_DECOMPRESS, f"A block unpacks to {len(plain)} bytes, not to {size}."
        )
    return plain


def _checksum(block: bytes) -> bytes:
    high, low = divmod(int(CityHash128(block)), 1 << 64)
    return high.to_bytes(8, "little") + low.to_bytes(8, "little")


def _cut_off() -> exceptions.QueryError:
    return exceptions.refused(
        exceptions.CANNOT_READ_ALL_DATA, "Cannot read all data: a compressed block is not whole."
    )
