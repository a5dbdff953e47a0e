"""Reading a raw file: concatenated zstd frames of newline-ended JSON, a bounded number of lines at a time."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import zstandard

from firehose.errors import CorruptBatch

#: A chunk ends with the line that brings it here, so that a flood of large events fits in memory as well.
CHUNK_BYTES: Final = 64 * 1024 * 1024


def read_chunks(path: Path, events: int) -> Iterator[list[bytes]]:
    """Yield the file's lines without their newlines, at most ``events`` and about ``CHUNK_BYTES`` at a time.

    Raises:
        CorruptBatch: the file is no zstd, or ends within a frame or a line.
    """
    try:
        with path.open("rb") as stream:
            reader = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
            lines = io.BufferedReader(reader, 1 << 20)
            while chunk := _chunk(lines, events):
                if not chunk[-1].endswith(b"\n"):
                    raise CorruptBatch(f"{path}: ends within a line; restore it from a backup")
                yield [line[:-1] for line in chunk]
    except zstandard.ZstdError as error:
        raise CorruptBatch(f"{path}: not whole zstd frames ({error}); restore it from a backup") from error


def _chunk(lines: Iterable[bytes], events: int) -> list[bytes]:
    chunk, size = [], 0
    for line in islice(lines, events):
        chunk.append(line)
        size += len(line)
        if size >= CHUNK_BYTES:
            break
    return chunk
