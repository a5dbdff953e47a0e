"""The columns that types share: of every row, and of every operation on a record.

Must not: declare a column of one type, do I/O.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from firehose.records.clocks import tid_us
from firehose.records.columns import FLAG, INSTANT, INTEGER, STRING, Column, Packing

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
    Column("cid", STRING, "Content identifier of the record; NULL for a delete", level=3),
    Column(
        "tid_us",
        INTEGER,
        "The clock inside the record key, in microseconds; NULL where the key is not a TID",
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
        closed=Packing.SPREAD,
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
