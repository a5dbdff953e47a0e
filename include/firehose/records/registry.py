"""The record types, in the order in which they are reported: the one list of them.

A new type is a file of this package and its name here. Several types may come through one queue: one of them, the
catch-all, has no collections and takes whatever none of the others does. Rows of the others lie in its files
where the version that stored them did not know their type yet.
"""

from __future__ import annotations

from typing import Final

from firehose.records.accounts import ACCOUNTS
from firehose.records.base import RecordType
from firehose.records.graph import BLOCKS, FOLLOWS
from firehose.records.identities import IDENTITIES
from firehose.records.imported import IMPORTED
from firehose.records.interactions import LIKES, REPOSTS
from firehose.records.listitems import LISTITEMS
from firehose.records.lists import LISTS
from firehose.records.other import OTHER
from firehose.records.posts import POSTS
from firehose.records.profiles import PROFILES
from firehose.records.starterpacks import STARTERPACKS
from ingester.contract import wire

_TYPES: Final = (
    *(POSTS, LIKES, FOLLOWS, REPOSTS, BLOCKS, PROFILES, LISTS, LISTITEMS, STARTERPACKS),
    *(IDENTITIES, ACCOUNTS, OTHER, IMPORTED),
)
#: By name. A catch-all comes after the types that share its queue.
REGISTRY: Final[dict[str, RecordType]] = {of.name: of for of in _TYPES}
#: The types of each queue of a raw batch: the ingester's, and that of imports.
BY_QUEUE: Final = {
    queue: tuple(of for of in _TYPES if of.queue == queue) for queue in (*wire.QUEUES, IMPORTED.queue)
}
#: The type of each collection that has one of its own.
BY_COLLECTION: Final = {collection: of.name for of in _TYPES for collection in of.collections}
#: What a version knew that does not say what it knew: one type a queue, of the queue's name.
FIRST_TYPES: Final = wire.QUEUES


def catch_all(record_type: str) -> RecordType | None:
    """The type in whose files older rows of ``record_type`` may lie; None: it has always had its own."""
    last = BY_QUEUE[REGISTRY[record_type].queue][-1]
    return None if last.name == record_type else last


def shares_queue(record_type: str) -> tuple[RecordType, ...]:
    """The other types of the queue for which ``record_type`` is the catch-all."""
    return () if catch_all(record_type) else BY_QUEUE[REGISTRY[record_type].queue][:-1]
