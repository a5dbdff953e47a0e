"""What a v2 client sees: ``subscribeEvents``, its dictionary and the archive, over real connections."""

from __future__ import annotations

import http.client
import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as websockets_connect
from websockets.typing import Subprotocol

from jetstream_simulator import generate, process
from jetstream_simulator.errors import SimulatorError
from jetstream_simulator.v2 import message
from tests.support.waiting import until

LINES = list(generate.events(1500, seed=31))
FRAMES = [message.read(line).frame(seq) for seq, line in enumerate(LINES, 1)]


@pytest.fixture(scope="module")
def dictionary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    samples: list[bytes | bytearray | memoryview[int]] = list(FRAMES[:1000])
    path = tmp_path_factory.mktemp("zstd") / "dictionary"
    path.write_bytes(zstandard.train_dictionary(16 * 1024, samples, dict_id=777).as_bytes())
    return path


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory, dictionary: Path) -> Iterator[process.SimulatorProcess]:
    """A v2 host whose recording of LINES has been read once; cursors reach 1,000 events back, the archive all."""
    recording = tmp_path_factory.mktemp("recording") / "recording.jsonl"
    recording.write_bytes(b"".join(line + b"\n" for line in LINES))
    archive = ["--segment-events", "200", "--block-events", "32", "--lookback", "1000"]
    zstd = ["--v2-dictionary", str(dictionary), "--dictionary", str(dictionary)]
    with process.start(["--replay", str(recording), "--v2-host", *archive, *zstd]) as running:
        with connect(running.events_url) as client:
            assert receive(client, len(LINES)) == FRAMES
        yield running


def connect(url: str, **options: Any) -> ClientConnection:
    client: ClientConnection = websockets_connect(url, max_size=2**25, close_timeout=0.2, **options)
    return client


def receive(client: ClientConnection, count: int) -> list[bytes]:
    return [client.recv(timeout=20, decode=False) for _ in range(count)]


def call(
    simulator: process.SimulatorProcess, name: str, body: dict[str, Any] | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a call: a GET, or with a body a POST."""
    connection = http.client.HTTPConnection(simulator.http_url.removeprefix("http://"), timeout=20)
    path = f"/xrpc/network.bsky.jetstream.{name}"
    connection.request(
        "GET" if body is None else "POST", path, None if body is None else json.dumps(body), headers
    )
    response = connection.getresponse()
    answered = response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    connection.close()
    return answered


def called(simulator: process.SimulatorProcess, name: str, body: dict[str, Any] | None = None) -> Any:
    status, headers, answered = call(simulator, name, body)
    assert (status, headers["content-type"]) == (200, "application/json")
    return json.loads(answered)


def refused(url: str, **options: Any) -> tuple[int, dict[str, str]]:
    with pytest.raises(InvalidStatus) as error, connect(url, **options):
        pass
    response = error.value.response
    return response.status_code, json.loads(response.body or b"")


def test_a_seq_cursor_is_inclusive(simulator: process.SimulatorProcess) -> None:
    with connect(f"{simulator.events_url}?cursor=701") as client:
        assert receive(client, 800) == FRAMES[700:]


def test_a_time_cursor_is_inclusive_and_without_notice(simulator: process.SimulatorProcess) -> None:
    cursor = json.loads(LINES[800])["time_us"]
    with connect(f"{simulator.events_url}?cursor={cursor}") as client:
        assert receive(client, 10) == FRAMES[800:810]


def test_too_old_a_time_is_clamped_with_a_notice(simulator: process.SimulatorProcess) -> None:
    with connect(f"{simulator.events_url}?cursor={10**15}") as client:
        notice, *events = receive(client, 5)
    payload = json.loads(notice)["payload"]
    assert (payload["$type"], payload["name"]) == (f"{message.STREAM}#info", "OutdatedCursor")
    assert "501" in payload["message"]
    assert events == FRAMES[500:504]


@pytest.mark.parametrize(
    ("query", "name", "said"),
    [
        ("cursor=500", "CursorTooOld", "501"),
        ("cursor=0", "CursorTooOld", "501"),
        ("cursor=x", "InvalidRequest", "cursor"),
        ("wantedCollections=a.b.c", "InvalidRequest", "collections"),
        ("kinds=likes", "InvalidRequest", "likes"),
        ("zstdDictionary=5", "UnknownZstdDictionary", "777"),
    ],
)
def test_bad_requests_are_xrpc_errors(
    simulator: process.SimulatorProcess, query: str, name: str, said: str
) -> None:
    status, error = refused(f"{simulator.events_url}?{query}")
    assert (status, error["error"]) == (400, name)
    assert said in error["message"]


@pytest.mark.parametrize("query", ["cursor=1501", "cursor=99999999999999999", ""])
def test_a_future_cursor_or_none_is_the_live_tail(simulator: process.SimulatorProcess, query: str) -> None:
    # In a replay a cursor after the last event waits for an event that never comes: no other is sent either.
    with connect(f"{simulator.events_url}?{query}") as client:
        until(lambda: simulator.health()["clients"])
        client.ping().wait(20)
        assert simulator.health()["clients"][0]["sent"] == 0
    until(lambda: not simulator.health()["clients"])


def test_filters(simulator: process.SimulatorProcess) -> None:
    query = "cursor=501&kinds=commit&collections=app.bsky.graph.*"
    expected = [frame for frame in FRAMES[500:] if b'"collection":"app.bsky.graph.' in frame]
    with connect(f"{simulator.events_url}?{query}") as client:
        assert receive(client, len(expected)) == expected
    expected = [frame for frame in FRAMES[500:] if len(frame) <= 400]
    with connect(f"{simulator.events_url}?cursor=501&maxMessageSizeBytes=400") as client:
        assert receive(client, len(expected)) == expected


def test_the_subprotocol_is_chosen_if_offered(simulator: process.SimulatorProcess) -> None:
    offers = [Subprotocol("other"), Subprotocol("xrpc.v1.json")]
    for offered, chosen in ((offers, "xrpc.v1.json"), (offers[:1], None), (None, None)):
        with connect(simulator.events_url, subprotocols=offered) as client:
            assert client.subprotocol == chosen


@pytest.mark.parametrize("data", ['{"type":"options_update","payload":{}}', b"\x00"])
def test_a_client_that_speaks_is_sent_away(simulator: process.SimulatorProcess, data: str | bytes) -> None:
    with connect(simulator.events_url) as client:
        client.send(data)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=20)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008


def test_compression_with_the_dictionary_that_is_served(
    simulator: process.SimulatorProcess, dictionary: Path
) -> None:
    status, headers, data = call(simulator, "getZstdDictionary")
    assert (status, data, headers["etag"]) == (200, dictionary.read_bytes(), '"zstd-dict-777"')
    assert call(simulator, "getZstdDictionary?id=777")[2] == data
    status, _, body = call(simulator, "getZstdDictionary?id=8")
    assert (status, json.loads(body)["error"]) == (404, "DictionaryNotFound")
    decoder = zstandard.ZstdDecompressor(dict_data=zstandard.ZstdCompressionDict(data))
    with connect(f"{simulator.events_url}?cursor={10**15}&zstdDictionary=777", compression="deflate") as client:
        messages = receive(client, 301)
        assert not client.protocol.extensions
    assert b"OutdatedCursor" in decoder.decompress(messages[0])
    assert [decoder.decompress(each) for each in messages[1:]] == FRAMES[500:800]


def test_subscribe_on_a_v2_host_names_the_cursor(simulator: process.SimulatorProcess) -> None:
    for query in ("cursor=1", f"cursor={10**15}"):
        with connect(f"{simulator.url}?{query}") as client:
            events = [json.loads(line) for line in receive(client, 20)]
        assert [event.pop("cursor") for event in events] == list(range(501, 521))
        assert events == [json.loads(line) for line in LINES[500:520]]
    with connect(f"{simulator.url}?cursor=901") as client:
        assert json.loads(client.recv(timeout=20))["cursor"] == 901


@pytest.mark.parametrize(
    ("update", "code"),
    [("no json", 1007), ('{"type":"options_update","payload":{"wantedCollections":["x"]}}', 1008)],
)
def test_invalid_updates_on_a_v2_host(simulator: process.SimulatorProcess, update: str, code: int) -> None:
    with connect(f"{simulator.url}?cursor=99999999999999999") as client:
        client.send(update)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=20)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == code


def test_a_v2_host_has_no_zstd_beside_deflate(simulator: process.SimulatorProcess) -> None:
    with pytest.raises(InvalidStatus), connect(f"{simulator.url}?compress=true", compression="deflate"):
        pass
    with connect(f"{simulator.url}?compress=true&cursor=1", compression=None) as client:
        assert isinstance(client.recv(timeout=20), bytes)


def test_segments_are_listed_in_pages(simulator: process.SimulatorProcess) -> None:
    names, cursor = [], ""
    while True:
        page = called(simulator, f"listSegments?limit=3&cursor={cursor}")
        names += [segment["name"] for segment in page["segments"]]
        cursor = page.get("cursor", "")
        if not cursor:
            break
    assert names == [f"seg_{i:010x}.jss" for i in range(7)]
    first = called(simulator, "listSegments?limit=1")["segments"][0]
    status, headers, data = call(simulator, f"getSegment?name={first['name']}")
    assert (status, headers["etag"], len(data)) == (200, f'"{first["checksum"]}"', first["sizeBytes"])
    assert (first["minSeq"], first["maxSeq"], first["eventCount"]) == (1, 200, 200)
    times = [json.loads(line)["time_us"] for line in LINES[:200]]
    assert (first["minWitnessedAt"], first["maxWitnessedAt"]) == (min(times), max(times))


def test_a_gap_is_filled_from_plan_and_blocks(simulator: process.SimulatorProcess) -> None:
    plan = called(simulator, "planSnapshot", {"afterSeq": 150, "beforeSeq": 460})
    assert (plan["plannedThroughSeq"], plan["sealedTipSeq"]) == (460, 460)
    seqs: list[int] = []
    for segment in plan["segments"]:
        ranges = segment.get("blocks", [{"first": 0, "last": 6}])
        assert (segment["mode"] == "segment") == ("blocks" not in segment)
        for block in (b for r in ranges for b in range(r["first"], r["last"] + 1)):
            status, headers, frame = call(simulator, f"getBlock?segment={segment['name']}&blockIndex={block}")
            assert (status, headers["etag"]) == (200, f'"{segment["checksum"]}:{block}"')
            body = zstandard.ZstdDecompressor().decompress(frame)
            count = int.from_bytes(body[:4], "little")
            seqs += [int.from_bytes(body[4 + 8 * i : 12 + 8 * i], "little") for i in range(count)]
    assert seqs == sorted(seqs)
    assert set(range(151, 461)) <= set(seqs)


def test_a_plan_takes_large_filters_and_a_go_ahead(simulator: process.SimulatorProcess) -> None:
    dids = [f"did:plc:{i:024}" for i in range(9999)]
    wanted = {"dids": [*dids, json.loads(LINES[10])["did"]], "kinds": ["commit", "identity", "account"]}
    assert called(simulator, "planSnapshot", wanted)["stats"]["blocksMatched"] >= 1
    nobody = called(simulator, "planSnapshot", {"dids": dids})
    assert (nobody["segments"], nobody["plannedThroughSeq"], nobody["sealedTipSeq"]) == ([], 1400, 1400)
    host, port = simulator.http_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as client:
        head = b"POST /xrpc/network.bsky.jetstream.planSnapshot HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
        client.sendall(head + b"Content-Length: 2\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"{}")
        assert client.recv(15) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    ("name", "body", "status", "error"),
    [
        ("getSegment?name=seg_00000000ff.jss", None, 404, "SegmentNotFound"),
        ("getSegment", None, 400, "InvalidRequest"),
        ("getBlock?segment=seg_0000000007.jss&blockIndex=0", None, 404, "SegmentNotFound"),
        ("getBlock?segment=seg_0000000000.jss&blockIndex=7", None, 404, "BlockNotFound"),
        ("getBlock?segment=seg_0000000000.jss&blockIndex=x", None, 400, "InvalidRequest"),
        ("listSegments?limit=0", None, 400, "InvalidRequest"),
        ("planSnapshot", None, 405, "InvalidRequest"),
        ("planSnapshot", {"afterSeq": 9, "beforeSeq": 9}, 400, "InvalidRequest"),
        ("planSnapshot", {"kinds": ["sync"], "collections": ["a.b.c"]}, 400, "InvalidRequest"),
        ("planSnapshot", {"dids": "did:plc:x"}, 400, "InvalidRequest"),
        ("somethingElse", None, 501, "MethodNotImplemented"),
    ],
)
def test_calls_that_fail(
    simulator: process.SimulatorProcess, name: str, body: dict[str, Any] | None, status: int, error: str
) -> None:
    answered, _, text = call(simulator, name, body)
    assert (answered, json.loads(text)["error"]) == (status, error)


def test_a_slow_client_gets_an_error_frame() -> None:
    args = ["--rate", "30000", "--outbox", "200", "--retention", "30000"]
    with process.start(args) as simulator, connect(simulator.events_url) as client:
        receive(client, 1)
        until(lambda: not simulator.health()["clients"])
        last = b""
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                last = client.recv(timeout=20, decode=False)
    error = json.loads(last)
    assert (error["$type"], error["error"]) == ("error", "ConsumerTooSlow")
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008


def test_start_and_end(tmp_path: Path) -> None:
    args = ["--rate", "5000", "--warm-up", "1", "--sync", "0.05", "--first-seq", "7000"]
    with process.start(args) as simulator:
        for url in (simulator.events_url, simulator.url):
            with pytest.raises(InvalidStatus) as early, connect(url):
                pass
            assert early.value.response.status_code == 503
        assert call(simulator, "listSegments")[0] == 503
        until(lambda: call(simulator, "listSegments")[0] == 200)
        with connect(f"{simulator.events_url}?cursor=7000") as client, connect(f"{simulator.url}?cursor=1") as v1:
            payloads = [json.loads(frame)["payload"] for frame in receive(client, 500)]
            assert {json.loads(line)["kind"] for line in receive(v1, 500)} <= {"commit", "identity", "account"}
            simulator.process.terminate()
            with pytest.raises(ConnectionClosed) as closed:
                receive(client, 1_000_000)
        assert simulator.process.wait(10) == 0
    assert [payload["seq"] for payload in payloads] == list(range(7000, 7500))
    assert any(payload["$type"].endswith("#sync") for payload in payloads)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1001


def test_a_client_that_vanishes_leaves_no_trace(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with process.start(["--rate", "0"], log=log) as simulator:
        for url in (simulator.events_url, simulator.url):
            with connect(url) as client:
                receive(client, 10)
                until(lambda: simulator.health()["clients"][0]["behind"] > 8192)
                # A reset, while the server waits to write.
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.socket.close()
            until(lambda: not simulator.health()["clients"])
    assert "Traceback" not in log.read_text()


def test_a_dictionary_without_id_is_refused(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(b"no dictionary" * 9)
    with pytest.raises(SimulatorError, match="exit code 1"):
        process.start(["--v2-dictionary", str(tmp_path / "raw")], log=tmp_path / "log")
    [line] = (tmp_path / "log").read_text().splitlines()
    assert line.startswith("jetstream_simulator: dictionary") and "id" in line
