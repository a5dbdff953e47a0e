"""ClickHouse's own block compression, as the Java and Rust clients, clickhouse-go and others use it."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import httpx
import lz4.block  # type: ignore[import-untyped]  # it has neither stubs nor py.typed
import pytest
from backports import zstd
from clickhouse_cityhash.cityhash import CityHash128  # type: ignore[import-untyped]  # likewise

from clickhouse_http import EndpointProcess

MIB = 1024 * 1024
METHODS: dict[int, Callable[[bytes], bytes]] = {
    0x82: lambda data: bytes(lz4.block.compress(data, store_size=False)),
    0x90: zstd.compress,
    0x02: lambda data: data,
}


def block(data: bytes, method: int = 0x82, *, size: int | None = None, packed: bytes | None = None) -> bytes:
    """One block as a client sends it; ``size``, ``packed``: other than they should be."""
    packed = METHODS[method](data) if packed is None else packed
    body = struct.pack("<BII", method, len(packed) + 9, len(data) if size is None else size) + packed
    return checksum(body) + body


def checksum(data: bytes) -> bytes:
    """Two halves of 64 bits, each with its least byte first."""
    high, low = divmod(int(CityHash128(data)), 1 << 64)
    return struct.pack("<QQ", high, low)


def unpacked(body: bytes) -> bytes:
    """As the Java client reads it: the whole of each header, the checksum, the method by its byte."""
    plain = b""
    while body:
        expected, method, packed_size, size = body[:16], *struct.unpack("<BII", body[16:25])
        packed, rest = body[25 : 16 + packed_size], body[16 + packed_size :]
        assert checksum(body[16 : 16 + packed_size]) == expected
        assert method == 0x82
        assert size <= 2 * MIB
        plain += lz4.block.decompress(packed, uncompressed_size=size)
        body = rest
    return plain


@pytest.mark.parametrize("form", ["RowBinaryWithNamesAndTypes", "JSON", "Native"])
@pytest.mark.parametrize("wait", ["0", "1"])
def test_an_answer_in_blocks(analyst: httpx.Client, form: str, wait: str) -> None:
    query = "SELECT number, toString(number) AS s FROM numbers(200000) SETTINGS output_format_write_statistics = 0"
    parameters = {"default_format": form, "wait_end_of_query": wait, "max_threads": "1"}
    plain = analyst.post("/", params=parameters, content=query)
    packed = analyst.post("/", params={**parameters, "compress": "1"}, content=query)
    assert packed.headers["x-clickhouse-format"] == form
    assert "content-encoding" not in packed.headers
    assert len(packed.content) < len(plain.content)
    assert unpacked(packed.content) == plain.content


def test_an_empty_answer_and_one_in_both_compressions(analyst: httpx.Client) -> None:
    nothing = analyst.post("/", params={"compress": "1"}, content="SELECT 1 WHERE 0")
    assert (nothing.status_code, nothing.content) == (200, b"")
    parameters = {"compress": "1", "enable_http_compression": "1"}
    both = analyst.post("/", params=parameters, content="SELECT 42", headers={"Accept-Encoding": "gzip"})
    assert both.headers["content-encoding"] == "gzip"
    assert unpacked(both.content) == b"42\n"


def test_errors_in_blocks(analyst: httpx.Client) -> None:
    """The clients unpack what comes with these statuses, and take what comes with 403 as it is."""
    early = analyst.post("/", params={"compress": "1"}, content="SELECT nope")
    assert (early.status_code, early.headers["x-clickhouse-exception-code"]) == (404, "47")
    assert unpacked(early.content).startswith(b"Code: 47. DB::Exception: ")
    refused = httpx.post(str(analyst.base_url), params={"compress": "1", "user": "x"}, content="SELECT 1")
    assert refused.status_code == 403
    assert refused.text.startswith("Code: 516.")


def test_a_late_error_in_blocks(analyst: httpx.Client) -> None:
    """The Java client looks for the marker with the line end before it in what it has unpacked."""
    query = "SELECT throwIf(number = 199999) FROM numbers(200000) SETTINGS max_block_size = 1000"
    received = b""
    with analyst.stream("POST", "/", params={"compress": "1"}, content=query) as response:
        with pytest.raises(httpx.RemoteProtocolError):
            for piece in response.iter_raw():
                received += piece
        tag = response.headers["x-clickhouse-exception-tag"]
    text = unpacked(received).decode()
    _, _, late = text.partition(f"\r\n__exception__\r\n{tag}\r\n")
    message, _, end = late.rpartition("\n" + str(len(late.partition(f" {tag}")[0].rpartition("\n")[0]) + 1))
    assert message.startswith("Code: 395.")
    assert end == f" {tag}\r\n__exception__\r\n"


@pytest.mark.parametrize("method", METHODS)
def test_a_body_in_blocks(loader: httpx.Client, method: int) -> None:
    sent = block(b"SELECT ", method) + block(b"42", method) + block(b"", 0x02)
    for answer in (
        loader.post("/", params={"decompress": "1"}, content=sent),
        loader.post("/", params={"decompress": "1", "query": "SELECT 40"}, content=block(b"+ 2", method)),
    ):
        assert answer.text.strip() == "42", answer.text


def test_an_insert_as_the_java_client_sends_it(loader: httpx.Client) -> None:
    """Statement and rows in one stream, cut into blocks of 64 KiB anywhere."""
    loader.post("/", content="CREATE TABLE firehose.packed (n UInt64, s String) ENGINE = MergeTree ORDER BY n")
    rows = b"INSERT INTO firehose.packed FORMAT TSV\n" + b"".join(
        b"%d\t%s\n" % (n, b"x" * 50) for n in range(20_000)
    )
    sent = b"".join(block(rows[at : at + 65536]) for at in range(0, len(rows), 65536))
    done = loader.post("/", params={"decompress": "1", "compress": "1"}, content=sent)
    assert done.status_code == 200, unpacked(done.content)
    assert '"written_rows": "20000"' in done.headers["x-clickhouse-summary"]
    assert loader.post("/", content="SELECT count(), max(n) FROM firehose.packed").text == "20000\t19999\n"
    loader.post("/", content="DROP TABLE firehose.packed")


def java(client: httpx.Client, query: bytes) -> httpx.Response:
    return client.post(
        "/",
        params={"compress": "1", "decompress": "1"},
        headers={"X-ClickHouse-Format": "RowBinaryWithNamesAndTypes", "X-ClickHouse-Database": "firehose"},
        content=block(query),
    )


def test_the_hello_of_the_java_client_and_of_jdbc(analyst: httpx.Client) -> None:
    query = b"SELECT currentUser() AS user, timezone() AS timezone, version() AS version LIMIT 1"
    answer = java(analyst, query)
    assert answer.headers["x-clickhouse-format"] == "RowBinaryWithNamesAndTypes"
    assert int(json.loads(answer.headers["x-clickhouse-summary"])["result_rows"]) == 1
    assert answer.headers["x-clickhouse-timezone"] == "UTC"
    plain = unpacked(answer.content)
    assert plain.startswith(b"\x03\x04user\x08timezone\x07version\x06String\x06String\x06String")
    assert b"\x03UTC" in plain
    failed = java(analyst, b"SELECT * FROM nope")
    assert failed.headers["x-clickhouse-exception-code"] == "60"
    assert b"Code: 60. DB::Exception:" in unpacked(failed.content)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_query_of_the_rust_client(loader: httpx.Client, analyst: httpx.Client, method: str) -> None:
    """A short one comes by GET, a long one by POST with ``readonly``."""
    query = "SELECT id, name FROM events WHERE id < 2 ORDER BY id FORMAT RowBinary"
    asked = {"database": "firehose", "compress": "1"}
    for user in (loader, analyst):
        if method == "GET":
            answer = user.get("/", params={**asked, "query": query}, headers={"Content-Length": "0"})
        else:
            answer = user.post("/", params={**asked, "readonly": "1"}, content=query)
        assert answer.status_code == 200, unpacked(answer.content)
        assert unpacked(answer.content) == b"\x00" * 8 + b"\x010" + b"\x01" + b"\x00" * 7 + b"\x011"


def test_an_insert_of_the_rust_client(loader: httpx.Client) -> None:
    """The statement in the URL, the rows as they come, in blocks."""
    loader.post("/", content="CREATE TABLE firehose.rust (n UInt32) ENGINE = MergeTree ORDER BY n")
    asked = {"query": "INSERT INTO firehose.rust(n) FORMAT RowBinary", "decompress": "1"}
    pieces = (block(struct.pack("<1000I", *range(at, at + 1000))) for at in range(0, 10_000, 1000))
    assert loader.post("/", params=asked, content=pieces).status_code == 200
    broken = (piece for piece in (block(b"\x01\x00\x00\x00"), block(b"\x02\x00\x00\x00")[:-1]))
    failed = loader.post("/", params=asked, content=broken)
    assert failed.headers["x-clickhouse-exception-code"] == "33"
    assert loader.post("/", content="SELECT count(), max(n) FROM firehose.rust").text == "10000\t9999\n"
    loader.post("/", content="DROP TABLE firehose.rust")


def test_readonly_from_a_client_holds_for_its_request(loader: httpx.Client) -> None:
    """Also in a session, and for a result whose types the endpoint asks for itself."""
    asked = {"session_id": "readonly", "readonly": "1"}
    for form in ("TSV", "ArrowStream"):
        answer = loader.post("/", params=asked, content=f"SELECT toDateTime(1) FORMAT {form}")
        assert answer.status_code == 200, answer.text
    refused = loader.post("/", params=asked, content="CREATE TABLE firehose.no (a Int8) ENGINE = Memory")
    assert refused.headers["x-clickhouse-exception-code"] == "164"
    done = loader.post("/", params={"session_id": "readonly"}, content="CREATE TEMPORARY TABLE yes (a Int8)")
    assert done.status_code == 200, done.text


NOISE = os.urandom(100)
BROKEN = {
    "checksum": (b"\0" * 16 + block(b"SELECT 1")[16:], "40"),
    "flipped": (block(b"SELECT 1")[:-1] + b"\xff", "40"),
    "method": (struct.pack("<16sBII", b"", 0x77, 20, 20) + NOISE, "432"),
    "cut in a header": (block(b"SELECT 1") + block(b"2")[:20], "33"),
    "cut in the data": (block(b"SELECT 1")[:-1], "33"),
    "not packed": (block(b"SELECT 1", packed=NOISE), "271"),
    "not zstd": (block(b"SELECT 1", 0x90, packed=NOISE), "271"),
    "longer": (block(b"SELECT 1", size=7), "271"),
    "shorter": (block(b"SELECT 1", 0x90, size=9), "271"),
    "no data": (block(b"SELECT 1", 0x02, size=9), "271"),
    "plain text": (b"SELECT 1 -- not a block, but longer than the head of one", "432"),
    "too small": (struct.pack("<16sBII", b"", 0x82, 3, 3) + NOISE, "39"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_block_is_one_error(analyst: httpx.Client, name: str) -> None:
    body, code = BROKEN[name]
    answer = analyst.post("/", params={"decompress": "1"}, content=body)
    assert answer.headers["x-clickhouse-exception-code"] == code, answer.text
    assert answer.text.count("\n") == 1


@pytest.mark.parametrize("size", [17 * MIB, 129 * MIB, 2**32 - 1])
@pytest.mark.parametrize("method", [0x82, 0x90])
def test_a_declared_size_is_believed_only_within_the_limits(
    endpoint: EndpointProcess, analyst: httpx.Client, method: int, size: int
) -> None:
    """Before anything of it is allocated: the process does not grow."""
    before = _peak_mib(endpoint)
    bomb = block(b"", method, size=size, packed=METHODS[method](b" " * MIB))
    answer = analyst.post("/", params={"decompress": "1"}, content=bomb)
    assert answer.headers["x-clickhouse-exception-code"] in ("229", "39"), answer.text
    assert answer.status_code == 413
    assert _peak_mib(endpoint) < before + 16


def test_many_small_bombs_are_counted_together(loader: httpx.Client) -> None:
    bomb = block(b" " * MIB, 0x90) * 200
    answer = loader.post("/", params={"decompress": "1"}, content=bomb)
    assert answer.headers["x-clickhouse-exception-code"] == "39", answer.text


def _peak_mib(endpoint: EndpointProcess) -> int:
    status = Path(f"/proc/{endpoint.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024
