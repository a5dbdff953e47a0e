"""The lake's record types and their columns: the one declaration that decoder, Parquet files and views share.

Lives here: names, Arrow schemas, and what identifies an event. Must not: I/O, decoding.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from ingester.contract import wire

POSTS, LIKES, FOLLOWS, REPOSTS, BLOCKS = wire.POSTS, wire.LIKES, wire.FOLLOWS, wire.REPOSTS, wire.BLOCKS
IDENTITIES, ACCOUNTS, OTHER = wire.IDENTITIES, wire.ACCOUNTS, wire.OTHER
#: Record types: one hour file each, named as the queue that they come from.
TYPES: Final = wire.QUEUES
#: Types whose rows are operations on records (create, update, delete).
COMMIT_TYPES: Final = (POSTS, LIKES, FOLLOWS, REPOSTS, BLOCKS, OTHER)
#: The collection of each type that has exactly one; ``other`` keeps it in a column.
COLLECTIONS: Final = {queue: collection for collection, queue in wire.COLLECTION_QUEUES.items()}

#: ``operation`` of the rows of ``other`` that are no operations: a repository has to be fetched anew (v2's #sync).
#: They have no collection, and the relay's sequence number in the place of the record key.
SYNC: Final = "sync"

_Columns = list[tuple[str, pa.DataType]]
_INSTANT = pa.timestamp("us", tz="UTC")
_STRINGS = pa.list_(pa.string())

# batch: start of the interval whose run wrote the row. time_us: when the Jetstream host saw the event.
_WITNESSED: _Columns = [
    ("batch", pa.timestamp("ms", tz="UTC")),
    ("time_us", pa.int64()),
    ("did", pa.string()),
]
# tid_us: the clock inside the record key, null where the key is no TID. created_at: what the client claims,
# null where it is no instant; created_at_raw: its text, where that is not the instant in canonical form.
# extra: JSON of every part of the record that the columns do not give back exactly.
# resync: whether a resync sent the record again, so that this create is no birth; null in rows of older versions.
# displayed_us: the time that the host shows for the event, where an operator set it to another one than time_us.
_COMMIT: _Columns = [
    ("rev", pa.string()),
    ("operation", pa.string()),
    ("rkey", pa.string()),
    ("cid", pa.string()),
    ("tid_us", pa.int64()),
    ("created_at", _INSTANT),
    ("created_at_raw", pa.string()),
    ("extra", pa.string()),
    ("resync", pa.bool_()),
    ("displayed_us", pa.int64()),
]
_SUBJECT_RECORD: _Columns = [
    ("subject_uri", pa.string()),
    ("subject_cid", pa.string()),
    ("via_uri", pa.string()),
    ("via_cid", pa.string()),
]
_COLUMNS: dict[str, _Columns] = {
    POSTS: [
        *_COMMIT,
        ("text", pa.string()),
        ("langs", _STRINGS),
        ("reply_parent_uri", pa.string()),
        ("reply_parent_cid", pa.string()),
        ("reply_root_uri", pa.string()),
        ("reply_root_cid", pa.string()),
        ("embed", pa.string()),  # JSON, as in the record
        ("facets", pa.string()),  # JSON, as in the record
        # Derived from embed and facets, so that nobody parses JSON to ask the usual questions.
        ("embed_type", pa.string()),
        ("quoted_uri", pa.string()),
        ("hashtags", _STRINGS),  # of facets and of the record's tags, lower case, without '#'
        ("links", _STRINGS),  # of facets and of an external embed
        ("mentions", _STRINGS),  # DIDs
        # One spelling for all who meant the same (events/links.py, events/spelling.py), each value once.
        ("tags", _STRINGS),
        ("link_hosts", _STRINGS),
        ("link_domains", _STRINGS),
        ("languages", _STRINGS),
    ],
    LIKES: [*_COMMIT, *_SUBJECT_RECORD],
    REPOSTS: [*_COMMIT, *_SUBJECT_RECORD],
    FOLLOWS: [*_COMMIT, ("subject_did", pa.string())],
    BLOCKS: [*_COMMIT, ("subject_did", pa.string())],
    IDENTITIES: [("seq", pa.int64()), ("handle", pa.string()), ("time", pa.string()), ("extra", pa.string())],
    ACCOUNTS: [
        ("seq", pa.int64()),
        ("active", pa.bool_()),
        ("status", pa.string()),
        ("time", pa.string()),
        ("extra", pa.string()),
    ],
    # Every other collection, where extra holds the whole record; and the sync events.
    OTHER: [("collection", pa.string()), *_COMMIT],
}

SCHEMAS: Final[dict[str, pa.Schema]] = {
    name: pa.schema([*_WITNESSED, *columns]) for name, columns in _COLUMNS.items()
}

#: The columns that identify an event within its type, never time_us; how, says firehose.lake.identity.
IDENTITY: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(COMMIT_TYPES, ("did", "rev", "rkey", "operation")),
    OTHER: ("did", "rev", "collection", "rkey", "operation"),
    IDENTITIES: ("did", "time", "seq", "handle", "extra"),
    ACCOUNTS: ("did", "time", "seq", "active", "status", "extra"),
}
