"""`firehose crosscheck` on two simulators: equal hosts are equal in either protocol; what one lacks is named."""

from __future__ import annotations

import json
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from threading import Event
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.sync import server
from websockets.sync.server import ServerConnection

from firehose.crosscheck.compare import Tally, Window, compare
from firehose.crosscheck.listen import Listener
from firehose.crosscheck.run import window_of
from firehose.errors import FirehoseError, ServiceUnavailable
from firehose.jetstream import host_of
from ingester.contract import wire
from jetstream_simulator import generate, process
from tests.support.command import FIREHOSE

HOUR = "2026-11-01T05"
HOUR_US = int(datetime(2026, 11, 1, 5, tzinfo=UTC).timestamp()) * 1_000_000
# One event a second, from before the hour's margin until after it.
LINES = list(generate.events(3900, seed=77, start_us=HOUR_US - 100_000_000, rate=1))
Serve = Callable[[list[bytes]], process.SimulatorProcess]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Start a simulator that sends these lines."""
    with ExitStack() as running:

        def start(lines: list[bytes]) -> process.SimulatorProcess:
            recording = tmp_path_factory.mktemp("recording") / "recording.jsonl"
            recording.write_bytes(b"".join(line + b"\n" for line in lines))
            return running.enter_context(process.start(["--replay", str(recording)]))

        yield start


@pytest.fixture(scope="module")
def whole(serve: Serve) -> process.SimulatorProcess:
    return serve(LINES)


def crosscheck(a: str, b: str, *options: str, hour: str = HOUR) -> subprocess.CompletedProcess[str]:
    command = [FIREHOSE, "crosscheck", a, b, "--hour", hour, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"})


def stamped(lines: list[bytes], shift_us: int) -> list[bytes]:
    """The same events as another host witnesses them."""
    times = [json.loads(line)["time_us"] for line in lines]
    return [
        line.replace(b'"time_us":%d' % time_us, b'"time_us":%d' % (time_us + shift_us), 1)
        for line, time_us in zip(lines, times, strict=True)
    ]


def sent(lines: list[bytes], shift_us: int = 0) -> Counter[tuple[str, str]]:
    """What lies within the hour, for a host whose clock is so much later or for the first one."""
    found: Counter[tuple[str, str]] = Counter()
    for line in lines:
        event = json.loads(line)
        if not any(HOUR_US <= event["time_us"] + shift < HOUR_US + 3_600_000_000 for shift in (0, shift_us)):
            continue
        commit = event.get("commit", {})
        queue = wire.KIND_QUEUES.get(event["kind"])
        queue = queue or wire.COLLECTION_QUEUES.get(commit["collection"], wire.OTHER)
        found[queue, commit.get("operation", "")] += 1
        found[queue, "all"] += 1
    return found


def counts(report: dict[str, Any], host: str) -> Counter[tuple[str, str]]:
    return Counter({(one["type"], one["operation"]): one[host] for one in report["differences"]})


def test_two_hosts_of_one_recording_are_equal_whatever_they_speak(whole: process.SimulatorProcess) -> None:
    done = crosscheck(whole.url, whole.events_url, "--json", "--tolerance", "0")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert counts(report, "a") == counts(report, "b") == sent(LINES)
    assert all(one["only_a"] == one["only_b"] == 0 for one in report["differences"])
    assert sum(one["a"] for one in report["differences"] if one["operation"] == "all") == 3600


def test_other_stamps_and_events_that_come_twice_make_no_difference(
    serve: Serve, whole: process.SimulatorProcess
) -> None:
    shift_us = 7_500_000
    later = serve([line for line in stamped(LINES, shift_us) for _ in range(2)])
    done = crosscheck(whole.events_url, later.events_url, "--json", "--tolerance", "0")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert counts(report, "a") == counts(report, "b") == sent(LINES, shift_us)


def test_what_one_hosts_resync_sends_again_is_no_difference(serve: Serve, whole: process.SimulatorProcess) -> None:
    """The one host has lost its way in three accounts; one of their records the other host has sent as new, under
    the very revision of the resync.
    """
    births = [line for line in LINES[300:2000] if b'"operation":"create"' in line][:9]
    rev = json.loads(births[0])["commit"]["rev"]
    lines = list(LINES)
    for line in births[::3]:
        event = json.loads(line)
        sync = {"did": event["did"], "rev": rev, "seq": 7, "time": "x"}
        head = {"did": event["did"], "time_us": event["time_us"]}
        again = [json.loads(one) for one in births]
        lines.append(json.dumps({**head, "kind": "sync", "sync": sync}).encode())
        for one in again:
            commit = {**one["commit"], "rev": rev}
            lines.append(json.dumps({**head, "kind": "commit", "commit": commit}).encode())
    lines.sort(key=lambda line: json.loads(line)["time_us"])
    diverged = serve([line for line in lines if line != births[0]])
    done = crosscheck(diverged.events_url, whole.events_url, "--json", "--tolerance", "0")
    report = json.loads(done.stdout)
    only = [one for one in report["differences"] if one["only_a"] or one["only_b"]]
    # The sync events themselves: only the host that has lost its way announces them.
    assert {(one["type"], one["operation"]) for one in only} <= {("other", "sync"), ("other", "all")}
    assert sum(one["only_a"] for one in only if one["operation"] == "sync") == 3


def test_a_host_that_lacks_a_type_is_named(serve: Serve, whole: process.SimulatorProcess) -> None:
    reposts = [line for line in LINES if b'"collection":"app.bsky.feed.repost"' in line]
    likes = [line for line in LINES if b'"collection":"app.bsky.feed.like"' in line]
    gone = {*reposts, *likes[::50]}
    blind = serve([line for line in LINES if line not in gone])
    done = crosscheck(whole.url, blind.url, "--tolerance", "0.03")
    assert done.returncode == 1
    assert done.stderr == "firehose: the hosts differ by more than 3.00% of a type's events: reposts 100.00%\n"
    missing = sent([*gone])
    assert missing["reposts", "all"] > 100
    [row] = [line for line in done.stdout.splitlines() if "reposts" in line and "all" in line]
    cells = [cell.strip() for cell in row.split("│")[1:-1]]
    total = str(missing["reposts", "all"])
    assert cells == ["reposts", "all", total, "0", total, "0", "100.00%"]
    [row] = [line for line in done.stdout.splitlines() if "likes" in line and "all" in line]
    assert [cell.strip() for cell in row.split("│")][5] == str(missing["likes", "all"])
    # What was filtered out at one host is as good as missing there.
    likes_only = f"{whole.url}?wantedCollections=app.bsky.feed.like"
    filtered = crosscheck(whole.url, likes_only)
    assert "posts 100.00%" in filtered.stderr and "likes" not in filtered.stderr


def test_an_hour_that_cannot_be_had_is_one_line(
    serve: Serve, whole: process.SimulatorProcess, free_port: int
) -> None:
    late = serve([line for line in LINES if json.loads(line)["time_us"] > HOUR_US + 1_000_000])
    now = f"{datetime.now(UTC):%Y-%m-%dT%H}"
    away = f"ws://127.0.0.1:{free_port}/subscribe"
    for done, said in (
        (crosscheck(whole.url, late.url), "no longer has the hour"),
        (crosscheck(late.events_url, whole.events_url), "no longer has the hour"),
        (crosscheck(whole.url, late.url, hour=now), "not over yet"),
        (crosscheck(whole.url, late.url, hour="yesterday"), "such as 2026-11-23T20"),
        (crosscheck(whole.url, away), "sends no events"),
        (crosscheck("https:/x", whole.url), "is not a Jetstream host"),
        (crosscheck(f"wss://{'a' * 64}.example/subscribe", whole.url), "is not a Jetstream host"),
        (
            crosscheck("wss://user:hunter2@a:b/subscribe", whole.url),
            "'wss://***@a:b/subscribe' is not a Jetstream host",
        ),
        (crosscheck(away.replace("//", "//user:hunter2@"), whole.url), "sends no events"),
    ):
        assert done.returncode == (75 if said == "sends no events" else 1), done
        [line] = done.stderr.splitlines()
        assert said in line
        assert "hunter2" not in line


def test_options_that_a_listener_does_not_understand_are_not_passed_on(whole: process.SimulatorProcess) -> None:
    options = "?requireHello=true&compress=true"
    done = crosscheck(whole.http_url + "/subscribe" + options, whole.url, "--tolerance", "0")
    assert (done.returncode, done.stderr) == (0, "")


def test_an_hour_of_which_neither_host_has_anything_is_no_agreement(serve: Serve) -> None:
    around = [line for line in LINES if not -1 <= json.loads(line)["time_us"] - HOUR_US < 3_600_000_000]
    empty = serve(around)
    done = crosscheck(empty.url, empty.events_url)
    assert done.returncode == 1
    assert ": nothing to compare" in done.stderr


def test_one_wrong_time_does_not_make_a_resumed_listener_skip_the_rest() -> None:
    """The host closes after an event that it stamps with the end of the window."""
    _, window = window_of(HOUR)
    asked: list[str] = []
    wrong = stamped(LINES[500:501], window.last_us - json.loads(LINES[500])["time_us"])

    def serve_once(connection: ServerConnection) -> None:
        assert connection.request is not None
        asked.append(connection.request.path)
        for line in [*LINES[:500], *wrong] if len(asked) == 1 else LINES[500:]:
            connection.send(line)

    with server.serve(serve_once, "127.0.0.1", 0) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        url = f"ws://127.0.0.1:{running.socket.getsockname()[1]}/subscribe"
        listener = Listener(host_of(url), window, Event(), also_v2=False, sleep=lambda _: None)
        listener.run()
        running.shutdown()
    resumed = int(parse_qs(urlsplit(asked[1]).query)["cursor"][0])
    assert resumed < json.loads(LINES[500])["time_us"]


def test_a_host_that_falls_silent_before_the_end_is_not_taken_for_whole(serve: Serve) -> None:
    short = serve(LINES[:2000])
    _, window = window_of(HOUR)
    waits: list[float] = []
    listener = Listener(host_of(short.url), window, Event(), also_v2=False, sleep=waits.append, silence_s=0.5)
    with pytest.raises(ServiceUnavailable, match="stopped at 2026-11-01T05:3"):
        listener.run()
    assert len(waits) == 2


def test_memory_is_bounded_by_a_limit_on_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firehose.crosscheck.compare.MOST_EVENTS", 3)
    tally = Tally(Window(0, 100, 10))
    for number in range(3):
        tally.add(("likes", "create"), number, 50)
    tally.add(("likes", "create"), 4, 1_000)  # outside: not kept
    with pytest.raises(FirehoseError, match="over 3 events"):
        tally.add(("likes", "create"), 5, 50)


def test_only_what_either_host_places_in_the_hour_is_compared() -> None:
    a, b = Tally(Window(100, 200, 10)), Tally(Window(100, 200, 10))
    for identity, at_a, at_b in (
        (1, 150, 150),
        (2, 95, 101),
        (3, 199, 205),
        (4, 95, 96),
        (5, 205, 0),
        (6, 150, 0),
    ):
        a.add(("likes", "create"), identity, at_a)
        b.add(("likes", "create"), identity, at_b)
    total, one = compare(a, b)
    assert (one.a, one.b, one.only_a, one.only_b) == (4, 3, 1, 0)
    assert total.share == one.share == 0.25
