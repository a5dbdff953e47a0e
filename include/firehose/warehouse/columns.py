"""The lake's columns as ClickHouse has them: types, comments, and the columns that views add.

Lives here: declarations, made from the registry of record types. Must not: I/O, SQL statements.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from firehose.records.columns import Column as Stored
from firehose.records.columns import ViewColumn as Column
from firehose.records.registry import REGISTRY
from firehose.records.shared_columns import COMMIT, EXTRA, WITNESSED
from firehose.schema import EVENT_TYPES
from ingester.contract import wire

#: The types that the old system had as well.
OF_BOTH_SYSTEMS: Final = (wire.POSTS, wire.LIKES, wire.FOLLOWS, wire.REPOSTS, wire.BLOCKS)
_SHARED: Final = {column.name: column for column in (*WITNESSED, *COMMIT)}
SAMPLE: Final = Column(
    "sample",
    "Float64",
    "A number in [0, 1) that is the account's own: sample < 0.01 takes one account in a hundred with all that it"
    " did. It is the first 32 bits of MD5(did), divided by 2^32",
    "reinterpretAsUInt32(reverse(substring(MD5(did), 1, 4))) / 4294967296",
)
#: Of the types that the old system had as well. Imports are the only batches that begin within a minute.
PROVENANCE: Final = Column(
    "provenance",
    "Array(String)",
    "What has it: firehose, or the old system's queue where its commit came from there. With FIREHOSE_READERS"
    " other than new also the old system's stores that have it: cache-1, cache-2, queue, parquet",
    "if(toSecond(batch) = 0, ['firehose'], ['queue'])",
)
#: The hive columns of an hour file's path.
PARTITION: Final = (
    Column("year", "UInt16", "UTC year of the hour file"),
    Column("month", "UInt8", "UTC month of the hour file"),
    Column("day", "UInt8", "UTC day of the month of the hour file"),
    Column("hour", "UInt8", "UTC hour of the hour file, 0 to 23"),
)
# Made from the path alone, so that a condition on them decides which files are opened.
_DATE: Final = Column(
    "date", "Date", "UTC day; a condition on it opens only that day's files", "makeDate(year, month, day)"
)
_HOUR_START: Final = Column(
    "hour_start",
    "DateTime('UTC')",
    "Start of the hour; a condition on it opens only the hour files it needs",
    "toDateTime(makeDate(year, month, day), 'UTC') + toIntervalHour(hour)",
)
_WITNESSED_AT: Final = Column(
    "witnessed_at",
    "DateTime64(6, 'UTC')",
    "time_us as an instant; filter by date or hour_start as well, that is what skips files",
    "fromUnixTimestamp64Micro(time_us, 'UTC')",
)
_NAME: Final = "LowCardinality(String)"
_TID_AT: Final = Column(
    "tid_at",
    "Nullable(DateTime64(6, 'UTC'))",
    "tid_us as an instant",
    "fromUnixTimestamp64Micro(tid_us, 'UTC')",
)
_KEPT_URI: Final = Column(
    "uri",
    "String",
    "at:// address of the record; empty where the old system kept no record key, and for events of accounts",
    "if(collection = '' OR rkey = '', '', concat('at://', did, '/', collection, '/', rkey))",
)


def clickhouse_type(name: str, arrow: pa.DataType, *, nullable: bool = True) -> str:
    """The ClickHouse type of an Arrow column. Lists become arrays, in which null is the empty array.

    Raises:
        TypeError: a type that the lake does not use yet.
    """
    if pa.types.is_list(arrow):
        return f"Array({clickhouse_type(name, arrow.value_type, nullable=False)})"
    if pa.types.is_string(arrow):
        plain = "String"
    elif pa.types.is_int64(arrow):
        plain = "Int64"
    elif pa.types.is_int32(arrow):
        plain = "Int32"
    elif pa.types.is_int16(arrow):
        plain = "Int16"
    elif pa.types.is_boolean(arrow):
        plain = "Bool"
    elif isinstance(arrow, pa.TimestampType):
        plain = f"DateTime64({ {'ms': 3, 'us': 6}[arrow.unit] }, 'UTC')"
    else:
        raise TypeError(f"column {name}: no ClickHouse type is declared for Arrow's {arrow}")
    return f"Nullable({plain})" if nullable else plain


def file_columns(record_type: str) -> list[Column]:
    """The columns that are in the files of a record type, in the order of its schema."""
    return [
        Column(stored.name, clickhouse_type(stored.name, stored.type, nullable=stored.nullable), stored.comment)
        for stored in REGISTRY[record_type].columns
    ]


def view_columns(record_type: str) -> list[Column]:
    """The columns of a record type's view: those of the files, of their path, and the derived ones."""
    of = REGISTRY[record_type]
    of_file = [
        stored._replace(name=one.view_name or one.name, type=_shown_type(stored), expression=_shown(one))
        for one, stored in zip(of.columns, file_columns(record_type), strict=True)
    ]
    witnessed = [_WITNESSED_AT] if of.is_event else []
    columns = [*of_file, *PARTITION, _DATE, _HOUR_START, *witnessed, SAMPLE, *of.view]
    if not of.is_event:
        columns.append(_KEPT_URI)
    if of.is_commit:
        collection = f"'/{of.collection}/'" if of.collection else "'/', collection, '/'"
        uri = f"concat('at://', did, {collection}, rkey)"
        comment = "at:// address of the record"
        if not of.collection:
            uri, comment = f"if(collection = '', '', {uri})", f"{comment}; empty for a sync event"
        columns += [_TID_AT, Column("uri", "String", comment, uri)]
    if of.name in OF_BOTH_SYSTEMS:
        columns.append(PROVENANCE)
    return columns


def _shown(one: Stored) -> str:
    return one.shown or (f"stored.{one.name}" if one.view_name else "")


def _shown_type(stored: Column) -> str:
    # The rest of a record is shown as an object, which may be empty.
    return "String" if stored.name == EXTRA.name else stored.type


#: What the view of all events is made of: a type that lacks one of them has the expression instead. Names of types
#: and collections are few, and grouped by as such.
OF_ALL: Final = (
    Column("type", _NAME, f"{', '.join(EVENT_TYPES[:-1])} or {EVENT_TYPES[-1]}"),
    Column("stored_as", _NAME, "The type whose hour files hold it: other, where they are older than its own type"),
    Column("batch", "DateTime64(3, 'UTC')", _SHARED["batch"].comment),
    Column("time_us", "Int64", _SHARED["time_us"].comment),
    Column("did", "String", _SHARED["did"].comment),
    Column("operation", "String", "create, update, delete or sync; empty for identities and accounts", "''"),
    Column("collection", _NAME, "NSID of the collection; empty for identities, accounts and sync events", "''"),
    Column("rkey", "String", "Record key, of a sync event its number; empty for identities and accounts", "''"),
    Column("rev", "String", "Revision of the repository; empty for identities and accounts", "''"),
    Column("seq", "Nullable(Int64)", "The relay's sequence number; identities and accounts only", "NULL"),
    Column("cid", "Nullable(String)", _SHARED["cid"].comment, "NULL"),
    Column("created_at", "Nullable(DateTime64(6, 'UTC'))", _SHARED["created_at"].comment, "NULL"),
    Column("extra", "Nullable(String)", EXTRA.comment, "NULL"),
    Column("resync", "Bool", _SHARED["resync"].comment, "false"),
    Column("tid_us", "Nullable(Int64)", _SHARED["tid_us"].comment, "NULL"),
    *PARTITION,
)
_OF_ALL: Final = {column.name: column._replace(expression="") for column in OF_ALL}
#: Columns of the view of all events, over the rows of all types: what is the same for each type is computed here,
#: once, since the engine analyses every expression of a view, also those that a query does not ask for.
EVENTS: Final = (
    *(_OF_ALL[name] for name in ("type", "stored_as", "batch", "time_us", "did", "operation", "collection")),
    *(_OF_ALL[name] for name in ("rkey", "rev", "seq", "cid")),
    _OF_ALL["created_at"]._replace(expression=_SHARED["created_at"].shown),
    Column("extra", "String", EXTRA.comment, EXTRA.shown),
    _OF_ALL["resync"],
    Column(
        "uri",
        "String",
        "at:// address of the record; empty for identities, accounts and sync events",
        "if(collection = '', '', concat('at://', did, '/', collection, '/', rkey))",
    ),
    *PARTITION,
    _DATE,
    _HOUR_START,
    _WITNESSED_AT,
    SAMPLE,
    _TID_AT,
)
