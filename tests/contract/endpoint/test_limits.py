"""One query cannot take the endpoint: limits of memory and time, parallel queries, clients that go away."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from clickhouse_http import EndpointProcess
from tests.support.endpoint import ANALYST, LOADER
from tests.support.waiting import until

from .conftest import SECONDS

ENDLESS = "SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))"
GREEDY = "SELECT length(groupArray(number)) FROM numbers(1000000000)"
WAIT_S = 20.0


@pytest.mark.parametrize("user", [LOADER, ANALYST])
def test_memory_is_limited(endpoint: EndpointProcess, user: tuple[str, str]) -> None:
    response = httpx.post(endpoint.url, content=GREEDY, auth=user, timeout=30)
    assert (response.status_code, response.headers["x-clickhouse-exception-code"]) == (500, "241")


@pytest.mark.parametrize("user", [LOADER, ANALYST])
def test_time_is_limited(endpoint: EndpointProcess, user: tuple[str, str]) -> None:
    response = httpx.post(endpoint.url, content=ENDLESS, auth=user, timeout=30)
    assert (response.status_code, response.headers["x-clickhouse-exception-code"]) == (408, "159")
    assert f"maximum: {SECONDS}000.000 ms" in response.text


def test_limits_hold_in_subqueries_and_unions(analyst: httpx.Client) -> None:
    loosened = "SETTINGS max_memory_usage = 0, max_execution_time = 0"
    response = analyst.post("/", content=f"SELECT * FROM ({GREEDY} {loosened})")
    assert response.headers["x-clickhouse-exception-code"] == "241"


def test_the_loader_may_ask_for_more_time(loader: httpx.Client) -> None:
    query = f"SELECT sleepEachRow(1) FROM numbers({SECONDS + 1}) FORMAT Null"
    limited = loader.post("/", content=query, params={"max_block_size": "1"})
    assert limited.headers["x-clickhouse-exception-code"] == "159"
    longer = loader.post("/", content=query, params={"max_block_size": "1", "max_execution_time": "30"})
    assert longer.status_code == 200, longer.text


def test_parallel_queries_overlap(endpoint: EndpointProcess) -> None:
    parallel = 10

    def ask(_number: int) -> str:
        query = "SELECT sleepEachRow(1) AS side_by_side FROM numbers(100)"
        parameters = {"max_execution_time": "100", "max_block_size": "1"}
        return httpx.post(endpoint.url, params=parameters, content=query, auth=LOADER, timeout=60).text

    with ThreadPoolExecutor(parallel) as pool:
        answers = pool.map(ask, range(parallel))
        try:
            _wait_until_running(endpoint, "side_by_side", parallel)
        finally:
            httpx.post(endpoint.url, content=f"KILL QUERY WHERE {_runs('side_by_side')} ASYNC", auth=LOADER)
        assert all("QUERY_WAS_CANCELLED" in answer and "No limit was met" in answer for answer in answers)


def test_a_slow_query_blocks_no_ping(endpoint: EndpointProcess, analyst: httpx.Client) -> None:
    slow = threading.Thread(target=lambda: analyst.post("/", content=ENDLESS))
    slow.start()
    _wait_until_running(endpoint, "sipHash64", 1)
    answered = 0
    while slow.is_alive():
        assert httpx.get(endpoint.url + "/ping").text == "Ok.\n"
        answered += slow.is_alive()
    assert answered >= 3  # a ping that waited for the query would be answered after it


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count() AS gone FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))",
        "SELECT number AS gone FROM numbers(1000000000000)",
        "SELECT number AS gone FROM numbers(1000000000000) FORMAT JSON",
    ],
)
def test_a_client_that_goes_away_ends_its_query(endpoint: EndpointProcess, query: str) -> None:
    """The time limit is out of the way: only the cancellation can end it within the wait."""
    patience = httpx.Timeout(30, read=1)
    parameters = {"max_execution_time": "100", "max_memory_usage": "0"}
    with httpx.Client(base_url=endpoint.url, auth=LOADER, timeout=patience) as http:
        try:
            with http.stream("POST", "/", params=parameters, content=query) as response:
                next(response.iter_raw())
        except httpx.ReadTimeout:
            pass
    _wait_until_running(endpoint, "gone FROM", 0)


def _runs(mark: str) -> str:
    """The condition by which system.processes shows the queries that hold ``mark``, which it does not itself."""
    return f"position(query, '{mark[:-1]}' || '{mark[-1]}') > 0"


def _wait_until_running(endpoint: EndpointProcess, mark: str, queries: int) -> None:
    query = f"SELECT count() FROM system.processes WHERE {_runs(mark)}"
    until(
        lambda: httpx.post(endpoint.url, content=query, auth=LOADER, timeout=30).text == f"{queries}\n",
        WAIT_S,
        what=f"{queries} queries with {mark!r} are running",
    )


def test_a_large_result_is_streamed(loader: httpx.Client) -> None:
    """It has no end: held whole, not one byte of it would arrive within the time limit."""
    parameters = {"max_execution_time": "100"}
    with loader.stream("POST", "/", params=parameters, content="SELECT number FROM system.numbers") as response:
        first = next(response.iter_raw())
    assert first.startswith(b"0\n1\n")
