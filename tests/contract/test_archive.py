"""The archive's client against the format: it reads what a server writes, and trusts no server with a length."""

from __future__ import annotations

import contextlib
import json
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import libipld
import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from firehose.backfill import client as clients
from firehose.backfill import http, segment
from firehose.backfill.archive_range import range_of
from firehose.backfill.client import ArchiveClient, Listed
from firehose.backfill.events import event_of
from firehose.backfill.format import Row
from firehose.errors import CorruptArchive, FirehoseError, ServiceUnavailable
from firehose.events.rebuild import record_cid
from firehose.jetstream import host_of
from ingester.contract import wire
from jetstream_simulator import generate
from jetstream_simulator.v2 import layout
from jetstream_simulator.v2 import segment as written
from jetstream_simulator.v2.rows import row
from tests.integration.backfill.world import Proxy

LINES = list(generate.events(200, seed=13))
WRITTEN = [made for number, line in enumerate(LINES, 1) if (made := row(line, number))]
BLOCKS = [written.Block(WRITTEN[at : at + 30], at + 1, at + 30) for at in range(0, len(WRITTEN), 30)]
FILE = written.build(BLOCKS)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def test_a_segment_is_read_as_it_was_written() -> None:
    header = segment.read_header("x", FILE.data[: segment.HEADER_BYTES])
    assert header.checksum == FILE.checksum
    blocks = segment.read_index("x", header, FILE.data[header.footer_at :])
    read: list[Row] = []
    for block in blocks:
        frame = FILE.data[block.at : block.at + block.stored]
        part = list(segment.rows("x", segment.decompress("x", frame)))
        assert (min(one.witnessed_us for one in part), max(one.witnessed_us for one in part)) == (
            block.min_us,
            block.max_us,
        )
        read += part
    assert [tuple(one) for one in read] == [tuple(one) for one in WRITTEN]


def test_a_row_is_the_event_that_the_stream_sent() -> None:
    for line, archived in zip(LINES, WRITTEN, strict=True):
        event = event_of(Row(*archived))
        sent = json.loads(line)
        assert json.loads(event.line) == sent
        assert event.time_us == sent["time_us"]
        assert event.queue == wire.KIND_QUEUES.get(
            sent["kind"], wire.COLLECTION_QUEUES.get(sent.get("commit", {}).get("collection"), wire.OTHER)
        )


def test_a_sync_event_keeps_its_bytes() -> None:
    part = {"blocks": b"\x01\x02\x03", "did": "did:plc:a", "rev": "r", "seq": 7, "time": "t"}
    event = event_of(Row(9, 5, 6, b"", b"did:plc:a", b"", b"", libipld.encode_dag_cbor(part)))
    assert event.queue == wire.OTHER
    assert json.loads(event.line) == {
        "did": "did:plc:a",
        "time_us": 5,
        "kind": "sync",
        "sync": part | {"blocks": {"$bytes": "AQID"}},
    }


@given(st.dictionaries(st.text(), JSON, max_size=5))
@settings(max_examples=200)
def test_any_record_comes_with_the_cid_of_its_bytes(record: dict[str, Any]) -> None:
    payload = libipld.encode_dag_cbor(record)
    event = json.loads(event_of(Row(1, 5, 1, b"a.b.c", b"did:plc:a", b"k", b"r", payload)).line)
    assert event["commit"]["record"] == record
    if not any(key in json.dumps(record) for key in ('"$link"', '"$bytes"')):
        assert event["commit"]["cid"] == record_cid(record)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": 9},
        {"did": b"\xff"},
        {"payload": b""},
        {"payload": b"\x01"},
        {"payload": b"\xa1aa" + b"\x81" * 5000 + b"\x01"},
        {
            "payload": b"\xa1aa\x58\x24"
            + bytes(libipld.decode_multibase("bafkreieajxclqzwk2mczx7hxmoboqpuiveqlbm35gsda5xlaqfmlryu4ri")[1])
        },
    ],
)
def test_a_row_that_is_no_event_is_a_dead_letter(change: dict[str, Any]) -> None:
    plain = Row(1, 5, 1, b"a.b.c", b"did:plc:a", b"k", b"r", b"\xa0")
    assert json.loads(event_of(plain).line)["kind"] == "commit"
    event = event_of(plain._replace(**change))
    assert (event.queue, json.loads(event.line)["kind"]) == (wire.OTHER, wire.DEAD_LETTER_KIND)


@given(st.integers(0, len(FILE.data) - 1), st.integers(1, 255))
@settings(max_examples=300)
def test_no_changed_byte_goes_unnoticed(at: int, flip: int) -> None:
    data = bytearray(FILE.data)
    data[at] ^= flip
    in_a_length, read = False, []
    try:
        header = segment.read_header("x", bytes(data[: segment.HEADER_BYTES]))
        if header.checksum != FILE.checksum:
            raise CorruptArchive("as a backfill compares it with the plan")
        blocks = segment.read_index("x", header, bytes(data[header.footer_at :]))
        in_a_length = any(block.at - 8 <= at < block.at for block in blocks)
        for block in blocks:
            frame = bytes(data[block.at : block.at + block.stored])
            read += list(segment.rows("x", segment.decompress("x", frame), block))
    except CorruptArchive:
        return
    # The lengths before the blocks are repeated in the index: nobody reads them here. A bit that changes nothing
    # of what a frame decompresses to is no damage.
    assert in_a_length or list(map(tuple, read)) == list(map(tuple, WRITTEN))


def _body(rows: list[Row]) -> bytes:
    return written.body([layout.Row(*row) for row in rows])


ONE = Row(1, 5, 3, b"a.b.c", b"d", b"k", b"r", b"")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xff\xff\xff",
        b"\xff\xff\xff\x7f" + bytes(100),
        _body([ONE])[:-1],
        _body([ONE]) + b"x",
        _body([ONE, ONE]),
        _body([ONE._replace(seq=2), ONE]),
    ],
)
def test_columns_that_do_not_fit_are_refused(body: bytes) -> None:
    with pytest.raises(CorruptArchive, match=r"^x: "):
        segment.rows("x", body)


def _unsized(data: bytes) -> bytes:
    compressor = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return compressor.compress(data) + compressor.flush()


@pytest.mark.parametrize("compress", [zstandard.compress, _unsized], ids=["sized", "unsized"])
def test_a_bomb_is_refused(compress: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment, "MOST_BLOCK_BYTES", 1 << 20)
    assert segment.decompress("x", compress(bytes(1 << 20))) == bytes(1 << 20)
    with pytest.raises(CorruptArchive, match="1048576"):
        segment.decompress("x", compress(bytes((1 << 20) + 1)))
    with pytest.raises(CorruptArchive):
        segment.decompress("x", compress(b"abc") + b"more")
    with pytest.raises(CorruptArchive):
        segment.decompress("x", compress(bytes(range(256)) * 9)[:-3])


def test_a_footer_that_points_elsewhere_is_refused() -> None:
    with pytest.raises(CorruptArchive, match="not a segment"):
        segment.read_header("x", b"jss1" + FILE.data[4:256])
    with pytest.raises(CorruptArchive, match="version 2"):
        segment.read_header("x", FILE.data[:12] + struct.pack("<H", 2) + FILE.data[14:256])


@pytest.fixture
def hostile() -> Iterator[Callable[..., ArchiveClient]]:
    """A client of a host whose every answer is this body."""
    proxies: list[Proxy] = []

    def start(body: bytes) -> ArchiveClient:
        proxy = Proxy("http://127.0.0.1:9", lambda path, _: body, ask=False)
        proxies.append(proxy.__enter__())
        return ArchiveClient(host_of(proxy.url), sleep=lambda _: None)

    yield start
    for proxy in proxies:
        proxy.__exit__(None, None, None)


def _listed(**fields: Any) -> dict[str, Any]:
    given_fields = {
        "name": "seg_0000000000.jss",
        "index": 0,
        "sizeBytes": 9,
        "checksum": "0" * 16,
        "eventCount": 1,
    }
    return given_fields | {"minSeq": 1, "maxSeq": 9, "minWitnessedAt": 5, "maxWitnessedAt": 9} | fields


def test_lists_and_plans_without_end_are_refused(hostile: Callable[..., ArchiveClient]) -> None:
    listing = hostile(json.dumps({"segments": [_listed()], "cursor": "1"}).encode())
    with pytest.raises(CorruptArchive, match="does not end"):
        listing.segments()
    short = hostile(b'{"plannedThroughSeq":8,"sealedTipSeq":8,"segments":[]}')
    with pytest.raises(CorruptArchive, match="plan ends at 8, although 9 is sealed"):
        list(short.plan([], [], 0, 9))
    plan = hostile(b'{"plannedThroughSeq":3,"sealedTipSeq":9,"segments":[]}')
    with pytest.raises(CorruptArchive, match="does not end"):
        list(plan.plan([], [], 0, 9))


@pytest.mark.parametrize("name", ["../../etc/passwd", "a?b=c", ""])
def test_names_that_are_no_names_are_refused(hostile: Callable[..., ArchiveClient], name: str) -> None:
    with pytest.raises(CorruptArchive, match="lexicon"):
        hostile(json.dumps({"segments": [_listed(name=name)]}).encode()).segments()


def test_answers_that_are_too_long_or_short_are_refused(
    hostile: Callable[..., ArchiveClient], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(clients, "MOST_BLOCK_BYTES", 100)
    with pytest.raises(CorruptArchive, match="over 100 bytes"):
        hostile(bytes(101)).block("seg", 0, "")
    with (tmp_path / "file").open("w+b") as file:
        for size in (8, 10):
            with pytest.raises(CorruptArchive, match=f"{size} bytes"):
                hostile(bytes(9)).download(msgspec.convert(_listed(sizeBytes=size), Listed), file)
        hostile(bytes(9)).download(msgspec.convert(_listed(), Listed), file)
        assert file.tell() == 9
        with pytest.raises(CorruptArchive, match="allowed"):
            hostile(b"").download(msgspec.convert(_listed(sizeBytes=1 << 50), Listed), file)


HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 99999\r\n\r\n"


@pytest.mark.parametrize("head", [HEAD, HEAD[:20]], ids=["a body", "a head"])
def test_a_host_that_drips_is_cut_off(monkeypatch: pytest.MonkeyPatch, head: bytes) -> None:
    monkeypatch.setattr(http, "TIMEOUT_S", 0.6)
    cut = threading.Event()

    class Drip(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(head)
            with contextlib.suppress(OSError):
                while not cut.wait(0.1):  # never silent for as long as the socket's timeout
                    self.request.sendall(b"x")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Drip) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        slow = ArchiveClient(host_of(f"http://127.0.0.1:{server.server_address[1]}"), sleep=lambda _: None)
        began = time.monotonic()
        with pytest.raises(ServiceUnavailable, match="does not answer"):
            slow.block("seg", 0, "")
        assert time.monotonic() - began < 10
        cut.set()
        server.shutdown()


def test_a_download_that_breaks_off_is_tried_again(tmp_path: Path) -> None:
    asked: list[bytes] = []

    class Breaking(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked.append(self.rfile.readline())
            while self.rfile.readline().strip():
                pass
            whole = b"a segment"
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(whole)
            self.wfile.write(answer + whole[: 3 * len(asked)])

    with (
        socketserver.ThreadingTCPServer(("127.0.0.1", 0), Breaking) as server,
        (tmp_path / "x").open("w+b") as file,
    ):
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        client = ArchiveClient(host_of(f"http://127.0.0.1:{server.server_address[1]}"), sleep=lambda _: None)
        client.download(msgspec.convert(_listed(), Listed), file)
        file.seek(0)
        assert (file.read(), len(asked), client.budget.spent) == (b"a segment", 3, 3 + 6 + 9)
        server.shutdown()


def _at(index: int, low: int, high: int, events: int = 1) -> Listed:
    fields = {"index": index, "name": f"s{index}", "minSeq": 10 * index + 1, "maxSeq": 10 * index + 10}
    return msgspec.convert(_listed(**fields, minWitnessedAt=low, maxWitnessedAt=high, eventCount=events), Listed)


@pytest.mark.parametrize(
    ("listed", "names", "covered", "missing"),
    [
        ([_at(0, 0, 90), _at(1, 100, 190), _at(2, 200, 290)], ["s1"], (110, 180), ""),
        ([_at(0, 0, 120), _at(1, 90, 190), _at(2, 150, 290)], ["s0", "s1", "s2"], (110, 180), ""),
        ([_at(0, 0, 150)], ["s0"], (110, 150), "sealed only up to"),
        ([_at(3, 130, 190), _at(4, 190, 290)], ["s3"], (130, 180), "the archive begins at"),
        ([_at(0, 0, 90), _at(2, 140, 290)], ["s2"], (140, 180), "the archive begins at"),
        ([_at(0, 0, 190), _at(2, 190, 290)], ["s0"], (110, 180), ""),
        ([_at(0, 0, 90), _at(1, 0, 0, events=0), _at(2, 100, 290)], ["s2"], (110, 180), ""),
        ([], [], (110, 110), "still empty"),
        ([_at(0, 0, 100)], [], (110, 110), "sealed only up to"),
        ([_at(0, 190, 290)], [], (110, 110), "the archive begins at"),
    ],
)
def test_the_part_of_a_gap_that_an_archive_can_answer_for(
    listed: list[Listed], names: list[str], covered: tuple[int, int], missing: str
) -> None:
    span = range_of(listed, 110, 180)
    assert sorted(span.segments) == names
    assert (span.from_us, span.to_us) == covered
    assert (missing in span.missing) if missing else (span.missing == "")
    if names:
        numbers = [int(name[1:]) for name in names]
        assert (span.after, span.before) == (10 * min(numbers), 10 * max(numbers) + 10)


@pytest.mark.parametrize(
    ("url", "base", "v2"),
    [
        ("wss://a.example/subscribe", "https://a.example", False),
        (
            "ws://u:p@a.example:81/x/xrpc/network.bsky.jetstream.subscribeEvents?kinds=commit",
            "http://a.example:81/x",
            True,
        ),
        ("https://a.example", "https://a.example", False),
    ],
)
def test_a_hosts_calls_are_found_from_its_stream(url: str, base: str, v2: bool) -> None:
    host = host_of(url)
    assert (host.base, host.v2) == (base, v2)
    assert "u:p" not in host.name + host.base


@pytest.mark.parametrize("url", ["", "a.example", "ftp://a.example", "ws://[::1", "ws://a.example:x/subscribe"])
def test_what_is_no_host_is_refused(url: str) -> None:
    with pytest.raises(FirehoseError, match="is not a Jetstream host"):
        host_of(url)


def test_a_block_of_another_state_of_its_segment_is_refused() -> None:
    class Tagged(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(b'HTTP/1.1 200 OK\r\nETag: "00000000000000ff:7"\r\nContent-Length: 1\r\n\r\nx')

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tagged) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        tagged = ArchiveClient(host_of(f"http://127.0.0.1:{server.server_address[1]}"), sleep=lambda _: None)
        assert tagged.block("seg", 7, "00000000000000ff") == b"x"
        for index, checksum in ((7, "00000000000000fe"), (8, "00000000000000ff")):
            with pytest.raises(CorruptArchive, match=f"not {checksum}:{index}: the archive changed"):
                tagged.block("seg", index, checksum)
        server.shutdown()
