"""`firehose doctor`'s checks of Airflow, on the database of a real one: healthy, and with each fault."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from devstack.embedded.airflow import POOLS
from firehose.settings import Settings
from firehose_cli.doctor import airflow
from firehose_cli.doctor.check import State
from tests.support.warm import Warm

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def settings(warm_airflow: Warm) -> Iterator[Settings]:
    """Settings that name the database, which knows the DAGs; afterwards it is as before."""
    done = warm_airflow.airflow("dags", "reserialize")
    assert done.returncode == 0, done.stdout
    path = Path(warm_airflow.environment["AIRFLOW_HOME"]) / "airflow.db"
    yield Settings(airflow_database_url=f"sqlite:///{path}", airflow_url="http://127.0.0.1:1")
    warm_airflow.airflow("dags", "unpause", "firehose_lake")
    warm_airflow.airflow("pools", "import", str(POOLS))


def test_a_healthy_one_and_one_that_is_away(settings: Settings, tmp_path: Path) -> None:
    dags = airflow.dags(settings)
    assert (dags.state, dags.said) == (State.OK, f"{len(list((ROOT / 'dags').glob('*.py')))} DAGs, none is paused")
    assert airflow.imports(settings).state is airflow.pool(settings).state is State.OK
    assert airflow.scheduler(settings).state is State.NOT_CHECKED
    nothing = Settings(home=str(tmp_path))
    for check in (airflow.dags, airflow.imports, airflow.pool):
        assert check(nothing).state is State.NOT_CHECKED


def test_a_paused_dag_and_a_pool_that_is_gone(settings: Settings, warm_airflow: Warm) -> None:
    paused = warm_airflow.airflow("dags", "pause", "firehose_lake")
    assert paused.returncode == 0, paused.stdout
    found = airflow.dags(settings)
    assert (found.state, found.said) == (State.FAILURE, "firehose_lake: paused")
    assert found.remedy == "airflow dags unpause firehose_lake"
    gone = warm_airflow.airflow("pools", "delete", "firehose_memory")
    assert gone.returncode == 0, gone.stdout
    assert airflow.pool(settings).state is State.FAILURE


def test_a_file_that_cannot_be_imported(settings: Settings, tmp_path: Path) -> None:
    copy = tmp_path / "airflow.db"
    source = settings.airflow_database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(source)) as there, closing(sqlite3.connect(copy)) as here:
        there.backup(here)
        here.execute(
            "INSERT INTO import_error (timestamp, filename, stacktrace) VALUES ('2026-01-01', '/d/broken.py', 'x')"
        )
        here.commit()
    found = airflow.imports(Settings(airflow_database_url=f"sqlite:///{copy}"))
    assert (found.state, found.said) == (State.FAILURE, "cannot be imported: broken.py")


def test_what_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "airflow.db").write_bytes(b"no database at all, but some bytes of a file" * 100)
    with pytest.raises(Exception, match="Airflow's database cannot be read"):
        airflow.dags(Settings(airflow_database_url=f"sqlite:///{tmp_path}/airflow.db"))
