"""The record types, in the order in which they are reported: the one list of them.

A new type is a file of this package and its name here.
"""

from __future__ import annotations

from typing import Final

from firehose.records.accounts import ACCOUNTS
from firehose.records.base import RecordType
from firehose.records.graph import BLOCKS, FOLLOWS
from firehose.records.identities import IDENTITIES
from firehose.records.interactions import LIKES, REPOSTS
from firehose.records.other import OTHER
from firehose.records.posts import POSTS

#: By name. Of types that share a queue the one without collections comes last: it takes what no other one has.
REGISTRY: Final[dict[str, RecordType]] = {
    of.name: of for of in (POSTS, LIKES, FOLLOWS, REPOSTS, BLOCKS, IDENTITIES, ACCOUNTS, OTHER)
}
