"""What the lake's columns are in ClickHouse: their types, their meaning, and the columns that views add.

Lives here: declarations, made from firehose.schema. Must not: I/O, SQL statements.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from firehose import schema
from firehose.warehouse.derived import ADDED, SAMPLE, SHOWN, Column

# The identity of an event and its clocks are in every row: Nullable would only cost time and mislead. Of a delete
# the account is empty.
_NEVER_NULL: Final = frozenset(
    {"batch", "time_us", "did", "rev", "operation", "rkey", "collection", "seq", "subject_did", "resync"}
)

_COMMENTS: Final[dict[str, str]] = {
    "batch": "Start of the interval whose run stored the row",
    "time_us": "When the Jetstream host saw the event, microseconds since 1970; the clock of the hour files",
    "did": "The account",
    "rev": "Revision of the account's repository; operations of one commit share it",
    "operation": "create, update or delete",
    "rkey": "Record key",
    "cid": "Content identifier of the record; NULL for a delete",
    "tid_us": "The clock inside the record key, in microseconds; NULL where the key is no TID",
    "resync": "Whether a resync sent the record again: then this create is nothing new",
    "displayed_us": "The time that the host shows for the event, where an operator set another one than time_us",
    "text": "The post's text; NULL for a delete",
    "langs": "Languages that the client declared",
    "reply_parent_uri": "The post that this one answers",
    "reply_parent_cid": "Its content identifier",
    "reply_root_uri": "The post that began the thread",
    "reply_root_cid": "Its content identifier",
    "embed": "JSON of the embed, as in the record",
    "facets": "JSON of the facets, as in the record",
    "embed_type": "Type of the embed, such as app.bsky.embed.images",
    "quoted_uri": "The record that the post quotes",
    "hashtags": "Tags of facets and of the record in lower case without #, as written else: use tags to count",
    "links": "URLs of facets and of an external embed, as written, each once",
    "mentions": "DIDs that the post mentions",
    "subject_uri": "The record that is liked or reposted; NULL for a delete",
    "subject_cid": "Its content identifier",
    "via_uri": "The repost through which the account found the record",
    "via_cid": "Its content identifier",
    "subject_did": "The account that is followed or blocked; empty for a delete",
    "seq": "The relay's sequence number",
    "handle": "The account's handle; NULL where the event has none",
    "time": "The relay's time of the event, as sent",
    "active": "Whether the account is active",
    "status": "Why it is not: deactivated, deleted, takendown, suspended …",
    "collection": "NSID of the record's collection; empty for a sync event",
}
_OTHER_COMMENTS: Final = {
    "operation": "create, update or delete; or sync: the repository is to be fetched again",
    "rkey": "Record key; of a sync event the relay's sequence number",
}

#: The hive columns of an hour file's path.
PARTITION: Final = (
    Column("year", "UInt16", "UTC year of the hour file"),
    Column("month", "UInt8", "UTC month of the hour file"),
    Column("day", "UInt8", "UTC day of the month of the hour file"),
    Column("hour", "UInt8", "UTC hour of the hour file, 0 to 23"),
)
# Made of the path alone, so that a condition on them decides which files are opened at all.
_DATE = Column(
    "date", "Date", "UTC day; a condition on it opens only that day's files", "makeDate(year, month, day)"
)
_HOUR_START = Column(
    "hour_start",
    "DateTime('UTC')",
    "Start of the hour; a condition on it opens only the hour files it needs",
    "toDateTime(makeDate(year, month, day), 'UTC') + toIntervalHour(hour)",
)
_WITNESSED_AT = Column(
    "witnessed_at",
    "DateTime64(6, 'UTC')",
    "time_us as an instant; filter by date or hour_start as well, that is what skips files",
    "fromUnixTimestamp64Micro(time_us, 'UTC')",
)
_TID_AT = Column(
    "tid_at",
    "Nullable(DateTime64(6, 'UTC'))",
    "tid_us as an instant",
    "fromUnixTimestamp64Micro(tid_us, 'UTC')",
)


def clickhouse_type(name: str, arrow: pa.DataType) -> str:
    """The ClickHouse type of an Arrow column. Lists become arrays, in which null is the empty array.

    Raises:
        TypeError: a type that the lake does not use so far.
    """
    if pa.types.is_list(arrow):
        return f"Array({clickhouse_type('', arrow.value_type).removeprefix('Nullable(').removesuffix(')')})"
    if pa.types.is_string(arrow):
        plain = "String"
    elif pa.types.is_int64(arrow):
        plain = "Int64"
    elif pa.types.is_boolean(arrow):
        plain = "Bool"
    elif isinstance(arrow, pa.TimestampType):
        plain = f"DateTime64({ {'ms': 3, 'us': 6}[arrow.unit] }, 'UTC')"
    else:
        raise TypeError(f"column {name}: no ClickHouse type is declared for Arrow's {arrow}")
    return plain if name in _NEVER_NULL else f"Nullable({plain})"


def file_columns(record_type: str) -> list[Column]:
    """The columns that are in the files of a record type, in the order of its schema."""
    comments = {name: column.comment for name, column in SHOWN.items()} | _COMMENTS
    if record_type == schema.OTHER:
        comments |= _OTHER_COMMENTS
    return [
        Column(field.name, clickhouse_type(field.name, field.type), comments[field.name])
        for field in schema.SCHEMAS[record_type]
    ]


def view_columns(record_type: str) -> list[Column]:
    """The columns of a record type's view: those of the files, of their path, and the derived ones."""
    of_file = [SHOWN.get(column.name, column) for column in file_columns(record_type)]
    columns = [*of_file, *PARTITION, _DATE, _HOUR_START, _WITNESSED_AT, *ADDED[record_type]]
    if record_type in schema.COMMIT_TYPES:
        fixed = schema.COLLECTIONS.get(record_type)
        collection = f"'/{fixed}/'" if fixed else "'/', collection, '/'"
        uri = f"concat('at://', did, {collection}, rkey)"
        comment = "at:// address of the record"
        if not fixed:
            uri, comment = f"if(collection = '', '', {uri})", f"{comment}; empty for a sync event"
        columns += [_TID_AT, Column("uri", "String", comment, uri)]
    return columns


#: Columns of the view of all events; a type that lacks one of them has the default instead.
EVENTS: Final = (
    Column("type", "String", "posts, likes, follows, reposts, blocks, identities, accounts or other"),
    Column("batch", "DateTime64(3, 'UTC')", _COMMENTS["batch"]),
    Column("time_us", "Int64", _COMMENTS["time_us"]),
    Column("did", "String", _COMMENTS["did"]),
    Column("operation", "String", "create, update, delete or sync; empty for identities and accounts", "''"),
    Column("collection", "String", "NSID of the collection; empty for identities, accounts and sync events", "''"),
    Column("rkey", "String", "Record key, of a sync event its number; empty for identities and accounts", "''"),
    Column("rev", "String", "Revision of the repository; empty for identities and accounts", "''"),
    Column("seq", "Nullable(Int64)", "The relay's sequence number; identities and accounts only", "NULL"),
    Column("cid", "Nullable(String)", _COMMENTS["cid"], "NULL"),
    Column("created_at", "Nullable(DateTime64(6, 'UTC'))", SHOWN["created_at"].comment, "NULL"),
    SHOWN["extra"]._replace(expression="'{}'"),
    Column("resync", "Bool", _COMMENTS["resync"], "false"),
    Column("uri", "String", "at:// address of the record; empty for identities, accounts and sync events", "''"),
    *PARTITION,
    Column("date", "Date", _DATE.comment),
    Column("hour_start", "DateTime('UTC')", _HOUR_START.comment),
    Column("witnessed_at", "DateTime64(6, 'UTC')", _WITNESSED_AT.comment),
    SAMPLE,
    Column("tid_at", "Nullable(DateTime64(6, 'UTC'))", _TID_AT.comment, "NULL"),
)
