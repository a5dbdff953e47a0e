"""Opening the lake's Parquet files, wherever the lake is stored. Must not: know their columns, or write."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import Final

import pyarrow.parquet as pq

from firehose.store import LakePath

_TAIL: Final = 8  # of a Parquet file: the length of its footer, and PAR1


@contextmanager
def opened(path: LakePath) -> Iterator[pq.ParquetFile]:
    """A Parquet file to read row groups from.

    Raises:
        pyarrow.ArrowInvalid: it is not Parquet.
        OSError: it is not there, or cannot be read.
    """
    with path.reading_by_arrow() as stream, pq.ParquetFile(stream) as source:
        yield source


def footer(path: LakePath) -> pq.FileMetaData:
    """Read the footer: rows, row groups with their statistics, notes. Raises as :func:`opened` does."""
    with opened(path) as source:
        return source.metadata


def footer_digest(stream: BufferedReader) -> tuple[int, str]:
    """The bytes of a file, and the SHA-256 of its footer in hex; empty where it has none that is whole."""
    size = stream.seek(0, 2)
    stream.seek(max(size - _TAIL, 0))
    tail = stream.read(_TAIL)
    footer = int.from_bytes(tail[:4], "little")
    if tail[4:] != b"PAR1" or footer + _TAIL > size:
        return size, ""
    stream.seek(size - _TAIL - footer)
    return size, hashlib.sha256(stream.read()).hexdigest()
