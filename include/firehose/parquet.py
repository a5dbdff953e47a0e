"""Opening the lake's Parquet files, wherever the lake is stored. Must not: know their columns, or write."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from typing import Any, Final

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


def groups_within(metadata: pq.FileMetaData, bounds: Mapping[str, tuple[Any, Any]]) -> Iterator[int]:
    """The row groups that may hold a row whose columns all lie within these bounds, by their statistics."""
    columns = [_number(metadata, name) for name in bounds]
    for group in range(metadata.num_row_groups):
        said = (_ends(metadata, group, column) for column in columns)
        if all(
            ends is None or (ends[0] <= greatest and ends[1] >= least)
            for ends, (least, greatest) in zip(said, bounds.values(), strict=True)
        ):
            yield group


def ends(metadata: pq.FileMetaData, group: int, column: str) -> tuple[Any, Any] | None:
    """The least and the greatest value of a column in a row group, by its statistics; None where they do not say.

    Those of numbers and times are exact.
    """
    return _ends(metadata, group, _number(metadata, column))


def _ends(metadata: pq.FileMetaData, group: int, column: int) -> tuple[Any, Any] | None:
    said = metadata.row_group(group).column(column).statistics
    return (said.min, said.max) if said is not None and said.has_min_max else None


def _number(metadata: pq.FileMetaData, name: str) -> int:
    return next(number for number in range(metadata.num_columns) if metadata.schema.column(number).path == name)


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
