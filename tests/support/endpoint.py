"""The embedded ClickHouse endpoint as a process, with its two users.

Lives here: its settings and its start. Must not: choose what is in its tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from clickhouse_http import EndpointProcess
from devstack.embedded import clickhouse
from devstack.embedded.redis import free_port
from firehose import settings as project_settings
from firehose.settings import Settings
from tests.support.waiting import until

LOADER = ("loader", "loader-Password-1")
ANALYST = ("analyst", "analyst-Password-2")
MEMORY_MIB = 256


def endpoint_settings(home: Path, **overrides: object) -> Settings:
    """Settings of an endpoint on a free port, with its data in ``home``."""
    return project_settings.load(
        **{
            "home": str(home),
            "lake": str(home / "lake"),
            "clickhouse_url": f"http://127.0.0.1:{free_port()}",
            "clickhouse_loader_password": LOADER[1],
            "clickhouse_analyst_password": ANALYST[1],
            "query_max_memory_mib": MEMORY_MIB,
            **overrides,
        }
    )


@contextmanager
def running_endpoint(settings: Settings, *statements: str) -> Iterator[EndpointProcess]:
    """A running endpoint in which the loader has run these statements."""
    with clickhouse.start(settings) as running:
        with httpx.Client(base_url=running.url, auth=LOADER, timeout=60) as loader:
            for statement in statements:
                response = loader.post("/", content=statement)
                assert response.status_code == 200, response.text
        yield running


def logged(running: EndpointProcess, response: httpx.Response) -> str:
    """The line of the log about a query, which is written after its answer."""
    about = f"query {response.headers['x-clickhouse-query-id']} of "

    def line() -> str | None:
        return next((line for line in running.log.read_text().splitlines() if about in line), None)

    return until(line, what=f"a line about {about!r}")
