"""Opening the lake's Parquet files, wherever the lake is stored. Must not: know their columns, or write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow.parquet as pq

from firehose.store import LakePath


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
