"""`firehose batches rerun` against a real Airflow: which batches it names, and what Airflow then has to run."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from tests.support.command import firehose
from tests.support.warm import Warm
from tests.support.web_server import WebServer

#: Six batches, of which the first and the fourth have run; the fourth has failed.
SPAN = ("--from", "2026-11-23T20:00", "--to", "2026-11-23T20:30")
_RUNS = """
from datetime import datetime, timedelta
from airflow.models.dag_version import DagVersion
from airflow.models.serialized_dag import SerializedDagModel
from airflow.timetables.base import DataInterval
from airflow.utils.session import create_session
from airflow.utils.types import DagRunTriggeredByType, DagRunType
for minute, state in ((0, "success"), (15, "failed")):
    start = datetime.fromisoformat(f"2026-11-23T20:{minute:02}:00+00:00")
    interval = DataInterval(start, start + timedelta(minutes=5))
    with create_session() as session:
        dag = SerializedDagModel.get("firehose_batch", session=session).dag
        run_id = dag.timetable.generate_run_id(
            run_type=DagRunType.SCHEDULED, run_after=interval.end, data_interval=interval
        )
        dag.create_dagrun(
            run_id=run_id, logical_date=start, data_interval=interval, run_after=interval.end, state=state,
            run_type=DagRunType.SCHEDULED, triggered_by=DagRunTriggeredByType.TEST, session=session,
        )
"""


@pytest.fixture(scope="module", autouse=True)
def _usual_interval(warm_airflow: Warm) -> None:
    """The DAG of the settings is in Airflow's database: another test may have run one with other minutes."""
    done = warm_airflow.airflow("dags", "reserialize")
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.fixture
def batches(warm_airflow: Warm, api_server: WebServer) -> Path:
    """The folder of an Airflow whose web interface answers, and which has these two runs."""
    home = Path(warm_airflow.environment["AIRFLOW_HOME"])
    with contextlib.closing(sqlite3.connect(home / "airflow.db", timeout=30)) as connection, connection:
        for table in ("backfill_dag_run", "backfill", "dag_run"):
            connection.execute(f"DELETE FROM {table}")
    done = warm_airflow.python("-c", _RUNS)
    assert done.returncode == 0, done.stdout[-3000:]
    return home


def rerun(home: Path, url: str, *arguments: str, password: str = "") -> subprocess.CompletedProcess[str]:
    """The command, with the password of that Airflow."""
    kept = json.loads((home / "simple_auth_manager_passwords.json").read_text())["admin"]
    login = {"airflow_url": url, "airflow_password": password or kept}
    return firehose("batches", "rerun", *arguments, home=home, **login)


def runs(home: Path) -> dict[str, str]:
    """The runs that Airflow has, and their states."""
    with contextlib.closing(
        sqlite3.connect(f"file:{home}/airflow.db?mode=ro", uri=True, timeout=30)
    ) as connection:
        return dict(connection.execute("SELECT run_id, state FROM dag_run WHERE dag_id = 'firehose_batch'"))


def ids(*minutes: int) -> list[str]:
    return [f"20261123T20{minute:02}00Z" for minute in minutes]


def test_missing_failed_or_all_batches_are_listed_and_nothing_is_run(batches: Path, api_server: WebServer) -> None:
    before = runs(batches)
    for option, expected in (
        ("--missing", ids(5, 10, 20, 25)),
        ("--failed", ids(5, 10, 15, 20, 25)),
        ("--all", ids(0, 5, 10, 15, 20, 25)),
    ):
        done = rerun(batches, api_server.url, option, *SPAN)
        assert (done.returncode, done.stdout.split()) == (0, expected), done.stderr
        assert done.stderr.strip() == f"{len(expected)} batches; --do runs them"
    assert runs(batches) == before


def test_no_batch_before_the_first_one_of_the_dag_is_listed(batches: Path, api_server: WebServer) -> None:
    begun = ("--from", "2025-12-31T23:50", "--to", "2026-01-01T00:10")
    done = rerun(batches, api_server.url, "--missing", *begun)
    assert (done.returncode, done.stdout.split()) == (0, ["20260101T000000Z", "20260101T000500Z"]), done.stderr
    before = rerun(batches, api_server.url, "--failed", "--from", "2025-12-30", "--to", "2026-01-01", "--do")
    assert (before.returncode, before.stdout) == (0, ""), before.stderr
    assert before.stderr.strip() == "0 batches: nothing to run"


def test_failed_and_missing_batches_are_queued(batches: Path, api_server: WebServer) -> None:
    done = rerun(batches, api_server.url, "--failed", *SPAN, "--do", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["batches"] == ids(5, 10, 15, 20, 25) and said["backfill"] > 0
    assert runs(batches) == {
        "scheduled__20261123T200000Z": "success",
        "scheduled__20261123T201500Z": "queued",
        # Airflow names the runs that a backfill makes by itself, by the end of the interval.
        **{f"backfill__2026-11-23T20:{end}:00+00:00": "queued" for end in (10, 15, 25, 30)},
    }
    again = rerun(batches, api_server.url, "--failed", *SPAN, "--do")
    assert (again.returncode, again.stdout) == (0, ""), again.stderr
    assert again.stderr.strip() == "0 batches: nothing to run"


@pytest.mark.parametrize(
    ("arguments", "password", "said"),
    [
        (("--failed", *SPAN), "wrong", "refuses the login of admin: see FIREHOSE_AIRFLOW_USER and"),
        ((*SPAN,), "", "say which batches: one of --failed, --missing, --all"),
        (("--failed", "--missing", *SPAN), "", "say which batches"),
        (("--all", "--from", "2026-11-24", "--to", "2026-11-23"), "", "is not after --from"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    batches: Path, api_server: WebServer, arguments: tuple[str, ...], password: str, said: str
) -> None:
    done = rerun(batches, api_server.url, *arguments, password=password)
    assert done.returncode != 0 and said in " ".join(done.stderr.split()), done.stderr
    assert "Traceback" not in done.stderr


def test_an_airflow_that_is_away_is_said_in_one_line(batches: Path, free_port: int) -> None:
    done = rerun(batches, f"http://127.0.0.1:{free_port}", "--failed", *SPAN)
    assert done.returncode == 75, "trying again may help"
    assert f"Airflow at http://127.0.0.1:{free_port} does not answer" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_firehose_page_leads_to_the_run_whatever_its_id_is(batches: Path, api_server: WebServer) -> None:
    done = rerun(batches, api_server.url, "--missing", *SPAN, "--do")
    assert done.returncode == 0, done.stderr
    with api_server.client() as client:
        for minute, run_id in ((0, "scheduled__20261123T200000Z"), (5, "backfill__2026-11-23T20:10:00+00:00")):
            answer = client.get(f"/firehose/runs/20261123T20{minute:02}00Z")
            assert answer.status_code == 307, answer.text
            assert unquote(answer.headers["location"]) == f"/dags/firehose_batch/runs/{run_id}"
            path = f"/api/v2/dags/firehose_batch/dagRuns/{quote(run_id, safe='')}"
            assert client.get(path).json()["dag_run_id"] == run_id, "Airflow knows it by that"
        for batch_id in ("20261123T203500Z", "x"):
            assert client.get(f"/firehose/runs/{batch_id}").status_code == 404
