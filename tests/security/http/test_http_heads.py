"""Heads of requests without end, in number, size or time: no login is needed to send them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlencode

import httpx
import pytest

from clickhouse_http import EndpointProcess
from tests.support.endpoint import ANALYST

from .tools import MIB, WAIT_S, Repeated, Socket, ask, endpoint, others_are_served, peak_mib

START = b"GET /ping HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointProcess]:
    with endpoint(tmp_path_factory.mktemp("heads"), http_timeout_s=4.0) as made:
        yield made


def status(answer: bytes) -> bytes:
    return answer.split(b" ", 2)[1] if answer.startswith(b"HTTP/1.1 ") else answer[:40]


def test_an_endless_header_is_refused_and_delays_no_other_client(running: EndpointProcess) -> None:
    piece = b"x" * MIB

    def attack() -> None:
        with Socket(running) as sending:
            sending.send(START + b"X: ")
            sent = sum(sending.send(piece) for _ in range(64))
            assert sent < 64  # it was cut off before
            assert status(sending.received()) in (b"431", b"")

    before = peak_mib(running)
    with Repeated(attack, threads=4) as attacks:
        others_are_served(running, attacks.under_way)
    assert peak_mib(running) - before < 128


def test_the_refusal_of_a_large_head_can_be_read(running: EndpointProcess) -> None:
    with Socket(running) as sending:
        sending.send(START + b"X: " + b"x" * (4 * MIB))
        assert status(sending.received()) == b"431"


def test_headers_without_number_are_refused(running: EndpointProcess) -> None:
    with Socket(running) as sending:
        sending.send(START + b"a: b\r\n" * 100_000 + b"\r\n")
        assert status(sending.received()) == b"431"


@pytest.mark.parametrize(
    "rest",
    [b"5;" + b"x" * (2 * MIB), b"1\r\na\r\n0\r\nX: " + b"x" * (2 * MIB), b"0\r\n" + b"a: b\r\n" * 1000],
)
def test_chunk_extensions_and_trailers_have_an_end(running: EndpointProcess, rest: bytes) -> None:
    """The rest of a body that is not read: the answer was given before."""
    with Socket(running) as sending:
        sending.send(START + b"Transfer-Encoding: chunked\r\n\r\n" + rest)
        sending.received()  # hangs until its timeout where the connection stays open


@pytest.mark.parametrize("start", [b"", START, START[:7]])
def test_a_head_that_does_not_come_is_not_waited_for(running: EndpointProcess, start: bytes) -> None:
    with Socket(running) as waiting:
        waiting.send(start)
        assert status(waiting.received()) in (b"408", b"")


def test_many_unfinished_heads_have_a_bound_together(running: EndpointProcess) -> None:
    before = peak_mib(running)
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(Socket(running)).send(START + b"X: " + b"x" * (3 * MIB))
        assert httpx.get(running.url + "/ping", timeout=WAIT_S).text == "Ok.\n"
        assert peak_mib(running) - before < 200


def test_a_url_may_have_a_megabyte(running: EndpointProcess) -> None:
    """Also escaped, which makes three of it."""
    parameters = {"query": "SELECT length({value:String})", "param_value": "/" * MIB}
    target = f"/?{urlencode(parameters)}&user={ANALYST[0]}&password={ANALYST[1]}"
    with Socket(running) as sending:
        sending.send(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = sending.received()
    assert (status(answer), f"{MIB}\n".encode() in answer) == (b"200", True)


def test_a_thousand_half_open_connections_delay_no_other_client(running: EndpointProcess) -> None:
    with ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(Socket(running)).send(START)
        assert ask(running, "SELECT 1", ANALYST).text == "1\n"


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 4\r\nContent-Length: 5\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Content-Length: +4\r\n",
        b"Content-Length : 4\r\n",
    ],
)
def test_a_body_of_two_lengths_is_refused(running: EndpointProcess, framing: bytes) -> None:
    with Socket(running) as sending:
        sending.send(b"POST /ping HTTP/1.1\r\nHost: localhost\r\n" + framing + b"\r\n0\r\n\r\n")
        assert status(sending.received()) in (b"400", b"")


def test_what_comes_in_one_piece_is_still_answered_in_order(running: EndpointProcess) -> None:
    request = START + b"\r\n"
    with Socket(running) as sending:
        sending.send(request * 5 + START + b"Connection: close\r\n\r\n")
        assert sending.received().count(b"Ok.\n") == 6
