"""A running endpoint with a table and a view over it, for the work of real clients."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from clickhouse_http import EndpointProcess
from devstack.embedded import clickhouse
from devstack.embedded.redis import free_port
from firehose import settings as project_settings

LOADER = ("loader", "loader-Password-1")
ANALYST = ("analyst", "analyst-Password-2")
SCHEMA = (
    "CREATE DATABASE firehose",
    "CREATE DATABASE ops",
    "CREATE TABLE firehose.events (id UInt64, name String) ENGINE = MergeTree ORDER BY id",
    "INSERT INTO firehose.events SELECT number, toString(number) FROM numbers(1000)",
    "CREATE VIEW firehose.posts DEFINER = CURRENT_USER SQL SECURITY DEFINER AS "
    "SELECT id, name, toDateTime64(id, 3, 'UTC') AS at FROM firehose.events",
)


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointProcess]:
    """An endpoint with ``firehose.events`` of a thousand rows and the view ``firehose.posts``."""
    home = tmp_path_factory.mktemp("endpoint")
    settings = project_settings.load(
        home=str(home),
        lake=str(home / "lake"),
        clickhouse_url=f"http://127.0.0.1:{free_port()}",
        clickhouse_loader_password=LOADER[1],
        clickhouse_analyst_password=ANALYST[1],
        query_max_memory_mib=256,
        query_max_seconds=10,
    )
    with clickhouse.start(settings) as running, httpx.Client(base_url=running.url, auth=LOADER) as loader:
        for statement in SCHEMA:
            response = loader.post("/", content=statement)
            assert response.status_code == 200, response.text
        yield running


def address(endpoint: EndpointProcess) -> tuple[str, int]:
    """Host and port, as most clients ask for them."""
    parts = urlsplit(endpoint.url)
    assert parts.hostname and parts.port
    return parts.hostname, parts.port
