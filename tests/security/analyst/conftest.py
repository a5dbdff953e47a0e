"""A running endpoint whose lake, home and folders around it are full of canaries, and its two users."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from clickhouse_http import EndpointProcess
from devstack.embedded import clickhouse
from devstack.embedded.redis import free_port
from firehose import settings as project_settings
from firehose.settings import Settings

from .canaries import Tree, view

LOADER = ("loader", "loader-Password-1")
ANALYST = ("analyst", "analyst-Password-2")


def endpoint_settings(home: Path, lake: Path | str, **overrides: object) -> Settings:
    """Settings of an endpoint with its data in ``home``."""
    return project_settings.load(
        **{
            "home": str(home),
            "lake": str(lake),
            "clickhouse_url": f"http://127.0.0.1:{free_port()}",
            "clickhouse_loader_password": LOADER[1],
            "clickhouse_analyst_password": ANALYST[1],
            "query_max_memory_mib": 256,
            "query_max_seconds": 5,
            **overrides,
        }
    )


@dataclass(frozen=True)
class Box:
    """The endpoint, the canaries around it, and plain HTTP as each of its users."""

    running: EndpointProcess
    tree: Tree
    loader: httpx.Client
    analyst: httpx.Client


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """An endpoint in the sandbox. ``firehose.likes`` is a view over the canary lake's one hour."""
    tree = Tree.plant(tmp_path_factory.mktemp("box") / "tree")
    with (
        clickhouse.start(endpoint_settings(tree.home, tree.lake)) as running,
        httpx.Client(base_url=running.url, auth=LOADER, timeout=30) as loader,
        httpx.Client(base_url=running.url, auth=ANALYST, timeout=30) as analyst,
    ):
        for statement in (
            "CREATE DATABASE firehose",
            "CREATE DATABASE ops",
            "CREATE TABLE firehose.events (id UInt64, name String) ENGINE = MergeTree ORDER BY id",
            "INSERT INTO firehose.events SELECT number, toString(number) FROM numbers(1000)",
            view(tree.lake),
        ):
            response = loader.post("/", content=statement)
            assert response.status_code == 200, response.text
        yield Box(running, tree, loader, analyst)


@pytest.fixture
def analyst(box: Box) -> httpx.Client:
    """The analyst by plain HTTP."""
    return box.analyst


@pytest.fixture
def unchanged(box: Box) -> Iterator[None]:
    """Fails the test where it changed a canary, or a file beside one; the endpoint's own data is not looked at."""
    before = _outside_data(box.tree)
    yield
    assert _outside_data(box.tree) == before


def _outside_data(tree: Tree) -> dict[str, object]:
    own = (str(tree.home / "clickhouse"), str(tree.home / "logs"))
    return {path: stamp for path, stamp in tree.snapshot().items() if not path.startswith(own)}
