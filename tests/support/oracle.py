"""The conservation oracle: what was sent, against lake, quarantine and ledger, by type and operation.

Lives here: the equation, and a reading of messages that shares no code with the pipeline's own decoders.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from firehose import schema
from firehose.lake.verify import verify
from firehose.records.registry import BY_COLLECTION
from firehose.store import LocalLake
from ingester.contract import wire
from tests.support.lake_view import LakeView

_FIELD: Final = {
    name: re.compile(rb'"%s":"([^"]*)"' % name.encode()) for name in ("collection", "operation", "kind")
}


def kind_of(message: bytes) -> tuple[str, str]:
    """Type and operation of a message, read without a decoder: the ingester's must not judge itself."""
    try:
        event = msgspec.json.decode(message, type=dict[str, msgspec.Raw], strict=True)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return schema.OTHER, ""
    found = {name: match[1].decode() if (match := at.search(message)) else "" for name, at in _FIELD.items()}
    if found["kind"] != "commit" or not bytes(event["time_us"]).isdigit():
        return wire.KIND_QUEUES.get(found["kind"], schema.OTHER), ""
    return BY_COLLECTION.get(found["collection"], schema.OTHER), found["operation"]


def by_kind(messages: Sequence[bytes]) -> Counter[tuple[str, str]]:
    """How many messages of each type and operation."""
    return Counter(map(kind_of, messages))


def assert_every_event_is_accounted_for(world: LakeView) -> None:
    """The conservation oracle: sent = lake rows + quarantined + duplicates dropped."""
    delivered, quarantined = world.delivered(), world.quarantined()
    assert set(delivered) == set(world.sent)
    rows = [(name, row.get("operation") or "") for name in schema.TYPES for row in world.rows(name, ["operation"])]
    # Of each type and operation: what was sent, each event once.
    bad = {row["raw"] for row in quarantined}
    assert by_kind(world.sent) == Counter(rows) + by_kind(list(bad))
    # Of each type: what was delivered, repetitions and all.
    dropped: Counter[str] = Counter()
    for counts in world.ledger().values():
        dropped.update({name: count.duplicates for name, count in counts.items()})
    kept = Counter(name for name, _ in rows) + Counter(row["type"] for row in quarantined)
    assert Counter(kind_of(message)[0] for message in delivered) == kept + dropped
    assert sum(dropped.values()) + len(quarantined) - len(bad) == len(delivered) - len(world.sent)
    report = verify(LocalLake(world.lake))
    assert report.ok, report.problems
    assert not list(world.lake.glob("**/*.part")), "a rerun takes the place of what a crash left"
    assert not list(world.lake.glob("_staged/**/*.parquet"))
    assert not any(world.client.xlen(key) for key in world.client.keys("firehose:*:queue"))
