"""The simulator over time: pace, filters that change, slow clients, retention, limits, start and stop."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as websockets_connect

from jetstream_simulator import generate, malformed, process
from jetstream_simulator.errors import SimulatorError
from tests.support.waiting import until

LINES = list(generate.events(3000, seed=12))


def connect(url: str, **header: str) -> ClientConnection:
    # A client that leaves without having read everything would wait ten seconds for the answer to its close.
    return websockets_connect(url, additional_headers=header, max_size=2**25, close_timeout=0.2)


def receive(client: ClientConnection, count: int) -> list[bytes]:
    return [client.recv(timeout=20, decode=False) for _ in range(count)]


def recording(path: Path, lines: list[bytes] = LINES) -> str:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return str(path)


def test_made_up_events_follow_the_clock() -> None:
    with process.start(["--rate", "1000"]) as simulator, connect(simulator.url) as client:
        before = time.time_ns() // 1000
        events = [json.loads(line) for line in receive(client, 500)]
        after = time.time_ns() // 1000
    times = [event["time_us"] for event in events]
    assert times == sorted(set(times))
    assert before - 2_000_000 < times[0] and times[-1] < after + 2_000_000
    assert times[-1] - times[0] == pytest.approx(499_000, abs=5000)


def test_a_seed_and_a_start_fix_every_byte() -> None:
    start_us = 1_750_000_000_000_000
    args = ["--rate", "5000", "--events", "300", "--seed", "4", "--start", str(start_us)]
    with process.start(args) as simulator, connect(simulator.url) as client:
        lines = receive(client, 300)
        until(lambda: simulator.health()["done"])
    first_us = json.loads(lines[0])["time_us"]
    assert start_us <= first_us < start_us + 60_000_000
    assert lines == list(generate.events(300, seed=4, start_us=first_us, rate=5000))


def test_as_fast_as_it_can_it_waits_for_its_readers() -> None:
    with process.start(["--rate", "0", "--retention", "20000"]) as simulator:
        assert simulator.health()["events"] == 0
        with connect(simulator.url) as client:
            receive(client, 10)
            until(lambda: simulator.health()["clients"][0]["behind"] > 8192)
            stalled = simulator.health()["events"]
            receive(client, 20_000)
            until(lambda: simulator.health()["events"] > stalled)


def test_a_client_that_comes_back_misses_nothing(tmp_path: Path) -> None:
    with process.start(["--replay", recording(tmp_path / "recording"), "--rate", "4000"]) as simulator:
        seen: list[bytes] = []
        while len(seen) < len(LINES):
            query = f"?cursor={json.loads(seen[-1])['time_us']}" if seen else ""
            with connect(simulator.url + query) as client:
                lines = receive(client, min(700, len(LINES) - len(seen) + bool(seen)))
                seen += lines[1:] if seen else lines
                client.socket.shutdown(socket.SHUT_RDWR)
        assert seen == LINES


def test_a_restarted_replay_resumes_at_the_cursor(tmp_path: Path) -> None:
    cursor = json.loads(LINES[2000])["time_us"]
    with (
        process.start(["--replay", recording(tmp_path / "recording")]) as simulator,
        connect(f"{simulator.url}?cursor={cursor}") as client,
    ):
        assert receive(client, 1000) == LINES[2000:]


def test_too_old_a_cursor_starts_at_the_oldest_retained(tmp_path: Path) -> None:
    args = ["--replay", recording(tmp_path / "recording"), "--retention", "100"]
    with process.start(args) as simulator:
        with connect(simulator.url) as client:
            assert receive(client, len(LINES)) == LINES
        oldest = simulator.health()["oldest_position"]
        assert 100 <= len(LINES) - oldest <= 112
        with connect(f"{simulator.url}?cursor=1") as client:
            assert receive(client, len(LINES) - oldest) == LINES[oldest:]


def test_updates_replace_filters_and_an_empty_one_removes_them() -> None:
    def collections(client: ClientConnection) -> set[str]:
        events = [json.loads(line) for line in receive(client, 400)]
        return {event["commit"]["collection"] for event in events if "commit" in event}

    with (
        process.start(["--rate", "4000"]) as simulator,
        connect(f"{simulator.url}?wantedCollections=app.bsky.feed.post") as client,
    ):
        assert collections(client) == {"app.bsky.feed.post"}
        update = {"type": "options_update", "payload": {"wantedCollections": ["app.bsky.feed.repost"]}}
        client.send(json.dumps(update))
        until(lambda: collections(client) == {"app.bsky.feed.repost"})
        client.send(json.dumps({"type": "options_update", "payload": {}}))
        until(lambda: len(collections(client)) >= 4)


def test_a_slow_client_is_dropped_without_a_close_frame() -> None:
    args = ["--rate", "20000", "--outbox", "500", "--retention", "20000"]
    with process.start(args) as simulator, connect(simulator.url) as client:
        receive(client, 1)
        until(lambda: not simulator.health()["clients"])
        with pytest.raises(ConnectionClosed) as closed:
            receive(client, 1_000_000)
    assert closed.value.rcvd is None


def test_the_limit_of_an_address_is_kept() -> None:
    args = ["--rate", "0", "--client-rate", "300"]
    with process.start(args) as simulator, connect(simulator.url) as client:
        began = time.monotonic()
        receive(client, 600)  # the first 300 come at once
        assert time.monotonic() - began > 0.9


def test_compression_without_a_dictionary_is_refused() -> None:
    with (
        process.start([]) as simulator,
        pytest.raises(InvalidStatus) as refused,
        connect(f"{simulator.url}?compress=true"),
    ):
        pass
    assert refused.value.response.status_code == 400


def test_what_is_sent_is_recorded(tmp_path: Path) -> None:
    recorded = tmp_path / "recorded.jsonl"
    args = ["--rate", "0", "--events", "2000", "--malformed", "0.05", "--record", str(recorded)]
    with process.start(args) as simulator, connect(simulator.url) as client:
        lines = receive(client, 2000)
    assert recorded.read_bytes() == b"".join(line + b"\n" for line in lines)


def test_a_loop_goes_on_with_new_times(tmp_path: Path) -> None:
    with (
        process.start(["--replay", recording(tmp_path / "recording", LINES[:100]), "--loop"]) as simulator,
        connect(simulator.url) as client,
    ):
        times = [json.loads(line)["time_us"] for line in receive(client, 1000)]
    assert times == sorted(set(times))


def test_garbage_ends_a_replay_unless_it_is_kept(tmp_path: Path) -> None:
    path = recording(tmp_path / "recording", [LINES[0], b"garbage", LINES[1]])
    log = tmp_path / "log"
    simulator = process.start(["--replay", path], log=log)
    with pytest.raises(ConnectionClosed), connect(simulator.url) as client:
        receive(client, 3)
    assert simulator.process.wait(20) == 1
    simulator.stop()
    assert [
        line for line in log.read_text().splitlines() if f"{path} line 2" in line
    ] == log.read_text().splitlines()
    with process.start(["--replay", path, "--keep-invalid"]) as simulator, connect(simulator.url) as client:
        assert receive(client, 3) == [LINES[0], b"garbage", LINES[1]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_even_with_a_client_that_does_not_read(number: signal.Signals) -> None:
    with process.start(["--rate", "0"]) as simulator, connect(simulator.url):
        until(lambda: simulator.health()["clients"][0]["behind"] > 8192)
        os.kill(simulator.process.pid, number)
        assert simulator.process.wait(10) == 0


def test_a_client_that_reads_is_told_that_it_stops() -> None:
    with process.start([]) as simulator, connect(simulator.url) as client:
        receive(client, 1)
        simulator.process.terminate()
        with pytest.raises(ConnectionClosed) as closed:
            receive(client, 100_000)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1001
        assert simulator.process.wait(10) == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--port", "{taken}"], "cannot listen on 127.0.0.1:{taken}"),
        (["--replay", "/nowhere/tape.jsonl"], "/nowhere/tape.jsonl"),
        (["--dictionary", "/nowhere/dictionary"], "/nowhere/dictionary"),
        (["--record", "/nowhere/record"], "/nowhere/record"),
        (["--start", "yesterday"], "--start yesterday"),
    ],
)
def test_what_cannot_start_says_why_in_one_line(tmp_path: Path, args: list[str], said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = str(listener.getsockname()[1])
        with pytest.raises(SimulatorError, match="exit code 1"):
            process.start([arg.format(taken=taken) for arg in args], log=tmp_path / "log")
    [line] = (tmp_path / "log").read_text().splitlines()
    assert line.startswith("jetstream_simulator: ") and said.format(taken=taken) in line


def test_it_ends_with_the_process_that_started_it() -> None:
    starter = "from jetstream_simulator import start; print(start([]).process.pid, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", starter], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        simulator = psutil.Process(int(owner.stdout.readline()))
        owner.kill()
    with contextlib.suppress(psutil.NoSuchProcess):  # it has ended already
        simulator.wait(20)


def test_an_input_that_cannot_be_waited_for_is_one_line() -> None:
    command = [sys.executable, "-m", "jetstream_simulator", "--port", "0", "--end-with-input"]
    ended = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert line.startswith("jetstream_simulator: --end-with-input: ")


def test_a_client_of_another_making_can_read_it() -> None:
    """A socket and RFC 6455 by hand: what is on the wire needs no library of ours."""
    with process.start(["--events", "5", "--malformed", "0"]) as simulator:
        host, port = simulator.url.removeprefix("ws://").removesuffix("/subscribe").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as client, client.makefile("rb") as file:
            key = base64.b64encode(bytes(16)).decode()
            client.sendall(
                f"GET /subscribe HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            assert b"101" in file.readline()
            while file.readline() != b"\r\n":
                pass
            for _ in range(5):
                opcode, length = file.read(2)
                assert opcode == 0x81, "a whole, unmasked text message"
                length = int.from_bytes(file.read(2), "big") if length == 126 else length
                assert "did" in json.loads(file.read(length))


def test_every_fault_reaches_the_client(tmp_path: Path) -> None:
    with (
        process.start(["--rate", "0", "--events", "3000", "--malformed", "1"]) as simulator,
        connect(simulator.url) as client,
    ):
        lines = receive(client, 3000)
    assert len(malformed.FAULTS) > 20
    for mark in (b"\\ud83d", b"[[[[[[", b"odd did:plc", b'"gossip"', b'"upsert"'):
        assert any(mark in line for line in lines), mark
