"""The columns that record types are declared with: their Arrow types, encodings, comments and origins.

Lives here: the vocabulary. Must not: any one column (shared_columns.py, the types' files), fields, types.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, NamedTuple

import pyarrow as pa

STRING: Final = pa.string()
STRINGS: Final = pa.list_(pa.string())
INTEGER: Final = pa.int64()
SMALL: Final = pa.int32()
TINY: Final = pa.int16()
FLAG: Final = pa.bool_()
INSTANT: Final = pa.timestamp("us", tz="UTC")

#: ``operation`` of rows that are not operations on records: a repository has to be fetched again (v2's #sync).
SYNC: Final = "sync"


class Packing(StrEnum):
    """How a column is encoded in Parquet. Most strings are near-random: a dictionary would only cost."""

    PLAIN = "PLAIN"
    FEW = "few values: a dictionary"
    SHARED = "values that many rows of an hour share: a dictionary in hour files"
    RISING = "DELTA_BINARY_PACKED"  # clocks and sequence numbers
    PREFIXED = "DELTA_BYTE_ARRAY"  # TIDs, addresses, CIDs
    LENGTHS = "DELTA_LENGTH_BYTE_ARRAY"  # texts of any length
    SPREAD = "BYTE_STREAM_SPLIT"  # small numbers without an order


class Column(NamedTuple):
    """A column of a type's files.

    ``nullable`` is what ClickHouse is told. ``shown`` is the view's expression over ``stored.<name>`` (empty: as
    it is), ``view_name`` its name there (empty: the same). ``made_of`` names the column that this one is computed
    from, by ``make``, for a whole array at once.
    ``closed`` is the packing in files of closed hours (None: the same), whose rows are in the order of time, and
    ``level`` the level of zstd there: an hour is closed once, and read for years.
    """

    name: str
    type: pa.DataType
    comment: str
    packing: Packing = Packing.PLAIN
    nullable: bool = True
    shown: str = ""
    made_of: str = ""
    make: Callable[[pa.Array], pa.Array] | None = None
    closed: Packing | None = None
    level: int = 17
    view_name: str = ""


class ViewColumn(NamedTuple):
    """A column of a view. ``expression`` is empty where it is read from the file as it is."""

    name: str
    type: str
    comment: str
    expression: str = ""


class Edge(NamedTuple):
    """What a record is about: ``column`` holds the address of another record, or a DID, or a list of DIDs."""

    kind: str
    column: str


class Derivation(NamedTuple):
    """Columns that are taken out of parts of the record, from a decoded record or from a fast decoder's."""

    columns: tuple[Column, ...]
    of_record: Callable[[dict[str, Any]], tuple[Any, ...]]
    of_plain: Callable[[Any], tuple[Any, ...]]
