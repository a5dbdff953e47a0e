"""Airflow's page of connections: the project's are there without secrets, and its test asks the real services."""

from __future__ import annotations

import json
import secrets
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devstack.embedded import clickhouse as endpoint
from devstack.embedded.redis import free_port
from firehose.settings import Settings
from tests.support.sinks import mail_server
from tests.support.warm import Warm

_LIST = "from firehose_connection_tests import list_connections; list_connections()"


class Page:
    """The interface behind the page, for its one user."""

    def __init__(self, address: str, password: str) -> None:
        self._address, self._token = address, ""
        self._token = self.ask("/auth/token", {"username": "admin", "password": password})["access_token"]

    def ask(self, path: str, body: object = None, method: str | None = None) -> Any:
        """The answer as JSON; with a body it is a POST, unless said otherwise."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._address}{path}", data, method=method)  # noqa: S310 - ours
        request.add_header("Content-Type", "application/json")
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - ours
            return json.load(answer)

    def rows(self) -> dict[str, dict[str, Any]]:
        """The connections by id, as the page shows them."""
        return {row["connection_id"]: row for row in self.ask("/api/v2/connections")["connections"]}

    def test(self, row: dict[str, Any]) -> tuple[bool, str]:
        """What pressing Test says."""
        said = self.ask("/api/v2/connections/test", {name: row[name] for name in row if name != "team_name"})
        return said["status"], said["message"]

    def enter(self, row: dict[str, Any]) -> None:
        """Change a row."""
        entity = {name: row[name] for name in row if name != "team_name"}
        body = {"actions": [{"action": "update", "entities": [entity]}]}
        said = self.ask("/api/v2/connections", body, "PATCH")
        assert not said["update"]["errors"], said


@pytest.fixture
def page(warm_airflow: Warm, api_server: str) -> Page:
    home = Path(warm_airflow.environment["AIRFLOW_HOME"])
    return Page(api_server, json.loads((home / "simple_auth_manager_passwords.json").read_text())["admin"])


@pytest.fixture
def settings(warm_airflow: Warm, redis_url: str, tmp_path: Path) -> Iterator[Settings]:
    """Settings in the env file of that Airflow's home, of services that run."""
    home = Path(warm_airflow.environment["FIREHOSE_HOME"])
    made = Settings(
        home=str(tmp_path),
        lake=str(tmp_path / "lake"),
        redis_url=redis_url,
        smtp_url=f"smtp://127.0.0.1:{free_port()}",
        clickhouse_url=f"http://127.0.0.1:{free_port()}",
        clickhouse_loader_password=secrets.token_urlsafe(),
        clickhouse_analyst_password=secrets.token_urlsafe(),
    )
    names = ("redis_url", "smtp_url", "clickhouse_url", "clickhouse_loader_password")
    home.mkdir(exist_ok=True)
    file = home / "firehose.env"
    file.write_text("".join(f"FIREHOSE_{name.upper()}={getattr(made, name)}\n" for name in names))
    yield made
    file.unlink()


def test_each_service_is_tested_with_its_real_login(page: Page, warm_airflow: Warm, settings: Settings) -> None:
    listed(warm_airflow)
    rows = page.rows()
    assert set(rows) >= {"firehose_redis", "firehose_clickhouse", "firehose_smtp"}
    assert settings.clickhouse_loader_password not in json.dumps(rows)
    away = {name: page.test(rows[name]) for name in ("firehose_clickhouse", "firehose_smtp")}
    assert not any(answers for answers, _ in away.values()), away
    port = int(settings.smtp_url.rpartition(":")[2])
    with endpoint.start(settings), mail_server(port):
        assert page.test(rows["firehose_clickhouse"]) == (True, "Connection successfully tested")
        assert page.test(rows["firehose_smtp"]) == (True, "The mail server answers")
        assert page.test(rows["firehose_redis"]) == (True, "Redis answers")


def test_a_row_that_somebody_entered_is_left_alone(page: Page, warm_airflow: Warm, settings: Settings) -> None:
    listed(warm_airflow)
    row = page.rows()["firehose_redis"]
    page.enter(row | {"host": "mine.example", "description": "mine"})
    listed(warm_airflow)
    assert page.rows()["firehose_redis"]["host"] == "mine.example"
    page.enter(row | {"host": "mine.example"})
    listed(warm_airflow)
    assert page.rows()["firehose_redis"]["host"] == row["host"], "its description says that it is made"


def listed(warm_airflow: Warm) -> None:
    """Do what the scheduler does when it starts."""
    done = warm_airflow.python("-c", _LIST)
    assert done.returncode == 0, done.stdout[-3000:]
