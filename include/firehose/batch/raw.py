"""Reading a raw file: concatenated zstd frames of newline-ended JSON, a bounded number of lines at a time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import zstandard

from firehose.errors import CorruptBatch


def read_chunks(path: Path, events: int) -> Iterator[list[bytes]]:
    """Yield the file's lines without their newlines, at most ``events`` at a time.

    Raises:
        CorruptBatch: the file is no zstd, or ends within a frame or a line.
    """
    try:
        with path.open("rb") as stream:
            reader = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
            lines = io.BufferedReader(reader, 1 << 20)
            while chunk := list(islice(lines, events)):
                if not chunk[-1].endswith(b"\n"):
                    raise CorruptBatch(f"{path}: ends within a line; restore it from a backup")
                yield [line[:-1] for line in chunk]
    except zstandard.ZstdError as error:
        raise CorruptBatch(f"{path}: not whole zstd frames ({error}); restore it from a backup") from error
