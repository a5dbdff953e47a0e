"""A pipeline under watch: a real Redis, a lake, a ClickHouse, sinks that keep what they get, a clock to turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import redis

from firehose.batch.interval import Batch
from firehose.settings import Settings
from firehose.warehouse.client import connect
from firehose.warehouse.migrate import migrate
from tests.integration.monitor.world import Health, World, health_server
from tests.support.endpoint import endpoint_settings, running_endpoint
from tests.support.frames import minutes
from tests.support.sinks import Mailbox, Webhook, mail_server, web_server


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The settings of a running ClickHouse that is migrated."""
    settings = endpoint_settings(tmp_path_factory.mktemp("engine"))
    settings.local_lake.mkdir()
    with running_endpoint(settings):
        with closing(connect(settings)) as client:
            migrate(client, settings)
        yield settings


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server(0) as box:
        yield box


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with web_server() as server:
        yield server


@pytest.fixture
def health() -> Iterator[Health]:
    """Airflow's health page, of an Airflow that is well."""
    with health_server() as server:
        yield server


@pytest.fixture
def settings(
    tmp_path: Path, redis_url: str, engine: Settings, mailbox: Mailbox, webhook: Webhook, health: Health
) -> Settings:
    return msgspec.structs.replace(
        engine,
        home=str(tmp_path),
        lake=str(tmp_path / "lake"),
        redis_url=redis_url,
        batch_minutes=1,
        # The disk of the machine is not what is tested here.
        disk_warn_percent=100,
        # Nor are questions to ClickHouse, but in tests of their objective.
        alert_query_seconds=0,
        airflow_url=health.url,
        alert_email="ops@example.org",
        smtp_url=f"smtp://127.0.0.1:{mailbox.port}",
        alert_webhook_url=webhook.url(),
    )


@pytest.fixture
def batches() -> list[Batch]:
    """Five minutes that are over, in order."""
    return minutes(5)


@pytest.fixture
def world(settings: Settings, redis_client: redis.Redis, mailbox: Mailbox, webhook: Webhook) -> World:
    return World(settings, redis_client, mailbox, webhook)
