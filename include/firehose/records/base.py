"""What a record type is: its columns, identity, order, rules, and how its records become rows and come back.

Lives here: the declarations that the files of this package fill in, and the columns that types share.
Must not: know any single type, decode a line, do I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import pyarrow as pa

from firehose.records.clocks import tid_us

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


# What Date and DateTime hold: a function that returns one of them turns any other instant into a wrong day.
_IN_CALENDAR: Final = (
    "stored.created_at >= toDateTime64('1970-01-01 00:00:00', 6, 'UTC')"
    " AND stored.created_at < toDateTime64('2106-02-07 00:00:00', 6, 'UTC')"
)
_CLAIM: Final = "concat(replaceOne(substring(toString(stored.created_at), 1, 23), ' ', 'T'), 'Z')"

EXTRA: Final = Column(
    "extra",
    STRING,
    "JSON object of every part of the record that no other column gives back exactly; {} where there is none."
    " It is the whole record in other, and where the record's $type is not its collection",
    shown="multiIf(stored.extra IS NULL, '{}', startsWith(assumeNotNull(stored.extra), '['),"
    " substring(assumeNotNull(stored.extra), 2, length(assumeNotNull(stored.extra)) - 2),"
    " assumeNotNull(stored.extra))",
)
#: In every file. ``batch``: the interval whose run wrote the row. ``time_us``: when the Jetstream host saw the
#: event.
WITNESSED: Final = (
    Column(
        "batch",
        pa.timestamp("ms", tz="UTC"),
        "Start of the interval whose run stored the row",
        Packing.FEW,
        nullable=False,
    ),
    Column(
        "time_us",
        INTEGER,
        "When the Jetstream host saw the event, microseconds since 1970; the clock of the hour files",
        Packing.RISING,
        nullable=False,
    ),
    Column("did", STRING, "The account", Packing.SHARED, nullable=False),
)
#: Of every type whose events are operations on records. ``created_at_raw``: the claim's text, where ``created_at``
#: in canonical form is not that text. ``resync`` is null in rows of older versions.
COMMIT: Final = (
    Column(
        "rev",
        STRING,
        "Revision of the account's repository; operations of one commit share it",
        Packing.PREFIXED,
        nullable=False,
    ),
    Column("operation", STRING, "create, update or delete", Packing.FEW, nullable=False),
    Column("rkey", STRING, "Record key", Packing.PREFIXED, nullable=False),
    Column("cid", STRING, "Content identifier of the record; NULL for a delete"),
    Column(
        "tid_us",
        INTEGER,
        "The clock inside the record key, in microseconds; NULL where the key is no TID",
        Packing.RISING,
        made_of="rkey",
        make=tid_us,
    ),
    Column(
        "created_at",
        INSTANT,
        "When the client claims that the record was made; NULL where it gave no instant between 1970 and 2106",
        Packing.RISING,
        shown=f"if({_IN_CALENDAR}, stored.created_at, NULL)",
    ),
    Column(
        "created_at_raw",
        STRING,
        "That claim as text, where created_at in canonical form does not give it back",
        shown=f"if(stored.created_at_raw IS NULL AND NOT ({_IN_CALENDAR}), {_CLAIM}, stored.created_at_raw)",
    ),
    EXTRA,
    Column(
        "resync", FLAG, "Whether a resync sent the record again: then this create is nothing new", nullable=False
    ),
    Column(
        "displayed_us",
        INTEGER,
        "The time that the host shows for the event, where an operator set another one than time_us",
        Packing.RISING,
    ),
)
#: What identifies an operation, never its time; how, says firehose.lake.identity.
OPERATION: Final = ("did", "rev", "rkey", "operation")
