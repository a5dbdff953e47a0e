"""Entries whose ids are far in the future: no interval would come for them, nor for what is written after them.

Redis gives out rising ids, so one entry that a client wrote with the id of a distant time drags every later frame
there. Must not: copy or delete entries.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

import redis

from firehose.batch import buffer
from firehose.batch.gaps import Span
from firehose.batch.lock import locks_folder
from firehose.batch.scripts import script
from firehose.errors import LockTaken
from firehose.store import LakePath
from ingester.contract import wire

#: Redis' clock may be set back by this much (ms) without anything being taken early: no batch is longer.
AHEAD_MS: Final = 3_600_000
_END_MS: Final = 2**64

_GO_BACK: Final = script("go_back")


def span(client: redis.Redis, lake: LakePath, held: ExitStack) -> list[Span]:
    """The span (ms) of such entries, if there are any, for one drain at a time: until ``held`` ends."""
    begin = buffer.redis_ms(client) + AHEAD_MS
    if all(buffer.next_ms(client, queue, begin, _END_MS) is None for queue in wire.QUEUES):
        return []
    try:
        held.enter_context((locks_folder(lake) / "ahead.lock").lock(wait_s=0))
    except LockTaken:
        return []
    return [(begin, _END_MS)]


def go_back(client: redis.Redis) -> None:
    """Let streams from which such entries are gone give out ids of the present again."""
    now = buffer.redis_ms(client)
    keys = [*map(wire.stream_key, wire.QUEUES), wire.COVERAGE_KEY]
    client.register_script(_GO_BACK)(keys, [now + AHEAD_MS, now])
