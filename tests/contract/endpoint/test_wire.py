"""The URLs and headers of real clients, and when a session is free again."""

from __future__ import annotations

import json
import re
import socket
import time
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from clickhouse_http import EndpointProcess
from tests.support.endpoint import ANALYST, MEMORY_MIB, logged

from .conftest import SECONDS, connect

#: As the ClickHouse data source of Grafana sends it for a dashboard.
GRAFANA = {
    "default_format": "Native",
    "client_protocol_version": "54460",
    "max_execution_time": "65",
    "database": "firehose",
}
SLOW = "SELECT sum(sleepEachRow(0.1)) FROM numbers(3)"


def test_limits_above_the_ceiling_are_lowered_and_said(endpoint: EndpointProcess, analyst: httpx.Client) -> None:
    query = "SELECT getSetting('max_execution_time'), getSetting('max_threads') <= 64 FORMAT TSV"
    answer = analyst.post("/", params={**GRAFANA, "max_threads": "100000"}, content=query)
    assert answer.text == f"{SECONDS}\t1\n"
    said = answer.headers["x-firehose-clamped"]
    assert re.fullmatch(rf"max_execution_time={SECONDS}, max_threads=\d+", said)
    assert f"max_execution_time lowered to {SECONDS}" in logged(endpoint, answer)
    failed = analyst.post("/", params={**GRAFANA, "query": "SELECT nope"})
    assert (failed.status_code, failed.headers["x-firehose-clamped"]) == (404, f"max_execution_time={SECONDS}")


def test_memory_above_the_grant_is_lowered_to_it(analyst: httpx.Client) -> None:
    wish = {"max_memory_usage": "100000000000000"}
    answer = analyst.post("/", params=wish, content="SELECT getSetting('max_memory_usage')")
    granted = int(answer.text)
    assert 0 < granted <= MEMORY_MIB * 2**20
    assert answer.headers["x-firehose-clamped"] == f"max_memory_usage={granted}"


@pytest.mark.parametrize("value", ["0", "-1", "1e9", "65s", "", "9" * 101])
def test_what_is_no_plain_number_above_the_ceiling_is_not_lowered(analyst: httpx.Client, value: str) -> None:
    """No limit at all, or nonsense: the engine refuses it, or it is within the ceiling."""
    answer = analyst.post(
        "/", params={"max_execution_time": value}, content="SELECT getSetting('max_execution_time')"
    )
    assert "x-firehose-clamped" not in answer.headers
    assert answer.status_code >= 400 or 0 < float(answer.text) <= SECONDS


def test_within_the_ceiling_nothing_is_said(analyst: httpx.Client, loader: httpx.Client) -> None:
    for user, value in ((analyst, "1"), (loader, "1000")):
        answer = user.post(
            "/", params={"max_execution_time": value}, content="SELECT getSetting('max_execution_time')"
        )
        assert answer.text == f"{value}\n"
        assert "x-firehose-clamped" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("where", ["query", "param_x"])
def test_a_query_or_a_parameter_of_a_megabyte_in_the_url(
    endpoint: EndpointProcess, method: str, where: str
) -> None:
    long = "x" * 1_000_000
    asked = {"query": "SELECT length({x:String})", "param_x": long}
    if where == "query":
        asked = {"query": f"SELECT length('{long}')"}
    with _connected(endpoint) as client:
        _send(client, "", asked, method)
        assert b"\r\n1000000\n\r\n" in (answer := _answer(client)), answer[:500]


def test_a_query_of_a_megabyte_in_the_body(analyst: httpx.Client) -> None:
    assert analyst.post("/", content=f"SELECT length('{'x' * 1_000_000}')").text == "1000000\n"


@pytest.mark.parametrize(
    ("accepted", "method"),
    [
        *(("gzip;q=0", None), ("gzip; Q = 0.0", None), ("gzip;q=0, deflate", "deflate"), ("*", "gzip")),
        *(("*;q=0", None), ("gzip;q=0, *", None), ("gzip;q=0.4, zstd;q=0.3", "gzip"), ("gzip, zstd", "zstd")),
        *(
            ("identity, gzip;q=0.5", None),
            ("identity;q=0, gzip;q=0.1", "gzip"),
            ("identity;q=0", None),
            ("br", None),
        ),
        *(("", None), ("gzip;q=nonsense", "gzip"), (",;,", None)),
    ],
)
def test_the_client_says_which_compression_it_wants(
    analyst: httpx.Client, accepted: str, method: str | None
) -> None:
    request = analyst.build_request(
        "POST",
        "/",
        params={"enable_http_compression": "1"},
        content="SELECT 1",
        headers={"Accept-Encoding": accepted},
    )
    answer = analyst.send(request, stream=True)
    assert answer.headers.get("content-encoding") == method
    answer.close()


FORMATS = {
    "TSV": b"99999\n",
    "JSONEachRow": b'{"number":99999}\n',
    "JSON": b'"rows": 100000',
    "ArrowStream": b"\xff\xff\xff\xff\x00\x00\x00\x00",
    "Native": (99999).to_bytes(8, "little"),
    "CSV": b"99999\n",
    "Parquet": b"PAR1",
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("wait", ["0", "1"])
def test_a_client_that_has_read_the_end_of_a_result_has_the_session(
    endpoint: EndpointProcess, form: str, wait: str
) -> None:
    """The end as the format has it, not HTTP's: a reader of Arrow, say, reads no further."""
    session = {
        "session_id": f"end-{form}-{wait}",
        "output_format_json_quote_64bit_integers": "0",
        "wait_end_of_query": wait,
    }
    query = f"SELECT number FROM numbers(100000) SETTINGS output_format_write_statistics = 0 FORMAT {form}"
    with _connected(endpoint) as first, _connected(endpoint) as second:
        for _ in range(5):
            _send(first, query, session)
            body = b""
            while not body.rstrip(b"\r\n}\x000").endswith(FORMATS[form].rstrip(b"\r\n}\x000")):
                piece = first.recv(65536)
                assert piece, body[-200:]
                body = body[-1000:] + piece
            _send(second, "SELECT 'mine'", session)
            assert b"mine" in (answer := _answer(second)), answer
            while not body.endswith(b"0\r\n\r\n"):
                body = body[-1000:] + first.recv(65536)


def test_arrow_streams_in_a_session_follow_each_other(endpoint: EndpointProcess) -> None:
    client = connect(endpoint.url, ANALYST, session_id="arrow-streams")
    for _ in range(20):
        with client.query_arrow_stream("SELECT number, toString(number) FROM numbers(200000)") as batches:
            assert sum(batch.num_rows for batch in batches) == 200_000
        assert client.query("SELECT 1").result_rows == [(1,)]
    with pytest.raises(DatabaseError):
        client.query("SELECT nope")
    assert client.query("SELECT 1").result_rows == [(1,)]


def test_progress_comes_while_the_query_runs(endpoint: EndpointProcess) -> None:
    asked = {
        "send_progress_in_http_headers": "1",
        "http_headers_progress_interval_ms": "100",
        "max_block_size": "1",
    }
    query = "SELECT sum(sleepEachRow(0.1)) FROM numbers(10)"
    with _connected(endpoint) as client:
        _send(client, query, asked)
        head = b""
        while b"X-ClickHouse-Progress" not in head:
            head += client.recv(65536)
        assert head.startswith(b"HTTP/1.1 200 OK\r\nX-ClickHouse-Progress: ")
        assert b"\r\n\r\n" not in head  # the query still runs
        answer = head + _answer(client)
        assert answer.count(b"HTTP/1.1") == 1
        *lines, last = re.findall(rb"X-ClickHouse-Progress: (.*)\r\n", answer)
        read = [int(json.loads(line)["read_rows"]) for line in (*lines, last)]
        assert read == sorted(read) and read[-1] > 0
        assert b"\r\nx-clickhouse-summary: {" in answer
        assert answer.endswith(b"2\r\n0\n\r\n0\r\n\r\n")
        # The connection goes on as any other.
        _send(client, "SELECT 'next'", {})
        assert b"next" in _answer(client)


def test_an_error_after_the_first_progress_has_its_code_still_in_the_head(endpoint: EndpointProcess) -> None:
    asked = {"send_progress_in_http_headers": "1", "max_block_size": "1"}
    with _connected(endpoint) as client:
        _send(client, "SELECT sum(throwIf(number = 7) + sleepEachRow(0.1)) FROM numbers(10)", asked)
        head, _, body = _answer(client).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\nX-ClickHouse-Progress: ")
    assert b"x-clickhouse-exception-code: 395\r\n" in head
    assert body.startswith(b"Code: 395.")


def test_without_being_asked_nothing_is_sent_early(endpoint: EndpointProcess) -> None:
    with _connected(endpoint) as client:
        _send(client, "SELECT sum(sleepEachRow(0.1)) FROM numbers(3)", {"max_block_size": "1"})
        assert b"Progress" not in _answer(client)


def test_the_summary_of_a_held_result_is_that_of_all_of_it(analyst: httpx.Client) -> None:
    query = "SELECT number FROM numbers(500000)"
    asked = {"wait_end_of_query": "1", "max_block_size": "50000"}
    answers = [analyst.post("/", params=asked, content=query) for _ in range(5)]
    summaries = [json.loads(answer.headers["x-clickhouse-summary"]) for answer in answers]
    assert {summary["result_rows"] for summary in summaries} == {"500000"}
    # chDB itself leaves blocks out, but only whole ones: in one stream of a hundred, in more on a busy machine.
    read = [int(summary["read_rows"]) for summary in summaries]
    assert max(read) == 500000
    assert all(rows % 50000 == 0 and rows >= 50000 for rows in read), read


@pytest.mark.parametrize("held", ["0", "1"])
@pytest.mark.parametrize("query", [SLOW, f"SELECT ({SLOW}), number FROM numbers(2)"], ids=["read", "planned"])
def test_the_summary_has_the_time_of_planning_as_well(analyst: httpx.Client, query: str, held: str) -> None:
    answer = analyst.post("/", params={"wait_end_of_query": held}, content=query)
    took_s = int(json.loads(answer.headers["x-clickhouse-summary"])["elapsed_ns"]) / 1e9
    assert 0.3 <= took_s <= answer.elapsed.total_seconds()


def _connected(endpoint: EndpointProcess) -> socket.socket:
    parts = urlsplit(endpoint.url)
    made = socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=30)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _send(client: socket.socket, query: str, parameters: dict[str, str], method: str = "POST") -> None:
    user = {"user": ANALYST[0], "password": ANALYST[1]}
    target = f"/?{urlencode({**user, **parameters})}"
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(query)}\r\n\r\n"
    client.sendall(head.encode() + query.encode())


def _answer(client: socket.socket) -> bytes:
    """A whole response."""
    received = b""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        received += client.recv(65536)
        head, _, body = received.lower().partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        if body.endswith(b"0\r\n\r\n") or (length and len(body) == int(length[1])):
            return received
    raise AssertionError(received)
