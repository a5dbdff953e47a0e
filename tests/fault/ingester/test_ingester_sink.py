"""The write to Redis: once, whole, and by one writer only. A real Redis, and a proxy that loses replies."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from devstack.embedded.redis import RedisServer
from ingester.buffer.buffers import Buffer
from ingester.buffer.exchange import Claim, Flush, Held
from ingester.buffer.sink import Sink
from ingester.contract import wire
from ingester.contract.gap import Gap, Reason
from ingester.contract.redis_access import INGESTER, RedisAccess
from ingester.contract.settings import IngesterSettings
from ingester.errors import Fenced, SinkRefused, SinkUnavailable, StateLost, Superseded
from tests.support.ingester import clock_us, cursor, entries, event, gaps, metadata, stored, time_us
from tests.support.logins import as_ingester

MINUTE_MS = 60_000


def flush(*numbers: int, lease_ms: int = 60_000, connected: bool = True, size: int = 10) -> Flush:
    """The events ``numbers`` in frames of two."""
    buffer = Buffer()
    for number in numbers:
        (buffer.add if buffer.placed else buffer.begin)(event(number, size))
    return Flush(buffer.pack(2), buffer.last_us, connected, lease_ms)


def access(url: str) -> RedisAccess:
    """The ingester's login at the session's Redis; as the URL says where it has one."""
    return RedisAccess.of(IngesterSettings(redis_url=url), INGESTER)


def claimed(url: str | RedisAccess, name: str = "a", lease_ms: int = 60_000) -> Sink:
    """A sink that may write."""
    sink = Sink(access(url) if isinstance(url, str) else url, name, "host")
    assert isinstance(sink.claim(lease_ms), Claim)
    return sink


def test_writes_frames_and_state_together(redis_url: str, redis_client: redis.Redis) -> None:
    sink = claimed(redis_url)
    sink.write(flush(0, 1, 2, 3, 8, 16))
    assert stored(redis_client, wire.POSTS) == [event(0, 10), event(8, 10), event(16, 10)]
    columns = (wire.FIELD_COUNT, wire.FIELD_FIRST_US, wire.FIELD_LAST_US)
    assert [[int(entry[name]) for name in columns] for entry in entries(redis_client, wire.POSTS)] == [
        [2, time_us(0), time_us(8)],
        [1, time_us(16), time_us(16)],
    ]
    state = metadata(redis_client)
    assert (state["cursor"], state["flush"], state["events"]) == (str(time_us(16)), "1", "6")
    assert (state["events:posts"], state["events:likes"], state["host"]) == ("3", "1", "host")
    assert state["protocol"] == "v1" and state["writer"].startswith("a/")
    assert 0 <= clock_us(redis_client) - time_us(16) - int(state["lag_us"]) < 60_000_000
    sink.write(flush(24))
    assert (metadata(redis_client)["events:posts"], metadata(redis_client)["events"]) == ("4", "7")


GAP = Gap(id="late:h:1", reason=Reason.LATE, from_us=1, to_us=2, noted_us=3, host="h")


def test_gaps_come_with_their_flush_once(
    redis_url: str, redis_client: redis.Redis, redis_server: RedisServer
) -> None:
    with reply_loser(redis_server.port) as (url, lose):
        sink = claimed(url)
        sink.write(flush(0)._replace(open_gaps=(GAP,)))
        again = Sink(access(redis_url), "a", "host").claim(60_000)
        assert isinstance(again, Claim) and again.gaps == (GAP,), "the next writer knows what is open"
        sink.claim(60_000)
        lose.set()
        with pytest.raises(SinkUnavailable):
            sink.write(flush(1)._replace(gaps=(GAP, GAP)))
        sink.write(flush(1)._replace(gaps=(GAP, GAP)))
        assert not lose.is_set()
    assert gaps(redis_client) == [GAP, GAP], "both, and neither twice"
    assert metadata(redis_client)[wire.META_GAPS] == ""


@pytest.mark.parametrize("kept", ["", "[]", "nonsense", '[{"id":"x","reason":"of another version"}]'])
def test_open_gaps_that_cannot_be_read_stop_nothing(kept: str, redis_url: str, redis_client: redis.Redis) -> None:
    claimed(redis_url).write(flush(0))
    redis_client.hset(wire.METADATA_KEY, wire.META_GAPS, kept)
    claim = Sink(access(redis_url), "a", "host").claim(60_000)
    assert isinstance(claim, Claim) and (claim.gaps, claim.cursor) == ((), time_us(0))


@pytest.mark.parametrize("kept", [wire.META_HISTORY, wire.META_RESYNCS])
def test_what_a_process_knew_is_kept_for_the_next_and_written_when_it_is_another(
    kept: str, redis_url: str, redis_client: redis.Redis
) -> None:
    def knowing(number: int, state: bytes) -> Flush:
        flushed = flush(number)
        return flushed._replace(history=state) if kept == wire.META_HISTORY else flushed._replace(resyncs=state)

    sink = claimed(redis_url)
    sink.write(knowing(0, b"one"))
    redis_client.hset(wire.METADATA_KEY, kept, "untouched")
    sink.write(knowing(1, b"one"))
    assert metadata(redis_client)[kept] == "untouched"
    sink.write(knowing(2, b"two"))
    again = sink.claim(60_000)
    assert isinstance(again, Claim) and getattr(again, kept) == b"two"
    redis_client.hdel(wire.METADATA_KEY, kept)
    sink.write(knowing(3, b"two"))
    assert metadata(redis_client)[kept] == "two", "after a claim nobody knows what is there"


def test_a_host_that_is_not_text_is_taken_for_another_host(redis_url: str, redis_client: redis.Redis) -> None:
    claimed(redis_url).write(flush(0))
    redis_client.hset(wire.METADATA_KEY, mapping={wire.META_HOST: b"\xfe", wire.META_WRITER: b"\xfe/1"})
    standby = Sink(access(redis_url), "b", "host").claim(60_000)
    assert isinstance(standby, Held) and standby.writer.encode(), "systemd is told of it"
    redis_client.hset(wire.METADATA_KEY, wire.META_LEASE_MS, 0)
    sink = Sink(access(redis_url), "b", "host")
    claim = sink.claim(60_000)
    assert isinstance(claim, Claim)
    found = msgspec.structs.replace(GAP, host=claim.position.host)
    sink.write(Flush((), claim.cursor, True, 60_000, host=claim.position.host, gaps=(found,), open_gaps=(found,)))
    assert gaps(redis_client) == [found] and cursor(redis_client) == time_us(0)


def test_a_gap_without_events_is_written_too(redis_url: str, redis_client: redis.Redis) -> None:
    sink = claimed(redis_url)
    sink.write(flush()._replace(gaps=(GAP,)))
    assert gaps(redis_client) == [GAP] and cursor(redis_client) == 0
    redis_client.delete(wire.COVERAGE_KEY)
    redis_client.set(wire.COVERAGE_KEY, "legacy")
    with pytest.raises(SinkUnavailable, match="firehose:coverage holds a string"):
        sink.write(flush(0)._replace(gaps=(GAP,)))
    assert stored(redis_client) == []


def test_first_start_is_recorded_once(redis_url: str, redis_client: redis.Redis) -> None:
    claimed(redis_url)
    first = metadata(redis_client)["first_start_ms"]
    time.sleep(0.005)
    claimed(redis_url)
    assert metadata(redis_client)["first_start_ms"] == first


def test_same_name_takes_over_at_once(redis_url: str, redis_client: redis.Redis) -> None:
    old = claimed(redis_url)
    old.write(flush(0))
    new = Sink(access(redis_url), "a", "host")
    claim = new.claim(60_000)
    assert isinstance(claim, Claim) and claim._replace(away_s=0) == Claim(time_us(0), "host", "v1")
    assert 0 <= claim.away_s < 60
    with pytest.raises(Fenced, match="another process"):
        old.write(flush(1))
    new.write(flush(2))
    assert sorted(stored(redis_client)) == sorted([event(0, 10), event(2, 10)])


def test_other_name_waits_until_the_lease_ends(redis_url: str) -> None:
    old = claimed(redis_url, "a", lease_ms=60_000)
    standby = Sink(access(redis_url), "b", "host")
    held = standby.claim(60_000)
    assert isinstance(held, Held) and held.writer.startswith("a/") and 50_000 < held.left_ms <= 60_000
    old.write(flush(0, lease_ms=0))
    assert isinstance(standby.claim(60_000), Claim)
    with pytest.raises(Superseded, match="standby"):
        old.write(flush(1))


def test_a_lost_reply_is_not_written_twice(
    redis_url: str, redis_client: redis.Redis, redis_server: RedisServer
) -> None:
    with reply_loser(redis_server.port) as (url, lose):
        sink = claimed(url)
        sink.write(flush(0))
        lose.set()
        with pytest.raises(SinkUnavailable):
            sink.write(flush(1, 2))
        assert not lose.is_set(), "the proxy must have lost a reply"
        assert cursor(redis_client) == time_us(2), "the write itself must have arrived"
        sink.write(flush(1, 2))
        sink.write(flush(3))
    assert sorted(stored(redis_client)) == sorted(event(number, 10) for number in range(4))


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda client: client.flushall(), 0),
        (lambda client: client.hdel(wire.METADATA_KEY, wire.META_CURSOR), 0),
        (lambda client: client.hset(wire.METADATA_KEY, wire.META_CURSOR, "5"), 5),
        (lambda client: client.hset(wire.METADATA_KEY, wire.META_FLUSH, "7"), time_us(0)),
    ],
    ids=["emptied", "cursor-gone", "cursor-changed", "restored"],
)
def test_changed_state_is_noticed(
    damage: Callable[[redis.Redis], object], found: int, redis_url: str, redis_client: redis.Redis
) -> None:
    sink = claimed(redis_url)
    sink.write(flush(0))
    damage(redis_client)
    with pytest.raises(StateLost):
        sink.write(flush(1))
    assert event(1, 10) not in stored(redis_client)
    claim = sink.claim(60_000)
    assert isinstance(claim, Claim) and claim.cursor == found
    sink.write(flush(1))
    assert event(1, 10) in stored(redis_client)


def test_key_of_another_type_is_waited_for_and_nothing_is_written(
    redis_url: str, redis_client: redis.Redis
) -> None:
    sink = claimed(redis_url)
    redis_client.rpush(wire.stream_key(wire.LIKES), "legacy")
    before = redis_client.hgetall(wire.METADATA_KEY)
    with pytest.raises(SinkUnavailable, match="firehose:likes:queue holds a list"):
        sink.write(flush(0, 1))
    assert redis_client.hgetall(wire.METADATA_KEY) == before
    assert not redis_client.exists(wire.stream_key(wire.POSTS))
    with pytest.raises(SinkUnavailable, match="firehose:likes:queue holds a list"):
        Sink(access(redis_url), "a", "host").claim(1000)


def test_full_redis_takes_a_flush_whole_or_not_at_all(tmp_path: Path) -> None:
    with RedisServer(tmp_path, maxmemory="3mb") as server, server.client() as client:
        sink = claimed(as_ingester(server))
        taken: list[int] = []
        with pytest.raises(SinkUnavailable, match=r"OOM|used memory"):
            for start in range(0, 100_000, 40):
                sink.write(flush(*range(start, start + 40), size=2000))
                taken += range(start, start + 40)
        assert sorted(stored(client)) == sorted(event(number, 2000) for number in taken)
        assert cursor(client) == time_us(taken[-1])
        with pytest.raises(SinkUnavailable, match=r"OOM|used memory"):
            Sink(as_ingester(server), "a", "host").claim(1000)
        client.config_set("maxmemory", "100mb")
        sink.write(flush(taken[-1] + 1))
        assert cursor(client) == time_us(taken[-1] + 1)


def test_heartbeats_mark_listened_minutes_and_are_trimmed(redis_url: str, redis_client: redis.Redis) -> None:
    sink = claimed(redis_url)
    sink.write(flush(connected=False))
    assert not redis_client.exists(wire.HEARTBEATS_KEY)
    assert cursor(redis_client) == 0
    seconds, _ = redis_client.time()
    old = seconds * 1000 - wire.HEARTBEATS_KEPT_MS - MINUTE_MS
    redis_client.zadd(wire.HEARTBEATS_KEY, {str(old): old})
    sink.write(flush())
    beats: Any = redis_client.zrange(wire.HEARTBEATS_KEY, 0, -1, withscores=True)
    ((member, score),) = beats
    assert int(member) == score and int(score) % MINUTE_MS == 0
    assert seconds * 1000 - MINUTE_MS < int(score) <= seconds * 1000 + MINUTE_MS


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "unix:///nowhere/redis.sock"])
def test_absent_redis_is_retryable(url: str) -> None:
    with pytest.raises(SinkUnavailable):
        Sink(access(url), "a", "host").claim(1000)


def test_wrong_login_is_not_retryable_and_hides_the_password(tmp_path: Path) -> None:
    with (
        RedisServer(tmp_path) as server,
        pytest.raises(SinkRefused, match="check the login in FIREHOSE_REDIS_URL") as caught,
    ):
        Sink(access(f"redis://:wrong@127.0.0.1:{server.port}/0"), "a", "host").claim(1000)
    assert "wrong@" not in str(caught.value)


def test_scripts_come_back_after_a_script_flush(redis_url: str, redis_client: redis.Redis) -> None:
    sink = claimed(redis_url)
    redis_client.script_flush()
    sink.write(flush(0))
    assert cursor(redis_client) == time_us(0)


@contextmanager
def reply_loser(port: int) -> Iterator[tuple[str, threading.Event]]:
    """A TCP proxy before Redis. Once its event is set it drops the next reply, and the connection with it."""
    lose = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", port))
            threading.Thread(target=pump, args=(client, server, None), daemon=True).start()
            threading.Thread(target=pump, args=(server, client, lose), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0", lose
    finally:
        listener.close()


def pump(source: socket.socket, target: socket.socket, lose: threading.Event | None) -> None:
    """Pass bytes on until either side ends, or a reply is to be lost."""
    try:
        while data := source.recv(1 << 16):
            if lose is not None and lose.is_set():
                lose.clear()
                break
            target.sendall(data)
    except OSError:
        pass  # the other pump has closed both
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
