"""The endpoint's metrics: what they count, and who may read them."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families as parsed

from clickhouse_http import EndpointProcess, metrics
from tests.support.endpoint import ANALYST, LOADER, endpoint_settings, running_endpoint
from tests.support.waiting import until

MONITORING = ("monitoring", "monitoring-Password-3")
Samples = dict[str, float]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointProcess]:
    settings = endpoint_settings(
        tmp_path_factory.mktemp("metrics"), clickhouse_monitoring_password=MONITORING[1], query_max_seconds=2
    )
    with running_endpoint(settings) as running:
        yield running


def scrape(running: EndpointProcess) -> Samples:
    """Every sample, by its name and ``{value}`` of each label, in the order of the labels."""
    answer = httpx.get(f"{running.url}/metrics", auth=MONITORING)
    assert answer.status_code == 200, answer.text
    return {
        sample.name + "".join(f"{{{value}}}" for value in sample.labels.values()): sample.value
        for family in parsed(answer.text)
        for sample in family.samples
    }


def ask(running: EndpointProcess, login: tuple[str, str], query: str) -> httpx.Response:
    return httpx.post(running.url, auth=login, content=query, timeout=60)


def test_every_metric_of_the_list_is_there_and_nothing_else(endpoint: EndpointProcess) -> None:
    text = httpx.get(f"{endpoint.url}/metrics", auth=MONITORING).text
    families = {family.name: family.type for family in parsed(text)}
    listed = {metric.name.removesuffix("_total"): metric.kind for metric in metrics.METRICS}
    assert families == listed | {"process_cpu_seconds": "counter", "process_resident_memory_bytes": "gauge"}


def test_queries_are_counted_by_role_and_outcome(endpoint: EndpointProcess) -> None:
    before = scrape(endpoint)
    asked = {
        "ok": (ANALYST, "SELECT 1"),
        "error": (ANALYST, "SELECT nonsense"),
        "timeout": (ANALYST, "SELECT sleepEachRow(1) FROM numbers(60) SETTINGS max_block_size = 1"),
        "memory": (LOADER, "SELECT groupArray(number) FROM numbers(1e9) SETTINGS max_memory_usage = 70000000"),
    }
    for login, query in asked.values():
        ask(endpoint, login, query)
    ask(endpoint, ("analyst", "wrong"), "SELECT 1")

    def rose(role: str, outcome: str) -> float:
        name = f"{metrics.QUERIES.name}{{{outcome}}}{{{role}}}"
        return scrape(endpoint)[name] - before.get(name, 0.0)

    until(lambda: rose("none", "login") == 1)
    for outcome, (login, _) in asked.items():
        assert rose(login[0], outcome) == 1, outcome
    seconds = scrape(endpoint)
    count = f"{metrics.SECONDS.name}_count{{analyst}}"
    assert seconds[count] - before[count] == 3, "a failed login is not a query that was fast"
    assert seconds[f"{metrics.SECONDS.name}_sum{{analyst}}"] > 1.0


def test_memory_and_slots_are_those_of_the_moment(endpoint: EndpointProcess) -> None:
    query = "SELECT sleepEachRow(0.5) FROM numbers(3) SETTINGS max_block_size = 1"
    thread = threading.Thread(target=ask, args=(endpoint, ANALYST, query))
    thread.start()
    until(lambda: scrape(endpoint)[f"{metrics.RUNNING.name}{{analyst}}"] == 1)
    until(lambda: scrape(endpoint)[f"{metrics.GRANTED.name}{{analyst}}"] > 0)
    thread.join()
    until(lambda: scrape(endpoint)[f"{metrics.GRANTED.name}{{analyst}}"] == 0)


@pytest.mark.parametrize("login", [ANALYST, LOADER, ("monitoring", "wrong"), ("analyst", MONITORING[1]), None])
def test_only_the_user_monitoring_reads_them(endpoint: EndpointProcess, login: tuple[str, str] | None) -> None:
    answer = httpx.get(f"{endpoint.url}/metrics", auth=login)
    assert answer.status_code == 401
    assert not re.search("clickhouse_http_", answer.text)
    in_url = httpx.get(f"{endpoint.url}/metrics", params={"user": "monitoring", "password": MONITORING[1]})
    assert in_url.status_code == 401, "a password in a URL is in the logs of whatever lies between"


def test_the_user_monitoring_asks_nothing(endpoint: EndpointProcess) -> None:
    answer = ask(endpoint, MONITORING, "SELECT 1")
    assert answer.headers["x-clickhouse-exception-code"] == "516"


def test_without_its_password_there_is_no_such_page(tmp_path: Path) -> None:
    with running_endpoint(endpoint_settings(tmp_path)) as running:
        for login in (LOADER, ANALYST, ("monitoring", ""), None):
            answer = httpx.get(f"{running.url}/metrics", auth=login)
            assert answer.status_code == 404
            assert answer.text == httpx.get(f"{running.url}/nothing").text.replace("/nothing", "/metrics")
