"""Clients that ask for a result and do not read it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from clickhouse_http import EndpointProcess
from clickhouse_http.sessions.admission import SLOTS
from tests.support.endpoint import ANALYST
from tests.support.waiting import until

from .tools import Socket, ask, endpoint, others_are_served, peak_mib

#: Without an end, and more than a socket takes at once.
ENDLESS = "SELECT number, repeat('unread', 100) FROM system.numbers"
#: Enough for the smallest grant in every slot.
TOTAL_MIB = 2 * 64 * SLOTS["analyst"]
RUNNING = "SELECT count() FROM system.processes WHERE position(query, 'un' || 'read') > 0"


def _request(query: str) -> bytes:
    """It asks for as little memory as there is to have, so that all slots find some."""
    login = f"user={ANALYST[0]}&password={ANALYST[1]}&max_memory_usage=67108864&max_block_size=5000"
    head = f"POST /?{login} HTTP/1.1\r\nHost: localhost\r\n"
    return f"{head}Content-Length: {len(query)}\r\n\r\n{query}".encode()


def _asked(running: EndpointProcess) -> int:
    return int(ask(running, RUNNING).text)


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointProcess]:
    """It waits longer for a reader than the test takes."""
    with endpoint(
        tmp_path_factory.mktemp("patient"),
        http_timeout_s=600.0,
        query_max_seconds=600,
        query_total_memory_mib=6144,
    ) as made:
        yield made


def test_unread_results_take_little_and_delay_no_other_client(patient: EndpointProcess) -> None:
    """All of the analyst's slots are taken by them."""
    before = peak_mib(patient)
    with ExitStack() as stack:
        for _ in range(SLOTS["analyst"]):
            stack.enter_context(Socket(patient)).send(_request(ENDLESS))
        until(lambda: _asked(patient) == SLOTS["analyst"])
        others_are_served(patient, lambda: _asked(patient) == SLOTS["analyst"])
    # Each query may have 64 MiB, and what is piled up for its reader comes to that.
    assert peak_mib(patient) - before < TOTAL_MIB // 2 + 512
    until(lambda: _asked(patient) == 0)  # the connections were closed


def test_a_client_that_does_not_read_is_cut_off(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Also one that asked for less than the buffers hold: it would keep them for ever."""
    small = "SELECT repeat('x', 3000000)"
    with (
        endpoint(tmp_path_factory.mktemp("impatient"), http_timeout_s=1.0, query_max_seconds=600) as running,
        Socket(running) as endless,
        Socket(running) as waiting,
    ):
        endless.send(_request(ENDLESS))
        until(lambda: _asked(running) == 1)
        until(lambda: _asked(running) == 0)
        assert b"HTTP/1.1 200 OK" in endless.received()
        waiting.send(_request(small))
        until(lambda: "did not read its result" in running.log.read_text())
        assert ask(running, "SELECT 1", ANALYST).text == "1\n"
