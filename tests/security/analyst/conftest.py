"""A running endpoint whose lake, home and folders around it are full of canaries, and its two users."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from clickhouse_http import EndpointProcess
from tests.support.endpoint import ANALYST, LOADER, endpoint_settings, running_endpoint

from .canaries import Tree, view

SCHEMA = (
    "CREATE DATABASE firehose",
    "CREATE DATABASE ops",
    "CREATE TABLE firehose.events (id UInt64, name String) ENGINE = MergeTree ORDER BY id",
    "INSERT INTO firehose.events SELECT number, toString(number) FROM numbers(1000)",
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
    settings = endpoint_settings(tree.home, lake=str(tree.lake), query_max_seconds=5)
    with (
        running_endpoint(settings, *SCHEMA, view(tree.lake)) as running,
        httpx.Client(base_url=running.url, auth=LOADER, timeout=30) as loader,
        httpx.Client(base_url=running.url, auth=ANALYST, timeout=30) as analyst,
    ):
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
