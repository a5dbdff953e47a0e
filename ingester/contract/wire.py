"""The wire contract between the ingester and the batch pipeline: queues, keys, stream entries, frames.

Lives here: names and byte formats, and pure functions on them. Must not: connections, settings, clocks.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final

import msgspec

# Each queue is one Redis stream. They are drained and reported in this order.
POSTS: Final = "posts"
LIKES: Final = "likes"
FOLLOWS: Final = "follows"
REPOSTS: Final = "reposts"
BLOCKS: Final = "blocks"
IDENTITIES: Final = "identities"
ACCOUNTS: Final = "accounts"
OTHER: Final = "other"
QUEUES: Final = (POSTS, LIKES, FOLLOWS, REPOSTS, BLOCKS, IDENTITIES, ACCOUNTS, OTHER)

COLLECTION_QUEUES: Final[dict[str, str]] = {
    "app.bsky.feed.post": POSTS,
    "app.bsky.feed.like": LIKES,
    "app.bsky.graph.follow": FOLLOWS,
    "app.bsky.feed.repost": REPOSTS,
    "app.bsky.graph.block": BLOCKS,
}
KIND_QUEUES: Final[dict[str, str]] = {"identity": IDENTITIES, "account": ACCOUNTS}

#: Redis hash with the writer's state: the META_* fields below, and ``events:<queue>`` counters.
METADATA_KEY: Final = "firehose:metadata"
#: Redis sorted set: one member (and score) a minute, in ms since the epoch, in which the ingester was
#: connected to the source. In minutes without a member no ingester listened.
HEARTBEATS_KEY: Final = "firehose:heartbeats"
#: How long heartbeats are kept, in ms.
HEARTBEATS_KEPT_MS: Final = 30 * 86_400_000
#: Redis stream: one entry for each record of a gap, written together with the cursor.
COVERAGE_KEY: Final = "firehose:coverage"

#: The areas of the lake that the ingester reads: the raw batches, and the records of gaps.
LAKE_RAW: Final = "_raw"
LAKE_COVERAGE: Final = "_coverage"
#: ``protocol`` in the manifest of a raw batch that was not drained, but imported from an earlier system.
IMPORT: Final = "import"

META_CURSOR: Final = "cursor"  # of the last event in Redis: its time_us on v1, its sequence number on v2
META_HOST: Final = "host"  # where the cursor comes from: it is not valid for another host or protocol
META_PROTOCOL: Final = "protocol"  # "v1" or "v2"
META_TIME_US: Final = "time_us"  # of the last event in Redis, under either protocol
META_WRITER: Final = "writer"  # "<name>/<uuid>" of the ingester process that may write
META_FLUSH: Final = "flush"  # number of the writer's last flush; together with META_WRITER the fence
META_LEASE_MS: Final = "lease_ms"  # until when (Redis clock) the writer counts as alive
META_FIRST_START_MS: Final = "first_start_ms"  # Redis clock at the very first claim
META_LAST_FLUSH_MS: Final = "last_flush_ms"
META_WAITING_MS: Final = "waiting_ms"  # Redis clock when the writer last said that it lives, but is not connected
META_LAG_US: Final = "lag_us"  # Redis clock minus the last event's time_us, at the last flush
META_EVENTS: Final = "events"  # all events ever written
META_HISTORY: Final = "history"  # the usual rate of each queue, in JSON, for the next process
META_RESYNCS: Final = "resyncs"  # the latest sync events' accounts and revisions, in JSON: see resyncs.py
META_GAPS: Final = "gaps"  # gaps that may still be filled: a JSON list of Gap, empty if none
EVENTS_PREFIX: Final = "events:"  # + queue

# Fields of a stream entry. One entry is one frame.
FIELD_COUNT: Final = b"n"
FIELD_FIRST_US: Final = b"first"
FIELD_LAST_US: Final = b"last"
FIELD_PAYLOAD: Final = b"payload"

#: Field of an entry of the coverage stream: a :class:`~ingester.contract.gap.Gap` in JSON.
FIELD_GAP: Final = b"gap"

#: ``kind`` of the line that stands for a message that is not an event (see :func:`dead_letter`).
DEAD_LETTER_KIND: Final = "#undecodable"
#: The beginning of the reason of a dead letter whose kind this version does not know: set aside, but not bad.
NEW_KIND: Final = "kind not known: "


def stream_key(queue: str) -> str:
    """The Redis key of a queue's stream."""
    return f"firehose:{queue}:queue"


def join_lines(events: Sequence[bytes]) -> bytes:
    """A frame before compression: each event on a line of its own, each line ended by a newline.

    In JSON a raw newline is only allowed between tokens, so one inside an event is replaced by a space without
    changing the value. Concatenated frames are again lines.
    """
    joined = b"\n".join(events)
    if joined.count(b"\n") != len(events) - 1:
        joined = b"\n".join(event.replace(b"\n", b" ") for event in events)
    return joined + b"\n"


def dead_letter(message: bytes, error: str, time_us: int) -> bytes:
    """The line for a message that cannot be read as an event: its bytes in base64, and the reason."""
    return msgspec.json.encode(
        {
            "kind": DEAD_LETTER_KIND,
            "time_us": time_us,
            "error": error,
            "bytes": base64.b64encode(message).decode(),
        }
    )
