"""One engine process for all tests of the warehouse; each test has an empty lake and an empty ClickHouse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client

from devstack.embedded import clickhouse
from devstack.embedded.redis import free_port
from firehose.settings import Settings
from firehose.warehouse import plan
from firehose.warehouse.client import connect
from firehose.warehouse.migrate import migrate
from tests.integration.warehouse.lakes import LakeBuilder, drop_databases, emptied, forget, small


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The settings of a running endpoint."""
    settings = Settings(
        home=str(tmp_path_factory.mktemp("home")),
        lake=str(tmp_path_factory.mktemp("lake")),
        clickhouse_url=f"http://127.0.0.1:{free_port()}",
        clickhouse_loader_password="loads",
        clickhouse_analyst_password="reads",
    )
    with clickhouse.start(settings):
        yield settings


@pytest.fixture
def settings(engine: Settings) -> Settings:
    """As ``engine``, with an empty lake."""
    return emptied(engine)


@pytest.fixture
def connected(settings: Settings) -> Iterator[Client]:
    """A loader's client."""
    client = connect(settings)
    yield client
    client.close()


@pytest.fixture
def empty(connected: Client) -> Iterator[Client]:
    """A loader's client of a ClickHouse without any of the project's databases, before and after the test."""
    drop_databases(connected)
    yield connected
    drop_databases(connected)


@pytest.fixture
def client(connected: Client, settings: Settings) -> Client:
    """A loader's client of a migrated ClickHouse over an empty lake, with nothing loaded."""
    migrate(connected, settings)
    forget(connected)
    return connected


@pytest.fixture
def events_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of the tables of events: the summaries are not loaded, which others are about."""
    monkeypatch.setattr(plan, "SUMMARIES", ())


@pytest.fixture
def lake(settings: Settings) -> LakeBuilder:
    """A builder of hour files in the test's lake, which is still empty."""
    return LakeBuilder(settings.local_lake)


@pytest.fixture
def small_lake(lake: LakeBuilder) -> LakeBuilder:
    """A builder whose lake has some rows of every type in two hours."""
    small(lake)
    return lake
