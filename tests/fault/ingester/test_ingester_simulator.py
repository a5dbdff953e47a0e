"""The simulator's stream, odd events and all: each message it sent is in Redis, as it was or as a dead letter."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import redis

from ingester.contract import wire
from jetstream_simulator import process as simulator
from tests.support.ingester import Ingest, metadata, stored
from tests.support.waiting import until

EVENTS = 20_000


def test_every_message_is_in_redis_once(ingest: Ingest, redis_client: redis.Redis, tmp_path: Path) -> None:
    record = tmp_path / "sent.jsonl"
    arguments = ["--events", str(EVENTS), "--rate", "0", "--malformed", "0.02", "--record", str(record)]
    with (
        simulator.start(arguments, log=tmp_path / "simulator.log") as source,
        ingest(source.url, start_cursor=1) as ingester,
    ):
        until(lambda: metadata(redis_client).get("events") == str(EVENTS), 40)
        assert ingester.stop() == 0
    sent = record.read_bytes().splitlines()
    lines = [(queue, line) for queue in wire.QUEUES for line in stored(redis_client, queue)]
    received = Counter(original(line) for _, line in lines)
    assert received == Counter(sent)
    assert sum(original(line) != line for _, line in lines) > 20, "some of the odd messages are no events"
    for queue, line in lines:
        if queue not in (wire.OTHER, wire.IDENTITIES, wire.ACCOUNTS):
            assert wire.COLLECTION_QUEUES[msgspec.json.decode(line)["commit"]["collection"]] == queue


def original(line: bytes) -> bytes:
    """The message as it came over the wire."""
    if wire.DEAD_LETTER_KIND.encode() not in line:
        return line
    return msgspec.convert(msgspec.json.decode(line)["bytes"], bytes)
