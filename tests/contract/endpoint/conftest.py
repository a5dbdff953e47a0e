"""A running endpoint with a small database, and ways to talk to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import clickhouse_connect
import httpx
import pytest
from clickhouse_connect.driver.client import Client

from clickhouse_http import EndpointProcess
from firehose.settings import Settings
from tests.support.endpoint import ANALYST, LOADER, endpoint_settings, running_endpoint

SECONDS = 2

MakeSettings = Callable[..., Settings]


@pytest.fixture
def make_settings(tmp_path: Path) -> MakeSettings:
    """Settings of an endpoint of this test alone, with its data in ``tmp_path``."""
    return lambda **overrides: endpoint_settings(tmp_path, **{"query_max_seconds": SECONDS} | overrides)


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of one hour file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    root = tmp_path_factory.mktemp("lake")
    hour = root / "year=2026" / "month=11" / "day=23" / "hour=00"
    hour.mkdir(parents=True)
    pq.write_table(pa.table({"did": ["did:plc:a", "did:plc:b"], "time_us": [1, 2]}), hour / "likes.parquet")
    return root


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory, lake: Path) -> Iterator[EndpointProcess]:
    """One endpoint for the tests that leave its tables ``firehose.events`` and ``firehose.likes`` as they are."""
    settings = endpoint_settings(tmp_path_factory.mktemp("endpoint"), lake=str(lake), query_max_seconds=SECONDS)
    with running_endpoint(settings, *_schema(lake)) as running:
        yield running


def _schema(lake: Path) -> list[str]:
    hours = lake / "year=*" / "month=*" / "day=*" / "hour=*" / "likes.parquet"
    structure = "did String, time_us Int64, year UInt16, month UInt8, day UInt8, hour UInt8"
    return [
        "CREATE DATABASE firehose",
        "CREATE TABLE firehose.events (id UInt64, name String) ENGINE = MergeTree ORDER BY id",
        "INSERT INTO firehose.events SELECT number, toString(number) FROM numbers(1000)",
        "CREATE VIEW firehose.likes DEFINER = CURRENT_USER SQL SECURITY DEFINER AS "
        f"SELECT * FROM file('{hours}', 'Parquet', '{structure}')",
        "CREATE VIEW firehose.invoked SQL SECURITY INVOKER AS "
        f"SELECT * FROM file('{hours}', 'Parquet', '{structure}')",
    ]


@pytest.fixture
def loader(endpoint: EndpointProcess) -> Iterator[httpx.Client]:
    """The loader by plain HTTP."""
    with httpx.Client(base_url=endpoint.url, auth=LOADER, timeout=30) as http:
        yield http


@pytest.fixture
def analyst(endpoint: EndpointProcess) -> Iterator[httpx.Client]:
    """The analyst by plain HTTP."""
    with httpx.Client(base_url=endpoint.url, auth=ANALYST, timeout=30) as http:
        yield http


def connect(url: str, user: tuple[str, str], **options: Any) -> Client:
    """A clickhouse-connect client of the endpoint at ``url``."""
    return clickhouse_connect.get_client(dsn=url, username=user[0], password=user[1], **options)


@pytest.fixture
def client(endpoint: EndpointProcess) -> Iterator[Client]:
    """The loader by clickhouse-connect."""
    made = connect(endpoint.url, LOADER)
    yield made
    made.close()
