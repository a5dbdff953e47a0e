"""What somebody else puts into Redis: it is kept with its bytes, told once, and stops or loses nothing of ours."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import pyarrow.parquet as pq
import pytest
import redis
import zstandard

from devstack.embedded.redis import RedisServer
from firehose.batch import manifest as manifests
from firehose.batch.ahead import AHEAD_MS
from firehose.batch.buffer import redis_ms
from firehose.batch.drain import drain
from firehose.batch.frame import MOST_BYTES, as_command
from firehose.batch.interval import Batch
from firehose.batch.raw import read_chunks
from firehose.errors import BeforeFirstStart, MissedInterval, NotListening, ServiceUnavailable
from firehose.lake.ledger import entry_path, read_entry
from firehose.lake.publish import publish
from firehose.lake.verify import verify
from firehose.quality.quarantine import quarantine_path
from firehose.quality.validate import validate
from firehose.settings import Settings
from ingester.contract import wire
from ingester.contract.crash import Point
from ingester.contract.gap import Gap, Reason
from jetstream_simulator import generate
from tests.security.redis.redis_servers import drain_apart, fields, hear, last_minute
from tests.support.frames import payload
from tests.support.ingester import Ingest, IngesterProcess, Source, cursor, event, stored, time_us
from tests.support.waiting import until

EVENTS: Final = [line for line in generate.events(400, seed=8) if b"app.bsky.feed.like" in line][:60]
LIKES: Final = wire.stream_key(wire.LIKES)
POSTS: Final = wire.stream_key(wire.POSTS)
_SKIPPED: Final = (0x184D2A50).to_bytes(4, "little") + (3).to_bytes(4, "little") + b"xyz"
_TORN: Final = payload(EVENTS)[:-9]
_BOMB: Final = zstandard.compress(b"\0" * (MOST_BYTES + 1))
_LINES: Final = zstandard.compress(b"\n" * 1_000_000)

#: Entries that are no frames, by what is wrong with them, and what quarantine says of it.
FOREIGN: Final[dict[str, tuple[dict[Any, Any], str]]] = {
    "other fields": ({"foo": "bar", "\r\n": b"\xff\0"}, "its fields are foo"),
    "one field too many": (fields(EVENTS[:3], extra=b"more"), "its fields are n, first, last, payload, extra"),
    "a field is missing": ({wire.FIELD_PAYLOAD: payload(EVENTS[:3])}, "its fields are payload"),
    "garbage": (fields([b"x"], payload=b"not zstd at all"), "its payload is not whole zstd frames"),
    "torn": (fields([b"x"], payload=_TORN), "its payload is not whole zstd frames"),
    "followed by garbage": (fields([b"x"], payload=payload(EVENTS[:1]) + b"?"), "is not whole zstd frames"),
    "a frame to be skipped": (fields([b"x"], payload=_SKIPPED), "its payload is not whole zstd frames"),
    "a bomb": (fields([b"x"], payload=_BOMB), "when decompressed"),
    "a bomb of lines": (fields([b"x"], payload=_LINES), "when decompressed"),
    "half a line": (fields([b"x"], payload=zstandard.compress(EVENTS[0])), "its payload ends within a line"),
    "nothing": (fields([b"x"], payload=zstandard.compress(b"")), "its payload holds nothing"),
}


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=redis_url)


@pytest.fixture
def ingest(tmp_path: Path, redis_url: str) -> Ingest:
    """``ingest(source.url)`` is an ingester on the test's Redis."""
    return partial(IngesterProcess, tmp_path, redis_url)


@pytest.fixture
def batch(redis_client: redis.Redis) -> Batch:
    batch = last_minute(redis_client)
    hear(redis_client, batch)
    return batch


def copied(settings: Settings, batch: Batch, queue: str) -> list[bytes]:
    path = manifests.folder_of(settings.local_lake, batch) / f"{queue}.jsonl.zst"
    return [line for chunk in read_chunks(path, 1000) for line in chunk]


def in_quarantine(settings: Settings, batch: Batch) -> list[dict[str, Any]]:
    path = quarantine_path(settings.local_lake, batch)
    return cast(list[dict[str, Any]], pq.ParquetFile(path).read().to_pylist()) if path.exists() else []


def test_entries_that_are_no_frames_are_kept_and_the_batch_is_whole(
    settings: Settings, batch: Batch, redis_client: redis.Redis
) -> None:
    start, put = batch.start_ms, {}
    for number, (name, (entry, _)) in enumerate(FOREIGN.items(), 1):
        redis_client.xadd(LIKES, fields(EVENTS[number : number + 1]), id=f"{start + number}-1")
        entry_id = redis_client.xadd(LIKES, entry, id=f"{start + number}-2")
        flat = [part if isinstance(part, bytes) else str(part).encode() for pair in entry.items() for part in pair]
        put[name] = as_command(b"XADD", LIKES.encode(), cast(bytes, entry_id), *flat)
    good = EVENTS[1 : len(FOREIGN) + 1]
    told: list[str] = []
    result = drain(settings, batch, tell=told.append)
    (line,) = told
    assert f"likes: {len(FOREIGN)} not frames" in line and batch.id in line
    assert result.events == len(good) + len(FOREIGN)
    assert redis_client.xlen(LIKES) == 0
    lines = copied(settings, batch, wire.LIKES)
    assert [line for line in lines if wire.DEAD_LETTER_KIND.encode() not in line] == good
    validate(settings, batch)
    publish(settings, batch)
    kept = in_quarantine(settings, batch)
    assert [(row["raw"], row["type"]) for row in kept] == [(raw, wire.LIKES) for raw in put.values()]
    for row, (_, reason) in zip(kept, FOREIGN.values(), strict=True):
        assert reason in row["reason"] and f"an entry of {LIKES} that is not a frame" in row["reason"]
    published = read_entry(entry_path(settings.local_lake, batch))
    assert published is not None
    counts = published.counts[wire.LIKES]
    assert (counts.received, counts.quarantined) == (result.events, len(FOREIGN))
    assert counts.received == counts.good + counts.quarantined + counts.duplicates
    assert verify(settings.local_lake).ok
    # Clear and rerun, of each step: the same, and nobody is told again.
    before = _files(settings)
    drain(settings, batch, tell=told.append)
    validate(settings, batch)
    publish(settings, batch)
    assert (_files(settings), len(told)) == (before, 1)


def _files(settings: Settings) -> dict[str, bytes]:
    roots = ("_raw", "_quarantine", "firehose", "year=*")
    paths = [path for root in roots for path in settings.local_lake.glob(f"{root}/**/*") if path.is_file()]
    return {str(path): path.read_bytes() for path in paths}


@pytest.mark.parametrize(
    "lie", [{"n": 7}, {"n": b"many"}, {"first": b"-1"}, {"last": b"9" * 30}, {"n": b"9" * 5000}], ids=repr
)
def test_numbers_that_lie_do_not_count(
    lie: dict[str, Any], settings: Settings, batch: Batch, redis_client: redis.Redis
) -> None:
    redis_client.xadd(LIKES, fields(EVENTS[:5], **lie), id=f"{batch.start_ms}-1")
    told: list[str] = []
    assert drain(settings, batch, tell=told.append).events == 5
    assert copied(settings, batch, wire.LIKES) == EVENTS[:5]
    assert len(told) == ("n" in lie)
    manifest = manifests.read(manifests.folder_of(settings.local_lake, batch))
    assert manifest is not None
    described = manifest.queues[wire.LIKES]
    assert (described.events, described.foreign, described.miscounted) == (5, 0, "n" in lie)
    assert 0 <= described.first_us <= 2**63 - 1 and 0 <= described.last_us <= 2**63 - 1


def test_a_foreign_entry_is_no_sign_that_anybody_listened(settings: Settings, redis_client: redis.Redis) -> None:
    batch = last_minute(redis_client)
    redis_client.xadd(POSTS, {"foo": "bar"}, id=f"{batch.start_ms}-1")
    with pytest.raises(NotListening):
        drain(settings, batch)
    assert redis_client.xlen(POSTS) == 1
    # The next interval that was listened to takes it along.
    redis_client.zadd(wire.HEARTBEATS_KEY, {"x": batch.end_ms})
    with pytest.raises(MissedInterval):
        drain(settings, batch)
    following = Batch.parse(f"{batch.end:%Y%m%dT%H%M%SZ}", 1)
    assert drain(settings, following).events == 1
    assert redis_client.xlen(POSTS) == 0


DAMAGES: Final[dict[str, Callable[[redis.Redis, str], object]]] = {
    "string": lambda client, key: client.set(key, b"\0x"),
    "list": lambda client, key: client.rpush(key, "a", "b"),
    "set": lambda client, key: client.sadd(key, "a"),
    "hash": lambda client, key: client.hset(key, "a", "b"),
    "zset": lambda client, key: client.zadd(key, {"a": 1}),
    "stream": lambda client, key: client.xadd(key, {"a": 1}),
}


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (POSTS, "string"),
        (POSTS, "zset"),
        (LIKES, "hash"),
        (wire.COVERAGE_KEY, "list"),
        (wire.METADATA_KEY, "list"),
        (wire.METADATA_KEY, "stream"),
        (wire.HEARTBEATS_KEY, "string"),
        ("firehose:backfill", "set"),
        ("firehose:backfill:bytes", "string"),
    ],
)
def test_a_key_of_a_foreign_type_makes_way_and_is_kept(
    key: str, kind: str, settings: Settings, batch: Batch, redis_client: redis.Redis
) -> None:
    redis_client.xadd(LIKES, fields(EVENTS[:5]), id=f"{batch.start_ms}-1")
    redis_client.delete(key)
    DAMAGES[kind](redis_client, key)
    content = redis_client.dump(key)
    told: list[str] = []
    assert drain(settings, batch, tell=told.append).events == (0 if key == LIKES else 5)
    (line,) = told
    (path,) = settings.local_lake.glob("_quarantine/redis/*.resp")
    assert f"Redis key {key} held a {kind}" in line and str(path) in line
    assert path.read_bytes() == as_command(b"RESTORE", key.encode(), b"0", cast(bytes, content))
    assert redis_client.exists(key, f"{key}:misplaced") == 0
    # What is kept can be brought back by whoever may.
    assert redis_client.restore("back", 0, cast(bytes, content)) == b"OK"
    assert redis_client.type("back") == kind.encode()


def test_what_cannot_make_way_is_one_line_and_nothing_is_lost(
    settings: Settings, batch: Batch, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firehose.batch.foreign._MOST_BYTES", 1000)
    redis_client.set(POSTS, b"x" * 5000)
    told: list[str] = []
    assert drain(settings, batch, tell=told.append).events == 0  # moved, too large to be kept
    assert redis_client.strlen(f"{POSTS}:misplaced") == 5000
    redis_client.set(POSTS, "again")
    with pytest.raises(ServiceUnavailable, match=f"{POSTS}:misplaced is taken") as caught:
        drain(settings, batch)
    assert "\n" not in str(caught.value)
    assert redis_client.get(POSTS) == b"again"
    assert len(told) == 1


@pytest.mark.parametrize("key", [POSTS, wire.METADATA_KEY, wire.HEARTBEATS_KEY])
def test_the_ingester_waits_says_so_and_goes_on(
    key: str, settings: Settings, ingest: Ingest, redis_client: redis.Redis
) -> None:
    sent = [event(number) for number in range(200)]
    messages = sent[:40]
    with Source(messages) as source, ingest(source.url, lease_s=1.0) as ingester:
        until(lambda: cursor(redis_client) == time_us(39))
        with redis_client.pipeline(transaction=True) as both:
            both.rename(key, "before")
            both.set(key, "x")
            both.execute()
        messages += sent[40:]
        until(lambda: ingester.said(f"Redis key {key} holds a string"))
        assert "the next drain sets it aside" in ingester.log.read_text()
        told: list[str] = []
        batch = last_minute(redis_client)
        with suppress(NotListening, MissedInterval, BeforeFirstStart):  # mostly there is nothing of it
            drain(settings, batch, tell=told.append)
        until(lambda: cursor(redis_client) == time_us(199))
        assert ingester.process is not None and ingester.process.poll() is None
        assert ingester.stop() == 0
    before = list(_frames(redis_client, "before")) if key == POSTS else []
    # The minute may have ended since the first events came: then these are drained.
    folder = manifests.folder_of(settings.local_lake, batch)
    queues = [queue for queue in wire.QUEUES if (folder / f"{queue}.jsonl.zst").exists()]
    drained = [line for queue in queues for line in copied(settings, batch, queue)]
    assert {*stored(redis_client), *before, *drained} == set(sent)
    assert any(f"Redis key {key} held a string" in line for line in told)
    assert not ingester.said("Traceback")


def _frames(client: redis.Redis, key: str) -> Iterator[bytes]:
    for _, found in cast(list[tuple[bytes, dict[bytes, bytes]]], client.xrange(key)):
        yield from zstandard.decompress(found[wire.FIELD_PAYLOAD]).splitlines()


def test_garbage_in_the_state_is_as_if_it_were_lost(
    settings: Settings, batch: Batch, ingest: Ingest, redis_client: redis.Redis
) -> None:
    garbage = dict.fromkeys((wire.META_CURSOR, wire.META_TIME_US, wire.META_FIRST_START_MS), b"\xff garbage")
    garbage |= dict.fromkeys((wire.META_HOST, wire.META_PROTOCOL, wire.META_GAPS, wire.META_HISTORY), b"\xfe")
    garbage |= dict.fromkeys((wire.META_LEASE_MS, wire.META_LAST_FLUSH_MS, wire.META_EVENTS), b"soon")
    redis_client.hset(wire.METADATA_KEY, mapping=cast(Any, garbage))
    assert drain(settings, batch).events == 0
    with Source([event(0), event(1)]) as source, ingest(source.url) as ingester:
        until(lambda: redis_client.hget(wire.METADATA_KEY, wire.META_CURSOR) == b"%d" % time_us(1))
        assert ingester.stop() == 0
    assert stored(redis_client) == [event(0), event(1)]
    assert not ingester.said("Traceback")


@pytest.mark.parametrize("entry_id", [f"{2**50}-0", f"{2**64 - 1}-{2**64 - 1}"], ids=["distant", "last"])
def test_an_id_of_a_distant_time_strands_nothing(
    entry_id: str, settings: Settings, batch: Batch, ingest: Ingest, redis_client: redis.Redis
) -> None:
    """Redis' ids rise: what the ingester writes afterwards is numbered from there, or cannot be."""
    last = entry_id.startswith(str(2**64 - 1))
    for key in (*map(wire.stream_key, wire.QUEUES), wire.COVERAGE_KEY):
        redis_client.xadd(key, {"foo": "bar"}, id=entry_id)
    sent = [event(number) for number in range(40)]
    told: list[str] = []
    with Source(sent) as source, ingest(source.url) as ingester:
        if last:
            until(lambda: ingester.said("has no ids left"))
        else:
            until(lambda: cursor(redis_client) == time_us(39))
        first = drain(settings, batch, tell=told.append)
        until(lambda: cursor(redis_client) == time_us(39))
        assert ingester.stop() == 0
    assert first.events == len(wire.QUEUES) + (0 if last else len(sent))
    assert len(told) == 2  # the stream of gaps, and the queues
    for key in (*map(wire.stream_key, wire.QUEUES), wire.COVERAGE_KEY):
        assert redis_client.xlen(key) == 0 or last
        after = cast(bytes, redis_client.xadd(key, {"n": 1}))
        assert int(after.split(b"-")[0]) < redis_ms(redis_client) + AHEAD_MS
    held = {line for queue in wire.QUEUES for line in _held(settings, batch, queue)} | set(_waiting(redis_client))
    assert set(sent) <= held


def _held(settings: Settings, batch: Batch, queue: str) -> list[bytes]:
    path = manifests.folder_of(settings.local_lake, batch) / f"{queue}.jsonl.zst"
    return copied(settings, batch, queue) if path.exists() else []


def _waiting(client: redis.Redis) -> Iterator[bytes]:
    for queue in wire.QUEUES:
        for _, found in cast(list[tuple[bytes, dict[bytes, bytes]]], client.xrange(wire.stream_key(queue))):
            if wire.FIELD_PAYLOAD in found:
                yield from zstandard.decompress(found[wire.FIELD_PAYLOAD]).splitlines()


def test_a_record_of_a_gap_behind_a_distant_id_comes_to_the_lake(
    settings: Settings, batch: Batch, redis_client: redis.Redis
) -> None:
    gap = Gap(id="late", reason=Reason.LATE, from_us=1, to_us=2, noted_us=3)
    redis_client.xadd(wire.COVERAGE_KEY, {wire.FIELD_GAP: b"{}"}, id=f"{2**50}-0")
    redis_client.xadd(wire.COVERAGE_KEY, {wire.FIELD_GAP: msgspec.json.encode(gap)})
    drain(settings, batch)
    assert redis_client.xlen(wire.COVERAGE_KEY) == 0
    (path,) = settings.local_lake.glob("_coverage/**/*.json")
    assert b'"late"' in path.read_bytes()


#: Boundaries of a drain between keeping what is foreign and deleting it, with which passage is fatal.
DEATHS: Final = {
    Point.MOVED_ASIDE: 1,
    Point.FOREIGN_SYNCED: 1,
    Point.FOREIGN_RENAMED: 2,
    Point.RAW_COPYING: 1,
    Point.RAW_RENAMED: 1,
    Point.MANIFEST_SYNCED: 1,
    Point.MANIFEST_RENAMED: 1,
    Point.DELETE_BEGINS: 1,
    Point.DELETED_SOME: 1,
    Point.DELETED_ALL: 1,
}


@pytest.mark.parametrize("point", DEATHS)
def test_a_death_between_keeping_and_deleting_changes_nothing(
    point: Point, settings: Settings, batch: Batch, redis_client: redis.Redis, tmp_path: Path
) -> None:
    def put() -> None:
        for number in range(150):  # deleted in two commands
            entry = {"foo": "bar"} if number % 3 == 0 else fields(EVENTS[number % 60 : number % 60 + 1])
            redis_client.xadd(LIKES, cast(Any, entry), id=f"{batch.start_ms}-{number + 1}")
        redis_client.set(POSTS, "x")
        redis_client.xadd(wire.COVERAGE_KEY, {"foo": "bar"}, id=f"{batch.start_ms}-1")

    put()
    code, said = drain_apart(settings, batch, f"{point}:{DEATHS[point]}", tmp_path / "proof")
    assert (code, (tmp_path / "proof").read_text().split()[0]) == (-signal.SIGKILL, point), said
    code, said = drain_apart(settings, batch)
    assert code == 0, said
    once = _files(settings)
    assert not redis_client.exists(POSTS, f"{POSTS}:misplaced")
    assert redis_client.xlen(LIKES) == redis_client.xlen(wire.COVERAGE_KEY) == 0
    redis_client.delete(LIKES, wire.COVERAGE_KEY)
    other = Settings(home=settings.home, lake=str(tmp_path / "other"), redis_url=settings.redis_url)
    put()
    drain(other, batch)
    names = {str(Path(path).relative_to(tmp_path / "other")): content for path, content in _files(other).items()}
    found = {str(Path(path).relative_to(settings.local_lake)): content for path, content in once.items()}
    assert found.keys() == names.keys()
    assert all(found[name] == names[name] for name in found if not name.endswith("manifest.json"))
    assert "not frames" in said or point in (Point.DELETED_ALL, Point.DELETED_SOME)


def test_memory_does_not_grow_with_what_somebody_puts_there(tmp_path: Path) -> None:
    """Eight entries of 8 MiB: a read of as many frames as usual would bring them all at once."""
    with RedisServer(tmp_path) as server, server.client() as client:
        settings = Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=server.url)
        batch = last_minute(client)
        hear(client, batch)
        for number in range(8):
            client.xadd(LIKES, {"foo": b"x" * (8 << 20)}, id=f"{batch.start_ms}-{number + 1}")
        code, said = drain_apart(settings, batch)
        assert code == 0, said
        assert client.xlen(LIKES) == 0
    peak_mib = int(said.split("peak ", 1)[1].split()[0]) / 1024
    assert peak_mib < 165  # 200 and more without the bound
