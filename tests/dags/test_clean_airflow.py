"""`firehose clean-airflow` on a real Airflow's database: old runs go, new ones and the last of each DAG stay."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.command import FIREHOSE
from tests.support.warm import Warm

_RUNS = """
import sys
from datetime import datetime
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance  # relates the tables
from airflow.utils.session import create_session
from airflow.utils.types import DagRunTriggeredByType, DagRunType
for name in sys.argv[1:]:
    dag, _, start = name.partition("~")
    moment = datetime.fromisoformat(start)
    with create_session() as session:
        session.add(DagRun(
            dag_id=dag, run_id=name, logical_date=moment, run_after=moment, start_date=moment, state="success",
            run_type=DagRunType.SCHEDULED, triggered_by=DagRunTriggeredByType.TEST,
        ))
"""


@pytest.fixture
def home(warm_airflow: Warm) -> Path:
    """A folder of Airflow whose database has no run."""
    found = Path(warm_airflow.environment["AIRFLOW_HOME"])
    with contextlib.closing(sqlite3.connect(found / "airflow.db", timeout=30)) as database, database:
        database.execute("DELETE FROM dag_run")
    return found


def test_old_runs_are_counted_then_removed(home: Path, warm_airflow: Warm) -> None:
    now = datetime.now(UTC)
    old, older, new = (f"firehose_batch~{now - timedelta(days=days):%FT%TZ}" for days in (31, 90, 29))
    alone = f"firehose_backup~{now - timedelta(days=60):%FT%TZ}"
    done = warm_airflow.python("-c", _RUNS, old, older, new, alone)
    assert done.returncode == 0, done.stdout
    assert "; --do removes them" in clean(warm_airflow)
    assert runs(home) == {old, older, new, alone}
    assert "were removed" in clean(warm_airflow, "--do")
    assert runs(home) == {new, alone}
    assert "nothing is removed" in clean(warm_airflow, "--do", FIREHOSE_KEEP_LOGS_DAYS="0")


def clean(warm_airflow: Warm, *options: str, **variables: str) -> str:
    """The command's standard error."""
    environment = {**warm_airflow.environment, **variables}
    command = [FIREHOSE, "clean-airflow", *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr


def runs(home: Path) -> set[str]:
    """The runs in Airflow's database."""
    with contextlib.closing(sqlite3.connect(f"file:{home}/airflow.db?mode=ro", uri=True, timeout=30)) as database:
        return {run for (run,) in database.execute("SELECT run_id FROM dag_run")}
