"""Opens recorded files: plain, gzip or zstd, the latter in one frame or many.

Lives here: bytes out of files, and noticing that a file is cut off. Must not: what the lines mean.
"""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import IO, Final, cast

import zstandard

_CHUNK: Final = 1 << 17


def open_recording(path: Path) -> IO[bytes]:
    """The file's content; what its name ends in (.gz, .zst) says how it is compressed.

    Raises:
        OSError: it cannot be opened. Reading raises OSError, EOFError or ZstdError where it is damaged.
    """
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    if path.suffix == ".zst":
        return io.BufferedReader(_ZstdReader(path.open("rb")), 1 << 20)
    return path.open("rb")


class _ZstdReader(io.RawIOBase):
    # zstandard's own reader takes the end of a file for the end of its data, so that a cut file looks whole.
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._decoded = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # BufferedReader passes nothing else
        while not self._decoded:
            compressed = self._next()
            if not compressed:
                return 0
            if self._frame is None or self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._decoded = self._frame.decompress(compressed)
        count = min(len(buffer), len(self._decoded))
        buffer[:count] = self._decoded[:count]
        self._decoded = self._decoded[count:]
        return count

    def _next(self) -> bytes:
        """More compressed bytes; none at the end of the file, between frames."""
        if self._frame is None or not self._frame.eof:
            compressed = self._file.read(_CHUNK)
            if self._frame is not None and not compressed:
                raise EOFError("the last zstd frame is cut off")
            return compressed
        return self._frame.unused_data or self._file.read(_CHUNK)

    def close(self) -> None:
        self._file.close()
        super().close()
