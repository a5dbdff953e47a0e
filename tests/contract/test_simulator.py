"""What a client sees of ``/subscribe``: everything that v1 promises, over real connections to a real process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as websockets_connect

from jetstream_simulator import generate, process
from tests.support.waiting import until

LINES = list(generate.events(1500, seed=11))
OLDEST = "cursor=1"


@pytest.fixture(scope="module")
def dictionary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    samples: list[bytes | bytearray | memoryview[int]] = list(LINES[:1000])
    path = tmp_path_factory.mktemp("zstd") / "dictionary"
    path.write_bytes(zstandard.train_dictionary(16 * 1024, samples).as_bytes())
    return path


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory, dictionary: Path) -> Iterator[process.SimulatorProcess]:
    """A replay of LINES that has been read once: a client with an old cursor gets all of them at once."""
    recording = tmp_path_factory.mktemp("recording") / "recording.jsonl"
    recording.write_bytes(b"".join(line + b"\n" for line in LINES))
    with process.start(["--replay", str(recording), "--dictionary", str(dictionary)]) as running:
        with connect(running.url) as client:
            receive(client, len(LINES))
        yield running


def connect(url: str, **header: str) -> ClientConnection:
    # A client that leaves without having read everything would wait ten seconds for the answer to its close.
    return websockets_connect(url, additional_headers=header, max_size=2**25, close_timeout=0.2)


def receive(client: ClientConnection, count: int) -> list[bytes]:
    return [client.recv(timeout=20, decode=False) for _ in range(count)]


def subscribe(simulator: process.SimulatorProcess, query: str, count: int, **header: str) -> list[bytes]:
    with connect(f"{simulator.url}?{query}", **header) as client:
        return receive(client, count)


def test_text_frames_byte_for_byte_in_order(simulator: process.SimulatorProcess) -> None:
    assert subscribe(simulator, OLDEST, len(LINES)) == LINES
    with connect(f"{simulator.url}?{OLDEST}") as client:
        assert isinstance(client.recv(timeout=20), str)


def test_cursor_is_inclusive(simulator: process.SimulatorProcess) -> None:
    cursor = json.loads(LINES[700])["time_us"]
    assert subscribe(simulator, f"cursor={cursor}", 10) == LINES[700:710]
    assert subscribe(simulator, f"cursor={cursor + 1}", 10) == LINES[701:711]


@pytest.mark.parametrize("query", ["cursor=99999999999999999", ""])
def test_a_future_cursor_or_none_is_the_live_tail(simulator: process.SimulatorProcess, query: str) -> None:
    with connect(f"{simulator.url}?{query}"):
        until(lambda: simulator.health()["clients"])
        assert simulator.health()["clients"] == [{"sent": 0, "behind": 0, "live": True}]
    until(lambda: not simulator.health()["clients"])


@pytest.mark.parametrize(
    "query",
    [
        "cursor=now",
        "wantedCollections=nonsense",
        "&".join(f"wantedCollections=a.b.c{i}" for i in range(101)),
        "wantedDids=nobody",
    ],
)
def test_bad_requests_are_refused_in_the_handshake(simulator: process.SimulatorProcess, query: str) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(f"{simulator.url}?{query}"):
        pass
    assert refused.value.response.status_code == 400
    assert b"invalid" in (refused.value.response.body or b"")


def test_other_paths_are_not_there(simulator: process.SimulatorProcess) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(simulator.url.replace("/subscribe", "/other")):
        pass
    assert refused.value.response.status_code == 404


def test_wanted_collections_leave_identity_and_account(simulator: process.SimulatorProcess) -> None:
    expected = [line for line in LINES if b'"kind":"commit"' not in line or b"app.bsky.graph." in line[:260]]
    assert {json.loads(line)["kind"] for line in expected} == {"commit", "identity", "account"}
    query = f"{OLDEST}&wantedCollections=app.bsky.graph.*"
    assert subscribe(simulator, query, len(expected)) == expected


def test_wanted_dids_apply_to_every_kind(simulator: process.SimulatorProcess) -> None:
    by_kind = {json.loads(line)["kind"]: json.loads(line)["did"] for line in LINES}
    dids = sorted(set(by_kind.values()))
    expected = [line for line in LINES if json.loads(line)["did"] in dids]
    query = "&".join([OLDEST, *(f"wantedDids={did}" for did in dids)])
    assert subscribe(simulator, query, len(expected)) == expected
    assert len({json.loads(line)["kind"] for line in expected}) == 3


def test_larger_messages_are_skipped(simulator: process.SimulatorProcess) -> None:
    expected = [line for line in LINES if len(line) <= 300]
    assert subscribe(simulator, f"{OLDEST}&maxMessageSizeBytes=300", len(expected)) == expected
    assert subscribe(simulator, f"{OLDEST}&maxMessageSizeBytes=big", 50) == LINES[:50]


@pytest.mark.parametrize(("query", "header"), [("&compress=true", {}), ("", {"Socket-Encoding": "zstd"})])
def test_compressed_messages_are_binary_and_need_the_dictionary(
    simulator: process.SimulatorProcess, dictionary: Path, query: str, header: dict[str, str]
) -> None:
    decoder = zstandard.ZstdDecompressor(dict_data=zstandard.ZstdCompressionDict(dictionary.read_bytes()))
    messages = subscribe(simulator, OLDEST + query, 500, **header)
    assert [decoder.decompress(message) for message in messages] == LINES[:500]
    with connect(f"{simulator.url}?{OLDEST}{query}", **header) as client:
        assert isinstance(client.recv(timeout=20), bytes)


UPDATE = {"type": "options_update", "payload": {"wantedCollections": ["app.bsky.graph.follow"]}}


def test_hello_is_waited_for_and_its_filter_used(simulator: process.SimulatorProcess) -> None:
    with connect(f"{simulator.url}?{OLDEST}&requireHello=true") as client:
        client.send(json.dumps({"type": "something else"}))
        client.ping().wait(20)  # the message before it has been handled, and nothing was sent
        assert simulator.health()["clients"] == []
        client.send(json.dumps(UPDATE))
        received = [json.loads(line) for line in receive(client, 50)]
    assert {event["commit"]["collection"] for event in received if "commit" in event} == {"app.bsky.graph.follow"}


@pytest.mark.parametrize(
    "message",
    [
        "no json",
        json.dumps({"type": "options_update", "payload": {"wantedCollections": "x"}}),
        json.dumps({"type": "options_update", "payload": {"wantedDids": [f"did:plc:{i}" for i in range(10_001)]}}),
    ],
)
def test_invalid_updates_close_with_a_reason(simulator: process.SimulatorProcess, message: str) -> None:
    with connect(f"{simulator.url}?cursor=99999999999999999") as client:
        client.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=20)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1000
    assert closed.value.rcvd.reason


def test_clients_do_not_disturb_each_other(simulator: process.SimulatorProcess) -> None:
    with connect(f"{simulator.url}?{OLDEST}") as one, connect(f"{simulator.url}?{OLDEST}") as two:
        for line in LINES[:300]:
            assert one.recv(timeout=20, decode=False) == two.recv(timeout=20, decode=False) == line


def test_health_tells_where_the_tape_is(simulator: process.SimulatorProcess) -> None:
    state = simulator.health()
    assert (state["status"], state["done"], state["events"]) == ("ok", True, len(LINES))
    assert state["oldest_time_us"] == json.loads(LINES[0])["time_us"]
    assert state["newest_time_us"] == json.loads(LINES[-1])["time_us"]
