"""The page over a lake and a Redis of a test's own, mounted as in Airflow, for a reader who may read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from threading import Thread

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from devstack.embedded.redis import free_port
from firehose.settings import Settings
from firehose_page.app import create_app
from tests.support.waiting import until

Open = Callable[..., httpx.Client]
#: What Airflow would answer: its run by the begin of an interval.
RUNS: dict[datetime, str] = {}


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(
        home=str(tmp_path),
        lake=str(tmp_path / "lake"),
        redis_url=redis_url,
        batch_minutes=1,
        keep_raw_hours=0,
        clickhouse_url="http://127.0.0.1:1",
        airflow_url="http://127.0.0.1:1",
    )


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens the page over some settings, and waits for its figures. ``root``: the outer application's path."""
    with ExitStack() as servers:

        def page(
            settings: Settings | Callable[[], Settings],
            root: str = "",
            authorize: Callable[..., None] = lambda: None,
        ) -> httpx.Client:
            load = (lambda: settings) if isinstance(settings, Settings) else settings
            client = servers.enter_context(_served(load, root, authorize))
            asked = f"{root}/firehose/snapshot.json"
            until(lambda: client.get(asked).status_code != 503, what="the first look is taken")
            return client

        yield page


@contextmanager
def _served(load: Callable[[], Settings], root: str, authorize: Callable[..., None]) -> Iterator[httpx.Client]:
    outer = FastAPI(root_path=root)
    outer.mount("/firehose", create_app(load, authorize, "/login", RUNS.get))
    server = uvicorn.Server(uvicorn.Config(outer, port=(port := free_port()), log_config=None, lifespan="off"))
    thread = Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started, what="the page is served")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
