"""A running endpoint with a table and a view over it, for the work of real clients."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from clickhouse_http import EndpointProcess
from tests.support.endpoint import endpoint_settings, running_endpoint

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
    settings = endpoint_settings(tmp_path_factory.mktemp("endpoint"), query_max_seconds=10)
    with running_endpoint(settings, *SCHEMA) as running:
        yield running


def address(endpoint: EndpointProcess) -> tuple[str, int]:
    """Host and port, as most clients ask for them."""
    parts = urlsplit(endpoint.url)
    assert parts.hostname and parts.port
    return parts.hostname, parts.port
