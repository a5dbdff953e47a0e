"""The same events over v1 and over v2 are the same rows of the lake."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow.parquet as pq
import pytest
import redis
from websockets.sync.server import ServerConnection

from firehose.lake.ledger import LedgerEntry
from firehose.lake.verify import verify
from firehose.settings import Settings
from jetstream_simulator import process
from tests.support.ingester import Query, Source
from tests.support.logins import PASSWORDS
from tests.support.pipeline import Rows, ingest, now_s, rows, to_the_lake
from tests.support.recorded import BEST, Recording

#: Of a recorded frame's time what the recording has left intact.
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?")
#: The fields of ``#commit`` in the public lexicon.
_FIELDS: Final = ("seq", "did", "time", "rev", "operation", "collection", "rkey", "record", "cid")
EVENTS = 2000


def take(
    home: Path, client: redis.Redis, redis_url: str, source: str, events: int
) -> tuple[Settings, LedgerEntry]:
    """Everything of a source through a pipeline of its own."""
    client.flushall()
    settings = Settings(
        home=str(home),
        lake=str(home / "lake"),
        redis_url=redis_url,
        redis_passwords=PASSWORDS,
        jetstream_url=source,
    )
    since = now_s(client)
    ingest(settings, client, events)
    return settings, to_the_lake(settings, client, since)


def without_sync(found: Rows) -> Rows:
    return {name: [row for row in part if row.get("operation") != "sync"] for name, part in found.items()}


def test_made_up_events_are_the_same_rows(tmp_path: Path, redis_client: redis.Redis, redis_url: str) -> None:
    """Of one tape with `sync` events: all columns but `batch` are equal, order of keys in JSON columns aside. The
    `sync` events, which v1 does not send, are rows of `other` beside them; nothing is in quarantine.
    """
    record = tmp_path / "record.jsonl"
    with process.start(
        [f"--events={EVENTS}", "--rate=0", "--sync=0.02", "--seed=3", f"--record={record}"]
    ) as source:
        v2, entry = take(tmp_path / "v2", redis_client, redis_url, source.events_url, EVENTS)
        syncs = sum(b'"kind":"sync"' in line for line in record.read_bytes().splitlines())
        v1, _ = take(tmp_path / "v1", redis_client, redis_url, source.url, EVENTS - syncs)
    found = rows(v2.local_lake)
    assert without_sync(found) == rows(v1.local_lake)
    assert 10 < syncs == sum(row["operation"] == "sync" for row in found["other"])
    assert sum(counts.quarantined for counts in entry.counts.values()) == 0
    for settings in (v1, v2):
        report = verify(settings.local_lake)
        assert report.ok, report.problems


@pytest.mark.parametrize("recording", BEST, indirect=True)
def test_recorded_v1_events_are_the_same_rows_over_v2(
    tmp_path: Path, redis_client: redis.Redis, redis_url: str, recording: Recording
) -> None:
    """The recorded v1 events (all files but the v2 frames), sent by the simulator as they are on `/subscribe` and
    as frames of `subscribeEvents`: equal in all columns but `batch`, and each record matches its CID.
    """
    tapes = recording.v1
    events = sum(1 for tape in tapes for line in tape.read_bytes().splitlines() if line.strip())
    with process.start([f"--replay={tape}" for tape in tapes]) as source:
        v2, _ = take(tmp_path / "v2", redis_client, redis_url, source.events_url, events)
        v1, entry = take(tmp_path / "v1", redis_client, redis_url, source.url, events)
    found = rows(v1.local_lake)
    assert rows(v2.local_lake) == found
    assert sum(map(len, found.values())) == sum(counts.stored for counts in entry.counts.values()) > 1000
    report = verify(v2.local_lake)
    assert report.ok and sum(counts.verified for counts in report.types.values()) > 900


@pytest.mark.parametrize("recording", BEST, indirect=True)
def test_recorded_v2_frames_are_the_rows_of_the_same_records_over_v1(
    tmp_path: Path, redis_client: redis.Redis, redis_url: str, recording: Recording
) -> None:
    """The recorded v2 frames, and v1 events made from them, since no recorded v1 event has the same record.

    The frames were cut out of a dictionary: five of eight have lost the end of `time`, and what follows it belongs
    to other frames. A server plays (1) all eight lines as they were recorded: the intact three become rows, the
    five go to quarantine with their bytes; then (2) the five with `time` cut to what is intact and without the
    fields that `#commit` has not; their records, CIDs, DIDs, revisions and keys are as recorded, byte by byte.
    The v1 events have the same parts under v1's names, and `time_us` of that `time`. All columns but `batch` are
    equal, and each record matches the CID that was recorded.
    """
    lines = [line for line in recording.frames.read_bytes().splitlines() if line.strip()]
    mended = [_mended(line) for line in lines]
    broken = [line for line in lines if not _is_intact(line)]
    assert (len(lines), len(broken)) == (8, 5)
    frames = [*lines, *(new for line, new in zip(lines, mended, strict=True) if line in broken)]
    with play(frames) as source:
        url = source.url.removesuffix("/subscribe") + "/xrpc/network.bsky.jetstream.subscribeEvents"
        v2, entry = take(tmp_path / "v2", redis_client, redis_url, url, len(frames))
    with play([_v1(frame) for frame in mended]) as source:
        v1, _ = take(tmp_path / "v1", redis_client, redis_url, source.url, len(lines))
    found = rows(v2.local_lake)
    assert found == rows(v1.local_lake)
    assert sum(map(len, found.values())) == len(lines)
    [quarantine] = (v2.local_lake / "_quarantine").glob("date=*/batch=*/quarantine.parquet")
    assert sorted(pq.read_table(quarantine, partitioning=None)["raw"].to_pylist()) == sorted(broken)
    assert sum(counts.quarantined for counts in entry.counts.values()) == len(broken)
    cids = {row["cid"] for part in found.values() for row in part} - {None}
    assert cids == {payload["cid"] for payload in map(_payload, lines) if "cid" in payload}
    report = verify(v2.local_lake)
    assert report.ok, report.problems
    assert sum(counts.verified for counts in report.types.values()) == len(cids) == 7


def play(messages: list[bytes]) -> Source:
    """A server that sends these messages to whoever connects, once a connection."""

    def behave(connection: ServerConnection, query: Query) -> None:
        for message in messages:
            connection.send(message, text=True)
        connection.recv()  # until the client goes

    return Source([], behave=behave)


class _Frame(msgspec.Struct):
    type: str = msgspec.field(name="$type")
    payload: dict[str, msgspec.Raw]


def _payload(line: bytes) -> dict[str, Any]:
    """The fields of a frame's commit; the record is the bytes that were recorded."""
    payload = msgspec.json.decode(line, type=_Frame).payload
    return {
        name: payload[name] if name == "record" else msgspec.json.decode(payload[name])
        for name in ("$type", *_FIELDS)
        if name in payload
    }


def _is_intact(line: bytes) -> bool:
    return _TIME.fullmatch(str(_payload(line)["time"]).removesuffix("Z")) is not None


def _mended(line: bytes) -> bytes:
    payload = _payload(line)
    match = _TIME.match(payload["time"])
    assert match is not None
    return msgspec.json.encode({"$type": "message", "payload": {**payload, "time": f"{match[0]}Z"}})


def _v1(frame: bytes) -> bytes:
    payload = _payload(frame)
    instant = datetime.fromisoformat(payload["time"]).astimezone(UTC)
    time_us = int(instant.replace(microsecond=0).timestamp()) * 1_000_000 + instant.microsecond
    commit = {
        name: payload[name]
        for name in ("rev", "operation", "collection", "rkey", "record", "cid")
        if name in payload
    }
    return msgspec.json.encode({"did": payload["did"], "time_us": time_us, "kind": "commit", "commit": commit})
