"""One podman and one stack for all tests here. `make test-compose` runs them: they need root, and minutes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.engine import ROOT, Engine, require_programs
from tests.compose.stack import Stack, now

#: Where images are kept between runs. Not in a home folder: the tests of this project have an empty one.
_HOME = Path(os.environ.get("COMPOSE_TEST_HOME", "/var/tmp/bluesky-firehose-compose"))
#: The version that an upgrade begins with: the last tag, or, while there is none, the commit at which the latest
#: migration of those that it has was last edited: what was applied before that cannot be upgraded.
_BEFORE_TAGS = "efc17c6"


@pytest.fixture(scope="session")
def engine() -> Engine:
    """podman, with what images are made from."""
    if not os.environ.get("COMPOSE_TEST"):
        pytest.skip("make test-compose runs these")
    require_programs()
    made = Engine(_HOME)
    made.make_base()
    return made


@pytest.fixture(scope="session")
def settings() -> dict[str, str]:
    """What .env has beside the secrets. Batches of a minute."""
    return {
        "FIREHOSE_START_DATE": now(),
        "FIREHOSE_BATCH_MINUTES": "1",
        "FIREHOSE_JETSTREAM_URL": "ws://simulator:6008/subscribe",
        # From the source's first event, not from when the ingester came.
        "FIREHOSE_START_CURSOR": "1",
        "FIREHOSE_ALERT_EMAIL": "oncall@example.org",
        "FIREHOSE_SMTP_URL": "smtp://mail:2525",
        "REDIS_MAXMEMORY": "512mb",
        "AIRFLOW_PORT": _free_port(),
        "CLICKHOUSE_PORT": _free_port(),
        "UI_PORT": _free_port(),
    }


@pytest.fixture(scope="session")
def stack(engine: Engine, settings: dict[str, str]) -> Iterator[Stack]:
    """This checkout's services, with its own images, on empty volumes; all of them are up."""
    made = Stack(engine, _fresh(engine.home / "stack"), ROOT, settings)
    made.build()
    made.remove()
    try:
        made.up()
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="session")
def earlier(engine: Engine) -> Path:
    """The files of the earlier version."""
    tags = _git("tag", "--sort=-creatordate", "--merged", "HEAD~1").split()
    folder = _fresh(engine.home / "earlier")
    archive = subprocess.run(
        ["git", "archive", tags[0] if tags else _BEFORE_TAGS], cwd=ROOT, capture_output=True, check=True
    ).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
    return folder


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _free_port() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])
