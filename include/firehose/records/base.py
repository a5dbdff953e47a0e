"""What a record type is: its columns, identity, order, rules, and how its records become rows and come back.

Lives here: the declarations that the files of this package fill in. Must not: know any column or single type,
decode a line, do I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import pyarrow as pa

if TYPE_CHECKING:
    from firehose.records.fast import Fast
    from firehose.records.fields import Field
    from firehose.records.rules import Rule

STRING: Final = pa.string()
STRINGS: Final = pa.list_(pa.string())
INTEGER: Final = pa.int64()
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
    PREFIXED = "DELTA_BYTE_ARRAY"  # TIDs


class Column(NamedTuple):
    """A column of a type's files.

    ``nullable`` is what ClickHouse is told. ``shown`` is the view's expression over ``stored.<name>`` (empty: as
    it is). ``made_of`` names the column that this one is computed from, by ``make``, for a whole array at once.
    """

    name: str
    type: pa.DataType
    comment: str
    packing: Packing = Packing.PLAIN
    nullable: bool = True
    shown: str = ""
    made_of: str = ""
    make: Callable[[pa.Array], pa.Array] | None = None


class ViewColumn(NamedTuple):
    """A column of a view. ``expression`` is empty where it is read from the file as it is."""

    name: str
    type: str
    comment: str
    expression: str = ""


class Derivation(NamedTuple):
    """Columns that are taken out of parts of the record, from a decoded record or from a fast decoder's."""

    columns: tuple[Column, ...]
    of_record: Callable[[dict[str, Any]], tuple[Any, ...]]
    of_plain: Callable[[Any], tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordType:
    """One record type: an hour file each, a view each.

    ``queue`` is the ingester's queue that its events come through; several types may share one. ``kind`` is the
    kind of its events. ``collections`` are those of its records; empty: those that no other type of its queue has.
    ``fields`` and ``derivation`` say which columns hold which part of a record; ``extra`` holds the rest.
    ``sort`` is the column by whose values an hour's rows are sorted. ``fast`` decodes records of the plain shape.
    ``view`` are columns that only the view has.
    """

    name: str
    queue: str
    kind: Literal["commit", "identity", "account"] = "commit"
    collections: tuple[str, ...] = ()
    columns: tuple[Column, ...]
    identity: tuple[str, ...]
    sort: str
    rules: tuple[Rule, ...]
    fields: tuple[Field, ...] = ()
    derivation: Derivation | None = None
    fast: Fast | None = None
    view: tuple[ViewColumn, ...] = ()

    @property
    def is_commit(self) -> bool:
        """Whether rows are operations on records (create, update, delete)."""
        return self.kind == "commit"

    @property
    def collection(self) -> str:
        """The collection of every record of the type; empty where a column names it."""
        return self.collections[0] if self.collections else ""

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the type's files."""
        return pa.schema([(column.name, column.type) for column in self.columns])

    @cached_property
    def decoded(self) -> tuple[str, ...]:
        """The names of the columns that a decoded row gives, in order; the others are computed of these."""
        made = {"batch", "created_at_raw", *(column.name for column in self.columns if column.make)}
        return tuple(column.name for column in self.columns if column.name not in made)
