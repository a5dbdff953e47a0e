"""`firehose tap` from a host and from Redis: all that is wanted and nothing else, and quiet ends."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

import jetstream_simulator
from firehose.jetstream import host_of
from firehose.settings import Settings
from firehose.tap.buffered import messages as from_redis
from firehose.tap.events import read_frame
from firehose.tap.wanted import Wanted
from ingester.contract import wire
from tests.support.command import FIREHOSE, firehose
from tests.support.events import first_synthetic
from tests.support.frames import add_frames, frame, minutes, queue_of
from tests.support.ingester import Source, first_events
from tests.support.waiting import until


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    """Synthetic events of all kinds."""
    return [*first_synthetic(2500)]


def commit_of(line: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(line).get("commit") or {}
    return found


#: Options, and the same condition in plain Python.
CHOICES = [
    (["--type", "likes"], lambda line: commit_of(line).get("collection") == "app.bsky.feed.like"),
    (["--type", "identities"], lambda line: json.loads(line)["kind"] == "identity"),
    (
        ["--collection", "app.bsky.graph.*"],
        lambda line: commit_of(line).get("collection", "").startswith("app.bsky.graph."),
    ),
    (["--operation", "delete"], lambda line: commit_of(line).get("operation") == "delete"),
    (
        ["--lang", "en", "--type", "posts"],
        lambda line: any(
            lang.lower().split("-")[0] == "en" for lang in commit_of(line).get("record", {}).get("langs", [])
        ),
    ),
    (
        ["--word", "THE", "--type", "posts"],
        lambda line: (
            commit_of(line).get("collection") == "app.bsky.feed.post"
            and "the" in commit_of(line).get("record", {}).get("text", "").lower()
        ),
    ),
]


@pytest.mark.parametrize(("options", "holds"), CHOICES)
def test_a_host_gives_what_is_wanted_and_nothing_else(
    lines: list[bytes], options: list[str], holds: Any, tmp_path: Path
) -> None:
    wanted = [line for line in lines if holds(line)]
    assert 0 < len(wanted) < len(lines)
    with Source(lines) as source:
        done = firehose("tap", *options, "--count", len(wanted), "--url", source.url, home=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.encode().splitlines() == wanted


def test_one_account_is_asked_of_the_host(lines: list[bytes], tmp_path: Path) -> None:
    did = json.loads(lines[7])["did"]
    with Source(lines) as source:
        done = firehose("tap", "--did", did, "--count", 1, "--url", source.url, home=tmp_path)
        assert json.loads(done.stdout)["did"] == did
        assert source.connections == [{"wantedDids": [did]}]


def test_a_v2_host_gives_the_same_kinds_of_events(tmp_path: Path) -> None:
    with jetstream_simulator.start(["--rate", "500"]) as source:
        done = firehose(
            *("tap", "--type", "posts", "--operation", "create", "--count", 20, "--url", source.events_url),
            home=tmp_path,
        )
    assert done.returncode == 0, done.stderr
    events = [read_frame(line.encode()) for line in done.stdout.splitlines()]
    assert len(events) == 20
    assert {(event.type, event.operation) for event in events} == {("posts", "create")}
    assert all(event.did.startswith("did:") for event in events)
    assert any(event.text for event in events), "some posts have no words, but not all"
    assert Wanted(types=("posts",)).query(host_of(source.events_url)) == [("collections", "app.bsky.feed.post")]


@pytest.fixture
def tapping(redis_url: str, redis_client: redis.Redis, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A tap on Redis that has begun to look."""
    before = connections(redis_client)
    process = subprocess.Popen(
        [FIREHOSE, "tap", "--from", "redis"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "FIREHOSE_HOME": str(tmp_path),
            "FIREHOSE_REDIS_URL": redis_url,
        },
    )
    until(lambda: connections(redis_client) > before, what="a connection of the tap")
    until(lambda: b"evalsha" in last_commands(redis_client), what="a look into the streams")
    yield process
    process.kill()
    process.wait()


def connections(client: redis.Redis) -> int:
    return sum(each["user"] == "pipeline" for each in client.client_list())


def last_commands(client: redis.Redis) -> bytes:
    return " ".join(each["cmd"] for each in client.client_list() if each["user"] == "pipeline").encode()


def test_redis_is_read_and_not_changed(
    tapping: subprocess.Popen[bytes], redis_client: redis.Redis, lines: list[bytes]
) -> None:
    by_queue: dict[str, list[bytes]] = {}
    for line in lines:
        by_queue.setdefault(queue_of(line), []).append(line)
    (batch,) = minutes(1)
    # Entries that came before the tap began are not shown.
    add_frames(redis_client, wire.POSTS, by_queue[wire.POSTS][:10], batch)
    for queue, of_queue in by_queue.items():
        redis_client.xadd(wire.stream_key(queue), frame(of_queue))
    redis_client.xadd(wire.stream_key(wire.OTHER), {"not": "a frame"})
    before = {wire.stream_key(queue): redis_client.dump(wire.stream_key(queue)) for queue in by_queue}
    assert tapping.stdout is not None
    seen = [tapping.stdout.readline().rstrip(b"\n") for _ in lines]
    assert sorted(seen) == sorted(lines)
    tapping.send_signal(signal.SIGINT)
    out, said = tapping.communicate(timeout=30)
    assert (tapping.returncode, out, said) == (0, b"", b"")
    assert before == {key: redis_client.dump(key) for key in before}


class _Over(Exception):
    """Ends a stream that has no end."""


def test_only_what_comes_from_now_on_is_shown(
    redis_url: str, redis_client: redis.Redis, lines: list[bytes], tmp_path: Path
) -> None:
    posts = [line for line in lines if queue_of(line) == wire.POSTS]
    (batch,) = minutes(1)
    add_frames(redis_client, wire.POSTS, posts[:10], batch)
    looks: list[float] = []

    def between_looks(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 1:
            redis_client.xadd(wire.stream_key(wire.POSTS), frame(posts[10:15]))
        if len(looks) == 3:
            raise _Over

    seen: list[bytes] = []
    settings = Settings(home=str(tmp_path), redis_url=redis_url)
    with pytest.raises(_Over):
        seen.extend(event.raw for event in from_redis(settings, Wanted(), between_looks))
    assert seen == posts[10:15]


def test_a_closed_pipe_ends_it_quietly(tmp_path: Path) -> None:
    with Source(first_events(50_000)) as source:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", f"{FIREHOSE} tap --url {source.url} | head -3"],
            capture_output=True,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "FIREHOSE_HOME": str(tmp_path)},
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout.splitlines()) == 3


def test_a_terminal_gets_a_line_an_event_and_nothing_that_steers_it(tmp_path: Path) -> None:
    evil = json.loads(first_events(1)[0])
    evil["commit"]["record"]["text"] = "red\x1b[31m\u202e and\nmore"
    ours, theirs = pty.openpty()
    with Source([json.dumps(evil).encode()]) as source:
        done = subprocess.run(
            [FIREHOSE, "tap", "--count", "1", "--url", source.url],
            stdout=theirs,
            stderr=subprocess.PIPE,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "FIREHOSE_HOME": str(tmp_path),
                "TERM": "xterm",
                "COLUMNS": "200",
            },
            check=False,
            timeout=60,
        )
    shown = os.read(ours, 65536).decode()
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 0, done.stderr
    assert "red [31m  and more" in shown
    assert "\x1b[32m" in shown, "a create is green"
    assert shown.count("\n") == 1


def test_a_host_that_is_away_is_one_line(tmp_path: Path) -> None:
    done = firehose("tap", "--url", "ws://127.0.0.1:1/subscribe", home=tmp_path)
    assert done.returncode == 75
    assert done.stderr.startswith("firehose: 127.0.0.1:1 cannot be read")
    assert len(done.stderr.splitlines()) == 1
