"""What a v2 host adds to events, live and from its archive: resyncs, imported times, kinds to come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
import redis
from websockets.sync.client import connect

from firehose import schema
from firehose.backfill.format import Row
from firehose.batch.buffer import BACKFILL_KEY
from firehose.lake.ledger import LedgerEntry
from firehose.lake.verify import verify
from firehose.settings import Settings
from ingester.contract import wire
from ingester.contract.gap import Gap, Reason
from jetstream_simulator import generate, process
from jetstream_simulator.v2.rows import row as archived
from tests.integration.backfill.world import firehose, note, noted
from tests.support.pipeline import ingest, now_s, rows, to_the_lake
from tests.support.waiting import until

EVENTS, SEGMENT = 2000, 250
DID = "did:plc:casemaaaaaaaaaaaaaaaaaaa"
START_US = generate.DEFAULT_START_US


def whole(lines: list[bytes], **fields: Any) -> Gap:
    """The gap that all of these lines lie in, but the last: an archive says nothing of what follows its end."""
    times = [msgspec.json.decode(line)["time_us"] for line in lines]
    given: dict[str, Any] = {
        "id": "late/1",
        "reason": Reason.LATE,
        "noted_us": 1_790_000_000_000_000,
    } | fields
    return Gap(from_us=min(times), to_us=max(times), **given)


def read_all(source: process.SimulatorProcess, events: int) -> None:
    """Let the host put all it has on its tape: as fast as a client reads."""
    with connect(source.events_url, max_size=2**25, close_timeout=0.2) as client:
        for _ in range(events):
            client.recv(timeout=20)


def test_live_and_archived_copies_are_one_row_with_the_same_marks(
    tmp_path: Path, redis_client: redis.Redis, redis_url: str
) -> None:
    """A tape with resyncs and imported times, over the stream and then from the archive: each event is stored
    once, and is marked as the host made it.
    """
    record = tmp_path / "record.jsonl"
    options = ["--sync=0.02", "--resync=4", "--imported=0.2", "--seed=3", f"--record={record}"]
    sizes = [f"--segment-events={SEGMENT}", "--block-events=64"]
    with process.start([f"--events={EVENTS}", "--rate=0", "--v2-host", *options, *sizes]) as source:
        settings = Settings(
            home=str(tmp_path),
            lake=str(tmp_path / "lake"),
            redis_url=redis_url,
            jetstream_url=source.events_url,
            archive_url=source.events_url,
        )
        since = now_s(redis_client)
        ingest(settings, redis_client, EVENTS)
        live = to_the_lake(settings, redis_client, since)
        before = rows(settings.local_lake)
        lines = record.read_bytes().splitlines()
        filling = end_of(live, redis_client)
        note(redis_client, whole(lines))
        done = firehose(settings, "backfill")
        assert (done.returncode, done.stdout.rstrip().endswith("; filled")) == (0, True), done
        again = to_the_lake(settings, redis_client, filling)
    assert rows(settings.local_lake) == before
    stored, known = (sum(getattr(c, n) for c in again.counts.values()) for n in ("stored", "duplicates"))
    last_us = max(msgspec.json.decode(line)["time_us"] for line in lines)
    assert (stored, known) == (0, sum(b'"time_us":%d' % last_us not in line for line in lines))
    assert sum(c.quarantined for c in (*live.counts.values(), *again.counts.values())) == 0

    events = [msgspec.json.decode(line) for line in lines]
    sent_again = {key(e["did"], e["commit"]) for e in events if e.get("commit", {}).get("resync")}
    shown = {
        key(e["did"], e["commit"]): e["displayed_us"]
        for e in events
        if e.get("displayed_us", 0) != e["time_us"] and "displayed_us" in e
    }
    commits = [row for name in schema.COMMIT_TYPES for row in before[name]]
    assert {key(row["did"], row) for row in commits if row["resync"]} == sent_again
    assert {
        key(row["did"], row): row["displayed_us"] for row in commits if row["displayed_us"] is not None
    } == shown
    assert len(sent_again) > 10 and len(shown) > 200
    assert {row["time_us"] // 3_600_000_000 for row in commits} == {events[0]["time_us"] // 3_600_000_000}
    assert verify(settings.local_lake).ok


def key(did: str, commit: dict[str, Any]) -> tuple[str, ...]:
    return did, commit["rev"], commit["rkey"], commit["operation"]


def end_of(batch: LedgerEntry, client: redis.Redis) -> int:
    """The second that the batch ends with, once it has come: what is written from now on is the next batch's."""
    until(lambda: now_s(client) >= batch.end.timestamp())
    return int(batch.end.timestamp())


def test_a_restart_between_the_sync_event_and_the_records_loses_no_mark(
    tmp_path: Path, redis_client: redis.Redis, redis_url: str
) -> None:
    """Two ingesters, one after the other: the first one hears the sync event, the second one the record."""
    lines = list(generate.events(200, seed=9, start_us=START_US, rate=1))
    born = next(msgspec.json.decode(line) for line in lines if b'"operation":"create"' in line)
    did, rev = born["did"], "3mmoylkzlm223"
    head = {"did": did, "time_us": START_US}
    sync = msgspec.json.encode({**head, "kind": "sync", "sync": {"did": did, "rev": rev, "seq": 5, "time": "x"}})
    later = {**born, "time_us": START_US + 300_000_000, "commit": {**born["commit"], "rev": rev}}
    settings = Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=redis_url)
    since, taken = now_s(redis_client), 0
    for number, tape in enumerate(([sync, *lines], [msgspec.json.encode(later)])):
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(b"".join(line + b"\n" for line in tape))
        taken += len(tape)
        with process.start([f"--replay={path}"]) as source:
            ingest(msgspec.structs.replace(settings, jetstream_url=source.events_url), redis_client, taken)
    to_the_lake(settings, redis_client, since)
    found = rows(settings.local_lake)
    marked = [row["rev"] for name in schema.COMMIT_TYPES for row in found[name] if row["resync"]]
    assert marked == [rev]


def test_v1_leaves_out_what_a_resync_sends_again(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    options = ["--events=600", "--rate=0", "--sync=0.05", "--resync=3", "--seed=3", f"--record={record}"]
    with process.start(options) as source, connect(source.url, close_timeout=0.2) as client:
        while len(lines := record.read_bytes().splitlines()) < 600:
            assert source.process.poll() is None
        only_v2 = [line for line in lines if b'"resync":true' in line or b'"kind":"sync"' in line]
        assert any(b'"resync":true' in line for line in only_v2)
        heard = [bytes(client.recv(timeout=20, decode=False)) for _ in range(600 - len(only_v2))]
    assert heard == [line for line in lines if line not in only_v2]


def strange(number: int, collection: str = "com.example.thing") -> bytes:
    """An event of a kind to come, which the simulator's archive has as a row of kind 9."""
    commit = {"rev": "3mmoylkzlm223", "operation": "create", "collection": collection, "rkey": f"key{number}"}
    record = {"$type": collection, "n": number}
    event = {"did": DID, "time_us": START_US + number, "kind": "kind9", "commit": commit | {"record": record}}
    return msgspec.json.encode(event)


@pytest.fixture
def unknown(tmp_path: Path, redis_url: str) -> tuple[Settings, list[bytes], list[str]]:
    """An archive of an account with 6,000 rows of a kind to come, among other events."""
    others = list(generate.events(2000, seed=5, start_us=START_US + 10_000))
    lines = [*(strange(number) for number in range(5900)), *(strange(n, "app.bsky.feed.post") for n in range(100))]
    lines += others
    (tmp_path / "tape.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    settings = Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=redis_url)
    return settings, lines, [f"--replay={tmp_path / 'tape.jsonl'}", "--v2-host", "--segment-events=2000"]


def test_an_account_of_thousands_of_unknown_rows_stops_no_batch_and_leaves_its_gap_open(
    unknown: tuple[Settings, list[bytes], list[str]], redis_client: redis.Redis
) -> None:
    settings, lines, options = unknown
    with process.start(options) as source:
        settings = msgspec.structs.replace(settings, archive_url=source.events_url)
        read_all(source, len(lines))
        since = now_s(redis_client)
        note(redis_client, whole(lines))
        note(redis_client, whole(lines, id="late/2", queue=wire.POSTS))
        note(redis_client, whole(lines, id="late/3", queue=wire.LIKES))
        redis_client.zadd(wire.HEARTBEATS_KEY, {str(since * 1000): since * 1000})
        done = firehose(settings, "backfill")
        assert done.returncode == 0, done.stderr
        first, posts, likes = sorted(done.stdout.splitlines())
        assert "still open: 6000 of its events are of kinds that this version does not know; upgrade" in first
        assert "still open: 100 of its events" in posts and likes.endswith("; filled")
        # A second backfill of the same version has nothing to read, and does not call it filled either.
        again = firehose(settings, "backfill", "--gap", "late/1")
        assert "no events from 0 segments; still open: 6000 of its events" in again.stdout
        assert {one.id for one in noted(redis_client) if one.filled} == {"late/3"}
        assert redis_client.hexists(BACKFILL_KEY, "late/1")
        entry = to_the_lake(settings, redis_client, since)
    assert sum(counts.stored for counts in entry.counts.values()) == 1999
    assert sum(counts.quarantined for counts in entry.counts.values()) == 6000 + 100
    [path] = settings.local_lake.glob("_quarantine/*/*/quarantine.parquet")
    kept = pq.ParquetFile(path).read().to_pylist()
    assert {row["reason"] for row in kept} == {"message: kind not known: 9 in an archive"}
    told = {said["seq"]: said for said in (msgspec.json.decode(row["raw"]) for row in kept)}
    for seq, line in ((1, lines[0]), (6000, lines[5999])):
        row = archived(line, seq)
        assert row is not None and tuple(Row(**fields(told[seq]))) == tuple(row)


def fields(told: dict[str, Any]) -> dict[str, Any]:
    """What a dead letter says of its row, as the row has it: nothing of it is lost."""
    texts = {name: told[name].encode() for name in ("did", "collection", "rkey", "rev")}
    return {**told, **texts, "payload": msgspec.convert(told["payload"], bytes)}
