"""The names and schemas of the lake's record types, as files and their readers need them: made of the registry.

Must not: declare anything (firehose.records does), I/O, decoding.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from firehose.records.columns import SYNC
from firehose.records.registry import REGISTRY
from ingester.contract import wire

__all__ = ["COLLECTIONS", "COMMIT_TYPES", "EVENT_TYPES", "IDENTITY", "SCHEMAS", "SYNC", "TYPES"]

POSTS, LIKES, FOLLOWS, REPOSTS, BLOCKS = wire.POSTS, wire.LIKES, wire.FOLLOWS, wire.REPOSTS, wire.BLOCKS
IDENTITIES, ACCOUNTS, OTHER = wire.IDENTITIES, wire.ACCOUNTS, wire.OTHER
#: Record types: one hour file each.
TYPES: Final = tuple(REGISTRY)
#: Types whose rows are events: all but what an import has brought of an earlier system.
EVENT_TYPES: Final = tuple(name for name, of in REGISTRY.items() if of.is_event)
#: Types whose rows are operations on records (create, update, delete).
COMMIT_TYPES: Final = tuple(name for name, of in REGISTRY.items() if of.is_commit)
#: The collection of each type that has exactly one; ``other`` keeps it in a column.
COLLECTIONS: Final = {name: of.collection for name, of in REGISTRY.items() if of.collection}
SCHEMAS: Final[dict[str, pa.Schema]] = {name: of.schema for name, of in REGISTRY.items()}
#: The columns that identify an event within its type, never time_us; how, says firehose.lake.identity.
IDENTITY: Final = {name: of.identity for name, of in REGISTRY.items()}
