"""One Airflow home for all tests of DAGs: preparing it and each start of Airflow costs seconds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devstack.embedded.airflow import prepare_airflow_home
from devstack.embedded.redis import free_port
from tests.support.logins import PASSWORDS
from tests.support.sinks import Webhook
from tests.support.sinks import web_server as sink
from tests.support.warm import Warm, warm
from tests.support.web_server import WebServer, web_server

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of Airflow whose database is migrated, and in which nothing has run."""
    home = tmp_path_factory.mktemp("migrated")
    prepare_airflow_home(home, ROOT / "dags", ROOT / "plugins", os.environ)
    return home


@pytest.fixture(scope="session")
def airflow_home(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a prepared Airflow. No ``FIREHOSE_`` variable of the caller's gets in."""
    home = tmp_path_factory.mktemp("airflow")
    begin_with(migrated, home / "airflow")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FIREHOSE_")}
    clean |= {"FIREHOSE_HOME": str(home / "firehose"), "FIREHOSE_LAKE": str(home / "lake")}
    clean |= {"FIREHOSE_START_DATE": "2026-01-01T00:00:00Z", "FIREHOSE_REDIS_PASSWORDS": PASSWORDS}
    prepared = prepare_airflow_home(home / "airflow", ROOT / "dags", ROOT / "plugins", clean)
    # A test may have run the DAGs with other settings a moment ago; Airflow would leave those for 30 s.
    return prepared | {"AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0"}


def begin_with(migrated: Path, home: Path) -> None:
    """Give a home of Airflow that is still to be prepared a database, instead of migrating for seconds."""
    home.mkdir()
    for name in ("airflow.db", "initialised"):
        shutil.copyfile(migrated / name, home / name)


@pytest.fixture(scope="session")
def warm_airflow(airflow_home: dict[str, str]) -> Iterator[Warm]:
    """Airflow's commands in that environment, without ten seconds of imports for each."""
    with warm(airflow_home) as process:
        yield process


@pytest.fixture(scope="session")
def api_server(warm_airflow: Warm) -> Iterator[WebServer]:
    """That Airflow's web server, which knows the DAGs."""
    done = warm_airflow.airflow("dags", "reserialize")
    assert done.returncode == 0, done.stdout[-3000:]
    home = Path(warm_airflow.environment["AIRFLOW_HOME"])
    with web_server(warm_airflow.environment, home, free_port()) as server:
        yield server


@pytest.fixture(scope="session")
def described(airflow_home: dict[str, str]) -> dict[str, Any]:
    """What ``scripts/pages/dags.py`` finds in the DAG files, in a process that has imported nothing before."""
    command = [sys.executable, "-m", "scripts.pages.dags", "--json"]
    done = subprocess.run(command, env=airflow_home, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    # Airflow logs to standard output too.
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A running sink of alerts."""
    with sink() as server:
        yield server
